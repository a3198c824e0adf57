/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Moves a guest, the driver of lib/nic.h, from one VF to another as a VMM does.
 * Both VFs have to be open; a failure ends the test.
 */
#ifndef VFIO_TEST_MOVE_H
#define VFIO_TEST_MOVE_H

#include "device.h"
#include "migration.h"
#include "nic.h"

/*
 * Opens two VFs, of two PFs on one wire, and a peer on each PF.  The guest is
 * attached to neither VF yet.
 */
void move_open(struct vdev *a, struct vdev *b, struct nic *nic,
	       struct peer *peer_a, struct peer *peer_b);

/* Copies the configuration that QEMU migrates. */
void config_restore(const struct vdev *to, const struct vdev *from);

/* Moves the guest; both are in STOP at the end.  Returns the stream. */
struct stream move_stopped(struct nic *nic, struct vdev *from,
			   struct vdev *to);
/* The same, and runs the destination. */
void move(struct nic *nic, struct vdev *from, struct vdev *to);

/* Closes the VF as the source's VMM does, and opens it for a new one. */
void reopen(struct vdev *v);

#endif
