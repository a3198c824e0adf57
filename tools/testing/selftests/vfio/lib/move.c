// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves a guest from one VF to another.
 */
#include <linux/pci_regs.h>

#include "move.h"
#include "sysfs.h"
#include "util.h"

void move_open(struct vdev *a, struct vdev *b, struct nic *nic,
	       struct peer *peer_a, struct peer *peer_b)
{
	vdev_open(a, func_bdf(FUNC_VF_A0), DRV_IGBVF_VFIO);
	vdev_open(b, func_bdf(FUNC_VF_B0), DRV_IGBVF_VFIO);
	nic_alloc(nic);
	peer_open(peer_a, func_bdf(FUNC_PF_A));
	peer_open(peer_b, func_bdf(FUNC_PF_B));
}

void config_restore(const struct vdev *to, const struct vdev *from)
{
	cfg_write16(to, PCI_COMMAND, cfg_read16(from, PCI_COMMAND));
}

struct stream move_stopped(struct nic *nic, struct vdev *from,
			   struct vdev *to)
{
	struct stream stream = device_save(from->fd);
	int fd;

	fd = must(mig_session(to->fd, RESUMING));
	must(stream_write(fd, stream.data, stream.size, 512));
	config_restore(to, from);
	sys_close(fd);
	nic_detach(nic);
	nic_attach(nic, to);
	must(mig_set(to->fd, STOP, NULL));
	return stream;
}

void move(struct nic *nic, struct vdev *from, struct vdev *to)
{
	struct stream stream = move_stopped(nic, from, to);

	stream_free(&stream);
	must(mig_set(to->fd, RUNNING, NULL));
}

void reopen(struct vdev *v)
{
	const char *bdf = v->bdf;

	vdev_close(v);
	vdev_open(v, bdf, DRV_IGBVF_VFIO);
}
