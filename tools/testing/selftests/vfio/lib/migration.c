// SPDX-License-Identifier: GPL-2.0-only
/*
 * Migration states and streams.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "migration.h"
#include "util.h"

/* Larger than the state of any device under test */
#define STREAM_LIMIT	(64 * MiB)

const char *mig_state_name(uint32_t state)
{
	static const char * const names[] = {
		[ERROR] = "ERROR",
		[STOP] = "STOP",
		[RUNNING] = "RUNNING",
		[STOP_COPY] = "STOP_COPY",
		[RESUMING] = "RESUMING",
		[RUNNING_P2P] = "RUNNING_P2P",
		[PRE_COPY] = "PRE_COPY",
		[PRE_COPY_P2P] = "PRE_COPY_P2P",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "(no state)";
}

int mig_flags(int device)
{
	struct vfio_device_feature_migration mig = {};
	int ret;

	ret = feature(device, VFIO_DEVICE_FEATURE_GET |
			      VFIO_DEVICE_FEATURE_MIGRATION,
		      &mig, sizeof(mig));
	return ret ?: (int)mig.flags;
}

int mig_get(int device)
{
	struct vfio_device_feature_mig_state mig = { .data_fd = 12345 };
	int ret;

	ret = feature(device, VFIO_DEVICE_FEATURE_GET |
			      VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
		      &mig, sizeof(mig));
	if (!ret && mig.data_fd != -1)
		die("GET of the migration state gave data_fd %d", mig.data_fd);
	return ret ?: (int)mig.device_state;
}

int mig_set(int device, uint32_t state, int *data_fd)
{
	struct vfio_device_feature_mig_state mig = {
		.device_state = state,
		.data_fd = 12345,
	};
	int ret;

	ret = feature(device, VFIO_DEVICE_FEATURE_SET |
			      VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
		      &mig, sizeof(mig));
	if (data_fd)
		*data_fd = mig.data_fd;
	else if (!ret && mig.data_fd != -1)
		sys_close(mig.data_fd);
	return ret;
}

int mig_session(int device, uint32_t state)
{
	int fd, ret;

	ret = mig_set(device, state, &fd);
	if (!ret && fd < 0)
		die("no data fd for %s", mig_state_name(state));
	return ret ?: fd;
}

int mig_reset_to(const struct vdev *v, uint32_t state)
{
	int fd = -1;

	must(device_reset(v));
	must(mig_set(v->fd, state, &fd));
	return fd;
}

int64_t mig_data_size(int device)
{
	struct vfio_device_feature_mig_data_size size = {};
	int ret;

	ret = feature(device, VFIO_DEVICE_FEATURE_GET |
			      VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
		      &size, sizeof(size));
	return ret ?: (int64_t)size.stop_copy_length;
}

struct stream stream_read(int fd, size_t chunk)
{
	struct stream s = {};
	size_t room = 0;
	ssize_t ret;

	for (;;) {
		if (s.size + chunk > room) {
			room = 2 * room + chunk;
			s.data = realloc(s.data, room);
		}
		ret = must(sys_read(fd, s.data + s.size, chunk));
		if (!ret)
			return s;
		s.size += ret;
		if (s.size > STREAM_LIMIT)
			die("stream does not end");
	}
}

void stream_read_on(int fd, struct stream *s, size_t chunk)
{
	ssize_t ret;

	for (;;) {
		s->data = realloc(s->data, s->size + chunk);
		ret = sys_read(fd, s->data + s->size, chunk);
		if (!ret || ret == -ENOMSG)
			return;
		s->size += must(ret);
	}
}

int stream_write(int fd, const void *data, size_t size, size_t chunk)
{
	const uint8_t *at = data;
	ssize_t ret;

	while (size) {
		if (chunk > size)
			chunk = size;
		ret = sys_write(fd, at, chunk);
		if (ret < 0)
			return ret;
		if (!ret || (size_t)ret > chunk)
			die("write of %zu gave %zd", chunk, ret);
		at += ret;
		size -= ret;
	}
	return 0;
}

struct stream stream_copy(const struct stream *from)
{
	struct stream s = { .data = malloc(from->size), .size = from->size };

	memcpy(s.data, from->data, s.size);
	return s;
}

void stream_free(struct stream *stream)
{
	free(stream->data);
	*stream = (struct stream){};
}

size_t stream_diff(const struct stream *a, const struct stream *b)
{
	size_t i;

	for (i = 0; i < a->size && i < b->size; i++)
		if (a->data[i] != b->data[i])
			return i + 1;
	return a->size == b->size ? 0 : i + 1;
}

struct stream device_save(int device)
{
	struct stream s;
	int fd;

	fd = must(mig_session(device, STOP_COPY));
	s = stream_read(fd, 4096);
	must(mig_set(device, STOP, NULL));
	sys_close(fd);
	return s;
}

int device_load(int device, const struct stream *stream)
{
	int fd, ret;

	fd = must(mig_session(device, RESUMING));
	ret = stream_write(fd, stream->data, stream->size, stream->size);
	if (!ret)
		ret = mig_set(device, STOP, NULL);
	sys_close(fd);
	return ret;
}
