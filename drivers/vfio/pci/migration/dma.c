// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the library does to a function without the help of its driver: asks
 * whether its memory answers, turns bus mastering off unseen by the guest and
 * later on again if the guest has set it by then, and resets it by FLR.  Calls
 * no other file of the module.
 *
 * The state lock protects the bus master bit that the guest sees.
 * vfio-pci-core and the helpers of the PCI core that it calls change PCI_COMMAND
 * as well: with memory_lock held for write, but for the interrupt disable bit of
 * INTx, which changes with irqlock held.  So this file changes the register with
 * irqlock held and, except at the end of a reset, with memory_lock held for
 * read.
 */
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/iopoll.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/unaligned.h>

#include "private.h"

/* ---- Does memory answer? ---- */

/*
 * A VF has no memory enable bit and always answers.  Another function without
 * the bit would answer an access with Unsupported Request, which the host might
 * handle as an error.
 */
bool vfio_pci_mig_memory_answers(const struct pci_dev *pdev, u16 command)
{
	return pdev->current_state == PCI_D0 &&
	       (pdev->no_command_memory || command & PCI_COMMAND_MEMORY);
}

bool vfio_pci_mig_memory_enabled(const struct vfio_pci_migration *pci)
{
	return vfio_pci_mig_memory_answers(pci->core.pdev,
			get_unaligned_le16(pci->core.vconfig + PCI_COMMAND));
}

bool vfio_pci_mig_memory_usable(const struct vfio_pci_migration *pci)
{
	return !pci->core.pm_runtime_engaged &&
	       vfio_pci_mig_memory_enabled(pci);
}

/* ---- PCI_COMMAND ---- */

/* A lost function reads as all ones, which must not be written back. */
static bool command_get(struct pci_dev *pdev, u16 *command)
{
	return !pci_read_config_word(pdev, PCI_COMMAND, command) &&
	       !PCI_POSSIBLE_ERROR(*command);
}

static bool bus_master_get(struct pci_dev *pdev)
{
	u16 command;

	return command_get(pdev, &command) && command & PCI_COMMAND_MASTER;
}

static void command_update(struct vfio_pci_core_device *core, u16 clear,
			   u16 set)
{
	u16 old, new;

	spin_lock_irq(&core->irqlock);
	if (command_get(core->pdev, &old)) {
		new = (old & ~clear) | set;
		if (new != old)
			pci_write_config_word(core->pdev, PCI_COMMAND, new);
	}
	spin_unlock_irq(&core->irqlock);
}

static void bus_master_set(struct vfio_pci_migration *pci, bool on)
{
	command_update(&pci->core, PCI_COMMAND_MASTER,
		       on ? PCI_COMMAND_MASTER : 0);
}

/*
 * A function may have lost its BARs in a reset that the PCI core does not know
 * of; a VF has none of its own.  vfio-pci-core writes them before it turns
 * decoding on, but not if it finds it on.
 */
static void restore_bars(struct vfio_pci_core_device *core)
{
	struct pci_dev *pdev = core->pdev;
	unsigned int i;
	int pos;
	u32 bar;

	for (i = 0; i < ARRAY_SIZE(core->rbar); i++) {
		pos = i < PCI_STD_NUM_BARS ? PCI_BASE_ADDRESS_0 + 4 * i :
					     PCI_ROM_ADDRESS;
		if (!pci_read_config_dword(pdev, pos, &bar) &&
		    bar != core->rbar[i])
			pci_write_config_dword(pdev, pos, core->rbar[i]);
	}
}

/**
 * vfio_pci_mig_prepare - make the registers of a function answer
 * @mig: migration of a function
 *
 * For vfio_mig_driver.prepare.  Turns memory decoding on, which the guest may
 * have turned off, and leaves it on: the guest cannot tell, as its accesses are
 * refused by the bit that it has set.  A VF has no memory enable bit (SR-IOV
 * 9.3.4.1.3); the guest's is emulated, and often off.  QEMU's models of VFs do
 * have the bit.
 *
 * Context: memory_lock and state lock held.
 */
void vfio_pci_mig_prepare(struct vfio_migration *mig)
{
	struct vfio_pci_core_device *core = &mig_to_vfio_pci_mig(mig)->core;
	u16 command;

	if (!command_get(core->pdev, &command) || command & PCI_COMMAND_MEMORY)
		return;
	if (!core->pdev->is_virtfn)
		restore_bars(core);
	command_update(core, 0, PCI_COMMAND_MEMORY);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_prepare);

/**
 * vfio_pci_mig_quiesce - turn bus mastering off
 * @mig: migration of a function
 *
 * For vfio_mig_driver.quiesce.  The function begins no DMA and sends no MSI any
 * more, whatever the guest does.  The guest still sees the bit that it has set.
 *
 * Context: memory_lock and state lock held.
 */
void vfio_pci_mig_quiesce(struct vfio_migration *mig)
{
	struct vfio_pci_migration *pci = mig_to_vfio_pci_mig(mig);

	lockdep_assert_held(&mig->lock);
	if (!pci->dma_off) {
		pci->bus_master = bus_master_get(pci->core.pdev);
		pci->dma_off = true;
	}
	bus_master_set(pci, false);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_quiesce);

/**
 * vfio_pci_mig_dma_off - turn bus mastering off and wait for transactions to
 * end
 * @pci: the function, which the driver has stopped by the function's own means
 *
 * Context: memory_lock and state lock held.  Sleeps.
 *
 * Return: 0, or -EIO if transactions are still pending.
 */
int vfio_pci_mig_dma_off(struct vfio_pci_migration *pci)
{
	vfio_pci_mig_quiesce(&pci->mig);
	return pci_wait_for_pending_transaction(pci->core.pdev) ? 0 : -EIO;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_dma_off);

/**
 * vfio_pci_mig_dma_on - set bus mastering to what the guest has set
 * @pci: the function
 *
 * Undoes vfio_pci_mig_dma_off() and vfio_pci_mig_quiesce().  The library does
 * so after a reset and in a close.
 *
 * Context: State lock held.
 */
void vfio_pci_mig_dma_on(struct vfio_pci_migration *pci)
{
	lockdep_assert_held(&pci->mig.lock);
	if (!pci->dma_off)
		return;
	bus_master_set(pci, pci->bus_master);
	pci->dma_off = false;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_dma_on);

bool vfio_pci_mig_bus_master_shown(const struct vfio_pci_migration *pci)
{
	u16 command;

	lockdep_assert_held(&pci->mig.lock);
	/* All ones show the guest that the function is lost. */
	if (!command_get(pci->core.pdev, &command))
		return true;
	return pci->dma_off ? pci->bus_master : command & PCI_COMMAND_MASTER;
}

static bool contains(u64 offset, size_t count, u64 reg)
{
	return offset <= reg && reg - offset < count;
}

bool vfio_pci_mig_may_master(const struct vfio_pci_migration *pci, u64 offset,
			     size_t count)
{
	u8 pm = pci->core.pdev->pm_cap;

	return contains(offset, count, PCI_COMMAND) ||
	       (pm && contains(offset, count, pm + PCI_PM_CTRL));
}

/*
 * vfio-pci-core has written the guest's bit to the device, even while it has to
 * be off.  If the driver has stopped the function before, the function did no DMA
 * meanwhile.  In ERROR the driver could not stop it, so the function may have done
 * DMA, as any device may until it is reset.
 *
 * DMA may have gone off or on since the write.  The register then no longer has
 * what the guest wrote, so this goes by @command.
 */
void vfio_pci_mig_command_written(struct vfio_pci_migration *pci, u8 command)
{
	bool on = command & PCI_COMMAND_MASTER;

	lockdep_assert_held(&pci->core.memory_lock);
	lockdep_assert_held(&pci->mig.lock);
	if (pci->dma_off)
		pci->bus_master = on;
	bus_master_set(pci, on && !pci->dma_off);
}

void vfio_pci_mig_power_written(struct vfio_pci_migration *pci)
{
	lockdep_assert_held(&pci->core.memory_lock);
	lockdep_assert_held(&pci->mig.lock);
	if (pci->dma_off)
		bus_master_set(pci, false);
}

/* ---- FLR ---- */

/* Removes all mappings of BARs: accesses wait until memory_lock is released. */
static void zap_bars(struct vfio_pci_core_device *core)
{
	loff_t start = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_BAR0_REGION_INDEX);
	loff_t end = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_ROM_REGION_INDEX);

	unmap_mapping_range(core->vdev.inode->i_mapping, start, end - start,
			    true);
}

/*
 * If a device is closed because its driver is unbound, the task that unbinds it
 * holds the device lock and waits for the close.  A driver that is not being
 * unbound yet cannot begin to be while this task holds the device lock.
 */
static bool lock_is_held_for_us(const struct vfio_pci_migration *pci)
{
	return pci->closing && READ_ONCE(pci->leaving);
}

static bool flr_trylock(struct vfio_pci_migration *pci)
{
	if (lock_is_held_for_us(pci))
		return pci_cfg_access_trylock(pci->core.pdev);
	return pci_dev_trylock(pci->core.pdev);
}

static void flr_unlock(struct vfio_pci_migration *pci)
{
	if (lock_is_held_for_us(pci))
		pci_cfg_access_unlock(pci->core.pdev);
	else
		pci_dev_unlock(pci->core.pdev);
}

/**
 * vfio_pci_mig_flr - reset a function by FLR
 * @pci: the function
 *
 * For arcs with VFIO_MIG_ARC_EXCLUSIVE, and for vfio_mig_driver.close.  Removes
 * the user's mappings of BARs, and saves and restores configuration space.
 * Does not call the driver's reset().
 *
 * Not for a function with INTx: its handler and vfio-pci-core, under a lock
 * that is outside of memory_lock, change PCI_COMMAND, which is restored.  Not
 * for a driver that offers dma-bufs of BARs, which only vfio-pci-core revokes.
 *
 * Context: memory_lock held for write, and the state lock.  Sleeps.
 *
 * Return: 0; -EAGAIN if the function was not reset, because another task holds
 * its device lock, perhaps to reset it; -EOPNOTSUPP if it has INTx; or an error
 * of pcie_flr().
 */
int vfio_pci_mig_flr(struct vfio_pci_migration *pci)
{
	struct vfio_pci_core_device *core = &pci->core;
	int locked, ret;

	lockdep_assert_held_write(&core->memory_lock);
	if (core->pdev->pin)
		return -EOPNOTSUPP;
	zap_bars(core);
	/*
	 * Its holder may wait for our locks, but most holders only read sysfs.
	 */
	if (read_poll_timeout(flr_trylock, locked, locked, USEC_PER_MSEC,
			      100 * USEC_PER_MSEC, false, pci))
		return -EAGAIN;
	pci_save_state(core->pdev);
	ret = pcie_flr(core->pdev);
	pci_restore_state(core->pdev);
	flr_unlock(pci);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_flr);
