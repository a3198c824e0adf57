// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration state machine: the step function alone, for all arguments;
 * SET_STATE on virtual devices with each legal set of flags, and the arcs that
 * they take; and SET_STATE on the VF.
 *
 * The oracle is a search over the graph of the protocol (lib/fsm_oracle.c).
 * run.sh ends a test whose transition never ends.
 */
#include "test.h"
#include "device.h"
#include "fsm_oracle.h"
#include "migration.h"
#include "mock.h"
#include "mock_fixture.h"

/* By the rules of the protocol, the shortest path is unique. */
TEST_F(mock, oracle_is_unambiguous)
{
	unsigned int from, to;
	struct way way;

	for (from = 0; from < NR_STATES; from++) {
		for (to = 0; to < NR_STATES; to++) {
			way = find_way(variant->flags, from, to);
			EXPECT_GE(1, way.ways) {
				TH_LOG("%u ways from %s to %s", way.ways,
				       mig_state_name(from),
				       mig_state_name(to));
			}
		}
	}
}

/* From each state that the device has to each state number */
TEST_F(mock, next_state_is_on_the_shortest_path)
{
	unsigned int from, to, next, asked = 0;
	struct way way;
	int ret;

	for (from = 0; from < NR_STATES; from++) {
		/* A device is never in a state that it does not have. */
		if (from != ERROR && !offered(variant->flags, from))
			continue;
		for (to = 0; to < NR_STATES; to++) {
			way = find_way(variant->flags, from, to);
			ret = mock_next_state(&self->v, variant->flags, from,
					      to, &next);
			asked++;
			if (from == to && from != ERROR) {
				EXPECT_EQ(0, ret);
				EXPECT_EQ(to, next);
				continue;
			}
			EXPECT_EQ(way.length ? 0 : -EINVAL, ret) {
				TH_LOG("from %s to %s", mig_state_name(from),
				       mig_state_name(to));
			}
			if (!ret && way.length)
				EXPECT_EQ(way.state[1], next) {
					TH_LOG("from %s to %s",
					       mig_state_name(from),
					       mig_state_name(to));
				}
		}
	}
	TH_LOG("%u questions", asked);
}

TEST_F(mock, next_state_refuses_unknown_states)
{
	static const unsigned int no_states[] = {
		NR_STATES, NR_STATES + 1, 0x80, 0x100, 0x102, 0x7fffffff,
		0x80000000, 0xffffffff,
	};
	unsigned int from, next, i;

	for (from = 0; from < NR_STATES; from++) {
		if (from != ERROR && !offered(variant->flags, from))
			continue;
		for (i = 0; i < ARRAY_SIZE(no_states); i++)
			EXPECT_EQ(-EINVAL,
				  mock_next_state(&self->v, variant->flags,
						  from, no_states[i], &next));
	}
}

/* For each pair, the steps lead to the target without a cycle. */
TEST_F(mock, steps_lead_to_the_target)
{
	unsigned int from, to, at, next, steps;
	struct way way;

	for (from = 0; from < NR_STATES; from++) {
		for (to = 0; to < NR_STATES; to++) {
			way = find_way(variant->flags, from, to);
			if (!way.length)
				continue;
			at = from;
			for (steps = 0; at != to && steps < 16; steps++) {
				ASSERT_EQ(0, mock_next_state(&self->v,
							     variant->flags,
							     at, to, &next));
				ASSERT_TRUE(is_arc(variant->flags, at, next));
				at = next;
			}
			EXPECT_EQ(way.length, steps);
		}
	}
}

/* One SET_STATE: result, fd, state, arcs */
static void check_transition(struct __test_metadata *_metadata,
			     const struct vdev *v, unsigned int flags,
			     uint32_t from, uint32_t to)
{
	struct way way = find_way(flags, from, to);
	int old_fd, fd, ret;
	struct mock_arcs gone;
	unsigned int i;

	old_fd = mig_reset_to(v, from);
	mock_arcs(v);
	ret = mig_set(v->fd, to, &fd);
	gone = mock_arcs(v);

	if (from == to) {
		EXPECT_EQ(0, ret);
		EXPECT_EQ(-1, fd);
		EXPECT_EQ(0, gone.count);
		EXPECT_EQ(to, mig_get(v->fd));
	} else if (!way.length) {
		EXPECT_EQ(-EINVAL, ret);
		EXPECT_EQ(-1, fd);
		EXPECT_EQ(0, gone.count);
		EXPECT_EQ(from, mig_get(v->fd));
	} else {
		EXPECT_EQ(0, ret);
		EXPECT_EQ(to, mig_get(v->fd));
		EXPECT_EQ(opens_session(&way), fd >= 0);
		EXPECT_EQ(way.length, gone.count);
		for (i = 0; i < way.length && i < gone.count; i++) {
			EXPECT_EQ(way.state[i], gone.arc[i].from);
			EXPECT_EQ(way.state[i + 1], gone.arc[i].to);
		}
	}
	if (_metadata->exit_code)
		TH_LOG("up to %s -> %s", mig_state_name(from),
		       mig_state_name(to));
	if (old_fd >= 0)
		sys_close(old_fd);
	if (fd >= 0)
		sys_close(fd);
}

TEST_F(mock, set_state_takes_the_shortest_path)
{
	unsigned int from, to, fds = count_open_fds();

	for (from = 0; from < NR_STATES; from++) {
		if (!offered(variant->flags, from))
			continue;
		for (to = 0; to < NR_STATES + 2; to++) {
			check_transition(_metadata, &self->v, variant->flags,
					 from, to);
			ASSERT_EQ(fds, count_open_fds());
		}
		check_transition(_metadata, &self->v, variant->flags, from,
				 0xffffffff);
	}
}

/* A saving session lasts as long as the states have one. */
TEST_F(mock, sessions_live_as_long_as_they_should)
{
	unsigned int from, to;
	char byte;

	for (from = 0; from < NR_STATES; from++) {
		if (!offered(variant->flags, from) ||
		    !(saving(from) || from == RESUMING))
			continue;
		for (to = 0; to < NR_STATES; to++) {
			struct way way = find_way(variant->flags, from, to);
			bool lives = (saving(from) && saving(to)) ||
				     from == to;
			int fd, ret;

			if (!way.length && from != to)
				continue;
			fd = mig_reset_to(&self->v, from);
			must(mig_set(self->v.fd, to, NULL));
			ret = from == RESUMING ? sys_write(fd, "", 1) :
						 sys_read(fd, &byte, 1);
			EXPECT_EQ(lives, ret >= 0) {
				TH_LOG("%s -> %s: %d", mig_state_name(from),
				       mig_state_name(to), ret);
			}
			if (!lives)
				EXPECT_EQ(-ENODEV, ret);
			sys_close(fd);
		}
	}
}

TEST_F(mock, nothing_leaves_error)
{
	unsigned int to;
	int fd;

	mock_fail(&self->v, variant->flags & P2P_FLAG ? RUNNING_P2P : RUNNING,
		  STOP, EIO, true);
	EXPECT_EQ(-EIO, mig_set(self->v.fd, STOP, &fd));
	EXPECT_EQ(-1, fd);
	EXPECT_EQ(ERROR, mig_get(self->v.fd));
	for (to = 0; to < NR_STATES + 1; to++) {
		EXPECT_EQ(-EINVAL, mig_set(self->v.fd, to, &fd));
		EXPECT_EQ(-1, fd);
		EXPECT_EQ(ERROR, mig_get(self->v.fd));
		EXPECT_EQ(4096, mig_data_size(self->v.fd));
	}
	EXPECT_EQ(0, device_reset(&self->v));
	EXPECT_EQ(RUNNING, mig_get(self->v.fd));
	EXPECT_EQ(0, mig_set(self->v.fd, STOP, NULL));
}

/* An arc fails: GET returns the state before it, and the device goes on. */
TEST_F(mock, stops_where_an_arc_fails)
{
	unsigned int from, to, i;
	struct mock_arcs gone;
	struct way way;
	int fd;

	for (from = 0; from < NR_STATES; from++) {
		for (to = 0; to < NR_STATES; to++) {
			way = find_way(variant->flags, from, to);
			for (i = 0; i < way.length; i++) {
				int old_fd = mig_reset_to(&self->v, from);

				mock_fail(&self->v, way.state[i],
					  way.state[i + 1], ENOSPC, false);
				EXPECT_EQ(-ENOSPC,
					  mig_set(self->v.fd, to, &fd));
				EXPECT_EQ(-1, fd);
				EXPECT_EQ(way.state[i], mig_get(self->v.fd));
				mock_arcs(&self->v);
				EXPECT_EQ(0, mig_set(self->v.fd, to, &fd));
				gone = mock_arcs(&self->v);
				EXPECT_EQ(way.length - i, gone.count);
				sys_close(fd);
				sys_close(old_fd);
			}
		}
	}
}

FIXTURE(vf) {
	struct vdev v;
	unsigned int flags;
};

FIXTURE_SETUP(vf)
{
	const char *bdf = NEED_FUNC(FUNC_VF_A0);

	NEED_MODULE(DRV_IGBVF_VFIO);
	vdev_open(&self->v, bdf, DRV_IGBVF_VFIO);
	self->flags = must(mig_flags(self->v.fd));
}

FIXTURE_TEARDOWN(vf)
{
	vdev_close(&self->v);
}

/*
 * The same on the VF, which leaves RESUMING only with a complete stream, or by
 * a reset.
 */
TEST_F(vf, set_state_reaches_the_target)
{
	struct stream stream = device_save(self->v.fd);
	unsigned int fds = count_open_fds();
	uint32_t from, to;

	for (from = 0; from < NR_STATES; from++) {
		if (!offered(self->flags, from))
			continue;
		for (to = 0; to < NR_STATES + 2; to++) {
			struct way way = find_way(self->flags, from, to);
			int old_fd, fd, ret, wanted;

			old_fd = mig_reset_to(&self->v, from);
			if (from == RESUMING)
				must(stream_write(old_fd, stream.data,
						  stream.size, 100));
			ret = mig_set(self->v.fd, to, &fd);
			wanted = way.length || from == to ? 0 : -EINVAL;
			EXPECT_EQ(wanted, ret);
			EXPECT_EQ(wanted ? from : to, mig_get(self->v.fd));
			EXPECT_EQ(way.length && opens_session(&way), fd >= 0);
			if (_metadata->exit_code)
				TH_LOG("up to %s -> %s", mig_state_name(from),
				       mig_state_name(to));
			sys_close(old_fd);
			sys_close(fd);
			ASSERT_EQ(fds, count_open_fds());
		}
	}
	stream_free(&stream);
}

TEST_F(vf, error_is_left_by_reset_alone)
{
	uint32_t to;
	int fd, ret;

	/* A truncated stream: the device stays in RESUMING or goes to ERROR. */
	fd = must(mig_session(self->v.fd, RESUMING));
	ret = mig_set(self->v.fd, STOP, NULL);
	EXPECT_TRUE(ret == -EINVAL || ret == -EIO);
	sys_close(fd);
	ret = mig_get(self->v.fd);
	EXPECT_TRUE(ret == RESUMING || ret == ERROR);
	if (ret == ERROR)
		for (to = 0; to < NR_STATES; to++)
			EXPECT_EQ(-EINVAL, mig_set(self->v.fd, to, NULL));
	EXPECT_EQ(0, device_reset(&self->v));
	EXPECT_EQ(RUNNING, mig_get(self->v.fd));
	EXPECT_EQ(0, mig_set(self->v.fd, STOP_COPY, NULL));
}

TEST_F(vf, next_user_finds_it_running)
{
	static const uint32_t states[] = { STOP, STOP_COPY, RESUMING };
	const char *bdf = self->v.bdf;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		must(mig_set(self->v.fd, states[i], NULL));
		vdev_close(&self->v);
		vdev_open(&self->v, bdf, DRV_IGBVF_VFIO);
		EXPECT_EQ(RUNNING, mig_get(self->v.fd));
	}
}

TEST_HARNESS_MAIN
