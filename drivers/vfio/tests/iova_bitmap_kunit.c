// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bitmaps in user memory: which of them can be allocated, in which parts
 * iova_bitmap_for_each() processes them, up to the end of the address space,
 * and which bits are set, compared with a model of every bit.
 *
 * The user memory is that of the task that runs the test.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/limits.h>
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio_iova_bitmap.h>

#define TOP(bytes)	(ULONG_MAX - (bytes) + 1)	/* this far from the end */

/* The same sequence in every run */
static u32 next_random(u32 *seed, u32 below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

static u8 __user *user_memory(struct kunit *test, size_t size)
{
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, size, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	return (u8 __user *)addr;
}

/* ---- Allocation ---- */

struct alloc_case {
	const char *name;
	unsigned long iova;
	size_t length;
	unsigned long page_size;
	int ret;
};

static const struct alloc_case alloc_cases[] = {
	{ "nothing", 0x1000, 0, SZ_4K, -EINVAL },
	{ "pages of no size", 0, SZ_4K, 0, -EINVAL },
	{ "pages of an odd size", 0, SZ_4K, SZ_4K + 1, -EINVAL },
	{ "pages of two sizes", 0, SZ_16K, SZ_8K | SZ_4K, -EINVAL },
	{ "a byte", 0, 1, SZ_4K, 0 },
	{ "bits for bytes", 5, 100, 1, 0 },
	{ "the last byte", ULONG_MAX, 1, SZ_4K, 0 },
	{ "the last page", TOP(SZ_4K), SZ_4K, SZ_4K, 0 },
	{ "a byte more", TOP(SZ_4K), SZ_4K + 1, SZ_4K, -EOVERFLOW },
	{ "twice the end", ULONG_MAX, ULONG_MAX, SZ_4K, -EOVERFLOW },
	{ "all but a byte, largest pages", 0, ULONG_MAX,
	  BIT(BITS_PER_LONG - 1), 0 },
	{ "a bitmap that leaves user space", 0, ULONG_MAX, SZ_4K, -EFAULT },
	{ "a bitmap of half the space", 0, BIT(BITS_PER_LONG - 1), 1,
	  -EFAULT },
};

static void alloc_desc(const struct alloc_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(alloc, alloc_cases, alloc_desc);

static void made_or_refused(struct kunit *test)
{
	const struct alloc_case *c = test->param_value;
	u8 __user *user = user_memory(test, PAGE_SIZE);
	struct iova_bitmap *bitmap;

	/* Near the end of the address space */
	if (c->ret == -EFAULT)
		user = (u8 __user *)(TASK_SIZE_MAX - PAGE_SIZE);
	bitmap = iova_bitmap_alloc(c->iova, c->length, c->page_size,
				   (u64 __user *)user);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(bitmap), c->ret);
	if (!IS_ERR(bitmap))
		iova_bitmap_free(bitmap);
}

/* ---- Parts ---- */

struct parts_case {
	const char *name;
	unsigned long iova;
	size_t length;
	unsigned long page_size;
	size_t offset;		/* of the bitmap in its first user page */
};

static const struct parts_case parts_cases[] = {
	{ "one page", 0, SZ_4K, SZ_4K, 0 },
	{ "one byte", 12345, 1, SZ_4K, PAGE_SIZE - 1 },
	{ "a part", 0, 32UL * SZ_1G, SZ_4K, 0 },
	{ "a part, unaligned", SZ_4K, 32UL * SZ_1G, SZ_4K, 0 },
	{ "a part and a page", 0, 32UL * SZ_1G + SZ_4K, SZ_4K, 0 },
	{ "1 TiB", 0, SZ_1T, SZ_4K, 0 },
	{ "1 TiB, unaligned", SZ_1G + 3 * SZ_4K, SZ_1T, SZ_4K, 8 },
	{ "1 TiB, not a multiple", 7, SZ_1T - 1234, SZ_4K, 4088 },
	{ "1 TiB at the end", TOP(SZ_1T), SZ_1T, SZ_4K, 1 },
	{ "the last page", TOP(SZ_4K), SZ_4K, SZ_4K, 0 },
	{ "the last byte", ULONG_MAX, 1, 1, 3 },
	{ "256 TiB of huge pages", SZ_4K, 256UL * SZ_1T, SZ_2M, 0 },
	{ "the whole space", 0, ULONG_MAX, BIT(45), 0 },
	{ "the whole space in two", 1, ULONG_MAX, BIT(63), 0 },
};

static void parts_desc(const struct parts_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(parts, parts_cases, parts_desc);

struct parts {
	struct kunit *test;
	unsigned long next;	/* IOVA where the next part must begin */
	unsigned long last;
	unsigned int count;
	bool done;
};

/*
 * No border of a part cuts an aligned GiB: a device that logs in units of up to
 * that size is never read for half a unit.
 */
static int visit_part(struct iova_bitmap *bitmap, unsigned long iova,
		      size_t length, void *opaque)
{
	struct parts *parts = opaque;
	struct kunit *test = parts->test;
	unsigned long last = iova + (length - 1);

	KUNIT_EXPECT_FALSE(test, parts->done);
	KUNIT_EXPECT_NE(test, length, 0);
	KUNIT_EXPECT_EQ(test, iova, parts->next);
	KUNIT_EXPECT_GE(test, last, iova);
	KUNIT_EXPECT_LE(test, last, parts->last);
	if (parts->count++)
		KUNIT_EXPECT_EQ(test, iova % SZ_1G, 0);
	parts->done = last == parts->last;
	parts->next = last + 1;
	/* All bits of a part can be set, because its pages are pinned. */
	iova_bitmap_set(bitmap, iova, 1);
	iova_bitmap_set(bitmap, last, 1);
	return 0;
}

static void parts_are_the_whole(struct kunit *test)
{
	const struct parts_case *c = test->param_value;
	struct parts parts = {
		.test = test,
		.next = c->iova,
		.last = c->iova + (c->length - 1),
	};
	size_t bits = (c->length - 1) / c->page_size + 1;
	size_t bytes = DIV_ROUND_UP(bits, BITS_PER_BYTE);
	struct iova_bitmap *bitmap;
	u8 __user *user;
	u8 first, last;

	user = user_memory(test, PAGE_ALIGN(c->offset + bytes)) + c->offset;
	bitmap = iova_bitmap_alloc(c->iova, c->length, c->page_size,
				   (u64 __user *)user);
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &parts, visit_part),
			0);
	iova_bitmap_free(bitmap);
	KUNIT_EXPECT_TRUE(test, parts.done);
	/* Memory is bounded: from some size on there are several parts */
	if (bytes > SZ_2M)
		KUNIT_EXPECT_GT(test, parts.count, 1);

	KUNIT_ASSERT_EQ(test, get_user(first, user), 0);
	KUNIT_ASSERT_EQ(test, get_user(last, user + bytes - 1), 0);
	KUNIT_EXPECT_TRUE(test, first & 1);
	KUNIT_EXPECT_TRUE(test, last & BIT((bits - 1) % BITS_PER_BYTE));
}

/* ---- Bits ---- */

/* User memory with random bits, and the expected result */
struct canvas {
	u8 __user *user;
	size_t size;
	unsigned long *model;	/* the expected bits of all of @user */
	unsigned long *seen;
};

static void canvas_init(struct kunit *test, struct canvas *canvas, size_t size,
			u32 seed)
{
	u8 *bytes;
	size_t i;

	canvas->size = size;
	canvas->user = user_memory(test, size);
	canvas->model = kunit_kmalloc(test, size, GFP_KERNEL);
	canvas->seen = kunit_kmalloc(test, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, canvas->model);
	KUNIT_ASSERT_NOT_NULL(test, canvas->seen);
	bytes = (u8 *)canvas->model;
	/* A quarter of the bits are set already, and must stay set. */
	for (i = 0; i < size; i++)
		bytes[i] = next_random(&seed, 256) & next_random(&seed, 256);
	KUNIT_ASSERT_EQ(test, copy_to_user(canvas->user, bytes, size), 0);
}

static void canvas_check(struct kunit *test, const struct canvas *canvas)
{
	KUNIT_ASSERT_EQ(test, copy_from_user(canvas->seen, canvas->user,
					     canvas->size), 0);
	KUNIT_EXPECT_MEMEQ(test, canvas->seen, canvas->model, canvas->size);
}

struct bits_case {
	const char *name;
	unsigned long iova;
	size_t length;
	unsigned long page_size;
	size_t offset;
};

static const struct bits_case bits_cases[] = {
	{ "aligned", 0, 64UL * SZ_1M, SZ_4K, 0 },
	{ "in the middle of a word", SZ_1M, 63UL * SZ_1M, SZ_4K, 3 },
	{ "across user pages", SZ_1G, 64UL * SZ_1M, SZ_4K, PAGE_SIZE - 1 },
	{ "unaligned addresses", 0x12345, 0x1234567, SZ_4K, 100 },
	{ "a bit for each byte", 77, 1000, 1, 5 },
	{ "half a page", 0x800, 0x800, SZ_4K, 0 },
	{ "at the end", TOP(64UL * SZ_1M), 64UL * SZ_1M, SZ_4K, 1 },
	{ "at the end, unaligned", TOP(0x54321), 0x54321, SZ_4K, 4093 },
	{ "huge pages", SZ_1T + SZ_4K, 20UL * SZ_1G, SZ_2M, 9 },
	{ "two huge pages", 0, ULONG_MAX, BIT(63), 17 },
};

static void bits_desc(const struct bits_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(bits, bits_cases, bits_desc);

struct bits {
	const struct bits_case *c;
	struct canvas canvas;
	unsigned int calls;
};

/* The model: page by page, as iova_bitmap_set() is documented */
static void model_set(struct bits *bits, unsigned long first,
		      unsigned long last)
{
	const struct bits_case *c = bits->c;
	unsigned long begin = c->iova, end = c->iova + (c->length - 1);
	unsigned long bit;

	for (bit = 0; ; bit++) {
		unsigned long page = begin + bit * c->page_size;
		unsigned long to = min(end - page, c->page_size - 1) + page;

		if (first <= to && last >= page)
			__set_bit(c->offset * BITS_PER_BYTE + bit,
				  bits->canvas.model);
		if (to == end)
			break;
	}
}

static void set_both(struct bits *bits, struct iova_bitmap *bitmap,
		     unsigned long iova, size_t length)
{
	unsigned long last = iova + (length - 1);

	iova_bitmap_set(bitmap, iova, length);
	if (!length)
		return;
	model_set(bits, iova, last < iova ? ULONG_MAX : last);
}

/* Ranges inside of the bitmap, at its borders, and beyond them */
static int draw(struct iova_bitmap *bitmap, unsigned long iova, size_t length,
		void *opaque)
{
	struct bits *bits = opaque;
	unsigned long last = iova + (length - 1);
	u32 seed = 5;
	int i;

	bits->calls++;
	set_both(bits, bitmap, iova, 1);
	set_both(bits, bitmap, last, 1);
	set_both(bits, bitmap, iova + length / 2, 0);
	for (i = 0; i < 6; i++)
		set_both(bits, bitmap,
			 iova + length / 6 * i + next_random(&seed, 8000),
			 1 + next_random(&seed, 90000));
	if (iova)
		set_both(bits, bitmap, iova - 1, 1);
	if (last < ULONG_MAX)
		set_both(bits, bitmap, last + 1, ULONG_MAX - last);
	/* Reaches beyond the end of the address space */
	set_both(bits, bitmap, last, ULONG_MAX);
	return 0;
}

static void draw_and_check(struct kunit *test, struct bits *bits,
			   unsigned int seed, iova_bitmap_fn_t fn)
{
	struct iova_bitmap *bitmap;

	bits->c = test->param_value;
	canvas_init(test, &bits->canvas, 2 * PAGE_SIZE, seed);
	bitmap = iova_bitmap_alloc(bits->c->iova, bits->c->length,
				   bits->c->page_size,
				   (u64 __user *)(bits->canvas.user +
						  bits->c->offset));
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, bits, fn), 0);
	iova_bitmap_free(bitmap);
	canvas_check(test, &bits->canvas);
}

static void bits_are_those_of_the_model(struct kunit *test)
{
	struct bits bits = {};

	draw_and_check(test, &bits, 1, draw);
	KUNIT_EXPECT_EQ(test, bits.calls, 1);
}

static int draw_all(struct iova_bitmap *bitmap, unsigned long iova,
		    size_t length, void *opaque)
{
	struct bits *bits = opaque;

	set_both(bits, bitmap, bits->c->iova, bits->c->length);
	return 0;
}

/* Whole words and single bits: exactly the right bits are set. */
static void all_bits_of_the_model(struct kunit *test)
{
	struct bits bits = {};

	draw_and_check(test, &bits, 2, draw_all);
}

/* ---- Beyond the part, and errors ---- */

#define MANY		(100UL * SZ_1G)		/* four parts, of pages */
#define MANY_BYTES	(MANY / SZ_4K / BITS_PER_BYTE)

struct straddle {
	unsigned long parts[8];
	unsigned int calls;
	unsigned int fail_at;
	int error;
};

static struct iova_bitmap *many_parts(struct kunit *test, u8 __user **user)
{
	struct iova_bitmap *bitmap;

	*user = user_memory(test, MANY_BYTES);
	bitmap = iova_bitmap_alloc(0, MANY, SZ_4K, (u64 __user *)*user);
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	return bitmap;
}

static bool user_bit(struct kunit *test, u8 __user *user, unsigned long iova)
{
	unsigned long bit = iova / SZ_4K;
	u8 byte;

	KUNIT_ASSERT_EQ(test, get_user(byte, user + bit / BITS_PER_BYTE), 0);
	return byte & BIT(bit % BITS_PER_BYTE);
}

/* The second part sets bits beyond its end, the last one before its start. */
static int straddle_ends(struct iova_bitmap *bitmap, unsigned long iova,
			 size_t length, void *opaque)
{
	struct straddle *straddle = opaque;

	straddle->parts[straddle->calls++] = iova;
	if (straddle->calls == 2)
		iova_bitmap_set(bitmap, iova + length - SZ_4K, 2 * SZ_4K);
	if (iova + length == MANY)
		iova_bitmap_set(bitmap, iova - SZ_4K, 2 * SZ_4K);
	return 0;
}

static void bits_beyond_the_part_are_set(struct kunit *test)
{
	struct straddle straddle = {};
	struct iova_bitmap *bitmap;
	unsigned long third, last;
	u8 __user *user;

	bitmap = many_parts(test, &user);
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &straddle,
						   straddle_ends), 0);
	iova_bitmap_free(bitmap);
	KUNIT_ASSERT_GE(test, straddle.calls, 3);
	third = straddle.parts[2];
	last = straddle.parts[straddle.calls - 1];
	KUNIT_EXPECT_TRUE(test, user_bit(test, user, third - SZ_4K));
	KUNIT_EXPECT_TRUE(test, user_bit(test, user, third));
	KUNIT_EXPECT_TRUE(test, user_bit(test, user, last - SZ_4K));
	KUNIT_EXPECT_TRUE(test, user_bit(test, user, last));
	KUNIT_EXPECT_FALSE(test, user_bit(test, user, third - 2 * SZ_4K));
	KUNIT_EXPECT_FALSE(test, user_bit(test, user, last + SZ_4K));
	KUNIT_EXPECT_FALSE(test, user_bit(test, user, 0));
}

static int fail_later(struct iova_bitmap *bitmap, unsigned long iova,
		      size_t length, void *opaque)
{
	struct straddle *straddle = opaque;

	iova_bitmap_set(bitmap, iova, 1);
	straddle->parts[straddle->calls++] = iova;
	return straddle->calls == straddle->fail_at ? straddle->error : 0;
}

static void an_error_ends_it(struct kunit *test)
{
	struct straddle straddle = { .fail_at = 2, .error = -EIO };
	struct iova_bitmap *bitmap;
	u8 __user *user;

	bitmap = many_parts(test, &user);
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &straddle,
						   fail_later), -EIO);
	KUNIT_EXPECT_EQ(test, straddle.calls, 2);
	/* Bits that were set stay set, and the bitmap can be used again. */
	KUNIT_EXPECT_TRUE(test, user_bit(test, user, straddle.parts[1]));
	straddle = (struct straddle){};
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &straddle,
						   fail_later), 0);
	KUNIT_EXPECT_GE(test, straddle.calls, 3);
	iova_bitmap_free(bitmap);
}

/* A hole: parts before it get their bits; no call for the parts after it */
static void memory_that_is_missing(struct kunit *test)
{
	struct straddle straddle = {};
	struct iova_bitmap *bitmap;
	u8 __user *user;

	bitmap = many_parts(test, &user);
	KUNIT_ASSERT_EQ(test, vm_munmap((unsigned long)user + MANY_BYTES / 2,
					PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &straddle,
						   fail_later), -EFAULT);
	iova_bitmap_free(bitmap);
	KUNIT_ASSERT_GE(test, straddle.calls, 1);
	KUNIT_EXPECT_LT(test, straddle.parts[straddle.calls - 1], MANY / 2);
	KUNIT_EXPECT_TRUE(test, user_bit(test, user, 0));
}

static void memory_that_is_read_only(struct kunit *test)
{
	struct straddle straddle = {};
	struct iova_bitmap *bitmap;
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, addr, 0);
	bitmap = iova_bitmap_alloc(0, SZ_1M, SZ_4K, (u64 __user *)addr);
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	KUNIT_EXPECT_EQ(test, iova_bitmap_for_each(bitmap, &straddle,
						   fail_later), -EFAULT);
	iova_bitmap_free(bitmap);
	KUNIT_EXPECT_EQ(test, straddle.calls, 0);
}

static struct kunit_case iova_bitmap_cases[] = {
	KUNIT_CASE_PARAM(made_or_refused, alloc_gen_params),
	KUNIT_CASE_PARAM_ATTR(parts_are_the_whole, parts_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(bits_are_those_of_the_model, bits_gen_params),
	KUNIT_CASE_PARAM(all_bits_of_the_model, bits_gen_params),
	KUNIT_CASE(bits_beyond_the_part_are_set),
	KUNIT_CASE(an_error_ends_it),
	KUNIT_CASE(memory_that_is_missing),
	KUNIT_CASE(memory_that_is_read_only),
	{}
};

static struct kunit_suite iova_bitmap_suite = {
	.name = "vfio_iova_bitmap",
	.test_cases = iova_bitmap_cases,
};

kunit_test_suite(iova_bitmap_suite);
