// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection by /proc/thread-self/fail-nth.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "util.h"

/* More points than any operation has */
#define ROUNDS_LIMIT	5000

static int fail_nth = -1;

/* By default, sleeping allocations do not fail, and each fault is printed. */
static bool prepare(void)
{
	static const struct {
		const char *path;
		const char *value;
	} settings[] = {
		{ "failslab/ignore-gfp-wait", "N" },
		{ "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "fail_page_alloc/min-order", "0" },
		{ "fail_page_alloc/verbose", "0" },
		{ "fail_usercopy/verbose", "0" },
	};
	unsigned int i;
	char path[128];

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s",
			 settings[i].path);
		if (file_write(path, settings[i].value))
			return false;
	}
	return true;
}

static void set(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	/*
	 * A fault that is still armed may hit this write.  The second succeeds.
	 */
	if (pwrite(fail_nth, text, len, 0) != len &&
	    pwrite(fail_nth, text, len, 0) != len && nth)
		die("fail-nth: %s", strerror(errno));
}

/*
 * Disarms the fault when the test dies: code below VFIO does not handle faults
 * in the last close of a file.
 */
static void spare_exit(void)
{
	set(0);
}

bool faults_available(void)
{
	if (!prepare())
		return false;
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	before_death = spare_exit;
	return fail_nth >= 0;
}

static int task_fail_nth(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	return must(sys_open(path, O_RDWR));
}

void faults_of_task(pid_t pid, unsigned int nth)
{
	int fd = task_fail_nth(pid), len;
	char text[16];

	len = snprintf(text, sizeof(text), "%u", nth);
	if (must(sys_pwrite(fd, text, len, 0)) != len)
		die("fail-nth of task %d", pid);
	sys_close(fd);
}

bool faults_met_by_task(pid_t pid)
{
	int fd = task_fail_nth(pid);
	char left[16] = "";

	must(sys_pread(fd, left, sizeof(left) - 1, 0));
	sys_close(fd);
	return !atoi(left);
}

bool faults_arm(struct faults *f)
{
	if (f->done)
		return false;
	if (f->rounds >= ROUNDS_LIMIT)
		die("no end of faults after %u", f->rounds);
	set(f->rounds + 1);
	return true;
}

bool faults_disarm(struct faults *f)
{
	char left[16] = "";

	/*
	 * "0": the fault happened.  Else the read returns a number, or fails.
	 */
	f->done = pread(fail_nth, left, sizeof(left) - 1, 0) < 0 ||
		  atoi(left) != 0;
	set(0);
	if (!f->done)
		f->rounds++;
	return !f->done;
}
