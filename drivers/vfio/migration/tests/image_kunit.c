// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images: a stream has all parts of the image, and the early parts again that
 * have changed, as little endian words, and nothing else.  Loading it yields
 * the same image.  A part that its check refuses is neither saved nor loaded.
 */
#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "../private.h"

#define FORMAT		"kunit"
#define ROOM		4096
#define BAD_WORD	0xbad0bad0

struct image {
	u32 identity[2];
	u32 apart;		/* only in the newer record */
	u32 settings[5];
	u32 registers[9];
};

enum { IDENTITY = VFIO_MIG_RECORD_IDENTITY, SETTINGS, REGISTERS, EXTRA, NEWER };

static const char *no_bad_word(struct vfio_migration *mig, const void *part)
{
	return *(const u32 *)part == BAD_WORD ? "a bad word" : NULL;
}

static const struct vfio_mig_record_type records[] = {
	VFIO_MIG_IMAGE_RECORD(IDENTITY, 1,
			      VFIO_MIG_TYPE_REQUIRED | VFIO_MIG_TYPE_EARLY,
			      struct image, identity, NULL),
	VFIO_MIG_IMAGE_RECORD(SETTINGS, 1,
			      VFIO_MIG_TYPE_REQUIRED | VFIO_MIG_TYPE_EARLY |
			      VFIO_MIG_TYPE_REPEATS,
			      struct image, settings, no_bad_word),
	{ EXTRA, 1, 0, 0, 100 },	/* not a part of the image */
	VFIO_MIG_IMAGE_RECORD(REGISTERS, 1, VFIO_MIG_TYPE_REQUIRED,
			      struct image, registers, no_bad_word),
	/* Only a later version of the driver has it, and it can do without. */
	VFIO_MIG_IMAGE_RECORD(NEWER, 1, 0, struct image, apart, NULL),
};

#define NR_NEWER	ARRAY_SIZE(records)
#define NR_RECORDS	(NR_NEWER - 1)

static const struct vfio_mig_driver driver = {
	.format = FORMAT,
	.format_version = 1,
	.records = records,
	.nr_records = NR_RECORDS,
};

static const struct vfio_mig_driver newer_driver = {
	.format = FORMAT,
	.format_version = 1,
	.records = records,
	.nr_records = NR_NEWER,
};

/* A device with an image only, and a stream */
struct state {
	struct kunit *test;
	struct vfio_device vdev;
	struct device dev;
	struct vfio_migration mig;
	struct vfio_mig_session session;
	struct image image;
	struct image incoming;
	struct image streamed;
	u8 data[ROOM];
	size_t len;
};

static int state_put(struct vfio_mig_writer *writer, const void *data,
		     size_t len)
{
	struct state *s = container_of(writer, struct state, session.writer);

	if (len > ROOM - s->len)
		return -ENOSPC;
	memcpy(s->data + s->len, data, len);
	s->len += len;
	return 0;
}

static int state_load(struct vfio_mig_reader *reader,
		      const struct vfio_mig_payload *payload, const char **why)
{
	struct state *s = container_of(reader, struct state, session.reader);

	return vfio_mig_image_load(&s->mig, payload, why);
}

static struct state *state_new(struct kunit *test)
{
	struct state *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	u32 *word;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->test = test;
	s->dev.init_name = "image_kunit";
	s->vdev.dev = &s->dev;
	s->mig.vdev = &s->vdev;
	s->mig.driver = &driver;
	s->mig.image = &s->image;
	s->mig.incoming = &s->incoming;
	s->mig.session = &s->session;
	s->session.streamed = &s->streamed;
	s->session.writer.put = state_put;
	s->session.reader = (struct vfio_mig_reader) {
		.format = FORMAT,
		.format_version = 1,
		.types = records,
		.nr_types = NR_RECORDS,
		.load = state_load,
	};
	for (word = (u32 *)&s->image; word < (u32 *)(&s->image + 1); word++)
		*word = 0x01020304 * (1 + word - (u32 *)&s->image);
	KUNIT_ASSERT_EQ(test, 0, vfio_mig_image_init(&s->mig));
	KUNIT_ASSERT_EQ(test, 0,
			vfio_mig_write_header(&s->session.writer, FORMAT, 1));
	return s;
}

/* Saves as session.c does in a state; returns the bytes added. */
static size_t save(struct state *s, enum vfio_device_mig_state in)
{
	size_t before = s->len;

	s->mig.state = in;
	KUNIT_ASSERT_EQ(s->test, 0,
			vfio_mig_image_save(&s->mig, &s->session.writer));
	return s->len - before;
}

static void save_precopy(struct state *s, size_t bytes)
{
	KUNIT_EXPECT_EQ(s->test, bytes, save(s, VFIO_DEVICE_STATE_PRE_COPY));
	KUNIT_EXPECT_EQ(s->test, 0, vfio_mig_image_pending(&s->mig));
}

static int load(struct state *s)
{
	int ret = vfio_mig_reader_push(&s->session.reader, s->data, s->len);

	vfio_mig_reader_free(&s->session.reader);
	return ret;
}

static void end_and_load(struct state *s)
{
	KUNIT_ASSERT_EQ(s->test, 0, vfio_mig_write_end(&s->session.writer));
	KUNIT_EXPECT_EQ(s->test, 0, load(s));
	KUNIT_EXPECT_TRUE(s->test,
			  vfio_mig_reader_complete(&s->session.reader));
	KUNIT_EXPECT_MEMEQ(s->test, s->image.identity, s->incoming.identity,
			   sizeof(s->image.identity));
	KUNIT_EXPECT_MEMEQ(s->test, s->image.settings, s->incoming.settings,
			   sizeof(s->image.settings));
	KUNIT_EXPECT_MEMEQ(s->test, s->image.registers, s->incoming.registers,
			   sizeof(s->image.registers));
	KUNIT_EXPECT_EQ(s->test, 0, s->incoming.apart);
}

static size_t all_records(void)
{
	return vfio_mig_record_size(sizeof_field(struct image, identity)) +
	       vfio_mig_record_size(sizeof_field(struct image, settings)) +
	       vfio_mig_record_size(sizeof_field(struct image, registers));
}

static void at_once(struct kunit *test)
{
	struct state *s = state_new(test);
	const u8 *payload = s->data + sizeof(struct vfio_mig_stream_header) +
			    sizeof(struct vfio_mig_record_header);

	KUNIT_EXPECT_EQ(test, all_records(),
			save(s, VFIO_DEVICE_STATE_STOP_COPY));
	KUNIT_EXPECT_EQ(test, s->image.identity[0],
			get_unaligned_le32(payload));
	KUNIT_EXPECT_EQ(test, s->image.identity[1],
			get_unaligned_le32(payload + 4));
	end_and_load(s);
	KUNIT_EXPECT_EQ(test, s->len, vfio_mig_image_data_size(&s->mig));
}

static void early_parts_first(struct kunit *test)
{
	size_t one = vfio_mig_record_size(sizeof_field(struct image, settings));
	struct state *s = state_new(test);

	save_precopy(s, vfio_mig_record_size(sizeof(s->image.identity)) + one);
	save_precopy(s, 0);
	s->image.registers[3]++;	/* not early */
	s->image.identity[1]++;		/* not to be repeated */
	s->image.apart++;
	save_precopy(s, 0);
	s->image.identity[1]--;
	s->image.settings[4]++;
	KUNIT_EXPECT_EQ(test, one, vfio_mig_image_pending(&s->mig));
	save_precopy(s, one);
	s->image.settings[0]--;
	s->image.settings[4]--;
	save_precopy(s, one);
	KUNIT_EXPECT_EQ(test,
			vfio_mig_record_size(sizeof(s->image.registers)),
			save(s, VFIO_DEVICE_STATE_STOP_COPY));
	end_and_load(s);
}

static void changed_when_it_stopped(struct kunit *test)
{
	struct state *s = state_new(test);

	save(s, VFIO_DEVICE_STATE_PRE_COPY);
	s->image.settings[2] = ~s->image.settings[2];
	KUNIT_EXPECT_EQ(test,
			vfio_mig_record_size(sizeof(s->image.settings)) +
			vfio_mig_record_size(sizeof(s->image.registers)),
			save(s, VFIO_DEVICE_STATE_STOP_COPY));
	end_and_load(s);
}

/* An image that could not be loaded is not saved: no byte is written. */
static void bad_images_stay(struct kunit *test)
{
	struct state *s = state_new(test);
	size_t before = s->len;

	s->image.registers[0] = BAD_WORD;
	s->mig.state = VFIO_DEVICE_STATE_STOP_COPY;
	KUNIT_EXPECT_EQ(test, -EIO,
			vfio_mig_image_save(&s->mig, &s->session.writer));
	KUNIT_EXPECT_EQ(test, before, s->len);
}

static void bad_images_are_refused(struct kunit *test)
{
	struct state *s = state_new(test);

	s->image.settings[0] = BAD_WORD;
	save(s, VFIO_DEVICE_STATE_PRE_COPY);
	KUNIT_EXPECT_EQ(test, -EINVAL, load(s));
	KUNIT_EXPECT_STREQ(test, "a bad word", s->session.reader.why);
}

/* A record that is in the table but not a part of the image */
static void other_records_have_no_place(struct kunit *test)
{
	struct state *s = state_new(test);
	static const u32 payload[4] = { 1, 2, 3, 4 };

	save(s, VFIO_DEVICE_STATE_PRE_COPY);
	KUNIT_ASSERT_EQ(test, 0,
			vfio_mig_write_record(&s->session.writer, EXTRA, 1, 0,
					      payload, sizeof(payload)));
	KUNIT_EXPECT_EQ(test, -EINVAL, load(s));
	KUNIT_EXPECT_NOT_NULL(test, s->session.reader.why);
	KUNIT_EXPECT_MEMEQ(test, s->image.identity, s->incoming.identity,
			   sizeof(s->image.identity));
}

/* Older drivers skip a part that is not required. */
static void newer_to_older(struct kunit *test)
{
	struct state *s = state_new(test);

	s->mig.driver = &newer_driver;
	KUNIT_EXPECT_EQ(test,
			all_records() +
			vfio_mig_record_size(sizeof(s->image.apart)),
			save(s, VFIO_DEVICE_STATE_STOP_COPY));
	end_and_load(s);
}

/* A part that is not required and does not come is zero. */
static void older_to_newer(struct kunit *test)
{
	struct state *s = state_new(test);

	s->session.reader.nr_types = NR_NEWER;
	KUNIT_EXPECT_EQ(test, all_records(),
			save(s, VFIO_DEVICE_STATE_STOP_COPY));
	end_and_load(s);
}

static void newer_to_newer(struct kunit *test)
{
	struct state *s = state_new(test);

	s->mig.driver = &newer_driver;
	s->session.reader.nr_types = NR_NEWER;
	save(s, VFIO_DEVICE_STATE_STOP_COPY);
	KUNIT_ASSERT_EQ(test, 0, vfio_mig_write_end(&s->session.writer));
	KUNIT_EXPECT_EQ(test, 0, load(s));
	KUNIT_EXPECT_NE(test, 0, s->image.apart);
	KUNIT_EXPECT_EQ(test, s->image.apart, s->incoming.apart);
}

static void tables_that_cannot_be(struct kunit *test)
{
	static const struct vfio_mig_record_type bad[] = {
		/* Two lengths; not words; not aligned; two blocks */
		{ 2, 1, VFIO_MIG_TYPE_IMAGE, 4, 8, 0 },
		{ 2, 1, VFIO_MIG_TYPE_IMAGE, 6, 6, 0 },
		{ 2, 1, VFIO_MIG_TYPE_IMAGE, 8, 8, 2 },
		{ 2, 1, VFIO_MIG_TYPE_IMAGE, VFIO_MIG_BLOCK_SIZE + 4,
		  VFIO_MIG_BLOCK_SIZE + 4, 0 },
	};
	struct state *s = state_new(test);
	struct vfio_mig_driver other = { .nr_records = 1 };
	unsigned int i;

	KUNIT_EXPECT_EQ(test, sizeof(struct image), s->mig.image_size);
	s->mig.incoming = NULL;
	KUNIT_EXPECT_EQ(test, -EINVAL, vfio_mig_image_init(&s->mig));
	s->mig.incoming = &s->incoming;
	s->mig.driver = &other;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		other.records = &bad[i];
		KUNIT_EXPECT_EQ(test, -EINVAL, vfio_mig_image_init(&s->mig));
	}
	/* A driver without an image needs none. */
	other.records = &records[2];
	s->mig.image = NULL;
	KUNIT_EXPECT_EQ(test, 0, vfio_mig_image_init(&s->mig));
	KUNIT_EXPECT_EQ(test, 0, s->mig.image_size);
}

static struct kunit_case image_cases[] = {
	KUNIT_CASE(at_once),
	KUNIT_CASE(early_parts_first),
	KUNIT_CASE(changed_when_it_stopped),
	KUNIT_CASE(bad_images_stay),
	KUNIT_CASE(bad_images_are_refused),
	KUNIT_CASE(other_records_have_no_place),
	KUNIT_CASE(newer_to_older),
	KUNIT_CASE(older_to_newer),
	KUNIT_CASE(newer_to_newer),
	KUNIT_CASE(tables_that_cannot_be),
	{}
};

static struct kunit_suite image_suite = {
	.name = "vfio_mig_image",
	.test_cases = image_cases,
};

kunit_test_suite(image_suite);
