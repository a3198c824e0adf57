// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints: what is recorded when devices change state, begin and end
 * data sessions, are reset and have their DMA logged, in a trace instance of the
 * test's own.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"
#include "device.h"
#include "dma_log.h"
#include "migration.h"
#include "mock.h"
#include "nic.h"

#define TRACING		"/sys/kernel/tracing"
#define INSTANCE	TRACING "/instances/vfio_test"

static void trace_write(const char *file, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), INSTANCE "/%s", file);
	must(file_write(path, text));
}

static void trace_clear(void)
{
	sys_close(must(sys_open(INSTANCE "/trace", O_WRONLY | O_TRUNC)));
}

/*
 * The records since the last call, a line each, without the tracer's columns
 * and without the fields that differ from run to run: fds and times.
 */
static const char *trace_take(void)
{
	static char text[65536];
	static char raw[65536];
	char *line, *rest, *event, *end;
	ssize_t len, total = 0;
	int fd = must(sys_open(INSTANCE "/trace", O_RDONLY));

	while ((len = must(sys_read(fd, raw + total,
				    sizeof(raw) - 1 - total))))
		total += len;
	raw[total] = 0;
	sys_close(fd);
	trace_clear();

	text[0] = 0;
	for (line = strtok_r(raw, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		event = strstr(line, ": vfio_");
		if (line[0] == '#' || !event)
			continue;
		event += 2;
		end = strstr(event, ", data_fd ");
		if (end && end[10] != '-') {
			strcat(strncat(text, event, end - event), ", data_fd\n");
			continue;
		}
		/* The last number is the time. */
		end = strrchr(event, ',');
		if (end && strstr(end, " ns"))
			*end = 0;
		strcat(strcat(text, event), "\n");
	}
	return text;
}

FIXTURE(trace) {
	bool on;
};

FIXTURE_SETUP(trace)
{
	if (access(TRACING "/events/vfio/vfio_mig_set_state", F_OK))
		SKIP(return, "no tracepoints of vfio in this kernel");
	rmdir(INSTANCE);
	ASSERT_EQ(0, mkdir(INSTANCE, 0700));
	self->on = true;
	trace_write("events/vfio/enable", "1");
	trace_clear();
}

FIXTURE_TEARDOWN(trace)
{
	if (!self->on)
		return;
	trace_write("events/vfio/enable", "0");
	EXPECT_EQ(0, rmdir(INSTANCE));
}

TEST_F(trace, records_state_changes)
{
	struct vdev v;

	NEED_MODULE("vfio_mock");
	mock_open(&v, VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY);
	must(mig_set(v.fd, PRE_COPY, NULL));
	must(mig_set(v.fd, STOP_COPY, NULL));
	must(mig_set(v.fd, RUNNING, NULL));
	EXPECT_STREQ("vfio_mig_set_state: vfio_mock.5: RUNNING -> PRE_COPY: result 0, data_fd\n"
		     "vfio_mig_set_state: vfio_mock.5: PRE_COPY -> STOP_COPY: result 0, data_fd -1\n"
		     "vfio_mig_set_state: vfio_mock.5: STOP_COPY -> RUNNING: result 0, data_fd -1\n",
		     trace_take());

	mock_fail(&v, RUNNING, STOP, EBUSY, false);
	EXPECT_EQ(-EBUSY, mig_set(v.fd, RESUMING, NULL));
	EXPECT_STREQ("vfio_mig_set_state: vfio_mock.5: RUNNING -> RESUMING: result -16, data_fd -1\n",
		     trace_take());
	vdev_close(&v);
}

/* A driver on the migration library */
TEST_F(trace, records_the_librarys_sessions)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);
	unsigned long long size;
	struct stream stream;
	char expected[1024];
	struct vdev v;
	int fd;

	NEED_MODULE(DRV_IGBVF_VFIO);
	vdev_open(&v, bdf, DRV_IGBVF_VFIO);
	trace_write("events/vfio/vfio_mig_set_state/enable", "0");
	trace_take();

	fd = must(mig_session(v.fd, STOP_COPY));
	stream = stream_read(fd, 100);
	size = stream.size;
	must(mig_set(v.fd, STOP, NULL));
	sys_close(fd);
	snprintf(expected, sizeof(expected),
		 "vfio_mig_arc: %s: RUNNING -> RUNNING_P2P: result 0, 0 bytes\n"
		 "vfio_mig_arc: %s: RUNNING_P2P -> STOP: result 0, 0 bytes\n"
		 "vfio_mig_data_open: %s: save, 0 bytes\n"
		 "vfio_mig_arc: %s: STOP -> STOP_COPY: result 0, %llu bytes\n"
		 "vfio_mig_data_end: %s: save, %llu bytes\n"
		 "vfio_mig_arc: %s: STOP_COPY -> STOP: result 0, 0 bytes\n",
		 bdf, bdf, bdf, bdf, size, bdf, size, bdf);
	EXPECT_STREQ(expected, trace_take());

	fd = must(mig_session(v.fd, RESUMING));
	must(stream_write(fd, stream.data, size - 1, 64));
	EXPECT_EQ(-EINVAL, mig_set(v.fd, STOP, NULL));
	must(stream_write(fd, stream.data + size - 1, 1, 1));
	must(mig_set(v.fd, STOP, NULL));
	sys_close(fd);
	must(device_reset(&v));
	snprintf(expected, sizeof(expected),
		 "vfio_mig_data_open: %s: load, 0 bytes\n"
		 "vfio_mig_arc: %s: STOP -> RESUMING: result 0, 0 bytes\n"
		 "vfio_mig_arc: %s: RESUMING -> STOP: result -22, %llu bytes\n"
		 "vfio_mig_data_end: %s: load, %llu bytes\n"
		 "vfio_mig_arc: %s: RESUMING -> STOP: result 0, %llu bytes\n"
		 "vfio_mig_reset: %s: in STOP\n"
		 "vfio_device_reset: %s: result 0\n",
		 bdf, bdf, bdf, size - 1, bdf, size, bdf, size, bdf, bdf);
	EXPECT_STREQ(expected, trace_take());
	stream_free(&stream);
	vdev_close(&v);
}

/* Far from all rings and buffers, and in one bitmap of the driver */
#define LOGGED		(1ULL << 40)
#define LOGGED_SIZE	(64 * MiB)
#define LOGGED_PAGES	(LOGGED_SIZE / 4096)

TEST_F(trace, records_dma_logging)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);
	uint64_t bitmap[LOGGED_PAGES / 64];
	char expected[512];
	struct vdev v;

	NEED_MODULE(DRV_IGBVF_VFIO);
	vdev_open(&v, bdf, DRV_IGBVF_VFIO);
	trace_take();
	must(log_start_range(v.fd, LOGGED, LOGGED_SIZE));
	must(log_report(v.fd, LOGGED, LOGGED_SIZE, 4096, bitmap));
	must(log_stop(v.fd));
	snprintf(expected, sizeof(expected),
		 "vfio_dma_log_start: %s: 1 ranges: result 0\n"
		 "vfio_dma_log_report: %s: %#llx bytes at %#llx: 0 pages in 0 runs\n"
		 "vfio_dma_log_stop: %s\n",
		 bdf, bdf, LOGGED_SIZE, LOGGED, bdf);
	EXPECT_STREQ(expected, trace_take());

	/* A ring whose head is outside: all memory is reported. */
	reg_write(&v, 0, RDLEN, 64 * sizeof(struct desc));
	reg_write(&v, 0, RDH, 64);
	reg_write(&v, 0, RDT, 64);
	reg_write(&v, 0, RXDCTL, DCTL_ENABLE);
	must(log_start_range(v.fd, LOGGED, LOGGED_SIZE));
	must(log_report(v.fd, LOGGED, LOGGED_SIZE, 4096, bitmap));
	snprintf(expected, sizeof(expected),
		 "vfio_dma_log_overflow: %s: ring 0: all memory\n"
		 "vfio_dma_log_start: %s: 1 ranges: result 0\n"
		 "vfio_dma_log_report: %s: %#llx bytes at %#llx: %llu pages in 1 runs\n",
		 bdf, bdf, bdf, LOGGED_SIZE, LOGGED, LOGGED_PAGES);
	EXPECT_STREQ(expected, trace_take());
	log_close(&v);
}

TEST_F(trace, off_is_silent)
{
	struct vdev v;

	NEED_MODULE("vfio_mock");
	mock_open(&v, VFIO_MIGRATION_STOP_COPY);
	trace_write("events/vfio/enable", "0");
	must(mig_set(v.fd, STOP, NULL));
	EXPECT_STREQ("", trace_take());
	vdev_close(&v);
}

TEST_F(trace, records_resets)
{
	const char *bdf = NEED_FUNC(FUNC_E1000E);
	char expected[128];
	struct vdev v;

	vdev_open(&v, bdf, DRV_VFIO_PCI);
	trace_take();
	must(device_reset(&v));
	snprintf(expected, sizeof(expected),
		 "vfio_device_reset: %s: result 0\n", bdf);
	EXPECT_STREQ(expected, trace_take());
	vdev_close(&v);
}

TEST_HARNESS_MAIN
