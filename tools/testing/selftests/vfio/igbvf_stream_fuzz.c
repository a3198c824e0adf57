// SPDX-License-Identifier: GPL-2.0-only
/*
 * Invalid streams: truncated, damaged, with records in a wrong order, with
 * wrong and with right checksums.  Each is refused or leaves a device that
 * works after a reset; run.sh checks the kernel log.
 *
 * Prints its seed, which VFIO_TEST_SEED repeats.  Loads run on all four VFs at
 * once, as they mostly wait for resets.
 *
 * uapi/linux/vfio_migration_stream.h and drivers/vfio/pci/igbvf/stream.h
 * describe the stream.  All records of the VF are shorter than a block.
 */
#include <endian.h>
#include <linux/pci_regs.h>
#include <linux/vfio_migration_stream.h>
#include <pthread.h>

#include "test.h"
#include "device.h"
#include "dma_log.h"
#include "migration.h"
#include "nic.h"

#include "../../../vfio-mig/crc32c.h"

#define NR_LANES	4
#define HEADER_SIZE	sizeof(struct vfio_mig_stream_header)
#define RECORD_SIZE	sizeof(struct vfio_mig_record_header)
#define CRC_SIZE	4
#define MAX_RECORDS	16

struct record {
	uint16_t type;
	uint16_t version;
	uint32_t flags;
	uint64_t length;
};

/* One VF and its share of the work */
struct lane {
	struct vdev v;
	struct nic nic;
	struct peer peer;
	unsigned int index;	/* of @lanes */
	unsigned int lanes;
	uint64_t seed;
	const struct stream *good;
	/* Makes stream number @i; without data if it belongs to another lane */
	struct stream (*make)(struct lane *lane, unsigned int i);
	unsigned int count;
	bool must_fail;
	unsigned int tried;
	unsigned int refused;
	unsigned int loaded;
};

FIXTURE(fuzz) {
	struct lane lane[NR_LANES];
	unsigned int lanes;
	struct stream good;
	uint64_t seed;
};

/* A stream with data in all parts */
static struct stream interesting_stream(struct lane *lane)
{
	static const uint32_t messages[][3] = {
		{ MBX_SET_MULTICAST | 3 << MBX_INFO_SHIFT, 0x02340123, 0x456 },
		{ MBX_SET_VLAN | 1 << MBX_INFO_SHIFT, 42 },
		{ MBX_SET_LPE, 9000 },
	};
	int32_t fds[NR_VECTORS];
	struct stream stream;
	unsigned int i;

	for (i = 0; i < NR_VECTORS; i++)
		fds[i] = eventfd_new();
	nic_attach(&lane->nic, &lane->v);
	nic_up(&lane->nic);
	nic_irqs_up(&lane->nic, fds);
	for (i = 0; i < ARRAY_SIZE(messages); i++) {
		uint32_t msg[MBX_WORDS] = {};

		memcpy(msg, messages[i], sizeof(messages[i]));
		must(nic_mbx(&lane->nic, msg, 3));
	}
	nic_ping_pong(&lane->nic, &lane->peer);
	stream = device_save(lane->v.fd);
	must(device_reset(&lane->v));
	must(irq_disable(&lane->v, VFIO_PCI_MSIX_IRQ_INDEX));
	nic_detach(&lane->nic);
	return stream;
}

FIXTURE_SETUP(fuzz)
{
	static const struct {
		const char *func;
		const char *far_pf;
	} lanes[NR_LANES] = {
		{ FUNC_VF_A0, FUNC_PF_B }, { FUNC_VF_B0, FUNC_PF_A },
		{ FUNC_VF_A1, FUNC_PF_B }, { FUNC_VF_B1, FUNC_PF_A },
	};
	unsigned int i;

	NEED_FUNC(FUNC_VF_A0);
	NEED_MODULE(DRV_IGBVF_VFIO);
	self->seed = test_seed();
	TH_LOG("VFIO_TEST_SEED=%#llx", (unsigned long long)self->seed);

	for (i = 0; i < NR_LANES; i++) {
		struct lane *lane = &self->lane[self->lanes];

		if (!func_bdf(lanes[i].func))
			continue;
		lane->index = self->lanes++;
		vdev_open(&lane->v, func_bdf(lanes[i].func), DRV_IGBVF_VFIO);
		nic_alloc(&lane->nic);
		peer_open(&lane->peer, func_bdf(lanes[i].far_pf) ?:
					func_bdf(FUNC_PF_A));
		lane->seed = self->seed ^ (0x9e3779b97f4a7c15 * (i + 1));
	}
	self->good = interesting_stream(&self->lane[0]);
	for (i = 0; i < self->lanes; i++) {
		self->lane[i].good = &self->good;
		self->lane[i].lanes = self->lanes;
	}
}

FIXTURE_TEARDOWN(fuzz)
{
	unsigned int i;

	for (i = 0; i < self->lanes; i++)
		vdev_close(&self->lane[i].v);
}

/* After a reset, the VF works for a driver that initializes it. */
static void check_alive(struct lane *lane)
{
	struct vdev *v = &lane->v;
	int ret;

	must(device_reset(v));
	ret = mig_get(v->fd);
	if (ret != RUNNING)
		die("%s is in %s after a reset", v->bdf, mig_state_name(ret));
	nic_attach(&lane->nic, v);
	nic_up(&lane->nic);
	nic_ping_pong(&lane->nic, &lane->peer);
	cfg_command(v, 0, PCI_COMMAND_MASTER);
	nic_detach(&lane->nic);
	must(device_reset(v));
}

/* Runs a VF with the state that was loaded, invalid or not. */
static void run_nonsense(struct lane *lane)
{
	struct vdev *v = &lane->v;
	bool log = !stock_modules() && prng(&lane->seed) % 2;
	uint64_t bitmap[NIC_MEM / 4096 / 64 + 1];
	struct stream stream;

	nic_attach(&lane->nic, v);
	cfg_command(v, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY, 0);
	/* The worker reads rings at any address and of any length. */
	if (log)
		must(log_start_range(v->fd, 0, 4 * GiB));
	if (!mig_set(v->fd, RUNNING, NULL)) {
		nic_write(&lane->nic, VTEICS, ALL_VECTORS);
		nic_write(&lane->nic, TDT, 1);
		nic_write(&lane->nic, RDT, 1);
		if (log)
			must(log_report(v->fd, NIC_IOVA, NIC_MEM, 4096,
					bitmap));
		peer_send(&lane->peer, lane->nic.mac, "nonsense", 8);
		sleep_us(1000);
		if (!mig_set(v->fd, STOP, NULL)) {
			stream = device_save(v->fd);
			stream_free(&stream);
		}
	}
	if (log)
		must(log_stop(v->fd));
	nic_detach(&lane->nic);
}

static void try_load(struct lane *lane, unsigned int i,
		     const struct stream *stream)
{
	struct vdev *v = &lane->v;
	size_t chunk = 1 + prng(&lane->seed) % (stream->size + 1);
	int fd, ret;

	fd = must(mig_session(v->fd, RESUMING));
	ret = stream_write(fd, stream->data, stream->size, chunk);
	if (!ret)
		ret = mig_set(v->fd, STOP, NULL);
	sys_close(fd);
	if (!ret) {
		lane->loaded++;
		if (lane->must_fail)
			die("stream %u was loaded", i);
		run_nonsense(lane);
		check_alive(lane);
		return;
	}
	lane->refused++;
	ret = mig_get(v->fd);
	if (ret != RESUMING && ret != ERROR && ret != STOP)
		die("stream %u: refused, now in %s", i, mig_state_name(ret));
	if (lane->refused % 100)
		must(device_reset(v));
	else
		check_alive(lane);
	ret = mig_get(v->fd);
	if (ret != RUNNING)
		die("stream %u: %s after reset", i, mig_state_name(ret));
}

/* One of so many streams is tried, by VFIO_TEST_SCALE. */
static unsigned int one_of(void)
{
	return 1000 / scaled(1000);
}

static void *lane_run(void *arg)
{
	struct lane *lane = arg;
	unsigned int i;

	for (i = 0; i < lane->count; i++) {
		struct stream stream = lane->make(lane, i);

		if (stream.data) {
			try_load(lane, i, &stream);
			lane->tried++;
		}
		stream_free(&stream);
	}
	check_alive(lane);
	return NULL;
}

/* Tries the streams 0 to @count - 1 on all VFs. */
static void run_lanes(struct __test_metadata *_metadata,
		      FIXTURE_DATA(fuzz) *self, unsigned int count,
		      bool must_fail,
		      struct stream (*make)(struct lane *lane, unsigned int i))
{
	unsigned int i, tried = 0, refused = 0, loaded = 0;
	pthread_t threads[NR_LANES];

	for (i = 0; i < self->lanes; i++) {
		struct lane *lane = &self->lane[i];

		lane->make = make;
		lane->must_fail = must_fail;
		/* make() leaves out streams of other lanes. */
		lane->count = count;
		pthread_create(&threads[i], NULL, lane_run, lane);
	}
	for (i = 0; i < self->lanes; i++) {
		pthread_join(threads[i], NULL);
		tried += self->lane[i].tried;
		refused += self->lane[i].refused;
		loaded += self->lane[i].loaded;
	}
	TH_LOG("%u streams refused, %u loaded", refused, loaded);
	EXPECT_LT(0, refused + loaded);
	if (must_fail) {
		EXPECT_EQ(tried, refused);
		EXPECT_LE(count / one_of(), tried);
	}
}

/* The lanes take streams in turn. */
static bool not_mine(const struct lane *lane, unsigned int i)
{
	return i % lane->lanes != lane->index || i / lane->lanes % one_of();
}

static struct stream make_truncated(struct lane *lane, unsigned int i)
{
	struct stream s = {};

	if (not_mine(lane, i))
		return s;
	s = stream_copy(lane->good);
	s.size = i;
	return s;
}

TEST_F(fuzz, every_truncation_is_refused)
{
	run_lanes(_metadata, self, self->good.size, true, make_truncated);
}

/* Changes 1 to 8 bytes, or a contiguous run of bytes. */
static void damage(struct lane *lane, struct stream *s, size_t from, size_t to)
{
	unsigned int count = 1 + prng(&lane->seed) % 8;
	size_t at = from + prng(&lane->seed) % (to - from);
	bool run = prng(&lane->seed) % 2;

	while (count--) {
		s->data[at] ^= 1 + prng(&lane->seed) % 255;
		at = run ? at + 1 : from + prng(&lane->seed) % (to - from);
		if (at == to)
			break;
	}
}

static struct stream make_damaged(struct lane *lane, unsigned int i)
{
	struct stream s = {};

	if (not_mine(lane, i))
		return s;
	s = stream_copy(lane->good);
	do {
		damage(lane, &s, 0, s.size);
	} while (!memcmp(s.data, lane->good->data, s.size));
	return s;
}

TEST_F(fuzz, thousand_corruptions_are_refused)
{
	run_lanes(_metadata, self, 1000, true, make_damaged);
}

static struct record record_at(const struct stream *s, size_t at)
{
	struct vfio_mig_record_header header;

	memcpy(&header, s->data + at, sizeof(header));
	return (struct record) {
		.type = le16toh(header.type),
		.version = le16toh(header.version),
		.flags = le32toh(header.flags),
		.length = le64toh(header.length),
	};
}

/* Bytes of a record's payload with its checksums */
static size_t payload_size(uint64_t length)
{
	uint64_t blocks = (length + VFIO_MIG_BLOCK_SIZE - 1) /
			  VFIO_MIG_BLOCK_SIZE;

	return length + blocks * CRC_SIZE;
}

/* Finds the offsets of the records in a valid stream; returns their number. */
static unsigned int find_records(const struct stream *s,
				 size_t at[static MAX_RECORDS])
{
	unsigned int count = 0;
	struct record record = {};
	size_t offset;

	for (offset = HEADER_SIZE; offset + RECORD_SIZE <= s->size;
	     offset += RECORD_SIZE + payload_size(record.length)) {
		if (count == MAX_RECORDS)
			die("more than %d records", MAX_RECORDS);
		record = record_at(s, offset);
		at[count++] = offset;
	}
	if (offset != s->size || record.type != VFIO_MIG_RECORD_END)
		die("the stream does not end with its END record");
	return count;
}

/* Adds @len bytes to @sum and writes the checksum behind them. */
static size_t checksum_put(struct stream *s, size_t at, size_t len,
			   uint32_t *sum)
{
	uint32_t crc;

	*sum = crc32c(*sum, s->data + at, len);
	crc = htole32(~*sum);
	memcpy(s->data + at + len, &crc, sizeof(crc));
	return at + len + CRC_SIZE;
}

/* Computes all checksums, as far as the lengths of records are valid. */
static void checksum_fix(struct stream *s)
{
	uint32_t sum = ~0U;
	uint64_t left, part;
	size_t at;

	at = checksum_put(s, 0, HEADER_SIZE - CRC_SIZE, &sum);
	while (at + RECORD_SIZE <= s->size) {
		left = record_at(s, at).length;
		at = checksum_put(s, at, RECORD_SIZE - CRC_SIZE, &sum);
		for (; left && left < s->size; left -= part) {
			part = left < VFIO_MIG_BLOCK_SIZE ? left :
							    VFIO_MIG_BLOCK_SIZE;
			if (at + part + CRC_SIZE > s->size)
				return;
			at = checksum_put(s, at, part, &sum);
		}
	}
}

TEST_F(fuzz, stream_is_as_described)
{
	size_t at[MAX_RECORDS];
	struct stream s = stream_copy(&self->good);

	ASSERT_LT(2, find_records(&s, at));
	checksum_fix(&s);
	EXPECT_EQ(0, stream_diff(&s, &self->good));
	EXPECT_EQ(0, device_load(self->lane[0].v.fd, &self->good));
}

/*
 * An attacker can compute checksums: damaged headers and payloads with right
 * checksums.
 */
static struct stream make_forged(struct lane *lane, unsigned int i)
{
	size_t at[MAX_RECORDS];
	struct stream s = {};
	unsigned int records, nr;

	if (not_mine(lane, i))
		return s;
	s = stream_copy(lane->good);
	records = find_records(&s, at);
	if (i % 10 == 0) {
		damage(lane, &s, 0, s.size - 4);
	} else {
		/* Mostly in the payload of one record */
		nr = prng(&lane->seed) % (records - 1);
		damage(lane, &s, at[nr] + (i % 10 == 1 ? 0 : RECORD_SIZE),
		       at[nr + 1]);
	}
	checksum_fix(&s);
	return s;
}

TEST_F(fuzz, damage_with_right_checksums_does_no_harm)
{
	run_lanes(_metadata, self, 400, false, make_forged);
}

/* Sets each word of the payloads to extreme values. */
static struct stream make_border(struct lane *lane, unsigned int i)
{
	static const uint32_t values[] = { 0, 1, 0x80000001, 0xffffffff };
	struct stream s = {};
	uint32_t value;
	size_t at;

	at = i / ARRAY_SIZE(values) * 4;
	if (not_mine(lane, i) || at + 4 > lane->good->size)
		return s;
	s = stream_copy(lane->good);
	value = htole32(values[i % ARRAY_SIZE(values)]);
	memcpy(s.data + at, &value, sizeof(value));
	checksum_fix(&s);
	return s;
}

TEST_F(fuzz, extreme_values_do_no_harm)
{
	run_lanes(_metadata, self, self->good.size, false,
		  make_border);
}

/* Records left out, doubled, exchanged, and unknown ones added */

#define RECORD_PF	2	/* may come again */

static struct stream build(const struct stream *from, const size_t *at,
			   const unsigned int *order, unsigned int count,
			   unsigned int records)
{
	struct stream s = { .data = malloc(64 * KiB) };
	unsigned int i;

	memcpy(s.data, from->data, HEADER_SIZE);
	s.size = HEADER_SIZE;
	for (i = 0; i < count; i++) {
		size_t end = order[i] + 1 < records ? at[order[i] + 1] :
						       from->size;
		size_t len = end - at[order[i]];

		memcpy(s.data + s.size, from->data + at[order[i]], len);
		s.size += len;
	}
	checksum_fix(&s);
	return s;
}

static struct stream with_record(const struct stream *from, size_t where,
				 struct record record)
{
	struct stream s = { .data = calloc(1, 256 * KiB) };
	struct vfio_mig_record_header le = {
		.type = htole16(record.type),
		.version = htole16(record.version),
		.flags = htole32(record.flags),
		.length = htole64(record.length),
	};
	size_t size = sizeof(le) + payload_size(record.length);

	memcpy(s.data, from->data, where);
	memcpy(s.data + where, &le, sizeof(le));
	memcpy(s.data + where + size, from->data + where, from->size - where);
	s.size = from->size + size;
	checksum_fix(&s);
	return s;
}

TEST_F(fuzz, wrong_sequences_of_records_are_refused)
{
	unsigned int order[MAX_RECORDS + 1], records, skip, i, n;
	struct vdev *v = &self->lane[0].v;
	size_t at[MAX_RECORDS];
	struct stream s;
	bool again;

	records = find_records(&self->good, at);
	for (skip = 0; skip < records; skip++) {
		/* Left out */
		for (i = 0, n = 0; i < records; i++)
			if (i != skip)
				order[n++] = i;
		s = build(&self->good, at, order, n, records);
		EXPECT_GT(0, device_load(v->fd, &s)) {
			TH_LOG("without record %u", skip);
		}
		stream_free(&s);
		must(device_reset(v));
		/* Twice */
		for (i = 0, n = 0; i < records; i++) {
			order[n++] = i;
			if (i == skip)
				order[n++] = i;
		}
		s = build(&self->good, at, order, n, records);
		again = record_at(&self->good, at[skip]).type == RECORD_PF;
		EXPECT_EQ(again, !device_load(v->fd, &s)) {
			TH_LOG("record %u twice", skip);
		}
		stream_free(&s);
		must(device_reset(v));
	}
	/* The identity record is not the first one. */
	for (i = 0; i < records; i++)
		order[i] = i;
	order[0] = 1;
	order[1] = 0;
	s = build(&self->good, at, order, records, records);
	EXPECT_GT(0, device_load(v->fd, &s));
	stream_free(&s);
	must(device_reset(v));
}

/* Later versions of the format can add records. */
TEST_F(fuzz, unknown_optional_records_are_skipped)
{
	struct record record = { .type = 0x1234, .version = 7, .length = 20 };
	struct vdev *v = &self->lane[0].v;
	struct stream s, again;
	size_t at[MAX_RECORDS];
	unsigned int records;

	records = find_records(&self->good, at);
	s = with_record(&self->good, at[2], record);
	EXPECT_EQ(0, device_load(v->fd, &s));
	again = device_save(v->fd);
	EXPECT_EQ(0, stream_diff(&again, &self->good));
	stream_free(&s);
	must(device_reset(v));

	record.length = 0;
	s = with_record(&self->good, at[records - 1], record);
	EXPECT_EQ(0, device_load(v->fd, &s));
	stream_free(&s);
	must(device_reset(v));

	/* Several blocks, the last one short */
	record.length = 2 * VFIO_MIG_BLOCK_SIZE + 3;
	s = with_record(&self->good, at[2], record);
	EXPECT_EQ(0, device_load(v->fd, &s));
	stream_free(&s);
	must(device_reset(v));

	record.flags = VFIO_MIG_RECORD_MANDATORY;
	record.length = 20;
	s = with_record(&self->good, at[2], record);
	EXPECT_GT(0, device_load(v->fd, &s));
	stream_free(&s);
	must(device_reset(v));

	/* Another version of a known record is unknown. */
	record = record_at(&self->good, at[1]);
	record.version++;
	s = with_record(&self->good, at[2], record);
	EXPECT_GT(0, device_load(v->fd, &s));
	stream_free(&s);
	must(device_reset(v));

	record.flags = 1 << 8;	/* an unknown flag */
	s = with_record(&self->good, at[2], record);
	EXPECT_GT(0, device_load(v->fd, &s));
	stream_free(&s);
	must(device_reset(v));
}

/* Excess data is refused by the write, not at the end. */
TEST_F(fuzz, excess_data_is_refused_at_once)
{
	struct vdev *v = &self->lane[0].v;
	size_t size = 32 * MiB;
	uint8_t *mem = mem_alloc(size);
	ssize_t ret;
	int fd;

	fd = must(mig_session(v->fd, RESUMING));
	must(stream_write(fd, self->good.data, self->good.size, 4096));
	EXPECT_GT(0, sys_write(fd, "x", 1));
	sys_close(fd);
	must(device_reset(v));

	fd = must(mig_session(v->fd, RESUMING));
	memcpy(mem, self->good.data, self->good.size);
	ret = sys_write(fd, mem, size);
	EXPECT_GE((ssize_t)self->good.size, ret);
	if (ret > 0)
		EXPECT_GT(0, sys_write(fd, mem + ret, size - ret));
	sys_close(fd);
	must(device_reset(v));

	fd = must(mig_session(v->fd, RESUMING));
	EXPECT_GT(0, sys_write(fd, mem + size / 2, size / 2));
	/* Lengths at which sums overflow; the kernel limits them to INT_MAX. */
	EXPECT_GT(0, sys_write(fd, mem + size / 2, SIZE_MAX / 2));
	EXPECT_GT(0, sys_write(fd, mem + size / 2, SIZE_MAX));
	sys_close(fd);
	check_alive(&self->lane[0]);
}

/* Several threads write one stream, which damages it. */
struct joint {
	int fd;
	const struct stream *stream;
	size_t next;
};

static void *joint_writer(void *arg)
{
	struct joint *j = arg;
	size_t at;

	for (;;) {
		at = __atomic_fetch_add(&j->next, 7, __ATOMIC_SEQ_CST);
		if (at >= j->stream->size)
			return NULL;
		if (write(j->fd, j->stream->data + at,
			  at + 7 > j->stream->size ? j->stream->size - at : 7)
		    < 0)
			return NULL;
	}
}

TEST_F(fuzz, many_writers_do_no_harm)
{
	struct vdev *v = &self->lane[0].v;
	struct joint j = { .stream = &self->good };
	pthread_t threads[4];
	unsigned int i, round;

	for (round = 0; round < 10; round++) {
		j.fd = must(mig_session(v->fd, RESUMING));
		j.next = 0;
		for (i = 0; i < ARRAY_SIZE(threads); i++)
			pthread_create(&threads[i], NULL, joint_writer, &j);
		for (i = 0; i < ARRAY_SIZE(threads); i++)
			pthread_join(threads[i], NULL);
		mig_set(v->fd, STOP, NULL);
		sys_close(j.fd);
		must(device_reset(v));
	}
	check_alive(&self->lane[0]);
}

TEST_HARNESS_MAIN
