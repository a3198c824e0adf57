// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA logging of the VF: each page that it writes is reported while a guest
 * receives, sends, is reset or migrated, or its migration is cancelled.  The
 * guest is the driver of lib/nic.c; its peer sends from another PF on the wire.
 * lib/watch.h explains how a missing page is found.
 *
 * Of the arguments of START, STOP and REPORT, this file tests those that the
 * driver checks; dma_logging.c those that the core checks.
 */
#include <linux/pci_regs.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "device.h"
#include "dma_log.h"
#include "flood.h"
#include "iommu.h"
#include "migration.h"
#include "move.h"
#include "nic.h"
#include "node.h"
#include "watch.h"

#define TiB		(1024 * GiB)
#define LONGEST		1400
#define SEED		0x5eed

/* A guest, its peer, and the guest's watched memory */
struct bed {
	struct vdev v;
	struct nic nic;
	struct peer peer;
	struct watch w;
	uint64_t seed;
	uint32_t number;	/* of the last frame sent to the guest */
};

static void guest_up(struct bed *bed)
{
	nic_up(&bed->nic);
	watch_accept(&bed->w);
}

/* The guest's memory; only the CPU writes transmit buffers. */
static void watch_guest(struct watch *w, struct nic *nic, struct vdev *v)
{
	watch_init(w, v);
	watch_add(w, NIC_IOVA, nic->mem, NIC_MEM);
	watch_own(w, NIC_TX_BUFFERS, RING_SIZE * FRAME_SIZE);
}

static void bed_make(struct bed *bed, const char *bdf, const char *far_pf,
		     bool trapped)
{
	bed->seed = SEED;
	vdev_open(&bed->v, bdf, DRV_IGBVF_VFIO);
	peer_open(&bed->peer, far_pf);
	nic_alloc(&bed->nic);
	bed->nic.trapped = trapped;
	nic_attach(&bed->nic, &bed->v);
	watch_guest(&bed->w, &bed->nic, &bed->v);
	guest_up(bed);
}

static void send_one(struct bed *bed)
{
	send_number(&bed->peer, bed->nic.mac, ++bed->number,
		    4 + prng(&bed->seed) % LONGEST, &bed->seed);
}

/* Takes all received frames; returns their number. */
static unsigned int drain(struct nic *nic)
{
	unsigned int count = 0;
	char buf[64];

	while (nic_receive_now(nic, buf, sizeof(buf)))
		count++;
	return count;
}

/* Sends until a frame arrives, as a full ring drops frames. */
static bool frames_arrive(struct bed *bed)
{
	return poll_until((send_one(bed), drain(&bed->nic)));
}

/*
 * Sends until a frame is in memory.  The guest does not take it, so its buffer
 * is not used again.
 */
static bool frame_waits(struct bed *bed)
{
	volatile struct desc *next = watch_at(&bed->w, NIC_RX_RING +
					      bed->nic.rx_next * sizeof(*next));

	return poll_until((send_one(bed), next->rx_status & RX_DONE));
}

FIXTURE(tracking) {
	struct bed bed;
};

FIXTURE_VARIANT(tracking) {
	bool trapped;
};

/* The guest accesses receive registers by mapping, or by read() and write(). */
FIXTURE_VARIANT_ADD(tracking, mapped) { .trapped = false };
FIXTURE_VARIANT_ADD(tracking, trapped) { .trapped = true };

FIXTURE_SETUP(tracking)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0), *far = NEED_FUNC(FUNC_PF_B);

	NEED_MODULE(DRV_IGBVF_VFIO);
	bed_make(&self->bed, bdf, far, variant->trapped);
}

FIXTURE_TEARDOWN(tracking)
{
	log_close(&self->bed.v);
}

#define EXPECT_NOTHING_LOST(w) EXPECT_EQ(0, watch_step(w))

/* ---- Contents of reports ---- */

TEST_F(tracking, received_pages_are_reported)
{
	struct bed *bed = &self->bed;
	unsigned int round, i;

	ASSERT_EQ(0, watch_start(&bed->w));
	for (round = 0; round < scaled(200); round++) {
		for (i = prng(&bed->seed) % RING_SIZE; i; i--)
			send_one(bed);
		ASSERT_TRUE(frames_arrive(bed));
		EXPECT_NOTHING_LOST(&bed->w);
	}
	/* Each round writes at least a buffer and the ring. */
	EXPECT_LT(2 * scaled(200), bed->w.written);
}

TEST_F(tracking, reports_all_under_a_flood)
{
	struct bed *bed = &self->bed;
	struct flood f = {
		.peer = &bed->peer, .mac = bed->nic.mac, .longest = LONGEST,
	};
	unsigned int received = 0, steps = 0;

	ASSERT_EQ(0, watch_start(&bed->w));
	flood_start(&f);
	while (received < scaled(4000)) {
		unsigned int more = 0;

		ASSERT_TRUE(poll_until((more = drain(&bed->nic))));
		received += more;
		steps++;
		EXPECT_NOTHING_LOST(&bed->w);
	}
	flood_stop(&f);
	TH_LOG("%u frames, %u reports, %lu pages", received, steps,
	       bed->w.written);
	EXPECT_NOTHING_LOST(&bed->w);
	EXPECT_TRUE(frames_arrive(bed));
}

/* Buffers that were posted before START are reported. */
TEST_F(tracking, reports_buffers_posted_before_start)
{
	struct bed *bed = &self->bed;
	unsigned int i;

	for (i = 0; i < scaled(40); i++) {
		ASSERT_EQ(0, watch_start(&bed->w));
		/* Nothing is posted between START and the frame. */
		ASSERT_TRUE(frame_waits(bed));
		EXPECT_NOTHING_LOST(&bed->w);
		EXPECT_LT(0, bed->w.written);
		ASSERT_EQ(0, log_stop(bed->v.fd));
		drain(&bed->nic);
	}
}

TEST_F(tracking, starts_and_stops_under_a_flood)
{
	struct bed *bed = &self->bed;
	struct flood f = {
		.peer = &bed->peer, .mac = bed->nic.mac, .longest = LONGEST,
	};
	unsigned long written = 0;
	unsigned int round, i;

	flood_start(&f);
	for (round = 0; round < scaled(100); round++) {
		for (i = prng(&bed->seed) % 20; i; i--)
			drain(&bed->nic);
		ASSERT_EQ(0, watch_start(&bed->w));
		for (i = prng(&bed->seed) % 5; i; i--) {
			drain(&bed->nic);
			EXPECT_NOTHING_LOST(&bed->w);
		}
		written += bed->w.written;
		ASSERT_EQ(0, log_stop(bed->v.fd));
		if (round % 10 == 0)
			EXPECT_TRUE(poll_until(drain(&bed->nic)));
	}
	EXPECT_TRUE(poll_until(drain(&bed->nic)));
	flood_stop(&f);
	EXPECT_LT(0, written);
	drain(&bed->nic);
	nic_ping_pong(&bed->nic, &bed->peer);
}

/*
 * The worker notices a doorbell also when it sleeps.  It goes to sleep after
 * some 50 ms; the pauses are shorter, about as long, and longer.
 */
TEST_F(tracking, notices_doorbells_after_a_pause)
{
	struct bed *bed = &self->bed;
	unsigned int i, n;

	ASSERT_EQ(0, watch_start(&bed->w));
	for (i = 0; i < scaled(100); i++) {
		sleep_us(prng(&bed->seed) % (i % 2 ? 20000 : 200000));
		/* A whole round, to use the buffers that were just posted. */
		for (n = 0; n < RING_SIZE; n++)
			ASSERT_TRUE(frames_arrive(bed));
		EXPECT_NOTHING_LOST(&bed->w);
	}
}

/* Each report has the rings and the posted buffers, and nothing else. */
TEST_F(tracking, reports_what_a_quiet_device_may_write)
{
	struct bed *bed = &self->bed;
	const size_t most = 2 * WATCH_PAGE + RING_SIZE * FRAME_SIZE;
	unsigned int i;

	ASSERT_EQ(0, watch_start(&bed->w));
	for (i = 0; i < 10; i++) {
		EXPECT_NOTHING_LOST(&bed->w);
		EXPECT_TRUE(watch_reported(&bed->w, NIC_RX_RING, WATCH_PAGE));
		EXPECT_TRUE(watch_reported(&bed->w, NIC_TX_RING, WATCH_PAGE));
		/* All buffers of the ring but one are posted. */
		EXPECT_TRUE(watch_reported(&bed->w, NIC_RX_BUFFERS,
					   (RING_SIZE - 2) * FRAME_SIZE));
		EXPECT_GE(most, bed->w.reported);
		EXPECT_EQ(0, bed->w.reported_own);
	}
	EXPECT_TRUE(frames_arrive(bed));
	EXPECT_NOTHING_LOST(&bed->w);
	EXPECT_GE(most, bed->w.reported);
	EXPECT_EQ(0, bed->w.reported_own);
}

TEST_F(tracking, reports_transmit_descriptors)
{
	struct bed *bed = &self->bed;
	char payload[256] = {};
	unsigned int i;

	ASSERT_EQ(0, watch_start(&bed->w));
	for (i = 0; i < scaled(200); i++) {
		nic_send(&bed->nic, bed->peer.mac, payload, sizeof(payload));
		EXPECT_NOTHING_LOST(&bed->w);
		EXPECT_TRUE(watch_reported(&bed->w, NIC_TX_RING, WATCH_PAGE));
	}
}

/* Head write-back: the device writes its head to memory, not to descriptors. */
TEST_F(tracking, reports_transmit_head_write_back)
{
	const uint64_t head = 0x900000;
	volatile uint32_t *done;
	struct bed *bed = &self->bed;
	unsigned int i;

	watch_map(&bed->w, head, 2 * WATCH_PAGE);
	done = watch_at(&bed->w, head + WATCH_PAGE);
	ASSERT_EQ(0, watch_start(&bed->w));
	nic_write(&bed->nic, TDWBAH, 0);
	nic_write(&bed->nic, TDWBAL, (head + WATCH_PAGE) | 1);
	for (i = 0; i < 10; i++) {
		nic_send_later(&bed->nic, bed->peer.mac, &i, sizeof(i));
		ASSERT_TRUE(poll_until(*done == bed->nic.tx_next));
		EXPECT_NOTHING_LOST(&bed->w);
		EXPECT_TRUE(watch_reported(&bed->w, head + WATCH_PAGE, 4));
		EXPECT_FALSE(watch_reported(&bed->w, head, 4));
	}
	nic_write(&bed->nic, TDWBAL, 0);
}

/* Buffers posted between reports of parts are in one of them. */
TEST_F(tracking, reports_in_parts)
{
	struct bed *bed = &self->bed;
	uint64_t bitmap = 0, all = 0;
	unsigned int page, i;

	ASSERT_EQ(0, watch_start(&bed->w));
	for (i = 0; i < RING_SIZE; i++)
		ASSERT_TRUE(frames_arrive(bed));
	for (page = 0; page < NIC_MEM / WATCH_PAGE; page++) {
		bitmap = 0;
		ASSERT_EQ(0, log_report(bed->v.fd, NIC_IOVA + page * WATCH_PAGE,
					WATCH_PAGE, WATCH_PAGE, &bitmap));
		EXPECT_EQ(0, bitmap & ~1ULL);
		all |= bitmap << page;
	}
	/* Two rings and all receive buffers */
	EXPECT_EQ(BIT_ULL(2 + RING_SIZE * FRAME_SIZE / WATCH_PAGE) - 1, all);
}

/* ---- Resets ---- */

enum reset { BY_VMM, BY_GUEST };

static void reset_while_frames_wait(struct __test_metadata *_metadata,
				    struct bed *bed, enum reset reset)
{
	unsigned int i;

	ASSERT_EQ(0, watch_start(&bed->w));
	for (i = 0; i < scaled(10); i++) {
		ASSERT_TRUE(frame_waits(bed));
		if (reset == BY_VMM)
			must(device_reset(&bed->v));
		else
			nic_write(&bed->nic, VTCTRL, VTCTRL_RST);
		EXPECT_NOTHING_LOST(&bed->w);
		EXPECT_LT(0, bed->w.written);
		guest_up(bed);
		ASSERT_TRUE(frames_arrive(bed));
		EXPECT_NOTHING_LOST(&bed->w);
	}
	EXPECT_EQ(0, log_stop(bed->v.fd));
}

/* Pages written before a reset are reported after it, and logging goes on. */
TEST_F(tracking, survives_reset_by_the_vmm)
{
	reset_while_frames_wait(_metadata, &self->bed, BY_VMM);
}

TEST_F(tracking, survives_reset_by_the_guest)
{
	reset_while_frames_wait(_metadata, &self->bed, BY_GUEST);
}

TEST_F(tracking, survives_the_pf_going_down)
{
	struct bed *bed = &self->bed;
	const char *pf = func_bdf(FUNC_PF_A);
	unsigned int i;

	ASSERT_EQ(0, watch_start(&bed->w));
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(frame_waits(bed));
		pf_set(pf, false);
		EXPECT_NOTHING_LOST(&bed->w);
		pf_set(pf, true);
		EXPECT_NOTHING_LOST(&bed->w);
		EXPECT_TRUE(poll_until(nic_read(&bed->nic, V2PMAILBOX) &
				       V2PMAILBOX_RSTD));
		guest_up(bed);
		ASSERT_TRUE(frames_arrive(bed));
		EXPECT_NOTHING_LOST(&bed->w);
	}
	/* Logging can start and stop while the PF is down. */
	pf_set(pf, false);
	EXPECT_EQ(0, log_stop(bed->v.fd));
	EXPECT_EQ(0, watch_start(&bed->w));
	EXPECT_NOTHING_LOST(&bed->w);
	pf_set(pf, true);
	guest_up(bed);
	ASSERT_TRUE(frames_arrive(bed));
	EXPECT_NOTHING_LOST(&bed->w);
}

/* ---- Close and death of the user ---- */

TEST_F(tracking, ends_with_close_under_a_flood)
{
	struct bed *bed = &self->bed;
	struct flood f = { .peer = &bed->peer, .mac = bed->nic.mac };
	uint64_t bitmap[8];
	unsigned int i;

	flood_start(&f);
	for (i = 0; i < scaled(10); i++) {
		ASSERT_EQ(0, watch_start(&bed->w));
		EXPECT_TRUE(poll_until(drain(&bed->nic)));
		nic_detach(&bed->nic);
		reopen(&bed->v);
		nic_attach(&bed->nic, &bed->v);
		/* Logging is off for the next user. */
		EXPECT_EQ(-EINVAL, log_stop(bed->v.fd));
		EXPECT_EQ(-EINVAL, log_report(bed->v.fd, NIC_IOVA, NIC_MEM,
					      WATCH_PAGE, bitmap));
		guest_up(bed);
	}
	flood_stop(&f);
	EXPECT_TRUE(frames_arrive(bed));
}

/* Starts a process that receives with logging on. */
static pid_t user_start(const char *bdf, const char *far_pf, bool trapped,
			uint8_t mac[static 6])
{
	struct bed bed = {};
	int said[2];
	pid_t pid;

	if (pipe(said))
		die("no pipe");
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bed_make(&bed, bdf, far_pf, trapped);
		must(watch_start(&bed.w));
		must(sys_write(said[1], bed.nic.mac, 6));
		for (;;)
			drain(&bed.nic);
	}
	close(said[1]);
	if (sys_read(said[0], mac, 6) != 6)
		die("the user's process has ended");
	close(said[0]);
	return pid;
}

/*
 * A killed user's mappings and device are released when the worker, which may
 * be reading the memory, drops its reference to it.
 */
static bool is_free_again(const char *bdf)
{
	struct vdev v;

	if (vdev_try_open(&v, bdf))
		return false;
	vdev_close(&v);
	return true;
}

TEST_F(tracking, ends_with_sigkill_under_a_flood)
{
	const char *bdf = self->bed.v.bdf, *far = func_bdf(FUNC_PF_B);
	struct peer peer = self->bed.peer;
	uint8_t mac[6];
	struct flood f = { .peer = &peer, .mac = mac };
	unsigned int i;
	long pins;
	pid_t pid;

	nic_detach(&self->bed.nic);
	vdev_close(&self->bed.v);
	pins = pages_pinned_now();
	for (i = 0; i < scaled(10); i++) {
		pid = user_start(bdf, far, variant->trapped, mac);
		flood_start(&f);
		sleep_us(prng(&self->bed.seed) % 100000);
		kill(pid, SIGKILL);
		EXPECT_TRUE(poll_until(waitpid(pid, NULL, WNOHANG) == pid));
		flood_stop(&f);
		EXPECT_TRUE(poll_until(is_free_again(bdf)));
	}
	EXPECT_EQ(pins, pages_pinned_now());
	self->bed = (struct bed){};
	bed_make(&self->bed, bdf, far, variant->trapped);
	ASSERT_EQ(0, watch_start(&self->bed.w));
	EXPECT_TRUE(frames_arrive(&self->bed));
	EXPECT_NOTHING_LOST(&self->bed.w);
}

/* ---- What is refused ---- */

struct start_row {
	uint64_t page_size;
	uint32_t count;
	int error;
	log_range ranges[3];
};

static const struct start_row start_rows[] = {
	/* The page size; for a larger one, the driver returns 4096. */
	{ 4096, 1, 0, { { 0, GiB } } },
	{ 8192, 1, 0, { { 0, GiB } } },
	{ 2 * MiB, 1, 0, { { 0, GiB } } },
	{ GiB, 1, 0, { { 0, GiB } } },
	{ 2048, 1, EINVAL, { { 0, GiB } } },
	{ 1, 1, EINVAL, { { 0, GiB } } },
	/* The sum of all lengths */
	{ 4096, 1, 0, { { 0, 64 * TiB } } },
	{ 4096, 1, E2BIG, { { 0, 64 * TiB + 4096 } } },
	{ 4096, 1, E2BIG, { { 0, 1ULL << 63 } } },
	{ 4096, 1, E2BIG, { { 0, -4096ULL } } },
	{ 4096, 2, 0, { { 0, 32 * TiB }, { 64 * TiB, 32 * TiB } } },
	{ 4096, 2, E2BIG, { { 0, 40 * TiB }, { 64 * TiB, 40 * TiB } } },
	{ 4096, 2, E2BIG, { { 0, 1ULL << 63 }, { 1ULL << 63, (1ULL << 63) -
						 4096 } } },
	/* A range that wraps */
	{ 4096, 1, EOVERFLOW, { { -4096ULL, 8192 } } },
	/* At the end of the address space */
	{ 4096, 1, 0, { { -8192ULL, 4096 } } },
	{ 4096, 3, 0, { { 0, 4096 }, { 8192, 4096 }, { 128 * MiB, GiB } } },
};

TEST_F(tracking, start_refuses_bad_arguments)
{
	struct bed *bed = &self->bed;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(start_rows); i++) {
		const struct start_row *row = &start_rows[i];
		uint64_t page_size = row->page_size;
		int ret;

		ret = log_start(bed->v.fd, &page_size, row->ranges, row->count);
		EXPECT_EQ(-row->error, ret) {
			TH_LOG("row %u", i);
		}
		if (!ret) {
			EXPECT_EQ(4096, page_size);
			EXPECT_EQ(-EINVAL, log_start(bed->v.fd, &page_size,
						     row->ranges, row->count));
		}
		EXPECT_EQ(ret ? -EINVAL : 0, log_stop(bed->v.fd));
	}
	EXPECT_TRUE(frames_arrive(bed));
}

TEST_F(tracking, stop_and_report_need_a_start)
{
	struct bed *bed = &self->bed;
	uint64_t bitmap[8] = {};

	EXPECT_EQ(-EINVAL, log_stop(bed->v.fd));
	EXPECT_EQ(-EINVAL, log_report(bed->v.fd, NIC_IOVA, NIC_MEM, WATCH_PAGE,
				      bitmap));
	ASSERT_EQ(0, watch_start(&bed->w));
	EXPECT_EQ(0, log_stop(bed->v.fd));
	EXPECT_EQ(-EINVAL, log_stop(bed->v.fd));
	EXPECT_EQ(-EINVAL, log_report(bed->v.fd, NIC_IOVA, NIC_MEM, WATCH_PAGE,
				      bitmap));
	EXPECT_EQ(0, bitmap[0]);
}

/* Pages outside of the ranges of START are not reported. */
TEST_F(tracking, reports_nothing_outside_of_the_ranges)
{
	const log_range range = { .iova = NIC_RX_RING, .length = WATCH_PAGE };
	struct bed *bed = &self->bed;
	uint64_t bitmap[8] = {};
	unsigned int i;

	ASSERT_EQ(0, watch_start_ranges(&bed->w, &range, 1));
	for (i = 0; i < RING_SIZE; i++)
		ASSERT_TRUE(frames_arrive(bed));
	EXPECT_NOTHING_LOST(&bed->w);
	EXPECT_EQ(WATCH_PAGE, bed->w.reported);
	ASSERT_EQ(0, log_report(bed->v.fd, NIC_TX_RING, NIC_MEM - WATCH_PAGE,
				WATCH_PAGE, bitmap));
	EXPECT_EQ(0, bitmap[0]);
	ASSERT_EQ(0, log_report(bed->v.fd, NIC_RX_RING - 8 * WATCH_PAGE,
				64 * WATCH_PAGE, WATCH_PAGE, bitmap));
	EXPECT_EQ(BIT_ULL(8), bitmap[0]);
	/* The last pages of the address space */
	bitmap[0] = 0;
	ASSERT_EQ(0, log_report(bed->v.fd, -65 * WATCH_PAGE, 64 * WATCH_PAGE,
				WATCH_PAGE, bitmap));
	EXPECT_EQ(0, bitmap[0]);
}

/* A bitmap of larger pages than those that are logged */
TEST_F(tracking, reports_in_larger_pages)
{
	struct bed *bed = &self->bed;
	uint64_t bitmap = 0;

	ASSERT_EQ(0, watch_start(&bed->w));
	ASSERT_TRUE(frames_arrive(bed));
	ASSERT_EQ(0, log_report(bed->v.fd, 0, 64 * MiB, MiB, &bitmap));
	EXPECT_EQ(BIT_ULL(NIC_IOVA / MiB), bitmap);
}

/* A report that fails loses nothing: the next one has its pages. */
TEST_F(tracking, report_to_read_only_memory_loses_nothing)
{
	struct bed *bed = &self->bed;
	uint64_t *bitmap = mem_alloc(page_size());

	ASSERT_EQ(0, watch_start(&bed->w));
	ASSERT_TRUE(frames_arrive(bed));
	mprotect(bitmap, page_size(), PROT_READ);
	EXPECT_EQ(-EFAULT, log_report(bed->v.fd, NIC_IOVA, NIC_MEM, WATCH_PAGE,
				      bitmap));
	EXPECT_EQ(-EFAULT, log_report(bed->v.fd, NIC_IOVA, NIC_MEM, WATCH_PAGE,
				      NULL));
	EXPECT_NOTHING_LOST(&bed->w);
	EXPECT_LT(0, bed->w.written);
}

/* ---- Migration ---- */

FIXTURE(moved) {
	struct bed bed;
	struct vdev to;
};

FIXTURE_VARIANT(moved) {
	bool trapped;
};

FIXTURE_VARIANT_ADD(moved, mapped) { .trapped = false };
FIXTURE_VARIANT_ADD(moved, trapped) { .trapped = true };

FIXTURE_SETUP(moved)
{
	const char *a = NEED_FUNC(FUNC_VF_A0), *b = NEED_FUNC(FUNC_VF_B0);

	NEED_MODULE(DRV_IGBVF_VFIO);
	bed_make(&self->bed, a, func_bdf(FUNC_PF_B), variant->trapped);
	vdev_open(&self->to, b, DRV_IGBVF_VFIO);
}

FIXTURE_TEARDOWN(moved)
{
	log_close(&self->bed.v);
	log_close(&self->to);
}

static void steps_under_way(struct __test_metadata *_metadata, struct bed *bed,
			    unsigned int count)
{
	while (count--) {
		drain(&bed->nic);
		EXPECT_NOTHING_LOST(&bed->w);
	}
}

/* The guest runs at the destination with the reported memory only. */
static void arrive(struct __test_metadata *_metadata,
		   FIXTURE_DATA(moved) *self, const struct stream *s)
{
	struct bed *bed = &self->bed;
	int fd;

	EXPECT_EQ(0, watch_differs(&bed->w));
	fd = must(mig_session(self->to.fd, RESUMING));
	must(stream_write(fd, s->data, s->size, 512));
	config_restore(&self->to, &bed->v);
	sys_close(fd);
	nic_detach(&bed->nic);
	bed->nic.mem = bed->w.mem[0].sent;
	nic_attach(&bed->nic, &self->to);
	must(mig_set(self->to.fd, RUNNING, NULL));
	vdev_close(&bed->v);
}

TEST_F(moved, guest_works_with_the_reported_memory)
{
	struct bed *bed = &self->bed;
	struct flood f = {
		.peer = &bed->peer, .mac = bed->nic.mac, .longest = LONGEST,
	};
	struct stream s;
	struct peer near;
	int fd;

	/* A VMM starts logging before the first transition. */
	ASSERT_EQ(0, watch_start(&bed->w));
	flood_start(&f);
	steps_under_way(_metadata, bed, scaled(50));
	fd = must(mig_session(bed->v.fd, PRE_COPY));
	ASSERT_TRUE(poll_until(drain(&bed->nic)));
	steps_under_way(_metadata, bed, scaled(50));
	ASSERT_EQ(0, mig_set(bed->v.fd, STOP_COPY, NULL));
	EXPECT_NOTHING_LOST(&bed->w);
	s = stream_read(fd, 512);
	sys_close(fd);
	ASSERT_EQ(0, mig_set(bed->v.fd, STOP, NULL));
	EXPECT_NOTHING_LOST(&bed->w);
	flood_stop(&f);
	EXPECT_LT(0, bed->w.written);
	EXPECT_EQ(0, watch_differs(&bed->w));
	EXPECT_EQ(0, log_stop(bed->v.fd));

	arrive(_metadata, self, &s);
	peer_open(&near, func_bdf(FUNC_PF_A));
	drain(&bed->nic);
	nic_ping_pong(&bed->nic, &near);
	nic_ping_pong(&bed->nic, &bed->peer);
}

/* A VMM may get a single report, in STOP. */
TEST_F(moved, guest_works_after_a_single_report)
{
	struct bed *bed = &self->bed;
	struct flood f = {
		.peer = &bed->peer, .mac = bed->nic.mac, .longest = LONGEST,
	};
	struct stream s;
	unsigned int i;

	ASSERT_EQ(0, watch_start(&bed->w));
	flood_start(&f);
	for (i = 0; i < RING_SIZE; i++)
		ASSERT_TRUE(poll_until(drain(&bed->nic)));
	s = device_save(bed->v.fd);
	EXPECT_NOTHING_LOST(&bed->w);
	EXPECT_EQ(0, watch_differs(&bed->w));
	flood_stop(&f);
	arrive(_metadata, self, &s);
	drain(&bed->nic);
	nic_ping_pong(&bed->nic, &bed->peer);
}

static const uint32_t ways[][3] = {
	{ STOP },
	{ RUNNING_P2P },
	{ RUNNING_P2P, STOP, STOP_COPY },
	{ STOP_COPY },
	{ STOP_COPY, STOP },
	{ STOP_COPY, RUNNING_P2P },
	{ PRE_COPY },
	{ PRE_COPY, PRE_COPY_P2P },
	{ PRE_COPY, PRE_COPY_P2P, STOP_COPY },
	{ PRE_COPY_P2P, STOP_COPY, STOP },
};

/* A migration that is cancelled at the end of @way. */
static void go_and_return(struct __test_metadata *_metadata, struct bed *bed,
			  const uint32_t way[3])
{
	unsigned int i;

	for (i = 0; i < 3 && way[i]; i++) {
		ASSERT_EQ(0, mig_set(bed->v.fd, way[i], NULL));
		steps_under_way(_metadata, bed, 2);
	}
	ASSERT_EQ(0, mig_set(bed->v.fd, RUNNING, NULL));
	for (i = 0; i < RING_SIZE; i++)
		ASSERT_TRUE(poll_until(drain(&bed->nic)));
	steps_under_way(_metadata, bed, 2);
}

/* Cancelled migrations under a flood, with logging on */
TEST_F(moved, guest_goes_on_after_cancel)
{
	struct bed *bed = &self->bed;
	struct flood f = {
		.peer = &bed->peer, .mac = bed->nic.mac, .longest = LONGEST,
	};
	unsigned int round, i;

	ASSERT_EQ(0, watch_start(&bed->w));
	flood_start(&f);
	for (round = 0; round < scaled(5); round++)
		for (i = 0; i < ARRAY_SIZE(ways); i++)
			go_and_return(_metadata, bed, ways[i]);
	flood_stop(&f);
	EXPECT_TRUE(frames_arrive(bed));
}

/*
 * Doorbells that are rung while the device is stopped take effect when it runs.
 */
TEST_F(moved, keeps_doorbells_while_stopped)
{
	struct bed *bed = &self->bed;
	unsigned int i, n;

	ASSERT_EQ(0, watch_start(&bed->w));
	for (i = 0; i < scaled(40); i++) {
		ASSERT_TRUE(frame_waits(bed));
		ASSERT_EQ(0, mig_set(bed->v.fd, i % 2 ? STOP : RUNNING_P2P,
				     NULL));
		drain(&bed->nic);
		EXPECT_NOTHING_LOST(&bed->w);
		ASSERT_EQ(0, mig_set(bed->v.fd, RUNNING, NULL));
		for (n = 0; n < RING_SIZE; n++)
			ASSERT_TRUE(frames_arrive(bed));
		EXPECT_NOTHING_LOST(&bed->w);
	}
}

/* So do other registers. */
TEST_F(moved, keeps_a_queue_disabled_while_stopped)
{
	struct bed *bed = &self->bed;
	uint8_t *before = malloc(NIC_MEM);
	unsigned int i, n;

	ASSERT_EQ(0, watch_start(&bed->w));
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(frames_arrive(bed));
		ASSERT_EQ(0, mig_set(bed->v.fd, i % 2 ? PRE_COPY_P2P :
				     RUNNING_P2P, NULL));
		nic_write(&bed->nic, RXDCTL, 0);
		EXPECT_NOTHING_LOST(&bed->w);
		ASSERT_EQ(0, mig_set(bed->v.fd, RUNNING, NULL));
		nic_read(&bed->nic, STATUS);
		EXPECT_EQ(0, nic_read(&bed->nic, RXDCTL) & DCTL_ENABLE);
		/* The device no longer writes to the guest's memory. */
		memcpy(before, bed->nic.mem, NIC_MEM);
		for (n = 0; n < 20; n++)
			send_one(bed);
		sleep_us(100000);
		EXPECT_EQ(0, memcmp(before, bed->nic.mem, NIC_MEM));
		guest_up(bed);
	}
	free(before);
}

static const uint32_t states[] = {
	RUNNING, RUNNING_P2P, STOP, STOP_COPY, PRE_COPY, PRE_COPY_P2P,
};

/* Logging starts and stops in any pair of states. */
TEST_F(moved, starts_and_stops_in_every_state)
{
	struct bed *bed = &self->bed;
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(states); i++)
		for (k = 0; k < ARRAY_SIZE(states); k++) {
			ASSERT_EQ(0, mig_set(bed->v.fd, states[i], NULL));
			ASSERT_EQ(0, watch_start(&bed->w));
			EXPECT_NOTHING_LOST(&bed->w);
			ASSERT_EQ(0, mig_set(bed->v.fd, RUNNING, NULL));
			ASSERT_TRUE(frames_arrive(bed));
			EXPECT_NOTHING_LOST(&bed->w);
			EXPECT_LT(0, bed->w.written);
			ASSERT_EQ(0, mig_set(bed->v.fd, states[k], NULL));
			EXPECT_NOTHING_LOST(&bed->w);
			ASSERT_EQ(0, log_stop(bed->v.fd)) {
				TH_LOG("started in %s, stopped in %s",
				       mig_state_name(states[i]),
				       mig_state_name(states[k]));
			}
			ASSERT_EQ(0, mig_set(bed->v.fd, RUNNING, NULL));
			ASSERT_TRUE(frames_arrive(bed));
		}
}

/* Logging starts before a loaded state sets up a ring. */
TEST_F(moved, starts_at_the_destination)
{
	struct bed *bed = &self->bed;
	struct watch w;
	struct stream s;
	int fd;

	ASSERT_TRUE(frames_arrive(bed));
	s = device_save(bed->v.fd);
	fd = must(mig_session(self->to.fd, RESUMING));
	must(stream_write(fd, s.data, s.size / 2, 512));
	watch_guest(&w, &bed->nic, &self->to);
	ASSERT_EQ(0, watch_start(&w));
	must(stream_write(fd, s.data + s.size / 2, s.size - s.size / 2, 512));
	sys_close(fd);
	config_restore(&self->to, &bed->v);
	nic_detach(&bed->nic);
	nic_attach(&bed->nic, &self->to);
	ASSERT_EQ(0, mig_set(self->to.fd, RUNNING, NULL));
	vdev_close(&bed->v);
	ASSERT_TRUE(frames_arrive(bed));
	EXPECT_EQ(0, watch_step(&w));
	EXPECT_LT(0, w.written);
	EXPECT_EQ(0, log_stop(self->to.fd));
	ASSERT_TRUE(frames_arrive(bed));
}

/* ---- When it is offered ---- */

/*
 * The driver has to try the device before, which it can't while the PF is down.
 */
TEST_F(moved, is_offered_after_the_device_was_tried)
{
	const char *pf = func_bdf(FUNC_PF_B), *bdf = self->to.bdf;

	vdev_close(&self->to);
	must(pci_bind(bdf, NULL));
	pf_set(pf, false);
	vdev_open(&self->to, bdf, DRV_IGBVF_VFIO);
	EXPECT_EQ(-ENOTTY, log_start_range(self->to.fd, 0, GiB));
	pf_set(pf, true);
	/* The begin of a load tries it, for the next user, too. */
	sys_close(must(mig_session(self->to.fd, RESUMING)));
	vdev_close(&self->to);
	pf_set(pf, false);
	vdev_open(&self->to, bdf, DRV_IGBVF_VFIO);
	EXPECT_EQ(0, log_start_range(self->to.fd, 0, GiB));
	EXPECT_EQ(0, log_stop(self->to.fd));
	pf_set(pf, true);
}

/* The driver reads guest memory through the container. */
TEST(not_offered_with_iommufd)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);
	uint64_t bitmap = 0;
	struct vdev v;

	NEED_MODULE(DRV_IGBVF_VFIO);
	NEED_NODES();
	vdev_open_node(&v, bdf, DRV_IGBVF_VFIO);
	EXPECT_EQ(-ENOTTY, feature(v.fd, VFIO_DEVICE_FEATURE_PROBE |
				   VFIO_DEVICE_FEATURE_SET |
				   VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
				   NULL, 0));
	EXPECT_EQ(-ENOTTY, log_start_range(v.fd, 0, GiB));
	EXPECT_EQ(-ENOTTY, log_stop(v.fd));
	EXPECT_EQ(-ENOTTY, log_report(v.fd, 0, WATCH_PAGE, WATCH_PAGE,
				      &bitmap));
	vdev_close(&v);
	/* Logging is offered again to a user with a container. */
	vdev_open(&v, bdf, DRV_IGBVF_VFIO);
	EXPECT_EQ(0, log_start_range(v.fd, 0, GiB));
	vdev_close(&v);
}

TEST_HARNESS_MAIN
