// SPDX-License-Identifier: GPL-2.0-only
/*
 * Failures in migrations of the virtual devices of vfio_mock.ko: each arc of
 * each transition fails, with the device usable or broken; streams are too
 * short, too long or wrong.  Also: device states of no bytes to gigabytes, and
 * slow ones. mig_fsm.c tests the transitions themselves.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "test.h"
#include "device.h"
#include "fsm_oracle.h"
#include "migration.h"
#include "mock.h"
#include "mock_fixture.h"

/* Has the first state's session ended before the arc from state @at? */
static bool session_left(const struct way *way, unsigned int at)
{
	unsigned int i;

	for (i = 1; i <= at; i++)
		if (!saving(way->state[0]) || !saving(way->state[i]))
			return true;
	return false;
}

static void check_session(struct __test_metadata *_metadata, int fd,
			  uint32_t from, bool ended)
{
	char byte = 0;
	int ret;

	if (fd < 0)
		return;
	ret = from == RESUMING ? sys_write(fd, &byte, 1) :
				 sys_read(fd, &byte, 1);
	EXPECT_TRUE(ended ? ret == -ENODEV : ret >= 0 || ret == -ENOMSG) {
		TH_LOG("the session says %d", ret);
	}
	sys_close(fd);
}

/* The device is in ERROR: nothing but a reset helps. */
static void check_error(struct __test_metadata *_metadata,
			const struct vdev *v)
{
	uint32_t to;
	int fd;

	mock_arcs(v);
	for (to = 0; to < NR_STATES; to++) {
		EXPECT_EQ(-EINVAL, mig_set(v->fd, to, &fd));
		EXPECT_EQ(-1, fd);
	}
	EXPECT_EQ(0, mock_arcs(v).count);
	EXPECT_LT(0, mig_data_size(v->fd));
	EXPECT_EQ(0, device_reset(v));
	EXPECT_EQ(RUNNING, mig_get(v->fd));
}

static void check_failure(struct __test_metadata *_metadata,
			  const struct vdev *v, const struct way *way,
			  unsigned int at, int error, bool broken)
{
	uint32_t from = way->state[0], to = way->state[way->length];
	uint32_t state = broken ? ERROR : way->state[at];
	int old_fd = mig_reset_to(v, from), fd;
	struct mock_arcs gone;
	unsigned int i;

	mock_arcs(v);
	mock_fail(v, way->state[at], way->state[at + 1], error, broken);
	EXPECT_EQ(-error, mig_set(v->fd, to, &fd));
	EXPECT_EQ(-1, fd);
	EXPECT_EQ(state, mig_get(v->fd));
	gone = mock_arcs(v);
	EXPECT_EQ(at + 1, gone.count);
	for (i = 0; i <= at && i < gone.count; i++) {
		EXPECT_EQ(way->state[i], gone.arc[i].from);
		EXPECT_EQ(way->state[i + 1], gone.arc[i].to);
	}
	check_session(_metadata, old_fd, from,
		      broken || session_left(way, at));
	if (broken)
		check_error(_metadata, v);
	must(device_reset(v));

	/* The same transition without a fault */
	old_fd = mig_reset_to(v, from);
	EXPECT_EQ(0, mig_set(v->fd, to, &fd));
	EXPECT_EQ(to, mig_get(v->fd));
	EXPECT_EQ(opens_session(way), fd >= 0);
	sys_close(fd);
	sys_close(old_fd);
	if (_metadata->exit_code)
		TH_LOG("up to %s -> %s, arc %u, errno %d%s",
		       mig_state_name(from), mig_state_name(to), at, error,
		       broken ? ", broken" : "");
}

TEST_F(mock, failed_arc_leaves_a_known_state)
{
	static const int errors[] = { EIO, EINVAL, ENOSPC, ENOMEM, EBUSY };
	unsigned int from, to, at, n = 0, fds = count_open_fds();

	for (from = 0; from < NR_STATES; from++) {
		for (to = 0; to < NR_STATES; to++) {
			struct way way = find_way(variant->flags, from, to);

			for (at = 0; at < way.length; at++, n++) {
				int error = errors[n % ARRAY_SIZE(errors)];

				check_failure(_metadata, &self->v, &way, at,
					      error, false);
				check_failure(_metadata, &self->v, &way, at,
					      error, true);
				ASSERT_EQ(fds, count_open_fds());
			}
		}
	}
	TH_LOG("%u arcs, each failed twice", n);
}

static bool is_pattern(const struct stream *stream)
{
	size_t i;

	for (i = 0; i < stream->size; i++)
		if (stream->data[i] != mock_pattern(i))
			return false;
	return true;
}

static const uint64_t sizes[] = {
	0, 1, 2, 4095, 4096, 4097, MOCK_PERIOD - 1, MOCK_PERIOD,
	MOCK_PERIOD + 1, MiB + 1,
};

TEST_F(mock, saves_and_loads_states_of_all_sizes)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct stream stream;

		mock_set_state(&self->v, (struct mock_state){ .size = sizes[i],
			       .initial = sizes[i] / 2 });
		EXPECT_EQ(sizes[i], mig_data_size(self->v.fd));
		stream = device_save(self->v.fd);
		EXPECT_EQ(sizes[i], stream.size);
		EXPECT_TRUE(is_pattern(&stream));
		EXPECT_EQ(0, device_load(self->v.fd, &stream));
		EXPECT_EQ(STOP, mig_get(self->v.fd));
		ASSERT_EQ(0, device_reset(&self->v));
		stream_free(&stream);
	}
}

TEST_F(mock, wrong_streams_are_refused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct stream stream;
		int fd;

		mock_set_state(&self->v,
			       (struct mock_state){ .size = sizes[i] });
		stream = device_save(self->v.fd);

		/* Too long: refused by the write */
		fd = must(mig_session(self->v.fd, RESUMING));
		EXPECT_EQ(0, stream_write(fd, stream.data, stream.size, 997));
		EXPECT_EQ(-ENOSPC, sys_write(fd, "", 1));
		/* The state is complete nevertheless. */
		sys_close(fd);
		EXPECT_EQ(0, mig_set(self->v.fd, STOP, NULL));
		if (!sizes[i])
			goto next;

		/* Too short: refused by the arc; the rest can be written */
		fd = must(mig_session(self->v.fd, RESUMING));
		EXPECT_EQ(0, stream_write(fd, stream.data, stream.size - 1,
					  4096));
		EXPECT_EQ(-EINVAL, mig_set(self->v.fd, STOP, NULL));
		EXPECT_EQ(RESUMING, mig_get(self->v.fd));
		EXPECT_EQ(1, sys_write(fd, stream.data + stream.size - 1, 1));
		EXPECT_EQ(0, mig_set(self->v.fd, STOP, NULL));
		EXPECT_EQ(-ENODEV, sys_write(fd, "", 1));
		sys_close(fd);

		/* Wrong: refused by the write */
		fd = must(mig_session(self->v.fd, RESUMING));
		stream.data[stream.size - 1] ^= 0x10;
		EXPECT_EQ(-EINVAL, stream_write(fd, stream.data, stream.size,
						4096));
		EXPECT_EQ(-EINVAL, mig_set(self->v.fd, RUNNING, NULL));
		EXPECT_EQ(RESUMING, mig_get(self->v.fd));
		sys_close(fd);
next:
		ASSERT_EQ(0, device_reset(&self->v));
		EXPECT_EQ(RUNNING, mig_get(self->v.fd));
		stream_free(&stream);
	}
}

/* More than 32 bits of bytes, through one buffer of 1 MiB */
TEST_F(mock, saves_and_loads_gigabytes)
{
	const uint64_t size = scaled(4) * GiB + 12345;
	uint8_t *buf = mem_alloc(MiB);
	uint64_t pos;
	ssize_t n;
	int fd;

	if (variant->flags != STOP_COPY_FLAG)
		SKIP(return, "the flags make no difference");
	mock_set_state(&self->v, (struct mock_state){ .size = size });
	EXPECT_EQ(size, mig_data_size(self->v.fd));
	fd = must(mig_session(self->v.fd, STOP_COPY));
	for (pos = 0; (n = sys_read(fd, buf, MiB)) > 0; pos += n) {
		ASSERT_EQ(mock_pattern(pos), buf[0]);
		ASSERT_EQ(mock_pattern(pos + n - 1), buf[n - 1]);
	}
	EXPECT_EQ(0, n);
	EXPECT_EQ(size, pos);
	sys_close(fd);

	/* The pattern is periodic: the same buffer is written again. */
	buf = mem_alloc(16 * MOCK_PERIOD);
	for (pos = 0; pos < 16 * MOCK_PERIOD; pos++)
		buf[pos] = mock_pattern(pos);
	fd = must(mig_session(self->v.fd, RESUMING));
	for (pos = 0; pos < size; pos += n) {
		uint64_t len = 16 * MOCK_PERIOD;

		n = sys_write(fd, buf, len < size - pos ? len : size - pos);
		ASSERT_LT(0, n);
		ASSERT_TRUE(n == len || pos + n == size);
	}
	EXPECT_EQ(-ENOSPC, sys_write(fd, buf, 1));
	EXPECT_EQ(0, mig_set(self->v.fd, STOP, NULL));
	sys_close(fd);
}

static short poll_now(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static int precopy_info(int fd, struct vfio_precopy_info *info)
{
	*info = (struct vfio_precopy_info){ .argsz = sizeof(*info) };
	return sys_ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, info);
}

TEST_F(mock, pre_copy_streams_the_first_part)
{
	const uint32_t size = 10000, initial = 6000;
	struct vfio_precopy_info info;
	struct stream stream = { .data = malloc(size) };
	int fd;

	if (!(variant->flags & PRE_COPY_FLAG))
		SKIP(return, "the device has no PRE_COPY");
	mock_set_state(&self->v, (struct mock_state){ .size = size,
		       .initial = initial });
	fd = must(mig_session(self->v.fd, PRE_COPY));
	EXPECT_EQ(0, precopy_info(fd, &info));
	EXPECT_EQ(initial, info.initial_bytes);
	EXPECT_EQ(0, info.dirty_bytes);
	EXPECT_EQ(POLLIN, poll_now(fd));
	EXPECT_EQ(777, sys_read(fd, stream.data, 777));
	EXPECT_EQ(0, precopy_info(fd, &info));
	EXPECT_EQ(initial - 777, info.initial_bytes);
	EXPECT_EQ(initial - 777, sys_read(fd, stream.data + 777, size));
	EXPECT_EQ(-ENOMSG, sys_read(fd, stream.data, 1));
	EXPECT_EQ(0, poll_now(fd));
	EXPECT_EQ(0, precopy_info(fd, &info));
	EXPECT_EQ(0, info.initial_bytes);
	info.argsz--;
	EXPECT_EQ(-EINVAL, sys_ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info));

	ASSERT_EQ(0, mig_set(self->v.fd, STOP_COPY, NULL));
	EXPECT_EQ(-EINVAL, precopy_info(fd, &info));
	EXPECT_EQ(POLLIN, poll_now(fd));
	EXPECT_EQ(size - initial, sys_read(fd, stream.data + initial, size));
	EXPECT_EQ(0, sys_read(fd, stream.data, 1));
	EXPECT_EQ(POLLIN, poll_now(fd));
	stream.size = size;
	EXPECT_TRUE(is_pattern(&stream));
	ASSERT_EQ(0, mig_set(self->v.fd, RUNNING, NULL));
	EXPECT_TRUE(poll_now(fd) & POLLERR);
	EXPECT_EQ(-ENODEV, sys_read(fd, stream.data, 1));
	EXPECT_EQ(-ENODEV, precopy_info(fd, &info));
	sys_close(fd);
}

static void on_alarm(int signal)
{
}

/* A signal interrupts a transfer that takes minutes. */
TEST_F(mock, signals_interrupt_a_slow_stream)
{
	struct sigaction action = { .sa_handler = on_alarm };
	char *buf = mem_alloc(MiB);
	ssize_t n;
	int fd;

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	mock_set_state(&self->v, (struct mock_state){ .size = GiB,
		       .delay_ms = 1000, .any = 1 });
	fd = must(mig_session(self->v.fd, STOP_COPY));
	ualarm(100000, 0);
	n = sys_read(fd, buf, MiB);
	EXPECT_TRUE(n == -EINTR || (n > 0 && n < MiB));
	sys_close(fd);
	fd = must(mig_session(self->v.fd, RESUMING));
	ualarm(100000, 0);
	n = sys_write(fd, buf, MiB);
	EXPECT_TRUE(n == -EINTR || (n > 0 && n < MiB));
	sys_close(fd);
}

static void *slow_read(void *arg)
{
	static char buf[256 * KiB];

	return (void *)sys_read(*(int *)arg, buf, sizeof(buf));
}

/* A reset ends it without waiting for the reader. */
TEST_F(mock, reset_ends_a_slow_stream)
{
	pthread_t thread;
	void *result;
	char byte;
	int fd;

	mock_set_state(&self->v, (struct mock_state){ .size = GiB,
		       .delay_ms = 50 });
	fd = must(mig_session(self->v.fd, STOP_COPY));
	ASSERT_EQ(0, pthread_create(&thread, NULL, slow_read, &fd));
	sleep_us(200000);
	EXPECT_EQ(0, device_reset(&self->v));
	EXPECT_EQ(RUNNING, mig_get(self->v.fd));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_TRUE((ssize_t)result == -ENODEV ||
		    ((ssize_t)result > 0 && (ssize_t)result < 256 * KiB));
	EXPECT_EQ(-ENODEV, sys_read(fd, &byte, 1));
	sys_close(fd);
}

TEST_HARNESS_MAIN
