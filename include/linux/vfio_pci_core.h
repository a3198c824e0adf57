/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The API of vfio-pci-core: VFIO for a PCI function, for drivers that add
 * something to it (variant drivers).
 *
 * A variant driver embeds a struct vfio_pci_core_device, names the
 * vfio_pci_core_*() functions in its own struct vfio_device_ops, and wraps
 * those of them that it wants to change.
 *
 * Source-compatible with the kernel that it is built for, as vfio.h is.
 */
#ifndef VFIO_PCI_CORE_H
#define VFIO_PCI_CORE_H

#include <linux/err.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/vfio.h>
#include <linux/irqbypass.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/uuid.h>
#include <linux/version.h>
#include <linux/notifier.h>

/* An offset in the device file: region index, and 40 bits of offset in it */
#define VFIO_PCI_OFFSET_SHIFT	40
#define VFIO_PCI_OFFSET_TO_INDEX(off)	(off >> VFIO_PCI_OFFSET_SHIFT)
#define VFIO_PCI_INDEX_TO_OFFSET(index)	((u64)(index) << VFIO_PCI_OFFSET_SHIFT)
#define VFIO_PCI_OFFSET_MASK	(((u64)(1) << VFIO_PCI_OFFSET_SHIFT) - 1)

struct vfio_pci_core_device;
struct vfio_pci_region;

/* The widest access, in bytes, that vfio_pci_core_do_io_rw() may use */
enum vfio_pci_io_width {
	VFIO_PCI_IO_WIDTH_1 = 1,
	VFIO_PCI_IO_WIDTH_2 = 2,
	VFIO_PCI_IO_WIDTH_4 = 4,
	VFIO_PCI_IO_WIDTH_8 = 8,
};

/**
 * struct vfio_pci_eventfd - an eventfd that interrupt context may signal
 * @ctx: the eventfd
 * @rcu: frees this after a grace period, so that a reader under
 *	rcu_read_lock() may signal @ctx
 */
struct vfio_pci_eventfd {
	struct eventfd_ctx *ctx;
	struct rcu_head rcu;
};

/**
 * struct vfio_pci_regops - callbacks of a device specific region
 * @rw: read or write; @ppos is the device file offset
 * @release: free region->data; called at the last close
 * @mmap: map; optional
 * @add_capability: add to the capabilities of GET_REGION_INFO; optional
 */
struct vfio_pci_regops {
	ssize_t (*rw)(struct vfio_pci_core_device *vdev, char __user *buf,
		      size_t count, loff_t *ppos, bool iswrite);
	void (*release)(struct vfio_pci_core_device *vdev,
			struct vfio_pci_region *region);
	int (*mmap)(struct vfio_pci_core_device *vdev,
		    struct vfio_pci_region *region,
		    struct vm_area_struct *vma);
	int (*add_capability)(struct vfio_pci_core_device *vdev,
			      struct vfio_pci_region *region,
			      struct vfio_info_cap *caps);
};

/**
 * struct vfio_pci_region - a region that a driver adds to the PCI regions
 * @type: VFIO_REGION_TYPE_*, or a PCI vendor ID with
 *	VFIO_REGION_TYPE_PCI_VENDOR_TYPE set
 * @subtype: meaning of the region within @type
 * @ops: callbacks
 * @data: for the callbacks
 * @size: bytes
 * @flags: VFIO_REGION_INFO_FLAG_*
 */
struct vfio_pci_region {
	u32 type;
	u32 subtype;
	const struct vfio_pci_regops *ops;
	void *data;
	size_t size;
	u32 flags;
};

struct dma_buf_attachment;
struct p2pdma_provider;
struct phys_vec;

/**
 * struct vfio_pci_device_ops - callbacks for VFIO_DEVICE_FEATURE_DMA_BUF
 * @get_dmabuf_phys: fill in @provider and one @phys_vec for each of the
 *	@dma_ranges of the region, which are not empty and multiples of the page
 *	size, or return an error; vfio_pci_core_get_dmabuf_phys() does it for
 *	BARs that can be mapped.  Dma-bufs bypass the driver: it must not have
 *	this callback if it traps or tracks accesses
 */
struct vfio_pci_device_ops {
	int (*get_dmabuf_phys)(struct vfio_pci_core_device *vdev,
			       struct p2pdma_provider **provider,
			       unsigned int region_index,
			       struct phys_vec *phys_vec,
			       struct vfio_region_dma_range *dma_ranges,
			       size_t nr_ranges);
};

/**
 * struct vfio_pci_core_device - VFIO's view of a PCI function
 * @vdev: the VFIO device; first, for vfio_alloc_device()
 * @pdev: the PCI function
 * @pci_ops: for drivers whose devices export dma-bufs, else NULL; set before
 *	registration.  Since Linux 7.2
 * @barmap: BARs that vfio_pci_core_setup_barmap() has mapped for the kernel,
 *	while the device is open
 * @memory_lock: held for read while device memory is accessed, for write while
 *	it is turned off (reset, PCI_COMMAND, D3).  Taken inside of mmap_lock
 *	and outside of a variant driver's state lock.  User memory is not
 *	touched with it held
 *
 * A variant driver uses the four members above, and may read the rest.
 */
struct vfio_pci_core_device {
	struct vfio_device vdev;
	struct pci_dev *pdev;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	const struct vfio_pci_device_ops *pci_ops;
#endif
	void __iomem *barmap[PCI_STD_NUM_BARS];
	/* private: */
	bool bar_mmap_supported[PCI_STD_NUM_BARS];
	bool virq_disabled;
	bool bardirty;
	u8 *pci_config_map;
	u8 *vconfig;
	struct perm_bits *msi_perm;
	spinlock_t irqlock;
	struct mutex igate;
	struct xarray ctx;
	int irq_type;
	int num_regions;
	struct vfio_pci_region *region;
	u8 msi_qmax;
	u8 msix_bar;
	u16 msix_size;
	u32 msix_offset;
	u32 rbar[7];
	bool has_dyn_msix:1;
	bool pci_2_3:1;
	bool reset_works:1;
	bool extended_caps:1;
	bool has_vga:1;
	bool nointx:1;
	bool needs_pm_restore:1;
	bool disable_idle_d3:1;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	bool nointxmask:1;
	bool disable_vga:1;
#endif
	bool needs_reset;
	bool pm_intx_masked;
	bool pm_runtime_engaged;
	bool sriov_active;
	struct pci_saved_state *pci_saved_state;
	struct pci_saved_state *pm_save;
	int ioeventfds_nr;
	struct vfio_pci_eventfd __rcu *err_trigger;
	struct vfio_pci_eventfd __rcu *req_trigger;
	struct eventfd_ctx *pm_wake_eventfd_ctx;
	struct list_head dummy_resources_list;
	struct mutex ioeventfds_lock;
	struct list_head ioeventfds_list;
	struct vfio_pci_vf_token *vf_token;
	struct list_head sriov_pfs_item;
	struct vfio_pci_core_device *sriov_pf_core_dev;
	struct notifier_block nb;
	/* public: */
	struct rw_semaphore memory_lock;
	/* private: */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	struct list_head dmabufs;
#endif
};

/*
 * Life of the device: the callbacks of a struct vfio_device_ops and the steps
 * of a driver's probe, remove and open_device.
 */
int vfio_pci_core_init_dev(struct vfio_device *core_vdev);
void vfio_pci_core_release_dev(struct vfio_device *core_vdev);
int vfio_pci_core_register_device(struct vfio_pci_core_device *vdev);
void vfio_pci_core_unregister_device(struct vfio_pci_core_device *vdev);
int vfio_pci_core_enable(struct vfio_pci_core_device *vdev);
void vfio_pci_core_finish_enable(struct vfio_pci_core_device *vdev);
void vfio_pci_core_disable(struct vfio_pci_core_device *vdev);
void vfio_pci_core_close_device(struct vfio_device *core_vdev);
void vfio_pci_core_request(struct vfio_device *core_vdev, unsigned int count);
int vfio_pci_core_match(struct vfio_device *core_vdev, char *buf);
int vfio_pci_core_match_token_uuid(struct vfio_device *core_vdev,
				   const uuid_t *uuid);
void vfio_pci_core_set_params(bool nointxmask, bool is_disable_vga,
			      bool is_disable_idle_d3);
int vfio_pci_core_sriov_configure(struct vfio_pci_core_device *vdev,
				  int nr_virtfn);
pci_ers_result_t vfio_pci_core_aer_err_detected(struct pci_dev *pdev,
						pci_channel_state_t state);
extern const struct pci_error_handlers vfio_pci_core_err_handlers;

/* The device file */
long vfio_pci_core_ioctl(struct vfio_device *core_vdev, unsigned int cmd,
			 unsigned long arg);
int vfio_pci_core_ioctl_feature(struct vfio_device *device, u32 flags,
				void __user *arg, size_t argsz);
ssize_t vfio_pci_core_read(struct vfio_device *core_vdev, char __user *buf,
			   size_t count, loff_t *ppos);
ssize_t vfio_pci_core_write(struct vfio_device *core_vdev,
			    const char __user *buf, size_t count,
			    loff_t *ppos);
int vfio_pci_core_mmap(struct vfio_device *core_vdev,
		       struct vm_area_struct *vma);

/* Regions and their access */
int vfio_pci_core_register_dev_region(struct vfio_pci_core_device *vdev,
				      unsigned int type, unsigned int subtype,
				      const struct vfio_pci_regops *ops,
				      size_t size, u32 flags, void *data);
int vfio_pci_core_setup_barmap(struct vfio_pci_core_device *vdev, int bar);
int vfio_pci_ioctl_get_region_info(struct vfio_device *core_vdev,
				   struct vfio_region_info *info,
				   struct vfio_info_cap *caps);

/**
 * vfio_pci_core_get_iomap - a BAR that is mapped for the kernel's use
 * @vdev: the device; enabled
 * @bar: 0 to 5
 *
 * Since Linux 7.2, all BARs that can be mapped are mapped while the device is
 * enabled; before, those of vfio_pci_core_setup_barmap().
 *
 * Return: the mapping, or an ERR_PTR(): -EINVAL if there is no such BAR, -ENODEV
 * if it is not mapped.
 */
static inline void __iomem *
vfio_pci_core_get_iomap(struct vfio_pci_core_device *vdev, unsigned int bar)
{
	if (bar >= PCI_STD_NUM_BARS)
		return IOMEM_ERR_PTR(-EINVAL);
	return vdev->barmap[bar] ?: IOMEM_ERR_PTR(-ENODEV);
}

/* Callers of these two hold memory_lock for read or write. */
bool __vfio_pci_memory_enabled(struct vfio_pci_core_device *vdev);
vm_fault_t vfio_pci_vmf_insert_pfn(struct vfio_pci_core_device *vdev,
				   struct vm_fault *vmf, unsigned long pfn,
				   unsigned int order);

/**
 * is_aligned_for_order - whether one page-table entry can map 2^@order pages
 * @vma: the mapping
 * @addr: the first address that the entry maps
 * @pfn: the page at @addr
 * @order: 0 for a single page
 *
 * Return: true if the entry lies within @vma and @pfn is aligned.
 */
static inline bool is_aligned_for_order(struct vm_area_struct *vma,
					unsigned long addr, unsigned long pfn,
					unsigned int order)
{
	unsigned long size = PAGE_SIZE << order;

	return !order || (addr >= vma->vm_start && addr + size <= vma->vm_end &&
			  IS_ALIGNED(pfn, 1UL << order));
}

ssize_t vfio_pci_core_do_io_rw(struct vfio_pci_core_device *vdev,
			       bool test_mem, void __iomem *io,
			       char __user *buf, loff_t off, size_t count,
			       size_t x_start, size_t x_end, bool iswrite,
			       enum vfio_pci_io_width max_width);
bool vfio_pci_core_range_intersect_range(loff_t buf_start, size_t buf_cnt,
					 loff_t reg_start, size_t reg_cnt,
					 loff_t *buf_offset,
					 size_t *intersect_count,
					 size_t *register_offset);

/* On kernels before Linux 7.3, this tree does not export dma-bufs. */
#if IS_ENABLED(CONFIG_VFIO_PCI_DMABUF) && \
	LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
int vfio_pci_core_fill_phys_vec(struct phys_vec *phys_vec,
				struct vfio_region_dma_range *dma_ranges,
				size_t nr_ranges, phys_addr_t start,
				phys_addr_t len);
int vfio_pci_core_get_dmabuf_phys(struct vfio_pci_core_device *vdev,
				  struct p2pdma_provider **provider,
				  unsigned int region_index,
				  struct phys_vec *phys_vec,
				  struct vfio_region_dma_range *dma_ranges,
				  size_t nr_ranges);
int vfio_pci_dma_buf_iommufd_map(struct dma_buf_attachment *attachment,
				 struct phys_vec *phys);
#else
static inline int
vfio_pci_core_fill_phys_vec(struct phys_vec *phys_vec,
			    struct vfio_region_dma_range *dma_ranges,
			    size_t nr_ranges, phys_addr_t start,
			    phys_addr_t len)
{
	return -EINVAL;
}

static inline int
vfio_pci_core_get_dmabuf_phys(struct vfio_pci_core_device *vdev,
			      struct p2pdma_provider **provider,
			      unsigned int region_index,
			      struct phys_vec *phys_vec,
			      struct vfio_region_dma_range *dma_ranges,
			      size_t nr_ranges)
{
	return -EOPNOTSUPP;
}
#endif

#define VFIO_IOWRITE_DECLARATION(size) \
int vfio_pci_core_iowrite##size(struct vfio_pci_core_device *vdev,	\
			bool test_mem, u##size val, void __iomem *io);

VFIO_IOWRITE_DECLARATION(8)
VFIO_IOWRITE_DECLARATION(16)
VFIO_IOWRITE_DECLARATION(32)
#ifdef iowrite64
VFIO_IOWRITE_DECLARATION(64)
#endif

#define VFIO_IOREAD_DECLARATION(size) \
int vfio_pci_core_ioread##size(struct vfio_pci_core_device *vdev,	\
			bool test_mem, u##size * val, void __iomem *io);

VFIO_IOREAD_DECLARATION(8)
VFIO_IOREAD_DECLARATION(16)
VFIO_IOREAD_DECLARATION(32)
#ifdef ioread64
VFIO_IOREAD_DECLARATION(64)
#endif

#endif /* VFIO_PCI_CORE_H */
