/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The migration features of a device and its data streams.
 */
#ifndef VFIO_TEST_MIGRATION_H
#define VFIO_TEST_MIGRATION_H

#include <linux/vfio.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "device.h"

/* Short names, for tables and messages. */
enum mig_state {
	ERROR = VFIO_DEVICE_STATE_ERROR,
	STOP = VFIO_DEVICE_STATE_STOP,
	RUNNING = VFIO_DEVICE_STATE_RUNNING,
	STOP_COPY = VFIO_DEVICE_STATE_STOP_COPY,
	RESUMING = VFIO_DEVICE_STATE_RESUMING,
	RUNNING_P2P = VFIO_DEVICE_STATE_RUNNING_P2P,
	PRE_COPY = VFIO_DEVICE_STATE_PRE_COPY,
	PRE_COPY_P2P = VFIO_DEVICE_STATE_PRE_COPY_P2P,
	NR_STATES = VFIO_DEVICE_STATE_PRE_COPY_P2P + 1,
};

const char *mig_state_name(uint32_t state);

/* VFIO_MIGRATION_* of the device, or -errno. */
int mig_flags(int device);
/* The state, or -errno. */
int mig_get(int device);
/*
 * SET of the state: 0 or -errno.  *@data_fd, if not NULL, is the kernel's
 * data_fd, on an error as well.
 */
int mig_set(int device, uint32_t state, int *data_fd);
/* Goes to @state, which opens a session: its fd, or -errno. */
int mig_session(int device, uint32_t state);
/*
 * Resets the device and goes to @state: the session's fd, -1 if there is none.
 */
int mig_reset_to(const struct vdev *v, uint32_t state);
/* The estimate of VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, or -errno. */
int64_t mig_data_size(int device);

/* A stream of device state. */
struct stream {
	uint8_t *data;
	size_t size;
};

/* Reads to the end, @chunk bytes at a time. */
struct stream stream_read(int fd, size_t chunk);
/* Appends to @s, to the end or, in PRE_COPY, to the temporary end. */
void stream_read_on(int fd, struct stream *s, size_t chunk);
/* Writes all, @chunk bytes at a time: 0, or the -errno of a failed write. */
int stream_write(int fd, const void *data, size_t size, size_t chunk);
struct stream stream_copy(const struct stream *from);
void stream_free(struct stream *stream);
/* 0 if equal, else 1 + the offset of the first byte that differs. */
size_t stream_diff(const struct stream *a, const struct stream *b);

/* RUNNING -> STOP_COPY, read all, -> STOP. */
struct stream device_save(int device);
/*
 * -> RESUMING, write all, -> STOP: 0, or the -errno of the step that failed;
 * the device stays in the state in which that step left it.
 */
int device_load(int device, const struct stream *stream);

#endif
