// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: how many of each kind a device has, the dispatch of
 * VFIO_DEVICE_SET_IRQS to intx.c and msi.c, and the two indexes that are not
 * interrupts of the device: error and request notifications.
 *
 * At most one of INTx (intx.c), MSI and MSI-X (msi.c) is enabled.  igate
 * serialises all changes.  The eventfds for errors and requests are signalled
 * without it, under RCU.
 */
#include <linux/eventfd.h>
#include <linux/irq.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "irq.h"
#include "private.h"

static bool has_intx(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;

	return IS_ENABLED(CONFIG_VFIO_PCI_INTX) && !vdev->nointx &&
	       !pdev->is_virtfn && pdev->pin && pdev->irq &&
	       pdev->irq != IRQ_NOTCONNECTED;
}

/* Each VFIO_DEVICE_SET_IRQS calls this: use what the first open has read. */
int vfio_pci_irq_count(struct vfio_pci_core_device *vdev, u32 index)
{
	switch (index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		return has_intx(vdev);
	case VFIO_PCI_MSI_IRQ_INDEX:
		return vdev->pdev->msi_cap ? 1 << vdev->msi_qmax : 0;
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return vdev->msix_size / PCI_MSIX_ENTRY_SIZE;
	case VFIO_PCI_ERR_IRQ_INDEX:
		return pci_is_pcie(vdev->pdev);
	case VFIO_PCI_REQ_IRQ_INDEX:
		return 1;
	default:
		return 0;
	}
}

u32 vfio_pci_irq_flags(struct vfio_pci_core_device *vdev, u32 index)
{
	if (index == VFIO_PCI_INTX_IRQ_INDEX)
		return VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
		       VFIO_IRQ_INFO_AUTOMASKED;
	if (index == VFIO_PCI_MSIX_IRQ_INDEX && vdev->has_dyn_msix)
		return VFIO_IRQ_INFO_EVENTFD;
	return VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
}

/* ---- Error and request notifications: a slot holds an eventfd or NULL ---- */

static void free_slot(struct rcu_head *rcu)
{
	struct vfio_pci_eventfd *eventfd =
		container_of(rcu, struct vfio_pci_eventfd, rcu);

	eventfd_ctx_put(eventfd->ctx);
	kfree(eventfd);
}

/* Put @ctx, which may be NULL, into @slot.  Consumes it on success. */
static int replace_slot(struct vfio_pci_core_device *vdev,
			struct vfio_pci_eventfd __rcu **slot,
			struct eventfd_ctx *ctx)
{
	struct vfio_pci_eventfd *new = NULL, *old;

	if (ctx) {
		new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
		if (!new)
			return -ENOMEM;
		new->ctx = ctx;
	}
	old = rcu_replace_pointer(*slot, new, lockdep_is_held(&vdev->igate));
	if (old)
		call_rcu(&old->rcu, free_slot);
	return 0;
}

static bool signal_slot(struct vfio_pci_eventfd __rcu **slot)
{
	struct vfio_pci_eventfd *eventfd;

	guard(rcu)();
	eventfd = rcu_dereference(*slot);
	if (eventfd)
		eventfd_signal(eventfd->ctx);
	return eventfd;
}

static int set_slot(struct vfio_pci_core_device *vdev,
		    struct vfio_pci_eventfd __rcu **slot, u32 flags,
		    unsigned int count, void *data)
{
	struct eventfd_ctx *ctx;
	int ret;

	if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		if (!count)
			return -EINVAL;
		ctx = vfio_pci_irq_eventfd(*(s32 *)data);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
		ret = replace_slot(vdev, slot, ctx);
		if (ret)
			eventfd_ctx_put(ctx);
		return ret;
	}

	if (!rcu_access_pointer(*slot))
		return -EINVAL;
	if (flags & VFIO_IRQ_SET_DATA_NONE && !count)
		return replace_slot(vdev, slot, NULL);
	if (!count)
		return -EINVAL;
	if (flags & VFIO_IRQ_SET_DATA_NONE || *(u8 *)data)
		signal_slot(slot);
	return 0;
}

static int set_err_trigger(struct vfio_pci_core_device *vdev, u32 flags,
			   unsigned int index, unsigned int start,
			   unsigned int count, void *data)
{
	return set_slot(vdev, &vdev->err_trigger, flags, count, data);
}

static int set_req_trigger(struct vfio_pci_core_device *vdev, u32 flags,
			   unsigned int index, unsigned int start,
			   unsigned int count, void *data)
{
	return set_slot(vdev, &vdev->req_trigger, flags, count, data);
}

void vfio_pci_signal_error(struct vfio_pci_core_device *vdev)
{
	signal_slot(&vdev->err_trigger);
}

void vfio_pci_signal_request(struct vfio_pci_core_device *vdev,
			     unsigned int count)
{
	if (signal_slot(&vdev->req_trigger)) {
		if (!(count % 10))
			pci_notice_ratelimited(vdev->pdev,
					       "asked the user to release the device (#%u)\n",
					       count);
	} else if (!count) {
		pci_warn(vdev->pdev,
			 "no request eventfd: waiting for the user to close the device\n");
	}
}

/* ---- VFIO_DEVICE_SET_IRQS ---- */

typedef int (*set_irqs_fn)(struct vfio_pci_core_device *vdev, u32 flags,
			   unsigned int index, unsigned int start,
			   unsigned int count, void *data);

/* NULL: the index does not support the action. */
static const struct {
	set_irqs_fn mask;
	set_irqs_fn unmask;
	set_irqs_fn trigger;
} actions[VFIO_PCI_NUM_IRQS] = {
	[VFIO_PCI_INTX_IRQ_INDEX] = { vfio_pci_intx_set_mask,
				      vfio_pci_intx_set_unmask,
				      vfio_pci_intx_set_trigger },
	[VFIO_PCI_MSI_IRQ_INDEX] = { .trigger = vfio_pci_msi_set_trigger },
	[VFIO_PCI_MSIX_IRQ_INDEX] = { .trigger = vfio_pci_msi_set_trigger },
	[VFIO_PCI_ERR_IRQ_INDEX] = { .trigger = set_err_trigger },
	[VFIO_PCI_REQ_IRQ_INDEX] = { .trigger = set_req_trigger },
};

int vfio_pci_set_irqs(struct vfio_pci_core_device *vdev, u32 flags,
		      unsigned int index, unsigned int start,
		      unsigned int count, void *data)
{
	int n = vfio_pci_irq_count(vdev, index);
	set_irqs_fn fn;

	lockdep_assert_held(&vdev->igate);
	if (start >= n || count > n - start)
		return -EINVAL;

	switch (flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_ACTION_MASK:
		fn = actions[index].mask;
		break;
	case VFIO_IRQ_SET_ACTION_UNMASK:
		fn = actions[index].unmask;
		break;
	case VFIO_IRQ_SET_ACTION_TRIGGER:
		fn = actions[index].trigger;
		break;
	default:
		return -EINVAL;
	}
	return fn ? fn(vdev, flags, index, start, count, data) : -ENOTTY;
}

void vfio_pci_irqs_disable(struct vfio_pci_core_device *vdev)
{
	guard(mutex)(&vdev->igate);

	switch (vdev->irq_type) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		vfio_pci_intx_disable(vdev);
		break;
	case VFIO_PCI_MSI_IRQ_INDEX:
	case VFIO_PCI_MSIX_IRQ_INDEX:
		vfio_pci_msi_disable(vdev);
		break;
	}
	replace_slot(vdev, &vdev->err_trigger, NULL);
	replace_slot(vdev, &vdev->req_trigger, NULL);
}
