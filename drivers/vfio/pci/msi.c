// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSI and MSI-X.
 *
 * A vector is requested from the kernel when it gets its first eventfd, and
 * stays requested until the index is disabled.  To change its eventfd is to
 * change a pointer.  An interrupt that arrives while there is no eventfd is
 * remembered, and signalled to the next one.  So a guest that masks and unmasks
 * a vector at each interrupt does not make the host request it again, and no
 * interrupt is lost.  A reset drops what is remembered, as it clears pending
 * bits.
 *
 * The handler reads the pointer without a lock.  After a change, with igate
 * held, synchronize_irq() waits for a handler that may have read the old one.
 *
 * The kernel owns the MSI-X table and the MSI message.  The table is device
 * memory: while the kernel changes it, memory decoding is on and the device is
 * in D0, whatever the user has set.  Both stay so as long as igate is held.
 *
 * pci_free_irq_vectors() is called without memory_lock: it waits for readers of
 * the interrupt's files in /proc, and such a reader may be waiting for
 * memory_lock, in a fault on a BAR that it reads into.  INTx is turned on
 * before, so that the PCI core does not write PCI_COMMAND without a lock.
 */
#include <linux/eventfd.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqbypass.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "irq.h"
#include "private.h"

/**
 * struct msi_vector - a requested vector; in the device's ctx by its number
 * @trigger: eventfd to signal, or NULL
 * @pending: an interrupt arrived without an eventfd; written by the handler
 * @irq: number
 * @name: of the interrupt
 * @producer: lets a hypervisor take the interrupt without the eventfd;
 *	registered if it has a token
 */
struct msi_vector {
	struct eventfd_ctx *trigger;
	bool pending;
	int irq;
	char *name;
	struct irq_bypass_producer producer;
};

static bool is_msix(struct vfio_pci_core_device *vdev)
{
	return vdev->irq_type == VFIO_PCI_MSIX_IRQ_INDEX;
}

static irqreturn_t msi_handler(int irq, void *data)
{
	struct msi_vector *vector = data;
	struct eventfd_ctx *trigger = READ_ONCE(vector->trigger);

	if (trigger)
		eventfd_signal(trigger);
	else
		WRITE_ONCE(vector->pending, true);
	return IRQ_HANDLED;
}

static void bypass_register(struct msi_vector *vector)
{
	vector->producer.token = vector->trigger;
	vector->producer.irq = vector->irq;
	/* If that fails, interrupts go through the eventfd. */
	if (irq_bypass_register_producer(&vector->producer))
		vector->producer.token = NULL;
}

static void bypass_unregister(struct msi_vector *vector)
{
	if (!vector->producer.token)
		return;
	irq_bypass_unregister_producer(&vector->producer);
	vector->producer.token = NULL;
}

/*
 * The interrupt number of vector @index.  Allocates it if the device's MSI-X
 * can do that after MSI-X has been enabled.
 */
static int allocate_irq(struct vfio_pci_core_device *vdev,
			unsigned int index)
{
	int irq = pci_irq_vector(vdev->pdev, index);
	struct msi_map map;

	if (irq > 0)
		return irq;
	if (!is_msix(vdev) || !vdev->has_dyn_msix)
		return -EINVAL;
	map = pci_msix_alloc_irq_at(vdev->pdev, index, NULL);
	return map.index < 0 ? map.index : map.virq;
}

/*
 * Request a vector, without an eventfd yet.  Memory decoding is on, but the
 * device may not be in D0: -EIO then, as the table cannot be written.
 */
static int vector_request(struct vfio_pci_core_device *vdev, unsigned int index)
{
	struct msi_vector *vector;
	int ret;

	if (vdev->pdev->current_state != PCI_D0)
		return -EIO;

	vector = kzalloc(sizeof(*vector), GFP_KERNEL_ACCOUNT);
	if (!vector)
		return -ENOMEM;
	vector->name = kasprintf(GFP_KERNEL_ACCOUNT, "vfio-msi%s[%u](%s)",
				 is_msix(vdev) ? "x" : "", index,
				 pci_name(vdev->pdev));
	if (!vector->name) {
		ret = -ENOMEM;
		goto err_free;
	}
	vector->irq = allocate_irq(vdev, index);
	if (vector->irq < 0) {
		ret = vector->irq;
		goto err_free_name;
	}
	ret = xa_err(xa_store(&vdev->ctx, index, vector, GFP_KERNEL_ACCOUNT));
	if (ret)
		goto err_free_name;

	ret = request_irq(vector->irq, msi_handler, 0, vector->name, vector);
	if (ret)
		goto err_erase;
	return 0;

err_erase:
	xa_erase(&vdev->ctx, index);
err_free_name:
	kfree(vector->name);
err_free:
	kfree(vector);
	return ret;
}

static void vector_free(struct vfio_pci_core_device *vdev, unsigned int index,
			struct msi_vector *vector)
{
	bypass_unregister(vector);
	free_irq(vector->irq, vector);
	xa_erase(&vdev->ctx, index);
	if (vector->trigger)
		eventfd_ctx_put(vector->trigger);
	kfree(vector->name);
	kfree(vector);
}

/* Entry @index of the MSI-X table in the BAR as mapped by bar.c, or NULL */
static void __iomem *msix_entry(struct vfio_pci_core_device *vdev,
				unsigned int index)
{
	u8 bar = vdev->msix_bar;

	if (bar >= PCI_STD_NUM_BARS || !vdev->barmap[bar] ||
	    pci_resource_len(vdev->pdev, bar) <
	    (u64)vdev->msix_offset + vdev->msix_size)
		return NULL;
	return vdev->barmap[bar] + vdev->msix_offset +
	       index * PCI_MSIX_ENTRY_SIZE;
}

/*
 * Whether the device has lost the message, or masked the vector: a reset that
 * the PCI core does not know of does that.  Caller holds memory_lock; memory is
 * enabled.
 */
static bool message_lost(struct vfio_pci_core_device *vdev, unsigned int index,
			 struct msi_vector *vector)
{
	struct pci_dev *pdev = vdev->pdev;
	void __iomem *entry;
	struct msi_msg msg;
	u16 flags;

	if (!is_msix(vdev)) {
		pci_read_config_word(pdev, pdev->msi_cap + PCI_MSI_FLAGS,
				     &flags);
		return !(flags & PCI_MSI_FLAGS_ENABLE);
	}

	entry = msix_entry(vdev, index);
	if (!entry)
		return false;
	get_cached_msi_msg(vector->irq, &msg);
	return ioread32(entry + PCI_MSIX_ENTRY_LOWER_ADDR) != msg.address_lo ||
	       ioread32(entry + PCI_MSIX_ENTRY_VECTOR_CTRL) &
	       PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

/* Replace the eventfd of a vector; NULL for none.  Consumes @trigger. */
static void vector_set_eventfd(struct msi_vector *vector,
			       struct eventfd_ctx *trigger)
{
	struct eventfd_ctx *old = vector->trigger;

	if (old == trigger) {
		if (old)
			eventfd_ctx_put(old);
		return;
	}

	bypass_unregister(vector);
	WRITE_ONCE(vector->trigger, trigger);
	synchronize_irq(vector->irq);
	if (old)
		eventfd_ctx_put(old);
	if (!trigger)
		return;
	/* The handler does not set it while there is an eventfd. */
	if (vector->pending) {
		vector->pending = false;
		eventfd_signal(trigger);
	}
	bypass_register(vector);
}

/* Request all vectors that get an eventfd and have not been requested. */
static int request_vectors(struct vfio_pci_core_device *vdev,
			   unsigned int start, unsigned int count,
			   struct eventfd_ctx **triggers)
{
	bool forced = false;
	unsigned int i;
	int ret = 0;
	u16 cmd = 0;

	for (i = 0; i < count && !ret; i++) {
		if (!triggers[i] || xa_load(&vdev->ctx, start + i))
			continue;
		if (!forced) {
			cmd = vfio_pci_memory_force_on(vdev);
			forced = true;
		}
		ret = vector_request(vdev, start + i);
	}
	if (forced)
		vfio_pci_memory_force_end(vdev, cmd);
	return ret;
}

/* message_lost() for the vectors that get an eventfd */
static bool any_message_lost(struct vfio_pci_core_device *vdev,
			     unsigned int start, unsigned int count,
			     struct eventfd_ctx **triggers)
{
	struct msi_vector *vector;
	unsigned int i;

	for (i = 0; i < count; i++) {
		vector = triggers[i] ? xa_load(&vdev->ctx, start + i) : NULL;
		if (vector && message_lost(vdev, start + i, vector))
			return true;
	}
	return false;
}

/*
 * Write the messages again if the device has lost them.  A guest may change
 * eventfds at each interrupt, with nothing lost: so check with memory_lock held
 * for read only.
 */
static void restore_messages(struct vfio_pci_core_device *vdev,
			     unsigned int start, unsigned int count,
			     struct eventfd_ctx **triggers)
{
	bool lost;

	down_read(&vdev->memory_lock);
	lost = vfio_pci_memory_enabled(vdev) &&
	       any_message_lost(vdev, start, count, triggers);
	up_read(&vdev->memory_lock);
	if (!lost)
		return;

	/* For write: this changes PCI_COMMAND.  Restores all vectors. */
	guard(rwsem_write)(&vdev->memory_lock);
	if (vfio_pci_memory_enabled(vdev))
		pci_restore_msi_state(vdev->pdev);
}

/*
 * Consumes what is in @triggers if it succeeds.  If it fails, no eventfd has
 * changed, and vectors that have been requested stay requested.
 */
static int set_eventfds(struct vfio_pci_core_device *vdev, bool was_enabled,
			unsigned int start, unsigned int count,
			struct eventfd_ctx **triggers)
{
	struct msi_vector *vector;
	unsigned int i;
	int ret;

	ret = request_vectors(vdev, start, count, triggers);
	if (ret)
		return ret;
	if (was_enabled)
		restore_messages(vdev, start, count, triggers);
	for (i = 0; i < count; i++) {
		vector = xa_load(&vdev->ctx, start + i);
		if (vector)
			vector_set_eventfd(vector, triggers[i]);
	}
	return 0;
}

void vfio_pci_msi_disable(struct vfio_pci_core_device *vdev)
{
	pci_power_t state = vdev->pdev->current_state;
	struct msi_vector *vector;
	unsigned long index;
	u16 cmd;

	cmd = vfio_pci_memory_force_on(vdev);
	if (state != PCI_D0)
		vfio_pci_set_power_state_locked(vdev, PCI_D0);
	xa_for_each(&vdev->ctx, index, vector)
		vector_free(vdev, index, vector);
	/*
	 * pci_free_irq_vectors() turns INTx on if it is off.  Between its read
	 * and its write of PCI_COMMAND a migration driver might turn bus
	 * mastering off, which the write would undo.  So turn INTx on here; the
	 * device sends none while MSI is enabled.
	 */
	if (!(vdev->pdev->dev_flags & PCI_DEV_FLAGS_MSI_INTX_DISABLE_BUG))
		vfio_pci_intx_set(vdev, true);
	/* Until the state is restored, a fault may map a BAR. */
	up_write(&vdev->memory_lock);

	pci_free_irq_vectors(vdev->pdev);

	down_write(&vdev->memory_lock);
	/* Nothing serves INTx. */
	vfio_pci_intx_set(vdev, false);
	if (state != PCI_D0)
		vfio_pci_set_power_state_locked(vdev, state);
	vfio_pci_memory_force_end(vdev, cmd);

	vdev->irq_type = VFIO_PCI_IRQ_NONE;
}

/*
 * Enable @index with @nvec vectors; MSI-X may get more later.  If the device
 * gets fewer, @index stays disabled and their number is returned.
 */
static int msi_enable(struct vfio_pci_core_device *vdev, unsigned int index,
		      unsigned int nvec)
{
	bool msix = index == VFIO_PCI_MSIX_IRQ_INDEX;
	struct pci_dev *pdev = vdev->pdev;
	u16 cmd;
	int ret;

	/* For message_lost(); the PCI core has its own mapping of the table. */
	if (msix && vdev->msix_bar < PCI_STD_NUM_BARS)
		vfio_pci_core_setup_barmap(vdev, vdev->msix_bar);

	cmd = vfio_pci_memory_force_on(vdev);
	ret = pci_alloc_irq_vectors(pdev, 1, nvec,
				    msix ? PCI_IRQ_MSIX : PCI_IRQ_MSI);
	vfio_pci_memory_force_end(vdev, cmd);
	if (ret < 0)
		return ret;

	vdev->irq_type = index;
	if (ret == nvec)
		return 0;
	vfio_pci_msi_disable(vdev);
	return ret;
}

void vfio_pci_msi_reset_done(struct vfio_pci_core_device *vdev)
{
	struct msi_vector *vector;
	unsigned long index;

	if (vdev->irq_type != VFIO_PCI_MSI_IRQ_INDEX && !is_msix(vdev))
		return;

	xa_for_each(&vdev->ctx, index, vector) {
		/* A handler from before the reset may still be running. */
		synchronize_irq(vector->irq);
		vector->pending = false;
	}
}

static int set_fds(struct vfio_pci_core_device *vdev, unsigned int index,
		   unsigned int start, unsigned int count, const s32 *fds)
{
	bool enabled = vdev->irq_type == index;
	struct eventfd_ctx **triggers;
	unsigned int i;
	int ret = 0;

	if (!count || (!enabled && vdev->irq_type != VFIO_PCI_IRQ_NONE))
		return -EINVAL;

	triggers = kvcalloc(count, sizeof(*triggers), GFP_KERNEL_ACCOUNT);
	if (!triggers)
		return -ENOMEM;
	for (i = 0; i < count && !ret; i++) {
		triggers[i] = vfio_pci_irq_eventfd(fds[i]);
		if (IS_ERR(triggers[i])) {
			ret = PTR_ERR(triggers[i]);
			triggers[i] = NULL;
		}
	}
	if (ret)
		goto out_put;

	if (!enabled) {
		ret = msi_enable(vdev, index, start + count);
		if (ret)
			goto out_put;
	}
	ret = set_eventfds(vdev, enabled, start, count, triggers);
	if (!ret)
		goto out_free;
	if (!enabled)
		vfio_pci_msi_disable(vdev);

out_put:
	for (i = 0; i < count; i++)
		if (triggers[i])
			eventfd_ctx_put(triggers[i]);
out_free:
	kvfree(triggers);
	return ret;
}

static void loop_back(struct vfio_pci_core_device *vdev, unsigned int start,
		      unsigned int count, const u8 *bools)
{
	struct msi_vector *vector;
	unsigned int i;

	for (i = 0; i < count; i++) {
		vector = xa_load(&vdev->ctx, start + i);
		if (vector && vector->trigger && (!bools || bools[i]))
			eventfd_signal(vector->trigger);
	}
}

int vfio_pci_msi_set_trigger(struct vfio_pci_core_device *vdev, u32 flags,
			     unsigned int index, unsigned int start,
			     unsigned int count, void *data)
{
	if (flags & VFIO_IRQ_SET_DATA_EVENTFD)
		return set_fds(vdev, index, start, count, data);

	if (vdev->irq_type != index)
		return -EINVAL;
	if (!count && flags & VFIO_IRQ_SET_DATA_NONE)
		vfio_pci_msi_disable(vdev);
	else
		loop_back(vdev, start, count,
			  flags & VFIO_IRQ_SET_DATA_BOOL ? data : NULL);
	return 0;
}
