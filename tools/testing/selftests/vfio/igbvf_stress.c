// SPDX-License-Identifier: GPL-2.0-only
/*
 * All operations on one VF at once, from several threads and processes: states,
 * data fds, mapped registers, a receive queue that is set up again and again,
 * resets, DMA mappings and logging, configuration space.  Meanwhile the user is
 * killed, the driver unbound, the VF removed or its PF set down.  The results of
 * single calls do not matter.  No thread may hang (a watchdog names it), the
 * kernel must not warn, and the VF works afterwards.  Changes of the state and of
 * interrupts meet once more, alone: both change PCI_COMMAND.
 */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "device.h"
#include "dma_log.h"
#include "iommu.h"
#include "migration.h"
#include "nic.h"
#include "rxq.h"
#include "sigbus.h"

/* No operation takes that long, whatever other threads do. */
#define poll_stuck(cond)	poll_every(10000, 9000, cond)
#define MAP_IOVA	0x40000000ULL
#define MAP_SIZE	(64 * KiB)
/* A receive ring of RING_SIZE descriptors, and its buffers */
#define QUEUE_IOVA	0x50000000ULL
#define QUEUE_BUFFERS	(QUEUE_IOVA + 4 * KiB)
#define QUEUE_SIZE	(128 * KiB)
#define BAR_PAGE	4096UL
#define DOORBELLS	(2 * BAR_PAGE)

struct hammer;

struct operation {
	const char *name;
	void (*turn)(struct hammer *h, uint64_t *seed);
};

struct worker {
	struct hammer *h;
	const struct operation *operation;
	pthread_t thread;
	pid_t tid;
	unsigned long turns;
};

#define MAX_WORKERS	13

struct hammer {
	struct vdev *v;
	volatile uint32_t *bar;		/* an ordinary page, */
	volatile uint32_t *doorbells;	/* and the one that logging replaces */
	void *mem;			/* to be mapped for DMA */
	struct stream stream;		/* a valid state */
	int session;			/* newest data fd */
	bool stop;
	struct worker workers[MAX_WORKERS];
	unsigned int nr_workers;
};

/* The operations */

static void turn_set_state(struct hammer *h, uint64_t *seed)
{
	int fd = -1;

	mig_set(h->v->fd, prng(seed) % (NR_STATES + 1), &fd);
	if (fd < 0)
		return;
	fd = __atomic_exchange_n(&h->session, fd, __ATOMIC_SEQ_CST);
	if (fd >= 0)
		close(fd);
}

static void turn_get_state(struct hammer *h, uint64_t *seed)
{
	struct vfio_device_feature_migration flags = {};

	mig_get(h->v->fd);
	mig_data_size(h->v->fd);
	feature(h->v->fd, VFIO_DEVICE_FEATURE_GET |
			  VFIO_DEVICE_FEATURE_MIGRATION, &flags, sizeof(flags));
	sched_yield();
}

/* The newest data fd; another thread may close it at any time. */
static int session(struct hammer *h)
{
	return __atomic_load_n(&h->session, __ATOMIC_SEQ_CST);
}

static void *some_buffer(struct hammer *h, uint64_t *seed, void *good)
{
	switch (prng(seed) % 8) {
	case 0: return (void *)h->bar;
	case 1: return NULL;
	case 2: return (void *)h->doorbells;
	default: return good;
	}
}

static void turn_read(struct hammer *h, uint64_t *seed)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	struct pollfd p = { .fd = session(h), .events = POLLIN };
	char buf[4096];

	poll(&p, 1, 0);
	sys_ioctl(p.fd, VFIO_MIG_GET_PRECOPY_INFO, &info);
	if (sys_read(p.fd, some_buffer(h, seed, buf),
		     1 + prng(seed) % sizeof(buf)) < 0)
		sleep_us(100);
}

static void turn_write(struct hammer *h, uint64_t *seed)
{
	const struct stream *s = &h->stream;
	size_t at, len, part = prng(seed) % 4 ? s->size : prng(seed) % s->size;
	int fd = session(h);

	for (at = 0; at < part; at += len) {
		len = 1 + prng(seed) % 512;
		if (len > part - at)
			len = part - at;
		if (sys_write(fd, some_buffer(h, seed, s->data + at),
			      len) >= 0)
			continue;
		sleep_us(100);
		break;
	}
}

static void turn_touch(struct hammer *h, uint64_t *seed)
{
	uint32_t value;

	try_read(&h->bar[prng(seed) % 8], &value);
	madvise((void *)h->bar, BAR_PAGE, MADV_DONTNEED);
	sched_yield();
}

static void turn_map(struct hammer *h, uint64_t *seed)
{
	uint64_t iova = MAP_IOVA + (prng(seed) % 4) * MAP_SIZE;

	dma_map(h->v->container, iova, h->mem, MAP_SIZE);
	dma_unmap(h->v->container, iova, MAP_SIZE);
}

static void turn_config(struct hammer *h, uint64_t *seed)
{
	uint16_t command = prng(seed) & (PCI_COMMAND_MASTER |
					 PCI_COMMAND_MEMORY);

	region_write(h->v, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, &command,
		     sizeof(command));
	sched_yield();
}

static void turn_registers(struct hammer *h, uint64_t *seed)
{
	uint32_t value;

	region_read(h->v, 0, V2PMAILBOX, &value, sizeof(value));
	value = V2PMAILBOX_VFU;
	region_write(h->v, 0, V2PMAILBOX, &value, sizeof(value));
	value = MBX_RESET;
	region_write(h->v, 0, VMBMEM, &value, sizeof(value));
	value = V2PMAILBOX_REQ;
	region_write(h->v, 0, V2PMAILBOX, &value, sizeof(value));
	region_read(h->v, 0, VFGPRC, &value, sizeof(value));
}

static void turn_reset(struct hammer *h, uint64_t *seed)
{
	device_reset(h->v);
	sleep_us(20000 + prng(seed) % 100000);
}

static void turn_doorbell(struct hammer *h, uint64_t *seed)
{
	try_write(&h->doorbells[(RDT - DOORBELLS) / 4],
		  prng(seed) % RING_SIZE);
	sched_yield();
}

/* The guest's driver sets up its queue, as after a reset. */
static void turn_queue(struct hammer *h, uint64_t *seed)
{
	static const struct {
		uint32_t reg;
		uint32_t value;
	} rows[] = {
		{ RXDCTL, 0 },
		{ RDBAL, QUEUE_IOVA },
		{ RDBAH, 0 },
		{ RDLEN, RING_SIZE * sizeof(struct desc) },
		{ SRRCTL, SRRCTL_ADVANCED | SRRCTL_BUFFER(2) },
		{ RDH, 0 },
		{ RDT, 0 },
		{ RXDCTL, DCTL_ENABLE },
		{ RDT, RING_SIZE - 1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		try_write(&h->doorbells[(rows[i].reg - DOORBELLS) / 4],
			  rows[i].value);
	sleep_us(prng(seed) % 20000);
}

static void turn_log(struct hammer *h, uint64_t *seed)
{
	uint64_t bitmap[NIC_MEM / BAR_PAGE / 64 + 1];

	switch (prng(seed) % 4) {
	case 0:
		log_start_range(h->v->fd, 0, 4 * GiB);
		break;
	case 1:
		log_stop(h->v->fd);
		break;
	default:
		log_report(h->v->fd, NIC_IOVA, NIC_MEM, BAR_PAGE, bitmap);
	}
	sched_yield();
}

static const struct operation operations[] = {
	{ "SET of the state", turn_set_state },
	{ "SET of the state, too", turn_set_state },
	{ "GET of the state", turn_get_state },
	{ "read of the data fd", turn_read },
	{ "write to the data fd", turn_write },
	{ "access to mapped registers", turn_touch },
	{ "doorbell", turn_doorbell },
	{ "set-up of a queue", turn_queue },
	{ "DMA mapping", turn_map },
	{ "DMA logging", turn_log },
	{ "write to configuration space", turn_config },
	{ "access to page 0", turn_registers },
	{ "reset", turn_reset },
};

_Static_assert(ARRAY_SIZE(operations) <= MAX_WORKERS, "too few workers");

/* Threads */

static unsigned long turns_of(struct worker *w)
{
	return __atomic_load_n(&w->turns, __ATOMIC_SEQ_CST);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t seed = 0x9e3779b97f4a7c15ULL * (1 + (w - w->h->workers)) +
			getpid();

	w->tid = syscall(SYS_gettid);
	while (!__atomic_load_n(&w->h->stop, __ATOMIC_SEQ_CST)) {
		w->operation->turn(w->h, &seed);
		__atomic_fetch_add(&w->turns, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void show_file(const char *what, pid_t pid, pid_t tid)
{
	char path[64], buf[4096], *line, *save;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, what);
	if (file_read(path, buf, sizeof(buf)) < 0)
		return;
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		printf("# %s: %s\n", what, line);
	fflush(stdout);
}

static void show_stuck(const char *name, pid_t pid, pid_t tid)
{
	printf("# stuck: %s\n", name);
	show_file("wchan", pid, tid);
	show_file("syscall", pid, tid);
	show_file("stack", pid, tid);
}

static void *map_page(const struct vdev *v, uint64_t offset)
{
	void *mem = mmap(NULL, BAR_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 v->fd, vdev_region(v, 0).offset + offset);

	if (mem == MAP_FAILED)
		die("BAR0 cannot be mapped at %#llx",
		    (unsigned long long)offset);
	return mem;
}

/*
 * Memory for turn_queue().  It stays mapped for DMA, as the queue may be enabled
 * until the device is reset.  Another process of this user may have mapped its
 * own.
 */
static void queue_memory(struct hammer *h)
{
	struct desc *ring = mem_alloc(QUEUE_SIZE);
	unsigned int i;

	for (i = 0; i < RING_SIZE; i++)
		ring[i].addr = QUEUE_BUFFERS + i * FRAME_SIZE;
	dma_map(h->v->container, QUEUE_IOVA, ring, QUEUE_SIZE);
}

static void hammer_begin(struct hammer *h)
{
	unsigned int i;

	sigbus_catch();
	h->session = -1;
	h->mem = mem_alloc(MAP_SIZE);
	queue_memory(h);
	h->bar = map_page(h->v, BAR_PAGE);
	h->doorbells = map_page(h->v, DOORBELLS);
	h->nr_workers = ARRAY_SIZE(operations);
	for (i = 0; i < h->nr_workers; i++) {
		h->workers[i].h = h;
		h->workers[i].operation = &operations[i];
		pthread_create(&h->workers[i].thread, NULL, work,
			       &h->workers[i]);
	}
}

/* Waits until each thread has done @turns; the watchdog names a stuck one. */
static void hammer_wait(struct hammer *h, unsigned long turns)
{
	unsigned long seen;
	unsigned int i;

	for (i = 0; i < h->nr_workers; i++) {
		struct worker *w = &h->workers[i];

		while ((seen = turns_of(w)) < turns) {
			if (poll_stuck(turns_of(w) != seen))
				continue;
			show_stuck(w->operation->name, getpid(), w->tid);
			die("%s is stuck", w->operation->name);
		}
	}
}

static void hammer_end(struct hammer *h)
{
	unsigned int i;

	__atomic_store_n(&h->stop, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < h->nr_workers; i++) {
		struct worker *w = &h->workers[i];

		if (!poll_stuck(!pthread_tryjoin_np(w->thread, NULL))) {
			show_stuck(w->operation->name, getpid(), w->tid);
			die("%s does not end", w->operation->name);
		}
	}
	/* Without logging, doorbells reach the device at once. */
	log_stop(h->v->fd);
	munmap((void *)h->bar, BAR_PAGE);
	munmap((void *)h->doorbells, BAR_PAGE);
	mem_free(h->mem, MAP_SIZE);
	if (h->session >= 0)
		sys_close(h->session);
}

/* Processes */

/*
 * A user of the VF that runs all operations until it is killed: a process and
 * its child, which inherits all files, in their own process group.
 */
static pid_t user_start(const char *bdf, const struct stream *stream)
{
	struct vdev v;
	struct hammer h = { .v = &v, .stream = *stream };
	char ready;
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		die("no pipe");
	pid = fork();
	if (pid) {
		close(fds[1]);
		if (sys_read(fds[0], &ready, 1) != 1)
			die("the user of %s did not start", bdf);
		close(fds[0]);
		return pid;
	}
	setpgid(0, 0);
	vdev_open(&v, bdf, DRV_IGBVF_VFIO);
	fork();
	hammer_begin(&h);
	hammer_wait(&h, 3);
	sys_write(fds[1], "", 1);
	for (;;)
		hammer_wait(&h, turns_of(&h.workers[0]) + 10);
}

static void user_kill(pid_t pid)
{
	int status;

	kill(-pid, SIGKILL);
	if (!poll_until(waitpid(pid, &status, WNOHANG) == pid)) {
		show_stuck("killed user", pid, pid);
		die("the user cannot be killed");
	}
}

FIXTURE(stress) {
	const char *bdf;
	struct vdev v;
	struct nic nic;
	struct peer peer;
	struct stream stream;
};

FIXTURE_SETUP(stress)
{
	self->bdf = NEED_FUNC(FUNC_VF_A0);
	NEED_MODULE(DRV_IGBVF_VFIO);
	vdev_open(&self->v, self->bdf, DRV_IGBVF_VFIO);
	nic_alloc(&self->nic);
	nic_attach(&self->nic, &self->v);
	nic_up(&self->nic);
	peer_open(&self->peer, func_bdf(FUNC_PF_B));
	nic_ping_pong(&self->nic, &self->peer);
	self->stream = device_save(self->v.fd);
	must(mig_set(self->v.fd, RUNNING, NULL));
}

FIXTURE_TEARDOWN(stress)
{
	log_close(&self->v);
}

static void vf_close(FIXTURE_DATA(stress) *self)
{
	nic_detach(&self->nic);
	vdev_close(&self->v);
}

/* After the last user was killed, the VF can be opened again. */
static void vf_reopen(FIXTURE_DATA(stress) *self)
{
	int ret;

	if (pci_bind(self->bdf, DRV_IGBVF_VFIO))
		die("%s cannot be bound again", self->bdf);
	/* The kernel may still be closing files of killed processes. */
	poll_stuck((ret = vdev_try_open(&self->v, self->bdf)) != -EBUSY);
	must(ret);
	nic_attach(&self->nic, &self->v);
}

static void vf_works(struct __test_metadata *_metadata,
		     FIXTURE_DATA(stress) *self)
{
	EXPECT_EQ(RUNNING, mig_get(self->v.fd));
	nic_up(&self->nic);
	nic_ping_pong(&self->nic, &self->peer);
}

TEST_F(stress, survives_everything_at_once)
{
	struct hammer h = { .v = &self->v, .stream = self->stream };
	unsigned int i;

	hammer_begin(&h);
	hammer_wait(&h, 40);
	hammer_end(&h);
	for (i = 0; i < h.nr_workers; i++)
		TH_LOG("%s: %lu", h.workers[i].operation->name,
		       turns_of(&h.workers[i]));
	must(device_reset(&self->v));
	vf_works(_metadata, self);
}

/*
 * The administrator resets the VF by sysfs, with logging on as often as that is
 * possible.
 */
TEST_F(stress, survives_resets_from_outside)
{
	struct hammer h = { .v = &self->v, .stream = self->stream };
	unsigned int i;

	hammer_begin(&h);
	for (i = 1; i <= scaled(20); i++) {
		log_start_range(self->v.fd, 0, 4 * GiB);
		pci_attr_write(self->bdf, "reset", "1");
		hammer_wait(&h, i);
	}
	hammer_end(&h);
	must(device_reset(&self->v));
	vf_works(_metadata, self);
}

/* The PF is down meanwhile; no reset at the end. */
TEST_F(stress, survives_the_pf_going_down)
{
	struct hammer h = { .v = &self->v, .stream = self->stream };
	const char *pf = func_bdf(FUNC_PF_A);
	unsigned int i;

	hammer_begin(&h);
	for (i = 1; i <= 3; i++) {
		hammer_wait(&h, 4 * i);
		pf_set(pf, false);
		hammer_wait(&h, 4 * i + 2);
		pf_set(pf, true);
	}
	hammer_end(&h);
	must(device_reset(&self->v));
	vf_works(_metadata, self);
}

static void *hammer_vectors(void *arg)
{
	struct hammer *h = arg;
	int32_t fd = eventfd_new();

	while (!__atomic_load_n(&h->stop, __ATOMIC_SEQ_CST)) {
		must(irq_eventfds(h->v, VFIO_PCI_MSIX_IRQ_INDEX, 0, &fd, 1));
		must(irq_disable(h->v, VFIO_PCI_MSIX_IRQ_INDEX));
	}
	sys_close(fd);
	return NULL;
}

static bool is_master(const char *bdf)
{
	return real_config(bdf, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
}

/* No DMA in STOP, and not lost afterwards, while vectors come and go. */
TEST_F(stress, interrupts_leave_bus_mastering_alone)
{
	struct hammer h = { .v = &self->v };
	unsigned int i, looks;
	pthread_t thread;

	cfg_command(&self->v, PCI_COMMAND_MASTER, 0);
	pthread_create(&thread, NULL, hammer_vectors, &h);
	for (i = 0; i < scaled(200); i++) {
		must(mig_set(self->v.fd, STOP, NULL));
		for (looks = 0; looks < 10; looks++)
			EXPECT_FALSE(is_master(self->bdf));
		must(mig_set(self->v.fd, RUNNING, NULL));
		for (looks = 0; looks < 10; looks++)
			EXPECT_TRUE(is_master(self->bdf));
	}
	__atomic_store_n(&h.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	vf_works(_metadata, self);
}

TEST_F(stress, works_after_the_user_is_killed)
{
	uint64_t seed = 1;
	unsigned int i;
	pid_t pid;

	vf_close(self);
	for (i = 0; i < 5; i++) {
		pid = user_start(self->bdf, &self->stream);
		sleep_us(prng(&seed) % 300000);
		user_kill(pid);
		vf_reopen(self);
		EXPECT_EQ(RUNNING, mig_get(self->v.fd));
		vf_close(self);
	}
	vf_reopen(self);
	vf_works(_metadata, self);
}

/*
 * Writes @text to the attribute of @bdf under a running user, then kills that.
 */
static int write_under_a_user(FIXTURE_DATA(stress) *self, const char *bdf,
			      const char *attr, const char *text)
{
	pid_t user, writer;
	int status;

	user = user_start(self->bdf, &self->stream);
	writer = fork();
	if (!writer)
		_exit(pci_attr_write(bdf, attr, text) ? TEST_FAILED : 0);
	sleep_us(500000);
	user_kill(user);
	if (!poll_until(waitpid(writer, &status, WNOHANG) == writer)) {
		show_stuck(attr, writer, writer);
		die("write to %s does not end", attr);
	}
	return status;
}

TEST_F(stress, works_after_unbind)
{
	vf_close(self);
	EXPECT_EQ(0, write_under_a_user(self, self->bdf, "driver/unbind",
					self->bdf));
	vf_reopen(self);
	vf_works(_metadata, self);
}

TEST_F(stress, works_after_removal_of_the_vf)
{
	const char *pf = func_bdf(FUNC_PF_A);

	vf_close(self);
	EXPECT_EQ(0, write_under_a_user(self, pf, "sriov_numvfs", "0"));
	EXPECT_FALSE(pci_exists(self->bdf));
	ASSERT_EQ(0, pf_make_vfs(pf, 2));
	ASSERT_TRUE(pci_exists(self->bdf));
	vf_reopen(self);
	vf_works(_metadata, self);
}

TEST_HARNESS_MAIN
