// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM is killed in each state of a migration, at the source or at the
 * destination.  A new VMM can open the VF at once, finds it RUNNING, and can
 * use and migrate it; the VMM of the other side goes on; a copy of the data fd
 * gives no access to the VF any more.
 *
 * The VMM is a process with container, group, device, interrupts, mapped
 * registers, guest memory mapped for DMA, and a data fd.  The guest's memory
 * outlives the process, as with QEMU's shared memory backends.
 */
#include <linux/pci_regs.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "device.h"
#include "iommu.h"
#include "kmsg.h"
#include "migration.h"
#include "move.h"
#include "nic.h"
#include "session.h"

#define STREAM_MAX	(64 * KiB)

/* How much of the stream the VMM has read or written */
enum part { NOTHING, HALF, ALL };

/* Memory that the VMM and the test share */
struct shared {
	struct nic nic;
	uint8_t stream[STREAM_MAX];
	size_t size;
	int data_fd;		/* in the VMM */
};

/* The two VFs, their peers, and the VMM */
struct bed {
	const char *bdf_a;
	const char *bdf_b;
	struct shared *shared;
	struct peer peer_a;
	struct peer peer_b;
	pid_t vmm;
	int data_fd;		/* the test's copy of the VMM's, or -1 */
	long pins;
	long users;
};

static void *mem_shared(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		die("no memory: %zu bytes", size);
	return mem;
}

static void bed_make(struct bed *bed)
{
	bed->bdf_a = func_bdf(FUNC_VF_A0);
	bed->bdf_b = func_bdf(FUNC_VF_B0);
	bed->shared = mem_shared(sizeof(*bed->shared));
	bed->shared->nic.mem = mem_shared(NIC_MEM);
	must(pci_bind(bed->bdf_a, DRV_IGBVF_VFIO));
	must(pci_bind(bed->bdf_b, DRV_IGBVF_VFIO));
	pf_set(func_bdf(FUNC_PF_A), true);
	pf_set(func_bdf(FUNC_PF_B), true);
	peer_open(&bed->peer_a, func_bdf(FUNC_PF_A));
	peer_open(&bed->peer_b, func_bdf(FUNC_PF_B));
	bed->data_fd = -1;
	bed->pins = pages_pinned_now();
	bed->users = module_refcount("igbvf_vfio_pci");
}

/* ---- The VMM ---- */

/* Interrupts, which the kernel has to tear down */
static void vmm_irqs(struct nic *nic)
{
	int32_t fds[NR_VECTORS];
	unsigned int i;

	for (i = 0; i < NR_VECTORS; i++)
		fds[i] = eventfd_new();
	nic_irqs_up(nic, fds);
}

/* Starts a process that runs @role(@bed, @arg) and waits to be killed. */
static void vmm_start(struct bed *bed,
		      void (*role)(struct bed *bed, const void *arg),
		      const void *arg)
{
	int said[2], pid_fd;
	char c;

	if (pipe(said))
		die("no pipe");
	bed->shared->data_fd = -1;
	bed->vmm = fork();
	if (!bed->vmm) {
		close(said[0]);
		role(bed, arg);
		must(sys_write(said[1], "!", 1));
		for (;;)
			pause();
	}
	close(said[1]);
	if (sys_read(said[0], &c, 1) != 1)
		die("the VMM has ended by itself");
	close(said[0]);
	if (bed->shared->data_fd < 0)
		return;
	pid_fd = syscall(SYS_pidfd_open, bed->vmm, 0);
	bed->data_fd = syscall(SYS_pidfd_getfd, pid_fd, bed->shared->data_fd,
			       0);
	if (bed->data_fd < 0)
		die("pidfd_getfd: %s", strerror(errno));
	close(pid_fd);
}

static void vmm_kill(struct bed *bed)
{
	int status;

	if (kill(bed->vmm, SIGKILL))
		die("kill: %s", strerror(errno));
	if (!poll_until(waitpid(bed->vmm, &status, WNOHANG) == bed->vmm))
		die("the VMM cannot be killed");
}

/* ---- What holds afterwards ---- */

/* The test's copy of the data fd gives no access to the VF. */
static void expect_session_ended(struct __test_metadata *_metadata,
			     struct bed *bed)
{
	if (bed->data_fd >= 0)
		expect_session_over(_metadata, bed->data_fd);
}

/* A new VMM opens the VF without a wait and without a reset. */
static void open_like_new(struct __test_metadata *_metadata, struct vdev *v,
			  const char *bdf)
{
	ASSERT_EQ(0, vdev_try_open(v, bdf));
	EXPECT_EQ(RUNNING, mig_get(v->fd));
	EXPECT_EQ(0, cfg_read16(v, PCI_COMMAND) & PCI_COMMAND_MASTER);
}

/* Both VFs work for a new guest, which can move both ways. */
static void expect_both_serve(struct __test_metadata *_metadata,
			      struct bed *bed)
{
	struct vdev a, b;
	struct nic nic;

	nic_alloc(&nic);
	open_like_new(_metadata, &a, bed->bdf_a);
	open_like_new(_metadata, &b, bed->bdf_b);
	nic_attach(&nic, &a);
	nic_up(&nic);
	nic_ping_pong(&nic, &bed->peer_a);
	nic_ping_pong(&nic, &bed->peer_b);
	move(&nic, &a, &b);
	reopen(&a);
	nic_ping_pong(&nic, &bed->peer_a);
	move(&nic, &b, &a);
	reopen(&b);
	nic_ping_pong(&nic, &bed->peer_b);
	/* The old data fd does not belong to a later session. */
	expect_session_ended(_metadata, bed);
	nic_detach(&nic);
	nic_free(&nic);
	vdev_close(&a);
	vdev_close(&b);
}

static void expect_nothing_held(struct __test_metadata *_metadata,
				struct bed *bed)
{
	if (bed->data_fd >= 0)
		sys_close(bed->data_fd);
	EXPECT_EQ(bed->pins, pages_pinned_now());
	EXPECT_EQ(bed->users, module_refcount("igbvf_vfio_pci"));
}

/* ---- The source ---- */

struct at_source {
	uint32_t state;
	enum part part;
};

/* Reads @half bytes, or to the (temporary) end, into shared memory. */
static void read_part(struct shared *shared, int fd, enum part part,
		      size_t half)
{
	ssize_t ret;

	while (part == ALL || shared->size < half) {
		ret = sys_read(fd, shared->stream + shared->size,
			       part == ALL ? STREAM_MAX - shared->size :
					     half - shared->size);
		if (!ret || ret == -ENOMSG)
			return;
		shared->size += must(ret);
	}
}

static void be_source(struct bed *bed, const void *arg)
{
	const struct at_source *at = arg;
	struct nic *nic = &bed->shared->nic;
	static struct vdev v;
	int64_t size;
	int fd;

	must(vdev_try_open(&v, bed->bdf_a));
	nic_attach(nic, &v);
	nic_up(nic);
	vmm_irqs(nic);
	nic_ping_pong(nic, &bed->peer_b);
	must(mig_set(v.fd, at->state, &fd));
	if (fd < 0)
		return;
	bed->shared->data_fd = fd;
	size = must(mig_data_size(v.fd));
	if (at->part != NOTHING)
		read_part(bed->shared, fd, at->part,
			  at->state == STOP_COPY ? size / 2 : 16);
	if (at->part != NOTHING && !bed->shared->size)
		die("nothing was read");
}

FIXTURE(source) {
	struct bed bed;
};

FIXTURE_VARIANT(source) {
	struct at_source at;
};

#define SOURCE_VARIANT(name, ...)					\
	FIXTURE_VARIANT_ADD(source, name) { .at = { __VA_ARGS__ } }

SOURCE_VARIANT(running, RUNNING, NOTHING);
SOURCE_VARIANT(running_p2p, RUNNING_P2P, NOTHING);
SOURCE_VARIANT(stop, STOP, NOTHING);
SOURCE_VARIANT(stop_copy, STOP_COPY, NOTHING);
SOURCE_VARIANT(stop_copy_half, STOP_COPY, HALF);
SOURCE_VARIANT(stop_copy_all, STOP_COPY, ALL);
SOURCE_VARIANT(pre_copy, PRE_COPY, NOTHING);
SOURCE_VARIANT(pre_copy_half, PRE_COPY, HALF);
SOURCE_VARIANT(pre_copy_p2p, PRE_COPY_P2P, NOTHING);
SOURCE_VARIANT(pre_copy_p2p_all, PRE_COPY_P2P, ALL);

FIXTURE_SETUP(source)
{
	NEED_TWO_VFS();
	bed_make(&self->bed);
	vmm_start(&self->bed, be_source, &variant->at);
}

FIXTURE_TEARDOWN(source)
{
}

TEST_F(source, is_free_again)
{
	vmm_kill(&self->bed);
	expect_session_ended(_metadata, &self->bed);
	expect_both_serve(_metadata, &self->bed);
	expect_nothing_held(_metadata, &self->bed);
}

/* The destination loads the state if it got all of the stream, else nothing. */
TEST_F(source, destination_has_all_or_nothing)
{
	struct shared *shared = self->bed.shared;
	struct nic *nic = &shared->nic;
	int log = kmsg_open(), fd;
	struct vdev b;

	open_like_new(_metadata, &b, self->bed.bdf_b);
	fd = must(mig_session(b.fd, RESUMING));
	must(stream_write(fd, shared->stream, shared->size, 512));
	vmm_kill(&self->bed);
	if (variant->at.state == STOP_COPY && variant->at.part == ALL) {
		nic_attach(nic, &b);
		cfg_command(&b, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
		must(mig_set(b.fd, RUNNING, NULL));
		nic_ping_pong(nic, &self->bed.peer_b);
		/* The source is closed: its PF has dropped the guest's MAC. */
		nic_ping_pong(nic, &self->bed.peer_a);
		nic_detach(nic);
	} else {
		EXPECT_EQ(-EINVAL, mig_set(b.fd, RUNNING, NULL));
		EXPECT_EQ(RESUMING, mig_get(b.fd));
		/* Repeated, as messages of a device are rate-limited. */
		EXPECT_TRUE(poll_until(kmsg_said(log, self->bed.bdf_b,
						 "is cut short") ||
				       (mig_set(b.fd, RUNNING, NULL), false)));
		EXPECT_EQ(RESUMING, mig_get(b.fd));
		EXPECT_EQ(0, device_reset(&b));
		EXPECT_EQ(RUNNING, mig_get(b.fd));
	}
	sys_close(fd);
	vdev_close(&b);
	sys_close(log);
	expect_both_serve(_metadata, &self->bed);
	expect_nothing_held(_metadata, &self->bed);
}

/* ---- The destination ---- */

struct at_destination {
	uint32_t state;
	enum part part;
};

static void be_destination(struct bed *bed, const void *arg)
{
	const struct at_destination *at = arg;
	struct shared *shared = bed->shared;
	size_t size = at->part == ALL ? shared->size :
		      at->part == HALF ? shared->size / 2 : 0;
	struct nic nic;
	static struct vdev v;
	int fd;

	must(vdev_try_open(&v, bed->bdf_b));
	/* The destination's memory: not all pages have arrived yet. */
	nic_alloc(&nic);
	nic_attach(&nic, &v);
	fd = must(mig_session(v.fd, RESUMING));
	shared->data_fd = fd;
	must(stream_write(fd, shared->stream, size, 512));
	must(mig_set(v.fd, at->state, NULL));
}

FIXTURE(destination) {
	struct bed bed;
	struct vdev a;
};

FIXTURE_VARIANT(destination) {
	struct at_destination at;
};

#define DESTINATION_VARIANT(name, ...)					\
	FIXTURE_VARIANT_ADD(destination, name) { .at = { __VA_ARGS__ } }

DESTINATION_VARIANT(resuming, RESUMING, NOTHING);
DESTINATION_VARIANT(resuming_half, RESUMING, HALF);
DESTINATION_VARIANT(resuming_all, RESUMING, ALL);
DESTINATION_VARIANT(stop, STOP, ALL);
DESTINATION_VARIANT(running_p2p, RUNNING_P2P, ALL);
DESTINATION_VARIANT(running, RUNNING, ALL);

FIXTURE_SETUP(destination)
{
	struct shared *shared;
	struct nic *nic;
	int fd;

	NEED_TWO_VFS();
	bed_make(&self->bed);
	shared = self->bed.shared;
	nic = &shared->nic;
	vdev_open(&self->a, self->bed.bdf_a, DRV_IGBVF_VFIO);
	nic_attach(nic, &self->a);
	nic_up(nic);
	nic_ping_pong(nic, &self->bed.peer_b);
	/* All is read; the source's VMM has not closed the VF yet. */
	fd = must(mig_session(self->a.fd, STOP_COPY));
	read_part(shared, fd, ALL, 0);
	sys_close(fd);
	vmm_start(&self->bed, be_destination, &variant->at);
}

FIXTURE_TEARDOWN(destination)
{
}

/* The guest goes on at the source, and a second migration succeeds. */
TEST_F(destination, source_goes_on)
{
	struct nic *nic = &self->bed.shared->nic;
	struct vdev b;

	vmm_kill(&self->bed);
	expect_session_ended(_metadata, &self->bed);
	must(mig_set(self->a.fd, RUNNING, NULL));
	/* Only the source's PF has the guest's MAC. */
	nic_ping_pong(nic, &self->bed.peer_a);
	nic_ping_pong(nic, &self->bed.peer_b);
	open_like_new(_metadata, &b, self->bed.bdf_b);
	move(nic, &self->a, &b);
	vdev_close(&self->a);
	nic_ping_pong(nic, &self->bed.peer_b);
	nic_ping_pong(nic, &self->bed.peer_a);
	nic_detach(nic);
	vdev_close(&b);
	expect_both_serve(_metadata, &self->bed);
	expect_nothing_held(_metadata, &self->bed);
}

TEST_HARNESS_MAIN
