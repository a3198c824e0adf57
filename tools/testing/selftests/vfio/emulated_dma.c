// SPDX-License-Identifier: GPL-2.0-only
/*
 * Emulated devices, which access the user's memory by vfio_pin_pages() and
 * vfio_dma_rw(): what they pin, read and write, and that they unpin when the
 * user unmaps.  The devices are those of vfio_mock.ko.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "test.h"
#include "device.h"
#include "iommu.h"
#include "migration.h"
#include "mock.h"
#include "userfault.h"

#define IOVA	(1ULL << 20)
#define PAGES	64UL

FIXTURE(emulated) {
	struct vdev v;
	uint8_t *mem;
	size_t size;
};

FIXTURE_SETUP(emulated)
{
	unsigned int i;

	if (stock_modules())
		SKIP(return, "the distribution's core is not tested");
	NEED_MODULE("vfio_mock");
	mock_open(&self->v, VFIO_MIGRATION_STOP_COPY);
	self->size = PAGES * page_size();
	self->mem = mem_alloc(self->size);
	for (i = 0; i < PAGES; i++)
		*(uint64_t *)(self->mem + i * page_size()) = 0x1000 + i;
	must(dma_map(self->v.container, IOVA, self->mem, self->size));
}

FIXTURE_TEARDOWN(emulated)
{
	vdev_close(&self->v);
}

TEST_F(emulated, pins_the_pages_that_are_mapped)
{
	uint64_t first[MOCK_PIN_MAX];
	unsigned int i;

	ASSERT_EQ(8, mock_pin(&self->v, IOVA + 3 * page_size(), 8, first));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0x1003 + i, first[i]);
	mock_unpin(&self->v, IOVA + 3 * page_size(), 8);
}

/* The offset of the IOVA in its page does not matter. */
TEST_F(emulated, pins_by_any_byte_of_a_page)
{
	long pins = pages_pinned_now();
	uint64_t first[MOCK_PIN_MAX];
	size_t page = page_size();

	ASSERT_EQ(2, mock_pin(&self->v, IOVA + 3 * page + 8, 2, first));
	EXPECT_EQ(0x1003, first[0]);
	EXPECT_EQ(0x1004, first[1]);
	EXPECT_EQ(pins + 2, pages_pinned_now());
	mock_unpin(&self->v, IOVA + 3 * page + 8, 2);
	EXPECT_EQ(pins, pages_pinned_now());
	ASSERT_EQ(1, mock_pin(&self->v, IOVA + self->size - 1, 1, first));
	EXPECT_EQ(0x1000 + PAGES - 1, first[0]);
	mock_unpin(&self->v, IOVA + self->size - 1, 1);
	EXPECT_GT(0, mock_pin(&self->v, IOVA + self->size - 1, 2, NULL));
	EXPECT_EQ(pins, pages_pinned_now());
}

TEST_F(emulated, userfault_is_an_error)
{
	uint64_t iova = IOVA + self->size;
	size_t page = page_size();
	char *mem = mem_alloc(4 * page);

	if (userfault_never(mem, 4 * page) < 0)
		SKIP(return, "no userfaultfd");
	must(dma_map(self->v.container, iova, mem, 4 * page));
	EXPECT_EQ(-EFAULT, mock_pin(&self->v, iova, 1, NULL));
	EXPECT_EQ(-EFAULT, mock_pin(&self->v, iova - page, 2, NULL));
	EXPECT_EQ(1, mock_pin(&self->v, iova - page, 1, NULL));
	mock_unpin(&self->v, iova - page, 1);
}

/* A physical group that joins pins all mappings, of any process. */
TEST_F(emulated, userfault_of_another_process_is_an_error)
{
	const char *bdf = NEED_ANY_FUNC();
	size_t page = page_size();
	char *mem = mem_alloc(4 * page);
	int status, group;
	pid_t child;

	if (userfault_never(mem, 4 * page) < 0)
		SKIP(return, "no userfaultfd");
	must(pci_bind(bdf, DRV_VFIO_PCI));
	must(dma_map(self->v.container, IOVA + self->size, mem, 4 * page));
	child = fork();
	if (!child) {
		group = must(group_open(pci_group(bdf)));
		_exit(-group_set_container(group, self->v.container));
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EFAULT, WEXITSTATUS(status));
	/* The container works on without the group; then the group can join. */
	EXPECT_EQ(1, mock_pin(&self->v, IOVA, 1, NULL));
	mock_unpin(&self->v, IOVA, 1);
	EXPECT_EQ(4 * page, dma_unmap(self->v.container, IOVA + self->size,
				      4 * page));
	child = fork();
	if (!child) {
		group = must(group_open(pci_group(bdf)));
		_exit(-group_set_container(group, self->v.container));
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(emulated, pins_nothing_that_is_not_mapped)
{
	size_t page = page_size();

	EXPECT_GT(0, mock_pin(&self->v, IOVA - page, 1, NULL));
	EXPECT_GT(0, mock_pin(&self->v, IOVA + self->size, 1, NULL));
	EXPECT_GT(0, mock_pin(&self->v, 0, 1, NULL));
	EXPECT_GT(0, mock_pin(&self->v, ~0ULL - page + 1, 1, NULL));
	/* All or nothing */
	EXPECT_GT(0, mock_pin(&self->v, IOVA + self->size - page, 2, NULL));
	EXPECT_GT(0, mock_pin(&self->v, IOVA - page, 2, NULL));
	EXPECT_GT(0, mock_pin(&self->v, IOVA, 0, NULL));
	EXPECT_EQ(-E2BIG, mock_pin(&self->v, IOVA, 513, NULL));
	EXPECT_EQ(1, mock_pin(&self->v, IOVA, 1, NULL));
	mock_unpin(&self->v, IOVA, 1);
}

TEST_F(emulated, pins_for_writing_only_what_may_be_written)
{
	size_t page = page_size();

	must(dma_map_flags(self->v.container, 1ULL << 30, self->mem, page,
			   VFIO_DMA_MAP_FLAG_READ));
	EXPECT_EQ(-EPERM, mock_pin(&self->v, 1ULL << 30, 1, NULL));
	EXPECT_GT(0, mock_dma(&self->v, 1ULL << 30, self->mem + page, 8,
			      true));
	EXPECT_EQ(0, mock_dma(&self->v, 1ULL << 30, self->mem + page, 8,
			      false));
	EXPECT_EQ(0x1000, *(uint64_t *)(self->mem + page));
}

TEST_F(emulated, unpins_when_memory_is_unmapped)
{
	struct mock_events events;
	long pins = pages_pinned_now();

	ASSERT_EQ(4, mock_pin(&self->v, IOVA, 4, NULL));
	ASSERT_EQ(self->size, dma_unmap(self->v.container, IOVA, self->size));
	events = mock_events(&self->v);
	EXPECT_LE(1, events.unmaps);
	EXPECT_EQ(IOVA, events.unmap_iova);
	EXPECT_EQ(self->size, events.unmap_length);
	EXPECT_EQ(pins, pages_pinned_now());
	EXPECT_GT(0, mock_pin(&self->v, IOVA, 1, NULL));
}

TEST_F(emulated, pins_are_charged_to_the_user)
{
	long before = proc_status_kb("VmLck"), now;

	ASSERT_EQ(4, mock_pin(&self->v, IOVA, 4, NULL));
	now = proc_status_kb("VmLck");
	EXPECT_EQ(before + 4 * (long)page_size() / 1024, now);
	/* A page that is pinned twice is charged once. */
	ASSERT_EQ(2, mock_pin(&self->v, IOVA, 2, NULL));
	EXPECT_EQ(now, proc_status_kb("VmLck"));
	mock_unpin(&self->v, IOVA, 4);
	EXPECT_EQ(before, proc_status_kb("VmLck"));
}

TEST_F(emulated, unpins_on_close)
{
	long locked = proc_status_kb("VmLck"), pins = pages_pinned_now();

	ASSERT_EQ(16, mock_pin(&self->v, IOVA, 16, NULL));
	EXPECT_LT(pins, pages_pinned_now());
	vdev_close(&self->v);
	EXPECT_EQ(locked, proc_status_kb("VmLck"));
	EXPECT_EQ(pins, pages_pinned_now());
}

TEST_F(emulated, reads_and_writes_memory)
{
	size_t page = page_size();
	uint8_t *data = malloc(16 * page);
	unsigned int i;

	/* Across pages, unaligned */
	for (i = 0; i < 16 * page; i++)
		data[i] = i * 7 + i / page;
	ASSERT_EQ(0, mock_dma(&self->v, IOVA + 100, data, 3 * page, true));
	EXPECT_EQ(0, memcmp(self->mem + 100, data, 3 * page));
	memset(data, 0, 16 * page);
	ASSERT_EQ(0, mock_dma(&self->v, IOVA + 100, data, 3 * page, false));
	EXPECT_EQ(0, memcmp(self->mem + 100, data, 3 * page));
}

struct copier {
	const struct vdev *v;
	uint64_t iova;
	bool write;
	long ret;
};

static void *copy_8(void *arg)
{
	struct copier *c = arg;
	uint64_t data = 0x77;

	c->ret = mock_dma(c->v, c->iova, &data, 8, c->write);
	return NULL;
}

/*
 * The device waits for memory that does not come.  Meanwhile the container
 * works, and once the memory is unmapped, the device cannot reach it.
 */
static void unmap_while_the_device_waits(struct __test_metadata *_metadata,
					 FIXTURE_DATA(emulated) *self,
					 bool write)
{
	uint64_t iova = IOVA + self->size, data = 0;
	struct copier c = { .v = &self->v, .iova = iova, .write = write };
	size_t page = page_size();
	char *mem = mem_alloc(2 * page);
	pthread_t thread;
	int fd;

	fd = userfault_never(mem, page);
	if (fd < 0)
		SKIP(return, "no userfaultfd");
	must(dma_map(self->v.container, iova, mem, 2 * page));
	pthread_create(&thread, NULL, copy_8, &c);
	userfault_wait(fd);
	EXPECT_EQ(0, mock_dma(&self->v, IOVA, &data, 8, false));
	EXPECT_EQ(0x1000, data);
	EXPECT_EQ(0, dma_map(self->v.container, 1ULL << 30, self->mem, page));
	EXPECT_EQ(2 * page, dma_unmap(self->v.container, iova, 2 * page));
	sys_close(fd);
	pthread_join(thread, NULL);
	EXPECT_EQ(-EINVAL, c.ret);
	EXPECT_EQ(0, *(uint64_t *)mem);
	must(dma_unmap(self->v.container, 1ULL << 30, page));
	mem_free(mem, 2 * page);
}

TEST_F(emulated, waits_for_memory_without_blocking_others)
{
	unmap_while_the_device_waits(_metadata, self, false);
	unmap_while_the_device_waits(_metadata, self, true);
}

/* Memory that comes late is read and written as any other. */
TEST_F(emulated, memory_may_come_late)
{
	uint64_t iova = IOVA + self->size;
	struct copier c = { .v = &self->v, .iova = iova + 16, .write = true };
	size_t page = page_size();
	char *mem = mem_alloc(page);
	pthread_t thread;
	int fd;

	fd = userfault_never(mem, page);
	if (fd < 0)
		SKIP(return, "no userfaultfd");
	must(dma_map(self->v.container, iova, mem, page));
	pthread_create(&thread, NULL, copy_8, &c);
	userfault_wait(fd);
	userfault_fill(fd, mem, self->mem, page);
	pthread_join(thread, NULL);
	sys_close(fd);
	EXPECT_EQ(0, c.ret);
	EXPECT_EQ(0x1000, *(uint64_t *)mem);
	EXPECT_EQ(0x77, *(uint64_t *)(mem + 16));
}

TEST_F(emulated, reads_and_writes_nothing_else)
{
	uint8_t data[64] = {};

	EXPECT_GT(0, mock_dma(&self->v, IOVA - 32, data, 64, false));
	EXPECT_GT(0, mock_dma(&self->v, IOVA + self->size - 32, data, 64,
			      true));
	EXPECT_GT(0, mock_dma(&self->v, IOVA + self->size, data, 1, false));
	EXPECT_GT(0, mock_dma(&self->v, ~0ULL - 31, data, 64, true));
	EXPECT_EQ(0, mock_dma(&self->v, IOVA + self->size - 64, data, 64,
			      false));
}

TEST_F(emulated, accesses_across_mappings)
{
	size_t page = page_size();
	uint8_t *more = mem_alloc(page), data[64];

	memset(more, 0x77, page);
	must(dma_map(self->v.container, IOVA + self->size, more, page));
	ASSERT_EQ(0, mock_dma(&self->v, IOVA + self->size - 32, data, 64,
			      false));
	EXPECT_EQ(0x77, data[32]);
	EXPECT_EQ(0x77, data[63]);
	EXPECT_EQ(0, data[0]);
}

/* Only pages that the device pinned or wrote are dirty. */
TEST_F(emulated, dirty_pages_are_those_it_touched)
{
	uint64_t bitmap = 0, data = 1;
	size_t page = page_size();

	ASSERT_EQ(0, dirty_log(self->v.container,
			       VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	ASSERT_EQ(0, dirty_bitmap(self->v.container, IOVA, self->size, page,
				  &bitmap, 8));
	/* Bits that the user set for mapped pages are overwritten. */
	bitmap = ~0ULL;
	ASSERT_EQ(2, mock_pin(&self->v, IOVA + 5 * page, 2, NULL));
	mock_unpin(&self->v, IOVA + 5 * page, 2);
	ASSERT_EQ(0, mock_dma(&self->v, IOVA + 9 * page, &data, 8, true));
	ASSERT_EQ(0, dirty_bitmap(self->v.container, IOVA, self->size, page,
				  &bitmap, 8));
	EXPECT_EQ(BIT_ULL(5) | BIT_ULL(6) | BIT_ULL(9), bitmap);
	/* Read and cleared */
	bitmap = ~0ULL;
	ASSERT_EQ(0, dirty_bitmap(self->v.container, IOVA, self->size, page,
				  &bitmap, 8));
	EXPECT_EQ(0, bitmap);
	ASSERT_EQ(0, dirty_log(self->v.container,
			       VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP));
}

TEST_F(emulated, has_no_dma_without_a_container)
{
	uint32_t flags;

	/* The group cannot leave while the device is open. */
	EXPECT_EQ(-EBUSY, group_unset_container(self->v.group));
	ASSERT_EQ(0, group_status(self->v.group, &flags));
	EXPECT_EQ(VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET,
		  flags);
}

/* User space recognizes groups without an IOMMU by their name. */
TEST_F(emulated, group_has_the_name_of_those_without_an_iommu)
{
	char path[128], name[64];

	snprintf(path, sizeof(path),
		 "/sys/bus/platform/devices/%s/iommu_group/name", self->v.bdf);
	must(file_read(path, name, sizeof(name)));
	EXPECT_EQ(0, strncmp(name, "vfio-noiommu", strlen("vfio-noiommu")));
}

TEST_F(emulated, migrates_like_any_other)
{
	EXPECT_EQ(VFIO_MIGRATION_STOP_COPY, mig_flags(self->v.fd));
	EXPECT_EQ(0, mig_set(self->v.fd, STOP_COPY, NULL));
	EXPECT_EQ(STOP_COPY, mig_get(self->v.fd));
}

TEST_HARNESS_MAIN
