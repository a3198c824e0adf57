// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chains of capabilities, which the *_GET_INFO ioctls return behind their
 * structures.  A chain is built in kernel memory with offsets from its own
 * start; before it is copied, the offsets are changed to count from the start
 * of the structure.
 */
#include <linux/align.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "private.h"

/* Each capability starts at a multiple of this. */
#define VFIO_INFO_CAP_ALIGN	sizeof(u64)

static struct vfio_info_cap_header *vfio_info_cap_at(struct vfio_info_cap *caps,
						     size_t offset)
{
	return (void *)caps->buf + offset;
}

/**
 * vfio_info_cap_add - append a capability to a chain
 * @caps: the chain
 * @size: bytes, with the header
 * @id: VFIO_*_INFO_CAP_*
 * @version: of the capability
 *
 * Return: the new capability, zeroed except for its header, and valid until the
 * next call; or an ERR_PTR(), and the chain is freed and empty.
 */
struct vfio_info_cap_header *vfio_info_cap_add(struct vfio_info_cap *caps,
					       size_t size, u16 id,
					       u16 version)
{
	struct vfio_info_cap_header *header, *last;
	size_t start = caps->size;
	void *buf;

	size = ALIGN(size, VFIO_INFO_CAP_ALIGN);
	buf = krealloc(caps->buf, start + size, GFP_KERNEL_ACCOUNT);
	if (!buf) {
		kfree(caps->buf);
		caps->buf = NULL;
		caps->size = 0;
		return ERR_PTR(-ENOMEM);
	}
	memset(buf + start, 0, size);
	caps->buf = buf;
	caps->size = start + size;

	header = vfio_info_cap_at(caps, start);
	header->id = id;
	header->version = version;

	if (start) {
		last = caps->buf;
		while (last->next)
			last = vfio_info_cap_at(caps, last->next);
		last->next = start;
	}
	return header;
}
EXPORT_SYMBOL_GPL(vfio_info_cap_add);

/**
 * vfio_info_cap_shift - add an offset to all links of a chain
 * @caps: the chain; nothing may be added to it afterwards
 * @offset: where the chain will start, from the start of the structure
 */
void vfio_info_cap_shift(struct vfio_info_cap *caps, size_t offset)
{
	struct vfio_info_cap_header *header;
	size_t next;

	if (!caps->size)
		return;

	header = caps->buf;
	while (header->next) {
		next = header->next;
		header->next += offset;
		header = vfio_info_cap_at(caps, next);
	}
}
EXPORT_SYMBOL(vfio_info_cap_shift);

/**
 * vfio_info_add_capability - append a copy of a capability to a chain
 * @caps: the chain
 * @cap: the capability
 * @size: bytes, with the header
 *
 * Return: 0 or a negative errno, and the chain is freed and empty.
 */
int vfio_info_add_capability(struct vfio_info_cap *caps,
			     struct vfio_info_cap_header *cap, size_t size)
{
	struct vfio_info_cap_header *header;

	header = vfio_info_cap_add(caps, size, cap->id, cap->version);
	if (IS_ERR(header))
		return PTR_ERR(header);

	memcpy(header + 1, cap + 1, size - sizeof(*header));
	return 0;
}
EXPORT_SYMBOL(vfio_info_add_capability);
