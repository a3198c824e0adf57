/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The states of a device under migration, the arcs between them, and the way
 * from one to another.  Pure logic on numbers, without knowledge of devices:
 * mig_fsm.c compiles in user space, too, where vfio-mig draws it.
 */
#ifndef VFIO_MIG_FSM_H
#define VFIO_MIG_FSM_H

#include <linux/vfio.h>
#include <linux/vfio_mig_states.h>

/* Is this a state that a device with these flags can be in? */
int vfio_mig_fsm_has_state(unsigned int flags, unsigned int state);

/* "RUNNING"; "?" for a number that is no state. */
const char *vfio_mig_fsm_state_name(unsigned int state);

/* Do both states belong to a data session, and if so, to the same one? */
int vfio_mig_fsm_same_session(unsigned int a, unsigned int b);

/* Does a device in this state have a data session? */
int vfio_mig_fsm_in_session(unsigned int state);

/*
 * The state that follows @from on the way to @to: an arc that a device with
 * these flags implements.  VFIO_DEVICE_STATE_ERROR if there is no way; @to
 * itself if that is @from.
 */
unsigned int vfio_mig_fsm_next(unsigned int flags, unsigned int from,
			       unsigned int to);

#endif /* VFIO_MIG_FSM_H */
