// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration state machine as two tables: the states and the arcs between
 * them, with the device flags that each depends on.  Paths of several arcs are
 * computed from these tables.  No locks, no state, no kernel services.
 */
#include <linux/errno.h>
#include <linux/vfio.h>

#include "mig_fsm.h"

#define STOP_COPY	VFIO_MIGRATION_STOP_COPY
#define P2P		VFIO_MIGRATION_P2P
#define PRE_COPY	VFIO_MIGRATION_PRE_COPY

struct mig_state {
	const char *name;
	unsigned int needs;	/* exists only with all of these flags */
};

#define STATE(name, needs)						\
	[VFIO_DEVICE_STATE_##name] = { #name, needs }

static const struct mig_state mig_states[VFIO_MIG_STATES] = {
	STATE(ERROR,		0),
	STATE(STOP,		STOP_COPY),
	STATE(RUNNING,		0),
	STATE(STOP_COPY,	STOP_COPY),
	STATE(RESUMING,		STOP_COPY),
	STATE(RUNNING_P2P,	P2P),
	STATE(PRE_COPY,		PRE_COPY),
	STATE(PRE_COPY_P2P,	P2P | PRE_COPY),
};

struct mig_arc {
	unsigned char from;
	unsigned char to;
	unsigned char without;	/* exists only without these flags */
};

/*
 * An arc exists if both of its states exist and no flag in without is set.  A
 * device with P2P never goes from RUNNING to STOP, or back, in one step.
 */
#define ARC(from, to, without)						\
	{ VFIO_DEVICE_STATE_##from, VFIO_DEVICE_STATE_##to, without }

static const struct mig_arc mig_arcs[] = {
	ARC(RUNNING,		STOP,		P2P),
	ARC(STOP,		RUNNING,	P2P),
	ARC(RUNNING,		RUNNING_P2P,	0),
	ARC(RUNNING_P2P,	RUNNING,	0),
	ARC(RUNNING_P2P,	STOP,		0),
	ARC(STOP,		RUNNING_P2P,	0),

	ARC(STOP,		STOP_COPY,	0),
	ARC(STOP_COPY,		STOP,		0),
	ARC(STOP,		RESUMING,	0),
	ARC(RESUMING,		STOP,		0),

	ARC(RUNNING,		PRE_COPY,	0),
	ARC(PRE_COPY,		RUNNING,	0),
	ARC(RUNNING_P2P,	PRE_COPY_P2P,	0),
	ARC(PRE_COPY_P2P,	RUNNING_P2P,	0),

	ARC(PRE_COPY,		PRE_COPY_P2P,	0),
	ARC(PRE_COPY_P2P,	PRE_COPY,	0),
	ARC(PRE_COPY,		STOP_COPY,	P2P),
	ARC(PRE_COPY_P2P,	STOP_COPY,	0),
	ARC(ERROR,		ERROR,		0),	/* ends the table */
};

int vfio_mig_fsm_has_state(unsigned int flags, unsigned int state)
{
	return state < VFIO_MIG_STATES && !(mig_states[state].needs & ~flags);
}

const char *vfio_mig_fsm_state_name(unsigned int state)
{
	return state < VFIO_MIG_STATES ? mig_states[state].name : "?";
}

int vfio_mig_fsm_in_session(unsigned int state)
{
	return vfio_mig_session_kind(state) != VFIO_MIG_NO_SESSION;
}

int vfio_mig_fsm_same_session(unsigned int a, unsigned int b)
{
	return vfio_mig_fsm_in_session(a) &&
	       vfio_mig_session_kind(a) == vfio_mig_session_kind(b);
}

static int mig_arc_exists(const struct mig_arc *arc, unsigned int flags)
{
	return vfio_mig_fsm_has_state(flags, arc->from) &&
	       vfio_mig_fsm_has_state(flags, arc->to) &&
	       !(arc->without & flags);
}

/*
 * May the path between two states lead through @state?  Not if a session would
 * begin or end on it: a path between two states of one session stays in that
 * session, and any other path avoids all sessions.
 */
static int mig_may_pass(unsigned int state, unsigned int from, unsigned int to)
{
	if (vfio_mig_fsm_same_session(from, to))
		return vfio_mig_fsm_same_session(state, to);
	return !vfio_mig_fsm_in_session(state);
}

/*
 * A breadth-first search from the end of the path to its beginning finds a
 * shortest path.  Each round adds states that were not reached before, so there
 * are at most as many rounds as states.
 */
unsigned int vfio_mig_fsm_next(unsigned int flags, unsigned int from,
			       unsigned int to)
{
	const struct mig_arc *arc;
	unsigned int reached, layer, found;

	if (!vfio_mig_fsm_has_state(flags, from) ||
	    !vfio_mig_fsm_has_state(flags, to))
		return VFIO_DEVICE_STATE_ERROR;
	if (from == to)
		return to;

	layer = 1U << to;
	for (reached = layer; layer; reached |= layer) {
		found = 0;
		for (arc = mig_arcs; arc->to; arc++) {
			if (!mig_arc_exists(arc, flags) ||
			    !(layer & 1U << arc->to) ||
			    (reached & 1U << arc->from))
				continue;
			if (arc->from == from)
				return arc->to;
			if (mig_may_pass(arc->from, from, to))
				found |= 1U << arc->from;
		}
		layer = found;
	}
	return VFIO_DEVICE_STATE_ERROR;
}
