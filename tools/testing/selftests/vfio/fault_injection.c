// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation and each user copy of an operation fails in turn.  The
 * operation may fail or succeed, but must leak nothing (run.sh and the kernel's
 * checkers look for that), and must work afterwards without a fault.
 *
 * Not tested, as Linux 6.12 does not handle faults below VFIO there: setting up
 * interrupts (/proc/irq warns), the close of a group, which attaches the device
 * to its default domain (warns), and the first open, which enables the device
 * (ACPICA uses freed memory).
 *
 * Needs a kernel with fault injection; other kernels skip.
 */
#include <linux/pci_regs.h>
#include <sys/mman.h>

#include "test.h"
#include "device.h"
#include "dma_log.h"
#include "fault.h"
#include "iommu.h"
#include "migration.h"
#include "mock.h"
#include "nic.h"
#include "node.h"
#include "rxq.h"
#include "watch.h"

#define IOVA	0x100000ULL

#define NEED_FAULTS() do {						\
	if (!faults_available())					\
		SKIP(return, "this kernel has no fault injection");	\
} while (0)

FIXTURE(faults) {
	const char *bdf;
	struct vdev v;
};

FIXTURE_VARIANT(faults) {
	const char *func;
	const char *driver;
};

FIXTURE_VARIANT_ADD(faults, vf) {
	.func = FUNC_VF_A0,
	.driver = DRV_IGBVF_VFIO,
};

FIXTURE_VARIANT_ADD(faults, e1000e) {
	.func = FUNC_E1000E,
	.driver = DRV_VFIO_PCI,
};

FIXTURE_SETUP(faults)
{
	self->bdf = NEED_FUNC(variant->func);
	NEED_MODULE(variant->driver);
	NEED_FAULTS();
	must(pci_bind(self->bdf, variant->driver));
}

FIXTURE_TEARDOWN(faults)
{
	vdev_close(&self->v);
}

static void open_device(FIXTURE_DATA(faults) *self,
			const FIXTURE_VARIANT(faults) *variant)
{
	vdev_open(&self->v, self->bdf, variant->driver);
}

/* At least one fault happened, and the round without a fault succeeded. */
#define EXPECT_FAULTS(f, ret) do {					\
	TH_LOG("%u faults", (f).rounds);				\
	EXPECT_LT(0, (f).rounds);					\
	EXPECT_LE(0, (ret));						\
} while (0)

TEST_F(faults, bind)
{
	struct faults f = {};
	int ret = -1;

	while (faults_arm(&f)) {
		ret = pci_bind(self->bdf, NULL);
		if (!ret)
			ret = pci_bind(self->bdf, variant->driver);
		faults_disarm(&f);
	}
	EXPECT_FAULTS(f, ret);
	EXPECT_EQ(0, pci_bind(self->bdf, variant->driver));
	open_device(self, variant);
}

TEST_F(faults, open_again)
{
	struct faults f = {};
	int ret = -1;

	open_device(self, variant);
	while (faults_arm(&f)) {
		ret = group_get_device(self->v.group, self->bdf);
		faults_disarm(&f);
		if (ret >= 0)
			sys_close(ret);
	}
	EXPECT_FAULTS(f, ret);
}

TEST_F(faults, map_and_unmap)
{
	const size_t size = 2 * MiB;
	struct faults f = {};
	int64_t ret = -1;
	char *mem;

	open_device(self, variant);
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	/* Small pages: as many allocations as can be */
	madvise(mem, size, MADV_NOHUGEPAGE);
	memset(mem, 1, size);

	while (faults_arm(&f)) {
		ret = dma_map(self->v.container, IOVA, mem, size);
		faults_disarm(&f);
		if (!ret)
			EXPECT_EQ(size, dma_unmap(self->v.container, IOVA,
						  size));
	}
	EXPECT_FAULTS(f, ret);

	f = (struct faults){};
	do {
		must(dma_map(self->v.container, IOVA, mem, size));
		if (!faults_arm(&f))
			break;
		ret = dma_unmap(self->v.container, IOVA, size);
		faults_disarm(&f);
		/* Nothing was unmapped, or all but the answer failed. */
		if (ret < 0) {
			ret = dma_unmap(self->v.container, IOVA, size);
			EXPECT_TRUE(ret == size || ret == 0);
		} else {
			EXPECT_EQ(size, ret);
		}
	} while (1);
	EXPECT_FAULTS(f, ret);
}

TEST_F(faults, dirty_pages)
{
	const size_t size = 2 * MiB;
	struct faults f = {};
	uint64_t bitmap[8];
	char *mem;
	int ret = -1;

	open_device(self, variant);
	mem = mem_alloc(size);
	memset(mem, 1, size);
	must(dma_map(self->v.container, IOVA, mem, size));
	while (faults_arm(&f)) {
		ret = dirty_log(self->v.container,
				VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
		if (!ret)
			ret = dirty_bitmap(self->v.container, IOVA, size,
					   4096, bitmap, sizeof(bitmap));
		faults_disarm(&f);
		dirty_log(self->v.container, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
	}
	EXPECT_FAULTS(f, ret);
	EXPECT_EQ(size, dma_unmap(self->v.container, IOVA, size));
}

TEST_F(faults, information)
{
	uint64_t buf[64];
	struct vfio_region_info *region = (void *)buf;
	struct faults f = {};
	unsigned int i;
	int ret = -1;

	open_device(self, variant);
	for (i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		f = (struct faults){};
		while (faults_arm(&f)) {
			*region = (struct vfio_region_info){
				.argsz = sizeof(buf),
				.index = i,
			};
			ret = vdev_region_get(&self->v, region);
			faults_disarm(&f);
		}
		/* There is no VGA region: refused after a user copy. */
		EXPECT_LT(0, f.rounds);
		EXPECT_EQ(i == VFIO_PCI_VGA_REGION_INDEX ? -EINVAL : 0, ret);
	}
}

TEST_F(faults, reset)
{
	struct faults f = {};
	int ret = -1;

	open_device(self, variant);
	if (!(vdev_info(&self->v).flags & VFIO_DEVICE_FLAGS_RESET))
		SKIP(return, "%s cannot be reset", self->bdf);
	/* A reset may have no point that can fail. */
	while (faults_arm(&f)) {
		ret = device_reset(&self->v);
		faults_disarm(&f);
	}
	TH_LOG("%u faults", f.rounds);
	EXPECT_EQ(0, ret);
}

TEST_F(faults, map_registers)
{
	struct vfio_region_info region;
	struct faults f = {};
	void *mem = MAP_FAILED;

	open_device(self, variant);
	cfg_command(&self->v, PCI_COMMAND_MEMORY, 0);
	region = vdev_region(&self->v, 0);
	while (faults_arm(&f)) {
		/* Page 0 of the VF cannot be mapped. */
		mem = mmap(NULL, page_size(), PROT_READ, MAP_SHARED,
			   self->v.fd, region.offset + page_size());
		faults_disarm(&f);
		if (mem != MAP_FAILED) {
			(void)*(volatile uint32_t *)mem;
			munmap(mem, page_size());
		}
	}
	EXPECT_LT(0, f.rounds);
	EXPECT_NE(MAP_FAILED, mem);
}

/*
 * A device whose transition failed is in ERROR or in a state on its path; in
 * @target if only the answer failed.  It can be used again.
 */
static void recover(struct __test_metadata *_metadata, const struct vdev *v,
		    enum mig_state target)
{
	int state = mig_get(v->fd);

	EXPECT_TRUE(state == ERROR || state == RUNNING ||
		    state == RUNNING_P2P || state == STOP || state == target) {
		TH_LOG("in %s", mig_state_name(state));
	}
	/* A partial load can only be reset. */
	if (state == ERROR || state == RESUMING)
		EXPECT_EQ(0, device_reset(v));
	EXPECT_EQ(0, mig_set(v->fd, RUNNING, NULL));
}

TEST_F(faults, save)
{
	struct faults f = {};
	char buf[4096];
	ssize_t got;
	int fd, ret = -1;

	open_device(self, variant);
	if (mig_flags(self->v.fd) < 0)
		SKIP(return, "%s does not migrate", self->bdf);
	while (faults_arm(&f)) {
		ret = mig_session(self->v.fd, STOP_COPY);
		fd = ret;
		if (fd >= 0) {
			do {
				got = sys_read(fd, buf, sizeof(buf));
			} while (got > 0);
			ret = got;
		}
		faults_disarm(&f);
		if (fd >= 0) {
			EXPECT_EQ(0, mig_set(self->v.fd, RUNNING, NULL));
			sys_close(fd);
		} else {
			recover(_metadata, &self->v, STOP_COPY);
		}
	}
	EXPECT_FAULTS(f, ret);
}

TEST_F(faults, load)
{
	struct faults f = {};
	struct stream s;
	int fd, ret = -1;

	open_device(self, variant);
	if (mig_flags(self->v.fd) < 0)
		SKIP(return, "%s does not migrate", self->bdf);
	s = device_save(self->v.fd);
	must(mig_set(self->v.fd, RUNNING, NULL));
	while (faults_arm(&f)) {
		ret = mig_session(self->v.fd, RESUMING);
		fd = ret;
		if (fd >= 0) {
			ret = stream_write(fd, s.data, s.size, 97);
			if (!ret)
				ret = mig_set(self->v.fd, STOP, NULL);
		}
		faults_disarm(&f);
		if (fd >= 0)
			sys_close(fd);
		recover(_metadata, &self->v, RESUMING);
	}
	EXPECT_FAULTS(f, ret);
	stream_free(&s);
}

/* ---- DMA logging ---- */

#define RING		0x1000000ULL
#define BUFFERS		(16 * MiB + MiB)
/* The driver allocates a bitmap for each of these. */
#define CHUNK		(128 * MiB)
#define CHUNKS		6

FIXTURE(logging) {
	struct rxq_bed rx;
};

/* A page of buffers in each of several chunks */
FIXTURE_SETUP(logging)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0), *far = NEED_FUNC(FUNC_PF_B);
	unsigned int i;

	NEED_MODULE(DRV_IGBVF_VFIO);
	NEED_FAULTS();
	self->rx.seed = 1;
	rxq_bed_open(&self->rx, bdf, far, false);
	nic_up(&self->rx.nic);
	watch_map(&self->rx.w, RING, WATCH_PAGE);
	for (i = 0; i < CHUNKS; i++)
		watch_map(&self->rx.w, BUFFERS + i * CHUNK, WATCH_PAGE);
	/*
	 * Touch the memory: its page faults must not take the fault of START.
	 */
	watch_accept(&self->rx.w);
	rxq_disable(&self->rx.q);
	rxq_enable(&self->rx.q, RING, 32, SRRCTL_ADVANCED | SRRCTL_BUFFER(2));
}

FIXTURE_TEARDOWN(logging)
{
	log_close(&self->rx.v);
}

static void post_in_chunk(FIXTURE_DATA(logging) *self, unsigned int chunk)
{
	rxq_post(&self->rx.q, BUFFERS + chunk * CHUNK, 0);
	rxq_doorbell(&self->rx.q);
}

/* START fails if it cannot read the ring, and can be repeated. */
TEST_F(logging, start_and_stop)
{
	struct faults f = {};
	int ret = -1;

	post_in_chunk(self, 0);
	while (faults_arm(&f)) {
		ret = log_start_range(self->rx.v.fd, 0, 4 * GiB);
		faults_disarm(&f);
		EXPECT_EQ(ret ? -EINVAL : 0, log_stop(self->rx.v.fd));
	}
	EXPECT_FAULTS(f, ret);
	EXPECT_EQ(0, watch_start(&self->rx.w));
	EXPECT_TRUE(rxq_bed_send_all(&self->rx, 64));
	EXPECT_EQ(0, watch_step(&self->rx.w));
}

/* A START that succeeds in spite of a fault loses no buffer. */
TEST_F(logging, buffers_of_a_start_with_faults)
{
	struct faults f = {};
	int ret = -1;

	while (faults_arm(&f)) {
		post_in_chunk(self, f.rounds % CHUNKS);
		ret = watch_start(&self->rx.w);
		faults_disarm(&f);
		EXPECT_TRUE(rxq_bed_send_all(&self->rx, 64));
		if (ret)
			continue;
		EXPECT_EQ(0, watch_step(&self->rx.w));
		EXPECT_EQ(0, log_stop(self->rx.v.fd));
	}
	EXPECT_FAULTS(f, ret);
}

TEST_F(logging, report)
{
	uint64_t bitmap = 0, more = 0;
	struct faults f = {};
	int ret = -1;

	ASSERT_EQ(0, log_start_range(self->rx.v.fd, 0, 4 * GiB));
	while (faults_arm(&f)) {
		ret = log_report(self->rx.v.fd, RING, WATCH_PAGE, WATCH_PAGE,
				 &bitmap);
		faults_disarm(&f);
	}
	EXPECT_FAULTS(f, ret);
	EXPECT_EQ(0, log_report(self->rx.v.fd, RING, WATCH_PAGE, WATCH_PAGE,
				&more));
	EXPECT_EQ(1, more);
}

static pid_t worker_of(const struct vdev *v)
{
	char cmd[128], buf[32];
	FILE *pipe;
	pid_t pid;

	/* /proc/PID/comm of a kernel thread has the full name. */
	snprintf(cmd, sizeof(cmd), "grep -lx 'vfio-log/%s' /proc/[0-9]*/comm",
		 v->bdf);
	pipe = popen(cmd, "r");
	pid = pipe && fgets(buf, sizeof(buf), pipe) ?
	      atoi(buf + strlen("/proc/")) : 0;
	if (pipe)
		pclose(pipe);
	return pid;
}

/* Is a page reported that was never posted, hence the whole chunk? */
static bool whole_chunk_reported(FIXTURE_DATA(logging) *self,
				 unsigned int chunk)
{
	uint64_t bitmap = 0;

	must(log_report(self->rx.v.fd, BUFFERS + chunk * CHUNK + MiB,
			WATCH_PAGE, WATCH_PAGE, &bitmap));
	return bitmap;
}

/*
 * The worker's copy of a descriptor fails, which the worker repeats; then its
 * allocation for the first buffer of a chunk fails.
 */
TEST_F(logging, worker_reports_a_chunk_without_memory)
{
	const log_range all = { .iova = 0, .length = 4 * GiB };
	unsigned int i, nth, met = 0, whole = 0;
	pid_t worker;

	for (nth = 1; nth <= 4; nth++) {
		ASSERT_EQ(0, watch_start_ranges(&self->rx.w, &all, 1));
		worker = worker_of(&self->rx.v);
		ASSERT_LT(0, worker);
		for (i = 0; i < CHUNKS; i++) {
			faults_of_task(worker, nth);
			post_in_chunk(self, i);
			EXPECT_TRUE(rxq_bed_send_all(&self->rx, 64));
			met += faults_met_by_task(worker);
			faults_of_task(worker, 0);
			whole += whole_chunk_reported(self, i);
			EXPECT_EQ(0, watch_step(&self->rx.w));
			EXPECT_TRUE(watch_reported(
				&self->rx.w, BUFFERS + i * CHUNK, WATCH_PAGE));
		}
		EXPECT_EQ(0, log_stop(self->rx.v.fd));
	}
	TH_LOG("%u faults, %u chunks reported as a whole", met, whole);
	EXPECT_LT(0, met);
	EXPECT_LT(0, whole);
}

/* Opening by the node, on a device without hardware below it */
TEST(node_open_bind_attach)
{
	const char *name = "vfio_mock.1";
	int iommufd, fd = -1, ret = -1;
	struct faults f = {};
	uint32_t ioas, pt;

	NEED_FAULTS();
	NEED_NODES();
	NEED_MODULE("vfio_mock");
	iommufd = iommufd_open();
	ioas = ioas_alloc(iommufd, false);
	while (faults_arm(&f)) {
		pt = ioas;
		ret = fd = node_open("platform", name);
		if (ret >= 0)
			ret = node_bind(fd, iommufd, NULL);
		if (!ret)
			ret = node_attach(fd, &pt);
		faults_disarm(&f);
		if (fd >= 0)
			sys_close(fd);
	}
	EXPECT_FAULTS(f, ret);
}

TEST_HARNESS_MAIN
