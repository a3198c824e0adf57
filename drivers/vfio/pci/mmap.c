// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap() of BARs.
 *
 * A mapping is empty until it is touched.  Each fault checks, with memory_lock
 * held for read, whether the device's memory answers: it inserts page-table
 * entries, of the largest size that fits, or ends in SIGBUS.  memory.c zaps the
 * entries before memory is turned off: all mappings share the address space of
 * the device's inode.
 *
 * A BAR can be mapped if it fills its pages, or if the rest of its only page
 * could be reserved, so that no other device's registers are there.
 */
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pfn_t.h>
#include <linux/slab.h>

#include "private.h"

/* The rest of the page of a small BAR, reserved while the device is open */
struct dummy_resource {
	struct resource res;
	struct list_head next;
};

static bool reserve_rest_of_page(struct vfio_pci_core_device *vdev,
				 struct resource *bar)
{
	struct dummy_resource *dummy;

	dummy = kzalloc(sizeof(*dummy), GFP_KERNEL_ACCOUNT);
	if (!dummy)
		return false;

	dummy->res.name = "vfio sub-page reserved";
	dummy->res.start = bar->end + 1;
	dummy->res.end = bar->start + PAGE_SIZE - 1;
	dummy->res.flags = bar->flags;
	if (request_resource(bar->parent, &dummy->res)) {
		kfree(dummy);
		return false;
	}

	list_add(&dummy->next, &vdev->dummy_resources_list);
	return true;
}

static bool bar_can_mmap(struct vfio_pci_core_device *vdev, int bar)
{
	struct resource *res = &vdev->pdev->resource[bar];

	if (!IS_ENABLED(CONFIG_VFIO_PCI_MMAP))
		return false;
	if (!(res->flags & IORESOURCE_MEM) || !resource_size(res))
		return false;
	if (resource_size(res) >= PAGE_SIZE)
		return true;
	return res->parent && IS_ALIGNED(res->start, PAGE_SIZE) &&
	       reserve_rest_of_page(vdev, res);
}

/* The device is enabled, and not in use yet. */
void vfio_pci_mmap_probe(struct vfio_pci_core_device *vdev)
{
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		vdev->bar_mmap_supported[bar] = bar_can_mmap(vdev, bar);
}

/* The device is being disabled. */
void vfio_pci_mmap_release(struct vfio_pci_core_device *vdev)
{
	struct dummy_resource *dummy, *next;

	memset(vdev->bar_mmap_supported, 0, sizeof(vdev->bar_mmap_supported));
	list_for_each_entry_safe(dummy, next, &vdev->dummy_resources_list,
				 next) {
		list_del(&dummy->next);
		release_resource(&dummy->res);
		kfree(dummy);
	}
}

/* The page of the BAR that backs @addr */
static unsigned long vma_to_pfn(struct vm_area_struct *vma, unsigned long addr)
{
	struct vfio_pci_core_device *vdev = vma->vm_private_data;
	u64 off = (u64)linear_page_index(vma, addr) << PAGE_SHIFT;
	int bar = VFIO_PCI_OFFSET_TO_INDEX(off);

	return PHYS_PFN(pci_resource_start(vdev->pdev, bar) +
			(off & VFIO_PCI_OFFSET_MASK));
}

/*
 * Insert the neighbours of a page, too: a user that touches one page of a BAR
 * touches others soon, or all of them (pinning for DMA).
 */
static void insert_neighbours(struct vm_area_struct *vma, unsigned long addr)
{
	unsigned long start = max(vma->vm_start, ALIGN_DOWN(addr, PMD_SIZE));
	unsigned long end = min(vma->vm_end - 1, addr | (PMD_SIZE - 1));

	for (addr = start; addr < end; addr += PAGE_SIZE)
		if (vmf_insert_pfn(vma, addr, vma_to_pfn(vma, addr)) &
		    VM_FAULT_ERROR)
			break;
}

bool vfio_pci_huge_entry_fits(struct vm_area_struct *vma, unsigned long addr,
			      unsigned int order)
{
	unsigned long size = PAGE_SIZE << order;

	addr = ALIGN_DOWN(addr, size);
	return addr >= vma->vm_start && vma->vm_end - addr >= size &&
	       IS_ALIGNED(vma_to_pfn(vma, addr), 1UL << order);
}

static bool order_supported(unsigned int order)
{
	return (IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP) &&
		order == PMD_ORDER) ||
	       (IS_ENABLED(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP) &&
		order == PUD_ORDER);
}

/* Insert one entry, of a supported order.  Caller holds memory_lock. */
static vm_fault_t insert_huge_entry(struct vm_fault *vmf, unsigned long frame,
				    unsigned int order)
{
	pfn_t pfn = __pfn_to_pfn_t(frame, PFN_DEV);
	bool write = vmf->flags & FAULT_FLAG_WRITE;

	if (IS_ENABLED(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP) && order == PUD_ORDER)
		return vmf_insert_pfn_pud(vmf, pfn, write);
	return vmf_insert_pfn_pmd(vmf, pfn, write);
}

/* The first page that a huge entry around the fault maps */
static unsigned long huge_pfn(struct vm_fault *vmf, unsigned int order)
{
	return vma_to_pfn(vmf->vma,
			  ALIGN_DOWN(vmf->address, PAGE_SIZE << order));
}

/**
 * vfio_pci_vmf_insert_pfn - insert one page-table entry for device memory
 * @vdev: the device; memory_lock held for read or write
 * @vmf: the page fault
 * @pfn: the first page that the entry maps
 * @order: the entry maps 2^@order pages; see is_aligned_for_order()
 *
 * For the fault handlers of drivers with an mmap() of their own.
 *
 * Return: VM_FAULT_NOPAGE; VM_FAULT_SIGBUS while the memory does not answer;
 * VM_FAULT_FALLBACK if the kernel has no entries of that order.
 */
vm_fault_t vfio_pci_vmf_insert_pfn(struct vfio_pci_core_device *vdev,
				   struct vm_fault *vmf, unsigned long pfn,
				   unsigned int order)
{
	lockdep_assert_held(&vdev->memory_lock);
	if (!vfio_pci_memory_usable(vdev))
		return VM_FAULT_SIGBUS;
	if (!order)
		return vmf_insert_pfn(vmf->vma, vmf->address, pfn);
	if (!order_supported(order))
		return VM_FAULT_FALLBACK;
	return insert_huge_entry(vmf, pfn, order);
}
EXPORT_SYMBOL_GPL(vfio_pci_vmf_insert_pfn);

static vm_fault_t insert_pages(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	vm_fault_t ret;

	ret = vmf_insert_pfn(vma, vmf->address, vma_to_pfn(vma, vmf->address));
	if (!(ret & VM_FAULT_ERROR))
		insert_neighbours(vma, vmf->address);
	return ret;
}

/*
 * The kernel tries the largest order first.  VM_FAULT_FALLBACK makes it try the
 * next one, and finally single pages (order 0).
 */
static vm_fault_t vfio_pci_mmap_huge_fault(struct vm_fault *vmf,
					   unsigned int order)
{
	struct vfio_pci_core_device *vdev = vmf->vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (order && (!order_supported(order) ||
		      !vfio_pci_huge_entry_fits(vmf->vma, vmf->address, order)))
		return VM_FAULT_FALLBACK;

	/* A task that is being killed needs no page: do not make it wait. */
	if (down_read_killable(&vdev->memory_lock))
		return VM_FAULT_SIGBUS;
	if (vfio_pci_memory_usable(vdev))
		ret = order ? insert_huge_entry(vmf, huge_pfn(vmf, order),
						order) :
			      insert_pages(vmf);
	up_read(&vdev->memory_lock);
	return ret;
}

static vm_fault_t vfio_pci_mmap_fault(struct vm_fault *vmf)
{
	return vfio_pci_mmap_huge_fault(vmf, 0);
}

static const struct vm_operations_struct vfio_pci_mmap_ops = {
	.fault = vfio_pci_mmap_fault,
	.huge_fault = vfio_pci_mmap_huge_fault,
};

/**
 * vfio_pci_core_mmap - the mmap callback of a vfio-pci driver
 * @core_vdev: the device
 * @vma: the mapping
 *
 * Maps a part of one BAR, shared; or calls the driver's region that @vma starts
 * in.
 *
 * Return: 0, -EINVAL if @vma cannot be mapped, or an error of
 * vfio_pci_core_setup_barmap().
 */
int vfio_pci_core_mmap(struct vfio_device *core_vdev,
		       struct vm_area_struct *vma)
{
	struct vfio_pci_core_device *vdev = to_core(core_vdev);
	u64 off = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 index = VFIO_PCI_OFFSET_TO_INDEX(off);
	u64 len = vma->vm_end - vma->vm_start;
	struct vfio_pci_region *region;
	u64 bar_len;
	int ret;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;

	region = vfio_pci_region_get(vdev, index);
	if (region) {
		if (!region->ops->mmap ||
		    !(region->flags & VFIO_REGION_INFO_FLAG_MMAP))
			return -EINVAL;
		return region->ops->mmap(vdev, region, vma);
	}

	if (index > VFIO_PCI_BAR5_REGION_INDEX ||
	    !vdev->bar_mmap_supported[index])
		return -EINVAL;

	off &= VFIO_PCI_OFFSET_MASK;
	bar_len = PAGE_ALIGN(pci_resource_len(vdev->pdev, index));
	if (len > bar_len || off > bar_len - len)
		return -EINVAL;

	/* Claims the BAR, so that no other driver can use it. */
	ret = vfio_pci_core_setup_barmap(vdev, index);
	if (ret)
		return ret;

	vma->vm_private_data = vdev;
	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	vma->vm_page_prot = pgprot_decrypted(vma->vm_page_prot);
	vm_flags_set(vma, VM_ALLOW_ANY_UNCACHED | VM_IO | VM_PFNMAP |
			  VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &vfio_pci_mmap_ops;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_mmap);
