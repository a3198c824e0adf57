// SPDX-License-Identifier: GPL-2.0-only
/*
 * igbvf-vfio-pci: VFIO for the virtual function of the Intel 82576, with live
 * migration.  This file describes it as the libraries want it: one function
 * per arc, saving, loading, page 0.  What these do to the device is elsewhere
 * (queues.c, mailbox.c); here is the order of it.
 *
 * The VF can't tell peer-to-peer DMA apart, so RUNNING_P2P stops all of it.
 * Page 0 is served there, and what the guest sets otherwise is taken into the
 * image, from which registers are set up when DMA begins again.
 */
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/suspend.h>

#include "private.h"

static bool vf_is_gone(struct igbvf_device *vf)
{
	return igbvf_read(vf, VTSTATUS) == U32_MAX;
}

/* ---- Arcs ---- */

/* Does the guest let the VF do DMA?  For a VF that runs */
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
	igbvf_queues_serve(vf);
	ret = vfio_pci_mig_dma_off(&vf->pci) ?: ret;
	igbvf_log_stopped(vf);
	if (!ret)
		return 0;
	vfio_mig_err(&vf->pci.mig, "can't be stopped: reset the device\n");
	return vfio_mig_error(mig, ret);
}

/* After a load as well as after a save that came to nothing */
static int start_dma(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	int ret;

	if (vf_is_gone(vf))
		return -EIO;
	/* Registers need not hold values then, and the guest begins anew. */
	if (igbvf_mbx_pf_is_down(vf))
		igbvf_queues_reset(vf);
	igbvf_queues_served(vf);
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
	igbvf_queues_served(vf);
	return vfio_pci_mig_counters_stop(mig);
}

static int start_serving(struct vfio_migration *mig)
{
	igbvf_queues_serve(mig_to_igbvf(mig));
	return vfio_pci_mig_counters_run(mig);
}

/*
 * A save is of use only if what the VF has written to memory is sent, too.  The
 * user of a container has its writes logged, or counts all memory as written;
 * with iommufd the IOMMU has to tell, and QEMU goes on without a word if it
 * can't.
 */
static int begin_save(struct vfio_migration *mig)
{
	if (!mig_to_igbvf(mig)->untracked)
		return 0;
	vfio_mig_err(mig, "can't be saved: it is bound to an iommufd, and neither VF nor IOMMU tell what the VF writes to memory.  Use its group (in QEMU, no iommufd=)\n");
	return -EOPNOTSUPP;
}

/*
 * The state of the VF is given up here, which who goes on without a load is
 * told.  FLR is by far what takes longest, so it is done now, as long as the VM
 * still runs elsewhere; and a PF that does not answer is found now.
 */
static int begin_load(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);
	u32 mac[2];
	int ret;

	if (!vf->loadable) {
		vfio_mig_err(mig, "queues do not start in mid-ring: this device can't be migrated to\n");
		return -EOPNOTSUPP;
	}
	ret = vfio_pci_mig_flr(&vf->pci);
	if (ret)
		return ret == -EAGAIN ? ret : vfio_mig_error(mig, ret);
	vf->image = (struct igbvf_image) { .mbx.events = V2PMAILBOX_RSTD };
	vf->trials = 0;
	vf->pf_agreed = false;
	vfio_pci_mig_log_reset(&vf->pci);
	igbvf_queues_park(vf);
	return igbvf_pf_reset(vf, mac);
}

/*
 * Has the PF do for the VF what the source's did, unless it does already.  When
 * the stream ends is the last moment for a refusal that QEMU can deal with.
 */
static int agree_with_pf(struct vfio_migration *mig)
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
	int ret = agree_with_pf(mig);

	if (ret)
		return ret;
	igbvf_queues_doorbells(vf);	/* not for the state that comes now */
	vf->image = vf->incoming;
	ret = igbvf_queues_load(vf);
	if (ret)
		return vfio_mig_error(mig, ret);
	igbvf_write(vf, VTEICR, VTEI_ALL);
	igbvf_queues_park(vf);
	igbvf_mbx_load(vf);
	return 0;
}

static const struct vfio_mig_arc arcs[] = {
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

static int save(struct vfio_migration *mig, struct vfio_mig_writer *to)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);

	vf->image.identity = vf->self;
	if (mig->state == VFIO_DEVICE_STATE_STOP_COPY)
		igbvf_queues_doorbells(vf);
	return vfio_mig_image_save(mig, to);
}

static int load(struct vfio_migration *mig,
		const struct vfio_mig_payload *payload, const char **why)
{
	int ret = vfio_mig_image_load(mig, payload, why);

	if (ret || payload->type->type != IGBVF_RECORD_PF)
		return ret;
	return igbvf_pf_try(mig_to_igbvf(mig));
}

/* ---- Begin and end ---- */

static int init(struct vfio_pci_migration *pci)
{
	struct igbvf_device *vf = mig_to_igbvf(&pci->mig);
	struct pci_dev *pdev = pci->core.pdev;
	int vectors = pci_msix_vec_count(pdev);

	/* Migration relies on both; no 82576 VF is without. */
	if (!pdev->is_virtfn || vectors < 0 ||
	    pci_resource_len(pdev, 0) < IGBVF_BAR_SIZE) {
		pci_err(pdev, "is no virtual function of an 82576\n");
		return -ENODEV;
	}
	vf->self = (struct igbvf_identity) {
		.pci_id = pdev->device << 16 | pdev->vendor,
		.bar_size = IGBVF_BAR_SIZE,
		.queues = IGBVF_QUEUES,
		.vectors = vectors,
	};
	pci->mig.image = &vf->image;
	pci->mig.incoming = &vf->incoming;
	return 0;
}

/*
 * Has the PF forget the user, who has moved away, powered off, was killed or was
 * never loaded completely.  -EIO if the PF could not be told: one whose
 * interface is down has no frames for anybody, but does not answer.
 */
static int forget_user(struct igbvf_device *vf)
{
	struct pci_dev *pdev = vf->pci.core.pdev;
	u32 filters = vf->image.pf.filters;
	int ret;

	if (igbvf_read(vf, V2PMAILBOX) & V2PMAILBOX_RSTI)
		return -EIO;
	ret = igbvf_pf_forget(vf, !vfio_pci_mig_flr(&vf->pci));
	if (ret == -EPERM && filters)
		vfio_mig_err(&vf->pci.mig, "the PF %s keeps unicast addresses of the last user of VF %d, which has no trust any more: set its interface down and up\n",
			     pci_name(pci_physfn(pdev)), pci_iov_vf_id(pdev));
	return ret;
}

static void closing(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);

	if (vf->pf_asked)
		vf->pf_asked = forget_user(vf) == -EIO;
}

static void opening(struct vfio_pci_migration *pci)
{
	struct igbvf_device *vf = mig_to_igbvf(&pci->mig);
	struct vfio_device *vdev = &pci->core.vdev;
	bool pf_down;

	vf->untracked = vfio_iommufd_device_ictx(vdev) &&
			!device_iommu_capable(vdev->dev,
					      IOMMU_CAP_DIRTY_TRACKING);
	vfio_pci_mig_prepare(&pci->mig);
	pf_down = igbvf_mbx_pf_is_down(vf);
	vf->loadable = pf_down || igbvf_queues_loadable(vf);
	/* The last user may have gone while the PF was down. */
	if (vf->pf_asked && !pf_down)
		vf->pf_asked = igbvf_pf_forget(vf, true) == -EIO;
}

/* ---- Page 0 as the guest sees it ---- */

static bool is_vmbmem(u64 offset)
{
	return offset >= VMBMEM &&
	       offset < VMBMEM + IGBVF_VMBMEM_WORDS * sizeof(u32);
}

/* The guest reads a register.  Of a VF that does not serve it the image answers. */
static u32 page0_read(struct vfio_pci_migration *pci, u64 offset)
{
	struct igbvf_device *vf = mig_to_igbvf(&pci->mig);

	if (offset == V2PMAILBOX)
		return igbvf_mbx_guest_read(vf);
	if (!vfio_mig_serves(&pci->mig) && is_vmbmem(offset))
		return vf->image.mbx.mem[(offset - VMBMEM) / sizeof(u32)];
	return igbvf_read(vf, offset);
}

/* The device has disabled its queues; what the guest sees follows. */
static void rings_reset(struct igbvf_device *vf)
{
	if (!vfio_pci_mig_shadow(&vf->pci))
		return;
	/* What the device was writing has arrived when it answers. */
	igbvf_read(vf, VTSTATUS);
	if (vfio_mig_is_running(&vf->pci.mig))
		vfio_pci_mig_log_reset(&vf->pci);
	else
		igbvf_log_disable(vf);
}

static void page0_write(struct vfio_pci_migration *pci, u64 offset, u32 value)
{
	struct igbvf_device *vf = mig_to_igbvf(&pci->mig);

	if (!vfio_mig_serves(&pci->mig))
		return;
	if (offset == VTCTRL && value & VTCTRL_RST) {
		igbvf_mbx_reset(&pci->mig);
		igbvf_queues_reset(vf);
	}
	if (is_vmbmem(offset))
		igbvf_mbx_guest_mem(vf);
	if (offset == V2PMAILBOX)
		igbvf_mbx_guest_write(vf, value);
	else
		igbvf_write(vf, offset, value);
	if (offset == VTCTRL && value & VTCTRL_RST)
		rings_reset(vf);
}

/* Page 0 is never touched on the data path, and so not mapped. */
static const struct vfio_pci_mig_trap traps[] = {
	{
		.bar = VFIO_PCI_BAR0_REGION_INDEX,
		.end = SZ_4K,
		.read = page0_read,
		.write = page0_write,
	},
	{
		.bar = VFIO_PCI_BAR0_REGION_INDEX,
		.start = VTRX_PAGE,
		.end = VTRX_PAGE + SZ_4K,
		.doorbells = true,
	},
};

static const struct vfio_pci_mig_counters statistics = {
	.bar = VFIO_PCI_BAR0_REGION_INDEX,
	.regs = (const u32[IGBVF_STATISTICS]) {
		VFGPRC, VFGPTC, VFGORC, VFGOTC, VFMPRC,
		VFGPRLBC, VFGPTLBC, VFGORLBC, VFGOTLBC,
	},
	.count = IGBVF_STATISTICS,
	.shown = offsetof(struct igbvf_device, image.stats.count),
	.ahead = offsetof(struct igbvf_device, stats_ahead),
};

static const struct vfio_pci_mig_driver igbvf_driver = {
	.ops = VFIO_PCI_MIG_OPS("igbvf-vfio-pci"),
	.mig = {
		.flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
			 VFIO_MIGRATION_PRE_COPY,
		.arcs = arcs,
		.nr_arcs = ARRAY_SIZE(arcs),
		.format = IGBVF_STREAM_FORMAT,
		.format_version = IGBVF_STREAM_VERSION,
		.records = igbvf_records,
		.nr_records = ARRAY_SIZE(igbvf_records),
		.prepare = vfio_pci_mig_prepare,
		.save = save,
		.pending = vfio_mig_image_pending,
		.load = load,
		.load_end = agree_with_pf,
		.data_size = vfio_mig_image_data_size,
		.quiesce = vfio_pci_mig_quiesce,
		.reset = igbvf_mbx_reset,
		.close = closing,
	},
	.size = sizeof(struct igbvf_device),
	.bars = BIT(VFIO_PCI_BAR0_REGION_INDEX),
	.traps = traps,
	.nr_traps = ARRAY_SIZE(traps),
	.log = &igbvf_log,
	.counters = &statistics,
	.init = init,
	.open = opening,
};

static const struct pci_device_id igbvf_table[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_INTEL,
					  PCI_DEVICE_ID_INTEL_82576_VF) },
	{}
};
MODULE_DEVICE_TABLE(pci, igbvf_table);

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return vfio_pci_mig_probe(pdev, &igbvf_driver);
}

static struct pci_driver igbvf_pci_driver = {
	.name = "igbvf-vfio-pci",
	.id_table = igbvf_table,
	.probe = probe,
	.remove = vfio_pci_mig_remove,
	.err_handler = &vfio_pci_mig_err_handlers,
	.driver_managed_dma = true,
};

/* ---- The host is suspended ---- */

static int warn_user(struct device *dev, void *unused)
{
	struct vfio_pci_core_device *core;

	/* A VF whose driver comes or goes right now has no user, or loses it. */
	if (!device_trylock(dev))
		return 0;
	core = dev_get_drvdata(dev);
	if (core && READ_ONCE(core->vdev.open_count))
		dev_warn(dev, "is in use, and suspending the host resets it: its guest has to set it up again.  Migrate the VM first if it must not notice\n");
	device_unlock(dev);
	return 0;
}

static int on_pm_event(struct notifier_block *notifier, unsigned long event,
		       void *unused)
{
	int ret = 0;

	if (event == PM_SUSPEND_PREPARE || event == PM_HIBERNATION_PREPARE)
		ret = driver_for_each_device(&igbvf_pci_driver.driver, NULL,
					     NULL, warn_user);
	return notifier_from_errno(ret);
}

static struct notifier_block pm_notifier = {
	.notifier_call = on_pm_event,
};

static int __init igbvf_init(void)
{
	int ret;

	ret = pci_register_driver(&igbvf_pci_driver);
	if (ret)
		return ret;
	ret = register_pm_notifier(&pm_notifier);
	if (ret)
		pci_unregister_driver(&igbvf_pci_driver);
	return ret;
}
module_init(igbvf_init);

static void __exit igbvf_exit(void)
{
	unregister_pm_notifier(&pm_notifier);
	pci_unregister_driver(&igbvf_pci_driver);
}
module_exit(igbvf_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("VFIO with live migration for virtual functions of the Intel 82576");
