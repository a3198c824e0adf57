// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI_COMMAND while DMA is off, and links that freeze, on a function that has
 * only this register and BARs.  The guest's last write counts, whatever happens
 * before the library sees it.  A lost function is not written to.  The state is
 * RUNNING after the reset, not before.
 */
#include <kunit/test.h>
#include <linux/pci.h>

#include "../private.h"

#define MASTER	PCI_COMMAND_MASTER
#define MEMORY	PCI_COMMAND_MEMORY
#define OTHERS	(PCI_COMMAND_PARITY | PCI_COMMAND_SERR)

struct function {
	struct vfio_pci_migration pci;
	struct pci_dev pdev;
	struct pci_bus bus;
	u16 command;		/* the registers */
	u32 bar[PCI_STD_NUM_BARS];
	bool strays;		/* memory was decoded at a wrong address */
	bool dead;		/* reads all ones, and loses writes */
	unsigned int lost_writes;
	unsigned int resets;
};

static u32 *function_bar(struct function *f, int where)
{
	if (where < PCI_BASE_ADDRESS_0 || where > PCI_BASE_ADDRESS_5)
		return NULL;
	return &f->bar[(where - PCI_BASE_ADDRESS_0) / 4];
}

static int function_read(struct pci_bus *bus, unsigned int devfn, int where,
			 int size, u32 *value)
{
	struct function *f = bus->sysdata;
	u32 *bar = function_bar(f, where);

	*value = f->dead ? U32_MAX : where == PCI_COMMAND ? f->command :
		 bar ? *bar : 0;
	return PCIBIOS_SUCCESSFUL;
}

static int function_write(struct pci_bus *bus, unsigned int devfn, int where,
			  int size, u32 value)
{
	struct function *f = bus->sysdata;
	u32 *bar = function_bar(f, where);

	if (f->dead)
		f->lost_writes++;
	else if (where == PCI_COMMAND)
		f->command = value;
	else if (bar)
		*bar = value;
	if (f->command & PCI_COMMAND_MEMORY &&
	    memcmp(f->bar, f->pci.core.rbar, sizeof(f->bar)))
		f->strays = true;
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops function_ops = {
	.read = function_read,
	.write = function_write,
};

static void function_reset(struct vfio_migration *mig)
{
	container_of(mig, struct function, pci.mig)->resets++;
}

static const struct vfio_mig_driver function_driver = {
	.quiesce = vfio_pci_mig_quiesce,
	.reset = function_reset,
};

static struct function *function_new(struct kunit *test, u16 command)
{
	struct function *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->command = command;
	f->bus.ops = &function_ops;
	f->bus.sysdata = f;
	f->pdev.bus = &f->bus;
	f->pdev.error_state = pci_channel_io_normal;
	f->pdev.dev.init_name = "function_kunit";
	dev_set_drvdata(&f->pdev.dev, &f->pci.core);
	f->pci.core.pdev = &f->pdev;
	f->pci.core.vdev.dev = &f->pdev.dev;
	spin_lock_init(&f->pci.core.irqlock);
	mutex_init(&f->pci.core.igate);
	init_rwsem(&f->pci.core.memory_lock);
	mutex_init(&f->pci.mig.lock);
	f->pci.mig.driver = &function_driver;
	f->pci.mig.vdev = &f->pci.core.vdev;
	f->pci.mig.memory_lock = &f->pci.core.memory_lock;
	f->pci.mig.state = VFIO_DEVICE_STATE_RUNNING;
	f->pci.opened = true;
	return f;
}

static void lock(struct function *f)
{
	down_read(&f->pci.core.memory_lock);
	mutex_lock(&f->pci.mig.lock);
}

static void unlock(struct function *f)
{
	mutex_unlock(&f->pci.mig.lock);
	up_read(&f->pci.core.memory_lock);
}

static void quiesce(struct function *f)
{
	lock(f);
	vfio_pci_mig_quiesce(&f->pci.mig);
	unlock(f);
}

static void prepare(struct function *f)
{
	lock(f);
	vfio_pci_mig_prepare(&f->pci.mig);
	unlock(f);
}

static void dma_on(struct function *f)
{
	lock(f);
	vfio_pci_mig_dma_on(&f->pci);
	unlock(f);
}

/*
 * vfio-pci-core writes the register before the library sees the guest's write.
 */
static void core_writes(struct function *f, u16 command)
{
	f->command = command;
}

static void library_sees(struct function *f, u8 command)
{
	lock(f);
	vfio_pci_mig_command_written(&f->pci, command);
	unlock(f);
}

static bool shown(struct function *f)
{
	bool on;

	lock(f);
	on = vfio_pci_mig_bus_master_shown(&f->pci);
	unlock(f);
	return on;
}

static void off_and_on(struct kunit *test)
{
	struct function *f = function_new(test, MASTER | MEMORY | OTHERS);

	quiesce(f);
	KUNIT_EXPECT_EQ(test, MEMORY | OTHERS, f->command);
	KUNIT_EXPECT_TRUE(test, shown(f));
	quiesce(f);
	KUNIT_EXPECT_TRUE(test, shown(f));
	dma_on(f);
	KUNIT_EXPECT_EQ(test, MASTER | MEMORY | OTHERS, f->command);

	f = function_new(test, MEMORY);
	quiesce(f);
	KUNIT_EXPECT_FALSE(test, shown(f));
	dma_on(f);
	KUNIT_EXPECT_EQ(test, MEMORY, f->command);
}

static void written_while_off(struct kunit *test)
{
	struct function *f = function_new(test, MASTER | MEMORY);
	unsigned int i;

	quiesce(f);
	for (i = 0; i < 4; i++) {
		u16 command = MEMORY | (i % 2 ? MASTER : 0);

		core_writes(f, command);
		library_sees(f, command);
		KUNIT_EXPECT_EQ(test, MEMORY, f->command);
		KUNIT_EXPECT_EQ(test, i % 2, shown(f));
	}
	dma_on(f);
	KUNIT_EXPECT_EQ(test, MASTER | MEMORY, f->command);
}

/* DMA goes off before the library sees the write, or before the write. */
static void written_while_it_goes_off(struct kunit *test)
{
	static const u16 commands[] = { MEMORY, MEMORY | MASTER };
	unsigned int before, written, order;

	for (order = 0; order < 2; order++) {
		for (before = 0; before < 2; before++) {
			for (written = 0; written < 2; written++) {
				struct function *f =
					function_new(test, commands[before]);

				if (order)
					quiesce(f);
				core_writes(f, commands[written]);
				if (!order)
					quiesce(f);
				library_sees(f, commands[written]);
				KUNIT_EXPECT_EQ(test, MEMORY, f->command);
				KUNIT_EXPECT_EQ(test, written, shown(f));
				dma_on(f);
				KUNIT_EXPECT_EQ(test, commands[written],
						f->command);
			}
		}
	}
}

/* DMA goes on in between, with the guest's previous bit. */
static void written_while_it_goes_on(struct kunit *test)
{
	static const u16 commands[] = { MEMORY, MEMORY | MASTER };
	unsigned int before, written;

	for (before = 0; before < 2; before++) {
		for (written = 0; written < 2; written++) {
			struct function *f = function_new(test,
							  commands[before]);

			quiesce(f);
			core_writes(f, commands[written]);
			dma_on(f);
			library_sees(f, commands[written]);
			KUNIT_EXPECT_EQ(test, commands[written], f->command);
			KUNIT_EXPECT_EQ(test, written, shown(f));
		}
	}
}

/* A change of the power state has restored the register. */
static void does_not_come_back_unasked(struct kunit *test)
{
	struct function *f = function_new(test, MASTER | MEMORY);

	quiesce(f);
	f->command |= MASTER;
	lock(f);
	vfio_pci_mig_power_written(&f->pci);
	unlock(f);
	KUNIT_EXPECT_EQ(test, MEMORY, f->command);
	dma_on(f);
	KUNIT_EXPECT_EQ(test, MASTER | MEMORY, f->command);
	lock(f);
	vfio_pci_mig_power_written(&f->pci);
	unlock(f);
	KUNIT_EXPECT_EQ(test, MASTER | MEMORY, f->command);
}

/* All other writes need not wait for the state lock. */
static void writes_that_may_turn_it_on(struct kunit *test)
{
	struct function *f = function_new(test, 0);
	static const struct {
		u64 offset;
		size_t count;
		bool command;
		bool power;
	} rows[] = {
		{ 0, 4, false, false },
		{ 0, 5, true, false },
		{ PCI_COMMAND, 1, true, false },
		{ PCI_COMMAND + 1, 1, false, false },
		{ PCI_CACHE_LINE_SIZE, 4, false, false },
		{ 0x40, 4, false, false },
		{ 0x40, 5, false, true },
		{ 0x44, 1, false, true },
		{ 0x44, 4, false, true },
		{ 0x45, 1, false, false },
		{ 0, 256, true, true },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		f->pdev.pm_cap = 0;
		KUNIT_EXPECT_EQ_MSG(test, rows[i].command,
				    vfio_pci_mig_may_master(&f->pci,
							    rows[i].offset,
							    rows[i].count),
				    "row %u", i);
		f->pdev.pm_cap = 0x40;
		KUNIT_EXPECT_EQ_MSG(test, rows[i].command || rows[i].power,
				    vfio_pci_mig_may_master(&f->pci,
							    rows[i].offset,
							    rows[i].count),
				    "row %u", i);
	}
}

static void all_ones_are_not_written_back(struct kunit *test)
{
	struct function *f = function_new(test, MASTER);

	f->dead = true;
	quiesce(f);
	prepare(f);
	library_sees(f, 0);
	KUNIT_EXPECT_TRUE(test, shown(f));
	dma_on(f);
	KUNIT_EXPECT_TRUE(test, shown(f));
	KUNIT_EXPECT_EQ(test, 0, f->lost_writes);
}

/* A reset that nobody knows of has cleared the BARs. */
static void decodes_at_its_addresses(struct kunit *test)
{
	struct function *f = function_new(test, MASTER);
	unsigned int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		f->pci.core.rbar[i] = 0xfe000000 + i * SZ_64K;
	prepare(f);
	KUNIT_EXPECT_EQ(test, MASTER | MEMORY, f->command);
	KUNIT_EXPECT_FALSE(test, f->strays);

	/* A VF has no BARs of its own. */
	memset(f->bar, 0, sizeof(f->bar));
	f->command = 0;
	f->pdev.is_virtfn = 1;
	prepare(f);
	KUNIT_EXPECT_EQ(test, MEMORY, f->command);
	KUNIT_EXPECT_EQ(test, 0, f->bar[0]);
}

static void no_flr_with_intx(struct kunit *test)
{
	struct function *f = function_new(test, MASTER | MEMORY);
	int ret;

	f->pdev.pin = 1;
	down_write(&f->pci.core.memory_lock);
	mutex_lock(&f->pci.mig.lock);
	ret = vfio_pci_mig_flr(&f->pci);
	mutex_unlock(&f->pci.mig.lock);
	up_write(&f->pci.core.memory_lock);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, ret);
	KUNIT_EXPECT_EQ(test, MASTER | MEMORY, f->command);
}

static enum vfio_device_mig_state error(struct function *f,
					pci_channel_state_t channel)
{
	vfio_pci_mig_err_handlers.error_detected(&f->pdev, channel);
	return f->pci.mig.state;
}

static enum vfio_device_mig_state resume(struct function *f)
{
	vfio_pci_mig_err_handlers.resume(&f->pdev);
	return f->pci.mig.state;
}

static void frozen_link(struct kunit *test)
{
	struct function *f = function_new(test, MASTER | MEMORY);

	f->dead = true;
	KUNIT_EXPECT_EQ(test, VFIO_DEVICE_STATE_ERROR,
			error(f, pci_channel_io_frozen));
	KUNIT_EXPECT_EQ(test, 0, f->resets);
	KUNIT_EXPECT_EQ(test, 0, f->lost_writes);
	f->dead = false;
	f->command = 0;		/* as a reset leaves it */
	KUNIT_EXPECT_EQ(test, VFIO_DEVICE_STATE_RUNNING, resume(f));
	KUNIT_EXPECT_EQ(test, 1, f->resets);
	KUNIT_EXPECT_EQ(test, 0, f->command);
	/* An error that does not freeze the link ends without a reset. */
	KUNIT_EXPECT_EQ(test, VFIO_DEVICE_STATE_RUNNING,
			error(f, pci_channel_io_normal));
	KUNIT_EXPECT_EQ(test, VFIO_DEVICE_STATE_RUNNING, resume(f));
	KUNIT_EXPECT_EQ(test, 1, f->resets);
}

/* The user resets the device before the recovery has ended. */
static void reset_of_a_frozen_link(struct kunit *test)
{
	struct function *f = function_new(test, MASTER | MEMORY);

	error(f, pci_channel_io_frozen);
	KUNIT_EXPECT_EQ(test, MEMORY, f->command);
	vfio_pci_mig_err_handlers.reset_prepare(&f->pdev);
	vfio_pci_mig_err_handlers.reset_done(&f->pdev);
	KUNIT_EXPECT_EQ(test, MASTER | MEMORY, f->command);
	f->pci.mig.state = VFIO_DEVICE_STATE_STOP;
	KUNIT_EXPECT_EQ(test, VFIO_DEVICE_STATE_STOP, resume(f));
	KUNIT_EXPECT_EQ(test, 1, f->resets);
}

static void link_that_stays_dead(struct kunit *test)
{
	struct function *f = function_new(test, MASTER);

	KUNIT_EXPECT_EQ(test, VFIO_DEVICE_STATE_ERROR,
			error(f, pci_channel_io_frozen));
	KUNIT_EXPECT_EQ(test, VFIO_DEVICE_STATE_ERROR,
			error(f, pci_channel_io_perm_failure));
	KUNIT_EXPECT_EQ(test, 0, f->resets);
}

/* The next user must not find the device in ERROR. */
static void frozen_without_a_user(struct kunit *test)
{
	struct function *f = function_new(test, MASTER);

	f->pci.opened = false;
	KUNIT_EXPECT_EQ(test, VFIO_DEVICE_STATE_RUNNING,
			error(f, pci_channel_io_frozen));
	KUNIT_EXPECT_EQ(test, MASTER, f->command);
	KUNIT_EXPECT_EQ(test, VFIO_DEVICE_STATE_RUNNING, resume(f));
}

static void memory_answers(struct kunit *test)
{
	struct function *f = function_new(test, 0);
	struct pci_dev *pdev = &f->pdev;

	pdev->current_state = PCI_D0;
	KUNIT_EXPECT_TRUE(test, vfio_pci_mig_memory_answers(pdev, MEMORY));
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_memory_answers(pdev, MASTER));
	pdev->current_state = PCI_D3hot;
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_memory_answers(pdev, MEMORY));
	/* A VF */
	pdev->no_command_memory = 1;
	KUNIT_EXPECT_FALSE(test, vfio_pci_mig_memory_answers(pdev, 0));
	pdev->current_state = PCI_D0;
	KUNIT_EXPECT_TRUE(test, vfio_pci_mig_memory_answers(pdev, 0));
}

static struct kunit_case function_cases[] = {
	KUNIT_CASE(off_and_on),
	KUNIT_CASE(written_while_off),
	KUNIT_CASE(written_while_it_goes_off),
	KUNIT_CASE(written_while_it_goes_on),
	KUNIT_CASE(does_not_come_back_unasked),
	KUNIT_CASE(writes_that_may_turn_it_on),
	KUNIT_CASE(all_ones_are_not_written_back),
	KUNIT_CASE(decodes_at_its_addresses),
	KUNIT_CASE(no_flr_with_intx),
	KUNIT_CASE(frozen_link),
	KUNIT_CASE(reset_of_a_frozen_link),
	KUNIT_CASE(link_that_stays_dead),
	KUNIT_CASE(frozen_without_a_user),
	KUNIT_CASE(memory_answers),
	{}
};

static struct kunit_suite function_suite = {
	.name = "vfio_pci_mig_function",
	.test_cases = function_cases,
};

kunit_test_suite(function_suite);
