// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA logging: which requests of user space are refused, and which calls a
 * driver gets: its ranges are those of the user, it is started once, and it is
 * never stopped or read without having been started.
 *
 * The device is not registered.  Its driver only records its calls.
 */
#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/build_bug.h>
#include <linux/interval_tree.h>
#include <linux/iova_bitmap.h>
#include <linux/limits.h>
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "../private.h"

#define TOP(bytes)	(U64_MAX - (bytes) + 1)	/* this far from the end */
#define MAX_RANGES	(PAGE_SIZE / sizeof(struct log_range))
#define USER_SIZE	(2 * PAGE_SIZE)

/* struct vfio_device_feature_dma_logging_range under a shorter name */
struct log_range {
	u64 iova;
	u64 length;
};

static_assert(sizeof(struct log_range) ==
	      sizeof(struct vfio_device_feature_dma_logging_range));

struct logger {
	struct vfio_device_private private;
	u8 __user *user;	/* USER_SIZE bytes */

	/* What the driver returns */
	int start_ret;
	int stop_ret;
	int read_ret;
	u64 page_size;		/* 0: the page size of the request */

	/* The calls that it got */
	unsigned int starts;
	unsigned int stops;
	unsigned int reads;
	u32 nnodes;
	unsigned int nseen;
	struct log_range seen[4];	/* lowest first */
	unsigned long iova;
	size_t length;
};

static struct logger *to_logger(struct vfio_device *device)
{
	return container_of(device, struct logger, private.device);
}

static int logger_start(struct vfio_device *device,
			struct rb_root_cached *ranges, u32 nnodes,
			u64 *page_size)
{
	struct logger *logger = to_logger(device);
	struct interval_tree_node *node;

	logger->starts++;
	logger->nnodes = nnodes;
	logger->nseen = 0;
	for (node = interval_tree_iter_first(ranges, 0, ULONG_MAX); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		if (logger->nseen < ARRAY_SIZE(logger->seen))
			logger->seen[logger->nseen] = (struct log_range){
				.iova = node->start,
				.length = node->last - node->start + 1,
			};
		logger->nseen++;
	}
	if (logger->page_size)
		*page_size = logger->page_size;
	return logger->start_ret;
}

static int logger_stop(struct vfio_device *device)
{
	to_logger(device)->stops++;
	return to_logger(device)->stop_ret;
}

static int logger_read(struct vfio_device *device, unsigned long iova,
		       unsigned long length, struct iova_bitmap *dirty)
{
	struct logger *logger = to_logger(device);

	logger->reads++;
	logger->iova = iova;
	logger->length = length;
	iova_bitmap_set(dirty, iova, 1);
	return logger->read_ret;
}

static const struct vfio_log_ops logger_ops = {
	.log_start = logger_start,
	.log_stop = logger_stop,
	.log_read_and_clear = logger_read,
};

static int logger_init(struct kunit *test)
{
	struct logger *logger;
	unsigned long user;

	logger = kunit_kzalloc(test, sizeof(*logger), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, logger);
	logger->private.device.dev = kunit_device_register(test, "vfio_logger");
	KUNIT_ASSERT_FALSE(test, IS_ERR(logger->private.device.dev));
	logger->private.device.log_ops = &logger_ops;
	vfio_dma_logging_init(&logger->private.device);

	user = kunit_vm_mmap(test, NULL, 0, USER_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, user, 0);
	logger->user = (u8 __user *)user;
	test->priv = logger;
	return 0;
}

/* A START: its payload, and the session that it began */
struct log_start {
	struct vfio_device_feature_dma_logging_control control;
	u64 session;
};

static int start(struct logger *logger, u64 page_size, u32 count,
		 struct log_start *data)
{
	*data = (struct log_start){
		.control = {
			.page_size = page_size,
			.num_ranges = count,
			.ranges = (unsigned long)logger->user,
		},
	};
	return vfio_dma_logging_start(&logger->private.device, &data->control,
				      &data->session);
}

static int stop(struct logger *logger)
{
	return vfio_dma_logging_stop(&logger->private.device);
}

static int report(struct logger *logger, u64 iova, u64 length, u64 page_size)
{
	struct vfio_device_feature_dma_logging_report payload = {
		.iova = iova,
		.length = length,
		.page_size = page_size,
		.bitmap = (unsigned long)logger->user,
	};

	return vfio_dma_logging_report(&logger->private.device, &payload);
}

static void put_ranges(struct kunit *test, const struct log_range *ranges,
		       size_t count)
{
	struct logger *logger = test->priv;

	KUNIT_ASSERT_EQ(test, copy_to_user(logger->user, ranges,
					   count * sizeof(*ranges)), 0);
}

/* Starts with one valid range. */
static int start_any(struct kunit *test, struct log_start *data)
{
	static const struct log_range range = { 0, SZ_1M };

	put_ranges(test, &range, 1);
	return start(test->priv, SZ_4K, 1, data);
}

/* ---- START ---- */

struct start_case {
	const char *name;
	u64 page_size;
	int ret;
	struct log_range in[4];		/* ends with length 0 */
	u32 count;			/* 0: those before length 0 */
};

static const struct start_case start_cases[] = {
	{ "a page", SZ_4K, 0, { { 0, SZ_4K } } },
	{ "neighbours", SZ_4K, 0, { { 0, SZ_4K }, { SZ_4K, SZ_4K } } },
	{ "out of order", SZ_4K, 0,
	  { { SZ_1G, SZ_1M }, { 0, SZ_4K }, { SZ_1M, SZ_4K } } },
	{ "a bit for each byte", 1, 0, { { 3, 5 }, { 9, 1 } } },
	{ "up to the last page", SZ_4K, 0, { { 0, TOP(SZ_4K) } } },
	{ "the last but one", SZ_4K, 0, { { TOP(SZ_8K), SZ_4K } } },
	{ "half the space, largest pages", BIT_ULL(63), 0,
	  { { 0, BIT_ULL(63) } } },

	{ "no range", SZ_4K, -EINVAL },
	{ "pages of no size", 0, -EINVAL, { { 0, SZ_4K } } },
	{ "pages of an odd size", SZ_4K + 1, -EINVAL, { { 0, SZ_4K } } },
	{ "pages of two sizes", SZ_8K | SZ_4K, -EINVAL, { { 0, SZ_16K } } },
	{ "unaligned address", SZ_4K, -EINVAL, { { 1, SZ_4K } } },
	{ "unaligned for large pages", SZ_2M, -EINVAL, { { SZ_1M, SZ_2M } } },
	{ "unaligned length", SZ_4K, -EINVAL, { { 0, SZ_4K + 1 } } },
	{ "shorter than a page", SZ_2M, -EINVAL, { { 0, SZ_4K } } },
	{ "empty range", SZ_4K, -EINVAL, { { SZ_4K, 0 } }, 1 },
	{ "empty range after another", SZ_4K, -EINVAL,
	  { { 0, SZ_4K }, { SZ_1M, 0 } }, 2 },
	{ "the last page", SZ_4K, -EOVERFLOW, { { TOP(SZ_4K), SZ_4K } } },
	{ "beyond the end", SZ_4K, -EOVERFLOW, { { TOP(SZ_4K), SZ_8K } } },
	{ "wraps around", SZ_4K, -EOVERFLOW,
	  { { SZ_8K, TOP(SZ_4K) } } },
	{ "the whole space, largest pages", BIT_ULL(63), -EOVERFLOW,
	  { { BIT_ULL(63), BIT_ULL(63) } } },
	{ "overflow after another range", SZ_4K, -EOVERFLOW,
	  { { 0, SZ_4K }, { TOP(SZ_4K), SZ_4K } } },
	{ "twice the same", SZ_4K, -EINVAL, { { 0, SZ_4K }, { 0, SZ_4K } } },
	{ "a page in common", SZ_4K, -EINVAL,
	  { { 0, SZ_8K }, { SZ_4K, SZ_8K } } },
	{ "in common, out of order", SZ_4K, -EINVAL,
	  { { SZ_4K, SZ_8K }, { 0, SZ_8K } } },
	{ "one in another", SZ_4K, -EINVAL,
	  { { 0, SZ_1M }, { SZ_4K, SZ_4K } } },
	{ "one around another", SZ_4K, -EINVAL,
	  { { SZ_4K, SZ_4K }, { SZ_1M, SZ_4K }, { 0, SZ_64K } } },
};

static void start_desc(const struct start_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(start, start_cases, start_desc);

static u32 start_count(const struct start_case *c)
{
	u32 count = c->count;

	while (!c->count && count < ARRAY_SIZE(c->in) && c->in[count].length)
		count++;
	return count;
}

/* The driver gets all ranges, in whatever order, or is not called. */
static void ranges_of_start(struct kunit *test)
{
	const struct start_case *c = test->param_value;
	struct logger *logger = test->priv;
	struct log_start data;
	u32 count = start_count(c), i, j;

	if (BITS_PER_LONG < 64)
		kunit_skip(test, "the table is for addresses of 64 bits");
	put_ranges(test, c->in, count);
	KUNIT_ASSERT_EQ(test, start(logger, c->page_size, count, &data),
			c->ret);
	KUNIT_EXPECT_EQ(test, logger->starts, c->ret ? 0 : 1);
	if (c->ret) {
		/* No session is left. */
		KUNIT_EXPECT_EQ(test, stop(logger), -EINVAL);
		KUNIT_EXPECT_EQ(test, start_any(test, &data), 0);
		return;
	}
	KUNIT_EXPECT_EQ(test, logger->nnodes, count);
	KUNIT_ASSERT_EQ(test, logger->nseen, count);
	for (i = 0; i < count; i++) {
		for (j = 0; j < count; j++)
			if (c->in[i].iova == logger->seen[j].iova &&
			    c->in[i].length == logger->seen[j].length)
				break;
		KUNIT_EXPECT_LT(test, j, count);
		if (i)
			KUNIT_EXPECT_GT(test, logger->seen[i].iova,
					logger->seen[i - 1].iova);
	}
	KUNIT_EXPECT_EQ(test, data.control.page_size, c->page_size);
}

static void many_ranges(struct kunit *test)
{
	struct logger *logger = test->priv;
	struct log_range *ranges;
	struct log_start data;
	u32 i;

	ranges = kunit_kcalloc(test, MAX_RANGES + 1, sizeof(*ranges),
			       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ranges);
	for (i = 0; i <= MAX_RANGES; i++)
		ranges[i] = (struct log_range){ i * SZ_64K, SZ_4K };
	put_ranges(test, ranges, MAX_RANGES + 1);
	KUNIT_EXPECT_EQ(test, start(logger, SZ_4K, MAX_RANGES + 1, &data),
			-E2BIG);
	KUNIT_EXPECT_EQ(test, start(logger, SZ_4K, U32_MAX, &data), -E2BIG);
	KUNIT_EXPECT_EQ(test, logger->starts, 0);
	KUNIT_EXPECT_EQ(test, start(logger, SZ_4K, MAX_RANGES, &data), 0);
	KUNIT_EXPECT_EQ(test, logger->nseen, MAX_RANGES);
}

static void ranges_that_cannot_be_read(struct kunit *test)
{
	struct logger *logger = test->priv;
	struct log_start data;

	logger->user += USER_SIZE - 8;
	KUNIT_ASSERT_EQ(test, vm_munmap((unsigned long)logger->user + 8,
					PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, start(logger, SZ_4K, 1, &data), -EFAULT);
	KUNIT_EXPECT_EQ(test, logger->starts, 0);
}

/* ---- One session ---- */

static void one_session_at_a_time(struct kunit *test)
{
	struct logger *logger = test->priv;
	struct log_start data;

	KUNIT_EXPECT_EQ(test, stop(logger), -EINVAL);
	KUNIT_EXPECT_EQ(test, report(logger, 0, SZ_4K, SZ_4K), -EINVAL);
	KUNIT_EXPECT_EQ(test, start_any(test, &data), 0);
	KUNIT_EXPECT_EQ(test, start_any(test, &data), -EINVAL);
	KUNIT_EXPECT_EQ(test, report(logger, 0, SZ_4K, SZ_4K), 0);
	KUNIT_EXPECT_EQ(test, stop(logger), 0);
	KUNIT_EXPECT_EQ(test, stop(logger), -EINVAL);
	KUNIT_EXPECT_EQ(test, report(logger, 0, SZ_4K, SZ_4K), -EINVAL);
	KUNIT_EXPECT_EQ(test, logger->starts, 1);
	KUNIT_EXPECT_EQ(test, logger->stops, 1);
	KUNIT_EXPECT_EQ(test, logger->reads, 1);
}

static void the_driver_does_not_start(struct kunit *test)
{
	struct logger *logger = test->priv;
	struct log_start data;

	logger->start_ret = -EIO;
	KUNIT_EXPECT_EQ(test, start_any(test, &data), -EIO);
	KUNIT_EXPECT_EQ(test, stop(logger), -EINVAL);
	vfio_dma_logging_close(&logger->private.device);
	KUNIT_EXPECT_EQ(test, logger->stops, 0);
	logger->start_ret = 0;
	KUNIT_EXPECT_EQ(test, start_any(test, &data), 0);
}

static void the_driver_counts_in_other_pages(struct kunit *test)
{
	struct logger *logger = test->priv;
	struct log_start data;

	logger->page_size = SZ_64K;
	KUNIT_EXPECT_EQ(test, start_any(test, &data), 0);
	KUNIT_EXPECT_EQ(test, data.control.page_size, SZ_64K);
}

/* User space may have stopped, and started again, in between. */
static void undo_stops_its_own_session_only(struct kunit *test)
{
	struct logger *logger = test->priv;
	struct log_start first, second;

	KUNIT_EXPECT_EQ(test, start_any(test, &first), 0);
	KUNIT_EXPECT_EQ(test, stop(logger), 0);
	vfio_dma_logging_undo_start(&logger->private.device, first.session);
	KUNIT_EXPECT_EQ(test, logger->stops, 1);
	KUNIT_EXPECT_EQ(test, start_any(test, &second), 0);
	vfio_dma_logging_undo_start(&logger->private.device, first.session);
	KUNIT_EXPECT_EQ(test, logger->stops, 1);
	vfio_dma_logging_undo_start(&logger->private.device, second.session);
	KUNIT_EXPECT_EQ(test, logger->stops, 2);
	KUNIT_EXPECT_EQ(test, stop(logger), -EINVAL);
}

static void a_driver_that_does_not_stop(struct kunit *test)
{
	struct logger *logger = test->priv;
	struct log_start data;

	KUNIT_EXPECT_EQ(test, start_any(test, &data), 0);
	logger->stop_ret = -EBUSY;
	KUNIT_EXPECT_EQ(test, stop(logger), -EBUSY);
	/* The session is still on, and can be read. */
	KUNIT_EXPECT_EQ(test, start_any(test, &data), -EINVAL);
	KUNIT_EXPECT_EQ(test, report(logger, 0, SZ_4K, SZ_4K), 0);
	logger->stop_ret = 0;
	KUNIT_EXPECT_EQ(test, stop(logger), 0);

	/* The last close ends the session even if the driver fails. */
	KUNIT_EXPECT_EQ(test, start_any(test, &data), 0);
	logger->stop_ret = -EBUSY;
	vfio_dma_logging_close(&logger->private.device);
	KUNIT_EXPECT_EQ(test, logger->stops, 3);
	KUNIT_EXPECT_EQ(test, stop(logger), -EINVAL);
	KUNIT_EXPECT_EQ(test, start_any(test, &data), 0);
}

/* ---- REPORT ---- */

struct report_case {
	const char *name;
	u64 iova;
	u64 length;
	u64 page_size;
	int ret;
};

static const struct report_case report_cases[] = {
	{ "a page", 0, SZ_4K, SZ_4K, 0 },
	{ "unaligned", 0x1234, 0x5678, SZ_4K, 0 },
	{ "a byte", 77, 1, SZ_4K, 0 },
	{ "outside of what is logged", SZ_1T, SZ_1M, SZ_4K, 0 },
	{ "the last but one page", TOP(SZ_8K), SZ_4K, SZ_4K, 0 },
	{ "all but the last byte", 0, U64_MAX, BIT_ULL(63), 0 },

	{ "empty range", 0, 0, SZ_4K, -EINVAL },
	{ "pages of no size", 0, SZ_4K, 0, -EINVAL },
	{ "small pages", 0, SZ_4K, SZ_2K, -EINVAL },
	{ "pages of an odd size", 0, SZ_1M, SZ_4K + 1, -EINVAL },
	{ "pages of two sizes", 0, SZ_1M, SZ_8K | SZ_4K, -EINVAL },
	{ "the last page", TOP(SZ_4K), SZ_4K, SZ_4K, -EOVERFLOW },
	{ "beyond the end", TOP(SZ_4K), SZ_8K, SZ_4K, -EOVERFLOW },
	{ "wraps around", SZ_4K, U64_MAX, SZ_4K, -EOVERFLOW },
	{ "a bitmap that leaves user space", 0, U64_MAX, SZ_4K, -EFAULT },
};

static void report_desc(const struct report_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(report, report_cases, report_desc);

static void ranges_of_report(struct kunit *test)
{
	const struct report_case *c = test->param_value;
	struct logger *logger = test->priv;
	struct log_start data;
	u8 byte;

	if (BITS_PER_LONG < 64)
		kunit_skip(test, "the table is for addresses of 64 bits");
	KUNIT_ASSERT_EQ(test, start_any(test, &data), 0);
	KUNIT_ASSERT_EQ(test, put_user(0x80, logger->user), 0);
	if (c->ret == -EFAULT)
		logger->user = (u8 __user *)(TASK_SIZE_MAX - PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, report(logger, c->iova, c->length, c->page_size),
			c->ret);
	KUNIT_EXPECT_EQ(test, logger->reads, c->ret ? 0 : 1);
	if (c->ret)
		return;
	KUNIT_EXPECT_EQ(test, logger->iova, c->iova);
	KUNIT_EXPECT_EQ(test, logger->length, c->length);
	/* The driver has set the first bit; bits that were set stay set. */
	KUNIT_ASSERT_EQ(test, get_user(byte, logger->user), 0);
	KUNIT_EXPECT_EQ(test, byte, 0x81);
}

static void the_driver_cannot_be_read(struct kunit *test)
{
	struct logger *logger = test->priv;
	struct log_start data;

	KUNIT_ASSERT_EQ(test, start_any(test, &data), 0);
	logger->read_ret = -EIO;
	KUNIT_EXPECT_EQ(test, report(logger, 0, SZ_4K, SZ_4K), -EIO);
	logger->read_ret = 0;
	KUNIT_EXPECT_EQ(test, report(logger, 0, SZ_4K, SZ_4K), 0);
}

static struct kunit_case dma_logging_cases[] = {
	KUNIT_CASE_PARAM(ranges_of_start, start_gen_params),
	KUNIT_CASE(many_ranges),
	KUNIT_CASE(ranges_that_cannot_be_read),
	KUNIT_CASE(one_session_at_a_time),
	KUNIT_CASE(the_driver_does_not_start),
	KUNIT_CASE(the_driver_counts_in_other_pages),
	KUNIT_CASE(undo_stops_its_own_session_only),
	KUNIT_CASE(a_driver_that_does_not_stop),
	KUNIT_CASE_PARAM(ranges_of_report, report_gen_params),
	KUNIT_CASE(the_driver_cannot_be_read),
	{}
};

static struct kunit_suite dma_logging_suite = {
	.name = "vfio_dma_logging",
	.init = logger_init,
	.test_cases = dma_logging_cases,
};

kunit_test_suite(dma_logging_suite);
