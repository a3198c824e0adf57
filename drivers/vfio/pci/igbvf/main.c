// SPDX-License-Identifier: GPL-2.0-only
/*
 * igbvf-vfio-pci: VFIO for the virtual function of the Intel 82576, with live
 * migration.  This file describes the VF to the libraries, serves page 0 of
 * BAR0 to the guest, and has the life of a VF and of the module.
 */
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/suspend.h>

#include "private.h"

/* ---- Begin and end ---- */

static int vf_init(struct vfio_pci_migration *pci)
{
	struct igbvf_device *vf = mig_to_igbvf(&pci->mig);
	struct pci_dev *pdev = pci->core.pdev;
	int vectors = pci_msix_vec_count(pdev);

	/* Each VF of an 82576 has MSI-X and a BAR0 of this size. */
	if (!pdev->is_virtfn || vectors < 0 ||
	    pci_resource_len(pdev, 0) < IGBVF_BAR_SIZE) {
		pci_err(pdev, "not a virtual function of an 82576\n");
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
 * The user is gone: the VM has moved away or was shut down, the VMM was killed,
 * or a load was never completed.  Makes the PF drop what it holds for this
 * user.  -EIO if the PF does not answer: the interface of such a PF is down,
 * and it receives nothing.
 */
static int drop_user(struct igbvf_device *vf)
{
	struct pci_dev *pdev = vf->pci.core.pdev;
	u32 filters = vf->image.pf.filters;
	int ret;

	if (igbvf_read(vf, V2PMAILBOX) & V2PMAILBOX_RSTI)
		return -EIO;
	ret = igbvf_pf_clear_user(vf, !vfio_pci_mig_flr(&vf->pci));
	if (ret == -EPERM && filters)
		vfio_mig_err(&vf->pci.mig, "the PF %s keeps unicast addresses of the last user of VF %d, which has no trust any more: set its interface down and up\n",
			     pci_name(pci_physfn(pdev)), pci_iov_vf_id(pdev));
	return ret;
}

static void vf_close(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);

	if (vf->pf_asked)
		vf->pf_asked = drop_user(vf) == -EIO;
}

static void vf_open(struct vfio_pci_migration *pci)
{
	struct igbvf_device *vf = mig_to_igbvf(&pci->mig);
	struct vfio_device *vdev = &pci->core.vdev;
	bool pf_down;

	vf->untracked = vfio_iommufd_device_ictx(vdev) &&
			!device_iommu_capable(vdev->dev,
					      IOMMU_CAP_DIRTY_TRACKING);
	vfio_pci_mig_prepare(&pci->mig);
	pf_down = igbvf_mbx_pf_is_down(vf);
	if (!pf_down)
		igbvf_queues_try(vf);
	/* The last user may have closed the VF while the PF was down. */
	if (vf->pf_asked && !pf_down)
		vf->pf_asked = igbvf_pf_clear_user(vf, true) == -EIO;
}

/* ---- Page 0 as the guest sees it ---- */

static bool is_vmbmem(u64 offset)
{
	return offset >= VMBMEM &&
	       offset < VMBMEM + IGBVF_VMBMEM_WORDS * sizeof(u32);
}

/*
 * While the VF does not react to accesses, the guest reads the image's mailbox.
 */
static u32 page0_read(struct vfio_pci_migration *pci, u64 offset)
{
	struct igbvf_device *vf = mig_to_igbvf(&pci->mig);

	if (offset == V2PMAILBOX)
		return igbvf_mbx_guest_read(vf);
	if (!vfio_mig_serves(&pci->mig) && is_vmbmem(offset))
		return vf->image.mbx.mem[(offset - VMBMEM) / sizeof(u32)];
	return igbvf_read(vf, offset);
}

/* A reset has disabled the queues: updates what the guest sees of them. */
static void rings_reset(struct igbvf_device *vf)
{
	if (!vfio_pci_mig_shadow(&vf->pci))
		return;
	/*
	 * The answer to a read pushes earlier writes of the device before it.
	 */
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

/* The data path does not use page 0, so its accesses may be slow. */
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
		.arcs = igbvf_arcs,
		.nr_arcs = ARRAY_SIZE(igbvf_arcs),
		.format = IGBVF_STREAM_FORMAT,
		.format_version = IGBVF_STREAM_VERSION,
		.records = igbvf_records,
		.nr_records = ARRAY_SIZE(igbvf_records),
		/* In PRE_COPY, records change when the guest asks the PF. */
		.reinit = true,
		.prepare = vfio_pci_mig_prepare,
		.save = igbvf_save,
		.pending = vfio_mig_image_pending,
		.load = igbvf_load,
		.load_end = igbvf_agree_with_pf,
		.data_size = vfio_mig_image_data_size,
		.quiesce = vfio_pci_mig_quiesce,
		.reset = igbvf_mbx_reset,
		.close = vf_close,
	},
	.size = sizeof(struct igbvf_device),
	.bars = BIT(VFIO_PCI_BAR0_REGION_INDEX),
	.traps = traps,
	.nr_traps = ARRAY_SIZE(traps),
	.log = &igbvf_log,
	.counters = &statistics,
	.init = vf_init,
	.open = vf_open,
};

static const struct pci_device_id igbvf_table[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_INTEL,
					  PCI_DEVICE_ID_INTEL_82576_VF) },
	{}
};
MODULE_DEVICE_TABLE(pci, igbvf_table);

static int igbvf_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return vfio_pci_mig_probe(pdev, &igbvf_driver);
}

static struct pci_driver igbvf_pci_driver = {
	.name = "igbvf-vfio-pci",
	.id_table = igbvf_table,
	.probe = igbvf_probe,
	.remove = vfio_pci_mig_remove,
	.err_handler = &vfio_pci_mig_err_handlers,
	.driver_managed_dma = true,
};

/* ---- Suspend of the host ---- */

static int warn_user(struct device *dev, void *unused)
{
	struct vfio_pci_core_device *core;

	/* A VF that is being bound or unbound has no user, or is losing it. */
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
