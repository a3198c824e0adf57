// SPDX-License-Identifier: GPL-2.0-only
/*
 * What stops a function from the outside: bus mastering, which goes off below
 * the guest's view and comes back as the guest wants it by then, and FLR.
 *
 * The state lock protects the guest's wish.  vfio-pci-core changes PCI_COMMAND
 * as well: for the guest with memory_lock held for writing, and in INTx's handler
 * with irqlock held.  So this file changes it with irqlock held and, except at the
 * end of a reset, with memory_lock held for reading.
 */
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/iopoll.h>
#include <linux/mm.h>
#include <linux/pci.h>

#include "private.h"

/* A function that is lost reads as all ones, which must not be written back. */
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

/**
 * vfio_pci_mig_prepare - have the registers of a function answer
 * @mig: migration; memory_lock and state lock held
 *
 * For vfio_mig_driver.prepare.  A guest may have the memory enable bit off.
 * That of a VF has no function (SR-IOV 9.3.4.1.3) and is emulated to the
 * guest, which often has it off; but where there is one after all, as in
 * QEMU's models, it has to be on as well.
 */
void vfio_pci_mig_prepare(struct vfio_migration *mig)
{
	command_update(&mig_to_vfio_pci_mig(mig)->core, 0,
		       PCI_COMMAND_MEMORY);
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_prepare);

/**
 * vfio_pci_mig_quiesce - turn bus mastering off
 * @mig: migration; memory_lock and state lock held
 *
 * For vfio_mig_driver.quiesce.  No DMA and no MSI begins any more, whatever
 * the guest does.  It sees the bit as it wants it to be.
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
 * vfio_pci_mig_dma_off - turn bus mastering off and see what is on its way end
 * @pci: the function, which the driver has told to stop; memory_lock and state
 *	lock held
 *
 * Return: 0, or -EIO if it does not end.
 */
int vfio_pci_mig_dma_off(struct vfio_pci_migration *pci)
{
	vfio_pci_mig_quiesce(&pci->mig);
	return pci_wait_for_pending_transaction(pci->core.pdev) ? 0 : -EIO;
}
EXPORT_SYMBOL_GPL(vfio_pci_mig_dma_off);

/**
 * vfio_pci_mig_dma_on - have bus mastering as the guest wants it
 * @pci: the function; state lock held
 *
 * The undoing of vfio_pci_mig_dma_off().  A reset and a close do it, too.
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
	/* By all ones a guest sees that the function is lost. */
	if (!command_get(pci->core.pdev, &command))
		return true;
	return pci->dma_off ? pci->bus_master : command & PCI_COMMAND_MASTER;
}

/*
 * vfio-pci-core has let the device have the bit, also while it is to be off.  The
 * driver has stopped the function before, so there is nothing that the bit could
 * have let through.
 *
 * DMA may have gone off or on since: then the register no longer tells what the
 * guest wants, so this goes by what was written.
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

void vfio_pci_mig_config_written(struct vfio_pci_migration *pci)
{
	lockdep_assert_held(&pci->core.memory_lock);
	lockdep_assert_held(&pci->mig.lock);
	if (pci->dma_off)
		bus_master_set(pci, false);
}

/* Nobody has a BAR mapped until memory_lock is released. */
static void zap_bars(struct vfio_pci_core_device *core)
{
	loff_t start = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_BAR0_REGION_INDEX);
	loff_t end = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_ROM_REGION_INDEX);

	unmap_mapping_range(core->vdev.inode->i_mapping, start, end - start,
			    true);
}

/*
 * While a device is closed because its driver is taken away, whoever does that
 * has the device's lock, and waits.  A device that is not going yet does not
 * begin to as long as we have its lock.
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
 * vfio_pci_mig_flr - reset a function, by FLR
 * @pci: the function; memory_lock held for writing, and the state lock
 *
 * For arcs with VFIO_MIG_ARC_EXCLUSIVE, and vfio_mig_driver.close.  The
 * driver's reset() is not called.  Configuration space is saved and restored.
 *
 * Return: 0, -EAGAIN if it was not done since somebody else is about to reset
 * it or has its lock for other reasons, or another error.
 */
int vfio_pci_mig_flr(struct vfio_pci_migration *pci)
{
	struct vfio_pci_core_device *core = &pci->core;
	int locked, ret;

	lockdep_assert_held_write(&core->memory_lock);
	zap_bars(core);
	/* Whoever has the lock may wait for ours, but mostly reads sysfs. */
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
