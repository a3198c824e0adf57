// SPDX-License-Identifier: GPL-2.0-only
/*
 * INTx: level triggered, and perhaps shared with other devices of the host.
 * An interrupt that has been signalled to the user stays masked until the user
 * unmasks it, by ioctl or by an eventfd.
 *
 * INTx is masked as long as one of these is true:
 *  - it was signalled to the user, or the user masked it (masked);
 *  - the interrupt disable bit in the user's view of PCI_COMMAND is set
 *    (virq_disabled);
 *  - the kernel must not touch the device (held).
 * The line is masked in the device if the device can do that (pci_2_3).  If
 * not, the interrupt is not shared, and is disabled at the interrupt
 * controller.  The user does not see the device's own interrupt disable bit,
 * which is set unless INTx is enabled.
 *
 * irqlock protects the state against the interrupt handler, config.c's writes
 * to PCI_COMMAND and the unmask eventfd, which may be signalled in any context.
 * No eventfd is signalled with irqlock held: the signal may call the handler of
 * the unmask eventfd, which takes irqlock.
 *
 * The interrupt handler stays while INTx is enabled, with or without an eventfd
 * to signal.  An old eventfd is put after the interrupt handler and the unmask
 * thread, which may be signalling it, have ended.
 */
#include <linux/eventfd.h>
#include <linux/interrupt.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "irq.h"
#include "private.h"

/**
 * struct vfio_pci_intx - INTx while enabled; element 0 of the device's ctx
 * @vdev: the device
 * @name: of the interrupt
 * @irq: number; pdev->irq is something else while MSI is enabled
 * @trigger: eventfd to signal, or NULL; written with igate held
 * @unmask: eventfd that unmasks, served by vfio.ko's virqfd; igate
 * @masked: signalled to the user, or masked by the user; irqlock
 * @held: masked by the kernel; irqlock
 * @off: the line is masked in hardware; irqlock
 * @signalling: the interrupt handler is signalling @trigger.  If that signals
 *	the unmask eventfd, the unmask is deferred: an asserted line would
 *	interrupt again at once, without end; irqlock
 * @deferred: the unmask thread has to unmask; irqlock
 */
struct vfio_pci_intx {
	struct vfio_pci_core_device *vdev;
	char *name;
	unsigned int irq;
	struct eventfd_ctx *trigger;
	struct virqfd *unmask;
	bool masked;
	bool held;
	bool off;
	bool signalling;
	bool deferred;
};

static struct vfio_pci_intx *get_intx(struct vfio_pci_core_device *vdev)
{
	lockdep_assert_held(&vdev->igate);
	if (vdev->irq_type != VFIO_PCI_INTX_IRQ_INDEX)
		return NULL;
	return xa_load(&vdev->ctx, 0);
}

/* Not by pci_intx(), which writes back the all ones of a lost device. */
void vfio_pci_intx_set(struct vfio_pci_core_device *vdev, bool on)
{
	struct pci_dev *pdev = vdev->pdev;
	u16 old, new;

	spin_lock_irq(&vdev->irqlock);
	pci_read_config_word(pdev, PCI_COMMAND, &old);
	new = on ? old & ~PCI_COMMAND_INTX_DISABLE :
		   old | PCI_COMMAND_INTX_DISABLE;
	if (new != old && !PCI_POSSIBLE_ERROR(old))
		pci_write_config_word(pdev, PCI_COMMAND, new);
	spin_unlock_irq(&vdev->irqlock);
}

/* Mask the line, which is on.  Caller holds irqlock. */
static void line_off(struct vfio_pci_intx *intx)
{
	if (intx->vdev->pci_2_3)
		pci_intx(intx->vdev->pdev, 0);
	else
		disable_irq_nosync(intx->irq);
	intx->off = true;
}

/*
 * Mask or unmask the line as the state says.  True if INTx is asserted when it
 * is to be unmasked: the line stays masked, and the caller signals INTx after
 * dropping irqlock, which it holds.
 */
static bool intx_update(struct vfio_pci_intx *intx)
{
	struct vfio_pci_core_device *vdev = intx->vdev;
	bool off = intx->masked || intx->held || vdev->virq_disabled;

	lockdep_assert_held(&vdev->irqlock);
	if (off == intx->off)
		return false;
	if (off) {
		line_off(intx);
		return false;
	}
	if (vdev->pci_2_3 && !pci_check_and_unmask_intx(vdev->pdev)) {
		intx->masked = true;
		return true;
	}
	intx->off = false;
	if (!vdev->pci_2_3)
		enable_irq(intx->irq);
	return false;
}

/*
 * Caller does not hold irqlock.  intx_set_eventfd() waits for this before it
 * puts an eventfd.
 */
static void intx_signal(struct vfio_pci_intx *intx)
{
	struct eventfd_ctx *trigger = READ_ONCE(intx->trigger);

	if (trigger)
		eventfd_signal(trigger);
}

/* The state changed: update the line, drop irqlock, signal INTx if needed. */
static void intx_update_unlock(struct vfio_pci_intx *intx)
	__releases(&intx->vdev->irqlock)
{
	bool raised = intx_update(intx);

	spin_unlock_irq(&intx->vdev->irqlock);
	if (raised)
		intx_signal(intx);
}

/*
 * The line has been masked.  A reset that the kernel does not know of may have
 * unmasked it: then mask it again if it is asserted.  True if so.
 */
static bool line_remask(struct vfio_pci_intx *intx)
{
	struct pci_dev *pdev = intx->vdev->pdev;
	u16 cmd;

	return !pci_read_config_word(pdev, PCI_COMMAND, &cmd) &&
	       !(cmd & PCI_COMMAND_INTX_DISABLE) &&
	       pci_check_and_mask_intx(pdev);
}

static irqreturn_t intx_handler(int irq, void *data)
{
	struct vfio_pci_intx *intx = data;
	struct vfio_pci_core_device *vdev = intx->vdev;
	irqreturn_t ret = IRQ_HANDLED;
	unsigned long flags;
	bool raised = false;

	spin_lock_irqsave(&vdev->irqlock, flags);
	if (!vdev->pci_2_3) {
		/* If it is off, this call came late: nothing to signal. */
		raised = !intx->off;
		if (raised)
			line_off(intx);
	} else if (intx->off) {
		/* While held, not even configuration space may be read. */
		if (intx->held || !line_remask(intx))
			ret = IRQ_NONE;
	} else if (pci_check_and_mask_intx(vdev->pdev)) {
		raised = true;
		intx->off = true;
	} else {
		ret = IRQ_NONE;
	}
	if (raised)
		intx->masked = true;
	intx->signalling = raised;
	spin_unlock_irqrestore(&vdev->irqlock, flags);

	if (raised) {
		intx_signal(intx);
		spin_lock_irqsave(&vdev->irqlock, flags);
		intx->signalling = false;
		spin_unlock_irqrestore(&vdev->irqlock, flags);
	}
	return ret;
}

/* The unmask eventfd was signalled, in any context; true to run the thread. */
static int intx_unmask_handler(void *opaque, void *data)
{
	struct vfio_pci_intx *intx = opaque;
	unsigned long flags;
	bool defer;

	spin_lock_irqsave(&intx->vdev->irqlock, flags);
	defer = intx->signalling;
	if (!defer) {
		intx->masked = false;
		defer = intx_update(intx);
	}
	intx->deferred |= defer;
	spin_unlock_irqrestore(&intx->vdev->irqlock, flags);
	return defer;
}

/* Does a deferred unmask, and signals INTx if it is still asserted. */
static void intx_unmask_thread(void *opaque, void *data)
{
	struct vfio_pci_intx *intx = opaque;

	spin_lock_irq(&intx->vdev->irqlock);
	if (intx->deferred) {
		intx->deferred = false;
		intx->masked = false;
	}
	intx_update_unlock(intx);
}

static void intx_set_masked(struct vfio_pci_intx *intx, bool masked)
{
	spin_lock_irq(&intx->vdev->irqlock);
	intx->deferred = false;
	intx->masked = masked;
	intx_update_unlock(intx);
}

static void intx_set_held(struct vfio_pci_intx *intx, bool held)
{
	spin_lock_irq(&intx->vdev->irqlock);
	intx->held = held;
	intx_update_unlock(intx);
}

void vfio_pci_intx_disable_bit(struct vfio_pci_core_device *vdev, bool disabled)
{
	struct vfio_pci_intx *intx = get_intx(vdev);

	if (!intx) {
		vdev->virq_disabled = disabled;
		return;
	}
	spin_lock_irq(&vdev->irqlock);
	vdev->virq_disabled = disabled;
	intx_update_unlock(intx);
}

bool vfio_pci_intx_is_off(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_intx *intx = get_intx(vdev);

	lockdep_assert_held(&vdev->irqlock);
	if (intx)
		return vdev->pci_2_3 && intx->off;
	/* MSI of some devices only works while the bit is clear. */
	return vdev->irq_type == VFIO_PCI_IRQ_NONE ||
	       !(vdev->pdev->dev_flags & PCI_DEV_FLAGS_MSI_INTX_DISABLE_BUG);
}

void vfio_pci_intx_mask(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_intx *intx = get_intx(vdev);

	if (intx)
		intx_set_held(intx, true);
}

void vfio_pci_intx_unmask(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_intx *intx = get_intx(vdev);

	if (intx)
		intx_set_held(intx, false);
}

/* Replace the eventfd; @trigger may be NULL, and is consumed. */
static void intx_set_eventfd(struct vfio_pci_intx *intx,
			     struct eventfd_ctx *trigger)
{
	struct eventfd_ctx *old = intx->trigger;

	WRITE_ONCE(intx->trigger, trigger);
	if (!old)
		return;
	synchronize_irq(intx->irq);
	vfio_virqfd_flush_thread(&intx->unmask);
	eventfd_ctx_put(old);
}

/* Consumes @trigger on success. */
static int intx_enable(struct vfio_pci_core_device *vdev,
		       struct eventfd_ctx *trigger)
{
	struct pci_dev *pdev = vdev->pdev;
	struct vfio_pci_intx *intx;
	int ret;

	intx = kzalloc(sizeof(*intx), GFP_KERNEL_ACCOUNT);
	if (!intx)
		return -ENOMEM;
	intx->name = kasprintf(GFP_KERNEL_ACCOUNT, "vfio-intx(%s)",
			       pci_name(pdev));
	if (!intx->name) {
		ret = -ENOMEM;
		goto err_free;
	}
	intx->vdev = vdev;
	intx->irq = pdev->irq;
	intx->trigger = trigger;

	ret = xa_err(xa_store(&vdev->ctx, 0, intx, GFP_KERNEL_ACCOUNT));
	if (ret)
		goto err_free_name;

	/* Masked until the handler and all it uses are in place. */
	intx->off = true;
	ret = request_irq(intx->irq, intx_handler,
			  vdev->pci_2_3 ? IRQF_SHARED : IRQF_NO_AUTOEN,
			  intx->name, intx);
	if (ret)
		goto err_erase;
	if (!vdev->pci_2_3)
		vfio_pci_intx_set(vdev, true);
	vdev->irq_type = VFIO_PCI_INTX_IRQ_INDEX;

	spin_lock_irq(&vdev->irqlock);
	intx_update_unlock(intx);
	return 0;

err_erase:
	xa_erase(&vdev->ctx, 0);
err_free_name:
	kfree(intx->name);
err_free:
	kfree(intx);
	return ret;
}

void vfio_pci_intx_disable(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_intx *intx = get_intx(vdev);

	vfio_virqfd_disable(&intx->unmask);
	/* Nothing will serve the line: leave it masked. */
	intx_set_held(intx, true);
	free_irq(intx->irq, intx);
	vfio_pci_intx_set(vdev, false);
	vdev->irq_type = VFIO_PCI_IRQ_NONE;
	xa_erase(&vdev->ctx, 0);

	if (intx->trigger)
		eventfd_ctx_put(intx->trigger);
	kfree(intx->name);
	kfree(intx);
}

int vfio_pci_intx_set_mask(struct vfio_pci_core_device *vdev, u32 flags,
			   unsigned int index, unsigned int start,
			   unsigned int count, void *data)
{
	struct vfio_pci_intx *intx = get_intx(vdev);

	if (!intx || !count)
		return -EINVAL;
	if (flags & VFIO_IRQ_SET_DATA_EVENTFD)
		return -ENOTTY;
	if (flags & VFIO_IRQ_SET_DATA_NONE || *(u8 *)data)
		intx_set_masked(intx, true);
	return 0;
}

int vfio_pci_intx_set_unmask(struct vfio_pci_core_device *vdev, u32 flags,
			     unsigned int index, unsigned int start,
			     unsigned int count, void *data)
{
	struct vfio_pci_intx *intx = get_intx(vdev);

	if (!intx || !count)
		return -EINVAL;
	if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		s32 fd = *(s32 *)data;

		if (fd >= 0)
			return vfio_virqfd_enable(intx, intx_unmask_handler,
						  intx_unmask_thread, NULL,
						  &intx->unmask, fd);
		vfio_virqfd_disable(&intx->unmask);
		return 0;
	}
	if (flags & VFIO_IRQ_SET_DATA_NONE || *(u8 *)data)
		intx_set_masked(intx, false);
	return 0;
}

int vfio_pci_intx_set_trigger(struct vfio_pci_core_device *vdev, u32 flags,
			      unsigned int index, unsigned int start,
			      unsigned int count, void *data)
{
	struct vfio_pci_intx *intx = get_intx(vdev);
	struct eventfd_ctx *trigger;
	int ret;

	if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		if (!count || (!intx && vdev->irq_type != VFIO_PCI_IRQ_NONE))
			return -EINVAL;
		trigger = vfio_pci_irq_eventfd(*(s32 *)data);
		if (IS_ERR(trigger))
			return PTR_ERR(trigger);
		if (intx) {
			intx_set_eventfd(intx, trigger);
			return 0;
		}
		ret = intx_enable(vdev, trigger);
		if (ret && trigger)
			eventfd_ctx_put(trigger);
		return ret;
	}

	if (!intx)
		return -EINVAL;
	if (!count) {
		if (!(flags & VFIO_IRQ_SET_DATA_NONE))
			return -EINVAL;
		vfio_pci_intx_disable(vdev);
		return 0;
	}
	if ((flags & VFIO_IRQ_SET_DATA_NONE || *(u8 *)data) &&
	    !vdev->virq_disabled)
		intx_signal(intx);
	return 0;
}
