/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of vfio.ko share.  Drivers include linux/vfio.h, IOMMU
 * backends iommu_driver.h, and neither includes this.
 *
 * Calls go down this list, never up:
 *
 *   main.c, kvm_file.c		start and stop; what KVM asks about files
 *   cdev.c			the node of a device; blocks the device's group
 *   group.c			the node of a group
 *   device_file.c		the open file of a device
 *   device.c, feature.c	the device; VFIO_DEVICE_FEATURE
 *   mig_features.c, dma_logging.c, address_space.c
 *				what an open device has
 *   region_info.c		VFIO_DEVICE_GET_REGION_INFO
 *   container.c, iommufd.c	the kinds of I/O address spaces
 *   iommufd_pasid.c		the same for PASIDs of a device
 *   debugfs.c			shows what the files below know
 *   mig_fsm.c, kvm.c, opener.c and the rest
 *				leaves
 *
 * Where a file needs one that is higher up, it calls through a table: device.c
 * through vfio_interfaces of main.c, and device_file.c through the
 * vfio_device_file_ops of the interface that has opened the device.
 *
 * The locks of the whole tree, outermost first.  A task that holds one may take
 * those below it:
 *
 *   device_lock()	(driver core) of the parent: held over probe and remove,
 *			and so over registration and unregistration
 *   groups.lock	(group.c) the list of groups and their device counts.
 *			Held while a group's node is created or removed; no lock
 *			below is taken while it is held
 *   group_lock		(group.c) one group: its user, its container or iommufd,
 *			the devices that are open in there, its IOMMU group.
 *			Held over the first open and the last close of a device
 *			through the group
 *   dev_set->lock	one reset scope: the open counts of its devices and the
 *			iommufd that they are bound to.  Held over opens, closes
 *			and hot resets of them.  All of iommufd's locks are
 *			below it, though none is held over a driver's dma_unmap.
 *			iommufd waits for that, so dma_unmap takes no lock that
 *			is above here
 *   container->lock	(container.c, rwsem) the groups and the backend of a
 *			container.  Held for read over each ioctl of the
 *			backend.  So the backend's locks are below it, and below
 *			these the locks that a driver's dma_unmap takes.  A
 *			driver may hold those while it pins, unpins or copies
 *   backends_lock	(container.c) the registered IOMMU backends; held while
 *			VFIO_SET_IOMMU attaches all groups
 *   device_lock	(group.c, per group) the devices that the group's user
 *			may open.  A leaf, except that ops->match runs under it
 *   dev_sets_lock	(device.c) the table of device sets; a leaf
 *
 * and inside a device, below dev_set->lock:
 *
 *   logging.lock	(dma_logging.c) the DMA logging session.  Held while the
 *			driver starts, stops and reports, and while the user's
 *			bitmap is pinned, so mmap_lock is below it
 *   log_lock		(vfio-pci-migration) the same, for a library that also
 *			runs on the vfio.ko of Linux 6.12
 *   igate		(vfio-pci-core) the interrupt configuration
 *   ioeventfds_lock	(vfio-pci-core) the ioeventfds
 *   io_lock		(vfio-migration) one reader or writer of a data file;
 *			held over its user copies
 *   mmap_lock		(mm) held by page faults, and taken by user copies
 *   memory_lock	(vfio-pci-core, rwsem) whether device memory can be
 *			accessed: held for read over each access, for write over
 *			resets and changes of power state or memory decoding
 *   state lock		(vfio-migration) the migration state and the data
 *			session.  Below memory_lock, which a reset holds when it
 *			calls the driver
 *   dirty_lock		(vfio-pci-migration) the dirty set
 *   irqlock		(vfio-pci-core, spinlock, interrupts off)
 *
 * User memory is never accessed with memory_lock or a state lock held: the
 * buffer may be a mapping of the device itself, and its fault takes
 * memory_lock.
 *
 * The spinlocks kvm_ref_lock (group.c), kvm_lock (of a device file), the lock
 * of a struct vfio_opener and virqfd_lock (virqfd.c) are leaves.
 */
#ifndef VFIO_PRIVATE_H
#define VFIO_PRIVATE_H

#include <linux/cache.h>
#include <linux/container_of.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/version.h>
#include <linux/vfio.h>

#include "iommu_driver.h"
#include "mig_fsm.h"

struct class;
struct iommufd_ctx;
struct seq_file;
struct vfio_container;

/* main.c */

/* The class of all vfioN devices */
extern struct class *vfio_device_class;

/**
 * struct vfio_interface - an interface (group.c, cdev.c) by which user space
 *	opens devices
 * @join: prepare a device that is being registered
 * @leave: undo @join; the device has no users
 * @publish: users may open the device from now on
 * @hide: undo @publish; users that have the device open keep it
 *
 * All but @join are NULL where there is nothing to do.
 */
struct vfio_interface {
	int (*join)(struct vfio_device *device, enum vfio_group_type type);
	void (*leave)(struct vfio_device *device);
	void (*publish)(struct vfio_device *device);
	void (*hide)(struct vfio_device *device);
};

/* The interfaces that are configured; ends with NULL */
extern const struct vfio_interface *const vfio_interfaces[];

/* inode.c */
struct inode *vfio_get_inode(void);
void vfio_put_inode(struct inode *inode);

/* opener.c */

/**
 * struct vfio_opener - the process that opened something last
 * @lock: protects the rest
 * @pid: its process id in the initial pid namespace
 * @comm: its name
 */
struct vfio_opener {
	spinlock_t lock;	/* pid, comm */
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/* "qemu-system-x86 (4711)" */
#define VFIO_OPENER_NAME	(TASK_COMM_LEN + 16)

void vfio_opener_init(struct vfio_opener *opener);
/* Record the current process. */
void vfio_opener_set(struct vfio_opener *opener);
/* Fills in and returns @name, for messages. */
const char *vfio_opener_name(struct vfio_opener *opener,
			     char name[VFIO_OPENER_NAME]);

/* address_space.c */

/**
 * struct vfio_address_space_ops - a kind of I/O address space
 * @open: before the driver's open_device; dev_set->lock held
 * @close: after the driver's close_device; dev_set->lock held
 * @pin_pages: see vfio_pin_pages(), which has checked the arguments
 * @unpin_pages: see vfio_unpin_pages(), likewise
 * @dma_rw: see vfio_dma_rw(), likewise
 *
 * Between @open and @close the driver's dma_unmap may be called, and the driver
 * may call the other three, in open_device and close_device as well.
 */
struct vfio_address_space_ops {
	int (*open)(struct vfio_device *device);
	void (*close)(struct vfio_device *device);
	int (*pin_pages)(struct vfio_device *device, dma_addr_t iova, int npage,
			 int prot, struct page **pages);
	void (*unpin_pages)(struct vfio_device *device, dma_addr_t iova,
			    int npage);
	int (*dma_rw)(struct vfio_device *device, dma_addr_t iova, void *data,
		      size_t len, bool write);
};

/**
 * struct vfio_address_space - the I/O address space that a device is opened in
 * @ops: its kind
 * @iommufd: the iommufd; for vfio_iommufd_space_ops
 * @container: the container; for vfio_container_space_ops
 * @iommu_group: the device's group in @container
 *
 * The interface that opens the device fills this in, and holds the references
 * until it has closed the device.
 */
struct vfio_address_space {
	const struct vfio_address_space_ops *ops;
	struct iommufd_ctx *iommufd;
	struct vfio_container *container;
	struct iommu_group *iommu_group;
};

/* Both with dev_set->lock held, while the device counts as open */
int vfio_address_space_open(struct vfio_device *device,
			    const struct vfio_address_space *space);
void vfio_address_space_close(struct vfio_device *device);

/* device.c */

/**
 * struct vfio_dma_logging - the DMA logging of a device
 * @lock: protects all of it; debugfs reads @session and @since without
 * @session: number of the session that is on, or 0
 * @last_session: number of the last session
 * @since: start of the last session, in seconds since the machine was booted
 */
struct vfio_dma_logging {
	struct mutex lock;
	u64 session;
	u64 last_session;
	time64_t since;
};

/**
 * struct vfio_device_private - a device, with what only the core sees
 * @logging: its DMA logging
 * @space: the I/O address space that it is open in; @space.ops is NULL while
 *	the device is closed.  Written under dev_set->lock
 * @iommufd_id: its id in the iommufd that it is bound to; under dev_set->lock
 * @opener: the process that opened it last
 * @precopy_info_v2: the member of struct vfio_device of that name, for kernels
 *	before 7.1
 * @device: what drivers see; the rest of the driver's structure follows
 *
 * struct vfio_device has the layout of Linux's, so the core's own members are
 * in front of it.
 */
struct vfio_device_private {
	struct vfio_dma_logging logging;
	struct vfio_address_space space;
	u32 iommufd_id;
	struct vfio_opener opener;
	u8 precopy_info_v2;
	struct vfio_device device ____cacheline_aligned;
};

static inline struct vfio_device_private *
vfio_device_private(struct vfio_device *device)
{
	return container_of(device, struct vfio_device_private, device);
}

static inline const struct vfio_address_space *
vfio_device_space(struct vfio_device *device)
{
	return &vfio_device_private(device)->space;
}

static inline struct vfio_opener *vfio_device_opener(struct vfio_device *device)
{
	return &vfio_device_private(device)->opener;
}

/*
 * Count one more open file; the first one opens the device in @space, which all
 * others must name as well.  Caller holds dev_set->lock and a registration
 * reference.  Driver callbacks that run in here see the device counted as open.
 */
int vfio_device_open(struct vfio_device *device,
		     const struct vfio_address_space *space);
void vfio_device_close(struct vfio_device *device);

/* device_file.c */

struct vfio_device_file;

/**
 * struct vfio_device_file_ops - the interface that a device file came from
 * @close: undo the open; called once, if access was granted
 * @bind: VFIO_DEVICE_BIND_IOMMUFD, whether access was granted or not
 * @attach: VFIO_DEVICE_ATTACH_IOMMUFD_PT, after access was granted
 * @detach: VFIO_DEVICE_DETACH_IOMMUFD_PT, likewise
 *
 * All but @close are NULL for files that do not have these ioctls.
 */
struct vfio_device_file_ops {
	void (*close)(struct vfio_device_file *df);
	long (*bind)(struct vfio_device_file *df,
		     struct vfio_device_bind_iommufd __user *arg);
	long (*attach)(struct vfio_device_file *df,
		       struct vfio_device_attach_iommufd_pt __user *arg);
	long (*detach)(struct vfio_device_file *df,
		       struct vfio_device_detach_iommufd_pt __user *arg);
};

/**
 * struct vfio_device_file - one open file of a device
 * @device: the device; a registration reference is held
 * @ops: the interface that it came from
 * @access_granted: the device is open, and the user may use it.  Set once,
 *	read without a lock
 * @iommufd: cdev.c: the iommufd that the device is bound to, with a reference
 * @kvm_lock: protects @kvm
 * @kvm: cdev.c: the VM that will use the device, valid while set
 */
struct vfio_device_file {
	struct vfio_device *device;
	const struct vfio_device_file_ops *ops;
	bool access_granted;
	struct iommufd_ctx *iommufd;
	spinlock_t kvm_lock;	/* kvm */
	struct kvm *kvm;
};

/* Takes over the caller's registration reference if it succeeds. */
struct vfio_device_file *
vfio_device_file_alloc(struct vfio_device *device,
		       const struct vfio_device_file_ops *ops);
void vfio_device_file_free(struct vfio_device_file *df);

/* The caller has opened the device; it stays open until ops->close. */
void vfio_device_file_grant(struct vfio_device_file *df);
bool vfio_device_file_granted(struct vfio_device_file *df);

/* Make a file without a node.  It owns @df from then on. */
struct file *vfio_device_file_create(struct vfio_device_file *df);

/* File operations of every device file; file->private_data is its @df. */
int vfio_device_file_release(struct inode *inode, struct file *file);
ssize_t vfio_device_file_read(struct file *file, char __user *buf, size_t count,
			      loff_t *ppos);
ssize_t vfio_device_file_write(struct file *file, const char __user *buf,
			       size_t count, loff_t *ppos);
long vfio_device_file_ioctl(struct file *file, unsigned int cmd,
			    unsigned long arg);
int vfio_device_file_mmap(struct file *file, struct vm_area_struct *vma);
void vfio_device_file_show_fdinfo(struct seq_file *seq, struct file *file);

/* NULL if @file is not a device's */
struct vfio_device_file *vfio_device_file_from(struct file *file);

/* region_info.c */
long vfio_ioctl_region_info(struct vfio_device *device,
			    struct vfio_region_info __user *arg);

/* feature.c */
long vfio_ioctl_device_feature(struct vfio_device *device,
			       struct vfio_device_feature __user *arg);

/* mig_features.c */
void vfio_migration_init(void);

/* Check that mig_ops and migration_flags are valid; 0 or -EINVAL. */
int vfio_migration_check(struct vfio_device *device);

/**
 * struct vfio_data_fd - a new data fd that user space does not have yet
 * @fd: reserved number, or negative
 * @file: the file to install there, or NULL
 *
 * The caller of vfio_migration_set_state() installs or releases both.
 */
struct vfio_data_fd {
	int fd;
	struct file *file;
};

/* After an error @new may hold a reserved number. */
int vfio_migration_set_state(struct vfio_device *device, u32 to,
			     struct vfio_data_fd *new);

/* VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2; the last close sets it to false. */
void vfio_migration_set_precopy_info_v2(struct vfio_device *device, bool on);

/* debugfs.c */
#if IS_ENABLED(CONFIG_VFIO_DEBUGFS) && IS_ENABLED(CONFIG_DEBUG_FS)
void vfio_debugfs_init(void);
void vfio_debugfs_cleanup(void);

/* Called when a device is registered and unregistered. */
void vfio_debugfs_add(struct vfio_device *device);
void vfio_debugfs_remove(struct vfio_device *device);
#else
static inline void vfio_debugfs_init(void)
{
}

static inline void vfio_debugfs_cleanup(void)
{
}

static inline void vfio_debugfs_add(struct vfio_device *device)
{
}

static inline void vfio_debugfs_remove(struct vfio_device *device)
{
}
#endif

/* dma_logging.c */
void vfio_dma_logging_init(struct vfio_device *device);

/* The last file is being closed: end the session, if one is on. */
void vfio_dma_logging_close(struct vfio_device *device);

/*
 * The driver has log_ops.  The payloads are in kernel memory; the user's ranges
 * and bitmap, to which they point, are read and written here.
 */
int vfio_dma_logging_start(
	struct vfio_device *device,
	struct vfio_device_feature_dma_logging_control *control, u64 *session);
/* End @session, if it is still on. */
void vfio_dma_logging_undo_start(struct vfio_device *device, u64 session);
int vfio_dma_logging_stop(struct vfio_device *device);
int vfio_dma_logging_report(
	struct vfio_device *device,
	const struct vfio_device_feature_dma_logging_report *report);

/* kvm.c */

/*
 * Set the VM that will use the device, before its first open, and drop it after
 * its last close.  Caller holds dev_set->lock.  vfio_device_get_kvm() does not
 * sleep.
 */
void vfio_device_get_kvm(struct vfio_device *device, struct kvm *kvm);
void vfio_device_put_kvm(struct vfio_device *device);

/* group.c */
#if IS_ENABLED(CONFIG_VFIO_GROUP)
extern const struct vfio_interface vfio_group_interface;

int vfio_group_init(void);
void vfio_group_cleanup(void);

/*
 * Keep the group of a device from being opened while the device is open through
 * its own node.  -EBUSY, with a message, if the group is open; -EINTR.
 */
int vfio_group_block(struct vfio_device *device);
void vfio_group_unblock(struct vfio_device *device);

/* Nothing, and false, if the file is not a group's */
void vfio_group_file_set_kvm(struct file *file, struct kvm *kvm);
bool vfio_group_file_not_coherent(struct file *file);
#else
static inline int vfio_group_init(void)
{
	return 0;
}

static inline void vfio_group_cleanup(void)
{
}

static inline int vfio_group_block(struct vfio_device *device)
{
	return 0;
}

static inline void vfio_group_unblock(struct vfio_device *device)
{
}

static inline void vfio_group_file_set_kvm(struct file *file, struct kvm *kvm)
{
}

static inline bool vfio_group_file_not_coherent(struct file *file)
{
	return false;
}
#endif

/* cdev.c */
#if IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV)
extern const struct vfio_interface vfio_cdev_interface;

int vfio_cdev_init(struct class *class);
void vfio_cdev_cleanup(void);
#else
static inline int vfio_cdev_init(struct class *class)
{
	return 0;
}

static inline void vfio_cdev_cleanup(void)
{
}
#endif

/* iommufd.c */
#if IS_ENABLED(CONFIG_IOMMUFD)
extern const struct vfio_address_space_ops vfio_iommufd_space_ops;

/*
 * An iommufd that user space passes in place of a container: a reference to it,
 * or -EBADFD if @file is not an iommufd.
 */
struct iommufd_ctx *vfio_iommufd_container(struct file *file);

/*
 * Attach a device that is open in an iommufd to the I/O address space that the
 * iommufd has for containers.  Caller holds dev_set->lock.
 */
int vfio_iommufd_attach_container(struct vfio_device *device);
#endif

/* iommufd_pasid.c */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
/* The device has just been bound; no PASID is attached. */
void vfio_iommufd_init_pasids(struct vfio_device *device);
/* Detach all PASIDs, before the device is unbound.  Caller holds dev_set->lock. */
void vfio_iommufd_detach_pasids(struct vfio_device *device);
#else
static inline void vfio_iommufd_init_pasids(struct vfio_device *device)
{
}

static inline void vfio_iommufd_detach_pasids(struct vfio_device *device)
{
}
#endif

/* container.c */

/**
 * struct vfio_container_member - a group's place in a container
 * @next: link in the container's list, under container->lock
 * @iommu_group: the IOMMU group that the backend attaches
 * @type: its type
 */
struct vfio_container_member {
	struct list_head next;
	struct iommu_group *iommu_group;
	enum vfio_group_type type;
};

#if IS_ENABLED(CONFIG_VFIO_CONTAINER)
int vfio_container_init(void);
void vfio_container_cleanup(void);

/* NULL if @file is not a container; takes no reference. */
struct vfio_container *vfio_container_from_file(struct file *file);

/*
 * Each member holds a reference to the container.  When the last member leaves,
 * the container has no backend any more.
 */
int vfio_container_attach(struct vfio_container *container,
			  struct vfio_container_member *member);
void vfio_container_detach(struct vfio_container *container,
			   struct vfio_container_member *member);

/* The caller has a member in the container, so the answer stays true. */
bool vfio_container_has_backend(struct vfio_container *container);

extern const struct vfio_address_space_ops vfio_container_space_ops;
#else
static inline int vfio_container_init(void)
{
	return 0;
}

static inline void vfio_container_cleanup(void)
{
}
#endif

/* virqfd.c */
#if IS_ENABLED(CONFIG_VFIO_VIRQFD)
int vfio_virqfd_init(void);
void vfio_virqfd_cleanup(void);
#else
static inline int vfio_virqfd_init(void)
{
	return 0;
}

static inline void vfio_virqfd_cleanup(void)
{
}
#endif

#endif /* VFIO_PRIVATE_H */
