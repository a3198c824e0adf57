// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration of a VF, as vfio-migration wants it described: one function
 * per arc, saving, loading.  What these do to the device is elsewhere
 * (queues.c, mailbox.c, stats.c); here is the order of it, and bus mastering.
 *
 * The VF can't tell peer-to-peer DMA apart, so RUNNING_P2P stops all of it.
 * Page 0 is served there, and doorbells are kept; other registers are set
 * from the image when DMA begins again.
 */
#include <linux/iopoll.h>

#include "igbvf.h"

/* ---- PCI_COMMAND, below the guest's view ---- */

static bool bus_master_get(struct igbvf_device *vf)
{
	u16 command;

	pci_read_config_word(vf->core.pdev, PCI_COMMAND, &command);
	return command & PCI_COMMAND_MASTER;
}

static void command_update(struct igbvf_device *vf, u16 clear, u16 set)
{
	u16 old, new;

	pci_read_config_word(vf->core.pdev, PCI_COMMAND, &old);
	new = (old & ~clear) | set;
	if (new != old)
		pci_write_config_word(vf->core.pdev, PCI_COMMAND, new);
}

static void bus_master_set(struct igbvf_device *vf, bool on)
{
	command_update(vf, PCI_COMMAND_MASTER, on ? PCI_COMMAND_MASTER : 0);
}

/*
 * The memory enable bit of a VF has no function (SR-IOV 9.3.4.1.3) and is
 * emulated to the guest, which often has it off.  Where there is one after
 * all, as in QEMU's model, it has to be on for the registers to answer.
 */
static void memory_on(struct igbvf_device *vf)
{
	command_update(vf, 0, PCI_COMMAND_MEMORY);
}

/**
 * igbvf_command_written - the guest wrote PCI_COMMAND, and it took effect
 * @vf: the VF; state lock held
 * @was_running: it ran before
 *
 * While the VF does not run, the wish is kept and the bit goes off again.  The
 * VF is parked, so there is nothing that the bit could have let through.
 */
void igbvf_command_written(struct igbvf_device *vf, bool was_running)
{
	bool on;

	if (vfio_mig_is_running(&vf->mig))
		return;
	on = bus_master_get(vf);
	/* If the VF stopped meanwhile, that has seen the wish. */
	if (!was_running || on)
		vf->bus_master = on;
	if (on)
		bus_master_set(vf, false);
}

static bool vf_is_gone(struct igbvf_device *vf)
{
	return igbvf_read(vf, VTSTATUS) == U32_MAX;
}

/*
 * FLR, with what PCI saves and restores around it.  memory_lock write-held:
 * nobody has the BAR mapped now.  -EAGAIN if it was not done.
 */
static int flr(struct igbvf_device *vf)
{
	struct vfio_pci_core_device *core = &vf->core;
	loff_t start = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_BAR0_REGION_INDEX);
	int locked, ret;

	lockdep_assert_held_write(&core->memory_lock);
	unmap_mapping_range(core->vdev.inode->i_mapping, start,
			    VFIO_PCI_INDEX_TO_OFFSET(1), true);
	/* Whoever has the lock may wait for ours, but mostly reads sysfs. */
	if (read_poll_timeout(pci_dev_trylock, locked, locked, USEC_PER_MSEC,
			      100 * USEC_PER_MSEC, false, core->pdev))
		return -EAGAIN;
	pci_save_state(core->pdev);
	ret = pcie_flr(core->pdev);
	pci_restore_state(core->pdev);
	pci_dev_unlock(core->pdev);
	igbvf_mbx_reset(vf);
	return ret;
}

/* ---- Arcs ---- */

/* Not to be trusted any more: no DMA, and nothing but a reset helps. */
static int fail(struct igbvf_device *vf, int error)
{
	return vfio_mig_error(&vf->mig, error);
}

static void quiesce(struct vfio_migration *mig)
{
	bus_master_set(mig_to_igbvf(mig), false);
}

static int stop_dma(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	int ret;

	memory_on(vf);
	if (vf_is_gone(vf))
		return -EIO;
	vf->bus_master = bus_master_get(vf);
	ret = igbvf_queues_stop(vf);
	igbvf_queues_park(vf);
	bus_master_set(vf, false);
	if (!pci_wait_for_pending_transaction(vf->core.pdev))
		ret = -EIO;
	if (!ret)
		return 0;
	igbvf_err(vf, "can't be stopped: reset the device\n");
	return fail(vf, ret);
}

/* After a load as well as after a save that came to nothing */
static int start_dma(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	int ret;

	memory_on(vf);
	if (vf_is_gone(vf))
		return -EIO;
	ret = igbvf_queues_load(vf);
	if (ret)
		return fail(vf, ret);
	bus_master_set(vf, vf->bus_master);
	ret = igbvf_queues_run(vf, igbvf_mbx_has_news(vf));
	if (!ret)
		return 0;
	igbvf_queues_park(vf);
	return fail(vf, ret);
}

static int stop_serving(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);

	memory_on(vf);
	if (vf_is_gone(vf))
		return -EIO;
	igbvf_mbx_settle(vf);
	igbvf_stats_stop(vf);
	return 0;
}

static int start_serving(struct vfio_migration *mig)
{
	memory_on(mig_to_igbvf(mig));
	igbvf_stats_run(mig_to_igbvf(mig));
	return 0;
}

/*
 * The state of the VF is given up here.  FLR is by far what takes longest, so
 * it is done now, as long as the VM still runs elsewhere; and a PF that does
 * not answer is found now.
 */
static int begin_load(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	u32 mac[2];
	int ret;

	memory_on(vf);
	ret = flr(vf);
	if (ret)
		return ret == -EAGAIN ? ret : fail(vf, ret);
	memset(&vf->image, 0, sizeof(vf->image));
	memset(&vf->incoming, 0, sizeof(vf->incoming));
	vf->pf_agreed = false;
	igbvf_queues_park(vf);
	return igbvf_pf_reset(vf, mac);
}

/* Has the PF do for the VF what the source's did, unless it does already. */
static int agree_with_pf(struct igbvf_device *vf)
{
	int ret;

	/* Reading that the PF was reset clears it. */
	if (igbvf_mbx_read(vf) & (V2PMAILBOX_RSTI | V2PMAILBOX_RSTD))
		vf->pf_agreed = false;
	if (vf->pf_agreed)
		return 0;
	ret = igbvf_pf_replay(vf, &vf->incoming.pf);
	vf->pf_agreed = !ret;
	return ret;
}

static int end_load(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	int ret;

	memory_on(vf);
	ret = agree_with_pf(vf);
	if (ret)
		return ret;
	igbvf_queues_doorbells(vf);	/* not for the state that comes now */
	vf->image = vf->incoming;
	ret = igbvf_queues_load(vf);
	if (ret)
		return fail(vf, ret);
	igbvf_write(vf, VTEICR, VTEI_ALL);
	igbvf_queues_park(vf);
	igbvf_mbx_load(vf);
	return 0;
}

#define ARC(from, to, ...)						\
	{ VFIO_DEVICE_STATE_##from, VFIO_DEVICE_STATE_##to, __VA_ARGS__ }

static const struct vfio_mig_arc arcs[] = {
	ARC(RUNNING,		RUNNING_P2P,	stop_dma),
	ARC(RUNNING_P2P,	RUNNING,	start_dma),
	ARC(RUNNING_P2P,	STOP,		stop_serving),
	ARC(STOP,		RUNNING_P2P,	start_serving),
	ARC(STOP,		STOP_COPY),
	ARC(STOP_COPY,		STOP),
	ARC(STOP,		RESUMING,	begin_load,
						VFIO_MIG_ARC_EXCLUSIVE),
	ARC(RESUMING,		STOP,		end_load),

	ARC(RUNNING,		PRE_COPY),
	ARC(PRE_COPY,		RUNNING),
	ARC(RUNNING_P2P,	PRE_COPY_P2P),
	ARC(PRE_COPY_P2P,	RUNNING_P2P),
	ARC(PRE_COPY,		PRE_COPY_P2P,	stop_dma),
	ARC(PRE_COPY_P2P,	PRE_COPY,	start_dma),
	ARC(PRE_COPY_P2P,	STOP_COPY,	stop_serving),
};

/* ---- The stream ---- */

static bool pf_changed(struct igbvf_device *vf)
{
	return memcmp(&vf->streamed, &vf->image.pf, sizeof(vf->streamed));
}

static u64 pending(struct vfio_migration *mig)
{
	return pf_changed(mig_to_igbvf(mig)) ?
	       vfio_mig_record_size(sizeof(struct igbvf_pf)) : 0;
}

/* What a destination may have to refuse */
static int save_early(struct igbvf_device *vf, struct vfio_mig_writer *to)
{
	bool first = !to->bytes;
	int ret = 0;

	vf->image.identity = vf->self;
	if (first)
		ret = igbvf_write_record(to, &vf->image, IGBVF_RECORD_IDENTITY);
	if (ret || !(first || pf_changed(vf)))
		return ret;
	vf->streamed = vf->image.pf;
	return igbvf_write_record(to, &vf->image, IGBVF_RECORD_PF);
}

static int save(struct vfio_migration *mig, struct vfio_mig_writer *to)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	enum igbvf_record_type type;
	const char *why;
	int ret;

	ret = save_early(vf, to);
	if (ret || mig->state != VFIO_DEVICE_STATE_STOP_COPY)
		return ret;
	memory_on(vf);
	igbvf_queues_doorbells(vf);
	why = igbvf_image_check(&vf->image, &vf->self);
	if (why) {
		igbvf_err(vf, "can't be saved in the state that its guest has left it in: %s\n",
			  why);
		return -EIO;
	}
	for (type = IGBVF_RECORD_RINGS; !ret && type <= IGBVF_RECORDS; type++)
		ret = igbvf_write_record(to, &vf->image, type);
	return ret;
}

static int load(struct vfio_migration *mig,
		const struct vfio_mig_payload *payload, const char **why)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	int ret;

	ret = igbvf_read_record(payload, &vf->incoming, &vf->self, why);
	if (ret || payload->type->type != IGBVF_RECORD_PF)
		return ret;
	memory_on(vf);
	return igbvf_pf_try(vf, &vf->incoming.pf);
}

/* The last moment for a refusal by the PF that QEMU can deal with */
static int load_end(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);

	memory_on(vf);
	return agree_with_pf(vf);
}

static unsigned long data_size(struct vfio_migration *mig)
{
	return igbvf_stream_size();
}

/* ---- Resets and close ---- */

static void was_reset(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);

	igbvf_mbx_reset(vf);
	if (!vfio_mig_is_running(mig))
		bus_master_set(vf, vf->bus_master);
}

/*
 * Whoever was here is gone: moved, powered off, killed, or a load that came to
 * nothing while the guest goes on elsewhere.  A PF that is down knows of
 * nobody, and does not answer.
 */
static void closing(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	struct igbvf_pf pf = vf->image.pf;

	if (!pf.filters)
		pf = vf->incoming.pf;
	memory_on(vf);
	if (vf->pf_asked && !(igbvf_mbx_read(vf) & V2PMAILBOX_RSTI) && !flr(vf))
		igbvf_pf_forget(vf, &pf);
	vf->regs = NULL;
}

const struct vfio_mig_driver igbvf_migration = {
	.owner = THIS_MODULE,
	.flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
		 VFIO_MIGRATION_PRE_COPY,
	.arcs = arcs,
	.nr_arcs = ARRAY_SIZE(arcs),
	.format = IGBVF_STREAM_FORMAT,
	.format_version = IGBVF_STREAM_VERSION,
	.records = igbvf_records,
	.nr_records = IGBVF_RECORDS,
	.save = save,
	.pending = pending,
	.load = load,
	.load_end = load_end,
	.data_size = data_size,
	.quiesce = quiesce,
	.reset = was_reset,
	.close = closing,
};
