/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a VMM does to move its guest, the driver of lib/nic.h, from one VF to
 * another.  Both have to be open; a failure ends the test.
 */
#ifndef VFIO_TEST_MOVE_H
#define VFIO_TEST_MOVE_H

#include "device.h"
#include "migration.h"
#include "nic.h"

/*
 * Opens two VFs, of two PFs on one wire, for a guest that has neither yet, and
 * its peers.
 */
void move_open(struct vdev *a, struct vdev *b, struct nic *nic,
	       struct peer *peer_a, struct peer *peer_b);

/* A stopped device's configuration, as QEMU brings it over. */
void config_restore(const struct vdev *to, const struct vdev *from);

/* Moves the guest; both are in STOP at the end.  Returns the stream. */
struct stream move_stopped(struct nic *nic, struct vdev *from,
			   struct vdev *to);
/* The same, and it runs there. */
void move(struct nic *nic, struct vdev *from, struct vdev *to);

/* Frees the source as a VMM does, and opens it again for the way back. */
void reopen(struct vdev *v);

#endif
