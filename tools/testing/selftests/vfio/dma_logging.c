// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA logging in the core: arguments that START, STOP and REPORT refuse, calls
 * into the driver, and the bitmap, in all shapes and kinds of memory.  The
 * device is that of vfio_mock.ko, which also counts violations of the core's
 * contract with drivers.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "device.h"
#include "dma_log.h"
#include "hugetlb.h"
#include "iommu.h"
#include "mock.h"

#define GET	VFIO_DEVICE_FEATURE_GET
#define SET	VFIO_DEVICE_FEATURE_SET
#define PROBE	VFIO_DEVICE_FEATURE_PROBE
#define START	VFIO_DEVICE_FEATURE_DMA_LOGGING_START
#define STOP	VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP
#define REPORT	VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT

#define KPAGE	4096ULL
#define TiB	(1024 * GiB)
#define TOP	0x8000000000000000ULL
#define IOVA	(1ULL << 32)

/* The kernel pins so many bytes of a bitmap at a time. */
#define WINDOW	MiB

FIXTURE(log) {
	struct vdev v;
	struct mock_log_info before;
	long pins;
};

FIXTURE_SETUP(log)
{
	if (stock_modules())
		SKIP(return, "the distribution's core is not tested");
	NEED_MODULE("vfio_mock");
	self->pins = pages_pinned_now();
	mock_open(&self->v, VFIO_MIGRATION_STOP_COPY);
	self->before = mock_log_info(&self->v);
}

FIXTURE_TEARDOWN(log)
{
	struct mock_log_info info;

	vdev_close(&self->v);
	mock_open(&self->v, VFIO_MIGRATION_STOP_COPY);
	info = mock_log_info(&self->v);
	EXPECT_EQ(0, info.on);
	EXPECT_EQ(self->before.broken_promises, info.broken_promises);
	EXPECT_EQ(self->pins, pages_pinned_now());
	vdev_close(&self->v);
}

/* Calls of a driver's function since the test began */
#define calls(what) (mock_log_info(&self->v).what - self->before.what)

/* ---- What is refused ---- */

struct feature_row {
	uint32_t flags;
	uint32_t payload;
	int error;
};

static const struct feature_row feature_rows[] = {
	{ PROBE | SET | START, 0, 0 },
	{ PROBE | START, 0, 0 },
	{ PROBE | GET | START, 24, EINVAL },
	{ PROBE | GET | SET | START, 24, EINVAL },
	{ PROBE | SET | STOP, 0, 0 },
	{ PROBE | GET | STOP, 0, EINVAL },
	{ PROBE | GET | REPORT, 0, 0 },
	{ PROBE | SET | REPORT, 32, EINVAL },
	{ GET | START, 24, EINVAL },
	{ GET | SET | START, 24, EINVAL },
	{ SET | START, 23, EINVAL },
	{ SET | START, 0, EINVAL },
	{ START, 24, EINVAL },
	{ GET | STOP, 0, EINVAL },
	{ STOP, 0, EINVAL },
	{ SET | STOP, 0, EINVAL },
	{ SET | STOP, 8, EINVAL },
	{ SET | REPORT, 32, EINVAL },
	{ GET | REPORT, 31, EINVAL },
	{ GET | REPORT, 0, EINVAL },
	{ REPORT, 32, EINVAL },
};

TEST_F(log, refuses_bad_flags_and_sizes)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(feature_rows); i++) {
		const struct feature_row *row = &feature_rows[i];
		uint8_t payload[64] = {};

		EXPECT_EQ(-row->error, feature(self->v.fd, row->flags, payload,
					       row->payload)) {
			TH_LOG("row %u: flags %#x, payload %u", i, row->flags,
			       row->payload);
		}
	}
	EXPECT_EQ(0, calls(starts));
	EXPECT_EQ(0, calls(stops));
	EXPECT_EQ(0, calls(reads));
}

struct start_row {
	uint64_t page_size;
	uint32_t count;
	int error;
	log_range ranges[3];
};

static const struct start_row start_rows[] = {
	/* The page size */
	{ 0, 1, EINVAL, { { IOVA, KPAGE } } },
	{ 3, 1, EINVAL, { { IOVA, KPAGE } } },
	{ 4095, 1, EINVAL, { { IOVA, KPAGE } } },
	{ 4097, 1, EINVAL, { { IOVA, KPAGE } } },
	{ 3 * KPAGE, 1, EINVAL, { { 0, 3 * KPAGE } } },
	{ ~0ULL, 1, EINVAL, { { IOVA, KPAGE } } },
	{ TOP | KPAGE, 1, EINVAL, { { IOVA, KPAGE } } },
	{ KPAGE, 1, 0, { { IOVA, KPAGE } } },
	{ 1, 1, 0, { { IOVA + 1, 1 } } },
	{ 2 * MiB, 1, 0, { { IOVA, 2 * MiB } } },
	{ TOP, 1, 0, { { 0, TOP } } },
	/* Alignment */
	{ KPAGE, 1, EINVAL, { { IOVA + 1, KPAGE } } },
	{ KPAGE, 1, EINVAL, { { IOVA, KPAGE + 1 } } },
	{ KPAGE, 1, EINVAL, { { IOVA, 1 } } },
	{ KPAGE, 1, EINVAL, { { IOVA + 2048, KPAGE - 2048 } } },
	{ 2 * MiB, 1, EINVAL, { { IOVA + MiB, 2 * MiB } } },
	{ TOP, 1, EINVAL, { { IOVA, KPAGE } } },
	/* Length and overflow */
	{ KPAGE, 1, EINVAL, { { IOVA, 0 } } },
	{ KPAGE, 1, EINVAL, { { 0, 0 } } },
	{ KPAGE, 2, EINVAL, { { IOVA, KPAGE }, { IOVA + KPAGE, 0 } } },
	{ KPAGE, 1, EOVERFLOW, { { -KPAGE, 2 * KPAGE } } },
	{ KPAGE, 1, EOVERFLOW, { { -KPAGE, -KPAGE } } },
	{ KPAGE, 1, EOVERFLOW, { { TOP, TOP + KPAGE } } },
	{ KPAGE, 1, EOVERFLOW, { { KPAGE, -KPAGE } } },
	{ TOP, 1, EOVERFLOW, { { TOP, TOP } } },
	{ KPAGE, 1, 0, { { 0, -KPAGE } } },
	{ KPAGE, 1, 0, { { -2 * KPAGE, KPAGE } } },
	{ KPAGE, 2, EOVERFLOW, { { IOVA, KPAGE }, { TOP, TOP + KPAGE } } },
	/* Overlap */
	{ KPAGE, 2, EINVAL, { { IOVA, KPAGE }, { IOVA, KPAGE } } },
	{ KPAGE, 2, EINVAL, { { IOVA, 2 * KPAGE }, { IOVA + KPAGE, KPAGE } } },
	{ KPAGE, 2, EINVAL, { { IOVA + KPAGE, KPAGE }, { IOVA, 2 * KPAGE } } },
	{ KPAGE, 2, EINVAL, { { 0, -KPAGE }, { IOVA, KPAGE } } },
	{ KPAGE, 3, EINVAL, { { IOVA, KPAGE }, { IOVA + MiB, KPAGE },
			      { IOVA, MiB + KPAGE } } },
	{ KPAGE, 2, 0, { { IOVA, KPAGE }, { IOVA + KPAGE, KPAGE } } },
	{ KPAGE, 2, 0, { { IOVA + KPAGE, KPAGE }, { IOVA, KPAGE } } },
	{ KPAGE, 3, 0, { { 0, KPAGE }, { 4 * GiB, TiB }, { GiB, GiB } } },
	/* The number of ranges */
	{ KPAGE, 0, EINVAL, { { IOVA, KPAGE } } },
};

TEST_F(log, start_refuses_bad_ranges)
{
	unsigned int i, good = 0;

	for (i = 0; i < ARRAY_SIZE(start_rows); i++) {
		const struct start_row *row = &start_rows[i];
		uint64_t page_size = row->page_size;

		EXPECT_EQ(-row->error, log_start(self->v.fd, &page_size,
						 row->ranges, row->count)) {
			TH_LOG("row %u", i);
		}
		EXPECT_EQ(row->page_size, page_size);
		EXPECT_EQ(row->error ? -EINVAL : 0, log_stop(self->v.fd)) {
			TH_LOG("after row %u", i);
		}
		good += !row->error;
	}
	EXPECT_EQ(good, calls(starts));
	EXPECT_EQ(good, calls(stops));
}

TEST_F(log, start_takes_many_ranges)
{
	const uint32_t most = page_size() / sizeof(log_range);
	static const uint32_t too_many[] = { 0x10000, 0x10000000, 0x80000000,
					     0xffffffff };
	log_range *ranges = mem_alloc(2 * page_size());
	struct mock_log_info info;
	uint64_t size = KPAGE;
	uint32_t i;

	/* In descending order: the driver gets them in ascending order. */
	for (i = 0; i <= most; i++) {
		ranges[i].iova = (most - i) * MiB;
		ranges[i].length = (1 + i % 7) * KPAGE;
	}
	EXPECT_EQ(-E2BIG, log_start(self->v.fd, &size, ranges, most + 1));
	for (i = 0; i < ARRAY_SIZE(too_many); i++)
		EXPECT_EQ(-E2BIG, log_start(self->v.fd, &size, ranges,
					    too_many[i]));
	ASSERT_EQ(0, log_start(self->v.fd, &size, ranges, most));
	info = mock_log_info(&self->v);
	ASSERT_EQ(most, info.nranges);
	for (i = 0; i < most; i++) {
		EXPECT_EQ(ranges[most - 1 - i].iova, info.range[i].iova);
		EXPECT_EQ(ranges[most - 1 - i].length, info.range[i].length);
	}
}

TEST_F(log, start_refuses_unreadable_ranges)
{
	log_range *range = mem_at_page_end(sizeof(*range));
	uint64_t size = KPAGE;

	*range = (log_range){ .iova = IOVA, .length = KPAGE };
	EXPECT_EQ(-EFAULT, log_start(self->v.fd, &size, range, 2));
	EXPECT_EQ(-EFAULT, log_start(self->v.fd, &size, NULL, 1));
	EXPECT_EQ(-EFAULT, log_start(self->v.fd, &size, (void *)TOP, 1));
	EXPECT_EQ(-EFAULT, log_start(self->v.fd, &size,
				     (void *)-sizeof(*range), 1));
	EXPECT_EQ(0, calls(starts));
	EXPECT_EQ(0, log_start(self->v.fd, &size, range, 1));
}

struct report_row {
	uint64_t iova;
	uint64_t length;
	uint64_t page_size;
	int error;
};

static const struct report_row report_rows[] = {
	{ IOVA, KPAGE, 0, EINVAL },
	{ IOVA, KPAGE, 1, EINVAL },
	{ IOVA, KPAGE, 2048, EINVAL },
	{ IOVA, KPAGE, 4095, EINVAL },
	{ IOVA, KPAGE, 3 * KPAGE, EINVAL },
	{ IOVA, KPAGE, ~0ULL, EINVAL },
	{ IOVA, KPAGE, KPAGE | TOP, EINVAL },
	{ IOVA, 0, KPAGE, EINVAL },
	{ 0, 0, KPAGE, EINVAL },
	{ -KPAGE, 2 * KPAGE, KPAGE, EOVERFLOW },
	{ TOP, TOP, KPAGE, EOVERFLOW },
	{ 2, ~0ULL, KPAGE, EOVERFLOW },
	{ ~0ULL, ~0ULL, KPAGE, EOVERFLOW },
	/* A bitmap that no address space has room for */
	{ 0, ~0ULL, KPAGE, EFAULT },
	{ 0, ~0ULL, TOP, 0 },
	{ 0, 1, TOP, 0 },
	{ IOVA, 1, KPAGE, 0 },
	{ -KPAGE - 1, KPAGE, KPAGE, 0 },
	{ IOVA, KPAGE, KPAGE, 0 },
};

TEST_F(log, report_refuses_bad_arguments)
{
	uint64_t bitmap = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(report_rows); i++)
		EXPECT_GT(0, log_report(self->v.fd, report_rows[i].iova,
					report_rows[i].length,
					report_rows[i].page_size, &bitmap));
	EXPECT_EQ(0, calls(reads));
	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	for (i = 0; i < ARRAY_SIZE(report_rows); i++)
		EXPECT_EQ(-report_rows[i].error,
			  log_report(self->v.fd, report_rows[i].iova,
				     report_rows[i].length,
				     report_rows[i].page_size, &bitmap)) {
			TH_LOG("row %u", i);
		}
	EXPECT_EQ(0, bitmap);
}

TEST_F(log, stop_and_report_need_a_start)
{
	uint64_t bitmap = 0;

	EXPECT_EQ(-EINVAL, log_stop(self->v.fd));
	EXPECT_EQ(-EINVAL, log_report(self->v.fd, IOVA, KPAGE, KPAGE, &bitmap));
	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	mock_log_write(&self->v, IOVA, KPAGE);
	EXPECT_EQ(0, log_stop(self->v.fd));
	EXPECT_EQ(-EINVAL, log_stop(self->v.fd));
	EXPECT_EQ(-EINVAL, log_report(self->v.fd, IOVA, KPAGE, KPAGE, &bitmap));
	EXPECT_EQ(1, calls(starts));
	EXPECT_EQ(1, calls(stops));
	EXPECT_EQ(0, calls(reads));

	/* The next session starts with an empty log. */
	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	EXPECT_EQ(0, log_report(self->v.fd, IOVA, KPAGE, KPAGE, &bitmap));
	EXPECT_EQ(0, bitmap);
}

TEST_F(log, second_start_is_refused)
{
	uint64_t bitmap = 0;

	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	mock_log_write(&self->v, IOVA + KPAGE, KPAGE);
	EXPECT_EQ(-EINVAL, log_start_range(self->v.fd, IOVA, GiB));
	EXPECT_EQ(-EINVAL, log_start_range(self->v.fd, TiB, GiB));
	EXPECT_EQ(1, calls(starts));
	EXPECT_EQ(0, log_report(self->v.fd, IOVA, GiB / 1024, KPAGE, &bitmap));
	EXPECT_EQ(2, bitmap);
}

TEST_F(log, drivers_page_size_is_returned)
{
	log_range range = { .iova = IOVA, .length = GiB };
	uint64_t size = KPAGE, bitmap = 0;

	mock_log_control(&self->v,
			 (struct mock_log_control){ .page_size = 64 * KiB });
	ASSERT_EQ(0, log_start(self->v.fd, &size, &range, 1));
	EXPECT_EQ(64 * KiB, size);
	mock_log_write(&self->v, IOVA + 65 * KiB, 1);
	EXPECT_EQ(0, log_report(self->v.fd, IOVA, 256 * KiB, KPAGE, &bitmap));
	EXPECT_EQ(0xffff0000, bitmap);
}

/* ---- An answer that cannot be delivered, a driver that fails ---- */

static int start_with(int fd, struct vfio_device_feature *arg,
		      const log_range *range)
{
	struct vfio_device_feature_dma_logging_control *control =
		(void *)arg->data;

	arg->argsz = sizeof(*arg) + sizeof(*control);
	arg->flags = SET | START;
	control->page_size = KPAGE;
	control->num_ranges = 1;
	control->ranges = (uintptr_t)range;
	mprotect(arg, page_size(), PROT_READ);
	return sys_ioctl(fd, VFIO_DEVICE_FEATURE, arg);
}

TEST_F(log, start_is_undone_without_writable_memory)
{
	log_range range = { .iova = IOVA, .length = GiB };

	EXPECT_EQ(-EFAULT, start_with(self->v.fd, mem_alloc(page_size()),
				      &range));
	EXPECT_EQ(0, calls(starts));
	EXPECT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
}

/* The memory is unmapped while the driver starts: logging is stopped again. */
TEST_F(log, start_is_undone_if_the_answer_faults)
{
	struct vfio_device_feature_dma_logging_control *control;
	log_range range = { .iova = IOVA, .length = GiB };
	struct vfio_device_feature *arg = mem_alloc(page_size());

	mock_log_control(&self->v, (struct mock_log_control){
			 .start_unmaps = (uintptr_t)arg });
	arg->argsz = sizeof(*arg) + sizeof(*control);
	arg->flags = SET | START;
	control = (void *)arg->data;
	control->page_size = KPAGE;
	control->num_ranges = 1;
	control->ranges = (uintptr_t)&range;
	EXPECT_EQ(-EFAULT, sys_ioctl(self->v.fd, VFIO_DEVICE_FEATURE, arg));
	EXPECT_EQ(1, calls(starts));
	EXPECT_EQ(1, calls(stops));
	EXPECT_EQ(0, mock_log_info(&self->v).on);
	EXPECT_EQ(-EINVAL, log_stop(self->v.fd));
	EXPECT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
}

TEST_F(log, failed_start_can_be_repeated)
{
	uint64_t bitmap = 0;

	mock_log_control(&self->v,
			 (struct mock_log_control){ .start_errno = ENOSPC });
	EXPECT_EQ(-ENOSPC, log_start_range(self->v.fd, IOVA, GiB));
	EXPECT_EQ(-EINVAL, log_report(self->v.fd, IOVA, KPAGE, KPAGE, &bitmap));
	EXPECT_EQ(-EINVAL, log_stop(self->v.fd));
	EXPECT_EQ(0, calls(stops));
	mock_log_control(&self->v, (struct mock_log_control){});
	EXPECT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
}

/* The session stays active, and STOP can be repeated. */
TEST_F(log, failed_stop_can_be_repeated)
{
	uint64_t bitmap = 0;

	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	mock_log_write(&self->v, IOVA, KPAGE);
	mock_log_control(&self->v,
			 (struct mock_log_control){ .stop_errno = EIO });
	EXPECT_EQ(-EIO, log_stop(self->v.fd));
	EXPECT_EQ(-EINVAL, log_start_range(self->v.fd, IOVA, GiB));
	EXPECT_EQ(0, log_report(self->v.fd, IOVA, KPAGE, KPAGE, &bitmap));
	EXPECT_EQ(1, bitmap);
	mock_log_control(&self->v, (struct mock_log_control){});
	EXPECT_EQ(0, log_stop(self->v.fd));
	EXPECT_EQ(2, calls(stops));
	EXPECT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
}

/* STOP fails at the last close as well: the next user can start. */
TEST_F(log, failed_stop_at_close_does_not_block_the_next_user)
{
	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	mock_log_control(&self->v,
			 (struct mock_log_control){ .stop_errno = EIO });
	vdev_close(&self->v);
	mock_open(&self->v, VFIO_MIGRATION_STOP_COPY);
	EXPECT_EQ(1, calls(stops));
	EXPECT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
}

/* Bits read before the failure are reported; the rest stays in the log. */
TEST_F(log, failed_report_loses_nothing)
{
	const uint64_t window = WINDOW * 8 * KPAGE;
	uint8_t *bitmap = mem_alloc(3 * WINDOW);

	ASSERT_EQ(0, log_start_range(self->v.fd, 0, 3 * window));
	mock_log_write(&self->v, 0, KPAGE);
	mock_log_write(&self->v, window, KPAGE);
	mock_log_write(&self->v, 2 * window, KPAGE);
	mock_log_control(&self->v, (struct mock_log_control){
			 .read_errno = EIO, .good_reads = 1 });
	EXPECT_EQ(-EIO, log_report(self->v.fd, 0, 3 * window, KPAGE, bitmap));
	EXPECT_EQ(1, bitmap[0]);
	EXPECT_EQ(0, bitmap[WINDOW]);
	mock_log_control(&self->v, (struct mock_log_control){});
	bitmap[0] = 0;
	EXPECT_EQ(0, log_report(self->v.fd, 0, 3 * window, KPAGE, bitmap));
	EXPECT_EQ(0, bitmap[0]);
	EXPECT_EQ(1, bitmap[WINDOW]);
	EXPECT_EQ(1, bitmap[2 * WINDOW]);
}

/* ---- When logging ends ---- */

TEST_F(log, ends_with_the_last_close)
{
	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	vdev_close(&self->v);
	mock_open(&self->v, VFIO_MIGRATION_STOP_COPY);
	EXPECT_EQ(1, calls(stops));
	EXPECT_EQ(-EINVAL, log_stop(self->v.fd));
}

TEST_F(log, lasts_until_the_last_file_is_closed)
{
	int other = must(group_get_device(self->v.group, self->v.bdf));
	uint64_t bitmap = 0;

	ASSERT_EQ(0, log_start_range(other, IOVA, GiB));
	mock_log_write(&self->v, IOVA, KPAGE);
	sys_close(other);
	EXPECT_EQ(0, calls(stops));
	EXPECT_EQ(0, log_report(self->v.fd, IOVA, KPAGE, KPAGE, &bitmap));
	EXPECT_EQ(1, bitmap);
}

TEST_F(log, ends_with_the_process)
{
	int status;
	pid_t pid;

	vdev_close(&self->v);
	pid = fork();
	if (!pid) {
		mock_open(&self->v, VFIO_MIGRATION_STOP_COPY);
		_exit(log_start_range(self->v.fd, IOVA, GiB) ? 1 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	mock_open(&self->v, VFIO_MIGRATION_STOP_COPY);
	EXPECT_EQ(1, calls(starts));
	EXPECT_EQ(1, calls(stops));
	EXPECT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
}

TEST_F(log, survives_a_reset)
{
	uint64_t bitmap = 0;

	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	mock_log_write(&self->v, IOVA, KPAGE);
	ASSERT_EQ(0, device_reset(&self->v));
	EXPECT_EQ(0, log_report(self->v.fd, IOVA, KPAGE, KPAGE, &bitmap));
	EXPECT_EQ(1, bitmap);
	EXPECT_EQ(0, log_stop(self->v.fd));
}

/* ---- Contents of the bitmap ---- */

TEST_F(log, report_clears_the_log)
{
	uint64_t bitmap = 0;

	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, 64 * KPAGE));
	mock_log_write(&self->v, IOVA + 3 * KPAGE, 2 * KPAGE);
	mock_log_write(&self->v, IOVA + 63 * KPAGE, 10 * KPAGE);
	mock_log_write(&self->v, IOVA - KPAGE, KPAGE + 1);
	/* The report of a part leaves the rest in the log. */
	EXPECT_EQ(0, log_report(self->v.fd, IOVA, 4 * KPAGE, KPAGE, &bitmap));
	EXPECT_EQ(0x9, bitmap);
	bitmap = 0;
	EXPECT_EQ(0, log_report(self->v.fd, IOVA, 64 * KPAGE, KPAGE, &bitmap));
	EXPECT_EQ(BIT_ULL(4) | BIT_ULL(63), bitmap);
	bitmap = 0;
	EXPECT_EQ(0, log_report(self->v.fd, IOVA, 64 * KPAGE, KPAGE, &bitmap));
	EXPECT_EQ(0, bitmap);
}

TEST_F(log, report_clears_no_bit_of_the_bitmap)
{
	uint64_t bitmap[3] = { 0x5555555555555555, 0xa5, 0xff };

	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	mock_log_write(&self->v, IOVA + KPAGE, KPAGE);
	mock_log_write(&self->v, IOVA + 64 * KPAGE, 64 * KPAGE);
	EXPECT_EQ(0, log_report(self->v.fd, IOVA, 192 * KPAGE, KPAGE, bitmap));
	EXPECT_EQ(0x5555555555555557, bitmap[0]);
	EXPECT_EQ(~0ULL, bitmap[1]);
	EXPECT_EQ(0xff, bitmap[2]);
}

struct shape {
	uint64_t iova, length, page_size;
	size_t offset;		/* of the bitmap in a page, in bytes */
};

#define SHAPE_BITS	(4 * 32768U)

/*
 * The oracle sets bit by bit.  Returns the size in bytes of a bitmap of this
 * shape.
 */
static size_t expect_writes(uint8_t *bitmap, const struct shape *shape,
			    const log_range *writes, unsigned int count)
{
	uint64_t bits = (shape->length + shape->page_size - 1) /
			shape->page_size;
	uint64_t bit, first, last;
	unsigned int i;

	for (bit = 0; bit < bits; bit++) {
		first = shape->iova + bit * shape->page_size;
		last = first + shape->page_size - 1;
		if (last > shape->iova + shape->length - 1)
			last = shape->iova + shape->length - 1;
		for (i = 0; i < count; i++)
			if (writes[i].iova <= last && first <=
			    writes[i].iova + writes[i].length - 1)
				bitmap[bit / 8] |= 1 << bit % 8;
	}
	return (bits + 7) / 8;
}

/* The log is kept in pages of 4 KiB. */
static log_range random_write(uint64_t *seed, const struct shape *shape)
{
	uint64_t at = shape->iova - MiB + prng(seed) % (shape->length + 2 * MiB);
	uint64_t length = prng(seed) % 3 ? 1 : 1 + prng(seed) %
				(shape->length / 8 + 1);
	log_range range;

	range.iova = at & ~(KPAGE - 1);
	range.length = ((at + length - 1) | (KPAGE - 1)) - range.iova + 1;
	return range;
}

static struct shape random_shape(uint64_t *seed)
{
	static const uint64_t sizes[] = {
		4 * KiB, 8 * KiB, 64 * KiB, 2 * MiB, GiB,
	};
	struct shape shape;
	uint64_t bits = 1 + prng(seed) % (prng(seed) % 2 ? 200 : SHAPE_BITS);

	shape.page_size = sizes[prng(seed) % ARRAY_SIZE(sizes)];
	shape.iova = TiB + prng(seed) % TiB;
	if (prng(seed) % 4)
		shape.iova &= ~(KPAGE - 1);
	if (prng(seed) % 2)
		shape.iova &= ~(shape.page_size - 1);
	shape.length = bits * shape.page_size;
	if (prng(seed) % 3 == 0)
		shape.length -= prng(seed) % shape.page_size;
	shape.offset = prng(seed) % page_size();
	if (prng(seed) % 4)
		shape.offset &= ~7;
	return shape;
}

/* The bitmap is between guard bytes and contains bits that the user set. */
static void check_shape(struct __test_metadata *_metadata,
			const struct vdev *v, const struct shape *shape,
			uint8_t *mem, uint8_t *wanted, size_t size,
			uint64_t *seed)
{
	log_range writes[6];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		writes[i] = random_write(seed, shape);
		mock_log_write(v, writes[i].iova, writes[i].length);
	}
	for (i = 0; i < size / 8; i++)
		((uint64_t *)mem)[i] = prng(seed) & prng(seed) & prng(seed);
	memcpy(wanted, mem, size);
	expect_writes(wanted + shape->offset, shape, writes,
		      ARRAY_SIZE(writes));
	ASSERT_EQ(0, log_report(v->fd, shape->iova, shape->length,
				shape->page_size, mem + shape->offset));
	ASSERT_EQ(0, memcmp(wanted, mem, size)) {
		TH_LOG("iova %#llx length %#llx page size %#llx offset %#zx",
		       (unsigned long long)shape->iova,
		       (unsigned long long)shape->length,
		       (unsigned long long)shape->page_size, shape->offset);
	}
}

TEST_F(log, fills_bitmaps_of_all_shapes)
{
	size_t size = SHAPE_BITS / 8 + 3 * page_size();
	uint8_t *mem = mem_alloc(size), *wanted = mem_alloc(size);
	uint64_t seed = 0x5eed10f;
	unsigned int i;

	for (i = 0; i < scaled(200); i++) {
		struct shape shape = random_shape(&seed);

		ASSERT_EQ(0, log_start_range(self->v.fd, 0, 512 * TiB));
		check_shape(_metadata, &self->v, &shape, mem, wanted, size,
			    &seed);
		ASSERT_EQ(0, log_stop(self->v.fd));
	}
}

static bool only_these_bits(const uint8_t *bitmap, size_t size,
			    const uint64_t *bits, unsigned int count)
{
	const uint64_t *words = (const void *)bitmap;
	uint64_t seen = 0;
	unsigned int i;
	size_t word;

	for (i = 0; i < count; i++)
		if (!(bitmap[bits[i] / 8] & 1 << bits[i] % 8))
			return false;
	for (word = 0; word < size / 8; word++)
		seen += __builtin_popcountll(words[word]);
	return seen == count;
}

/* 1 TiB in pages of 4 KiB: 32 MiB of bitmap, of which one window is pinned */
TEST_F(log, reports_a_terabyte)
{
	const uint64_t iova = TiB + 17 * KPAGE;
	const uint64_t bits[] = {
		0, 1, 63, 64, 32767, 32768, 8388607, 8388608, 8388609,
		/* The end of the first window, which begins unaligned */
		8388608 - 17 - 1, 8388608 - 17,
		100000000, 268435455 - 17, 268435455,
	};
	const size_t size = 32 * MiB;
	uint8_t *bitmap = mem_alloc(size);
	unsigned int i;

	ASSERT_EQ(0, log_start_range(self->v.fd, iova, TiB));
	for (i = 0; i < ARRAY_SIZE(bits); i++)
		mock_log_write(&self->v, iova + bits[i] * KPAGE, KPAGE);
	ASSERT_EQ(0, log_report(self->v.fd, iova, TiB, KPAGE, bitmap));
	EXPECT_TRUE(only_these_bits(bitmap, size, bits, ARRAY_SIZE(bits)));
	/* The driver is asked for one window at a time. */
	EXPECT_LE(TiB / (WINDOW * 8 * KPAGE), calls(reads));
	EXPECT_GE(TiB / (WINDOW * 8 * KPAGE) + 1, calls(reads));
	memset(bitmap, 0, size);
	ASSERT_EQ(0, log_report(self->v.fd, iova, TiB, KPAGE, bitmap));
	EXPECT_TRUE(only_these_bits(bitmap, size, NULL, 0));
}

/* 2^62 bytes in pages of 1 GiB */
TEST_F(log, reports_exabytes)
{
	const uint64_t bits[] = { 5, 1ULL << 31, (1ULL << 32) - 1 };
	const size_t size = 512 * MiB;
	uint8_t *bitmap = mem_alloc(size);
	unsigned int i;

	ASSERT_EQ(0, log_start_range(self->v.fd, 0, 1ULL << 62));
	for (i = 0; i < ARRAY_SIZE(bits); i++)
		mock_log_write(&self->v, (bits[i] << 30) + 12345, 1);
	ASSERT_EQ(0, log_report(self->v.fd, 0, 1ULL << 62, GiB, bitmap));
	EXPECT_TRUE(only_these_bits(bitmap, size, bits, ARRAY_SIZE(bits)));
}

/* The device's granule is larger than a window, and lies across its end. */
TEST_F(log, reports_granules_larger_than_a_window)
{
	const uint64_t granule = 64 * GiB, size = 8 * MiB;
	log_range range = { .iova = 0, .length = TiB };
	uint64_t page = KPAGE, bits = granule / KPAGE, i;
	uint8_t *bitmap = mem_alloc(size);

	mock_log_control(&self->v,
			 (struct mock_log_control){ .page_size = granule });
	ASSERT_EQ(0, log_start(self->v.fd, &page, &range, 1));
	ASSERT_EQ(granule, page);
	/* 256 GiB from the middle of a granule; the second and the last one */
	mock_log_write(&self->v, 2 * granule, 1);
	mock_log_write(&self->v, 5 * granule - 1, 1);
	ASSERT_EQ(0, log_report(self->v.fd, granule / 2, 4 * granule, KPAGE,
				bitmap));
	for (i = 0; i < 4 * bits; i += 1024) {
		bool set = (i >= bits * 3 / 2 && i < bits * 5 / 2) ||
			   i >= bits * 7 / 2;

		ASSERT_EQ(set ? 0xff : 0, bitmap[i / 8]);
	}
}

/* ---- The user's memory ---- */

TEST_F(log, touches_no_byte_behind_the_bitmap)
{
	uint64_t length;
	unsigned int bytes;

	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	for (bytes = 1; bytes <= 17; bytes++) {
		uint8_t *bitmap = mem_at_page_end(bytes);

		length = bytes * 8 * KPAGE;
		mock_log_write(&self->v, IOVA, GiB);
		EXPECT_EQ(0, log_report(self->v.fd, IOVA, length, KPAGE,
					bitmap));
		EXPECT_EQ(0xff, bitmap[0]);
		EXPECT_EQ(0xff, bitmap[bytes - 1]);
		/* One bit more */
		EXPECT_EQ(-EFAULT, log_report(self->v.fd, IOVA, length + KPAGE,
					      KPAGE, bitmap));
	}
}

TEST_F(log, report_fails_without_memory)
{
	static const uint64_t addresses[] = {
		0, KPAGE, TOP - KPAGE, TOP, -KPAGE, ~0ULL, 0x7ffffffff000,
	};
	unsigned int i;

	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	for (i = 0; i < ARRAY_SIZE(addresses); i++)
		EXPECT_EQ(-EFAULT, log_report(self->v.fd, IOVA, GiB, KPAGE,
					      (void *)addresses[i]));
	EXPECT_EQ(0, calls(reads));
}

static void check_fault(struct __test_metadata *_metadata,
			const struct vdev *v, int protection, size_t at)
{
	const uint64_t window = WINDOW * 8 * KPAGE, length = 3 * window;
	const size_t size = 3 * WINDOW;
	uint8_t *bitmap = mem_alloc(size);
	size_t i, page = page_size();

	/* One dirty page for each page of the bitmap */
	for (i = 0; i < size; i += page)
		mock_log_write(v, i * 8 * KPAGE, KPAGE);
	bitmap[0] = 0x80;
	must(mprotect(bitmap + at, page, protection));
	ASSERT_EQ(-EFAULT, log_report(v->fd, 0, length, KPAGE, bitmap));
	/* Windows before the fault are reported ... */
	for (i = 0; i < at / WINDOW * WINDOW; i += page)
		ASSERT_EQ(1, bitmap[i] & 1);
	/* ... and the rest is in the next report. */
	must(mprotect(bitmap + at, page, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0x80, bitmap[0] & 0x80);
	ASSERT_EQ(0, log_report(v->fd, 0, length, KPAGE, bitmap));
	bitmap[0] &= ~0x80;
	for (i = 0; i < size; i += page)
		ASSERT_EQ(1, bitmap[i]);
	mem_free(bitmap, size);
}

TEST_F(log, fault_in_the_middle_loses_nothing)
{
	static const int protections[] = { PROT_NONE, PROT_READ };
	const size_t pages[] = {
		0, page_size(), WINDOW - page_size(), WINDOW,
		WINDOW + page_size() * 100, 3 * WINDOW - page_size(),
	};
	unsigned int i, j;

	ASSERT_EQ(0, log_start_range(self->v.fd, 0, TiB));
	for (i = 0; i < ARRAY_SIZE(protections); i++)
		for (j = 0; j < ARRAY_SIZE(pages); j++)
			check_fault(_metadata, &self->v, protections[i],
				    pages[j]);
}

/* One page of the log, in a bitmap of one page at @bitmap */
static int report_one(const struct vdev *v, void *bitmap)
{
	mock_log_write(v, IOVA + 9 * KPAGE, KPAGE);
	return log_report(v->fd, IOVA, page_size() * 8 * KPAGE, KPAGE, bitmap);
}

TEST_F(log, reports_to_memory_of_every_kind)
{
	size_t page = page_size();
	uint64_t *mem, *other;
	int fd;

	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	/* A private mapping of a file: the file does not change. */
	fd = memfd_create("bitmap", 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, page));
	other = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	mem = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	EXPECT_EQ(0, report_one(&self->v, mem));
	EXPECT_EQ(BIT(9), mem[0]);
	EXPECT_EQ(0, other[0]);
	/* A shared mapping; a read-only one is refused. */
	EXPECT_EQ(-EFAULT, report_one(&self->v, other));
	EXPECT_EQ(0, other[0]);
	mem = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT_EQ(0, report_one(&self->v, mem));
	EXPECT_EQ(BIT(9), other[0]);
	/* Beyond the end of the file */
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_GT(0, report_one(&self->v, mem));
	sys_close(fd);
	/* The zero page: so far only read */
	mem = mem_alloc(page);
	EXPECT_EQ(0, *(volatile uint64_t *)mem);
	EXPECT_EQ(0, report_one(&self->v, mem));
	EXPECT_EQ(BIT(9), mem[0]);
	/* Program text and the kernel's mappings */
	EXPECT_EQ(-EFAULT, report_one(&self->v, (void *)((uintptr_t)report_one &
							 ~(page - 1))));
}

TEST_F(log, reports_to_huge_pages)
{
	uint64_t *mem;

	if (!hugetlb_size() || !hugetlb_reserve(1))
		SKIP(return, "no huge pages");
	mem = hugetlb_alloc(hugetlb_size());
	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	EXPECT_EQ(0, report_one(&self->v, mem));
	EXPECT_EQ(BIT(9), mem[0]);
	mem_free(mem, hugetlb_size());
}

/* The report copies a page that parent and child share. */
TEST_F(log, report_after_fork_reaches_one_process)
{
	uint64_t *mem = mem_alloc(page_size());
	int status;
	pid_t pid;

	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	mem[1] = 1;
	pid = fork();
	if (!pid)
		_exit(report_one(&self->v, mem) || mem[0] != BIT(9));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, mem[0]);
	EXPECT_EQ(0, report_one(&self->v, mem));
	EXPECT_EQ(BIT(9), mem[0]);
}

/* Pages are pinned during the call only, and not charged. */
TEST_F(log, report_ignores_rlimit_memlock)
{
	struct rlimit none = {};
	uint8_t *bitmap = mem_alloc(4 * MiB);
	int status;
	pid_t pid;

	ASSERT_EQ(0, log_start_range(self->v.fd, 0, TiB));
	mock_log_write(&self->v, 0, KPAGE);
	pid = fork();
	if (!pid) {
		long pinned = proc_status_kb("VmPin");

		must(setrlimit(RLIMIT_MEMLOCK, &none));
		if (setuid(65534))
			_exit(2);
		if (log_report(self->v.fd, 0, 128 * GiB, KPAGE, bitmap))
			_exit(3);
		if (bitmap[0] != 1 || proc_status_kb("VmPin") != pinned)
			_exit(4);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(self->pins, pages_pinned_now());
}

/* ---- All at once ---- */

#define RACE_BITMAP	(2 * WINDOW)

struct race {
	struct vdev *v;
	uint8_t *bitmap;
	bool done;
	int bad;		/* an unexpected errno */
};

static bool race_on(struct race *race)
{
	return !__atomic_load_n(&race->done, __ATOMIC_RELAXED);
}

static void race_check(struct race *race, int ret, int also)
{
	if (ret && ret != -EINVAL && ret != also)
		__atomic_store_n(&race->bad, ret, __ATOMIC_RELAXED);
}

static void *race_start_stop(void *arg)
{
	struct race *race = arg;

	while (race_on(race)) {
		race_check(race, log_start_range(race->v->fd, 0, TiB), 0);
		mock_log_write(race->v, 0, TiB);
		race_check(race, log_stop(race->v->fd), 0);
	}
	return NULL;
}

static void *race_report(void *arg)
{
	struct race *race = arg;

	while (race_on(race))
		race_check(race, log_report(race->v->fd, 0,
					    RACE_BITMAP * 8 * KPAGE, KPAGE,
					    race->bitmap), -EFAULT);
	return NULL;
}

/* Into memory that stays mapped */
static void *race_report_own(void *arg)
{
	uint64_t bitmap[64] = {};
	struct race *race = arg;

	while (race_on(race))
		race_check(race, log_report(race->v->fd, 0,
					    sizeof(bitmap) * 8 * KPAGE, KPAGE,
					    bitmap), 0);
	return NULL;
}

static void *race_write(void *arg)
{
	struct race *race = arg;
	uint64_t iova = 0;

	while (race_on(race))
		mock_log_write(race->v, (iova += 12345 * KPAGE) % TiB, KPAGE);
	return NULL;
}

/*
 * Replaces the mapping of the bitmap, so that no other thread gets its
 * addresses.
 */
static void race_map(struct race *race, int protection)
{
	if (mmap(race->bitmap, RACE_BITMAP, protection, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_FIXED, -1, 0) != race->bitmap)
		die("mmap: %s", strerror(errno));
}

static void *race_unmap(void *arg)
{
	struct race *race = arg;

	while (race_on(race)) {
		race_map(race, PROT_NONE);
		race_map(race, PROT_READ | PROT_WRITE);
		sleep_us(1000);
		madvise(race->bitmap, RACE_BITMAP, MADV_DONTNEED);
	}
	return NULL;
}

static void run_race(struct __test_metadata *_metadata, struct vdev *v,
		     void *(*const tasks[])(void *), unsigned int count,
		     unsigned int ms)
{
	struct race race = { .v = v, .bitmap = mem_alloc(RACE_BITMAP) };
	pthread_t threads[8];
	unsigned int i;

	ASSERT_GE(ARRAY_SIZE(threads), count);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, tasks[i],
					    &race));
	while (ms--)
		sleep_us(1000);
	__atomic_store_n(&race.done, true, __ATOMIC_RELAXED);
	for (i = 0; i < count; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(0, race.bad);
}

TEST_F(log, report_races_with_stop_and_munmap)
{
	static void *(*const tasks[])(void *) = {
		race_start_stop, race_start_stop, race_report, race_report,
		race_report_own, race_write, race_unmap,
	};
	struct mock_log_info info;

	run_race(_metadata, &self->v, tasks, ARRAY_SIZE(tasks), 4000);
	info = mock_log_info(&self->v);
	EXPECT_LT(self->before.starts, info.starts);
	EXPECT_LT(self->before.reads, info.reads);
	EXPECT_EQ(info.starts - self->before.starts,
		  info.stops - self->before.stops);
	/* Logging still works. */
	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	EXPECT_EQ(0, log_stop(self->v.fd));
}

/* Two reports and the user set bits in the same words of a bitmap. */
static void *race_set_bits(void *arg)
{
	struct race *race = arg;
	unsigned int bit;

	for (bit = 0; race_on(race); bit = (bit + 1) % 8)
		__atomic_fetch_or(&race->bitmap[1], 1 << bit, __ATOMIC_RELAXED);
	return NULL;
}

static void *race_even_pages(void *arg)
{
	struct race *race = arg;

	while (race_on(race)) {
		mock_log_write(race->v, IOVA, KPAGE);
		mock_log_write(race->v, IOVA + 4 * KPAGE, KPAGE);
		race_check(race, log_report(race->v->fd, IOVA, 8 * KPAGE,
					    KPAGE, race->bitmap), 0);
	}
	return NULL;
}

/* A bit that the user sets must not get lost. */
static void *race_own_bits(void *arg)
{
	struct race *race = arg;
	uint8_t *byte = &race->bitmap[2];
	unsigned int i;

	for (i = 0; race_on(race); i++) {
		uint8_t bit = 1 << i % 8;

		__atomic_fetch_or(byte, bit, __ATOMIC_SEQ_CST);
		if (!(__atomic_load_n(byte, __ATOMIC_SEQ_CST) & bit))
			__atomic_store_n(&race->bad, -EILSEQ,
					 __ATOMIC_RELAXED);
		__atomic_fetch_and(byte, ~bit, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(byte, __ATOMIC_SEQ_CST) & bit)
			__atomic_store_n(&race->bad, -ENOTUNIQ,
					 __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F(log, report_keeps_bits_that_the_user_sets_meanwhile)
{
	static void *(*const tasks[])(void *) = {
		race_even_pages, race_even_pages, race_set_bits, race_own_bits,
	};

	ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	run_race(_metadata, &self->v, tasks, ARRAY_SIZE(tasks), 2000);
}

/* The device is closed while other threads report. */
TEST_F(log, report_races_with_close)
{
	static void *(*const tasks[])(void *) = {
		race_start_stop, race_report, race_report, race_write,
	};
	unsigned int i;

	for (i = 0; i < 10; i++) {
		int status;
		pid_t pid;

		vdev_close(&self->v);
		pid = fork();
		if (!pid) {
			struct race race = { .v = &self->v };
			pthread_t thread;
			unsigned int t;

			mock_open(&self->v, VFIO_MIGRATION_STOP_COPY);
			race.bitmap = mem_alloc(RACE_BITMAP);
			for (t = 0; t < ARRAY_SIZE(tasks); t++)
				must(-pthread_create(&thread, NULL, tasks[t],
						     &race));
			sleep_us(100000);
			/* Ends the threads at any point. */
			_exit(0);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		mock_open(&self->v, VFIO_MIGRATION_STOP_COPY);
		EXPECT_EQ(calls(starts), calls(stops));
		ASSERT_EQ(0, log_start_range(self->v.fd, IOVA, GiB));
	}
}

TEST_HARNESS_MAIN
