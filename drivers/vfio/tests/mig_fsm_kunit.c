// SPDX-License-Identifier: GPL-2.0-only
/*
 * The next state on every path, compared with a search over the arcs that the
 * migration protocol lists.  The search and the lists are independent of
 * mig_fsm.c: they share no table and no rule with it.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/limits.h>
#include <linux/vfio.h>

#include "../mig_fsm.h"
#include "../private.h"

#define NR_STATES	8
#define S(name)		BIT(VFIO_DEVICE_STATE_##name)
#define SAVING		(S(STOP_COPY) | S(PRE_COPY) | S(PRE_COPY_P2P))

/**
 * struct offer - what a device with certain flags implements
 * @name: of the set of flags
 * @flags: VFIO_MIGRATION_*
 * @states: states, as bits
 * @arcs: for each state, the states that one arc leads to
 */
struct offer {
	const char *name;
	unsigned int flags;
	unsigned int states;
	unsigned int arcs[NR_STATES];
};

static const struct offer offers[] = {
	{
		.name = "STOP_COPY",
		.flags = VFIO_MIGRATION_STOP_COPY,
		.states = S(STOP) | S(RUNNING) | S(STOP_COPY) | S(RESUMING),
		.arcs = {
			[VFIO_DEVICE_STATE_RUNNING] = S(STOP),
			[VFIO_DEVICE_STATE_STOP] = S(RUNNING) | S(STOP_COPY) |
						   S(RESUMING),
			[VFIO_DEVICE_STATE_STOP_COPY] = S(STOP),
			[VFIO_DEVICE_STATE_RESUMING] = S(STOP),
		},
	},
	{
		.name = "STOP_COPY, P2P",
		.flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P,
		.states = S(STOP) | S(RUNNING) | S(STOP_COPY) | S(RESUMING) |
			  S(RUNNING_P2P),
		.arcs = {
			[VFIO_DEVICE_STATE_RUNNING] = S(RUNNING_P2P),
			[VFIO_DEVICE_STATE_RUNNING_P2P] = S(RUNNING) | S(STOP),
			[VFIO_DEVICE_STATE_STOP] = S(RUNNING_P2P) |
						   S(STOP_COPY) | S(RESUMING),
			[VFIO_DEVICE_STATE_STOP_COPY] = S(STOP),
			[VFIO_DEVICE_STATE_RESUMING] = S(STOP),
		},
	},
	{
		.name = "STOP_COPY, PRE_COPY",
		.flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY,
		.states = S(STOP) | S(RUNNING) | S(STOP_COPY) | S(RESUMING) |
			  S(PRE_COPY),
		.arcs = {
			[VFIO_DEVICE_STATE_RUNNING] = S(STOP) | S(PRE_COPY),
			[VFIO_DEVICE_STATE_PRE_COPY] = S(RUNNING) |
						       S(STOP_COPY),
			[VFIO_DEVICE_STATE_STOP] = S(RUNNING) | S(STOP_COPY) |
						   S(RESUMING),
			[VFIO_DEVICE_STATE_STOP_COPY] = S(STOP),
			[VFIO_DEVICE_STATE_RESUMING] = S(STOP),
		},
	},
	{
		.name = "STOP_COPY, P2P, PRE_COPY",
		.flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
			 VFIO_MIGRATION_PRE_COPY,
		.states = GENMASK(NR_STATES - 1, 0) & ~S(ERROR),
		.arcs = {
			[VFIO_DEVICE_STATE_RUNNING] = S(RUNNING_P2P) |
						      S(PRE_COPY),
			[VFIO_DEVICE_STATE_RUNNING_P2P] = S(RUNNING) | S(STOP) |
							  S(PRE_COPY_P2P),
			[VFIO_DEVICE_STATE_PRE_COPY] = S(RUNNING) |
						       S(PRE_COPY_P2P),
			[VFIO_DEVICE_STATE_PRE_COPY_P2P] = S(RUNNING_P2P) |
							   S(PRE_COPY) |
							   S(STOP_COPY),
			[VFIO_DEVICE_STATE_STOP] = S(RUNNING_P2P) |
						   S(STOP_COPY) | S(RESUMING),
			[VFIO_DEVICE_STATE_STOP_COPY] = S(STOP),
			[VFIO_DEVICE_STATE_RESUMING] = S(STOP),
		},
	},
};

static void offer_desc(const struct offer *offer, char *desc)
{
	strscpy(desc, offer->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(offer, offers, offer_desc);

/*
 * Breadth-first search from @from for all shortest paths at once: @hops
 * collects, for each state of a layer, the first states of the paths that lead
 * there.  Returns the first states of all shortest paths to @to, as bits.
 */
static unsigned int search(const struct offer *offer, unsigned int from,
			   unsigned int to)
{
	unsigned int hops[NR_STATES] = {}, next[NR_STATES];
	bool inside = BIT(from) & SAVING && BIT(to) & SAVING;
	unsigned int visited = BIT(from), layer = BIT(from), step, s, t;

	if (!(BIT(from) & offer->states) || !(BIT(to) & offer->states))
		return 0;
	if (from == to)
		return BIT(to);
	for (step = 0; layer && !(layer & BIT(to)); step++) {
		unsigned int found = 0;

		memset(next, 0, sizeof(next));
		for (s = 0; s < NR_STATES; s++) {
			/* A path within the saving session stays in it. */
			if (!(layer & BIT(s)) ||
			    (s != from && !(BIT(s) & SAVING) == inside))
				continue;
			for (t = 0; t < NR_STATES; t++) {
				if (!(offer->arcs[s] & ~visited & BIT(t)))
					continue;
				found |= BIT(t);
				next[t] |= step ? hops[s] : BIT(t);
			}
		}
		memcpy(hops, next, sizeof(hops));
		visited |= found;
		layer = found;
	}
	return layer ? hops[to] : 0;
}

/* A device that is not registered */
static struct vfio_device *device_with(struct kunit *test, unsigned int flags)
{
	struct vfio_device_private *private;

	private = kunit_kzalloc(test, sizeof(*private), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, private);
	private->device.migration_flags = flags;
	return &private->device;
}

static void next_state_is_the_shortest_way(struct kunit *test)
{
	const struct offer *offer = test->param_value;
	struct vfio_device *device;
	unsigned int from, to, hops, expected;

	device = device_with(test, offer->flags);

	for (from = 0; from < NR_STATES; from++) {
		for (to = 0; to < NR_STATES; to++) {
			enum vfio_device_mig_state next = U8_MAX;
			int ret;

			hops = search(offer, from, to);
			/* There is only one shortest path. */
			KUNIT_ASSERT_LE_MSG(test, hweight32(hops), 1,
					    "%u -> %u", from, to);
			expected = hops ? __ffs(hops) : VFIO_DEVICE_STATE_ERROR;
			KUNIT_EXPECT_EQ_MSG(test, expected,
					    vfio_mig_fsm_next(offer->flags,
							      from, to),
					    "%u -> %u", from, to);
			/* In such a state the driver gets a warning. */
			if (from != VFIO_DEVICE_STATE_ERROR &&
			    !(offer->states & BIT(from)))
				continue;
			ret = vfio_mig_get_next_state(device, from, to, &next);
			KUNIT_EXPECT_EQ_MSG(test, ret, hops ? 0 : -EINVAL,
					    "%u -> %u", from, to);
			KUNIT_EXPECT_EQ_MSG(test, next, expected,
					    "%u -> %u", from, to);
		}
	}
}

static void every_walk_arrives(struct kunit *test)
{
	const struct offer *offer = test->param_value;
	unsigned int from, to, state, next, steps;

	for (from = 0; from < NR_STATES; from++) {
		for (to = 0; to < NR_STATES; to++) {
			if (!search(offer, from, to))
				continue;
			state = from;
			for (steps = 0; state != to && steps < NR_STATES;
			     steps++) {
				next = vfio_mig_fsm_next(offer->flags, state,
							 to);
				KUNIT_ASSERT_TRUE_MSG(test,
						      offer->arcs[state] &
						      BIT(next),
						      "%u -> %u: %u -> %u is no arc",
						      from, to, state, next);
				state = next;
			}
			KUNIT_EXPECT_EQ_MSG(test, state, to, "%u -> %u", from,
					    to);
		}
	}
}

static void states_follow_from_flags(struct kunit *test)
{
	const struct offer *offer = test->param_value;
	unsigned int state;

	for (state = 0; state < 64; state++) {
		bool exists = state < NR_STATES &&
			      (offer->states | S(ERROR)) & BIT(state);

		KUNIT_EXPECT_EQ_MSG(test, exists,
				    !!vfio_mig_fsm_has_state(offer->flags,
							     state),
				    "state %u", state);
	}
	KUNIT_EXPECT_FALSE(test, vfio_mig_fsm_has_state(offer->flags, U32_MAX));
}

static void unknown_states_are_refused(struct kunit *test)
{
	static const unsigned int unknown[] = {
		NR_STATES, NR_STATES + 1, U8_MAX, U8_MAX + 1, U16_MAX,
		INT_MAX, (unsigned int)INT_MAX + 1, U32_MAX
	};
	const struct offer *offer = test->param_value;
	struct vfio_device *device;
	unsigned int from, i;

	device = device_with(test, offer->flags);

	for (from = 0; from < NR_STATES; from++) {
		if (!(offer->states & BIT(from)))
			continue;
		for (i = 0; i < ARRAY_SIZE(unknown); i++) {
			enum vfio_device_mig_state next = U8_MAX;

			KUNIT_EXPECT_EQ(test, -EINVAL,
					vfio_mig_get_next_state(device, from,
								unknown[i],
								&next));
			KUNIT_EXPECT_EQ(test, next, VFIO_DEVICE_STATE_ERROR);
			KUNIT_EXPECT_EQ(test, VFIO_DEVICE_STATE_ERROR,
					vfio_mig_fsm_next(offer->flags, from,
							  unknown[i]));
		}
	}
}

static void four_sets_of_flags_are_legal(struct kunit *test)
{
	unsigned int flags, i;

	for (flags = 0; flags < 256; flags++) {
		bool legal = false;

		for (i = 0; i < ARRAY_SIZE(offers); i++)
			legal |= flags == offers[i].flags;
		KUNIT_EXPECT_EQ_MSG(test, legal,
				    !!vfio_mig_flags_legal(flags),
				    "flags %#x", flags);
	}
	for (i = 0; i < ARRAY_SIZE(offers); i++)
		KUNIT_EXPECT_FALSE(test,
				   vfio_mig_flags_legal(offers[i].flags |
							BIT(31)));
}

static void sessions_are_the_saving_group_and_resuming(struct kunit *test)
{
	unsigned int a, b;

	for (a = 0; a < NR_STATES; a++) {
		KUNIT_EXPECT_EQ_MSG(test, !!vfio_mig_fsm_in_session(a),
				    !!(BIT(a) & (SAVING | S(RESUMING))),
				    "state %u", a);
		for (b = 0; b < NR_STATES; b++) {
			bool same = (BIT(a) & SAVING && BIT(b) & SAVING) ||
				    (a == b && a == VFIO_DEVICE_STATE_RESUMING);

			KUNIT_EXPECT_EQ_MSG(test, same,
					    !!vfio_mig_fsm_same_session(a, b),
					    "states %u, %u", a, b);
		}
	}
}

static struct kunit_case mig_fsm_cases[] = {
	KUNIT_CASE_PARAM(next_state_is_the_shortest_way, offer_gen_params),
	KUNIT_CASE_PARAM(every_walk_arrives, offer_gen_params),
	KUNIT_CASE_PARAM(states_follow_from_flags, offer_gen_params),
	KUNIT_CASE_PARAM(unknown_states_are_refused, offer_gen_params),
	KUNIT_CASE(four_sets_of_flags_are_legal),
	KUNIT_CASE(sessions_are_the_saving_group_and_resuming),
	{}
};

static struct kunit_suite mig_fsm_suite = {
	.name = "vfio_mig_fsm",
	.test_cases = mig_fsm_cases,
};

kunit_test_suite(mig_fsm_suite);
