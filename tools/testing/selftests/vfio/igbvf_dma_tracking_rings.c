// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA logging with unusual and with wrong uses of the receive queue.  If the
 * guest driver keeps to the datasheet, each page is reported, for all shapes of
 * rings and buffers.  If it does not, its own frames may get lost, but the
 * kernel must not warn, and the VF works after a reset.
 *
 * lib/rxq.c drives the queue.  Random tests print their seed, which
 * VFIO_TEST_SEED repeats.
 */
#include <arpa/inet.h>
#include <linux/ip.h>
#include <linux/pci_regs.h>
#include <linux/udp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "device.h"
#include "dma_log.h"
#include "flood.h"
#include "iommu.h"
#include "migration.h"
#include "nic.h"
#include "rxq.h"
#include "userfault.h"
#include "watch.h"

/* Rings of up to 4096 descriptors, 64 KiB; also unaligned to pages */
#define RINGS		0x1000000ULL
#define RINGS_SIZE	(256 * KiB)
#define SECOND_RING	(RINGS + 128 * KiB)
#define BUFFERS		0x2000000ULL
#define BUFFERS_SIZE	(2 * MiB)
/* Around a border between two bitmaps of the driver, each for 128 MiB */
#define BORDER		(3 * 128 * MiB)
#define BORDER_SIZE	(128 * KiB)
/* Beyond 4 GiB */
#define FAR		(5 * GiB)
#define FAR_SIZE	(64 * KiB)

#define LARGEST_BUFFER	(16 * KiB)
#define LONGEST		1400

FIXTURE(rings) {
	struct rxq_bed rx;
};

FIXTURE_VARIANT(rings) {
	bool trapped;
};

/* The guest accesses receive registers by mapping, or by read() and write(). */
FIXTURE_VARIANT_ADD(rings, mapped) { .trapped = false };
FIXTURE_VARIANT_ADD(rings, trapped) { .trapped = true };

/* Takes the queue from the guest driver. */
static void queue_free(FIXTURE_DATA(rings) *self)
{
	struct rxq second = {
		.nic = &self->rx.nic,
		.w = &self->rx.w,
		.queue = 1,
	};

	nic_up(&self->rx.nic);
	/* A ring of an earlier user survives resets. */
	rxq_write(&second, RDLEN, 0);
	rxq_disable(&self->rx.q);
	watch_accept(&self->rx.w);
}

FIXTURE_SETUP(rings)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0), *far = NEED_FUNC(FUNC_PF_B);

	NEED_MODULE(DRV_IGBVF_VFIO);
	self->rx.seed = test_seed();
	self->rx.seed |= 1;
	TH_LOG("VFIO_TEST_SEED=%#llx", (unsigned long long)self->rx.seed);

	rxq_bed_open(&self->rx, bdf, far, variant->trapped);
	watch_add(&self->rx.w, NIC_IOVA, self->rx.nic.mem, NIC_MEM);
	watch_own(&self->rx.w, NIC_TX_BUFFERS, RING_SIZE * FRAME_SIZE);
	watch_map(&self->rx.w, RINGS, RINGS_SIZE);
	watch_map(&self->rx.w, BUFFERS, BUFFERS_SIZE);
	watch_map(&self->rx.w, BORDER - BORDER_SIZE / 2, BORDER_SIZE);
	watch_map(&self->rx.w, FAR, FAR_SIZE);
	queue_free(self);
}

FIXTURE_TEARDOWN(rings)
{
	log_close(&self->rx.v);
}

#define EXPECT_NOTHING_LOST() EXPECT_EQ(0, watch_step(&self->rx.w))

/* Sends until the device returns a descriptor. */
static bool frames_arrive(FIXTURE_DATA(rings) *self, size_t len)
{
	return poll_until(
		(rxq_bed_send(&self->rx, len), rxq_reap(&self->rx.q)));
}

/* Does the VF work, with logging, for a driver that initializes it? */
static void expect_vf_works(struct __test_metadata *_metadata,
			    FIXTURE_DATA(rings) *self)
{
	char buf[64];

	EXPECT_EQ(RUNNING, mig_get(self->rx.v.fd));
	nic_up(&self->rx.nic);
	watch_accept(&self->rx.w);
	/* Frames before the first doorbell takes effect get lost. */
	EXPECT_TRUE(
		poll_until((rxq_bed_send(&self->rx, LONGEST),
			    nic_receive_now(&self->rx.nic, buf, sizeof(buf)))));
	EXPECT_NOTHING_LOST();
	nic_ping_pong(&self->rx.nic, &self->rx.peer);
	EXPECT_NOTHING_LOST();
}

/* ---- Shapes of rings ---- */

static void post_and_receive(struct __test_metadata *_metadata,
			     FIXTURE_DATA(rings) *self, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		rxq_post(&self->rx.q,
			 BUFFERS + prng(&self->rx.seed) %
					   (BUFFERS_SIZE - FRAME_SIZE),
			 0);
	rxq_doorbell(&self->rx.q);
	EXPECT_TRUE(rxq_bed_send_all(&self->rx,
				     1 + prng(&self->rx.seed) % LONGEST));
	EXPECT_NOTHING_LOST();
}

/* Several rounds, with one descriptor at a time and with full rings */
TEST_F(rings, of_every_size_are_reported)
{
	static const unsigned int sizes[] = { 8, 16, 128, 256, 4096 };
	unsigned int i, n;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		rxq_disable(&self->rx.q);
		/* RDBA is a multiple of 128. */
		rxq_enable(&self->rx.q, RINGS + 128 * i, sizes[i],
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
		for (n = 0; n < scaled(30); n++)
			post_and_receive(_metadata, self, 1);
		for (n = 0; n < 3; n++)
			post_and_receive(_metadata, self, sizes[i] < 512 ?
					 sizes[i] - 1 : 200);
		for (n = 0; n < scaled(30); n++)
			post_and_receive(_metadata, self,
					 1 + prng(&self->rx.seed) % 7);
	}
	EXPECT_TRUE(watch_reported(&self->rx.w, self->rx.q.ring,
				   self->rx.q.size * sizeof(struct desc)));
}

/* Buffers posted before and after START */
TEST_F(rings, filled_before_and_after_start_are_reported)
{
	unsigned int i;

	rxq_enable(&self->rx.q, RINGS, 32, SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
	for (i = 0; i < 20; i++)
		rxq_post(&self->rx.q, BUFFERS + i * WATCH_PAGE, 0);
	rxq_doorbell(&self->rx.q);
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(frames_arrive(self, LONGEST));
	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < 8; i++)
		rxq_post(&self->rx.q, BUFFERS + MiB + i * WATCH_PAGE, 0);
	rxq_doorbell(&self->rx.q);
	EXPECT_TRUE(rxq_bed_send_all(&self->rx, LONGEST));
	EXPECT_NOTHING_LOST();
	EXPECT_LT(20, self->rx.w.written);
	EXPECT_TRUE(watch_reported(&self->rx.w, BUFFERS + MiB, 8 * WATCH_PAGE));
}

/* Doorbells around START and STOP are not lost. */
TEST_F(rings, keep_doorbells_around_start_and_stop)
{
	unsigned int i, n;

	rxq_enable(&self->rx.q, RINGS, 32, SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
	for (i = 0; i < scaled(100); i++) {
		for (n = 0; n < 20; n++)
			rxq_post(&self->rx.q, BUFFERS + n * WATCH_PAGE, 0);
		rxq_doorbell(&self->rx.q);
		ASSERT_EQ(0, i % 2 ? log_stop(self->rx.v.fd) :
				     watch_start(&self->rx.w));
		EXPECT_TRUE(rxq_bed_send_all(&self->rx, LONGEST));
		if (i % 2 == 0)
			EXPECT_NOTHING_LOST();
	}
}

/* ---- Shapes of buffers ---- */

static uint64_t some_buffer(FIXTURE_DATA(rings) *self)
{
	uint64_t page = BUFFERS + prng(&self->rx.seed) % 64 * WATCH_PAGE;

	switch (prng(&self->rx.seed) % 6) {
	case 0:	/* across the end of a page */
		return page + WATCH_PAGE - 1;
	case 1:
		return page + WATCH_PAGE - 16;
	case 2:	/* at the end of the logged memory */
		return BUFFERS + BUFFERS_SIZE - LARGEST_BUFFER;
	case 3:	/* across a border between the driver's bitmaps */
		return BORDER - 1 - prng(&self->rx.seed) % LARGEST_BUFFER;
	case 4:
		return FAR + prng(&self->rx.seed) % (FAR_SIZE - LARGEST_BUFFER);
	default:
		return page + prng(&self->rx.seed) % WATCH_PAGE;
	}
}

/* Buffers of each size at any address, some posted more than once */
TEST_F(rings, with_buffers_anywhere_are_reported)
{
	static const unsigned int kib[] = { 1, 2, 3, 4, 8, 16, 0 };
	unsigned int i, n, room, count;
	uint64_t addr = BUFFERS;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < ARRAY_SIZE(kib); i++) {
		rxq_disable(&self->rx.q);
		rxq_enable(&self->rx.q, RINGS, 64,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(kib[i]));
		for (n = 0; n < scaled(60); n++) {
			room = rxq_room(&self->rx.q);
			ASSERT_NE(0, room);
			/* The longest frame takes two of the smallest buffers. */
			count = 2 + prng(&self->rx.seed) % room;
			if (count > room)
				count = room;
			while (count--) {
				if (prng(&self->rx.seed) % 4)
					addr = some_buffer(self);
				rxq_post(&self->rx.q, addr, 0);
			}
			rxq_doorbell(&self->rx.q);
			EXPECT_TRUE(frames_arrive(
				self, 1 + prng(&self->rx.seed) % LONGEST));
			EXPECT_NOTHING_LOST();
		}
	}
}

/* A frame in one buffer of three pages: only those are reported. */
static void expect_pages_of_one_frame(struct __test_metadata *_metadata,
				      FIXTURE_DATA(rings) *self, size_t len)
{
	rxq_disable(&self->rx.q);
	rxq_enable(&self->rx.q, RINGS, 8, SRRCTL_ADVANCED | SRRCTL_BUFFER(16));
	/* Flush earlier buffers from the reports. */
	EXPECT_NOTHING_LOST();
	EXPECT_NOTHING_LOST();
	rxq_post(&self->rx.q, BUFFERS + MiB, 0);
	rxq_doorbell(&self->rx.q);
	EXPECT_TRUE(frames_arrive(self, len));
	EXPECT_NOTHING_LOST();
	EXPECT_TRUE(watch_reported(&self->rx.w, BUFFERS + MiB, len));
	EXPECT_FALSE(watch_reported(&self->rx.w, BUFFERS + MiB - 1, 1));
	EXPECT_FALSE(
		watch_reported(&self->rx.w, BUFFERS + MiB + LARGEST_BUFFER, 1));
}

static void large_frames(struct __test_metadata *_metadata,
			 FIXTURE_DATA(rings) *self)
{
	static const unsigned int kib[] = { 1, 2, 4, 8, 16 };
	uint32_t msg[MBX_WORDS] = { MBX_SET_LPE, JUMBO_SIZE };
	const size_t len = 8900;
	unsigned int i, n;

	queue_free(self);
	EXPECT_EQ(0, nic_mbx(&self->rx.nic, msg, 2));
	EXPECT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < ARRAY_SIZE(kib); i++) {
		rxq_disable(&self->rx.q);
		rxq_enable(&self->rx.q, RINGS, 64,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(kib[i]));
		for (n = 0; n < scaled(20); n++) {
			while (rxq_room(&self->rx.q))
				rxq_post(&self->rx.q, some_buffer(self), 0);
			rxq_doorbell(&self->rx.q);
			EXPECT_TRUE(frames_arrive(self, len));
			EXPECT_NOTHING_LOST();
		}
	}
	expect_pages_of_one_frame(_metadata, self, len);
}

/* Large frames fill a large buffer, or several small ones. */
TEST_F(rings, with_large_frames_are_reported)
{
	const char *near = func_bdf(FUNC_PF_A), *far = func_bdf(FUNC_PF_B);

	pf_mtu(near, 9000);
	pf_mtu(far, 9000);
	large_frames(_metadata, self);
	pf_mtu(near, 1500);
	pf_mtu(far, 1500);
}

/* Sends a UDP datagram, whose headers the device can split off. */
static void send_udp(FIXTURE_DATA(rings) *self, uint16_t len)
{
	struct {
		uint8_t dst[6], src[6];
		uint16_t type;
		struct iphdr ip;
		struct udphdr udp;
		uint64_t data[LONGEST / 8];
	} __attribute__((packed)) frame = {
		.type = htons(0x0800),
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = 17 },
		.udp = { .source = htons(1), .dest = htons(2) },
	};
	size_t i;

	memcpy(frame.dst, self->rx.nic.mac, 6);
	memcpy(frame.src, self->rx.peer.mac, 6);
	frame.ip.tot_len = htons(sizeof(frame.ip) + sizeof(frame.udp) + len);
	frame.ip.id = htons(++self->rx.number);
	frame.udp.len = htons(sizeof(frame.udp) + len);
	for (i = 0; i < ARRAY_SIZE(frame.data); i++)
		frame.data[i] = prng(&self->rx.seed);
	must(sys_write(self->rx.peer.fd, &frame,
		       offsetof(typeof(frame), data) + len));
}

/* Each descriptor has two buffers: header and payload. */
TEST_F(rings, with_header_split_are_reported)
{
	static const uint32_t modes[] = { SRRCTL_SPLIT, SRRCTL_ALWAYS_SPLIT };
	const uint64_t headers = BUFFERS + MiB;
	unsigned int i, n, split = 0;

	/* All kinds of headers */
	nic_write(&self->rx.nic, PSRTYPE, 0x7ffff);
	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		rxq_disable(&self->rx.q);
		rxq_enable(&self->rx.q, RINGS, 32,
			   modes[i] | SRRCTL_BUFFER(2) | SRRCTL_HEADER(256));
		for (n = 0; n < scaled(60); n++) {
			/*
			 * Also across the end of a page; bit 0 is no address.
			 */
			uint64_t header = headers + n % 128 * WATCH_PAGE +
					  WATCH_PAGE - 128 * (n % 3);

			rxq_post(&self->rx.q, BUFFERS + n % 100 * WATCH_PAGE,
				 header);
			rxq_doorbell(&self->rx.q);
			EXPECT_TRUE(poll_until(
				(send_udp(self, 1200), rxq_reap(&self->rx.q))));
			split += watch_changed(&self->rx.w, header);
			EXPECT_NOTHING_LOST();
			EXPECT_TRUE(watch_reported(&self->rx.w, header, 256));
			EXPECT_TRUE(watch_reported(
				&self->rx.w, BUFFERS + n % 100 * WATCH_PAGE,
				2048));
		}
	}
	nic_write(&self->rx.nic, PSRTYPE, 0);
	TH_LOG("%u headers were split off", split);
	EXPECT_LT(0, split);
}

/*
 * Buffers that are posted when logging starts, at addresses that look like the
 * write-back of a used descriptor.
 */
static void buffers_before_start(struct __test_metadata *_metadata,
				 FIXTURE_DATA(rings) *self, uint64_t base,
				 uint32_t srrctl)
{
	const uint64_t headers = base + FAR_SIZE / 2;
	unsigned int n;

	rxq_enable(&self->rx.q, RINGS, 32,
		   srrctl | SRRCTL_BUFFER(2) | SRRCTL_HEADER(512));
	for (n = 0; n < 31; n++)
		rxq_post(&self->rx.q, base + n % 16 * FRAME_SIZE,
			 headers + n % 16 * FRAME_SIZE);
	rxq_doorbell(&self->rx.q);
	ASSERT_EQ(0, watch_start(&self->rx.w));
	EXPECT_TRUE(frames_arrive(self, LONGEST));
	EXPECT_NOTHING_LOST();
	EXPECT_LT(0, self->rx.w.written);
	EXPECT_TRUE(watch_reported(&self->rx.w, base, 15 * FRAME_SIZE)) {
		TH_LOG("base %#llx, SRRCTL %#x", (unsigned long long)base,
		       srrctl);
	}
	EXPECT_EQ(srrctl != SRRCTL_ADVANCED,
		  watch_reported(&self->rx.w, headers, 15 * FRAME_SIZE)) {
		TH_LOG("base %#llx, SRRCTL %#x", (unsigned long long)base,
		       srrctl);
	}
	rxq_disable(&self->rx.q);
	ASSERT_EQ(0, log_stop(self->rx.v.fd));
}

TEST_F(rings, with_buffers_before_start_are_reported)
{
	static const uint64_t bases[] = { BUFFERS, FAR };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		buffers_before_start(_metadata, self, bases[i],
				     SRRCTL_ADVANCED);
		buffers_before_start(_metadata, self, bases[i], SRRCTL_SPLIT);
		buffers_before_start(_metadata, self, bases[i],
				     SRRCTL_ALWAYS_SPLIT);
	}
}

/* Buffers that are partly or fully outside of the logged ranges */
TEST_F(rings, are_reported_within_the_ranges_only)
{
	const log_range ranges[] = {
		{ .iova = RINGS, .length = WATCH_PAGE },
		{ .iova = BUFFERS + 4 * WATCH_PAGE, .length = 2 * WATCH_PAGE },
		{ .iova = BUFFERS + 8 * WATCH_PAGE, .length = WATCH_PAGE },
	};
	unsigned int i, offset;

	ASSERT_EQ(0,
		  watch_start_ranges(&self->rx.w, ranges, ARRAY_SIZE(ranges)));
	rxq_enable(&self->rx.q, RINGS, 32, SRRCTL_ADVANCED | SRRCTL_BUFFER(8));
	for (i = 0; i < scaled(20); i++) {
		/* From before the first range to after the last one */
		for (offset = 2 * WATCH_PAGE; offset < 10 * WATCH_PAGE;
		     offset += WATCH_PAGE / 2)
			rxq_post(&self->rx.q,
				 BUFFERS + offset + prng(&self->rx.seed) % 1024,
				 0);
		rxq_doorbell(&self->rx.q);
		EXPECT_TRUE(rxq_bed_send_all(&self->rx, LONGEST));
		EXPECT_NOTHING_LOST();
		EXPECT_EQ(4 * WATCH_PAGE, self->rx.w.reported);
	}
	/* Addresses whose sum with the buffer size overflows */
	for (i = 0; i < 16; i++)
		rxq_post(&self->rx.q, -1ULL - 700 * i, 0);
	rxq_post(&self->rx.q, BUFFERS + 5 * WATCH_PAGE, 0);
	rxq_doorbell(&self->rx.q);
	EXPECT_TRUE(frames_arrive(self, LONGEST));
	EXPECT_NOTHING_LOST();
	expect_vf_works(_metadata, self);
}

/* ---- Reports contain nothing else ---- */

/* A ring of 256 buffers of 2 KiB, refilled while small frames arrive */
TEST_F(rings, have_bounded_reports)
{
	const log_range all = { .iova = 0, .length = 64 * GiB };
	struct flood f = { .peer = &self->rx.peer, .mac = self->rx.nic.mac };
	size_t most = 0;
	unsigned int i, n = 0;

	ASSERT_EQ(0, watch_start_ranges(&self->rx.w, &all, 1));
	rxq_enable(&self->rx.q, RINGS, 256, SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
	flood_start(&f);
	for (i = 0; i < scaled(1000); i++) {
		while (rxq_room(&self->rx.q))
			rxq_post(&self->rx.q, BUFFERS + n++ % 1024 * FRAME_SIZE,
				 0);
		rxq_doorbell(&self->rx.q);
		EXPECT_TRUE(poll_until(rxq_reap(&self->rx.q)));
		EXPECT_NOTHING_LOST();
	}
	flood_stop(&f);
	/* No new buffers: the second report has no older ones. */
	rxq_reap(&self->rx.q);
	EXPECT_NOTHING_LOST();
	for (i = 0; i < 5; i++) {
		EXPECT_NOTHING_LOST();
		if (self->rx.w.reported > most)
			most = self->rx.w.reported;
	}
	TH_LOG("%zu KiB in the reports of a quiet ring", most / 1024);
	EXPECT_GT(MiB, most);
}

/* 8 GiB are logged: only rings and posted buffers are reported. */
TEST_F(rings, have_reports_without_other_pages)
{
	const log_range all = { .iova = 0, .length = 8 * GiB };
	const size_t words = 8 * GiB / WATCH_PAGE / 64;
	uint64_t *bitmap = mem_alloc(words * 8);
	size_t i, bits = 0;

	ASSERT_EQ(0, watch_start_ranges(&self->rx.w, &all, 1));
	rxq_enable(&self->rx.q, RINGS, 256, SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
	for (i = 0; i < 255; i++)
		rxq_post(&self->rx.q, BUFFERS + i * FRAME_SIZE, 0);
	rxq_doorbell(&self->rx.q);
	EXPECT_TRUE(frames_arrive(self, LONGEST));
	EXPECT_NOTHING_LOST();
	for (i = 0; i < 2; i++) {
		memset(bitmap, 0, words * 8);
		ASSERT_EQ(0, log_report(self->rx.v.fd, 0, 8 * GiB, WATCH_PAGE,
					bitmap));
	}
	for (i = 0; i < words; i++)
		bits += __builtin_popcountll(bitmap[i]);
	TH_LOG("%zu pages", bits);
	/* The buffers, a page of this ring, two of the earlier driver's */
	EXPECT_LE(255 * FRAME_SIZE / WATCH_PAGE, bits);
	EXPECT_GE(255 * FRAME_SIZE / WATCH_PAGE + 1 + 4, bits);
	mem_free(bitmap, words * 8);
}

/* More descriptors than the worker reads at a time, 256 */
#define BURST_RING	1024
#define BURST		1000U

static void post_burst(FIXTURE_DATA(rings) *self, unsigned int first)
{
	unsigned int i;

	for (i = 0; i < BURST; i++)
		rxq_post(&self->rx.q, BUFFERS + (first + i) * FRAME_SIZE, 0);
	rxq_doorbell(&self->rx.q);
}

/* Of BUFFERS, are those from @first to @end in the last report, and no others? */
static void expect_buffers(struct __test_metadata *_metadata,
			   FIXTURE_DATA(rings) *self, unsigned int first,
			   unsigned int end)
{
	const unsigned int each = WATCH_PAGE / FRAME_SIZE;
	unsigned int page;

	for (page = 0; page < BUFFERS_SIZE / WATCH_PAGE; page++)
		EXPECT_EQ(page >= first / each && page < (end + 1) / each,
			  watch_reported(&self->rx.w,
					 BUFFERS + page * WATCH_PAGE, 1)) {
			TH_LOG("page %u", page);
		}
}

TEST_F(rings, filled_in_bursts_are_reported)
{
	const unsigned int moved = BUFFERS_SIZE / FRAME_SIZE - BURST;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	rxq_enable(&self->rx.q, RINGS, BURST_RING,
		   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
	post_burst(self, 0);
	EXPECT_TRUE(rxq_bed_send_all(&self->rx, LONGEST));
	EXPECT_NOTHING_LOST();
	expect_buffers(_metadata, self, 0, BURST);
	/* Across the end of the ring; the second report has no older buffers. */
	post_burst(self, moved);
	EXPECT_TRUE(rxq_bed_send_all(&self->rx, LONGEST));
	EXPECT_NOTHING_LOST();
	EXPECT_NOTHING_LOST();
	expect_buffers(_metadata, self, moved, moved + BURST);
}

/* START finds those that the device has not used, and no others. */
TEST_F(rings, filled_in_bursts_before_start_are_reported)
{
	unsigned int page, used, i;

	rxq_enable(&self->rx.q, RINGS, BURST_RING,
		   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
	post_burst(self, 0);
	for (i = 0; i < 10; i++)
		EXPECT_TRUE(frames_arrive(self, LONGEST));
	used = self->rx.q.clean;
	ASSERT_EQ(0, watch_start(&self->rx.w));
	EXPECT_NOTHING_LOST();
	/* Some frames may have been under way. */
	rxq_reap(&self->rx.q);
	for (page = 0; page < used * FRAME_SIZE / WATCH_PAGE; page++)
		EXPECT_FALSE(watch_reported(&self->rx.w,
					    BUFFERS + page * WATCH_PAGE, 1));
	EXPECT_TRUE(watch_reported(&self->rx.w,
				   BUFFERS + self->rx.q.clean * FRAME_SIZE,
				   (BURST - self->rx.q.clean) * FRAME_SIZE));
	EXPECT_FALSE(watch_reported(&self->rx.w, BUFFERS + BURST * FRAME_SIZE,
				    1));
	EXPECT_TRUE(rxq_bed_send_all(&self->rx, LONGEST));
	EXPECT_NOTHING_LOST();
}

/* ---- Two VFs in one container ---- */

/* Memory of the second VF */
#define OTHER		0x4000000ULL
#define OTHER_SIZE	MiB
#define OTHER_BUFFERS	(OTHER + 64 * KiB)

/* Opens a second VF.  Its guest driver uses the same memory as that of the first. */
static void second_open(FIXTURE_DATA(rings) *self, struct rxq_bed *second,
			const char *bdf)
{
	struct rxq_bed *first = &self->rx;

	*second = (struct rxq_bed){ .peer = first->peer, .seed = first->seed };
	vdev_open_in(&second->v, bdf, DRV_IGBVF_VFIO, first->v.container);
	second->nic = (struct nic){
		.v = &second->v,
		.trapped = first->nic.trapped,
		.mem = first->nic.mem,
	};
	if (!second->nic.trapped)
		second->nic.regs = vdev_map_region(&second->v, 0);
	watch_init(&second->w, &second->v);
	watch_map(&second->w, OTHER, OTHER_SIZE);
	second->q = (struct rxq){ .nic = &second->nic, .w = &second->w };
	nic_up(&second->nic);
	rxq_disable(&second->q);
	nic_write(&second->nic, TXDCTL, 0);
	watch_accept(&first->w);
}

static bool reports_any(const struct vdev *v, uint64_t iova, size_t size)
{
	uint64_t bitmap[BUFFERS_SIZE / WATCH_PAGE / 64] = {};
	bool any = false;
	unsigned int i;

	must(log_report(v->fd, iova, size, WATCH_PAGE, bitmap));
	for (i = 0; i < ARRAY_SIZE(bitmap); i++)
		any |= bitmap[i];
	return any;
}

static void receive_one(struct __test_metadata *_metadata, struct rxq_bed *bed,
			uint64_t buffer)
{
	rxq_post(&bed->q, buffer, 0);
	rxq_doorbell(&bed->q);
	EXPECT_TRUE(rxq_bed_send_all(bed, LONGEST));
	EXPECT_EQ(0, watch_step(&bed->w));
	EXPECT_TRUE(watch_reported(&bed->w, buffer, FRAME_SIZE));
}

/* Each VF reports what it has written itself. */
TEST_F(rings, of_two_vfs_are_reported_apart)
{
	const log_range all = { .iova = 0, .length = 8 * GiB };
	const char *bdf = NEED_FUNC(FUNC_VF_A1);
	struct rxq_bed second;
	unsigned int i;

	second_open(self, &second, bdf);
	rxq_enable(&self->rx.q, RINGS, 32, SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
	rxq_enable(&second.q, OTHER, 32, SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
	ASSERT_EQ(0, watch_start_ranges(&self->rx.w, &all, 1));
	ASSERT_EQ(0, watch_start_ranges(&second.w, &all, 1));
	for (i = 0; i < scaled(40); i++) {
		receive_one(_metadata, &self->rx, BUFFERS + i * WATCH_PAGE);
		receive_one(_metadata, &second, OTHER_BUFFERS + i * WATCH_PAGE);
		EXPECT_FALSE(reports_any(&self->rx.v, OTHER, OTHER_SIZE));
		EXPECT_FALSE(reports_any(&second.v, BUFFERS, BUFFERS_SIZE));
		EXPECT_FALSE(reports_any(&second.v, RINGS, RINGS_SIZE));
	}
	/* The end of one log is not the end of the other. */
	EXPECT_EQ(0, log_stop(second.v.fd));
	receive_one(_metadata, &self->rx, BUFFERS + MiB);
	rxq_disable(&second.q);
	if (second.nic.regs)
		vdev_unmap_region(&second.v, 0, (void *)second.nic.regs);
	vdev_close(&second.v);
	receive_one(_metadata, &self->rx, BUFFERS + MiB + WATCH_PAGE);
	expect_vf_works(_metadata, self);
}

/* ---- Rings that change ---- */

TEST_F(rings, changed_while_logging_are_reported)
{
	unsigned int i, n;
	uint64_t ring;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < scaled(60); i++) {
		ring = i % 2 ? SECOND_RING : RINGS;
		rxq_disable(&self->rx.q);
		/* Every third round has no report in between. */
		if (i % 3)
			EXPECT_NOTHING_LOST();
		rxq_enable(&self->rx.q, ring + prng(&self->rx.seed) % 8 * 128,
			   8 << prng(&self->rx.seed) % 5,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(1 << i % 4));
		for (n = 0; n < 8; n++) {
			rxq_post(&self->rx.q, some_buffer(self), 0);
			if (!rxq_room(&self->rx.q))
				break;
		}
		rxq_doorbell(&self->rx.q);
		EXPECT_TRUE(frames_arrive(self, LONGEST));
		if (i % 2)
			EXPECT_NOTHING_LOST();
	}
	EXPECT_NOTHING_LOST();
}

/* Pages of a ring that is replaced are still reported. */
TEST_F(rings, replaced_while_logging_are_reported)
{
	unsigned int i;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < scaled(30); i++) {
		rxq_enable(&self->rx.q, RINGS, 32,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
		while (rxq_room(&self->rx.q))
			rxq_post(&self->rx.q, some_buffer(self), 0);
		rxq_doorbell(&self->rx.q);
		EXPECT_TRUE(frames_arrive(self, LONGEST));
		rxq_disable(&self->rx.q);
		EXPECT_NOTHING_LOST();
	}
	EXPECT_LT(0, self->rx.w.written);
}

/* Disabled and enabled at once with the same memory, unnoticed by the driver */
TEST_F(rings, disabled_and_enabled_at_once_are_reported)
{
	unsigned int i;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	rxq_enable(&self->rx.q, RINGS, 32, SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
	for (i = 0; i < scaled(200); i++) {
		while (rxq_room(&self->rx.q))
			rxq_post(&self->rx.q,
				 BUFFERS + self->rx.q.tail * WATCH_PAGE, 0);
		rxq_doorbell(&self->rx.q);
		if (i % 2)
			rxq_bed_send(&self->rx, LONGEST);
		rxq_write(&self->rx.q, RXDCTL, 0);
		rxq_write(&self->rx.q, RXDCTL, DCTL_ENABLE);
		EXPECT_NOTHING_LOST();
		rxq_reap(&self->rx.q);
	}
	expect_vf_works(_metadata, self);
}

/* The second queue receives nothing; its buffers are reported. */
TEST_F(rings, of_the_second_queue_are_reported)
{
	struct rxq second = {
		.nic = &self->rx.nic,
		.w = &self->rx.w,
		.queue = 1,
	};
	unsigned int i, n;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < 3; i++) {
		rxq_enable(&self->rx.q, RINGS, 32,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
		rxq_enable(&second, SECOND_RING, 32,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
		for (n = 0; n < 16; n++) {
			rxq_post(&self->rx.q, BUFFERS + n * WATCH_PAGE, 0);
			rxq_post(&second, BUFFERS + MiB + n * WATCH_PAGE, 0);
		}
		rxq_doorbell(&second);
		rxq_doorbell(&self->rx.q);
		EXPECT_TRUE(frames_arrive(self, LONGEST));
		EXPECT_NOTHING_LOST();
		EXPECT_TRUE(
			watch_reported(&self->rx.w, BUFFERS, 16 * WATCH_PAGE));
		/* Nothing shows when the worker notices the second doorbell. */
		EXPECT_TRUE(
			poll_until(!watch_step(&self->rx.w) &&
				   watch_reported(&self->rx.w, BUFFERS + MiB,
						  16 * WATCH_PAGE)));
		EXPECT_TRUE(watch_reported(&self->rx.w, SECOND_RING,
					   32 * sizeof(struct desc)));
		rxq_disable(&second);
		rxq_disable(&self->rx.q);
	}
	expect_vf_works(_metadata, self);
}

/* ---- Invalid heads, tails and lengths ---- */

/* Fills all descriptors, as the device may use any of them. */
static void fill_all(FIXTURE_DATA(rings) *self)
{
	struct desc new = {};
	unsigned int i;

	for (i = 0; i < self->rx.q.size; i++) {
		new.addr = BUFFERS + i * WATCH_PAGE;
		watch_store(&self->rx.w, self->rx.q.ring + i * sizeof(new),
			    &new, sizeof(new));
	}
}

TEST_F(rings, survive_a_tail_that_goes_backwards)
{
	unsigned int i, n;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < scaled(40); i++) {
		rxq_enable(&self->rx.q, RINGS, 64,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
		fill_all(self);
		for (n = 0; n < 8; n++) {
			rxq_write(&self->rx.q, RDT, prng(&self->rx.seed) % 64);
			rxq_bed_send(&self->rx, LONGEST);
			EXPECT_NOTHING_LOST();
		}
		rxq_disable(&self->rx.q);
		EXPECT_NOTHING_LOST();
	}
	expect_vf_works(_metadata, self);
}

TEST_F(rings, survive_a_tail_out_of_the_ring)
{
	static const uint32_t tails[] = { 64, 65, 0x7fff, 0xffff, 0x10000,
					  0x10001, 0x80000000, ~0U };
	unsigned int i;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < ARRAY_SIZE(tails); i++) {
		rxq_enable(&self->rx.q, RINGS, 64,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
		fill_all(self);
		rxq_write(&self->rx.q, RDT, tails[i]);
		rxq_bed_send(&self->rx, LONGEST);
		EXPECT_NOTHING_LOST();
		rxq_write(&self->rx.q, RDT, 5);
		rxq_bed_send(&self->rx, LONGEST);
		EXPECT_NOTHING_LOST();
		rxq_disable(&self->rx.q);
		EXPECT_NOTHING_LOST();
	}
	expect_vf_works(_metadata, self);
}

/* The guest writes the head while the queue runs. */
TEST_F(rings, survive_a_written_head)
{
	static const uint32_t heads[] = { 0, 5, 63, 64, 0xffff, ~0U };
	unsigned int i;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		rxq_enable(&self->rx.q, RINGS, 64,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
		fill_all(self);
		rxq_write(&self->rx.q, RDT, 20);
		rxq_write(&self->rx.q, RDH, heads[i]);
		rxq_bed_send(&self->rx, LONGEST);
		EXPECT_NOTHING_LOST();
		rxq_disable(&self->rx.q);
		EXPECT_NOTHING_LOST();
	}
	expect_vf_works(_metadata, self);
}

/* A head behind the end of the ring, before and after START */
TEST_F(rings, survive_a_head_out_of_the_ring)
{
	static const uint32_t heads[] = { 64, 65, 0x7fff, 0x8000, 0xffff };
	static const uint32_t tails[] = { 0, 63, 64, 0x8001, 0xffff };
	unsigned int i, n;

	for (i = 0; i < 2 * ARRAY_SIZE(heads); i++) {
		if (i % 2)
			ASSERT_EQ(0, watch_start(&self->rx.w));
		rxq_enable(&self->rx.q, RINGS, 64,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
		fill_all(self);
		rxq_disable(&self->rx.q);
		rxq_write(&self->rx.q, RDH, heads[i / 2]);
		rxq_write(&self->rx.q, RDT, heads[i / 2]);
		rxq_write(&self->rx.q, RXDCTL, DCTL_ENABLE);
		if (!(i % 2))
			ASSERT_EQ(0, watch_start(&self->rx.w));
		for (n = 0; n < ARRAY_SIZE(tails); n++) {
			rxq_write(&self->rx.q, RDT, tails[n]);
			rxq_bed_send(&self->rx, LONGEST);
			EXPECT_NOTHING_LOST();
			EXPECT_EQ(0, mig_set(self->rx.v.fd,
					     n % 2 ? STOP : RUNNING_P2P, NULL));
			EXPECT_NOTHING_LOST();
			EXPECT_EQ(0, mig_set(self->rx.v.fd, RUNNING, NULL));
			EXPECT_NOTHING_LOST();
		}
		rxq_disable(&self->rx.q);
		EXPECT_NOTHING_LOST();
		ASSERT_EQ(0, log_stop(self->rx.v.fd));
	}
	ASSERT_EQ(0, watch_start(&self->rx.w));
	expect_vf_works(_metadata, self);
}

static const uint32_t lengths[] = { 0, 128, 0xfff80, 0xffff0, ~0U };

TEST_F(rings, survive_extreme_lengths)
{
	unsigned int i;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		rxq_enable(&self->rx.q, RINGS, 8,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
		rxq_disable(&self->rx.q);
		rxq_write(&self->rx.q, RDLEN, lengths[i]);
		rxq_write(&self->rx.q, RXDCTL, DCTL_ENABLE);
		fill_all(self);
		rxq_write(&self->rx.q, RDT, 6);
		rxq_bed_send(&self->rx, LONGEST);
		EXPECT_NOTHING_LOST();
		rxq_write(&self->rx.q, RDT, 0xfff7);
		rxq_bed_send(&self->rx, LONGEST);
		EXPECT_NOTHING_LOST();
		/* Logging starts and stops with such a ring. */
		EXPECT_EQ(0, log_stop(self->rx.v.fd));
		ASSERT_EQ(0, watch_start(&self->rx.w));
		rxq_disable(&self->rx.q);
	}
	expect_vf_works(_metadata, self);
}

/* ---- Rings in unmapped memory and in registers ---- */

struct mapper {
	int container;
	void *mem;
	bool stop;
	unsigned long rounds;
};

static void *map_and_unmap(void *arg)
{
	struct mapper *m = arg;

	while (!__atomic_load_n(&m->stop, __ATOMIC_SEQ_CST)) {
		must(dma_unmap(m->container, RINGS, RINGS_SIZE));
		sched_yield();
		must(dma_map(m->container, RINGS, m->mem, RINGS_SIZE));
		sched_yield();
		__atomic_fetch_add(&m->rounds, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static unsigned long rounds_of(struct mapper *m)
{
	return __atomic_load_n(&m->rounds, __ATOMIC_SEQ_CST);
}

TEST_F(rings, survive_unmap_while_the_worker_reads)
{
	struct mapper m = {
		.container = self->rx.v.container,
		.mem = watch_at(&self->rx.w, RINGS),
	};
	struct flood f = {
		.peer = &self->rx.peer,
		.mac = self->rx.nic.mac,
		.longest = LONGEST,
	};
	pthread_t thread;
	unsigned int i;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	flood_start(&f);
	pthread_create(&thread, NULL, map_and_unmap, &m);
	for (i = 0; i < scaled(20); i++) {
		unsigned long until = rounds_of(&m) + 10;

		rxq_disable(&self->rx.q);
		rxq_enable(&self->rx.q, RINGS, 256,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
		fill_all(self);
		while (rounds_of(&m) < until) {
			rxq_write(&self->rx.q, RDT, prng(&self->rx.seed) % 256);
			EXPECT_NOTHING_LOST();
		}
		if (i % 4)
			continue;
		EXPECT_EQ(0, log_stop(self->rx.v.fd));
		EXPECT_EQ(0, watch_start(&self->rx.w));
	}
	__atomic_store_n(&m.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	flood_stop(&f);
	/* From now on, the ring stays mapped. */
	rxq_disable(&self->rx.q);
	EXPECT_NOTHING_LOST();
	rxq_enable(&self->rx.q, RINGS, 256, SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
	post_and_receive(_metadata, self, 200);
	expect_vf_works(_metadata, self);
}

/* Sets the disabled queue up for a ring of 256 descriptors at any address. */
static void set_ring(const struct rxq *q, uint64_t iova)
{
	rxq_write(q, RDBAL, iova);
	rxq_write(q, RDBAH, iova >> 32);
	rxq_write(q, RDLEN, 256 * sizeof(struct desc));
	rxq_write(q, SRRCTL, SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
	rxq_write(q, RDH, 0);
}

/* Uses a ring at @iova that the device cannot access. */
static void use_bad_ring(struct __test_metadata *_metadata,
			 FIXTURE_DATA(rings) *self, uint64_t iova)
{
	struct rxq *q = &self->rx.q;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		rxq_disable(q);
		set_ring(q, iova);
		if (i)	/* enabled before logging starts */
			EXPECT_EQ(0, log_stop(self->rx.v.fd));
		rxq_write(q, RXDCTL, DCTL_ENABLE);
		rxq_write(q, RDT, 100);
		if (i)
			EXPECT_EQ(0, watch_start(&self->rx.w));
		rxq_bed_send(&self->rx, LONGEST);
		EXPECT_NOTHING_LOST();
		rxq_write(q, RDT, 200);
		EXPECT_NOTHING_LOST();
		/* The host can still stop it, and run it again. */
		EXPECT_EQ(0, mig_set(self->rx.v.fd, STOP, NULL));
		EXPECT_NOTHING_LOST();
		EXPECT_EQ(0, mig_set(self->rx.v.fd, RUNNING, NULL));
		EXPECT_NOTHING_LOST();
	}
	expect_vf_works(_metadata, self);
	EXPECT_EQ(0, device_reset(&self->rx.v));
	expect_vf_works(_metadata, self);
	queue_free(self);
}

TEST_F(rings, survive_an_unmapped_address)
{
	static const uint64_t iovas[] = {
		0, 0x40000000, RINGS + RINGS_SIZE - 128, 1ULL << 47,
		1ULL << 63, -4096ULL, -128ULL,
	};
	unsigned int i;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < ARRAY_SIZE(iovas); i++)
		use_bad_ring(_metadata, self, iovas[i]);
}

/* The worker reads a descriptor from the device's own registers. */
TEST_F(rings, survive_an_address_of_registers)
{
	const uint64_t iova = 0x50000000;
	char *bar;

	bar = vdev_map_region(&self->rx.v, 0);
	/* Pages 1 and 3, where reads affect the guest only */
	ASSERT_EQ(0, dma_map(self->rx.v.container, iova, bar + 4096, 4096));
	ASSERT_EQ(0, dma_map(self->rx.v.container, iova + 4096, bar + 3 * 4096,
			     4096));
	ASSERT_EQ(0, watch_start(&self->rx.w));
	use_bad_ring(_metadata, self, iova);
	use_bad_ring(_metadata, self, iova + 4096);
	/* Across both pages */
	use_bad_ring(_metadata, self, iova + 4096 - 512);
	must(dma_unmap(self->rx.v.container, iova, 2 * 4096));
	vdev_unmap_region(&self->rx.v, 0, bar);
}

/* In memory that is mapped read-only, or that the user has unmapped */
TEST_F(rings, survive_read_only_and_unmapped_memory)
{
	const uint64_t iova = 0x60000000;
	void *mem = mem_alloc(MiB);

	ASSERT_EQ(0, dma_map_flags(self->rx.v.container, iova, mem, MiB,
				   VFIO_DMA_MAP_FLAG_READ));
	ASSERT_EQ(0, watch_start(&self->rx.w));
	use_bad_ring(_metadata, self, iova);
	must(dma_unmap(self->rx.v.container, iova, MiB));

	ASSERT_EQ(0, dma_map(self->rx.v.container, iova, mem, MiB));
	mem_free(mem, MiB);
	use_bad_ring(_metadata, self, iova);
	must(dma_unmap(self->rx.v.container, iova, MiB));
}

/* In memory of a process that has exited */
TEST_F(rings, survive_the_exit_of_their_owner)
{
	const uint64_t iova = 0x60000000;
	pid_t child = fork();
	int status;

	if (!child) {
		must(dma_map(self->rx.v.container, iova, mem_alloc(MiB), MiB));
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, watch_start(&self->rx.w));
	use_bad_ring(_metadata, self, iova);
	must(dma_unmap(self->rx.v.container, iova, MiB));
}

/*
 * From now on, the CPU finds no memory there, and waits.  The device has the
 * pages that are pinned.
 */
static int take_away(void *mem, size_t size)
{
	if (madvise(mem, size, MADV_DONTNEED))
		die("madvise: %s", strerror(errno));
	return userfault_never(mem, size);
}

/*
 * In memory that never comes.  The worker waits for it, but nobody else: the
 * container, another VF in it and the close of this one do not.
 */
TEST_F(rings, survive_memory_that_never_comes)
{
	const char *bdf = NEED_FUNC(FUNC_VF_B0);
	const uint64_t iova = 0x60000000;
	int container = self->rx.v.container, fd;
	void *mem = mem_alloc(MiB), *other = mem_alloc(MiB);
	struct vdev second;

	ASSERT_EQ(0, dma_map(container, iova, mem, MiB));
	ASSERT_EQ(0, watch_start(&self->rx.w));
	rxq_disable(&self->rx.q);
	fd = take_away(mem, MiB);
	if (fd < 0)
		SKIP(return, "no userfaultfd");
	set_ring(&self->rx.q, iova);
	rxq_write(&self->rx.q, RXDCTL, DCTL_ENABLE);
	rxq_write(&self->rx.q, RDT, 100);
	userfault_wait(fd);

	EXPECT_EQ(0, dma_map(container, 2 * iova, other, MiB));
	EXPECT_EQ(MiB, dma_unmap(container, 2 * iova, MiB));
	vdev_open_in(&second, bdf, DRV_IGBVF_VFIO, container);
	EXPECT_EQ(0, log_start_range(second.fd, 0, GiB));
	log_close(&second);
	EXPECT_NOTHING_LOST();
	EXPECT_EQ(MiB, dma_unmap(container, iova, MiB));
	nic_detach(&self->rx.nic);
	log_close(&self->rx.v);
	sys_close(fd);
}

struct starter {
	struct watch *w;
	int ret;
};

static void *start(void *arg)
{
	struct starter *s = arg;

	s->ret = watch_start(s->w);
	return NULL;
}

/* The VF goes into low power mode while START waits for the descriptors. */
TEST_F(rings, are_scanned_in_low_power)
{
	const size_t size = 256 * sizeof(struct desc);
	struct desc *ring = mem_alloc(size), *copy = mem_alloc(size);
	struct starter s = { .w = &self->rx.w };
	const uint64_t iova = 0x60000000;
	uint64_t bitmap[4] = {};
	pthread_t thread;
	unsigned int i;
	int fd;

	for (i = 0; i < 256; i++)
		ring[i].addr = BUFFERS + i * WATCH_PAGE;
	memcpy(copy, ring, size);
	ASSERT_EQ(0, dma_map(self->rx.v.container, iova, ring, size));
	set_ring(&self->rx.q, iova);
	rxq_write(&self->rx.q, RXDCTL, DCTL_ENABLE);
	rxq_write(&self->rx.q, RDT, 100);
	fd = take_away(ring, size);
	if (fd < 0)
		SKIP(return, "no userfaultfd");

	pthread_create(&thread, NULL, start, &s);
	userfault_wait(fd);
	EXPECT_EQ(0, low_power(&self->rx.v,
			       VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY));
	userfault_fill(fd, ring, copy, size);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, s.ret);
	EXPECT_EQ(0, log_report(self->rx.v.fd, BUFFERS, 256 * WATCH_PAGE,
				WATCH_PAGE, bitmap));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(~0ULL, bitmap[i]);
	EXPECT_EQ(0, low_power(&self->rx.v,
			       VFIO_DEVICE_FEATURE_LOW_POWER_EXIT));
	sys_close(fd);
	rxq_disable(&self->rx.q);
	must(dma_unmap(self->rx.v.container, iova, size));
	expect_vf_works(_metadata, self);
}

/* A doorbell just before low power mode takes effect when the mode ends. */
TEST_F(rings, keep_doorbells_in_low_power)
{
	unsigned int i, n;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	rxq_enable(&self->rx.q, RINGS, 32, SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
	for (i = 0; i < scaled(40); i++) {
		for (n = 0; n < 20; n++)
			rxq_post(&self->rx.q, BUFFERS + n * WATCH_PAGE, 0);
		rxq_doorbell(&self->rx.q);
		EXPECT_EQ(0, low_power(&self->rx.v,
				       VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY));
		/* Longer than the worker looks before it goes to sleep */
		sleep_us(100000);
		EXPECT_EQ(0, low_power(&self->rx.v,
				       VFIO_DEVICE_FEATURE_LOW_POWER_EXIT));
		EXPECT_TRUE(rxq_bed_send_all(&self->rx, LONGEST));
		EXPECT_NOTHING_LOST();
	}
}

/* The device writes frames to the ring, over descriptors. */
TEST_F(rings, survive_buffers_on_the_ring)
{
	unsigned int i, n;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	for (i = 0; i < scaled(20); i++) {
		rxq_disable(&self->rx.q);
		rxq_enable(&self->rx.q, RINGS, 64,
			   SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
		for (n = 0; n < 40; n++)
			rxq_post(&self->rx.q,
				 RINGS + prng(&self->rx.seed) % 1024, 0);
		rxq_doorbell(&self->rx.q);
		for (n = 0; n < 10; n++)
			rxq_bed_send(&self->rx, LONGEST);
		watch_step(&self->rx.w);
	}
	expect_vf_works(_metadata, self);
}

/* ---- Random values in all registers of the queue ---- */

static const uint32_t queue_regs[] = {
	RDBAL, RDBAH, RDLEN, SRRCTL, RDH, RDT, RXDCTL,
};

static uint32_t nonsense(uint64_t *seed, uint32_t reg)
{
	switch (prng(seed) % 4) {
	case 0:
		return reg == RXDCTL ? DCTL_ENABLE : prng(seed) % 64;
	case 1:
		return reg == RDBAL ? RINGS : reg == RDBAH ? 0 :
		       reg == RDLEN ? 1024 : prng(seed);
	default:
		return prng(seed);
	}
}

TEST_F(rings, survive_random_registers)
{
	struct flood f = { .peer = &self->rx.peer, .mac = self->rx.nic.mac };
	unsigned int i, n;
	uint32_t reg;

	ASSERT_EQ(0, watch_start(&self->rx.w));
	flood_start(&f);
	for (i = 0; i < scaled(100); i++) {
		self->rx.q.queue = i % 2;
		for (n = 0; n < 50; n++) {
			reg = queue_regs[prng(&self->rx.seed) %
					 ARRAY_SIZE(queue_regs)];
			rxq_write(&self->rx.q, reg,
				  nonsense(&self->rx.seed, reg));
		}
		/* The result does not matter: pages may be missing here. */
		watch_step(&self->rx.w);
		if (i % 10)
			continue;
		EXPECT_EQ(0, mig_set(self->rx.v.fd, STOP, NULL));
		EXPECT_EQ(0, mig_set(self->rx.v.fd, RUNNING, NULL));
		EXPECT_EQ(0, log_stop(self->rx.v.fd));
		EXPECT_EQ(0, watch_start(&self->rx.w));
	}
	flood_stop(&f);
	expect_vf_works(_metadata, self);
}

TEST_HARNESS_MAIN
