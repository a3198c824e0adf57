/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes the kernel fail, in this task and at a chosen point: the Nth
 * allocation or user copy from now on does not succeed.  Needs a kernel with
 * fault injection (tools/testing/kernel/debug.config).
 *
 *	struct faults f = {};
 *
 *	while (faults_arm(&f)) {
 *		ret = something();
 *		hit = faults_disarm(&f);
 *		...
 *	}
 *
 * fails each point of something() in turn and ends after a round in which no
 * point was left to fail.
 */
#ifndef VFIO_TEST_FAULT_H
#define VFIO_TEST_FAULT_H

#include <stdbool.h>
#include <sys/types.h>

struct faults {
	unsigned int rounds;	/* with a fault */
	bool done;
};

/* Can this kernel do it?  Prepares it if so. */
bool faults_available(void);

/* False if the round before met no fault any more. */
bool faults_arm(struct faults *f);
/* Did the kernel fail as told since faults_arm()? */
bool faults_disarm(struct faults *f);

/* For another task, such as a kernel thread: its Nth point, or none if 0 */
void faults_of_task(pid_t pid, unsigned int nth);
/* Has it come that far? */
bool faults_met_by_task(pid_t pid);

#endif
