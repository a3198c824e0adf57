// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chains of capabilities, read as user space reads them: from the first one on,
 * by their next members.
 */
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#define NR_CAPS		24

static void free_chain(void *chain)
{
	struct vfio_info_cap *caps = chain;

	kfree(caps->buf);
}

static struct vfio_info_cap *new_chain(struct kunit *test)
{
	struct vfio_info_cap *caps;

	caps = kunit_kzalloc(test, sizeof(*caps), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, caps);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action(test, free_chain, caps));
	return caps;
}

/* Sizes, some of which are not aligned */
static size_t cap_size(unsigned int i)
{
	return sizeof(struct vfio_info_cap_header) + i * 3;
}

/* A chain of NR_CAPS; the bytes of capability i are i + 1 */
static void fill_chain(struct kunit *test, struct vfio_info_cap *caps)
{
	struct vfio_info_cap_header *header;
	unsigned int i;

	for (i = 0; i < NR_CAPS; i++) {
		header = vfio_info_cap_add(caps, cap_size(i), 100 + i, i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(header));
		KUNIT_EXPECT_PTR_EQ(test, NULL,
				    memchr_inv(header + 1, 0, i * 3));
		memset(header + 1, i + 1, i * 3);
	}
}

/* Walk a chain of @size bytes that begins at @base + @offset. */
static void check_chain(struct kunit *test, const void *base, size_t offset,
			size_t size)
{
	const struct vfio_info_cap_header *header;
	size_t at = offset;
	unsigned int i;

	for (i = 0; i < NR_CAPS; i++) {
		KUNIT_ASSERT_LE(test, at + cap_size(i), offset + size);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED(at, sizeof(u64)));
		header = base + at;
		KUNIT_EXPECT_EQ(test, header->id, 100 + i);
		KUNIT_EXPECT_EQ(test, header->version, i);
		KUNIT_EXPECT_PTR_EQ(test, NULL,
				    memchr_inv(header + 1, i + 1, i * 3));
		if (i == NR_CAPS - 1)
			break;
		KUNIT_ASSERT_GE(test, header->next, at + cap_size(i));
		at = header->next;
	}
	KUNIT_EXPECT_EQ(test, header->next, 0);
}

static void chain_is_linked_in_order(struct kunit *test)
{
	struct vfio_info_cap *caps = new_chain(test);

	fill_chain(test, caps);
	check_chain(test, caps->buf, 0, caps->size);
}

static void padding_is_zero(struct kunit *test)
{
	struct vfio_info_cap *caps = new_chain(test);
	const u8 *last = NULL;
	unsigned int i;
	size_t at = 0;

	fill_chain(test, caps);
	for (i = 0; i < NR_CAPS; i++) {
		const struct vfio_info_cap_header *header = (void *)caps->buf + at;
		size_t next = header->next ?: caps->size;

		last = (u8 *)caps->buf + at + cap_size(i);
		KUNIT_EXPECT_PTR_EQ(test, NULL,
				    memchr_inv(last, 0,
					       next - at - cap_size(i)));
		at = next;
	}
}

static void shifted_chain_is_found_behind_its_structure(struct kunit *test)
{
	static const size_t offsets[] = { 8, 24, 56, 4096 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct vfio_info_cap *caps = new_chain(test);
		void *user;

		fill_chain(test, caps);
		vfio_info_cap_shift(caps, offsets[i]);
		user = kunit_kzalloc(test, offsets[i] + caps->size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, user);
		memcpy(user + offsets[i], caps->buf, caps->size);
		check_chain(test, user, offsets[i], caps->size);
	}
}

static void empty_chain_can_be_shifted(struct kunit *test)
{
	struct vfio_info_cap caps = {};

	vfio_info_cap_shift(&caps, 64);
	KUNIT_EXPECT_EQ(test, caps.size, 0);
	KUNIT_EXPECT_NULL(test, caps.buf);
}

static void single_capability_has_no_next(struct kunit *test)
{
	struct vfio_info_cap *caps = new_chain(test);
	struct vfio_info_cap_header *header;

	header = vfio_info_cap_add(caps, sizeof(*header), 1, 2);
	KUNIT_ASSERT_FALSE(test, IS_ERR(header));
	vfio_info_cap_shift(caps, 64);
	header = caps->buf;
	KUNIT_EXPECT_EQ(test, header->next, 0);
	KUNIT_EXPECT_EQ(test, caps->size, sizeof(*header));
}

static void copy_takes_all_but_the_link(struct kunit *test)
{
	struct vfio_info_cap *caps = new_chain(test);
	struct {
		struct vfio_info_cap_header header;
		u8 data[13];
		u8 beyond;
	} __packed cap = {
		.header = { .id = 7, .version = 3, .next = 0xdeadbeef },
		.data = "twelve bytes",
		.beyond = 0xff,
	};
	size_t size = sizeof(cap) - 1;
	const struct vfio_info_cap_header *header;
	unsigned int i;

	for (i = 0; i < 2; i++)
		KUNIT_ASSERT_EQ(test, 0,
				vfio_info_add_capability(caps, &cap.header,
							 size));
	header = caps->buf;
	KUNIT_EXPECT_EQ(test, header->next, ALIGN(size, sizeof(u64)));
	KUNIT_EXPECT_EQ(test, caps->size, 2 * ALIGN(size, sizeof(u64)));
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, header->id, 7);
		KUNIT_EXPECT_EQ(test, header->version, 3);
		KUNIT_EXPECT_MEMEQ(test, header + 1, cap.data,
				   sizeof(cap.data));
		KUNIT_EXPECT_EQ(test, ((u8 *)(header + 1))[sizeof(cap.data)],
				0);
		if (!i)
			header = (void *)caps->buf + header->next;
	}
	KUNIT_EXPECT_EQ(test, header->next, 0);
}

static struct kunit_case info_cap_cases[] = {
	KUNIT_CASE(chain_is_linked_in_order),
	KUNIT_CASE(padding_is_zero),
	KUNIT_CASE(shifted_chain_is_found_behind_its_structure),
	KUNIT_CASE(empty_chain_can_be_shifted),
	KUNIT_CASE(single_capability_has_no_next),
	KUNIT_CASE(copy_takes_all_but_the_link),
	{}
};

static struct kunit_suite info_cap_suite = {
	.name = "vfio_info_cap",
	.test_cases = info_cap_cases,
};

kunit_test_suite(info_cap_suite);
