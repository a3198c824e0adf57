/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names of VFIO_MIGRATION_* flags.
 */
#ifndef VFIO_MIG_FLAGS_H
#define VFIO_MIG_FLAGS_H

#include <linux/vfio.h>

/* flag_names[i] is the name of the flag 1 << i. */
static const char *const flag_names[] = { "stop-copy", "p2p", "pre-copy" };

_Static_assert(VFIO_MIGRATION_STOP_COPY == 1 << 0, "bit of stop-copy");
_Static_assert(VFIO_MIGRATION_P2P == 1 << 1, "bit of p2p");
_Static_assert(VFIO_MIGRATION_PRE_COPY == 1 << 2, "bit of pre-copy");

#define FLAGS	(sizeof(flag_names) / sizeof(flag_names[0]))

#endif
