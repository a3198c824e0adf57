// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration library on virtual devices: vfio_example.ko, whose state
 * consists of records; vfio_bulk.ko, whose state is large and has no records;
 * vfio_faulty.ko, whose functions fail or block.  vfio_bulk.ko does not load if
 * the library accepts an incomplete driver.
 */
#include <endian.h>
#include <libgen.h>
#include <linux/vfio_migration_stream.h>
#include <poll.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "device.h"
#include "iommu.h"
#include "migration.h"
#include "mock.h"

#define MEMORY	(3 * VFIO_MIG_BLOCK_SIZE + 100)

/* Loads @name.ko from the directory of the test module and opens its device. */
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
		SKIP(return, "no test modules: see VFIO_TEST_MODULE");
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
		/* The arc loads it, not the write. */
		EXPECT_FALSE(memory_is(&self->v, self->memory));
		EXPECT_EQ(0, mig_set(self->v.fd, RUNNING, NULL));
		EXPECT_TRUE(memory_is(&self->v, self->memory));
		sys_close(fd);
	}
}

/* Damage is refused by the write of the next checksum. */
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

TEST_F(example, truncated_streams_are_refused)
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

/* The stream of a device with another size of memory */
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
		SKIP(return, "no test modules: see VFIO_TEST_MODULE");
}

FIXTURE_TEARDOWN(bulk)
{
	if (self->v.bdf)
		soft_close(&self->v);
}

/* Data is produced when it is read: a large state takes little memory. */
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

/* The memory is freed with the session, although the data fd is open. */
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

TEST_F(bulk, reset_ends_concurrent_reads)
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

/* Rates of read() and write(), compared with a memfd; for information. */
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

	/* The whole state is produced at once. */
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

/* ---- Functions that fail or block ---- */

FIXTURE(faulty) {
	struct vdev v;
};

FIXTURE_SETUP(faulty)
{
	if (!soft_open(&self->v, "vfio_faulty", ""))
		SKIP(return, "no test modules: see VFIO_TEST_MODULE");
}

FIXTURE_TEARDOWN(faulty)
{
	if (self->v.bdf)
		soft_close(&self->v);
}

#define PARAMETERS	"/sys/module/vfio_faulty/parameters/"

static void set(const char *name, unsigned int value)
{
	char path[96], text[16];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	snprintf(text, sizeof(text), "%u", value);
	must(file_write(path, text));
}

static int get(const char *name)
{
	char path[96], text[16];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	must(file_read(path, text, sizeof(text)));
	return atoi(text);
}

/* Makes data available in PRE_COPY. */
static void make_dirty(const struct vdev *v)
{
	must(sys_pwrite(v->fd, "x", 1, 0));
}

static short readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	must(poll(&p, 1, 0));
	return p.revents;
}

/* After a failed save, no data can be read any more. */
TEST_F(faulty, stream_has_failed_for_good_in_stop_copy)
{
	char buf[4096];
	int fd;

	set("more_saves", 1);
	set("fail_save", STOP_COPY);
	fd = must(mig_session(self->v.fd, STOP_COPY));
	EXPECT_LT(0, sys_read(fd, buf, sizeof(buf)));
	EXPECT_EQ(-ENOSPC, sys_read(fd, buf, sizeof(buf)));
	EXPECT_EQ(-ENOSPC, sys_read(fd, buf, sizeof(buf)));
	EXPECT_EQ(-ENOSPC, sys_read(fd, buf, 1));
	EXPECT_EQ(POLLIN, readable(fd));
	EXPECT_EQ(STOP_COPY, mig_get(self->v.fd));
	EXPECT_EQ(0, mig_set(self->v.fd, STOP, NULL));
	EXPECT_EQ(-ENODEV, sys_read(fd, buf, sizeof(buf)));
	sys_close(fd);
}

TEST_F(faulty, stream_has_failed_for_good_in_pre_copy)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	struct stream good;
	char buf[4096];
	int fd;

	fd = must(mig_session(self->v.fd, PRE_COPY));
	EXPECT_LT(0, sys_read(fd, buf, sizeof(buf)));
	EXPECT_EQ(-ENOMSG, sys_read(fd, buf, sizeof(buf)));
	set("fail_save", PRE_COPY);
	make_dirty(&self->v);
	EXPECT_EQ(-ENOSPC, sys_read(fd, buf, sizeof(buf)));
	EXPECT_EQ(-ENOSPC, sys_read(fd, buf, sizeof(buf)));
	EXPECT_EQ(-ENOSPC, sys_ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	EXPECT_EQ(POLLIN, readable(fd));
	/* The migration cannot be completed. */
	EXPECT_EQ(-ENOSPC, mig_set(self->v.fd, STOP_COPY, NULL));
	EXPECT_EQ(STOP, mig_get(self->v.fd));
	sys_close(fd);
	EXPECT_EQ(0, get("begun"));

	good = device_save(self->v.fd);
	EXPECT_EQ(0, device_load(self->v.fd, &good));
	stream_free(&good);
}

/*
 * If the save fails, the arc's function before it is undone, by an arc that
 * needs the lock for writing, unlike the one that it undoes.
 */
TEST_F(faulty, failed_save_undoes_its_arc)
{
	static const struct {
		uint32_t from, to, end;
	} ways[] = {
		{ RUNNING, PRE_COPY, RUNNING },
		{ RUNNING_P2P, PRE_COPY_P2P, RUNNING_P2P },
		{ RUNNING, STOP_COPY, STOP },
		{ PRE_COPY, STOP_COPY, STOP },
		{ PRE_COPY_P2P, STOP_COPY, STOP },
	};
	unsigned int i;
	int old, fd;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		must(device_reset(&self->v));
		must(mig_set(self->v.fd, ways[i].from, &old));
		set("fail_save", ways[i].to);
		EXPECT_EQ(-ENOSPC, mig_set(self->v.fd, ways[i].to, &fd));
		EXPECT_EQ(-1, fd);
		EXPECT_EQ(ways[i].end, mig_get(self->v.fd));
		EXPECT_EQ(0, get("begun")) {
			TH_LOG("%s -> %s", mig_state_name(ways[i].from),
			       mig_state_name(ways[i].to));
		}
		if (old >= 0)
			sys_close(old);
		fd = must(mig_session(self->v.fd, STOP_COPY));
		EXPECT_EQ(1, get("begun"));
		EXPECT_EQ(0, mig_set(self->v.fd, RUNNING, NULL));
		EXPECT_EQ(0, get("begun"));
		sys_close(fd);
	}
	EXPECT_EQ(0, get("shared"));
}

/* The second path has the arc PRE_COPY -> PRE_COPY_P2P in its middle. */
TEST_F(faulty, exclusive_arcs_have_the_lock)
{
	int fd = must(mig_session(self->v.fd, PRE_COPY));

	EXPECT_EQ(0, mig_set(self->v.fd, PRE_COPY_P2P, NULL));
	EXPECT_EQ(0, mig_set(self->v.fd, PRE_COPY, NULL));
	EXPECT_EQ(0, mig_set(self->v.fd, STOP_COPY, NULL));
	EXPECT_EQ(0, get("shared"));
	sys_close(fd);
}

#define WORK	700

struct load {
	int fd;
	struct stream stream;
	ssize_t result;
};

/* All in one write() */
static void *load_write(void *arg)
{
	struct load *load = arg;

	load->result = sys_write(load->fd, load->stream.data,
				 load->stream.size);
	return NULL;
}

/* A session in RESUMING, and a stream that takes long to load */
static struct load load_begin(const struct vdev *v)
{
	struct load load;

	set("more_saves", WORK);
	load.stream = device_save(v->fd);
	load.fd = must(mig_session(v->fd, RESUMING));
	return load;
}

TEST_F(faulty, reset_comes_between_two_records)
{
	struct load load = load_begin(&self->v);
	pthread_t thread;

	set("load_ms", 2);
	pthread_create(&thread, NULL, load_write, &load);
	EXPECT_TRUE(poll_until(get("loads")));
	EXPECT_EQ(0, device_reset(&self->v));
	EXPECT_GT(WORK / 2, get("loads"));
	EXPECT_EQ(RUNNING, mig_get(self->v.fd));
	pthread_join(thread, NULL);
	EXPECT_TRUE(load.result == -ENODEV ||
		    (load.result > 0 && load.result < load.stream.size));
	sys_close(load.fd);
	stream_free(&load.stream);
}

static void on_signal(int signal)
{
}

TEST_F(faulty, signal_comes_between_two_records)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct load load = load_begin(&self->v);
	pthread_t thread;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	set("hold", 1);
	pthread_create(&thread, NULL, load_write, &load);
	EXPECT_TRUE(poll_until(get("held")));
	pthread_kill(thread, SIGUSR1);
	set("hold", 0);
	pthread_join(thread, NULL);
	EXPECT_LT(0, load.result);
	EXPECT_GT(load.stream.size, load.result);
	EXPECT_EQ(1, get("loads"));

	/* The rest can be written. */
	EXPECT_EQ(0, stream_write(load.fd, load.stream.data + load.result,
				  load.stream.size - load.result, MiB));
	EXPECT_EQ(0, mig_set(self->v.fd, STOP, NULL));
	EXPECT_LT(WORK, get("loads"));
	sys_close(load.fd);
	stream_free(&load.stream);
}

TEST_F(faulty, poll_sees_new_data)
{
	int fd = must(mig_session(self->v.fd, PRE_COPY));
	char buf[4096];

	EXPECT_EQ(POLLIN, readable(fd));
	EXPECT_LT(0, sys_read(fd, buf, sizeof(buf)));
	EXPECT_EQ(0, readable(fd));
	make_dirty(&self->v);
	EXPECT_EQ(POLLIN, readable(fd));
	EXPECT_LT(0, sys_read(fd, buf, sizeof(buf)));
	EXPECT_EQ(0, readable(fd));
	make_dirty(&self->v);
	EXPECT_EQ(0, mig_set(self->v.fd, PRE_COPY_P2P, NULL));
	EXPECT_EQ(POLLIN, readable(fd));
	EXPECT_EQ(0, mig_set(self->v.fd, STOP_COPY, NULL));
	EXPECT_EQ(POLLIN, readable(fd));
	EXPECT_EQ(0, mig_set(self->v.fd, RUNNING, NULL));
	EXPECT_TRUE(readable(fd) & POLLERR);
	sys_close(fd);
}

/* ---- While another thread holds the state lock ---- */

struct waiter {
	int device;
	int fd;
};

static void *to_pre_copy_p2p(void *arg)
{
	const struct waiter *w = arg;

	return (void *)(long)mig_set(w->device, PRE_COPY_P2P, NULL);
}

static int get_state(const struct waiter *w)
{
	return mig_get(w->device);
}

static int get_data_size(const struct waiter *w)
{
	return mig_data_size(w->device);
}

static int set_state(const struct waiter *w)
{
	return mig_set(w->device, STOP, NULL);
}

static int poll_now(const struct waiter *w)
{
	return readable(w->fd) ? -EPROTO : -EAGAIN;
}

static int read_now(const struct waiter *w)
{
	char byte;

	must(fcntl(w->fd, F_SETFL, O_NONBLOCK));
	return sys_read(w->fd, &byte, 1);
}

/* The state of a process, as in /proc: 'D' if it sleeps and can't be woken */
static char process_state(pid_t pid)
{
	char path[32], text[256], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	must(file_read(path, text, sizeof(text)));
	end = strrchr(text, ')');
	return end ? end[2] : 0;
}

/*
 * Makes a call in another process that needs the lock.  Does it return -EAGAIN,
 * or can the process be killed while it waits?
 */
static bool gets_away(const struct waiter *w,
		      int (*call)(const struct waiter *w), bool waits)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(call(w) == -EAGAIN ? 0 : TEST_FAILED);
	if (waits) {
		if (!poll_until(process_state(pid) == 'D'))
			return false;
		kill(pid, SIGKILL);
	}
	if (!poll_until(waitpid(pid, &status, WNOHANG) == pid))
		return false;
	return waits ? WIFSIGNALED(status) : !status;
}

TEST_F(faulty, nobody_is_stuck_behind_a_slow_arc)
{
	struct waiter w = { .device = self->v.fd };
	pthread_t thread;
	char buf[4096];
	void *result;

	w.fd = must(mig_session(w.device, PRE_COPY));
	EXPECT_LT(0, sys_read(w.fd, buf, sizeof(buf)));
	set("hold", 1);
	pthread_create(&thread, NULL, to_pre_copy_p2p, &w);
	EXPECT_TRUE(poll_until(get("held")));
	EXPECT_TRUE(gets_away(&w, get_state, true));
	EXPECT_TRUE(gets_away(&w, get_data_size, true));
	EXPECT_TRUE(gets_away(&w, set_state, true));
	EXPECT_TRUE(gets_away(&w, poll_now, false));
	EXPECT_TRUE(gets_away(&w, read_now, false));
	EXPECT_EQ(1, get("held"));
	set("hold", 0);
	pthread_join(thread, &result);
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(PRE_COPY_P2P, mig_get(w.device));
	sys_close(w.fd);
}

TEST_HARNESS_MAIN
