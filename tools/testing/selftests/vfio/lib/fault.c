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

/* What is off by default: sleeping allocations do not fail, and each prints. */
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

	/* The write may be hit itself, by what was left; then none is left. */
	if (pwrite(fail_nth, text, len, 0) != len &&
	    pwrite(fail_nth, text, len, 0) != len && nth)
		die("fail-nth: %s", strerror(errno));
}

/*
 * What a file's last close does can't fail, which not everyone below VFIO is
 * prepared for: an exit is not to meet the fault.
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

	/* "0": it came.  A number, or a read that is hit itself: it did not. */
	f->done = pread(fail_nth, left, sizeof(left) - 1, 0) < 0 ||
		  atoi(left) != 0;
	set(0);
	if (!f->done)
		f->rounds++;
	return !f->done;
}
