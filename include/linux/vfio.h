/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VFIO API for device drivers.
 *
 * A driver embeds a struct vfio_device as the first member of its own device
 * structure, allocates it with vfio_alloc_device(), registers it, and
 * implements the callbacks of struct vfio_device_ops.  Groups, containers,
 * device nodes, the device file and the generic features belong to the core.
 *
 * Source-compatible with the kernel that it is built for, Linux 6.12 to 7.3: a
 * driver written for that kernel compiles against this header unchanged.
 * Members of structures, and operations, are those of that kernel.  Functions
 * are those of all these kernels.
 */
#ifndef VFIO_H
#define VFIO_H

#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/workqueue.h>
#include <linux/poll.h>
#include <linux/cdev.h>
#include <linux/idr.h>
#include <linux/uaccess.h>
#include <linux/uuid.h>
#include <linux/version.h>
#include <uapi/linux/vfio.h>
#include <linux/vfio_iova_bitmap.h>

struct kvm;
struct iommufd_ctx;
struct iommufd_device;
struct iommufd_access;

struct vfio_info_cap;
struct vfio_group;

/**
 * struct vfio_device_set - devices that share one reset scope
 * @set_id: key given to vfio_assign_device_set(); the device itself for a
 *	set of one
 * @lock: held around the first open and the last close of every member;
 *	protects @device_list and the open counts of the members
 * @device_list: members, linked by vfio_device.dev_set_list
 * @device_count: number of members; the set is freed when it drops to 0.
 *	Protected by the lock of the core's table of sets
 *
 * Allocated by the core.  A driver may take @lock to access all members.
 */
struct vfio_device_set {
	void *set_id;
	struct mutex lock;	/* device_list, open counts of the members */
	struct list_head device_list;
	unsigned int device_count;
};

/**
 * struct vfio_device - a device that user space can own
 * @dev: the parent device; set by vfio_alloc_device()
 * @ops: the driver's callbacks
 * @mig_ops: migration callbacks, or NULL; set before registration
 * @log_ops: DMA logging callbacks, or NULL; set before registration
 * @group: the group that the device belongs to
 * @group_next: link in the group's device list
 * @iommu_entry: link in the IOMMU backend's list of devices with ops->dma_unmap
 * @dev_set: the reset scope
 * @dev_set_list: link in @dev_set
 * @migration_flags: VFIO_MIGRATION_* that @mig_ops support; set before
 *	registration
 * @precopy_info_v2: the user has set VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2;
 *	until last close.  Since Linux 7.1
 * @kvm: the VM that uses the device; valid from first open to last close
 *
 * A driver may read these members.  All others belong to the core.
 */
struct vfio_device {
	struct device *dev;
	const struct vfio_device_ops *ops;
	const struct vfio_migration_ops *mig_ops;
	const struct vfio_log_ops *log_ops;
#if IS_ENABLED(CONFIG_VFIO_GROUP)
	struct vfio_group *group;
	struct list_head group_next;
	struct list_head iommu_entry;
#endif
	struct vfio_device_set *dev_set;
	struct list_head dev_set_list;
	unsigned int migration_flags;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0)
	u8 precopy_info_v2;
#endif
	struct kvm *kvm;

	/* private: */
	unsigned int index;
	struct device device;	/* its kref is the lifetime of this object */
#if IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV)
	struct cdev cdev;
#endif
	refcount_t refcount;	/* one for the registration, one per open fd */
	unsigned int open_count;	/* under dev_set->lock */
	struct completion comp;	/* done when @refcount reaches 0 */
	struct iommufd_access *iommufd_access;
	void (*put_kvm)(struct kvm *kvm);
	struct inode *inode;	/* carries all mappings of the device */
#if IS_ENABLED(CONFIG_IOMMUFD)
	struct iommufd_device *iommufd_device;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	struct ida pasids;
#endif
	u8 iommufd_attached:1;
#endif
	u8 cdev_opened:1;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
	u8 noiommu:1;
#endif
#if defined(CONFIG_DEBUG_FS) || LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
	struct dentry *debug_root;
#endif
};

/**
 * struct vfio_device_ops - the callbacks of a driver
 * @name: driver name
 * @init: initialise the private part; called by vfio_alloc_device()
 * @release: undo @init; called when the last reference is dropped
 * @bind_iommufd: claim the device for an iommufd context
 * @unbind_iommufd: undo @bind_iommufd
 * @attach_ioas: attach the bound device to an I/O address space
 * @detach_ioas: undo @attach_ioas
 * @pasid_attach_ioas: attach a PASID of the bound device.  Since Linux 6.15
 * @pasid_detach_ioas: undo @pasid_attach_ioas.  Since Linux 6.15
 * @open_device: first open; called with dev_set->lock held
 * @close_device: last close; called with dev_set->lock held
 * @read: read() of the device file
 * @write: write() of the device file
 * @ioctl: ioctls that the core does not handle itself
 * @get_region_info_caps: VFIO_DEVICE_GET_REGION_INFO: fill in the members of
 *	@info for the region @info->index, and add its capabilities to @caps.
 *	Since Linux 6.19, where @ioctl does not get that ioctl
 * @mmap: mmap() of the device file
 * @request: ask the user to close the device; called repeatedly, with a growing
 *	@count, while unregistration waits
 * @match: does the string of VFIO_GROUP_GET_DEVICE_FD name this device?
 *	0: no, > 0: yes, < 0: fail with this error.  Optional: the default
 *	compares it with dev_name()
 * @match_token_uuid: 0 if a user that knows this VF token (NULL: none) may open
 *	the device through its node; otherwise an error.  Since Linux 6.17
 * @dma_unmap: the user unmaps [iova, iova + length): the driver must unpin all
 *	its pages in there before it returns.  May also be called right before
 *	@open_device and right after @close_device.  Required for pinning; the
 *	driver may hold the locks that it takes here while it pins or unpins
 * @device_feature: features of VFIO_DEVICE_FEATURE that the core does not
 *	handle; returns -ENOTTY for those that the driver does not support
 *	either
 *
 * Callbacks may sleep.  @read, @write, @ioctl, @mmap and @device_feature run
 * only between @open_device and @close_device, possibly in many threads at
 * once.
 */
struct vfio_device_ops {
	char *name;
	int (*init)(struct vfio_device *vdev);
	void (*release)(struct vfio_device *vdev);
	int (*bind_iommufd)(struct vfio_device *vdev,
			    struct iommufd_ctx *ictx, u32 *out_device_id);
	void (*unbind_iommufd)(struct vfio_device *vdev);
	int (*attach_ioas)(struct vfio_device *vdev, u32 *pt_id);
	void (*detach_ioas)(struct vfio_device *vdev);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	int (*pasid_attach_ioas)(struct vfio_device *vdev, u32 pasid,
				 u32 *pt_id);
	void (*pasid_detach_ioas)(struct vfio_device *vdev, u32 pasid);
#endif
	int (*open_device)(struct vfio_device *vdev);
	void (*close_device)(struct vfio_device *vdev);
	ssize_t (*read)(struct vfio_device *vdev, char __user *buf,
			size_t count, loff_t *ppos);
	ssize_t (*write)(struct vfio_device *vdev, const char __user *buf,
			 size_t count, loff_t *ppos);
	long (*ioctl)(struct vfio_device *vdev, unsigned int cmd,
		      unsigned long arg);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	int (*get_region_info_caps)(struct vfio_device *vdev,
				    struct vfio_region_info *info,
				    struct vfio_info_cap *caps);
#endif
	int (*mmap)(struct vfio_device *vdev, struct vm_area_struct *vma);
	void (*request)(struct vfio_device *vdev, unsigned int count);
	int (*match)(struct vfio_device *vdev, char *buf);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
	int (*match_token_uuid)(struct vfio_device *vdev, const uuid_t *uuid);
#endif
	void (*dma_unmap)(struct vfio_device *vdev, u64 iova, u64 length);
	int (*device_feature)(struct vfio_device *device, u32 flags,
			      void __user *arg, size_t argsz);
};

#if IS_ENABLED(CONFIG_IOMMUFD)
struct iommufd_ctx *vfio_iommufd_device_ictx(struct vfio_device *vdev);
int vfio_iommufd_get_dev_id(struct vfio_device *vdev,
			    struct iommufd_ctx *ictx);
int vfio_iommufd_physical_bind(struct vfio_device *vdev,
			       struct iommufd_ctx *ictx, u32 *out_device_id);
void vfio_iommufd_physical_unbind(struct vfio_device *vdev);
int vfio_iommufd_physical_attach_ioas(struct vfio_device *vdev, u32 *pt_id);
void vfio_iommufd_physical_detach_ioas(struct vfio_device *vdev);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
int vfio_iommufd_physical_pasid_attach_ioas(struct vfio_device *vdev,
					    u32 pasid, u32 *pt_id);
void vfio_iommufd_physical_pasid_detach_ioas(struct vfio_device *vdev,
					     u32 pasid);
#endif
int vfio_iommufd_emulated_bind(struct vfio_device *vdev,
			       struct iommufd_ctx *ictx, u32 *out_device_id);
void vfio_iommufd_emulated_unbind(struct vfio_device *vdev);
int vfio_iommufd_emulated_attach_ioas(struct vfio_device *vdev, u32 *pt_id);
void vfio_iommufd_emulated_detach_ioas(struct vfio_device *vdev);
#else
static inline struct iommufd_ctx *
vfio_iommufd_device_ictx(struct vfio_device *vdev)
{
	return NULL;
}

static inline int
vfio_iommufd_get_dev_id(struct vfio_device *vdev, struct iommufd_ctx *ictx)
{
	return VFIO_PCI_DEVID_NOT_OWNED;
}

#define vfio_iommufd_physical_bind                                      \
	((int (*)(struct vfio_device *vdev, struct iommufd_ctx *ictx,   \
		  u32 *out_device_id)) NULL)
#define vfio_iommufd_physical_unbind \
	((void (*)(struct vfio_device *vdev)) NULL)
#define vfio_iommufd_physical_attach_ioas \
	((int (*)(struct vfio_device *vdev, u32 *pt_id)) NULL)
#define vfio_iommufd_physical_detach_ioas \
	((void (*)(struct vfio_device *vdev)) NULL)
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define vfio_iommufd_physical_pasid_attach_ioas \
	((int (*)(struct vfio_device *vdev, u32 pasid, u32 *pt_id)) NULL)
#define vfio_iommufd_physical_pasid_detach_ioas \
	((void (*)(struct vfio_device *vdev, u32 pasid)) NULL)
#endif
#define vfio_iommufd_emulated_bind                                      \
	((int (*)(struct vfio_device *vdev, struct iommufd_ctx *ictx,   \
		  u32 *out_device_id)) NULL)
#define vfio_iommufd_emulated_unbind \
	((void (*)(struct vfio_device *vdev)) NULL)
#define vfio_iommufd_emulated_attach_ioas \
	((int (*)(struct vfio_device *vdev, u32 *pt_id)) NULL)
#define vfio_iommufd_emulated_detach_ioas \
	((void (*)(struct vfio_device *vdev)) NULL)
#endif

/**
 * vfio_device_cdev_opened - was the device opened through its own node?
 * @device: the device
 *
 * Return: true for /dev/vfio/devices/vfioN, false for the group interface.
 */
static inline bool vfio_device_cdev_opened(struct vfio_device *device)
{
	return device->cdev_opened;
}

/**
 * struct vfio_migration_ops - the migration callbacks of a driver
 * @migration_set_state: go to @new_state, by the arcs that
 *	vfio_mig_get_next_state() gives, and return when the device is there.
 *	Returns NULL, or the file of a data session that the last arc opened, or
 *	an ERR_PTR(); after an error, @migration_get_state reports the state
 *	that the device is in
 * @migration_get_state: report the current state
 * @migration_get_data_size: estimate how many bytes of data STOP_COPY would
 *	provide; must work in every state
 *
 * All three are mandatory.  They may be called at any time between
 * open_device and close_device, in many threads at once.
 */
struct vfio_migration_ops {
	struct file *(*migration_set_state)(
		struct vfio_device *device,
		enum vfio_device_mig_state new_state);
	int (*migration_get_state)(struct vfio_device *device,
				   enum vfio_device_mig_state *curr_state);
	int (*migration_get_data_size)(struct vfio_device *device,
				       unsigned long *stop_copy_length);
};

/**
 * struct vfio_log_ops - the DMA logging callbacks of a driver
 * @log_start: log the device's writes to the ranges in @ranges, from now on.
 *	@ranges is an interval tree of @nnodes nodes, which do not overlap and
 *	are multiples of @page_size; vfio_combine_iova_ranges() merges them into
 *	fewer.  The driver may change the tree until it returns; the core frees
 *	the nodes.  @page_size is a power of two: on entry the page size that
 *	user space asks for, on return the one that the device logs in
 * @log_stop: stop, and discard the log.  If it fails, it is called again when
 *	user space tries again or by the last close.  It must be harmless when
 *	logging is off
 * @log_read_and_clear: call iova_bitmap_set() with @dirty for all pages in
 *	[@iova, @iova + @length) that the device has written since they were
 *	last read, and clear them in the log.  Pages that could not be reported
 *	must be reported the next time; a driver that lost part of the log
 *	reports everything as written.  User space may pass addresses that are
 *	not in the ranges of @log_start
 *
 * All three are mandatory.  They may sleep and take the driver's locks.  They
 * are called one at a time between open_device and close_device, the last
 * @log_stop right before close_device.
 *
 * This core calls @log_start only when logging is off, and @log_read_and_clear
 * only when it is on.  Linux's core does not check, so a driver that is to work
 * there must refuse such calls.
 */
struct vfio_log_ops {
	int (*log_start)(struct vfio_device *device,
			 struct rb_root_cached *ranges, u32 nnodes,
			 u64 *page_size);
	int (*log_stop)(struct vfio_device *device);
	int (*log_read_and_clear)(struct vfio_device *device,
				  unsigned long iova, unsigned long length,
				  struct iova_bitmap *dirty);
};

/**
 * vfio_check_feature - check the header of a VFIO_DEVICE_FEATURE call
 * @flags: flags of the call: feature number, GET, SET, PROBE
 * @argsz: bytes of payload that user space provides
 * @supported_ops: VFIO_DEVICE_FEATURE_GET, _SET or both
 * @minsz: bytes of payload that the feature needs
 *
 * Return: 1 if the caller is to carry out the feature; 0 if the call is a valid
 * probe and is done; -EINVAL if the call is not supported.
 */
static inline int vfio_check_feature(u32 flags, size_t argsz,
				     u32 supported_ops, size_t minsz)
{
	u32 ops = flags & (VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET);

	if (ops & ~supported_ops)
		return -EINVAL;
	if (flags & VFIO_DEVICE_FEATURE_PROBE)
		return 0;
	if (!ops || argsz < minsz)
		return -EINVAL;
	return 1;
}

/**
 * vfio_device_precopy_info_v2 - whether the user knows the flags of struct
 *	vfio_precopy_info
 * @device: the device, while it is open
 *
 * Return: true after VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0)
static inline bool vfio_device_precopy_info_v2(struct vfio_device *device)
{
	return device->precopy_info_v2;
}
#else
bool vfio_device_precopy_info_v2(struct vfio_device *device);
#endif

/**
 * vfio_check_precopy_ioctl - read the argument of VFIO_MIG_GET_PRECOPY_INFO
 * @device: the device
 * @cmd: of the ioctl on the data file
 * @arg: its argument
 * @info: out: the argument; its flags are 0 if the user knows them
 *
 * Return: 0; -ENOTTY for another ioctl; -EFAULT; -EINVAL if argsz is too small.
 */
static inline int vfio_check_precopy_ioctl(struct vfio_device *device,
					   unsigned int cmd, unsigned long arg,
					   struct vfio_precopy_info *info)
{
	const size_t minsz = offsetofend(struct vfio_precopy_info, dirty_bytes);

	if (cmd != VFIO_MIG_GET_PRECOPY_INFO)
		return -ENOTTY;
	if (copy_from_user(info, (void __user *)arg, minsz))
		return -EFAULT;
	if (info->argsz < minsz)
		return -EINVAL;
	if (vfio_device_precopy_info_v2(device))
		info->flags = 0;
	return 0;
}

struct vfio_device *_vfio_alloc_device(size_t size, struct device *dev,
				       const struct vfio_device_ops *ops);

/**
 * vfio_alloc_device - allocate a driver's device structure
 * @dev_struct: name of the structure
 * @member: its struct vfio_device, which must come first
 * @dev: the parent device
 * @ops: callbacks; ops->init runs before this returns
 *
 * Return: the structure, zeroed except for what ops->init has set, or an
 * ERR_PTR().  Freed by the last vfio_put_device().
 */
#define vfio_alloc_device(dev_struct, member, dev, ops)				\
	container_of(_vfio_alloc_device(sizeof(struct dev_struct) +		\
					BUILD_BUG_ON_ZERO(offsetof(		\
						struct dev_struct, member)),	\
					dev, ops),				\
		     struct dev_struct, member)

/**
 * vfio_put_device - drop a reference to a device
 * @device: the device
 */
static inline void vfio_put_device(struct vfio_device *device)
{
	put_device(&device->device);
}

int vfio_register_group_dev(struct vfio_device *device);
int vfio_register_emulated_iommu_dev(struct vfio_device *device);
void vfio_unregister_group_dev(struct vfio_device *device);

bool vfio_device_try_get_registration(struct vfio_device *device);
void vfio_device_put_registration(struct vfio_device *device);

int vfio_assign_device_set(struct vfio_device *device, void *set_id);
unsigned int vfio_device_set_open_count(struct vfio_device_set *dev_set);
struct vfio_device *
vfio_find_device_in_devset(struct vfio_device_set *dev_set,
			   struct device *dev);

int vfio_mig_get_next_state(struct vfio_device *device,
			    enum vfio_device_mig_state cur_fsm,
			    enum vfio_device_mig_state new_fsm,
			    enum vfio_device_mig_state *next_fsm);

void vfio_combine_iova_ranges(struct rb_root_cached *root, u32 cur_nodes,
			      u32 req_nodes);

/* Questions about a file.  KVM finds some of these functions by symbol name. */
struct iommu_group *vfio_file_iommu_group(struct file *file);
#if IS_ENABLED(CONFIG_VFIO_GROUP)
bool vfio_file_is_group(struct file *file);
bool vfio_file_has_dev(struct file *file, struct vfio_device *device);
#else
static inline bool vfio_file_is_group(struct file *file)
{
	return false;
}

static inline bool vfio_file_has_dev(struct file *file,
				     struct vfio_device *device)
{
	return false;
}
#endif
bool vfio_file_is_valid(struct file *file);
bool vfio_file_enforced_coherent(struct file *file);
void vfio_file_set_kvm(struct file *file, struct kvm *kvm);

/* Most pages that one vfio_pin_pages() call pins */
#define VFIO_PIN_PAGES_MAX_ENTRIES	(PAGE_SIZE/sizeof(unsigned long))

int vfio_pin_pages(struct vfio_device *device, dma_addr_t iova,
		   int npage, int prot, struct page **pages);
void vfio_unpin_pages(struct vfio_device *device, dma_addr_t iova, int npage);
int vfio_dma_rw(struct vfio_device *device, dma_addr_t iova,
		void *data, size_t len, bool write);

/**
 * struct vfio_info_cap - a chain of capabilities that is being built
 * @buf: the chain, grown by vfio_info_cap_add(); freed by the caller (kfree)
 * @size: bytes in @buf
 */
struct vfio_info_cap {
	struct vfio_info_cap_header *buf;
	size_t size;
};

struct vfio_info_cap_header *vfio_info_cap_add(struct vfio_info_cap *caps,
					       size_t size, u16 id,
					       u16 version);
void vfio_info_cap_shift(struct vfio_info_cap *caps, size_t offset);
int vfio_info_add_capability(struct vfio_info_cap *caps,
			     struct vfio_info_cap_header *cap, size_t size);

int vfio_set_irqs_validate_and_prepare(struct vfio_irq_set *hdr,
				       int num_irqs, int max_irq_type,
				       size_t *data_size);

/**
 * struct virqfd - an eventfd that triggers a callback
 *
 * Created by vfio_virqfd_enable(), ended by vfio_virqfd_disable() or by the
 * last close of the eventfd.  All members belong to the core.
 */
struct virqfd {
	/* private: */
	void *opaque;
	struct eventfd_ctx *eventfd;
	int (*handler)(void *opaque, void *data);
	void (*thread)(void *opaque, void *data);
	void *data;
	struct work_struct inject;
	wait_queue_entry_t wait;
	poll_table pt;
	struct work_struct shutdown;
	struct work_struct flush_inject;
	struct virqfd **pvirqfd;
};

int vfio_virqfd_enable(void *opaque, int (*handler)(void *, void *),
		       void (*thread)(void *, void *), void *data,
		       struct virqfd **pvirqfd, int fd);
void vfio_virqfd_disable(struct virqfd **pvirqfd);
void vfio_virqfd_flush_thread(struct virqfd **pvirqfd);

#endif /* VFIO_H */
