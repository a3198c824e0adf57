/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault injection in this task: the Nth allocation or user copy from now on
 * fails.  Needs a kernel that is built with CONFIG_FAULT_INJECTION.
 *
 *	struct faults f = {};
 *
 *	while (faults_arm(&f)) {
 *		ret = something();
 *		hit = faults_disarm(&f);
 *		...
 *	}
 *
 * fails each point of something() in turn, and ends after a round without a
 * fault.
 */
#ifndef VFIO_TEST_FAULT_H
#define VFIO_TEST_FAULT_H

#include <stdbool.h>
#include <sys/types.h>

struct faults {
	unsigned int rounds;	/* with a fault */
	bool done;
};

/* Does this kernel inject faults?  If so, sets it up. */
bool faults_available(void);

/* Begins a round.  False if the last round had no fault. */
bool faults_arm(struct faults *f);
/* Has the fault happened since faults_arm()? */
bool faults_disarm(struct faults *f);

/* The Nth point of another task, such as a kernel thread, fails; none if 0. */
void faults_of_task(pid_t pid, unsigned int nth);
/* Has that fault happened? */
bool faults_met_by_task(pid_t pid);

#endif
