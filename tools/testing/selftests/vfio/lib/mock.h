/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual devices of vfio_mock.ko.
 */
#ifndef VFIO_TEST_MOCK_H
#define VFIO_TEST_MOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "vfio_mock.h"

#include "device.h"

/* Opens the virtual device with this name, of any test module. */
void platform_open(struct vdev *v, const char *name);

/* Opens the mock device with these migration flags. */
void mock_open(struct vdev *v, unsigned int flags);

/* The result of vfio_mig_get_next_state(): 0 and *@next, or -errno. */
int mock_next_state(const struct vdev *v, unsigned int flags,
		    unsigned int cur, unsigned int new, unsigned int *next);

/* The arcs that the device took since the last call. */
struct mock_arcs mock_arcs(const struct vdev *v);

void mock_fail(const struct vdev *v, unsigned int from, unsigned int to,
	       int error, bool broken);

/* The state that later data sessions save or expect. */
void mock_set_state(const struct vdev *v, struct mock_state state);

/* Each returns what the core's function returned. */
int mock_pin(const struct vdev *v, uint64_t iova, unsigned int npage,
	     uint64_t *first);
void mock_unpin(const struct vdev *v, uint64_t iova, unsigned int npage);
int mock_dma(const struct vdev *v, uint64_t iova, void *data, uint32_t len,
	     bool write);
struct mock_events mock_events(const struct vdev *v);

/* Makes threads wait at @where from now on; returns how many wait there now. */
unsigned int mock_hold(const struct vdev *v, uint32_t where);

/* DMA logging: logs a write; sets the driver's behaviour; counts its calls. */
void mock_log_write(const struct vdev *v, uint64_t iova, uint64_t length);
void mock_log_control(const struct vdev *v, struct mock_log_control control);
struct mock_log_info mock_log_info(const struct vdev *v);

#endif
