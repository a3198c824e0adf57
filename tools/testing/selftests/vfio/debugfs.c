// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files of devices in debugfs: state and features; their permissions; and that
 * they are removed with the device, even while open.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"
#include "device.h"
#include "migration.h"
#include "mock.h"

#define ROOT	"/sys/kernel/debug/vfio"

#define NEED_DEBUGFS() do {						\
	if (access(ROOT, F_OK))						\
		SKIP(return, "no " ROOT ": CONFIG_VFIO_DEBUGFS=n");	\
} while (0)

static const char *mig_path(const char *device, const char *file)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), ROOT "/%s/migration/%s", device, file);
	return path;
}

/* The contents of a file; the next call overwrites them. */
static const char *mig_file(const char *device, const char *file)
{
	static char text[16384];
	ssize_t len, total = 0;
	int fd = must(sys_open(mig_path(device, file), O_RDONLY));

	while ((len = must(sys_read(fd, text + total,
				    sizeof(text) - 1 - total))))
		total += len;
	text[total] = 0;
	sys_close(fd);
	return text;
}

#define EXPECT_STATE(device, name) \
	EXPECT_STREQ(mig_file(device, "state"), name "\n")

TEST(state_is_that_of_the_device)
{
	const char *name;
	struct vdev v;

	NEED_DEBUGFS();
	NEED_MODULE("vfio_mock");
	mock_open(&v, VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
		  VFIO_MIGRATION_PRE_COPY);
	name = v.bdf;
	EXPECT_STATE(v.bdf, "RUNNING");
	must(mig_set(v.fd, PRE_COPY_P2P, NULL));
	EXPECT_STATE(v.bdf, "PRE_COPY_P2P");
	must(mig_set(v.fd, PRE_COPY, NULL));
	EXPECT_STATE(v.bdf, "PRE_COPY");
	must(mig_set(v.fd, STOP_COPY, NULL));
	EXPECT_STATE(v.bdf, "STOP_COPY");
	must(mig_set(v.fd, STOP, NULL));
	EXPECT_STATE(v.bdf, "STOP");
	must(mig_set(v.fd, RESUMING, NULL));
	EXPECT_STATE(v.bdf, "RESUMING");
	must(mig_set(v.fd, RUNNING_P2P, NULL));
	EXPECT_STATE(v.bdf, "RUNNING_P2P");

	mock_fail(&v, RUNNING_P2P, STOP, EIO, true);
	EXPECT_EQ(-EIO, mig_set(v.fd, STOP, NULL));
	EXPECT_STATE(v.bdf, "ERROR");
	vdev_close(&v);
	EXPECT_STATE(name, "RUNNING");
}

TEST(features_are_listed)
{
	static const struct {
		unsigned int flags;
		const char *text;
	} rows[] = {
		{ VFIO_MIGRATION_STOP_COPY, "stop-copy\n" },
		{ VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P,
		  "stop-copy\np2p\n" },
		{ VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY,
		  "stop-copy\npre-copy\n" },
		{ VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
		  VFIO_MIGRATION_PRE_COPY, "stop-copy\np2p\npre-copy\n" },
	};
	unsigned int i;
	const char *text;
	char name[32];

	NEED_DEBUGFS();
	NEED_MODULE("vfio_mock");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(name, sizeof(name), "vfio_mock.%u", rows[i].flags);
		text = mig_file(name, "features");
		/* More features may follow. */
		EXPECT_EQ(0, strncmp(text, rows[i].text, strlen(rows[i].text)))
			TH_LOG("%s: %s", name, text);
		text += strlen(rows[i].text);
		EXPECT_TRUE(!*text || !strcmp(text, "dirty-tracking\n"));
	}
}

TEST(state_of_a_vf)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);
	struct vdev v;

	NEED_DEBUGFS();
	NEED_MODULE(DRV_IGBVF_VFIO);
	vdev_open(&v, bdf, DRV_IGBVF_VFIO);
	must(mig_set(v.fd, STOP, NULL));
	EXPECT_STATE(bdf, "STOP");
	must(device_reset(&v));
	EXPECT_STATE(bdf, "RUNNING");
	vdev_close(&v);
}

/* Only root can read the files, and no user can write. */
TEST(is_readable_by_root_only)
{
	struct dirent *entry;
	struct stat st;
	int files = 0;
	DIR *dir;

	NEED_DEBUGFS();
	NEED_MODULE("vfio_mock");
	dir = opendir(mig_path("vfio_mock.1", ""));
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		files++;
		ASSERT_EQ(0, stat(mig_path("vfio_mock.1", entry->d_name), &st));
		EXPECT_EQ(S_IFREG | 0400, st.st_mode)
			TH_LOG("%s", entry->d_name);
		EXPECT_EQ(0, st.st_uid);
	}
	closedir(dir);
	EXPECT_EQ(2, files);
	EXPECT_EQ(-EACCES, ({
		int ret = 0;

		if (!seteuid(65534)) {
			ret = sys_open(mig_path("vfio_mock.1", "state"),
				       O_RDONLY);
			if (seteuid(0))
				die("seteuid");
		}
		ret;
	}));
}

TEST(is_removed_with_the_device)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);
	char text[16];
	int fd;

	NEED_DEBUGFS();
	NEED_MODULE(DRV_IGBVF_VFIO);
	must(pci_bind(bdf, DRV_IGBVF_VFIO));
	fd = must(sys_open(mig_path(bdf, "state"), O_RDONLY));
	must(pci_bind(bdf, DRV_VFIO_PCI));
	EXPECT_GT(0, sys_read(fd, text, sizeof(text)));
	sys_close(fd);

	/* vfio-pci does not migrate. */
	EXPECT_EQ(-ENOENT, sys_open(mig_path(bdf, "state"), O_RDONLY));
	EXPECT_EQ(0, access(ROOT, F_OK));
	must(pci_bind(bdf, NULL));
	snprintf(text, sizeof(text), "%s", bdf);
	EXPECT_EQ(-1, ({
		char path[PATH_MAX];

		snprintf(path, sizeof(path), ROOT "/%s", bdf);
		access(path, F_OK);
	}));
}

TEST_HARNESS_MAIN
