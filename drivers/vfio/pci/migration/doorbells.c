// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page of a BAR with the doorbells of the receive queues.  The user has the
 * device's own page mapped or, while DMA is logged, the shadow: a page of
 * memory.  So the guest rings doorbells at its own speed, and the device gets a
 * doorbell only when the buffers behind it have been recorded.
 *
 * The page is inserted into the mapping in its fault handler, with memory_lock
 * held for read.  The pages are exchanged with memory_lock held for write, and
 * the old page is removed from all page tables.  The fault also wakes the
 * worker, which sleeps while the device is idle.
 *
 * The mapping is VM_MIXEDMAP and VM_IO, not VM_PFNMAP.  This makes no
 * difference to KVM and the CPU, but neither VFIO's type1 nor iommufd maps such
 * memory for DMA.  So no other device can ring a doorbell past the shadow, and
 * no IOMMU keeps the address of the shadow after it is freed.
 */
#include <linux/export.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/pfn_t.h>
#include <linux/wait.h>

#include "private.h"

const struct vfio_pci_mig_trap *
vfio_pci_mig_doorbells(const struct vfio_pci_mig_driver *driver)
{
	unsigned int i;

	for (i = 0; i < driver->nr_traps; i++)
		if (driver->traps[i].doorbells)
			return &driver->traps[i];
	return NULL;
}

/**
 * vfio_pci_mig_log_wake - wake the worker, as there may be a doorbell
 * @pci: the function; does nothing if DMA is not logged
 *
 * Context: memory_lock or state lock held.
 */
void vfio_pci_mig_log_wake(struct vfio_pci_migration *pci)
{
	if (!vfio_pci_mig_logs(pci) || READ_ONCE(pci->log->kicked))
		return;
	WRITE_ONCE(pci->log->kicked, true);
	wake_up(&pci->log->wait);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_log_wake);

static unsigned long doorbells_pfn(const struct vfio_pci_migration *pci)
{
	const struct vfio_pci_mig_trap *trap =
		vfio_pci_mig_doorbells(vfio_pci_mig_driver(pci));

	if (vfio_pci_mig_logs(pci))
		return page_to_pfn(pci->log->page);
	return PHYS_PFN(pci_resource_start(pci->core.pdev, trap->bar) +
			trap->start);
}

static vm_fault_t doorbells_fault(struct vm_fault *vmf)
{
	struct vfio_pci_migration *pci = vmf->vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (down_read_killable(&pci->core.memory_lock))
		return VM_FAULT_SIGBUS;
	if (vfio_pci_mig_memory_usable(pci)) {
		ret = vmf_insert_mixed(vmf->vma, vmf->address,
				       __pfn_to_pfn_t(doorbells_pfn(pci),
						      PFN_DEV));
		vfio_pci_mig_log_wake(pci);
	}
	up_read(&pci->core.memory_lock);
	return ret;
}

static const struct vm_operations_struct doorbells_vm_ops = {
	.fault = doorbells_fault,
};

void vfio_pci_mig_doorbells_mmap(struct vfio_pci_migration *pci,
				 struct vm_area_struct *vma)
{
	vm_flags_mod(vma, VM_MIXEDMAP, VM_PFNMAP);
	vma->vm_private_data = pci;
	vma->vm_ops = &doorbells_vm_ops;
}

void vfio_pci_mig_doorbells_zap(struct vfio_pci_migration *pci)
{
	const struct vfio_pci_mig_trap *trap =
		vfio_pci_mig_doorbells(vfio_pci_mig_driver(pci));

	lockdep_assert_held_write(&pci->core.memory_lock);
	unmap_mapping_range(pci->core.vdev.inode->i_mapping,
			    VFIO_PCI_INDEX_TO_OFFSET(trap->bar) + trap->start,
			    trap->end - trap->start, true);
}

void vfio_pci_mig_doorbells_access(struct vfio_pci_migration *pci,
				   const struct vfio_pci_mig_trap *trap,
				   u64 offset, u32 *value, bool write)
{
	void __iomem *reg = pci->core.barmap[trap->bar] + offset;
	u32 *shadow = vfio_pci_mig_shadow(pci);

	if (shadow)
		shadow += (offset - trap->start) / sizeof(*shadow);
	if (write && shadow)
		WRITE_ONCE(*shadow, (__force u32)cpu_to_le32(*value));
	else if (write)
		iowrite32(*value, reg);
	else if (shadow)
		*value = le32_to_cpu((__force __le32)READ_ONCE(*shadow));
	else
		*value = ioread32(reg);
	if (write)
		vfio_pci_mig_log_wake(pci);
}

/**
 * vfio_pci_mig_shadow - the page that the guest has in place of its doorbells
 * @pci: the function
 *
 * The guest may change the page at any moment, so a driver reads each word once
 * and checks what it has read.
 *
 * Context: memory_lock or state lock held.
 *
 * Return: the page, or NULL if DMA is not logged and the guest has the device's
 * doorbells.
 */
u32 *vfio_pci_mig_shadow(struct vfio_pci_migration *pci)
{
	return vfio_pci_mig_logs(pci) ? page_address(pci->log->page) : NULL;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_shadow);
