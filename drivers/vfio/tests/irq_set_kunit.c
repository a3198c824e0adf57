// SPDX-License-Identifier: GPL-2.0-only
/*
 * Validation of SET_IRQS at its limits: which ranges of interrupts, payload
 * sizes and flags are accepted, and how many bytes the caller is to copy.
 */
#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/vfio.h>

#define HDR		offsetofend(struct vfio_irq_set, count)
#define NR_INDEXES	5

#define NONE		VFIO_IRQ_SET_DATA_NONE
#define BOOL		VFIO_IRQ_SET_DATA_BOOL
#define FD		VFIO_IRQ_SET_DATA_EVENTFD
#define TRIGGER		VFIO_IRQ_SET_ACTION_TRIGGER
#define MASK		VFIO_IRQ_SET_ACTION_MASK
#define UNMASK		VFIO_IRQ_SET_ACTION_UNMASK

struct irq_set_case {
	const char *name;
	u32 argsz;
	u32 flags;
	u32 index;
	u32 start;
	u32 count;
	int num_irqs;
	int ret;
	size_t size;
};

static const struct irq_set_case cases[] = {
	{ "header alone", HDR, NONE | TRIGGER, 0, 0, 1, 1, 0, 0 },
	{ "header too short", HDR - 1, NONE | TRIGGER, 0, 0, 1, 1, -EINVAL },
	{ "no header", 0, NONE | TRIGGER, 0, 0, 1, 1, -EINVAL },
	{ "no data says nothing of argsz", U32_MAX, NONE | MASK, 0, 0, 8, 8, 0 },

	{ "last index", HDR, NONE | TRIGGER, NR_INDEXES - 1, 0, 1, 1, 0 },
	{ "index too large", HDR, NONE | TRIGGER, NR_INDEXES, 0, 1, 1,
	  -EINVAL },
	{ "index huge", HDR, NONE | TRIGGER, U32_MAX, 0, 1, 1, -EINVAL },

	{ "no kind of data", HDR, TRIGGER, 0, 0, 1, 1, -EINVAL },
	{ "two kinds of data", HDR + 16, BOOL | FD | TRIGGER, 0, 0, 1, 1,
	  -EINVAL },
	{ "none and bool", HDR + 16, NONE | BOOL | TRIGGER, 0, 0, 1, 1,
	  -EINVAL },
	{ "all kinds", HDR + 16, NONE | BOOL | FD | TRIGGER, 0, 0, 1, 1,
	  -EINVAL },
	{ "unknown flag", HDR, NONE | TRIGGER | 1 << 6, 0, 0, 1, 1, -EINVAL },
	{ "unknown high flag", HDR, NONE | TRIGGER | 1U << 31, 0, 0, 1, 1,
	  -EINVAL },

	{ "all interrupts", HDR, NONE | UNMASK, 0, 0, 16, 16, 0 },
	{ "the last one", HDR, NONE | UNMASK, 0, 15, 1, 16, 0 },
	{ "none of them", HDR, NONE | TRIGGER, 0, 0, 0, 16, 0 },
	{ "start beyond", HDR, NONE | TRIGGER, 0, 16, 1, 16, -EINVAL },
	{ "start beyond, none", HDR, NONE | TRIGGER, 0, 16, 0, 16, -EINVAL },
	{ "one too many", HDR, NONE | TRIGGER, 0, 0, 17, 16, -EINVAL },
	{ "end one too far", HDR, NONE | TRIGGER, 0, 15, 2, 16, -EINVAL },
	{ "start huge", HDR, NONE | TRIGGER, 0, U32_MAX, 1, 16, -EINVAL },
	{ "count huge", HDR, NONE | TRIGGER, 0, 0, U32_MAX, 16, -EINVAL },
	{ "sum wraps to 0", HDR, NONE | TRIGGER, 0, 1, U32_MAX, 16, -EINVAL },
	{ "sum wraps to 1", HDR, NONE | TRIGGER, 0, 2, U32_MAX, 16, -EINVAL },
	{ "sum is INT_MAX + 1", HDR, NONE | TRIGGER, 0, 1, INT_MAX, 16,
	  -EINVAL },
	{ "index without interrupts", HDR, NONE | TRIGGER, 0, 0, 0, 0,
	  -EINVAL },
	{ "driver's count is an error", HDR, NONE | TRIGGER, 0, 0, 1, -1,
	  -EINVAL },

	{ "bool", HDR + 3, BOOL | TRIGGER, 0, 1, 3, 16, 0, 3 },
	{ "bool, one byte short", HDR + 2, BOOL | TRIGGER, 0, 1, 3, 16,
	  -EINVAL },
	{ "bool, for none", HDR, BOOL | TRIGGER, 0, 0, 0, 16, 0, 0 },
	{ "eventfd", HDR + 12, FD | TRIGGER, 0, 1, 3, 16, 0, 12 },
	{ "eventfd, one byte short", HDR + 11, FD | TRIGGER, 0, 1, 3, 16,
	  -EINVAL },
	{ "eventfd, room for more", HDR + 1000, FD | TRIGGER, 0, 0, 1, 16, 0,
	  4 },
	/* 4 * count overflows to 4 in 32 bits */
	{ "size wraps", HDR + 16, FD | TRIGGER, 0, 0, (1U << 30) + 1, INT_MAX,
	  -EINVAL },
	{ "size is 0 in 32 bits", HDR, FD | TRIGGER, 0, 0, 1U << 30, INT_MAX,
	  -EINVAL },
	{ "eventfds of most interrupts", U32_MAX, FD | TRIGGER, 0, 0,
	  (U32_MAX - HDR) / 4, INT_MAX, 0, (U32_MAX - HDR) / 4 * 4 },
};

static void case_desc(const struct irq_set_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(irq_set, cases, case_desc);

static void fill_header(struct vfio_irq_set *hdr, const struct irq_set_case *c)
{
	hdr->argsz = c->argsz;
	hdr->flags = c->flags;
	hdr->index = c->index;
	hdr->start = c->start;
	hdr->count = c->count;
}

static void borders(struct kunit *test)
{
	const struct irq_set_case *c = test->param_value;
	struct vfio_irq_set hdr;
	size_t size = 0xdead;

	fill_header(&hdr, c);
	KUNIT_EXPECT_EQ(test, c->ret,
			vfio_set_irqs_validate_and_prepare(&hdr, c->num_irqs,
							   NR_INDEXES, &size));
	KUNIT_EXPECT_EQ(test, size, c->size);
}

/* A payload is refused for a caller that supports none. */
static void no_room_for_payload(struct kunit *test)
{
	const struct irq_set_case *c = test->param_value;
	bool wants = c->flags & (BOOL | FD);
	struct vfio_irq_set hdr;
	int ret;

	fill_header(&hdr, c);
	ret = vfio_set_irqs_validate_and_prepare(&hdr, c->num_irqs, NR_INDEXES,
						 NULL);
	KUNIT_EXPECT_EQ(test, ret, wants ? -EINVAL : c->ret);
}

static struct kunit_case irq_set_cases[] = {
	KUNIT_CASE_PARAM(borders, irq_set_gen_params),
	KUNIT_CASE_PARAM(no_room_for_payload, irq_set_gen_params),
	{}
};

static struct kunit_suite irq_set_suite = {
	.name = "vfio_irq_set",
	.test_cases = irq_set_cases,
};

kunit_test_suite(irq_set_suite);
