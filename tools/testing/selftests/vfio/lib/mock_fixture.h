/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of programs that test migration states on vfio_mock.ko: a variant
 * for each legal set of flags.  Each such program includes this once.
 */
#ifndef VFIO_TEST_MOCK_FIXTURE_H
#define VFIO_TEST_MOCK_FIXTURE_H

#include "test.h"
#include "device.h"
#include "fsm_oracle.h"
#include "mock.h"

FIXTURE(mock) {
	struct vdev v;
};

FIXTURE_VARIANT(mock) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(mock, stop_copy) {
	.flags = STOP_COPY_FLAG,
};

FIXTURE_VARIANT_ADD(mock, p2p) {
	.flags = STOP_COPY_FLAG | P2P_FLAG,
};

FIXTURE_VARIANT_ADD(mock, pre_copy) {
	.flags = STOP_COPY_FLAG | PRE_COPY_FLAG,
};

FIXTURE_VARIANT_ADD(mock, p2p_pre_copy) {
	.flags = STOP_COPY_FLAG | P2P_FLAG | PRE_COPY_FLAG,
};

FIXTURE_SETUP(mock)
{
	if (stock_modules())
		SKIP(return, "the distribution's state machine is not tested");
	NEED_MODULE("vfio_mock");
	mock_open(&self->v, variant->flags);
}

FIXTURE_TEARDOWN(mock)
{
	vdev_close(&self->v);
}

#endif
