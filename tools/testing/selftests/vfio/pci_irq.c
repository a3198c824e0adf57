// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: INTx and MSI on an 82574L, MSI-X on the VF, and the errors of
 * VFIO_DEVICE_SET_IRQS.  Both devices have a register by which software raises
 * an interrupt cause.
 */
#include <linux/pci_regs.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "nic.h"
#include "pci_funcs.h"

#define INTX	VFIO_PCI_INTX_IRQ_INDEX
#define MSI	VFIO_PCI_MSI_IRQ_INDEX
#define MSIX	VFIO_PCI_MSIX_IRQ_INDEX
#define ERR	VFIO_PCI_ERR_IRQ_INDEX
#define REQ	VFIO_PCI_REQ_IRQ_INDEX

#define NONE	VFIO_IRQ_SET_DATA_NONE
#define BOOL	VFIO_IRQ_SET_DATA_BOOL
#define EVENTFD	VFIO_IRQ_SET_DATA_EVENTFD
#define MASK	VFIO_IRQ_SET_ACTION_MASK
#define UNMASK	VFIO_IRQ_SET_ACTION_UNMASK
#define TRIGGER	VFIO_IRQ_SET_ACTION_TRIGGER

/* Intel 82574 datasheet, "Interrupt Registers" */
#define ICR	0xc0
#define ICS	0xc8
#define IMS	0xd0
#define IMC	0xd8
#define LSC	(1U << 2)

/* Long enough for an unexpected interrupt to arrive. */
static void settle(void)
{
	sleep_us(20000);
}

static bool all_set(const int32_t *fds, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (!eventfd_wait(fds[i]))
			return false;
	return true;
}

/* INTx and MSI of the 82574L */

FIXTURE(legacy) {
	struct vdev v;
	int32_t fd;
};

FIXTURE_SETUP(legacy)
{
	vdev_open(&self->v, NEED_FUNC(FUNC_E1000E), DRV_VFIO_PCI);
	self->fd = eventfd_new();
	cfg_command(&self->v, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
		    PCI_COMMAND_INTX_DISABLE);
	reg_write(&self->v, 0, IMC, ~0U);
	reg_read(&self->v, 0, ICR);
	reg_write(&self->v, 0, IMS, LSC);
}

FIXTURE_TEARDOWN(legacy)
{
	vdev_close(&self->v);
}

/* Raises the device's interrupt line ... */
static void raise_line(const struct vdev *v)
{
	reg_write(v, 0, ICS, LSC);
}

/* ... and lowers it, by a read of the cause. */
static void quiet_line(const struct vdev *v)
{
	reg_read(v, 0, ICR);
}

static void intx_up(struct vdev *v, int32_t fd)
{
	must(irq_eventfds(v, INTX, 0, &fd, 1));
}

TEST_F(legacy, intx_is_maskable_and_auto_masked)
{
	struct vfio_irq_info info = vdev_irq(&self->v, INTX);

	EXPECT_EQ(1, info.count);
	EXPECT_EQ(VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
		  VFIO_IRQ_INFO_AUTOMASKED, info.flags);
}

TEST_F(legacy, intx_comes_once_and_is_masked)
{
	intx_up(&self->v, self->fd);
	raise_line(&self->v);
	EXPECT_EQ(1, eventfd_wait(self->fd));
	raise_line(&self->v);
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd));
	quiet_line(&self->v);
	ASSERT_EQ(0, irq_unmask(&self->v, INTX));
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd));
	raise_line(&self->v);
	EXPECT_EQ(1, eventfd_wait(self->fd));
}

TEST_F(legacy, intx_is_level_triggered)
{
	unsigned int i;

	intx_up(&self->v, self->fd);
	raise_line(&self->v);
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(1, eventfd_wait(self->fd));
		ASSERT_EQ(0, irq_unmask(&self->v, INTX));
	}
	quiet_line(&self->v);
}

TEST_F(legacy, intx_is_masked_and_unmasked)
{
	intx_up(&self->v, self->fd);
	ASSERT_EQ(0, irq_mask(&self->v, INTX));
	ASSERT_EQ(0, irq_mask(&self->v, INTX));
	raise_line(&self->v);
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd));
	ASSERT_EQ(0, irq_unmask(&self->v, INTX));
	EXPECT_EQ(1, eventfd_wait(self->fd));
	/* Masks do not nest. */
	quiet_line(&self->v);
	ASSERT_EQ(0, irq_unmask(&self->v, INTX));
	ASSERT_EQ(0, irq_unmask(&self->v, INTX));
	raise_line(&self->v);
	EXPECT_EQ(1, eventfd_wait(self->fd));
}

TEST_F(legacy, intx_is_masked_with_bool_data)
{
	uint8_t yes = 1, no = 0;

	intx_up(&self->v, self->fd);
	ASSERT_EQ(0, irq_set(&self->v, BOOL | MASK, INTX, 0, 1, &no, 1));
	raise_line(&self->v);
	EXPECT_EQ(1, eventfd_wait(self->fd));
	quiet_line(&self->v);
	ASSERT_EQ(0, irq_set(&self->v, BOOL | UNMASK, INTX, 0, 1, &no, 1));
	raise_line(&self->v);
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd));
	ASSERT_EQ(0, irq_set(&self->v, BOOL | UNMASK, INTX, 0, 1, &yes, 1));
	EXPECT_EQ(1, eventfd_wait(self->fd));
	quiet_line(&self->v);
	ASSERT_EQ(0, irq_unmask(&self->v, INTX));
	ASSERT_EQ(0, irq_set(&self->v, BOOL | MASK, INTX, 0, 1, &yes, 1));
	raise_line(&self->v);
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd));
}

TEST_F(legacy, intx_is_unmasked_by_eventfd)
{
	int32_t unmask = eventfd_new();
	unsigned int i;

	intx_up(&self->v, self->fd);
	ASSERT_EQ(0, irq_unmask_eventfd(&self->v, INTX, unmask));
	raise_line(&self->v);
	/* The line is still up: each unmask signals again. */
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(1, eventfd_wait(self->fd));
		settle();
		EXPECT_EQ(0, eventfd_take(self->fd));
		eventfd_kick(unmask);
	}
	ASSERT_EQ(1, eventfd_wait(self->fd));
	quiet_line(&self->v);
	eventfd_kick(unmask);
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd));
	raise_line(&self->v);
	EXPECT_EQ(1, eventfd_wait(self->fd));
	/* Without the unmask eventfd, kicks have no effect. */
	ASSERT_EQ(0, irq_unmask_eventfd(&self->v, INTX, -1));
	eventfd_kick(unmask);
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd));
	ASSERT_EQ(0, irq_unmask(&self->v, INTX));
	EXPECT_EQ(1, eventfd_wait(self->fd));
}

TEST_F(legacy, intx_is_triggered_by_software)
{
	uint8_t yes = 1, no = 0;

	EXPECT_GT(0, irq_trigger(&self->v, INTX, 0, 1));
	intx_up(&self->v, self->fd);
	ASSERT_EQ(0, irq_trigger(&self->v, INTX, 0, 1));
	EXPECT_EQ(1, eventfd_take(self->fd));
	ASSERT_EQ(0, irq_set(&self->v, BOOL | TRIGGER, INTX, 0, 1, &yes, 1));
	EXPECT_EQ(1, eventfd_take(self->fd));
	ASSERT_EQ(0, irq_set(&self->v, BOOL | TRIGGER, INTX, 0, 1, &no, 1));
	EXPECT_EQ(0, eventfd_take(self->fd));
}

/* The guest masks INTx in its command register. */
TEST_F(legacy, intx_follows_the_disable_bit)
{
	intx_up(&self->v, self->fd);
	cfg_command(&self->v, PCI_COMMAND_INTX_DISABLE, 0);
	EXPECT_TRUE(cfg_read16(&self->v, PCI_COMMAND) &
		    PCI_COMMAND_INTX_DISABLE);
	raise_line(&self->v);
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd));
	/* Unmasking by SET_IRQS does not override it. */
	ASSERT_EQ(0, irq_unmask(&self->v, INTX));
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd));
	cfg_command(&self->v, 0, PCI_COMMAND_INTX_DISABLE);
	EXPECT_EQ(1, eventfd_wait(self->fd));
	quiet_line(&self->v);
	ASSERT_EQ(0, irq_unmask(&self->v, INTX));
	raise_line(&self->v);
	EXPECT_EQ(1, eventfd_wait(self->fd));
}

TEST_F(legacy, intx_stays_off_if_enabled_with_the_disable_bit)
{
	cfg_command(&self->v, PCI_COMMAND_INTX_DISABLE, 0);
	intx_up(&self->v, self->fd);
	raise_line(&self->v);
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd));
	cfg_command(&self->v, 0, PCI_COMMAND_INTX_DISABLE);
	EXPECT_EQ(1, eventfd_wait(self->fd));
}

TEST_F(legacy, intx_pending_at_enable_is_signalled)
{
	raise_line(&self->v);
	intx_up(&self->v, self->fd);
	EXPECT_EQ(1, eventfd_wait(self->fd));
	/* Disable and enable with the line still up. */
	ASSERT_EQ(0, irq_disable(&self->v, INTX));
	settle();
	intx_up(&self->v, self->fd);
	EXPECT_EQ(1, eventfd_wait(self->fd));
	ASSERT_EQ(0, irq_disable(&self->v, INTX));
	EXPECT_EQ(-EINVAL, irq_disable(&self->v, INTX));
}

TEST_F(legacy, intx_eventfd_can_be_replaced)
{
	int32_t other = eventfd_new();

	intx_up(&self->v, self->fd);
	raise_line(&self->v);
	EXPECT_EQ(1, eventfd_wait(self->fd));
	quiet_line(&self->v);
	intx_up(&self->v, other);
	ASSERT_EQ(0, irq_unmask(&self->v, INTX));
	raise_line(&self->v);
	EXPECT_EQ(1, eventfd_wait(other));
	EXPECT_EQ(0, eventfd_take(self->fd));
	quiet_line(&self->v);
	ASSERT_EQ(0, irq_unmask(&self->v, INTX));
	/* The eventfd's other end is closed: no harm. */
	sys_close(other);
	raise_line(&self->v);
	settle();
	quiet_line(&self->v);
	/* No eventfd: INTx may be disabled or not; a new one works. */
	other = -1;
	EXPECT_EQ(0, irq_eventfds(&self->v, INTX, 0, &other, 1));
	raise_line(&self->v);
	settle();
	intx_up(&self->v, self->fd);
	irq_unmask(&self->v, INTX);
	EXPECT_EQ(1, eventfd_wait(self->fd));
	quiet_line(&self->v);
}

TEST_F(legacy, intx_cannot_be_masked_before_enable)
{
	EXPECT_EQ(-EINVAL, irq_mask(&self->v, INTX));
	EXPECT_EQ(-EINVAL, irq_unmask(&self->v, INTX));
	EXPECT_EQ(-EINVAL, irq_unmask_eventfd(&self->v, INTX, self->fd));
	EXPECT_EQ(-EINVAL, irq_disable(&self->v, INTX));
}

TEST_F(legacy, intx_refuses_other_files)
{
	int32_t bad = 9999;

	EXPECT_EQ(-EBADF, irq_eventfds(&self->v, INTX, 0, &bad, 1));
	EXPECT_EQ(-EINVAL, irq_eventfds(&self->v, INTX, 0,
					&self->v.container, 1));
	intx_up(&self->v, self->fd);
	EXPECT_EQ(-EBADF, irq_unmask_eventfd(&self->v, INTX, bad));
	EXPECT_EQ(-EINVAL, irq_unmask_eventfd(&self->v, INTX,
					      self->v.container));
	raise_line(&self->v);
	EXPECT_EQ(1, eventfd_wait(self->fd));
}

TEST_F(legacy, msi_is_delivered)
{
	struct vfio_irq_info info = vdev_irq(&self->v, MSI);
	unsigned int i;

	EXPECT_EQ(1, info.count);
	EXPECT_TRUE(info.flags & VFIO_IRQ_INFO_EVENTFD);
	EXPECT_FALSE(info.flags & (VFIO_IRQ_INFO_MASKABLE |
				   VFIO_IRQ_INFO_AUTOMASKED));
	ASSERT_EQ(0, irq_eventfds(&self->v, MSI, 0, &self->fd, 1));
	for (i = 0; i < 10; i++) {
		/* One cause may be more than one message. */
		raise_line(&self->v);
		EXPECT_LT(0, eventfd_wait(self->fd));
		quiet_line(&self->v);
	}
	EXPECT_EQ(-ENOTTY, irq_mask(&self->v, MSI));
	EXPECT_EQ(-ENOTTY, irq_unmask(&self->v, MSI));
	settle();
	eventfd_take(self->fd);
	ASSERT_EQ(0, irq_trigger(&self->v, MSI, 0, 1));
	EXPECT_EQ(1, eventfd_take(self->fd));
	ASSERT_EQ(0, irq_disable(&self->v, MSI));
	raise_line(&self->v);
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd));
}

/* The enable bit that the guest sees follows SET_IRQS. */
TEST_F(legacy, msi_enable_bit_follows)
{
	uint32_t at = cfg_cap(&self->v, PCI_CAP_ID_MSI);

	ASSERT_NE(0, at);
	ASSERT_EQ(0, irq_eventfds(&self->v, MSI, 0, &self->fd, 1));
	cfg_write16(&self->v, at + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
	EXPECT_TRUE(cfg_read16(&self->v, at + PCI_MSI_FLAGS) &
		    PCI_MSI_FLAGS_ENABLE);
	raise_line(&self->v);
	EXPECT_LT(0, eventfd_wait(self->fd));
	quiet_line(&self->v);
}

TEST_F(legacy, only_one_kind_is_enabled)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		intx_up(&self->v, self->fd);
		EXPECT_EQ(-EINVAL, irq_eventfds(&self->v, MSI, 0, &self->fd,
						1));
		EXPECT_EQ(-EINVAL, irq_eventfds(&self->v, MSIX, 0, &self->fd,
						1));
		ASSERT_EQ(0, irq_disable(&self->v, INTX));
		ASSERT_EQ(0, irq_eventfds(&self->v, MSI, 0, &self->fd, 1));
		EXPECT_EQ(-EINVAL, irq_eventfds(&self->v, MSIX, 0, &self->fd,
						1));
		EXPECT_EQ(-EINVAL, irq_eventfds(&self->v, INTX, 0, &self->fd,
						1));
		ASSERT_EQ(0, irq_disable(&self->v, MSI));
		ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, &self->fd, 1));
		EXPECT_EQ(-EINVAL, irq_eventfds(&self->v, INTX, 0, &self->fd,
						1));
		ASSERT_EQ(0, irq_disable(&self->v, MSIX));
	}
	intx_up(&self->v, self->fd);
	raise_line(&self->v);
	EXPECT_EQ(1, eventfd_wait(self->fd));
}

/* Threads use all calls at once; INTx works afterwards. */

struct irq_hammer {
	struct vdev *v;
	int32_t fd;
	int32_t unmask;
	bool stop;
	unsigned int running;
};

static bool hammering(struct irq_hammer *h)
{
	sched_yield();
	return !__atomic_load_n(&h->stop, __ATOMIC_SEQ_CST);
}

static void *hammer_command(void *arg)
{
	struct irq_hammer *h = arg;

	while (hammering(h)) {
		cfg_command(h->v, PCI_COMMAND_INTX_DISABLE, 0);
		cfg_command(h->v, 0, PCI_COMMAND_INTX_DISABLE);
	}
	return NULL;
}

static void *hammer_masks(void *arg)
{
	struct irq_hammer *h = arg;

	while (hammering(h)) {
		irq_mask(h->v, INTX);
		irq_unmask(h->v, INTX);
		irq_trigger(h->v, INTX, 0, 1);
		irq_unmask_eventfd(h->v, INTX, h->unmask);
		eventfd_kick(h->unmask);
		irq_unmask_eventfd(h->v, INTX, -1);
		eventfd_take(h->unmask);
	}
	return NULL;
}

static void *hammer_line(void *arg)
{
	struct irq_hammer *h = arg;

	while (hammering(h)) {
		raise_line(h->v);
		eventfd_take(h->fd);
		quiet_line(h->v);
	}
	return NULL;
}

TEST_F(legacy, intx_survives_concurrent_calls)
{
	static void *(*const fns[])(void *) = {
		hammer_command, hammer_masks, hammer_line,
	};
	struct irq_hammer h = {
		.v = &self->v,
		.fd = self->fd,
		.unmask = eventfd_new(),
	};
	pthread_t threads[ARRAY_SIZE(fns)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fns); i++)
		pthread_create(&threads[i], NULL, fns[i], &h);
	for (i = 0; i < 150; i++) {
		int32_t none = -1;

		intx_up(&self->v, self->fd);
		if (i % 3 == 0)
			irq_eventfds(&self->v, INTX, 0, &none, 1);
		sleep_us(100);
		must(irq_disable(&self->v, INTX));
	}
	h.stop = true;
	for (i = 0; i < ARRAY_SIZE(fns); i++)
		pthread_join(threads[i], NULL);
	quiet_line(&self->v);
	eventfd_take(self->fd);
	cfg_command(&self->v, 0, PCI_COMMAND_INTX_DISABLE);
	intx_up(&self->v, self->fd);
	raise_line(&self->v);
	EXPECT_EQ(1, eventfd_wait(self->fd));
}

/* MSI-X of the VF */

FIXTURE(msix) {
	struct vdev v;
	int32_t fd[NR_VECTORS];
};

FIXTURE_VARIANT(msix) {
	const char *func;
	const char *driver;
};

FIXTURE_VARIANT_ADD(msix, vf) {
	.func = FUNC_VF_A1, .driver = DRV_VFIO_PCI,
};

FIXTURE_VARIANT_ADD(msix, vf_igbvf) {
	.func = FUNC_VF_A0, .driver = DRV_IGBVF_VFIO,
};

FIXTURE_SETUP(msix)
{
	const char *bdf = NEED_FUNC(variant->func);
	unsigned int i;

	NEED_MODULE(variant->driver);
	vdev_open(&self->v, bdf, variant->driver);
	for (i = 0; i < NR_VECTORS; i++)
		self->fd[i] = eventfd_new();
	cfg_command(&self->v, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	vf_vectors_on(&self->v);
}

FIXTURE_TEARDOWN(msix)
{
	vdev_close(&self->v);
}

TEST_F(msix, info_has_all_vectors)
{
	struct vfio_irq_info info = vdev_irq(&self->v, MSIX);

	EXPECT_EQ(NR_VECTORS, info.count);
	EXPECT_EQ(VFIO_IRQ_INFO_EVENTFD,
		  info.flags & ~VFIO_IRQ_INFO_NORESIZE);
	/* SR-IOV: a VF has no interrupt pin. */
	EXPECT_EQ(0, vdev_irq(&self->v, INTX).count);
	EXPECT_EQ(0, vdev_irq(&self->v, MSI).count);
	EXPECT_EQ(1, vdev_irq(&self->v, REQ).count);
	EXPECT_GT(0, irq_eventfds(&self->v, INTX, 0, self->fd, 1));
}

TEST_F(msix, each_vector_has_its_eventfd)
{
	unsigned int i, j;

	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
	for (i = 0; i < NR_VECTORS; i++) {
		vf_raise(&self->v, BIT(i));
		EXPECT_EQ(1, eventfd_wait(self->fd[i]));
		for (j = 0; j < NR_VECTORS; j++)
			EXPECT_EQ(0, eventfd_take(self->fd[j]));
	}
	vf_raise(&self->v, ALL_VECTORS);
	EXPECT_TRUE(all_set(self->fd, NR_VECTORS));
}

TEST_F(msix, some_vectors_can_be_enabled)
{
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd, 1));
	vf_raise(&self->v, BIT(0));
	EXPECT_EQ(1, eventfd_wait(self->fd[0]));
	vf_raise(&self->v, BIT(2));
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd[0]));
}

/* QEMU enables MSI-X without vectors and adds those that the guest unmasks. */
TEST_F(msix, vectors_can_be_added_one_by_one)
{
	int32_t none = -1;
	unsigned int i;

	if (vdev_irq(&self->v, MSIX).flags & VFIO_IRQ_INFO_NORESIZE)
		SKIP(return, "the machine cannot allocate vectors one by one");
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, &none, 1));
	for (i = 0; i < NR_VECTORS; i++) {
		unsigned int vector = NR_VECTORS - 1 - i;

		ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, vector,
					  &self->fd[vector], 1));
		vf_raise(&self->v, BIT(vector));
		EXPECT_EQ(1, eventfd_wait(self->fd[vector]));
	}
}

TEST_F(msix, can_be_enabled_again)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd,
					  NR_VECTORS));
		vf_raise(&self->v, ALL_VECTORS);
		EXPECT_TRUE(all_set(self->fd, NR_VECTORS));
		ASSERT_EQ(0, irq_disable(&self->v, MSIX));
		EXPECT_EQ(-EINVAL, irq_disable(&self->v, MSIX));
	}
	vf_raise(&self->v, BIT(1));
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd[1]));
}

TEST_F(msix, vector_without_eventfd_is_silent)
{
	int32_t none = -1;

	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 1, &none, 1));
	vf_raise(&self->v, ALL_VECTORS);
	EXPECT_EQ(1, eventfd_wait(self->fd[0]));
	EXPECT_EQ(1, eventfd_wait(self->fd[2]));
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd[1]));
	/* Interrupts of that time may be pending. */
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 1, &self->fd[1], 1));
	settle();
	eventfd_take(self->fd[1]);
	vf_raise(&self->v, BIT(1));
	EXPECT_EQ(1, eventfd_wait(self->fd[1]));
}

/*
 * The trace events of interrupt vectors: vectors are activated and deactivated
 * when interrupts are requested and freed.
 */
#define TRACING		"/sys/kernel/tracing/"
#define VECTOR_EVENTS	TRACING "events/irq_vectors/"

static void trace_vectors(bool on)
{
	if (on)
		must(file_write(TRACING "set_event_pid", "\n"));
	must(file_write(VECTOR_EVENTS "vector_activate/enable", on ? "1" : "0"));
	must(file_write(VECTOR_EVENTS "vector_deactivate/enable",
			on ? "1" : "0"));
}

static unsigned int traced_vectors(void)
{
	unsigned int lines = 0;
	char line[512];
	FILE *trace;

	trace = fopen(TRACING "trace", "r");
	if (!trace)
		die(TRACING "trace: %s", strerror(errno));
	while (fgets(line, sizeof(line), trace))
		if (strstr(line, "vector_"))
			lines++;
	fclose(trace);
	/* O_TRUNC clears the trace. */
	fclose(fopen(TRACING "trace", "w"));
	return lines;
}

/*
 * Old guests mask and unmask a vector around each interrupt, for which QEMU
 * makes two calls.  They must not free and request the interrupt.
 */
TEST_F(msix, trigger_swap_keeps_the_interrupt)
{
	int32_t other = eventfd_new(), none = -1;
	unsigned int i, events;
	uint64_t begin;

	if (access(VECTOR_EVENTS "vector_activate", F_OK))
		SKIP(return, "no trace events of interrupt vectors");
	trace_vectors(true);
	traced_vectors();
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
	/* The trace works. */
	EXPECT_LE(NR_VECTORS, traced_vectors());
	begin = now_ms();
	for (i = 0; i < 500; i++) {
		must(irq_eventfds(&self->v, MSIX, 1, &other, 1));
		must(irq_eventfds(&self->v, MSIX, 1, &self->fd[1], 1));
	}
	TH_LOG("%u us for each swap", (unsigned int)(now_ms() - begin));
	for (i = 0; i < 50; i++) {
		must(irq_eventfds(&self->v, MSIX, 1, &none, 1));
		must(irq_eventfds(&self->v, MSIX, 1, &self->fd[1], 1));
	}
	events = traced_vectors();
	trace_vectors(false);
	/* Other interrupts may move between CPUs. */
	EXPECT_GT(50, events);
	vf_raise(&self->v, ALL_VECTORS);
	EXPECT_TRUE(all_set(self->fd, NR_VECTORS));
	EXPECT_EQ(0, eventfd_take(other));
}

TEST_F(msix, is_triggered_by_software)
{
	uint8_t which[NR_VECTORS] = { 1, 0, 1 };

	EXPECT_GT(0, irq_trigger(&self->v, MSIX, 0, 1));
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
	ASSERT_EQ(0, irq_trigger(&self->v, MSIX, 0, NR_VECTORS));
	EXPECT_TRUE(all_set(self->fd, NR_VECTORS));
	ASSERT_EQ(0, irq_set(&self->v, BOOL | TRIGGER, MSIX, 0, NR_VECTORS,
			     which, sizeof(which)));
	EXPECT_EQ(1, eventfd_take(self->fd[0]));
	EXPECT_EQ(0, eventfd_take(self->fd[1]));
	EXPECT_EQ(1, eventfd_take(self->fd[2]));
	ASSERT_EQ(0, irq_trigger(&self->v, MSIX, 1, 1));
	EXPECT_EQ(0, eventfd_take(self->fd[0]));
	EXPECT_EQ(1, eventfd_take(self->fd[1]));
	EXPECT_EQ(-ENOTTY, irq_set(&self->v, NONE | MASK, MSIX, 0, 1, NULL, 0));
	EXPECT_EQ(-ENOTTY, irq_set(&self->v, NONE | UNMASK, MSIX, 0, 1, NULL,
				   0));
}

TEST_F(msix, works_after_reset)
{
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
	ASSERT_EQ(0, device_reset(&self->v));
	vf_vectors_on(&self->v);
	vf_raise(&self->v, ALL_VECTORS);
	EXPECT_TRUE(all_set(self->fd, NR_VECTORS));
}

TEST_F(msix, one_bad_eventfd_refuses_all)
{
	int32_t fds[NR_VECTORS] = { self->fd[0], 9999, self->fd[2] };

	EXPECT_EQ(-EBADF, irq_eventfds(&self->v, MSIX, 0, fds, NR_VECTORS));
	fds[1] = self->v.container;
	EXPECT_EQ(-EINVAL, irq_eventfds(&self->v, MSIX, 0, fds, NR_VECTORS));
	fds[1] = -2;
	EXPECT_GT(0, irq_eventfds(&self->v, MSIX, 0, fds, NR_VECTORS));
	irq_disable(&self->v, MSIX);
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
	vf_raise(&self->v, ALL_VECTORS);
	EXPECT_TRUE(all_set(self->fd, NR_VECTORS));
}

/* Raises an interrupt of a vector that has no eventfd, number 1. */
static void raise_without_eventfd(struct __test_metadata *_metadata,
				  FIXTURE_DATA(msix) *self)
{
	int32_t none = -1;

	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 1, &none, 1));
	vf_raise(&self->v, ALL_VECTORS);
	EXPECT_EQ(1, eventfd_wait(self->fd[2]));
	settle();
}

/* A cause that was raised before a reset does not reach the next user. */
TEST_F(msix, reset_forgets_what_is_pending)
{
	raise_without_eventfd(_metadata, self);
	ASSERT_EQ(0, device_reset(&self->v));
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 1, &self->fd[1], 1));
	settle();
	EXPECT_EQ(0, eventfd_take(self->fd[1]));
	vf_vectors_on(&self->v);
	vf_raise(&self->v, BIT(1));
	EXPECT_EQ(1, eventfd_wait(self->fd[1]));
}

/* A reset that was not done loses nothing. */
TEST_F(msix, failed_reset_keeps_what_is_pending)
{
	const char *bdf = self->v.bdf;

	raise_without_eventfd(_metadata, self);
	/* The administrator forbids all ways to reset the function. */
	ASSERT_EQ(0, pci_attr_write(bdf, "reset_method", "\n"));
	EXPECT_EQ(-ENOTTY, device_reset(&self->v));
	ASSERT_EQ(0, pci_attr_write(bdf, "reset_method", "default"));
	EXPECT_EQ(0, eventfd_take(self->fd[1]));
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 1, &self->fd[1], 1));
	EXPECT_EQ(1, eventfd_wait(self->fd[1]));
}

static void *hammer_triggers(void *arg)
{
	struct irq_hammer *h = arg;

	while (hammering(h)) {
		irq_trigger(h->v, MSIX, 0, NR_VECTORS);
		vf_raise(h->v, ALL_VECTORS);
		eventfd_take(h->fd);
	}
	return NULL;
}

static void *hammer_swaps(void *arg)
{
	struct irq_hammer *h = arg;
	int32_t none = -1, mine;

	while (hammering(h)) {
		mine = eventfd_new();
		irq_eventfds(h->v, MSIX, 1, &mine, 1);
		irq_eventfds(h->v, MSIX, 1, &none, 1);
		irq_eventfds(h->v, MSIX, 1, &mine, 1);
		/* The last reference, while it may be signalled */
		sys_close(mine);
		irq_eventfds(h->v, MSIX, 1, &h->fd, 1);
	}
	return NULL;
}

static void *hammer_enable(void *arg)
{
	struct irq_hammer *h = arg;
	int32_t fds[NR_VECTORS] = { h->fd, h->fd, h->fd };

	while (hammering(h)) {
		irq_eventfds(h->v, MSIX, 0, fds, NR_VECTORS);
		sleep_us(50);
		irq_disable(h->v, MSIX);
	}
	return NULL;
}

TEST_F(msix, survives_concurrent_calls)
{
	static void *(*const fns[])(void *) = {
		hammer_triggers, hammer_swaps, hammer_swaps, hammer_enable,
	};
	struct irq_hammer h = { .v = &self->v, .fd = self->fd[0] };
	pthread_t threads[ARRAY_SIZE(fns)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fns); i++)
		pthread_create(&threads[i], NULL, fns[i], &h);
	for (i = 0; i < 100; i++) {
		int32_t fds[NR_VECTORS] = { h.fd, h.fd, h.fd };

		irq_eventfds(&self->v, MSIX, 0, fds, NR_VECTORS);
		sleep_us(100);
		irq_disable(&self->v, MSIX);
		if (i % 30 == 29)
			must(device_reset(&self->v));
	}
	h.stop = true;
	for (i = 0; i < ARRAY_SIZE(fns); i++)
		pthread_join(threads[i], NULL);
	irq_disable(&self->v, MSIX);
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
	for (i = 0; i < NR_VECTORS; i++)
		eventfd_take(self->fd[i]);
	vf_vectors_on(&self->v);
	vf_raise(&self->v, ALL_VECTORS);
	EXPECT_TRUE(all_set(self->fd, NR_VECTORS));
}

/* Reads a /proc file of the interrupt into a BAR page, which faults. */
struct proc_reader {
	const struct vdev *v;
	unsigned int irq;
	bool stop;
	unsigned int reads;
};

static void read_into_bar(struct proc_reader *r)
{
	const off_t page = 2 * 4096;	/* registers of disabled queues */
	char path[64];
	uint8_t *bar;
	int fd;

	snprintf(path, sizeof(path), "/proc/irq/%u/spurious",
		 __atomic_load_n(&r->irq, __ATOMIC_SEQ_CST));
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return;
	bar = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r->v->fd,
		   vdev_region(r->v, 0).offset + page);
	if (bar == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	if (sys_pread(fd, bar + 0x400, 64, 0) > 0)
		r->reads++;
	munmap(bar, 4096);
	close(fd);
}

static void *read_proc_into_bar(void *arg)
{
	struct proc_reader *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_SEQ_CST))
		read_into_bar(r);
	return NULL;
}

/* The number of the device's first vector, from /proc/interrupts */
static unsigned int first_irq(const struct vdev *v)
{
	char name[64], line[1024];
	unsigned int irq = 0;
	FILE *f;

	snprintf(name, sizeof(name), "vfio-msix[0](%s)", v->bdf);
	f = fopen("/proc/interrupts", "r");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, name))
			irq = atoi(line);
	fclose(f);
	if (!irq)
		die("no %s in /proc/interrupts", name);
	return irq;
}

/*
 * The kernel waits for readers of an interrupt's /proc files before it frees
 * the interrupt.  Such a reader may be waiting for the device's memory lock.
 */
TEST_F(msix, is_freed_while_proc_is_read_into_the_bar)
{
	struct proc_reader r = { .v = &self->v };
	pthread_t thread;
	unsigned int i;

	must(irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
	r.irq = first_irq(&self->v);
	pthread_create(&thread, NULL, read_proc_into_bar, &r);
	for (i = 0; i < 50; i++) {
		sleep_us(1000);
		must(irq_disable(&self->v, MSIX));
		must(irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
		__atomic_store_n(&r.irq, first_irq(&self->v), __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	EXPECT_LT(0, r.reads);
}

/*
 * A real-time task occupies a CPU, as on isolated CPUs.  Switches off the
 * kernel's fair server, which would let other tasks run there for a part of the
 * time.
 */
#define FAIR_SERVER	"/sys/kernel/debug/sched/fair_server/cpu1/runtime"

static void run_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity: %s", strerror(errno));
}

struct spinner {
	bool running;
	bool stop;
};

static void *keep_cpu_1(void *arg)
{
	const struct sched_param param = { .sched_priority = 1 };
	struct spinner *s = arg;

	run_on_cpu(1);
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		die("sched_setscheduler: %s", strerror(errno));
	__atomic_store_n(&s->running, true, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&s->stop, __ATOMIC_SEQ_CST))
		;
	return NULL;
}

struct disabler {
	const struct vdev *v;
	int ret;
	bool done;
};

static void *disable_msix(void *arg)
{
	struct disabler *d = arg;

	run_on_cpu(0);
	d->ret = irq_disable(d->v, MSIX);
	__atomic_store_n(&d->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

TEST_F(msix, can_be_disabled_while_its_cpu_is_busy)
{
	char fair[32], path[64];
	struct disabler d = { .v = &self->v };
	struct spinner s = {};
	pthread_t spinner, disabler;
	bool done;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "the machine has one CPU");
	if (file_read(FAIR_SERVER, fair, sizeof(fair)) < 0)
		SKIP(return, "no " FAIR_SERVER);
	run_on_cpu(0);
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
	snprintf(path, sizeof(path), "/proc/irq/%u/smp_affinity",
		 first_irq(&self->v));
	ASSERT_EQ(0, file_write(path, "2"));
	vf_raise(&self->v, ALL_VECTORS);
	ASSERT_TRUE(all_set(self->fd, NR_VECTORS));

	must(file_write(FAIR_SERVER, "0"));
	pthread_create(&spinner, NULL, keep_cpu_1, &s);
	while (!__atomic_load_n(&s.running, __ATOMIC_SEQ_CST))
		sched_yield();
	pthread_create(&disabler, NULL, disable_msix, &d);
	done = poll_until(__atomic_load_n(&d.done, __ATOMIC_SEQ_CST));

	__atomic_store_n(&s.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(spinner, NULL);
	pthread_join(disabler, NULL);
	must(file_write(FAIR_SERVER, fair));
	EXPECT_TRUE(done);
	EXPECT_EQ(0, d.ret);
}

TEST_F(msix, is_freed_by_close)
{
	ASSERT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
	vf_raise(&self->v, ALL_VECTORS);
	sys_close(self->v.fd);
	self->v.fd = must(group_get_device(self->v.group, self->v.bdf));
	EXPECT_EQ(0, irq_eventfds(&self->v, MSIX, 0, self->fd, NR_VECTORS));
}

/* Errors of SET_IRQS, on each device */

TEST_F(pci, irq_info_of_each_index)
{
	struct vfio_irq_info info = { .argsz = sizeof(info) };
	unsigned int i;

	for (i = 0; i < VFIO_PCI_NUM_IRQS; i++) {
		struct vfio_irq_info now = vdev_irq(&self->v, i);

		EXPECT_EQ(i, now.index);
		if (now.count)
			EXPECT_TRUE(now.flags & VFIO_IRQ_INFO_EVENTFD);
	}
	info.index = VFIO_PCI_NUM_IRQS;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->v.fd, VFIO_DEVICE_GET_IRQ_INFO,
				     &info));
	info.index = 0xffffffff;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->v.fd, VFIO_DEVICE_GET_IRQ_INFO,
				     &info));
	info.index = 0;
	info.argsz = sizeof(info) - 1;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->v.fd, VFIO_DEVICE_GET_IRQ_INFO,
				     &info));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->v.fd, VFIO_DEVICE_GET_IRQ_INFO,
				     NULL));
}

TEST_F(pci, set_irqs_refuses_bad_arguments)
{
	const uint32_t n = vdev_irq(&self->v, MSIX).count, max = 0xffffffff;
	const struct {
		uint32_t flags, index, start, count;
		unsigned int data;	/* bytes given */
	} rows[] = {
		/* Not exactly one kind of data, one action */
		{ 0, MSIX, 0, 1, 4 },
		{ TRIGGER, MSIX, 0, 1, 4 },
		{ EVENTFD, MSIX, 0, 1, 4 },
		{ EVENTFD | BOOL | TRIGGER, MSIX, 0, 1, 4 },
		{ EVENTFD | NONE | TRIGGER, MSIX, 0, 1, 4 },
		{ EVENTFD | TRIGGER | MASK, MSIX, 0, 1, 4 },
		{ EVENTFD | TRIGGER | UNMASK, MSIX, 0, 1, 4 },
		{ EVENTFD | TRIGGER | 0x40, MSIX, 0, 1, 4 },
		{ EVENTFD | TRIGGER | 0x80000000, MSIX, 0, 1, 4 },
		/* No such index */
		{ EVENTFD | TRIGGER, VFIO_PCI_NUM_IRQS, 0, 1, 4 },
		{ EVENTFD | TRIGGER, max, 0, 1, 4 },
		{ NONE | TRIGGER, max, 0, 0, 0 },
		/* Beyond the last vector; sums that overflow */
		{ EVENTFD | TRIGGER, MSIX, n, 1, 4 },
		{ EVENTFD | TRIGGER, MSIX, 0, n + 1, 4 * (n + 1) },
		{ EVENTFD | TRIGGER, MSIX, n - 1, 2, 8 },
		{ EVENTFD | TRIGGER, MSIX, max, 1, 4 },
		{ EVENTFD | TRIGGER, MSIX, max, 2, 8 },
		{ EVENTFD | TRIGGER, MSIX, 1, max, 8 },
		{ EVENTFD | TRIGGER, MSIX, 0, max, 8 },
		{ EVENTFD | TRIGGER, MSIX, 0x80000000, 0x80000000, 8 },
		{ EVENTFD | TRIGGER, MSIX, 0, 0x40000001, 4 },
		{ NONE | TRIGGER, MSIX, n, 1, 0 },
		{ NONE | TRIGGER, MSIX, 1, max, 0 },
		{ NONE | TRIGGER, MSIX, 0, max, 0 },
		{ BOOL | TRIGGER, MSIX, 0, n + 1, n + 1 },
		/* Less data than the count says */
		{ EVENTFD | TRIGGER, MSIX, 0, 1, 0 },
		{ EVENTFD | TRIGGER, MSIX, 0, 1, 3 },
		{ EVENTFD | TRIGGER, MSIX, 0, 2, 7 },
		{ BOOL | TRIGGER, MSIX, 0, 2, 1 },
		/* More than one of a single interrupt */
		{ EVENTFD | TRIGGER, REQ, 0, 2, 8 },
		{ EVENTFD | TRIGGER, REQ, 1, 1, 4 },
		{ EVENTFD | TRIGGER, ERR, 1, 1, 4 },
		{ NONE | TRIGGER, REQ, 0, 2, 0 },
		{ EVENTFD | UNMASK, INTX, 1, 1, 4 },
		{ NONE | MASK, INTX, 0, 2, 0 },
	};
	int32_t *data = malloc(4 * (n + 2));
	unsigned int i;

	for (i = 0; i < n + 2; i++)
		data[i] = eventfd_new();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int ret = irq_set(&self->v, rows[i].flags, rows[i].index,
				  rows[i].start, rows[i].count, data,
				  rows[i].data);

		/* Linux returns ENOTTY for some combinations of flags. */
		EXPECT_TRUE(ret == -EINVAL || ret == -ENOTTY) {
			TH_LOG("row %u: %d", i, ret);
		}
	}
	/* The failed calls have changed nothing. */
	EXPECT_EQ(0, irq_eventfds(&self->v, MSIX, 0, data, n));
	EXPECT_EQ(0, irq_trigger(&self->v, MSIX, 0, n));
	for (i = 0; i < n; i++)
		EXPECT_EQ(1, eventfd_take(data[i]));
}

TEST_F(pci, set_irqs_refuses_bad_memory)
{
	struct vfio_irq_set *set = mem_at_page_end(sizeof(*set));

	*set = (struct vfio_irq_set){
		.argsz = sizeof(*set) + 4,
		.flags = EVENTFD | TRIGGER,
		.index = MSIX,
		.count = 1,
	};
	EXPECT_EQ(-EFAULT, sys_ioctl(self->v.fd, VFIO_DEVICE_SET_IRQS, set));
	set->argsz = sizeof(*set) - 1;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->v.fd, VFIO_DEVICE_SET_IRQS, set));
	set->argsz = 0;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->v.fd, VFIO_DEVICE_SET_IRQS, set));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->v.fd, VFIO_DEVICE_SET_IRQS, NULL));
	/* Without data: any result, and the device still works. */
	set->argsz = sizeof(*set);
	set->count = 0;
	sys_ioctl(self->v.fd, VFIO_DEVICE_SET_IRQS, set);
	irq_disable(&self->v, MSIX);
}

TEST_F(pci, request_and_error_eventfds_can_be_set)
{
	static const unsigned int indices[] = { REQ, ERR };
	int32_t fd = eventfd_new(), none = -1;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(indices); i++) {
		struct vfio_irq_info info = {
			.argsz = sizeof(info), .index = indices[i],
		};

		if (sys_ioctl(self->v.fd, VFIO_DEVICE_GET_IRQ_INFO, &info) ||
		    !info.count)
			continue;
		EXPECT_EQ(0, irq_eventfds(&self->v, indices[i], 0, &fd, 1));
		EXPECT_EQ(0, irq_trigger(&self->v, indices[i], 0, 1));
		EXPECT_EQ(1, eventfd_take(fd));
		EXPECT_EQ(0, irq_eventfds(&self->v, indices[i], 0, &none, 1));
		irq_trigger(&self->v, indices[i], 0, 1);
		EXPECT_EQ(0, eventfd_take(fd));
		EXPECT_EQ(0, irq_eventfds(&self->v, indices[i], 0, &fd, 1));
		EXPECT_EQ(0, irq_disable(&self->v, indices[i]));
		EXPECT_EQ(0, eventfd_take(fd));
	}
}

TEST_HARNESS_MAIN
