// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration library on devices that are software: vfio_example.ko, whose
 * state is records, and vfio_bulk.ko, whose state is large and is not.  The
 * latter does not load if the library accepts a driver with a gap.
 */
#include <endian.h>
#include <libgen.h>
#include <linux/vfio_migration_stream.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "test.h"
#include "device.h"
#include "iommu.h"
#include "migration.h"
#include "mock.h"

#define MEMORY	(3 * VFIO_MIG_BLOCK_SIZE + 100)

/* Loads MODULE.ko, which is where the test module is, and opens its device. */
static bool soft_open(struct vdev *v, const char *name, const char *options)
{
	const char *module = getenv("VFIO_TEST_MODULE");
	char *dir;

	if (!module || stock_modules())
		return false;
	dir = strdup(module);
	if (shell("insmod %s/%s.ko %s", dirname(dir), name, options))
		die("%s.ko cannot be loaded", name);
	free(dir);
	platform_open(v, name);
	return true;
}

static void soft_close(struct vdev *v)
{
	const char *name = v->bdf;

	vdev_close(v);
	if (shell("rmmod %s", name))
		die("%s cannot be unloaded", name);
}

FIXTURE(example) {
	struct vdev v;
	uint8_t *memory;
	struct stream good;
};

FIXTURE_SETUP(example)
{
	char options[32];
	uint64_t seed = 1;
	size_t i;

	snprintf(options, sizeof(options), "size=%u", MEMORY);
	if (!soft_open(&self->v, "vfio_example", options))
		SKIP(return, "no modules of ours");
	self->memory = malloc(MEMORY);
	for (i = 0; i < MEMORY; i++)
		self->memory[i] = prng(&seed);
	for (i = 0; i < MEMORY; )
		i += must(sys_pwrite(self->v.fd, self->memory + i, MEMORY - i,
				     i));
	self->good = device_save(self->v.fd);
}

FIXTURE_TEARDOWN(example)
{
	if (self->v.bdf)
		soft_close(&self->v);
}

static bool memory_is(const struct vdev *v, const uint8_t *memory)
{
	uint8_t *now = malloc(MEMORY);
	size_t i;
	bool same;

	for (i = 0; i < MEMORY; )
		i += must(sys_pread(v->fd, now + i, MEMORY - i, i));
	same = !memcmp(now, memory, MEMORY);
	free(now);
	return same;
}

TEST_F(example, loads_what_it_saved)
{
	static const size_t chunks[] = { 1000, 65536, 65537, 1 << 20 };
	unsigned int i;
	int fd;

	EXPECT_EQ(self->good.size, mig_data_size(self->v.fd));
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		must(device_reset(&self->v));
		EXPECT_FALSE(memory_is(&self->v, self->memory));
		fd = must(mig_session(self->v.fd, RESUMING));
		EXPECT_EQ(0, stream_write(fd, self->good.data, self->good.size,
					  chunks[i]));
		/* Not before the arc */
		EXPECT_FALSE(memory_is(&self->v, self->memory));
		EXPECT_EQ(0, mig_set(self->v.fd, RUNNING, NULL));
		EXPECT_TRUE(memory_is(&self->v, self->memory));
		sys_close(fd);
	}
}

/* Damage is refused by the write that brings the checksum after it. */
TEST_F(example, damage_is_found_where_it_is)
{
	static const size_t at[] = { 0, 30, 40, 57, 100, 70000, 196700 };
	ssize_t ret = 0;
	unsigned int i;
	size_t written;
	int fd;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		self->good.data[at[i]] ^= 0x10;
		fd = must(mig_session(self->v.fd, RESUMING));
		for (written = 0; written < self->good.size; written += ret) {
			size_t part = self->good.size - written;

			ret = sys_write(fd, self->good.data + written,
					part < 4096 ? part : 4096);
			if (ret < 0)
				break;
		}
		EXPECT_EQ(-EINVAL, ret);
		EXPECT_GT(at[i] + VFIO_MIG_BLOCK_SIZE + 4, written);
		EXPECT_EQ(-EINVAL, sys_write(fd, "x", 1));
		EXPECT_EQ(-EINVAL, mig_set(self->v.fd, STOP, NULL));
		EXPECT_EQ(RESUMING, mig_get(self->v.fd));
		sys_close(fd);
		must(device_reset(&self->v));
		self->good.data[at[i]] ^= 0x10;
	}
	EXPECT_EQ(0, device_load(self->v.fd, &self->good));
}

TEST_F(example, every_kind_of_truncation)
{
	static const size_t sizes[] = { 0, 1, 31, 32, 33, 56, 60, 64, 65536 };
	struct stream s = self->good;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes) + 2; i++) {
		s.size = i < ARRAY_SIZE(sizes) ? sizes[i] :
			 self->good.size - 1 - (i - ARRAY_SIZE(sizes)) * 23;
		EXPECT_EQ(-EINVAL, device_load(self->v.fd, &s));
		EXPECT_EQ(RESUMING, mig_get(self->v.fd));
		must(device_reset(&self->v));
	}
}

/* A stream of one size of memory for a device with another */
TEST_F(example, another_device_is_refused_by_its_identity)
{
	struct vdev other;
	int fd;

	soft_close(&self->v);
	ASSERT_TRUE(soft_open(&other, "vfio_example", "size=4096"));
	fd = must(mig_session(other.fd, RESUMING));
	EXPECT_EQ(-EINVAL, stream_write(fd, self->good.data, 100, 100));
	sys_close(fd);
	self->v = other;
}

FIXTURE(bulk) {
	struct vdev v;
	size_t size;
};

FIXTURE_SETUP(bulk)
{
	char options[32];

	self->size = scaled(256) * MiB;
	snprintf(options, sizeof(options), "size=%zu", self->size);
	if (!soft_open(&self->v, "vfio_bulk", options))
		SKIP(return, "no modules of ours");
}

FIXTURE_TEARDOWN(bulk)
{
	if (self->v.bdf)
		soft_close(&self->v);
}

/* What is not read yet is not there yet: a large state takes little memory. */
TEST_F(bulk, large_state_is_produced_as_it_is_read)
{
	static uint8_t buf[1 << 20];
	long available = proc_meminfo_kb("MemAvailable");
	uint64_t first, read = 0;
	ssize_t ret;
	int fd;

	EXPECT_EQ(self->size, mig_data_size(self->v.fd));
	fd = must(mig_session(self->v.fd, STOP_COPY));
	while ((ret = must(sys_read(fd, buf, sizeof(buf))))) {
		memcpy(&first, buf, sizeof(first));
		if (read % 65536 == 0)
			ASSERT_EQ(read / 65536, first);
		read += ret;
		if (read == self->size / 2)
			EXPECT_GT(64 * 1024, available -
				  proc_meminfo_kb("MemAvailable"));
	}
	EXPECT_EQ(self->size, read);
	sys_close(fd);
}

static size_t write_pattern(int fd, size_t size)
{
	static uint64_t block[65536 / 8];
	size_t done;

	for (done = 0; done < size; done += sizeof(block)) {
		block[0] = done / sizeof(block);
		if (stream_write(fd, block, sizeof(block), sizeof(block)))
			break;
	}
	return done;
}

TEST_F(bulk, takes_exactly_its_size)
{
	int fd = must(mig_session(self->v.fd, RESUMING));

	EXPECT_EQ(self->size, write_pattern(fd, self->size));
	EXPECT_EQ(-ENOSPC, sys_write(fd, "x", 1));
	EXPECT_EQ(0, mig_set(self->v.fd, STOP, NULL));
	EXPECT_EQ(-ENODEV, sys_write(fd, "x", 1));
	sys_close(fd);

	fd = must(mig_session(self->v.fd, RESUMING));
	write_pattern(fd, self->size / 2);
	EXPECT_EQ(-EINVAL, mig_set(self->v.fd, STOP, NULL));
	must(device_reset(&self->v));
	sys_close(fd);
}

/* The session's memory goes with the session, not with its last file. */
TEST_F(bulk, reset_frees_what_was_written)
{
	long before = proc_meminfo_kb("MemAvailable"), full;
	int fd = must(mig_session(self->v.fd, RESUMING));

	write_pattern(fd, self->size);
	full = proc_meminfo_kb("MemAvailable");
	EXPECT_LT(self->size / 2048, before - full);
	must(device_reset(&self->v));
	EXPECT_LT(full + self->size / 2048, proc_meminfo_kb("MemAvailable"));
	EXPECT_EQ(-ENODEV, sys_write(fd, "x", 1));
	sys_close(fd);
}

static void *reader(void *arg)
{
	static __thread uint8_t buf[65536];

	while (sys_read(*(int *)arg, buf, sizeof(buf)) > 0)
		;
	return NULL;
}

TEST_F(bulk, reset_under_readers)
{
	pthread_t threads[3];
	unsigned int i, round;
	int fd;

	for (round = 0; round < 10; round++) {
		fd = must(mig_session(self->v.fd, STOP_COPY));
		for (i = 0; i < ARRAY_SIZE(threads); i++)
			pthread_create(&threads[i], NULL, reader, &fd);
		sleep_us(1000 * round);
		must(device_reset(&self->v));
		for (i = 0; i < ARRAY_SIZE(threads); i++)
			pthread_join(threads[i], NULL);
		sys_close(fd);
	}
}

/* The rates of read() and write() next to those of a memfd; no verdict. */
static unsigned int rate(size_t size, uint64_t begin)
{
	uint64_t ms = now_ms() - begin;

	return size / MiB * 1000 / (ms ?: 1);
}

static void drain(int fd)
{
	static uint8_t buf[1 << 20];

	while (must(sys_read(fd, buf, sizeof(buf))))
		;
}

TEST_F(bulk, rates_are_reported)
{
	unsigned int i, memfd_write, memfd_read, save, load;
	char options[64];
	uint64_t begin;
	int fd;

	/* All of it produced before it is read */
	soft_close(&self->v);
	snprintf(options, sizeof(options), "size=%zu step=%zu", self->size,
		 self->size);
	soft_open(&self->v, "vfio_bulk", options);
	for (i = 0; i < 2; i++) {
		fd = must(memfd_create("rate", 0));
		begin = now_ms();
		write_pattern(fd, self->size);
		memfd_write = rate(self->size, begin);
		lseek(fd, 0, SEEK_SET);
		begin = now_ms();
		drain(fd);
		memfd_read = rate(self->size, begin);
		sys_close(fd);

		fd = must(mig_session(self->v.fd, RESUMING));
		begin = now_ms();
		write_pattern(fd, self->size);
		load = rate(self->size, begin);
		must(mig_set(self->v.fd, STOP, NULL));
		sys_close(fd);
		fd = must(mig_session(self->v.fd, STOP_COPY));
		begin = now_ms();
		drain(fd);
		save = rate(self->size, begin);
		must(mig_set(self->v.fd, STOP, NULL));
		sys_close(fd);
		TH_LOG("MiB/s: write() memfd %u, data fd %u; read() memfd %u, data fd %u",
		       memfd_write, load, memfd_read, save);
	}
}

TEST_HARNESS_MAIN
