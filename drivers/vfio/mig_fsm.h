/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The migration states of a device, the arcs between them, and the path from
 * one to another.  Pure logic on numbers: mig_fsm.c also compiles in user
 * space, for vfio-mig, which prints the state machine.
 */
#ifndef VFIO_MIG_FSM_H
#define VFIO_MIG_FSM_H

#include <linux/vfio.h>
#include <linux/vfio_mig_states.h>

/* Can a device with these flags be in this state? */
int vfio_mig_fsm_has_state(unsigned int flags, unsigned int state);

/* For instance "RUNNING"; "?" if the number is not a state */
const char *vfio_mig_fsm_state_name(unsigned int state);

/* Do both states belong to the same data session? */
int vfio_mig_fsm_same_session(unsigned int a, unsigned int b);

/* Does a device in this state have a data session? */
int vfio_mig_fsm_in_session(unsigned int state);

/*
 * The state that follows @from on the path to @to: an arc that a device with
 * these flags implements.  VFIO_DEVICE_STATE_ERROR if there is no path; @to
 * itself if that is @from.
 */
unsigned int vfio_mig_fsm_next(unsigned int flags, unsigned int from,
			       unsigned int to);

#endif /* VFIO_MIG_FSM_H */
