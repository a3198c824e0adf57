// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration of a VF: a function for each arc, saving and loading.  This
 * file has the order of steps; the steps are in queues.c, mailbox.c, pf.c and
 * log.c.
 *
 * The VF cannot separate peer-to-peer DMA from other DMA, so RUNNING_P2P stops
 * both.  Page 0 is still served then.  The driver copies what the guest writes
 * to other registers into the image, and sets up the registers from the image
 * when DMA begins again.
 */
#include "private.h"

static bool vf_is_gone(struct igbvf_device *vf)
{
	return igbvf_read(vf, VTSTATUS) == U32_MAX;
}

/* Has the guest bus mastering on?  For a VF that runs */
static bool is_bus_master(struct igbvf_device *vf)
{
	u16 command;

	pci_read_config_word(vf->pci.core.pdev, PCI_COMMAND, &command);
	return command & PCI_COMMAND_MASTER;
}

static int stop_dma(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	int ret;

	if (vf_is_gone(vf))
		return -EIO;
	vfio_pci_mig_log_sync(&vf->pci);
	ret = igbvf_queues_stop(vf, is_bus_master(vf));
	igbvf_queues_park(vf);
	igbvf_queues_watch(vf);
	ret = vfio_pci_mig_dma_off(&vf->pci) ?: ret;
	igbvf_log_stopped(vf);
	if (!ret)
		return 0;
	vfio_mig_err(&vf->pci.mig, "can't be stopped: reset the device\n");
	return vfio_mig_error(mig, ret);
}

/* After a load, or after a save when the migration was cancelled. */
static int start_dma(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	int ret;

	if (vf_is_gone(vf))
		return -EIO;
	/* Registers hold no values then; the guest will set up the VF again. */
	if (igbvf_mbx_pf_is_down(vf))
		igbvf_queues_reset(vf);
	igbvf_queues_take_over(vf);
	ret = igbvf_queues_load(vf);
	if (ret)
		return vfio_mig_error(mig, ret);
	vfio_pci_mig_dma_on(&vf->pci);
	ret = igbvf_queues_run(vf, igbvf_mbx_has_news(vf));
	if (!ret)
		return 0;
	igbvf_queues_park(vf);
	return vfio_mig_error(mig, ret);
}

static int stop_serving(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);

	if (vf_is_gone(vf))
		return -EIO;
	igbvf_mbx_settle(vf);
	igbvf_queues_take_over(vf);
	return vfio_pci_mig_counters_stop(mig);
}

static int start_serving(struct vfio_migration *mig)
{
	igbvf_queues_watch(mig_to_igbvf(mig));
	return vfio_pci_mig_counters_run(mig);
}

/*
 * A save is useless unless the VMM also sends the memory that the VF has
 * written to.  With a container, DMA logging tells which, or the VMM counts all
 * memory as written to.  With an iommufd the IOMMU has to tell, and if it
 * cannot, QEMU migrates without an error and corrupts the guest.
 */
static int begin_save(struct vfio_migration *mig)
{
	if (!mig_to_igbvf(mig)->untracked)
		return 0;
	vfio_mig_err(mig, "can't be saved: it is bound to an iommufd, and neither VF nor IOMMU tell what the VF writes to memory.  Use its group (in QEMU, no iommufd=)\n");
	return -EOPNOTSUPP;
}

static int refuse_load(struct igbvf_device *vf)
{
	vfio_mig_err(&vf->pci.mig, "queues do not start in mid-ring: this device can't be migrated to\n");
	return -EOPNOTSUPP;
}

/*
 * Discards the old state.  A guest that resumes without a load sees RSTD and
 * reinitialises the VF.  FLR takes longest, so it is done here, while the VM
 * still runs on the source; and a PF that does not answer is found here.
 */
static int begin_load(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	u32 mac[2];
	int ret;

	if (vf->loadable_known && !vf->loadable)
		return refuse_load(vf);
	ret = vfio_pci_mig_flr(&vf->pci);
	if (ret)
		return ret == -EAGAIN ? ret : vfio_mig_error(mig, ret);
	vf->image = (struct igbvf_image) { .mbx.events = V2PMAILBOX_RSTD };
	vf->trials = 0;
	vf->pf_agreed = false;
	vfio_pci_mig_log_reset(&vf->pci);
	igbvf_queues_park(vf);
	ret = igbvf_pf_reset(vf, mac);
	if (ret)
		return ret;
	/* The PF may have been down whenever the VF was opened. */
	if (!vf->loadable_known)
		igbvf_queues_try(vf);
	return vf->loadable ? 0 : refuse_load(vf);
}

/*
 * Asks the PF to do for the VF what the source's PF did, unless it has already.
 * Called at the end of the stream, too: QEMU cannot handle a later refusal.
 */
int igbvf_agree_with_pf(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	int ret = 0;

	if (igbvf_pf_was_reset(vf))
		vf->pf_agreed = false;
	if (!vf->pf_agreed)
		ret = igbvf_pf_replay(vf);
	vf->pf_agreed = !ret;
	return ret;
}

static int end_load(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	int ret = igbvf_agree_with_pf(mig);

	if (ret)
		return ret;
	igbvf_queues_doorbells(vf);	/* drops those for the old state */
	vf->image = vf->incoming;
	ret = igbvf_queues_load(vf);
	if (ret)
		return vfio_mig_error(mig, ret);
	igbvf_write(vf, VTEICR, VTEI_ALL);
	igbvf_queues_park(vf);
	igbvf_mbx_load(vf);
	return 0;
}

const struct vfio_mig_arc igbvf_arcs[IGBVF_ARCS] = {
	VFIO_MIG_ARC(RUNNING,		RUNNING_P2P,	stop_dma),
	VFIO_MIG_ARC(RUNNING_P2P,	RUNNING,	start_dma),
	VFIO_MIG_ARC(RUNNING_P2P,	STOP,		stop_serving),
	VFIO_MIG_ARC(STOP,		RUNNING_P2P,	start_serving),
	VFIO_MIG_ARC(STOP,		STOP_COPY,	begin_save),
	VFIO_MIG_ARC(STOP_COPY,		STOP),
	VFIO_MIG_ARC(STOP,		RESUMING,	begin_load, VFIO_MIG_ARC_EXCLUSIVE),
	VFIO_MIG_ARC(RESUMING,		STOP,		end_load),

	VFIO_MIG_ARC(RUNNING,		PRE_COPY,	begin_save),
	VFIO_MIG_ARC(PRE_COPY,		RUNNING),
	VFIO_MIG_ARC(RUNNING_P2P,	PRE_COPY_P2P,	begin_save),
	VFIO_MIG_ARC(PRE_COPY_P2P,	RUNNING_P2P),
	VFIO_MIG_ARC(PRE_COPY,		PRE_COPY_P2P,	stop_dma),
	VFIO_MIG_ARC(PRE_COPY_P2P,	PRE_COPY,	start_dma),
	VFIO_MIG_ARC(PRE_COPY_P2P,	STOP_COPY,	stop_serving),
};

/* ---- The stream ---- */

int igbvf_save(struct vfio_migration *mig, struct vfio_mig_writer *to)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);

	vf->image.identity = vf->self;
	if (mig->state == VFIO_DEVICE_STATE_STOP_COPY)
		igbvf_queues_doorbells(vf);
	return vfio_mig_image_save(mig, to);
}

int igbvf_load(struct vfio_migration *mig,
	       const struct vfio_mig_payload *payload, const char **why)
{
	int ret = vfio_mig_image_load(mig, payload, why);

	if (ret || payload->type->type != IGBVF_RECORD_PF)
		return ret;
	return igbvf_pf_try(mig_to_igbvf(mig));
}
