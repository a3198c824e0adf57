/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the files of vfio-pci-core.ko; variant drivers see
 * include/linux/vfio_pci_core.h only.
 *
 * Calls go down: a file calls files of the lines below its own, and none of its
 * own line or above.
 *
 *   core.c				opening and closing, the device file
 *   config.c, info.c			configuration space; GET_*INFO ioctls
 *   irq.c, reset.c, sriov.c		SET_IRQS; resets; PFs with VFs
 *   msi.c, mmap.c, ioeventfd.c		MSI and MSI-X; what reaches BARs
 *   bar.c, power.c			read() and write() of BARs; D-states
 *   memory.c, intx.c, config_perm.c, region.c, token.c
 *   dmabuf.c				dma-bufs of BARs
 *
 * irq.h is for irq.c, intx.c and msi.c; config.h is for config_perm.c, which
 * builds the virtual configuration space, config.c, which serves it, and bar.c,
 * which keeps what it knows about the ROM there.
 *
 * Locks, outermost first.  A task that holds one may take those below it:
 *
 *   dev_set->lock	(vfio) opens and closes of all devices of one reset
 *			scope; held over open, close and the whole hot reset
 *   igate		the interrupt configuration: irq_type, ctx, and the
 *			changes of err_trigger and req_trigger (read under RCU)
 *   ioeventfds_lock	the list of ioeventfds and its length
 *   mmap_lock		(mm) held by page faults, and taken by user copies
 *   memory_lock	whether device memory answers.  Held for read around
 *			each access to a BAR, the ROM or the MSI-X table and
 *			around the insertion of a page-table entry; held for
 *			write to turn memory decoding off or on, to change the
 *			power state and to reset the device.  Also protects
 *			pm_runtime_engaged, pm_wake_eventfd_ctx, pm_save and
 *			sriov_active
 *   dma_resv lock	(dma-buf) of one dma-buf at a time; then the locks that
 *			the drivers of other devices take to unmap it
 *   list_lock		(spinlock in dmabuf.c) dmabufs.  The release of a dma-buf
 *			takes no other lock, and waits until DMA has ended if a
 *			task with memory_lock works on that dma-buf
 *   irqlock		(spinlock, interrupts off) INTx against its handler
 *
 * User memory is not copied with memory_lock held: the user's buffer may itself
 * be a mapping of a BAR, and its fault takes the lock.
 * vfio_virqfd_disable() and vfio_virqfd_flush_thread() wait for work that takes
 * memory_lock: of these locks, their callers may hold igate or ioeventfds_lock.
 * Only a hot reset takes the igates or memory_locks of several devices; it
 * holds the dev_set->lock that the devices share.
 *
 * A task that holds memory_lock for write may wait for drivers of other devices
 * (dmabuf.c): they take none of these locks above dma_resv to unmap a dma-buf.
 *
 * While the device is open, these locks protect a read-modify-write of
 * PCI_COMMAND from its read to its write:
 *  - irqlock: for the interrupt disable bit, and in the migration library, which
 *    also holds memory_lock for read;
 *  - memory_lock for write, and irqlock or INTx masked or not enabled: else.
 *    This holds for helpers of the PCI core, too: resets, pci_set_power_state(),
 *    pci_alloc_irq_vectors(), pci_restore_msi_state().  msi.c makes sure that
 *    pci_free_irq_vectors(), called without memory_lock, changes nothing.
 * Runtime PM restores PCI_COMMAND without a lock, while no call uses the device
 * and INTx is masked.
 */
#ifndef VFIO_PCI_PRIVATE_H
#define VFIO_PCI_PRIVATE_H

#include <linux/container_of.h>
#include <linux/pci.h>
#include <linux/types.h>
#include <linux/version.h>
#include <linux/vfio.h>
#include <linux/vfio_pci_core.h>

static inline struct vfio_pci_core_device *
to_core(struct vfio_device *core_vdev)
{
	return container_of(core_vdev, struct vfio_pci_core_device, vdev);
}

/* memory.c: the gate in front of device memory */

/*
 * True if the device is in D0 and its memory answers: memory decoding is on as
 * the user sees it, or the device has no such bit.  Caller holds memory_lock.
 */
static inline bool vfio_pci_memory_enabled(struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = vdev->pdev;

	/* VFs, and some other devices, answer whatever the bit says. */
	return pdev->current_state == PCI_D0 &&
	       (pdev->no_command_memory ||
		vdev->vconfig[PCI_COMMAND] & PCI_COMMAND_MEMORY);
}

/*
 * The same for an access that does not wake the device first: false in low
 * power mode, too, where the device suspends without taking memory_lock.
 */
static inline bool vfio_pci_memory_usable(struct vfio_pci_core_device *vdev)
{
	return !vdev->pm_runtime_engaged && vfio_pci_memory_enabled(vdev);
}

/*
 * Remove every user mapping of a BAR, and revoke all dma-bufs: waits until no
 * other device uses them.  memory_lock is held for write.
 */
void vfio_pci_zap_bars(struct vfio_pci_core_device *vdev);

/*
 * Take memory_lock for write and do the same.  Until the caller drops the lock
 * nothing reaches the device's memory.
 */
void vfio_pci_zap_and_lock_memory(struct vfio_pci_core_device *vdev);

/*
 * Drop memory_lock, held for write.  Dma-bufs are usable again if the device's
 * memory is: to be called after each change that may make it so.
 */
void vfio_pci_unlock_memory(struct vfio_pci_core_device *vdev);

/*
 * Write the addresses of BARs and ROM to a device that has lost them, as it
 * does in a reset that the PCI core does not know of.  To be called before
 * memory or I/O decoding is turned on, with memory_lock held for write: a BAR
 * at address 0 would take accesses that are meant for others.
 */
void vfio_pci_restore_bars(struct vfio_pci_core_device *vdev);

/*
 * Let the kernel reach the device's memory (the MSI-X table, the ROM) whatever
 * the user made of the memory enable bit: take memory_lock for write and turn
 * decoding on in hardware.  Returns what vfio_pci_memory_force_end() needs to
 * undo both.  Other bits of PCI_COMMAND may change in between.
 */
u16 vfio_pci_memory_force_on(struct vfio_pci_core_device *vdev);
void vfio_pci_memory_force_end(struct vfio_pci_core_device *vdev, u16 cmd);

/*
 * Call these around anything that saves or restores the function as a whole.
 * The PCI core restores the MSI-X table right after PCI_COMMAND, so the saved
 * PCI_COMMAND must have memory decoding on; end puts decoding back to what the
 * user has set.  Nothing happens without MSI-X.  Caller holds igate, and
 * memory_lock for write.
 */
void vfio_pci_msix_decoding_begin(struct vfio_pci_core_device *vdev);
void vfio_pci_msix_decoding_end(struct vfio_pci_core_device *vdev);

/* intx.c */

/*
 * Keep INTx masked while the device must not be touched: while it is suspended
 * and during a reset, with igate held all the time.  If the user unmasks INTx
 * meanwhile, vfio_pci_intx_unmask() carries that out.  Caller holds igate, but
 * not memory_lock.
 */
void vfio_pci_intx_mask(struct vfio_pci_core_device *vdev);
void vfio_pci_intx_unmask(struct vfio_pci_core_device *vdev);

/*
 * The user changed PCI_COMMAND_INTX_DISABLE; INTx may be enabled or not.
 * Caller holds igate.
 */
void vfio_pci_intx_disable_bit(struct vfio_pci_core_device *vdev,
			       bool disabled);

/*
 * Whether the device's own interrupt disable bit has to be set.  Caller holds
 * igate and irqlock.
 */
bool vfio_pci_intx_is_off(struct vfio_pci_core_device *vdev);

/* region.c: device specific regions */
struct vfio_pci_region *vfio_pci_region_get(struct vfio_pci_core_device *vdev,
					    u64 index);
void vfio_pci_regions_free(struct vfio_pci_core_device *vdev);

/* token.c: the secret that PF and VF users share */
int vfio_pci_token_init(struct vfio_pci_core_device *vdev);
void vfio_pci_token_free(struct vfio_pci_core_device *vdev);

/* An open VF counts as a user of its PF's token. */
void vfio_pci_token_user_add(struct vfio_pci_core_device *vdev, int n);

int vfio_pci_feature_token(struct vfio_pci_core_device *vdev, u32 flags,
			   void __user *arg, size_t argsz);

/* bar.c: BARs and the ROM by read() and write() */
ssize_t vfio_pci_bar_rw(struct vfio_pci_core_device *vdev, char __user *buf,
			size_t count, loff_t *ppos, bool iswrite);

/*
 * Size of the ROM, 0 if the device has none that can be read.  The device is
 * awake; takes memory_lock.
 */
size_t vfio_pci_rom_size(struct vfio_pci_core_device *vdev);
/*
 * Maps all BARs, on kernels on which drivers expect it of
 * vfio_pci_core_get_iomap(); on others, BARs are mapped at their first use.
 */
void vfio_pci_barmaps_init(struct vfio_pci_core_device *vdev);
void vfio_pci_barmaps_free(struct vfio_pci_core_device *vdev);

/* power.c: D-states, runtime PM and the low power features */
extern const struct dev_pm_ops vfio_pci_core_pm_ops;

/*
 * Change the power state.  A device without No_Soft_Reset loses its state in
 * D3hot: it is saved before and restored after.  Removes all user mappings of
 * BARs if the device is to leave D0.  -EBUSY for a PF with VFs.
 *
 * Caller holds igate, has INTx masked, and holds memory_lock for write until
 * the device is in the state that the caller needs: as soon as the lock is
 * dropped in D0, a fault may map a BAR.
 */
int vfio_pci_set_power_state_locked(struct vfio_pci_core_device *vdev,
				    pci_power_t state);

/*
 * The same, but takes igate and memory_lock, and masks INTx meanwhile.  A
 * failure leaves the state as it is.
 */
void vfio_pci_set_power_state(struct vfio_pci_core_device *vdev,
			      pci_power_t state);

void vfio_pci_power_probe(struct vfio_pci_core_device *vdev);

/* Leave low power mode for good: the device is being closed. */
void vfio_pci_low_power_end(struct vfio_pci_core_device *vdev);

int vfio_pci_feature_low_power_entry(struct vfio_pci_core_device *vdev,
				     u32 flags, void __user *arg,
				     size_t argsz);
int vfio_pci_feature_low_power_wakeup(struct vfio_pci_core_device *vdev,
				      u32 flags, void __user *arg,
				      size_t argsz);
int vfio_pci_feature_low_power_exit(struct vfio_pci_core_device *vdev,
				    u32 flags, void __user *arg, size_t argsz);

/* mmap.c: mappings of BARs */
void vfio_pci_mmap_probe(struct vfio_pci_core_device *vdev);
void vfio_pci_mmap_release(struct vfio_pci_core_device *vdev);

/*
 * Whether one entry of 2^@order pages around @addr maps only what @vma maps,
 * at a device address that is aligned to the size of the entry.
 */
bool vfio_pci_huge_entry_fits(struct vm_area_struct *vma, unsigned long addr,
			      unsigned int order);

/* dmabuf.c: VFIO_DEVICE_FEATURE_DMA_BUF, on kernels that have what it needs */
#if IS_ENABLED(CONFIG_VFIO_PCI_DMABUF) && \
	LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)

static inline void vfio_pci_dmabufs_init(struct vfio_pci_core_device *vdev)
{
	INIT_LIST_HEAD(&vdev->dmabufs);
}

/*
 * Let the kernel know of BARs as targets of DMA, until the driver is unbound, if
 * the driver has set pci_ops.  0 or -ENOMEM.
 */
int vfio_pci_dmabufs_probe(struct vfio_pci_core_device *vdev);

/*
 * Revoke all dma-bufs: their users cannot map them, and have ended all DMA and
 * unmapped them when this returns.  memory_lock is held for write.
 */
void vfio_pci_dmabufs_revoke(struct vfio_pci_core_device *vdev);

/* Undo that if memory is usable.  memory_lock is held for write. */
void vfio_pci_dmabufs_restore(struct vfio_pci_core_device *vdev);

/* Last close: revoke all dma-bufs for good.  Takes memory_lock. */
void vfio_pci_dmabufs_close(struct vfio_pci_core_device *vdev);

int vfio_pci_feature_dmabuf(struct vfio_pci_core_device *vdev, u32 flags,
			    void __user *arg, size_t argsz);
#else
static inline void vfio_pci_dmabufs_init(struct vfio_pci_core_device *vdev)
{
}

static inline int vfio_pci_dmabufs_probe(struct vfio_pci_core_device *vdev)
{
	return 0;
}

static inline void vfio_pci_dmabufs_revoke(struct vfio_pci_core_device *vdev)
{
}

static inline void vfio_pci_dmabufs_restore(struct vfio_pci_core_device *vdev)
{
}

static inline void vfio_pci_dmabufs_close(struct vfio_pci_core_device *vdev)
{
}

static inline int vfio_pci_feature_dmabuf(struct vfio_pci_core_device *vdev,
					  u32 flags, void __user *arg,
					  size_t argsz)
{
	return -ENOTTY;
}
#endif

/* ioeventfd.c */
int vfio_pci_ioctl_ioeventfd(struct vfio_pci_core_device *vdev,
			     void __user *arg);
void vfio_pci_ioeventfds_free(struct vfio_pci_core_device *vdev);

/* msi.c */

/*
 * The function was reset: drop interrupts that wait for an eventfd.  Caller
 * holds igate, and memory_lock for write.
 */
void vfio_pci_msi_reset_done(struct vfio_pci_core_device *vdev);

/* irq.c */

/* irq_type while neither INTx nor MSI nor MSI-X is enabled */
#define VFIO_PCI_IRQ_NONE	VFIO_PCI_NUM_IRQS

/* Number of interrupts of VFIO_PCI_*_IRQ_INDEX; 0 if the device has none. */
int vfio_pci_irq_count(struct vfio_pci_core_device *vdev, u32 index);

/* VFIO_IRQ_INFO_* of an index whose count is not 0. */
u32 vfio_pci_irq_flags(struct vfio_pci_core_device *vdev, u32 index);

/*
 * VFIO_DEVICE_SET_IRQS after vfio_set_irqs_validate_and_prepare(): @data is
 * the kernel copy of the payload or NULL.  Caller holds igate.
 */
int vfio_pci_set_irqs(struct vfio_pci_core_device *vdev, u32 flags,
		      unsigned int index, unsigned int start,
		      unsigned int count, void *data);

/*
 * Last close: free INTx, MSI or MSI-X and drop every eventfd, including those
 * for errors and requests.  Takes igate.
 */
void vfio_pci_irqs_disable(struct vfio_pci_core_device *vdev);

/* Signal the user's error eventfd, if any.  Takes no lock (RCU). */
void vfio_pci_signal_error(struct vfio_pci_core_device *vdev);

/* Ask the user to release the device, for the @count-th time (RCU). */
void vfio_pci_signal_request(struct vfio_pci_core_device *vdev,
			     unsigned int count);

/* reset.c: function, slot and bus resets */

/*
 * If a reset of @pdev may be a reset of its bus, lock the bridge above and
 * return it in *@bridge; else set that to NULL.  Does not wait: false if the
 * lock is taken.  To be called before @pdev itself is locked.
 */
bool vfio_pci_bridge_trylock(struct pci_dev *pdev, struct pci_dev **bridge);
void vfio_pci_bridge_unlock(struct pci_dev *bridge);

/*
 * pci_try_reset_function() with the bridge locked, if need be.  -EAGAIN if
 * one of the locks is taken.
 */
int vfio_pci_try_reset(struct pci_dev *pdev);

/*
 * Reset the function (FLR, or another reset that the device offers), with all
 * mappings zapped and memory_lock held.  -EAGAIN if the device is busy, another
 * error if it cannot be reset.  Takes igate and memory_lock.
 */
int vfio_pci_reset_function(struct vfio_pci_core_device *vdev);

int vfio_pci_ioctl_reset(struct vfio_pci_core_device *vdev, void __user *arg);
int vfio_pci_ioctl_hot_reset_info(struct vfio_pci_core_device *vdev,
				  void __user *arg);
int vfio_pci_ioctl_hot_reset(struct vfio_pci_core_device *vdev,
			     void __user *arg);

/* Put the device into the set of devices that a hot reset of it affects. */
int vfio_pci_reset_assign_set(struct vfio_pci_core_device *vdev);

/*
 * Reset the slot or bus if a function on it still needs that and none is open
 * except the one that is being closed.  dev_set->lock is held.
 */
void vfio_pci_reset_unused_set(struct vfio_device_set *dev_set);

/* sriov.c: PFs and VFs, from before registration to after its end */
int vfio_pci_sriov_init(struct vfio_pci_core_device *vdev);
void vfio_pci_sriov_free(struct vfio_pci_core_device *vdev);

/* config.c: configuration space as the user reads and writes it */

/*
 * Build pci_config_map and vconfig of an enabled and reset device.  Undone by
 * vfio_pci_config_free(), which tolerates a device whose init failed.
 */
int vfio_pci_config_init(struct vfio_pci_core_device *vdev);
void vfio_pci_config_free(struct vfio_pci_core_device *vdev);

/*
 * Read or write configuration space at the region-relative part of *ppos.
 * The device is awake (runtime PM).  Takes igate and memory_lock where
 * needed: callers hold neither.
 */
ssize_t vfio_pci_config_rw(struct vfio_pci_core_device *vdev, char __user *buf,
			   size_t count, loff_t *ppos, bool iswrite);

/* info.c: the ioctls that describe the device */
int vfio_pci_ioctl_device_info(struct vfio_pci_core_device *vdev,
			       void __user *arg);
int vfio_pci_ioctl_region_info(struct vfio_pci_core_device *vdev,
			       void __user *arg);
int vfio_pci_ioctl_irq_info(struct vfio_pci_core_device *vdev,
			    void __user *arg);

/*
 * VFIO_PCI_ATOMIC_COMP*: the AtomicOps that the path from a function to memory
 * carries and completes.  Changes nothing.
 */
u32 vfio_pci_atomic_completions(struct pci_dev *pdev);

#endif
