/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which ways the migration state machine must go.
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
	unsigned int ways;	/* of that length */
	unsigned int state[NR_STATES];
};

/* What a device with these flags has */
bool offered(unsigned int flags, unsigned int state);
bool is_arc(unsigned int flags, unsigned int from, unsigned int to);
/* Is the state in the saving group? */
bool saving(unsigned int state);
struct way find_way(unsigned int flags, unsigned int from, unsigned int to);
/* Does the last arc of a way open a data session? */
bool opens_session(const struct way *way);

#endif
