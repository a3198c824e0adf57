// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration state of a VF: one function per arc, and the walk over them.
 * What an arc does to the device is elsewhere (queues.c, mailbox.c, stats.c);
 * here is the order of it, bus mastering, and what becomes of the state when
 * something fails or the VF is reset.
 */
#include <linux/file.h>
#include <linux/iopoll.h>
#include <linux/ktime.h>

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

	if (vf->state == VFIO_DEVICE_STATE_RUNNING)
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

/* ---- Arcs: NULL, a session's file, or an error ---- */

/* Not to be trusted any more: no DMA, and nothing but a reset helps. */
static struct file *fail(struct igbvf_device *vf, int error)
{
	bus_master_set(vf, false);
	igbvf_session_end(vf);
	vf->state = VFIO_DEVICE_STATE_ERROR;
	return ERR_PTR(error);
}

static struct file *running_stop(struct igbvf_device *vf)
{
	int ret;

	if (vf_is_gone(vf))
		return ERR_PTR(-EIO);
	igbvf_mbx_settle(vf);
	vf->bus_master = bus_master_get(vf);
	ret = igbvf_queues_stop(vf);
	igbvf_queues_park(vf);
	bus_master_set(vf, false);
	if (!pci_wait_for_pending_transaction(vf->core.pdev))
		ret = -EIO;
	if (ret) {
		igbvf_err(vf, "can't be stopped: reset the device\n");
		return fail(vf, ret);
	}
	igbvf_stats_stop(vf);
	return NULL;
}

/* After a load as well as after a save that came to nothing */
static struct file *stop_running(struct igbvf_device *vf)
{
	int ret;

	if (vf_is_gone(vf))
		return ERR_PTR(-EIO);
	ret = igbvf_queues_load(vf);
	if (ret)
		return fail(vf, ret);
	igbvf_stats_run(vf);
	bus_master_set(vf, vf->bus_master);
	ret = igbvf_queues_run(vf);
	if (ret) {
		igbvf_queues_park(vf);
		return fail(vf, ret);
	}
	vf->departed = false;
	return NULL;
}

static struct file *stop_stop_copy(struct igbvf_device *vf)
{
	struct file *filp;
	const char *why;

	igbvf_queues_doorbells(vf);
	vf->image.identity = vf->self;
	why = igbvf_image_check(&vf->image, &vf->self);
	if (why) {
		igbvf_err(vf, "can't be saved in the state that its guest has left it in: %s\n",
			  why);
		return ERR_PTR(-EIO);
	}
	filp = igbvf_session_open(vf, true);
	if (IS_ERR(filp))
		return filp;
	igbvf_encode(&vf->image, vf->session->data);
	vf->session->len = IGBVF_STREAM_SIZE;
	return filp;
}

static struct file *stop_copy_stop(struct igbvf_device *vf)
{
	igbvf_session_end(vf);
	return NULL;
}

/*
 * The state of the VF is given up here.  FLR is by far what takes longest, so
 * it is done now, as long as the VM still runs elsewhere; and a PF that does
 * not answer is found now.
 */
static struct file *stop_resuming(struct igbvf_device *vf)
{
	struct file *filp;
	u32 mac[2];
	int ret;

	filp = igbvf_session_open(vf, false);
	if (IS_ERR(filp))
		return filp;
	ret = flr(vf);
	if (ret && ret != -EAGAIN)
		fail(vf, ret);
	if (ret)
		goto err_session;
	memset(&vf->image, 0, sizeof(vf->image));
	igbvf_queues_park(vf);
	vf->departed = false;
	ret = igbvf_pf_reset(vf, mac);
	if (ret)
		goto err_session;
	return filp;

err_session:
	igbvf_session_end(vf);
	fput(filp);
	return ERR_PTR(ret);
}

static struct file *resuming_stop(struct igbvf_device *vf)
{
	struct igbvf_session *session = vf->session;
	int ret = session->error;

	if (!ret && !session->complete) {
		igbvf_err(vf, "the state to be loaded ends after %zu bytes\n",
			  session->len);
		ret = -EINVAL;
	}
	/* Has the PF been reset since it was told of the VF? */
	if (!ret && igbvf_mbx_read(vf) & (V2PMAILBOX_RSTI | V2PMAILBOX_RSTD))
		ret = igbvf_pf_replay(vf, &session->image.pf);
	if (ret)
		return ERR_PTR(ret);

	igbvf_queues_doorbells(vf);	/* not for the state that comes now */
	vf->image = session->image;
	ret = igbvf_queues_load(vf);
	if (ret)
		return fail(vf, ret);
	igbvf_write(vf, VTEICR, VTEI_ALL);
	igbvf_queues_park(vf);
	igbvf_mbx_load(vf);
	igbvf_session_end(vf);
	return NULL;
}

static const struct arc {
	enum vfio_device_mig_state from, to;
	struct file *(*function)(struct igbvf_device *vf);
} arcs[] = {
	{ VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_STOP, running_stop },
	{ VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RUNNING, stop_running },
	{ VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_STOP_COPY, stop_stop_copy },
	{ VFIO_DEVICE_STATE_STOP_COPY, VFIO_DEVICE_STATE_STOP, stop_copy_stop },
	{ VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RESUMING, stop_resuming },
	{ VFIO_DEVICE_STATE_RESUMING, VFIO_DEVICE_STATE_STOP, resuming_stop },
};

static struct file *take_arc(struct igbvf_device *vf,
			     enum vfio_device_mig_state to)
{
	ktime_t start = ktime_get();
	struct file *filp;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(arcs); i++)
		if (arcs[i].from == vf->state && arcs[i].to == to)
			break;
	if (i == ARRAY_SIZE(arcs))
		return ERR_PTR(-EINVAL);
	filp = arcs[i].function(vf);
	if (!IS_ERR(filp))
		vf->state = to;
	pci_dbg(vf->core.pdev, "arc %u -> %u: %d, %lld us\n", arcs[i].from, to,
		PTR_ERR_OR_ZERO(filp), ktime_us_delta(ktime_get(), start));
	return filp;
}

static struct file *walk(struct igbvf_device *vf,
			 enum vfio_device_mig_state target)
{
	enum vfio_device_mig_state next;
	struct file *filp = NULL;
	int ret;

	while (vf->state != target) {
		if (vf->state == VFIO_DEVICE_STATE_ERROR)
			return ERR_PTR(-EINVAL);
		ret = vfio_mig_get_next_state(&vf->core.vdev, vf->state, target,
					      &next);
		if (ret)
			return ERR_PTR(ret);
		filp = take_arc(vf, next);
		if (IS_ERR(filp))
			break;
	}
	return filp;
}

static struct file *igbvf_set_state(struct vfio_device *vdev,
				    enum vfio_device_mig_state target)
{
	struct igbvf_device *vf = to_igbvf(vdev);
	struct rw_semaphore *memory_lock = &vf->core.memory_lock;
	bool flr = target == VFIO_DEVICE_STATE_RESUMING;
	struct file *filp;

	if (flr)
		down_write(memory_lock);
	else
		down_read(memory_lock);
	mutex_lock(&vf->lock);
	memory_on(vf);
	filp = walk(vf, target);
	mutex_unlock(&vf->lock);
	if (flr)
		up_write(memory_lock);
	else
		up_read(memory_lock);
	return filp;
}

static int igbvf_get_state(struct vfio_device *vdev,
			   enum vfio_device_mig_state *state)
{
	struct igbvf_device *vf = to_igbvf(vdev);

	mutex_lock(&vf->lock);
	*state = vf->state;
	mutex_unlock(&vf->lock);
	return 0;
}

static int igbvf_get_data_size(struct vfio_device *vdev, unsigned long *size)
{
	*size = IGBVF_STREAM_SIZE;
	return 0;
}

const struct vfio_migration_ops igbvf_migration_ops = {
	.migration_set_state = igbvf_set_state,
	.migration_get_state = igbvf_get_state,
	.migration_get_data_size = igbvf_get_data_size,
};

/**
 * igbvf_was_reset - the VF was reset from outside
 * @vf: the VF; state lock held, perhaps memory_lock, perhaps closed
 */
void igbvf_was_reset(struct igbvf_device *vf)
{
	igbvf_session_end(vf);
	igbvf_mbx_reset(vf);
	vf->departed = false;
	if (vf->state == VFIO_DEVICE_STATE_RUNNING)
		return;
	vf->state = VFIO_DEVICE_STATE_RUNNING;
	bus_master_set(vf, vf->bus_master);
}

/**
 * igbvf_depart - the VF closes after its guest has gone elsewhere
 * @vf: the VF; memory_lock write-held and state lock held
 */
void igbvf_depart(struct igbvf_device *vf)
{
	struct igbvf_pf pf = vf->image.pf;

	memory_on(vf);
	if (!flr(vf))
		igbvf_pf_forget(vf, &pf);
}
