/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The paths that the migration state machine must take.
 */
#ifndef VFIO_TEST_FSM_ORACLE_H
#define VFIO_TEST_FSM_ORACLE_H

#include <linux/vfio.h>
#include <stdbool.h>

#include "migration.h"

#define P2P_FLAG	VFIO_MIGRATION_P2P
#define PRE_COPY_FLAG	VFIO_MIGRATION_PRE_COPY
#define STOP_COPY_FLAG	VFIO_MIGRATION_STOP_COPY

struct way {
	unsigned int length;	/* in arcs; 0: there is none */
	unsigned int ways;	/* how many of that length there are */
	unsigned int state[NR_STATES];
};

/* Does a device with these flags have the state? */
bool offered(unsigned int flags, unsigned int state);
bool is_arc(unsigned int flags, unsigned int from, unsigned int to);
/* Does a data session for saving exist in the state? */
bool saving(unsigned int state);
struct way find_way(unsigned int flags, unsigned int from, unsigned int to);
/* Does the last arc of a way open a data session? */
bool opens_session(const struct way *way);

#endif
