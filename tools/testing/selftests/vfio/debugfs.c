// SPDX-License-Identifier: GPL-2.0-only
/*
 * What debugfs says of devices: the state that a device is in, its features,
 * the arcs that it took and what failed; who may read it; and that it goes
 * with the device, whoever has it open.
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

#define NEED_MOCK() do {						\
	if (!mock_present())						\
		SKIP(return, "no vfio_mock module");			\
} while (0)

static const char *mig_path(const char *device, const char *file)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), ROOT "/%s/migration/%s", device, file);
	return path;
}

/* The whole of a file, in memory that the next call overwrites */
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

/* A value of a file with "name value" lines */
static long long value(const char *device, const char *file, const char *name)
{
	const char *text = mig_file(device, file);
	char line[64];

	snprintf(line, sizeof(line), "%s ", name);
	text = strstr(text, line);
	if (!text)
		die("%s: no %s", file, name);
	return atoll(text + strlen(line));
}

static long long counter(const char *device, const char *name)
{
	return value(device, "counters", name);
}

static long long data(const char *device, const char *name)
{
	return value(device, "data", name);
}

struct arc {
	unsigned long long taken, failed;
};

/* All 0 if it is not listed */
static struct arc arc(const char *device, unsigned int from, unsigned int to)
{
	char from_name[32], to_name[32], *line, *rest;
	struct arc arc = {}, read;
	char text[16384];

	strcpy(text, mig_file(device, "arcs"));
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "%31s %31s %llu %llu", from_name, to_name,
			   &read.taken, &read.failed) != 4)
			continue;
		if (!strcmp(from_name, mig_state_name(from)) &&
		    !strcmp(to_name, mig_state_name(to)))
			arc = read;
	}
	return arc;
}

#define EXPECT_STATE(device, name) \
	EXPECT_STREQ(mig_file(device, "state"), name "\n")

TEST(state)
{
	const char *name;
	struct vdev v;

	NEED_DEBUGFS();
	NEED_MOCK();
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

TEST(features)
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
	NEED_MOCK();
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(name, sizeof(name), "vfio_mock.%u", rows[i].flags);
		text = mig_file(name, "features");
		/* What else the device can do follows. */
		EXPECT_EQ(0, strncmp(text, rows[i].text, strlen(rows[i].text)))
			TH_LOG("%s: %s", name, text);
		text += strlen(rows[i].text);
		EXPECT_TRUE(!*text || !strcmp(text, "dirty-tracking\n"));
	}
}

TEST(arcs_are_counted)
{
	struct arc before, after;
	struct vdev v;

	NEED_DEBUGFS();
	NEED_MOCK();
	mock_open(&v, VFIO_MIGRATION_STOP_COPY);
	before = arc(v.bdf, RUNNING, STOP);
	must(mig_set(v.fd, STOP_COPY, NULL));
	after = arc(v.bdf, RUNNING, STOP);
	EXPECT_EQ(before.taken + 1, after.taken);
	EXPECT_EQ(before.failed, after.failed);
	EXPECT_NE(0, arc(v.bdf, STOP, STOP_COPY).taken);
	EXPECT_EQ(0, arc(v.bdf, RUNNING, STOP_COPY).taken);

	/* The same state again is no arc. */
	before = arc(v.bdf, STOP, STOP_COPY);
	must(mig_set(v.fd, STOP_COPY, NULL));
	EXPECT_EQ(before.taken, arc(v.bdf, STOP, STOP_COPY).taken);
	vdev_close(&v);
}

TEST(failures_are_counted)
{
	struct arc before, after;
	long long calls, failed;
	struct vdev v;

	NEED_DEBUGFS();
	NEED_MOCK();
	mock_open(&v, VFIO_MIGRATION_STOP_COPY);
	calls = counter(v.bdf, "set_state");
	failed = counter(v.bdf, "set_state_failed");
	before = arc(v.bdf, STOP, RESUMING);

	/* The second of two arcs */
	mock_fail(&v, STOP, RESUMING, ENOSPC, false);
	EXPECT_EQ(-ENOSPC, mig_set(v.fd, RESUMING, NULL));
	after = arc(v.bdf, STOP, RESUMING);
	EXPECT_EQ(before.taken, after.taken);
	EXPECT_EQ(before.failed + 1, after.failed);
	EXPECT_EQ(calls + 1, counter(v.bdf, "set_state"));
	EXPECT_EQ(failed + 1, counter(v.bdf, "set_state_failed"));
	EXPECT_EQ(-ENOSPC, counter(v.bdf, "last_error"));
	EXPECT_NE(NULL, strstr(mig_file(v.bdf, "counters"),
			       "last_error_state RESUMING\n"));

	must(mig_set(v.fd, RUNNING, NULL));
	EXPECT_EQ(calls + 2, counter(v.bdf, "set_state"));
	EXPECT_EQ(failed + 1, counter(v.bdf, "set_state_failed"));
	vdev_close(&v);
}

TEST(resets_are_counted)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);
	long long resets;
	struct vdev v;

	NEED_DEBUGFS();
	if (!module_loaded(DRV_IGBVF_VFIO))
		SKIP(return, "no %s module", DRV_IGBVF_VFIO);
	vdev_open(&v, bdf, DRV_IGBVF_VFIO);
	resets = counter(bdf, "resets");
	must(mig_set(v.fd, STOP, NULL));
	EXPECT_STATE(bdf, "STOP");
	must(device_reset(&v));
	EXPECT_STATE(bdf, "RUNNING");
	EXPECT_EQ(resets + 1, counter(bdf, "resets"));
	vdev_close(&v);
}

/* They are those of one user: who opens the device begins anew. */
TEST(data_is_counted)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);
	struct stream s;
	char byte;
	struct vdev v;
	int fd;

	NEED_DEBUGFS();
	if (!module_loaded(DRV_IGBVF_VFIO))
		SKIP(return, "no %s module", DRV_IGBVF_VFIO);
	vdev_open(&v, bdf, DRV_IGBVF_VFIO);
	EXPECT_EQ(0, data(bdf, "fds"));
	EXPECT_EQ(0, data(bdf, "bytes_read"));
	EXPECT_EQ(0, data(bdf, "bytes_written"));

	fd = must(mig_session(v.fd, STOP_COPY));
	EXPECT_EQ(1, data(bdf, "fds"));
	EXPECT_EQ(0, data(bdf, "bytes_read"));
	must(sys_read(fd, &byte, 1));
	EXPECT_EQ(1, data(bdf, "bytes_read"));
	sys_close(fd);

	must(mig_set(v.fd, RUNNING, NULL));
	s = device_save(v.fd);
	EXPECT_EQ(2, data(bdf, "fds"));
	EXPECT_EQ(1 + s.size, data(bdf, "bytes_read"));
	must(device_load(v.fd, &s));
	EXPECT_EQ(3, data(bdf, "fds"));
	EXPECT_EQ(1 + s.size, data(bdf, "bytes_read"));
	EXPECT_EQ(s.size, data(bdf, "bytes_written"));

	/* What is refused is not counted, what was accepted before is. */
	fd = must(mig_session(v.fd, RESUMING));
	EXPECT_EQ(10, sys_write(fd, s.data, 10));
	EXPECT_GT(0, sys_write(fd, s.data, 100));
	EXPECT_EQ(s.size + 10, data(bdf, "bytes_written"));
	sys_close(fd);
	must(device_reset(&v));

	/* Of the last user, until there is another one */
	vdev_close(&v);
	EXPECT_EQ(s.size + 10, data(bdf, "bytes_written"));
	vdev_open(&v, bdf, DRV_IGBVF_VFIO);
	EXPECT_EQ(0, data(bdf, "fds"));
	EXPECT_EQ(0, data(bdf, "bytes_written"));
	vdev_close(&v);
	stream_free(&s);
}

/* Root alone, and for reading: nobody else finds out about guests. */
TEST(for_root_alone)
{
	struct dirent *entry;
	struct stat st;
	int files = 0;
	DIR *dir;

	NEED_DEBUGFS();
	NEED_MOCK();
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
	EXPECT_GE(files, 5);
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

TEST(goes_with_the_device)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);
	char text[16];
	int fd;

	NEED_DEBUGFS();
	if (!module_loaded(DRV_IGBVF_VFIO))
		SKIP(return, "no %s module", DRV_IGBVF_VFIO);
	must(pci_bind(bdf, DRV_IGBVF_VFIO));
	fd = must(sys_open(mig_path(bdf, "state"), O_RDONLY));
	must(pci_bind(bdf, DRV_VFIO_PCI));
	EXPECT_GT(0, sys_read(fd, text, sizeof(text)));
	sys_close(fd);

	/* This driver knows of no migration. */
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
