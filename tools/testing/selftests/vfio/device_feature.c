// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_FEATURE: the result of each feature for right and wrong
 * arguments, on a device that can migrate and on one that cannot.  mig_fsm.c
 * tests the transitions that SET of a migration state makes.
 */
#include <sys/mman.h>

#include "test.h"
#include "device.h"
#include "migration.h"

#define GET	VFIO_DEVICE_FEATURE_GET
#define SET	VFIO_DEVICE_FEATURE_SET
#define PROBE	VFIO_DEVICE_FEATURE_PROBE
#define HEADER	sizeof(struct vfio_device_feature)

#define TOKEN		VFIO_DEVICE_FEATURE_PCI_VF_TOKEN
#define MIGRATION	VFIO_DEVICE_FEATURE_MIGRATION
#define MIG_STATE	VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE
#define LP_ENTRY	VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY
#define LP_WAKEUP	VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP
#define LP_EXIT		VFIO_DEVICE_FEATURE_LOW_POWER_EXIT
#define LOG_START	VFIO_DEVICE_FEATURE_DMA_LOGGING_START
#define LOG_STOP	VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP
#define LOG_REPORT	VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT
#define MIG_SIZE	VFIO_DEVICE_FEATURE_MIG_DATA_SIZE
#define BUS_MASTER	VFIO_DEVICE_FEATURE_BUS_MASTER
#define DMA_BUF		VFIO_DEVICE_FEATURE_DMA_BUF
#define PRECOPY_V2	VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2

/* A call and its result; errors are positive. */
struct row {
	uint32_t flags;
	uint32_t payload;	/* bytes after the header */
	int plain;		/* vfio-pci: no migration, no DMA logging */
	int migratable;
	bool may_lack;		/* ENOTTY on kernels that lack what it needs */
};

static const struct row rows[] = {
	/* Refused before the feature is looked at */
	{ GET | 0x00080000 | MIGRATION, 8, EINVAL, EINVAL },
	{ GET | 0x80000000 | MIGRATION, 8, EINVAL, EINVAL },
	{ PROBE | 0x00100000 | MIGRATION, 8, EINVAL, EINVAL },
	{ GET | SET | MIGRATION, 8, EINVAL, EINVAL },
	{ GET | SET | MIG_STATE, 8, EINVAL, EINVAL },
	{ GET | SET | MIG_SIZE, 8, EINVAL, EINVAL },
	{ GET | SET | 0xffff, 8, EINVAL, EINVAL },
	/* Unknown features */
	{ GET | 0xffff, 64, ENOTTY, ENOTTY },
	{ SET | 0xffff, 64, ENOTTY, ENOTTY },
	{ PROBE | GET | 0xffff, 64, ENOTTY, ENOTTY },
	{ PROBE | SET | 0xffff, 0, ENOTTY, ENOTTY },
	{ PROBE | GET | SET | 0xffff, 64, ENOTTY, ENOTTY },
	{ GET | 13, 64, ENOTTY, ENOTTY },
	{ PROBE | GET | 1000, 64, ENOTTY, ENOTTY },
	{ GET | BUS_MASTER, 8, ENOTTY, ENOTTY },
	{ SET | BUS_MASTER, 8, ENOTTY, ENOTTY },
	{ PROBE | SET | BUS_MASTER, 8, ENOTTY, ENOTTY },
	/* For what vfio-pci has on some kernels, see pci_dmabuf.c. */
	{ SET | DMA_BUF, 32, EINVAL, ENOTTY, .may_lack = true },
	{ PROBE | SET | DMA_BUF, 0, EINVAL, ENOTTY, .may_lack = true },
	/* Flags of VFIO_MIG_GET_PRECOPY_INFO */
	{ SET | PRECOPY_V2, 0, ENOTTY, 0 },
	{ SET | PRECOPY_V2, 8, ENOTTY, 0 },
	{ PROBE | SET | PRECOPY_V2, 0, ENOTTY, 0 },
	{ GET | PRECOPY_V2, 8, ENOTTY, EINVAL },
	{ PROBE | GET | PRECOPY_V2, 8, ENOTTY, EINVAL },
	{ PRECOPY_V2, 8, ENOTTY, EINVAL },
	/* Only PFs have a VF token. */
	{ SET | TOKEN, 16, ENOTTY, ENOTTY },
	{ PROBE | SET | TOKEN, 16, ENOTTY, ENOTTY },
	{ GET | TOKEN, 16, ENOTTY, ENOTTY },
	/* MIGRATION: GET */
	{ GET | MIGRATION, 8, ENOTTY, 0 },
	{ GET | MIGRATION, 9, ENOTTY, 0 },
	{ GET | MIGRATION, 64, ENOTTY, 0 },
	{ GET | MIGRATION, 7, ENOTTY, EINVAL },
	{ GET | MIGRATION, 0, ENOTTY, EINVAL },
	{ MIGRATION, 8, ENOTTY, EINVAL },
	{ SET | MIGRATION, 8, ENOTTY, EINVAL },
	{ PROBE | MIGRATION, 8, ENOTTY, 0 },
	{ PROBE | GET | MIGRATION, 8, ENOTTY, 0 },
	{ PROBE | GET | MIGRATION, 0, ENOTTY, 0 },
	{ PROBE | SET | MIGRATION, 8, ENOTTY, EINVAL },
	{ PROBE | GET | SET | MIGRATION, 8, ENOTTY, EINVAL },
	/* MIG_DEVICE_STATE: GET and SET */
	{ GET | MIG_STATE, 8, ENOTTY, 0 },
	{ GET | MIG_STATE, 64, ENOTTY, 0 },
	{ GET | MIG_STATE, 7, ENOTTY, EINVAL },
	{ GET | MIG_STATE, 0, ENOTTY, EINVAL },
	{ SET | MIG_STATE, 7, ENOTTY, EINVAL },
	{ SET | MIG_STATE, 0, ENOTTY, EINVAL },
	{ MIG_STATE, 8, ENOTTY, EINVAL },
	{ PROBE | MIG_STATE, 8, ENOTTY, 0 },
	{ PROBE | GET | MIG_STATE, 8, ENOTTY, 0 },
	{ PROBE | SET | MIG_STATE, 8, ENOTTY, 0 },
	{ PROBE | SET | MIG_STATE, 0, ENOTTY, 0 },
	{ PROBE | GET | SET | MIG_STATE, 8, ENOTTY, 0 },
	/* MIG_DATA_SIZE: GET */
	{ GET | MIG_SIZE, 8, ENOTTY, 0 },
	{ GET | MIG_SIZE, 7, ENOTTY, EINVAL },
	{ GET | MIG_SIZE, 0, ENOTTY, EINVAL },
	{ SET | MIG_SIZE, 8, ENOTTY, EINVAL },
	{ MIG_SIZE, 8, ENOTTY, EINVAL },
	{ PROBE | GET | MIG_SIZE, 8, ENOTTY, 0 },
	{ PROBE | GET | MIG_SIZE, 0, ENOTTY, 0 },
	{ PROBE | SET | MIG_SIZE, 8, ENOTTY, EINVAL },
	/* DMA logging, without a range, and before it began; see logs() */
	{ SET | LOG_START, 24, ENOTTY, EINVAL },
	{ SET | LOG_START, 0, ENOTTY, EINVAL },
	{ GET | LOG_START, 24, ENOTTY, EINVAL },
	{ PROBE | SET | LOG_START, 24, ENOTTY, 0 },
	{ PROBE | GET | LOG_START, 24, ENOTTY, EINVAL },
	{ SET | LOG_STOP, 0, ENOTTY, EINVAL },
	{ PROBE | SET | LOG_STOP, 0, ENOTTY, 0 },
	{ PROBE | GET | LOG_STOP, 0, ENOTTY, EINVAL },
	{ GET | LOG_REPORT, 32, ENOTTY, EINVAL },
	{ PROBE | GET | LOG_REPORT, 32, ENOTTY, 0 },
	{ PROBE | SET | LOG_REPORT, 32, ENOTTY, EINVAL },
	/* Low power: SET, the same on both devices */
	{ PROBE | SET | LP_ENTRY, 0, 0, 0 },
	{ PROBE | SET | LP_EXIT, 0, 0, 0 },
	{ PROBE | GET | LP_ENTRY, 0, EINVAL, EINVAL },
	{ PROBE | GET | LP_EXIT, 0, EINVAL, EINVAL },
	{ GET | LP_ENTRY, 0, EINVAL, EINVAL },
	{ LP_ENTRY, 0, EINVAL, EINVAL },
	{ PROBE | SET | LP_WAKEUP, 16, 0, 0 },
	{ PROBE | GET | LP_WAKEUP, 16, EINVAL, EINVAL },
	{ SET | LP_WAKEUP, 7, EINVAL, EINVAL },
	{ SET | LP_WAKEUP, 0, EINVAL, EINVAL },
};

FIXTURE(feature) {
	struct vdev v;
};

FIXTURE_VARIANT(feature) {
	const char *func;
	const char *driver;
	bool migratable;
};

FIXTURE_VARIANT_ADD(feature, plain_vf) {
	.func = FUNC_VF_A1, .driver = DRV_VFIO_PCI,
};

FIXTURE_VARIANT_ADD(feature, plain_e1000e) {
	.func = FUNC_E1000E, .driver = DRV_VFIO_PCI,
};

FIXTURE_VARIANT_ADD(feature, igbvf) {
	.func = FUNC_VF_A0, .driver = DRV_IGBVF_VFIO, .migratable = true,
};

FIXTURE_SETUP(feature)
{
	if (variant->migratable)
		NEED_MODULE(variant->driver);
	vdev_open(&self->v, NEED_FUNC(variant->func), variant->driver);
}

FIXTURE_TEARDOWN(feature)
{
	vdev_close(&self->v);
}

/*
 * Linux's vfio.ko needs iommufd for DMA logging; Debian's kernel has none.  That
 * of Linux 6.12 does not know PRECOPY_INFOv2 either.
 */
static bool core_serves(uint32_t flags)
{
	switch (flags & VFIO_DEVICE_FEATURE_MASK) {
	case LOG_START:
	case LOG_STOP:
	case LOG_REPORT:
	case PRECOPY_V2:
		return !stock_modules();
	default:
		return true;
	}
}

TEST_F(feature, results_are_those_of_the_table)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		int expected = -(variant->migratable &&
				 core_serves(row->flags) ?
				 row->migratable : row->plain);
		uint8_t payload[64] = {};
		int seen;

		seen = feature(self->v.fd, row->flags, payload, row->payload);
		if (row->may_lack && seen == -ENOTTY)
			continue;
		EXPECT_EQ(expected, seen) {
			TH_LOG("row %u: flags %#x (feature %u), payload %u",
			       i, row->flags, row->flags & 0xffff,
			       row->payload);
		}
	}
	if (variant->migratable)
		EXPECT_EQ(RUNNING, mig_get(self->v.fd));
}

TEST_F(feature, refuses_argsz_below_the_header)
{
	struct vfio_device_feature arg = { .flags = GET | MIGRATION };

	for (arg.argsz = 0; arg.argsz < HEADER; arg.argsz++)
		EXPECT_EQ(-EINVAL, sys_ioctl(self->v.fd, VFIO_DEVICE_FEATURE,
					     &arg));
	arg.flags = PROBE | GET | MIGRATION;
	arg.argsz = 4;
	EXPECT_EQ(-EINVAL, sys_ioctl(self->v.fd, VFIO_DEVICE_FEATURE, &arg));
}

TEST_F(feature, refuses_unreadable_header)
{
	uint8_t *half;

	EXPECT_EQ(-EFAULT, sys_ioctl(self->v.fd, VFIO_DEVICE_FEATURE, NULL));
	EXPECT_EQ(-EFAULT, sys_ioctl(self->v.fd, VFIO_DEVICE_FEATURE,
				     (void *)-4096UL));
	half = mem_at_page_end(HEADER - 1);
	EXPECT_EQ(-EFAULT, sys_ioctl(self->v.fd, VFIO_DEVICE_FEATURE, half));
}

/* The header is at the end of accessible memory, the payload behind it. */
static int feature_at_page_end(int fd, uint32_t flags, uint32_t payload)
{
	struct vfio_device_feature *arg = mem_at_page_end(sizeof(*arg));

	arg->argsz = sizeof(*arg) + payload;
	arg->flags = flags;
	return sys_ioctl(fd, VFIO_DEVICE_FEATURE, arg);
}

TEST_F(feature, refuses_inaccessible_payload)
{
	int fd = self->v.fd;

	if (!variant->migratable) {
		/* An unsupported feature is refused before the payload. */
		EXPECT_EQ(-ENOTTY, feature_at_page_end(fd, GET | MIGRATION, 8));
		return;
	}
	EXPECT_EQ(-EFAULT, feature_at_page_end(fd, GET | MIGRATION, 8));
	EXPECT_EQ(-EFAULT, feature_at_page_end(fd, GET | MIG_STATE, 8));
	EXPECT_EQ(-EFAULT, feature_at_page_end(fd, SET | MIG_STATE, 8));
	EXPECT_EQ(-EFAULT, feature_at_page_end(fd, GET | MIG_SIZE, 8));
	/* A probe does not touch the payload. */
	EXPECT_EQ(0, feature_at_page_end(fd, PROBE | GET | MIGRATION, 8));
	EXPECT_EQ(0, feature_at_page_end(fd, PROBE | SET | MIG_STATE, 8));
	EXPECT_EQ(RUNNING, mig_get(fd));
}

TEST_F(feature, refuses_read_only_payload)
{
	struct vfio_device_feature *arg = mem_alloc(page_size());

	arg->argsz = HEADER + 8;
	arg->flags = GET | MIGRATION;
	ASSERT_EQ(0, mprotect(arg, page_size(), PROT_READ));
	EXPECT_EQ(variant->migratable ? -EFAULT : -ENOTTY,
		  sys_ioctl(self->v.fd, VFIO_DEVICE_FEATURE, arg));
}

FIXTURE(migratable) {
	struct vdev v;
};

FIXTURE_SETUP(migratable)
{
	NEED_MODULE(DRV_IGBVF_VFIO);
	vdev_open(&self->v, NEED_FUNC(FUNC_VF_A0), DRV_IGBVF_VFIO);
}

FIXTURE_TEARDOWN(migratable)
{
	vdev_close(&self->v);
}

TEST_F(migratable, get_writes_the_payload_and_no_more)
{
	uint8_t payload[32];
	unsigned int i;

	memset(payload, 0xa5, sizeof(payload));
	ASSERT_EQ(0, feature(self->v.fd, GET | MIGRATION, payload,
			     sizeof(payload)));
	for (i = sizeof(struct vfio_device_feature_migration);
	     i < sizeof(payload); i++)
		EXPECT_EQ(0xa5, payload[i]);
	memset(payload, 0xa5, sizeof(payload));
	ASSERT_EQ(0, feature(self->v.fd, GET | MIG_STATE, payload,
			     sizeof(payload)));
	for (i = sizeof(struct vfio_device_feature_mig_state);
	     i < sizeof(payload); i++)
		EXPECT_EQ(0xa5, payload[i]);
}

TEST_F(migratable, flags_are_a_legal_set)
{
	int flags;

	flags = mig_flags(self->v.fd);
	ASSERT_LE(0, flags);
	EXPECT_TRUE(flags & VFIO_MIGRATION_STOP_COPY);
	EXPECT_EQ(0, flags & ~(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
			       VFIO_MIGRATION_PRE_COPY));
}

TEST_F(migratable, probe_has_no_side_effect)
{
	struct vfio_device_feature_mig_state mig = {
		.device_state = STOP,
		.data_fd = 77,
	};
	unsigned int fds = count_open_fds();

	ASSERT_EQ(0, feature(self->v.fd, PROBE | SET | MIG_STATE, &mig,
			     sizeof(mig)));
	EXPECT_EQ(STOP, mig.device_state);
	EXPECT_EQ(77, mig.data_fd);
	EXPECT_EQ(RUNNING, mig_get(self->v.fd));
	mig.device_state = STOP_COPY;
	ASSERT_EQ(0, feature(self->v.fd, PROBE | GET | SET | MIG_STATE, &mig,
			     sizeof(mig)));
	EXPECT_EQ(STOP_COPY, mig.device_state);
	EXPECT_EQ(RUNNING, mig_get(self->v.fd));
	EXPECT_EQ(fds, count_open_fds());
}

/*
 * QEMU fails a migration whose stop_copy_length is 0, and relies on any other
 * value.
 */
TEST_F(migratable, data_size_is_true_in_every_state)
{
	static const uint32_t states[] = {
		RUNNING, STOP, STOP_COPY, STOP, RESUMING, RUNNING,
	};
	struct stream stream;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		if (states[i] == RUNNING && i) {
			/* RESUMING cannot be left without data. */
			ASSERT_EQ(0, device_reset(&self->v));
		} else {
			ASSERT_EQ(0, mig_set(self->v.fd, states[i], NULL));
		}
		EXPECT_LT(0, mig_data_size(self->v.fd)) {
			TH_LOG("in %s", mig_state_name(states[i]));
		}
	}
	stream = device_save(self->v.fd);
	EXPECT_LE((int64_t)stream.size, mig_data_size(self->v.fd));
	stream_free(&stream);
}

TEST_HARNESS_MAIN
