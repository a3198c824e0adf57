// SPDX-License-Identifier: GPL-2.0-only
/*
 * During a migration, the PF's interface goes down or is reset, or the VF is
 * removed: what each call returns, what the kernel log tells the operator to
 * do, what the guest sees, and that the VF works when the PF or the VF is back.
 */
#include <linux/pci_regs.h>

#include "test.h"
#include "device.h"
#include "iommu.h"
#include "kmsg.h"
#include "migration.h"
#include "move.h"
#include "nic.h"
#include "session.h"

#define PF_IS_MUTE	"bring its interface up"

/* A guest with interrupts on VF A, which moves to VF B */
struct bed {
	const char *bdf_a;
	const char *bdf_b;
	const char *pf_a;
	const char *pf_b;
	struct vdev a;
	struct vdev b;
	struct nic nic;
	struct peer peer_a;
	struct peer peer_b;
	int32_t irqs[NR_VECTORS];
	int log;
};

static void bed_make(struct bed *bed)
{
	unsigned int i;

	bed->bdf_a = func_bdf(FUNC_VF_A0);
	bed->bdf_b = func_bdf(FUNC_VF_B0);
	bed->pf_a = func_bdf(FUNC_PF_A);
	bed->pf_b = func_bdf(FUNC_PF_B);
	pf_set(bed->pf_a, true);
	pf_set(bed->pf_b, true);
	vdev_open(&bed->a, bed->bdf_a, DRV_IGBVF_VFIO);
	vdev_open(&bed->b, bed->bdf_b, DRV_IGBVF_VFIO);
	peer_open(&bed->peer_a, bed->pf_a);
	peer_open(&bed->peer_b, bed->pf_b);
	nic_alloc(&bed->nic);
	nic_attach(&bed->nic, &bed->a);
	nic_up(&bed->nic);
	for (i = 0; i < NR_VECTORS; i++)
		bed->irqs[i] = eventfd_new();
	nic_irqs_up(&bed->nic, bed->irqs);
	nic_ping_pong(&bed->nic, &bed->peer_b);
	eventfd_take(bed->irqs[VECTOR_MBX]);
	bed->log = kmsg_open();
}

static void bed_end(struct bed *bed)
{
	vdev_close(&bed->a);
	vdev_close(&bed->b);
}

static void traffic(struct bed *bed)
{
	nic_ping_pong(&bed->nic, &bed->peer_a);
	nic_ping_pong(&bed->nic, &bed->peer_b);
}

/* Moves the guest to the other VF, which is in STOP or RESUMING. */
static void guest_to(struct bed *bed, struct vdev *to)
{
	config_restore(to, bed->nic.v);
	must(irq_eventfds(to, VFIO_PCI_MSIX_IRQ_INDEX, 0, bed->irqs,
			  NR_VECTORS));
	nic_detach(&bed->nic);
	nic_attach(&bed->nic, to);
}

/* After the outage, the guest can move from VF A to VF B. */
static void expect_to_move(struct __test_metadata *_metadata, struct bed *bed)
{
	struct stream s = device_save(bed->a.fd);
	int fd;

	fd = must(mig_session(bed->b.fd, RESUMING));
	EXPECT_EQ(0, stream_write(fd, s.data, s.size, s.size));
	guest_to(bed, &bed->b);
	EXPECT_EQ(0, mig_set(bed->b.fd, RUNNING, NULL));
	sys_close(fd);
	stream_free(&s);
	vdev_close(&bed->a);
	traffic(bed);
}

/*
 * The guest sees in its mailbox that the PF was reset, and initializes the VF
 * again.  It has to poll, as igbvf does every two seconds: a PF that is down or
 * reset disables the VF's interrupts.
 */
static void expect_guest_is_told(struct __test_metadata *_metadata,
				 struct bed *bed)
{
	EXPECT_TRUE(poll_until(nic_read(&bed->nic, V2PMAILBOX) &
			       V2PMAILBOX_RSTD));
	nic_up(&bed->nic);
}

/* ---- The source's PF ---- */

FIXTURE(source_pf) {
	struct bed bed;
	int fd;			/* data fd, or -1 */
};

FIXTURE_VARIANT(source_pf) {
	uint32_t state;
	bool stopped;		/* the state was saved before the outage */
};

#define SOURCE_VARIANT(name, ...)					\
	FIXTURE_VARIANT_ADD(source_pf, name) { __VA_ARGS__ }

SOURCE_VARIANT(running, RUNNING, false);
SOURCE_VARIANT(running_p2p, RUNNING_P2P, false);
SOURCE_VARIANT(stop, STOP, true);
SOURCE_VARIANT(stop_copy, STOP_COPY, true);
SOURCE_VARIANT(pre_copy, PRE_COPY, false);
SOURCE_VARIANT(pre_copy_p2p, PRE_COPY_P2P, false);

FIXTURE_SETUP(source_pf)
{
	NEED_TWO_VFS();
	bed_make(&self->bed);
	must(mig_set(self->bed.a.fd, variant->state, &self->fd));
}

FIXTURE_TEARDOWN(source_pf)
{
	pf_set(self->bed.pf_a, true);
	bed_end(&self->bed);
}

/* The migration is cancelled while the PF is down. */
TEST_F(source_pf, down_allows_cancel)
{
	struct bed *bed = &self->bed;
	char buf[16];

	pf_set(bed->pf_a, false);
	EXPECT_EQ(variant->state, mig_get(bed->a.fd));
	if (self->fd >= 0)
		must(sys_read(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(0, mig_set(bed->a.fd, RUNNING, NULL));
	EXPECT_EQ(RUNNING, mig_get(bed->a.fd));
	pf_set(bed->pf_a, true);
	expect_guest_is_told(_metadata, bed);
	traffic(bed);
	expect_to_move(_metadata, bed);
}

/* The guest can migrate away from a host whose PF is down. */
TEST_F(source_pf, down_allows_migration)
{
	struct bed *bed = &self->bed;
	struct stream s;
	int fd;

	pf_set(bed->pf_a, false);
	if (self->fd >= 0)
		must(mig_set(bed->a.fd, STOP_COPY, NULL));
	else
		self->fd = must(mig_session(bed->a.fd, STOP_COPY));
	s = stream_read(self->fd, 512);
	ASSERT_EQ(0, mig_set(bed->a.fd, STOP, NULL));
	fd = must(mig_session(bed->b.fd, RESUMING));
	ASSERT_EQ(0, stream_write(fd, s.data, s.size, 512));
	guest_to(bed, &bed->b);
	ASSERT_EQ(0, mig_set(bed->b.fd, RUNNING, NULL));
	vdev_close(&bed->a);
	if (!variant->stopped)
		expect_guest_is_told(_metadata, bed);
	nic_ping_pong(&bed->nic, &bed->peer_b);
	pf_set(bed->pf_a, true);
	traffic(bed);
}

TEST(source_pf_reset_is_seen_by_the_guest)
{
	struct bed bed;
	int fd;

	NEED_TWO_VFS();
	bed_make(&bed);
	fd = must(mig_session(bed.a.fd, STOP_COPY));
	pf_reset(bed.pf_a);
	EXPECT_EQ(STOP_COPY, mig_get(bed.a.fd));
	EXPECT_EQ(0, mig_set(bed.a.fd, RUNNING, NULL));
	sys_close(fd);
	EXPECT_LT(0, eventfd_wait(bed.irqs[VECTOR_MBX]));
	expect_guest_is_told(_metadata, &bed);
	traffic(&bed);
	expect_to_move(_metadata, &bed);
	bed_end(&bed);
}

/* ---- The destination's PF ---- */

enum phase { EMPTY, HALF, WHOLE, LOADED };

FIXTURE(destination_pf) {
	struct bed bed;
	struct stream s;
	size_t written;
	int fd;
};

FIXTURE_SETUP(destination_pf)
{
	NEED_TWO_VFS();
	bed_make(&self->bed);
	self->s = device_save(self->bed.a.fd);
	self->fd = -1;
}

FIXTURE_TEARDOWN(destination_pf)
{
	pf_set(self->bed.pf_b, true);
	bed_end(&self->bed);
}

static int load_rest(FIXTURE_DATA(destination_pf) *self)
{
	int ret = stream_write(self->fd, self->s.data + self->written,
			       self->s.size - self->written, self->s.size);

	self->written = self->s.size;
	return ret;
}

static void load_until(FIXTURE_DATA(destination_pf) *self, enum phase phase)
{
	self->fd = must(mig_session(self->bed.b.fd, RESUMING));
	guest_to(&self->bed, &self->bed.b);
	if (phase == HALF) {
		self->written = self->s.size / 2;
		must(stream_write(self->fd, self->s.data, self->written, 512));
	}
	if (phase >= WHOLE)
		must(load_rest(self));
	if (phase == LOADED)
		must(mig_set(self->bed.b.fd, STOP, NULL));
}

/* The guest goes on at the source, where its PF is up. */
static void expect_source_goes_on(struct __test_metadata *_metadata,
				  FIXTURE_DATA(destination_pf) *self)
{
	struct bed *bed = &self->bed;

	if (bed->nic.v != &bed->a) {
		nic_detach(&bed->nic);
		nic_attach(&bed->nic, &bed->a);
	}
	EXPECT_EQ(0, mig_set(bed->a.fd, RUNNING, NULL));
	nic_ping_pong(&bed->nic, &bed->peer_a);
}

static void expect_load_works(struct __test_metadata *_metadata,
			      FIXTURE_DATA(destination_pf) *self)
{
	struct bed *bed = &self->bed;

	EXPECT_EQ(0, mig_set(bed->b.fd, RUNNING, NULL));
	vdev_close(&bed->a);
	traffic(bed);
}

TEST_F(destination_pf, down_before_refuses_the_load)
{
	struct bed *bed = &self->bed;

	pf_set(bed->pf_b, false);
	EXPECT_EQ(-EIO, mig_session(bed->b.fd, RESUMING));
	EXPECT_EQ(STOP, mig_get(bed->b.fd));
	EXPECT_TRUE(kmsg_said(bed->log, bed->bdf_b, PF_IS_MUTE));
	expect_source_goes_on(_metadata, self);
	pf_set(bed->pf_b, true);
	traffic(bed);
	/* Bringing the PF up is all that has to be done. */
	expect_to_move(_metadata, bed);
}

static void down_while_written(struct __test_metadata *_metadata,
			       FIXTURE_DATA(destination_pf) *self,
			       enum phase phase)
{
	struct bed *bed = &self->bed;
	char c = 0;

	load_until(self, phase);
	pf_set(bed->pf_b, false);
	EXPECT_EQ(-EIO, load_rest(self));
	EXPECT_TRUE(kmsg_said(bed->log, bed->bdf_b, PF_IS_MUTE));
	/* A VMM that ignores the error gets it again. */
	EXPECT_EQ(-EIO, sys_write(self->fd, &c, 1));
	EXPECT_EQ(-EIO, mig_set(bed->b.fd, STOP, NULL));
	EXPECT_EQ(RESUMING, mig_get(bed->b.fd));
	expect_source_goes_on(_metadata, self);
	pf_set(bed->pf_b, true);
	/* A part of the stream is lost: this session cannot succeed. */
	EXPECT_EQ(-EIO, mig_set(bed->b.fd, STOP, NULL));
	EXPECT_EQ(0, device_reset(&bed->b));
	EXPECT_EQ(RUNNING, mig_get(bed->b.fd));
	expect_session_over(_metadata, self->fd);
	traffic(bed);
	expect_to_move(_metadata, bed);
}

TEST_F(destination_pf, down_when_nothing_is_written_fails_the_load)
{
	down_while_written(_metadata, self, EMPTY);
}

TEST_F(destination_pf, down_when_half_is_written_fails_the_load)
{
	down_while_written(_metadata, self, HALF);
}

TEST_F(destination_pf, down_when_all_is_written_delays_the_load)
{
	struct bed *bed = &self->bed;

	/* The PF has granted all requests, and loses them. */
	load_until(self, WHOLE);
	pf_set(bed->pf_b, false);
	EXPECT_EQ(-EIO, mig_set(bed->b.fd, STOP, NULL));
	EXPECT_EQ(RESUMING, mig_get(bed->b.fd));
	EXPECT_TRUE(kmsg_said(bed->log, bed->bdf_b, PF_IS_MUTE));
	pf_set(bed->pf_b, true);
	/* The state is complete: no reset, no other stream. */
	expect_load_works(_metadata, self);
}

TEST_F(destination_pf, down_when_loaded_is_seen_by_the_guest)
{
	struct bed *bed = &self->bed;

	load_until(self, LOADED);
	pf_set(bed->pf_b, false);
	EXPECT_EQ(0, mig_set(bed->b.fd, RUNNING, NULL));
	vdev_close(&bed->a);
	pf_set(bed->pf_b, true);
	expect_guest_is_told(_metadata, bed);
	traffic(bed);
}

/* After its reset, the PF is asked again for what it had granted. */
TEST_F(destination_pf, reset_when_nothing_is_written_does_no_harm)
{
	load_until(self, EMPTY);
	pf_reset(self->bed.pf_b);
	ASSERT_EQ(0, load_rest(self));
	expect_load_works(_metadata, self);
}

TEST_F(destination_pf, reset_when_half_is_written_does_no_harm)
{
	load_until(self, HALF);
	pf_reset(self->bed.pf_b);
	ASSERT_EQ(0, load_rest(self));
	expect_load_works(_metadata, self);
}

TEST_F(destination_pf, reset_when_all_is_written_does_no_harm)
{
	load_until(self, WHOLE);
	pf_reset(self->bed.pf_b);
	expect_load_works(_metadata, self);
}

TEST_F(destination_pf, reset_when_loaded_is_seen_by_the_guest)
{
	load_until(self, LOADED);
	pf_reset(self->bed.pf_b);
	EXPECT_EQ(0, mig_set(self->bed.b.fd, RUNNING, NULL));
	vdev_close(&self->bed.a);
	EXPECT_LT(0, eventfd_wait(self->bed.irqs[VECTOR_MBX]));
	expect_guest_is_told(_metadata, &self->bed);
	traffic(&self->bed);
}

static void vf_mac(const char *pf, const char *mac)
{
	char name[32];

	if (!pci_netdev(pf, name) ||
	    shell("ip link set %s vf 0 mac %s", name, mac))
		die("%s: its VF's MAC address cannot be set", pf);
}

/* If the PF refuses after its reset, each attempt fails until it grants. */
TEST_F(destination_pf, refusal_after_a_reset_fails_the_load)
{
	struct bed *bed = &self->bed;
	unsigned int i;

	load_until(self, WHOLE);
	pf_reset(bed->pf_b);
	vf_mac(bed->pf_b, "02:00:00:00:00:99");
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EPERM, mig_set(bed->b.fd, STOP, NULL));
		EXPECT_EQ(RESUMING, mig_get(bed->b.fd));
		EXPECT_TRUE(kmsg_said(bed->log, bed->bdf_b, "ip link set"));
	}
	vf_mac(bed->pf_b, "00:00:00:00:00:00");
	expect_load_works(_metadata, self);
}

/* ---- The VF ---- */

FIXTURE(removed) {
	struct bed bed;
	struct attr_writer writer;
	int request;
};

FIXTURE_SETUP(removed)
{
	NEED_TWO_VFS();
	bed_make(&self->bed);
	self->request = request_eventfd_new(&self->bed.a);
}

FIXTURE_TEARDOWN(removed)
{
	bed_end(&self->bed);
}

static void removal_begins(struct __test_metadata *_metadata,
			   FIXTURE_DATA(removed) *self)
{
	writer_start(&self->writer, self->bed.pf_a, "sriov_numvfs", "0");
	EXPECT_LE(1, eventfd_wait(self->request));
	EXPECT_TRUE(writer_waits(&self->writer));
	/*
	 * Logged after the eventfd; the distribution's modules log other text.
	 */
	EXPECT_TRUE(stock_modules() ||
		    poll_until(kmsg_said(self->bed.log, self->bed.bdf_a,
					 "asked the user to release the device")));
}

static void removal_waits_and_ends(struct __test_metadata *_metadata,
				   FIXTURE_DATA(removed) *self)
{
	EXPECT_TRUE(writer_waits(&self->writer));
	vdev_close(&self->bed.a);
	EXPECT_EQ(0, writer_join(&self->writer));
}

static void removal_ends(struct __test_metadata *_metadata,
			 FIXTURE_DATA(removed) *self)
{
	removal_waits_and_ends(_metadata, self);
	EXPECT_FALSE(pci_exists(self->bed.bdf_a));
}

static void expect_vf_comes_back(struct __test_metadata *_metadata,
				 struct bed *bed)
{
	ASSERT_EQ(0, pf_make_vfs(bed->pf_a, 2));
	ASSERT_TRUE(pci_exists(bed->bdf_a));
	pf_set(bed->pf_a, true);
	vdev_open(&bed->a, bed->bdf_a, DRV_IGBVF_VFIO);
	EXPECT_EQ(RUNNING, mig_get(bed->a.fd));
}

static void with_a_session_open(struct __test_metadata *_metadata,
				FIXTURE_DATA(removed) *self, uint32_t state)
{
	const bool saving = state != RESUMING;
	struct bed *bed = &self->bed;
	struct stream s = {};
	char buf[16];
	int fd;

	if (!saving)
		s = device_save(bed->a.fd);
	fd = must(mig_session(bed->a.fd, state));
	if (saving)
		must(sys_read(fd, buf, sizeof(buf)));
	else
		must(stream_write(fd, s.data, s.size / 2, 512));
	removal_begins(_metadata, self);
	/* The device works until its user closes it. */
	EXPECT_EQ(state, mig_get(bed->a.fd));
	if (saving) {
		EXPECT_EQ(sizeof(buf), sys_read(fd, buf, sizeof(buf)));
	} else {
		EXPECT_EQ(0, stream_write(fd, s.data + s.size / 2,
					  s.size - s.size / 2, 512));
	}
	nic_detach(&bed->nic);
	removal_ends(_metadata, self);
	expect_session_over(_metadata, fd);
	expect_vf_comes_back(_metadata, bed);
	expect_session_over(_metadata, fd);
	sys_close(fd);
	nic_attach(&bed->nic, &bed->a);
	nic_up(&bed->nic);
	nic_irqs_up(&bed->nic, bed->irqs);
	traffic(bed);
	expect_to_move(_metadata, bed);
}

TEST_F(removed, waits_in_pre_copy)
{
	with_a_session_open(_metadata, self, PRE_COPY);
}

TEST_F(removed, waits_in_stop_copy)
{
	with_a_session_open(_metadata, self, STOP_COPY);
}

TEST_F(removed, waits_in_resuming)
{
	with_a_session_open(_metadata, self, RESUMING);
}

/* The guest can migrate away while the removal waits. */
TEST_F(removed, after_the_guest_has_migrated)
{
	struct bed *bed = &self->bed;
	struct stream s;
	int fd, to;

	removal_begins(_metadata, self);
	fd = must(mig_session(bed->a.fd, PRE_COPY));
	ASSERT_EQ(0, mig_set(bed->a.fd, STOP_COPY, NULL));
	s = stream_read(fd, 512);
	sys_close(fd);
	to = must(mig_session(bed->b.fd, RESUMING));
	ASSERT_EQ(0, stream_write(to, s.data, s.size, 512));
	guest_to(bed, &bed->b);
	removal_ends(_metadata, self);
	ASSERT_EQ(0, mig_set(bed->b.fd, RUNNING, NULL));
	pf_set(bed->pf_a, true);
	traffic(bed);
	expect_vf_comes_back(_metadata, bed);
	traffic(bed);
}

/*
 * The guest migrates away while an unbind of the driver waits: the PF drops the
 * guest's MAC, although the unbind holds the lock that a reset takes.
 */
TEST_F(removed, unbound_after_the_guest_has_migrated)
{
	struct bed *bed = &self->bed;
	struct stream s;
	int to;

	writer_start(&self->writer, bed->bdf_a, "driver/unbind", bed->bdf_a);
	EXPECT_LE(1, eventfd_wait(self->request));
	s = device_save(bed->a.fd);
	to = must(mig_session(bed->b.fd, RESUMING));
	ASSERT_EQ(0, stream_write(to, s.data, s.size, 512));
	sys_close(to);
	stream_free(&s);
	guest_to(bed, &bed->b);
	ASSERT_EQ(0, mig_set(bed->b.fd, RUNNING, NULL));
	removal_waits_and_ends(_metadata, self);
	traffic(bed);
}

/*
 * An open data fd does not block the removal of the VF, nor new VFs, nor a
 * reset that iterates over the bus.
 */
TEST_F(removed, with_a_data_fd_kept)
{
	struct bed *bed = &self->bed;
	int fd, request;

	fd = must(mig_session(bed->a.fd, STOP_COPY));
	nic_detach(&bed->nic);
	vdev_close(&bed->a);
	ASSERT_EQ(0, pci_attr_write(bed->pf_a, "sriov_numvfs", "0"));
	EXPECT_FALSE(pci_exists(bed->bdf_a));
	expect_session_over(_metadata, fd);
	expect_vf_comes_back(_metadata, bed);

	/* The function cannot be reset alone during the unbind. */
	request = request_eventfd_new(&bed->a);
	writer_start(&self->writer, bed->bdf_a, "driver/unbind", bed->bdf_a);
	EXPECT_LE(1, eventfd_wait(request));
	removal_waits_and_ends(_metadata, self);
	expect_session_over(_metadata, fd);
	sys_close(fd);
}

/* A load needs a reset, which is not possible while the removal waits. */
TEST(load_is_refused_during_removal)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0), *pf = func_bdf(FUNC_PF_A);
	struct attr_writer writer;
	struct vdev v;
	int request;

	NEED_MODULE(DRV_IGBVF_VFIO);
	vdev_open(&v, bdf, DRV_IGBVF_VFIO);
	request = request_eventfd_new(&v);
	writer_start(&writer, pf, "sriov_numvfs", "0");
	EXPECT_LE(1, eventfd_wait(request));
	EXPECT_EQ(-EAGAIN, mig_session(v.fd, RESUMING));
	EXPECT_EQ(STOP, mig_get(v.fd));
	EXPECT_EQ(0, mig_set(v.fd, RUNNING, NULL));
	vdev_close(&v);
	EXPECT_EQ(0, writer_join(&writer));
	EXPECT_EQ(0, pf_make_vfs(pf, 2));
	pf_set(pf, true);
}

/*
 * Suspending the host would lose the VF's registers, and the log warns before.
 * The test only freezes processes, for some seconds.
 */
TEST(suspending_the_host_is_announced)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0), *text = "suspending the host";
	int log = kmsg_open();
	struct vdev v;

	NEED_MODULE(DRV_IGBVF_VFIO);
	if (file_write("/sys/power/pm_test", "freezer"))
		SKIP(return, "this kernel does not test its suspend");
	must(pci_bind(bdf, DRV_IGBVF_VFIO));
	file_write("/sys/power/state", "freeze");
	EXPECT_FALSE(kmsg_said(log, bdf, text));
	vdev_open(&v, bdf, DRV_IGBVF_VFIO);
	file_write("/sys/power/state", "freeze");
	EXPECT_TRUE(kmsg_said(log, bdf, text));
	must(file_write("/sys/power/pm_test", "none"));
	vdev_close(&v);
}

TEST_HARNESS_MAIN
