// SPDX-License-Identifier: GPL-2.0-only
/*
 * The record stream.  The reader reads what the writer has written, in pieces
 * of any size.  It refuses any other stream at the first byte that tells, and
 * never passes on bytes whose checksum it has not checked.
 */
#include <kunit/test.h>
#include <linux/crc32.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <linux/vfio_migration.h>

#define FORMAT		"kunit"
#define FORMAT_VERSION	3
#define TYPE_SMALL	2
#define TYPE_MANY	3
#define TYPE_UNKNOWN	99
#define SMALL_MAX	32
#define MANY_MAX	(3 * VFIO_MIG_BLOCK_SIZE)
#define ROOM		(4 * VFIO_MIG_BLOCK_SIZE)

static const struct vfio_mig_record_type types[] = {
	{ VFIO_MIG_RECORD_IDENTITY, 1, VFIO_MIG_TYPE_REQUIRED, 4, 4 },
	{ TYPE_SMALL, 2, VFIO_MIG_TYPE_REQUIRED, 1, SMALL_MAX },
	{ TYPE_MANY, 1, VFIO_MIG_TYPE_REPEATS, 0, MANY_MAX },
};

/* A stream, its writer, and a reader that keeps what load() gets */
struct stream {
	struct kunit *test;
	struct vfio_mig_writer writer;
	struct vfio_mig_reader reader;
	u8 *data;
	size_t len;
	u8 *loaded;
	size_t loaded_len;
	unsigned int records;	/* begun */
	int answer;		/* of load() */
	unsigned int puts;	/* calls of put() */
	unsigned int failing;	/* the call of put() that fails; 0: none */
};

static int stream_put(struct vfio_mig_writer *writer, const void *data,
		      size_t len)
{
	struct stream *s = container_of(writer, struct stream, writer);

	if (++s->puts == s->failing)
		return -ENOMEM;
	if (len > ROOM - s->len)
		return -ENOSPC;
	memcpy(s->data + s->len, data, len);
	s->len += len;
	return 0;
}

static int stream_load(struct vfio_mig_reader *reader,
		       const struct vfio_mig_payload *payload, const char **why)
{
	struct stream *s = container_of(reader, struct stream, reader);

	if (!payload->offset)
		s->records++;
	KUNIT_EXPECT_LE(s->test, payload->offset + payload->len,
			payload->length);
	KUNIT_EXPECT_LE(s->test, payload->length, payload->type->max_length);
	KUNIT_ASSERT_LE(s->test, s->loaded_len + payload->len, (size_t)ROOM);
	if (payload->len)
		memcpy(s->loaded + s->loaded_len, payload->data, payload->len);
	s->loaded_len += payload->len;
	return s->answer;
}

/* Sets up a new reader. */
static void reader_begin(struct stream *s)
{
	vfio_mig_reader_free(&s->reader);
	s->reader = (struct vfio_mig_reader) {
		.format = FORMAT,
		.format_version = FORMAT_VERSION,
		.types = types,
		.nr_types = ARRAY_SIZE(types),
		.load = stream_load,
	};
	s->loaded_len = 0;
	s->records = 0;
}

static struct stream *stream_new(struct kunit *test)
{
	struct stream *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->test = test;
	s->data = kunit_kzalloc(test, ROOM, GFP_KERNEL);
	s->loaded = kunit_kzalloc(test, ROOM, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s->data);
	KUNIT_ASSERT_NOT_NULL(test, s->loaded);
	s->writer.put = stream_put;
	reader_begin(s);
	KUNIT_ASSERT_EQ(test, 0,
			vfio_mig_write_header(&s->writer, FORMAT,
					      FORMAT_VERSION));
	return s;
}

static void add(struct stream *s, u16 type, u16 version, u32 flags, size_t len)
{
	u8 *payload = kunit_kzalloc(s->test, len ?: 1, GFP_KERNEL);
	size_t i;

	KUNIT_ASSERT_NOT_NULL(s->test, payload);
	for (i = 0; i < len; i++)
		payload[i] = (i * 7 + i / 251 + type) & 0xff;
	KUNIT_ASSERT_EQ(s->test, 0,
			vfio_mig_write_record(&s->writer, type, version, flags,
					      payload, len));
	kunit_kfree(s->test, payload);
}

static void add_identity(struct stream *s)
{
	add(s, VFIO_MIG_RECORD_IDENTITY, 1, VFIO_MIG_RECORD_MANDATORY, 4);
}

static void add_small(struct stream *s)
{
	add(s, TYPE_SMALL, 2, VFIO_MIG_RECORD_MANDATORY, SMALL_MAX);
}

static void add_end(struct stream *s)
{
	KUNIT_ASSERT_EQ(s->test, 0, vfio_mig_write_end(&s->writer));
}

/* Reads @len bytes, @chunk at a time. */
static int read_chunks(struct stream *s, size_t len, size_t chunk)
{
	size_t at, part;
	int ret = 0;

	reader_begin(s);
	for (at = 0; at < len && !ret; at += part) {
		part = min(chunk, len - at);
		ret = vfio_mig_reader_push(&s->reader, s->data + at, part);
	}
	return ret;
}

static int read_all(struct stream *s)
{
	return read_chunks(s, s->len, s->len);
}

static void good(struct stream *s, unsigned int records, size_t bytes)
{
	KUNIT_EXPECT_EQ(s->test, 0, read_all(s));
	KUNIT_EXPECT_TRUE(s->test, vfio_mig_reader_complete(&s->reader));
	KUNIT_EXPECT_EQ(s->test, records, s->records);
	KUNIT_EXPECT_EQ(s->test, bytes, s->loaded_len);
	vfio_mig_reader_free(&s->reader);
}

static void refused(struct stream *s)
{
	KUNIT_EXPECT_EQ(s->test, -EINVAL, read_all(s));
	KUNIT_EXPECT_FALSE(s->test, vfio_mig_reader_complete(&s->reader));
	KUNIT_EXPECT_NOT_NULL(s->test, s->reader.why);
	/* Refused for good */
	KUNIT_EXPECT_EQ(s->test, -EINVAL,
			vfio_mig_reader_push(&s->reader, s->data, 1));
	vfio_mig_reader_free(&s->reader);
}

/* Segmentation */

static const size_t chunks[] = {
	1, 2, 3, 5, 7, 23, 24, 25, 31, 4096, VFIO_MIG_BLOCK_SIZE - 1,
	VFIO_MIG_BLOCK_SIZE, VFIO_MIG_BLOCK_SIZE + 3,
	VFIO_MIG_BLOCK_SIZE + 4, VFIO_MIG_BLOCK_SIZE + 5, ROOM,
};

static void chunk_desc(const size_t *chunk, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%zu bytes at a time", *chunk);
}

KUNIT_ARRAY_PARAM(chunk, chunks, chunk_desc);

static void any_pieces_mean_the_same(struct kunit *test)
{
	size_t chunk = *(const size_t *)test->param_value;
	size_t many = 2 * VFIO_MIG_BLOCK_SIZE + 77;
	struct stream *s = stream_new(test);
	u8 *whole;

	add_identity(s);
	add_small(s);
	add(s, TYPE_MANY, 1, 0, many);
	add_end(s);
	good(s, 3, 4 + SMALL_MAX + many);
	whole = kunit_kmalloc(test, s->loaded_len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, whole);
	memcpy(whole, s->loaded, s->loaded_len);

	KUNIT_EXPECT_EQ(test, 0, read_chunks(s, s->len, chunk));
	KUNIT_EXPECT_TRUE(test, vfio_mig_reader_complete(&s->reader));
	KUNIT_EXPECT_EQ(test, 4 + SMALL_MAX + many, s->loaded_len);
	KUNIT_EXPECT_EQ(test, 3, s->records);
	KUNIT_EXPECT_MEMEQ(test, whole, s->loaded, s->loaded_len);
	vfio_mig_reader_free(&s->reader);
}

static const size_t lengths[] = {
	0, 1, VFIO_MIG_BLOCK_SIZE - 1, VFIO_MIG_BLOCK_SIZE,
	VFIO_MIG_BLOCK_SIZE + 1, 2 * VFIO_MIG_BLOCK_SIZE, MANY_MAX,
};

static void length_desc(const size_t *length, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%zu bytes", *length);
}

KUNIT_ARRAY_PARAM(length, lengths, length_desc);

static void payloads_of_any_length(struct kunit *test)
{
	size_t length = *(const size_t *)test->param_value;
	struct stream *s = stream_new(test);

	add_identity(s);
	add_small(s);
	add(s, TYPE_MANY, 1, 0, length);
	KUNIT_EXPECT_EQ(test, s->writer.bytes,
			vfio_mig_record_size(4) +
			vfio_mig_record_size(SMALL_MAX) +
			vfio_mig_record_size(length));
	add_end(s);
	good(s, 3, 4 + SMALL_MAX + length);
}

/* A truncated stream is incomplete, but no error. */
static void every_truncation(struct kunit *test)
{
	struct stream *s = stream_new(test);
	size_t len;

	add_identity(s);
	add_small(s);
	add_end(s);
	for (len = 0; len < s->len; len++) {
		KUNIT_ASSERT_EQ(test, 0, read_chunks(s, len, ROOM));
		KUNIT_ASSERT_FALSE(test, vfio_mig_reader_complete(&s->reader));
	}
	good(s, 2, 4 + SMALL_MAX);
}

/* Any changed bit is noticed, and only checked bytes were delivered before. */
static void every_bit(struct kunit *test)
{
	struct stream *s = stream_new(test);
	unsigned int bit;
	u8 *whole;
	size_t at;

	add_identity(s);
	add_small(s);
	add_end(s);
	good(s, 2, 4 + SMALL_MAX);
	whole = kunit_kmalloc(test, s->loaded_len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, whole);
	memcpy(whole, s->loaded, s->loaded_len);
	for (at = 0; at < s->len; at++) {
		for (bit = 0; bit < 8; bit++) {
			s->data[at] ^= BIT(bit);
			KUNIT_ASSERT_NE(test, 0, read_all(s));
			KUNIT_ASSERT_MEMEQ(test, whole, s->loaded,
					   s->loaded_len);
			s->data[at] ^= BIT(bit);
		}
	}
	vfio_mig_reader_free(&s->reader);
}

/* Order and kinds of records */

static void end_is_the_end(struct kunit *test)
{
	struct stream *s = stream_new(test);

	add_identity(s);
	add_small(s);
	add_end(s);
	s->len++;
	refused(s);
	s->len--;
	add_end(s);
	refused(s);
}

static void identity_comes_first(struct kunit *test)
{
	struct stream *s = stream_new(test);

	add_small(s);
	add_identity(s);
	add_end(s);
	refused(s);
	KUNIT_EXPECT_EQ(test, 0, s->records);

	s = stream_new(test);
	add(s, TYPE_UNKNOWN, 1, 0, 8);
	refused(s);

	s = stream_new(test);
	add_end(s);
	refused(s);

	/* A record of another version does not count. */
	s = stream_new(test);
	add(s, VFIO_MIG_RECORD_IDENTITY, 2, 0, 4);
	refused(s);
}

static void required_records(struct kunit *test)
{
	struct stream *s = stream_new(test);

	add_identity(s);
	add(s, TYPE_MANY, 1, 0, 8);
	add_end(s);
	refused(s);
}

static void repeated_records(struct kunit *test)
{
	struct stream *s = stream_new(test);

	add_identity(s);
	add_small(s);
	add(s, TYPE_MANY, 1, 0, 8);
	add(s, TYPE_MANY, 1, 0, 0);
	add(s, TYPE_MANY, 1, 0, 9);
	add_end(s);
	good(s, 5, 4 + SMALL_MAX + 8 + 9);

	s = stream_new(test);
	add_identity(s);
	add_small(s);
	add_small(s);
	add_end(s);
	refused(s);

	s = stream_new(test);
	add_identity(s);
	add_identity(s);
	refused(s);
}

static void unknown_records(struct kunit *test)
{
	struct stream *s = stream_new(test);

	add_identity(s);
	add(s, TYPE_UNKNOWN, 1, 0, VFIO_MIG_BLOCK_SIZE + 9);
	add(s, TYPE_SMALL, 3, 0, 2 * SMALL_MAX);
	add_small(s);
	add(s, TYPE_UNKNOWN, 1, 0, 0);
	add_end(s);
	good(s, 2, 4 + SMALL_MAX);

	s = stream_new(test);
	add_identity(s);
	add(s, TYPE_UNKNOWN, 1, VFIO_MIG_RECORD_MANDATORY, 8);
	refused(s);

	s = stream_new(test);
	add_identity(s);
	add(s, TYPE_SMALL, 3, VFIO_MIG_RECORD_MANDATORY, 8);
	refused(s);

	/* Bits that this version of the stream does not have */
	s = stream_new(test);
	add_identity(s);
	add(s, TYPE_SMALL, 2, BIT(1), 8);
	refused(s);
}

static void lengths_out_of_bounds(struct kunit *test)
{
	struct stream *s = stream_new(test);

	add_identity(s);
	add(s, TYPE_SMALL, 2, 0, 0);
	refused(s);

	s = stream_new(test);
	add_identity(s);
	add(s, TYPE_SMALL, 2, 0, SMALL_MAX + 1);
	refused(s);
	KUNIT_EXPECT_EQ(test, 1, s->records);

	/* Its payload never comes: the header is refused or skipped. */
	s = stream_new(test);
	add_identity(s);
	KUNIT_ASSERT_EQ(test, 0, vfio_mig_record_begin(&s->writer, TYPE_MANY, 1,
						       0, U64_MAX));
	refused(s);

	s = stream_new(test);
	add_identity(s);
	KUNIT_ASSERT_EQ(test, 0,
			vfio_mig_record_begin(&s->writer, TYPE_UNKNOWN, 1, 0,
					      U64_MAX));
	KUNIT_EXPECT_EQ(test, 0, read_all(s));
	KUNIT_EXPECT_FALSE(test, vfio_mig_reader_complete(&s->reader));
	/* No more memory for it than for a block */
	KUNIT_EXPECT_LE(test, s->reader.need, VFIO_MIG_BLOCK_SIZE + 4UL);
	vfio_mig_reader_free(&s->reader);

	/* END has no payload. */
	s = stream_new(test);
	add_identity(s);
	add_small(s);
	add(s, VFIO_MIG_RECORD_END, 1, VFIO_MIG_RECORD_MANDATORY, 4);
	refused(s);
}

static void foreign_streams(struct kunit *test)
{
	static const struct {
		const char *format;
		u16 version;
	} others[] = {
		{ "", FORMAT_VERSION },
		{ "kuni", FORMAT_VERSION },
		{ "kunit2", FORMAT_VERSION },
		{ FORMAT, FORMAT_VERSION - 1 },
		{ FORMAT, FORMAT_VERSION + 1 },
	};
	struct stream *s = stream_new(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		s->len = 0;
		KUNIT_ASSERT_EQ(test, 0,
				vfio_mig_write_header(&s->writer,
						      others[i].format,
						      others[i].version));
		add_identity(s);
		refused(s);
		KUNIT_EXPECT_EQ(test, 0, s->records);
	}
}

/* Versions of a stream and of its reader, which fit or not */
static void versions_of_a_format(struct kunit *test)
{
	static const struct {
		u16 version, min_version;	/* of the stream */
		u16 known, oldest;		/* of the reader */
		bool fits;
	} pairs[] = {
		{ 3, 0, 3, 0, true },
		{ 3, 0, 3, 3, true },
		{ 3, 3, 3, 0, true },
		{ 3, 0, 2, 0, false },
		{ 3, 2, 2, 0, true },
		{ 3, 2, 2, 1, true },
		{ 3, 2, 1, 0, false },
		{ 2, 0, 3, 0, false },
		{ 2, 0, 3, 2, true },
		{ 2, 1, 3, 0, false },
		{ 1, 0, 3, 2, false },
		{ U16_MAX, 1, 3, 2, true },
		{ 2, U16_MAX, 3, 2, false },
		{ 0, 0, 3, 2, false },
	};
	struct stream *s = stream_new(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		s->len = 0;
		s->writer.min_version = pairs[i].min_version;
		KUNIT_ASSERT_EQ(test, 0,
				vfio_mig_write_header(&s->writer, FORMAT,
						      pairs[i].version));
		add_identity(s);
		add_small(s);
		add_end(s);
		reader_begin(s);
		s->reader.format_version = pairs[i].known;
		s->reader.oldest_version = pairs[i].oldest;
		KUNIT_EXPECT_EQ_MSG(test, pairs[i].fits ? 0 : -EINVAL,
				    vfio_mig_reader_push(&s->reader, s->data,
							 s->len),
				    "pair %u", i);
		KUNIT_EXPECT_EQ_MSG(test, pairs[i].fits,
				    vfio_mig_reader_complete(&s->reader),
				    "pair %u", i);
		if (!pairs[i].fits)
			KUNIT_EXPECT_STREQ(test, s->reader.why,
					   "the driver that saved it is of a version that does not fit");
	}
	vfio_mig_reader_free(&s->reader);
}

/* A good header and checksum, but another version of the stream */
static void another_version_of_the_stream(struct kunit *test)
{
	struct stream *s = stream_new(test);
	struct vfio_mig_stream_header *header = (void *)s->data;

	header->version = cpu_to_le16(VFIO_MIG_STREAM_VERSION + 1);
	header->crc = cpu_to_le32(~__crc32c_le(~0, s->data,
				  offsetof(typeof(*header), crc)));
	refused(s);
	header->version = cpu_to_le16(VFIO_MIG_STREAM_VERSION);
	header->magic[7] ^= 1;
	header->crc = cpu_to_le32(~__crc32c_le(~0, s->data,
				  offsetof(typeof(*header), crc)));
	refused(s);
}

static void driver_refuses(struct kunit *test)
{
	struct stream *s = stream_new(test);

	add_identity(s);
	add_small(s);
	add_end(s);
	s->answer = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, read_all(s));
	KUNIT_EXPECT_EQ(test, 1, s->records);
	s->answer = 0;
	KUNIT_EXPECT_EQ(test, -EIO, vfio_mig_reader_push(&s->reader, s->data,
							 s->len));
	KUNIT_EXPECT_FALSE(test, vfio_mig_reader_complete(&s->reader));
	vfio_mig_reader_free(&s->reader);
	good(s, 2, 4 + SMALL_MAX);
}

static void writer_keeps_its_word(struct kunit *test)
{
	struct stream *s = stream_new(test);
	u8 payload[8] = {};

	add_identity(s);
	KUNIT_EXPECT_EQ(test, 0, vfio_mig_record_begin(&s->writer, TYPE_SMALL,
						       2, 0, 8));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			vfio_mig_record_data(&s->writer, payload, 9));
	KUNIT_EXPECT_EQ(test, 0, vfio_mig_record_data(&s->writer, payload, 3));
	KUNIT_EXPECT_EQ(test, -EINVAL, vfio_mig_write_end(&s->writer));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			vfio_mig_record_data(&s->writer, payload, 6));
	KUNIT_EXPECT_EQ(test, 0, vfio_mig_record_data(&s->writer, payload, 5));
	KUNIT_EXPECT_EQ(test, 0, vfio_mig_write_end(&s->writer));
	good(s, 2, 4 + 8);

	s->len = ROOM;
	KUNIT_EXPECT_EQ(test, -ENOSPC, vfio_mig_write_end(&s->writer));
}

/*
 * One write fails and the next would succeed.  A stream that continued would
 * have a gap, and the last checksum of the record would make it look complete.
 */
static void writer_stops_at_an_error(struct kunit *test)
{
	struct stream *s = stream_new(test);
	u8 *payload = kunit_kzalloc(test, MANY_MAX, GFP_KERNEL);
	unsigned int all, i;
	size_t len;

	KUNIT_ASSERT_NOT_NULL(test, payload);
	s->puts = 0;
	KUNIT_ASSERT_EQ(test, 0,
			vfio_mig_write_record(&s->writer, TYPE_MANY, 1, 0,
					      payload, MANY_MAX));
	all = s->puts;
	for (i = 1; i <= all; i++) {
		s->failing = 0;
		KUNIT_ASSERT_EQ(test, 0,
				vfio_mig_write_header(&s->writer, FORMAT,
						      FORMAT_VERSION));
		s->len = 0;
		s->puts = 0;
		s->failing = i;
		KUNIT_EXPECT_EQ(test, -ENOMEM,
				vfio_mig_write_record(&s->writer, TYPE_MANY, 1,
						      0, payload, MANY_MAX));
		len = s->len;
		KUNIT_EXPECT_GT(test, 0, vfio_mig_write_end(&s->writer));
		KUNIT_EXPECT_EQ(test, -ENOMEM,
				vfio_mig_write(&s->writer, payload, 1));
		KUNIT_EXPECT_EQ(test, len, s->len);
		KUNIT_EXPECT_EQ(test, i, s->puts);
	}
}

static struct kunit_case record_cases[] = {
	KUNIT_CASE_PARAM(any_pieces_mean_the_same, chunk_gen_params),
	KUNIT_CASE_PARAM(payloads_of_any_length, length_gen_params),
	KUNIT_CASE(every_truncation),
	KUNIT_CASE(every_bit),
	KUNIT_CASE(end_is_the_end),
	KUNIT_CASE(identity_comes_first),
	KUNIT_CASE(required_records),
	KUNIT_CASE(repeated_records),
	KUNIT_CASE(unknown_records),
	KUNIT_CASE(lengths_out_of_bounds),
	KUNIT_CASE(foreign_streams),
	KUNIT_CASE(versions_of_a_format),
	KUNIT_CASE(another_version_of_the_stream),
	KUNIT_CASE(driver_refuses),
	KUNIT_CASE(writer_keeps_its_word),
	KUNIT_CASE(writer_stops_at_an_error),
	{}
};

static struct kunit_suite record_suite = {
	.name = "vfio_mig_record",
	.test_cases = record_cases,
};

kunit_test_suite(record_suite);
