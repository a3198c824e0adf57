// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer for streams from bytes to gigabytes.  It consists of chunks that are
 * allocated when bytes are added and freed when all of their bytes are taken,
 * so it needs little contiguous memory whatever the size of the stream.
 *
 * The producer publishes bytes by moving end, and the consumer frees chunks
 * before start.  Neither writes what the other writes, so there is no lock.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "private.h"

void vfio_mig_buffer_init(struct vfio_mig_buffer *buffer)
{
	xa_init_flags(&buffer->chunks, XA_FLAGS_ACCOUNT);
	buffer->start = 0;
	buffer->end = 0;
}

void vfio_mig_buffer_free(struct vfio_mig_buffer *buffer)
{
	unsigned long index;
	void *chunk;

	xa_for_each(&buffer->chunks, index, chunk)
		kvfree(chunk);
	xa_destroy(&buffer->chunks);
	buffer->start = buffer->end;
}

/* Returns how many bytes can be taken. */
unsigned long vfio_mig_buffer_fill(const struct vfio_mig_buffer *buffer)
{
	/* Pairs with the release in add(): the bytes before end are written. */
	return smp_load_acquire(&buffer->end) - READ_ONCE(buffer->start);
}

/* The chunk to which the next byte is added: allocated if needed */
static void *buffer_last_chunk(struct vfio_mig_buffer *buffer)
{
	unsigned long index = buffer->end / VFIO_MIG_CHUNK;
	void *chunk;
	int ret;

	chunk = xa_load(&buffer->chunks, index);
	if (chunk)
		return chunk;
	chunk = kvmalloc(VFIO_MIG_CHUNK, GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return ERR_PTR(-ENOMEM);
	ret = xa_err(xa_store(&buffer->chunks, index, chunk,
			      GFP_KERNEL_ACCOUNT));
	if (ret) {
		kvfree(chunk);
		return ERR_PTR(ret);
	}
	return chunk;
}

/* Called between two chunks: should a long copy stop here? */
static bool buffer_interrupted(void)
{
	cond_resched();
	return signal_pending(current);
}

ssize_t vfio_mig_buffer_add(struct vfio_mig_buffer *buffer,
			    struct iov_iter *from)
{
	size_t offset, part, copied;
	ssize_t done = 0;
	void *chunk;

	while (iov_iter_count(from)) {
		chunk = buffer_last_chunk(buffer);
		if (IS_ERR(chunk))
			return done ?: PTR_ERR(chunk);
		offset = buffer->end % VFIO_MIG_CHUNK;
		part = min(iov_iter_count(from), VFIO_MIG_CHUNK - offset);
		copied = copy_from_iter(chunk + offset, part, from);
		/* Pairs with the acquire in fill(). */
		smp_store_release(&buffer->end, buffer->end + copied);
		done += copied;
		if (copied < part)
			return done ?: -EFAULT;
		if (user_backed_iter(from) && buffer_interrupted())
			break;
	}
	return done;
}

ssize_t vfio_mig_buffer_take(struct vfio_mig_buffer *buffer,
			     struct iov_iter *to)
{
	size_t left = vfio_mig_buffer_fill(buffer);
	size_t offset, part, copied;
	unsigned long index;
	ssize_t done = 0;

	while (left && iov_iter_count(to)) {
		index = buffer->start / VFIO_MIG_CHUNK;
		offset = buffer->start % VFIO_MIG_CHUNK;
		part = min3(iov_iter_count(to), left, VFIO_MIG_CHUNK - offset);
		copied = copy_to_iter(xa_load(&buffer->chunks, index) + offset,
				      part, to);
		WRITE_ONCE(buffer->start, buffer->start + copied);
		if (offset + copied == VFIO_MIG_CHUNK)
			kvfree(xa_erase(&buffer->chunks, index));
		done += copied;
		left -= copied;
		if (copied < part)
			return done ?: -EFAULT;
		if (buffer_interrupted())
			break;
	}
	return done;
}

int vfio_mig_buffer_peek(struct vfio_mig_buffer *buffer, u64 pos, void *data,
			 size_t len)
{
	size_t offset, part;

	if (pos > buffer->end || len > buffer->end - pos ||
	    pos < buffer->start)
		return -EINVAL;
	for (; len; len -= part, data += part, pos += part) {
		offset = pos % VFIO_MIG_CHUNK;
		part = min(len, VFIO_MIG_CHUNK - offset);
		memcpy(data, xa_load(&buffer->chunks, pos / VFIO_MIG_CHUNK) +
			     offset, part);
	}
	return 0;
}
