// SPDX-License-Identifier: GPL-2.0-only
/*
 * Validation of VFIO_DEVICE_SET_IRQS for every bus: checks that the range of
 * interrupts exists and that the payload is complete.  Which actions an
 * interrupt supports is checked by the driver.
 */
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/stddef.h>

#include "private.h"

/* Bytes of payload for each interrupt; negative unless one data type is set */
static int vfio_irq_data_size(u32 flags)
{
	switch (flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		return 0;
	case VFIO_IRQ_SET_DATA_BOOL:
		return sizeof(u8);
	case VFIO_IRQ_SET_DATA_EVENTFD:
		return sizeof(s32);
	default:
		return -EINVAL;
	}
}

/**
 * vfio_set_irqs_validate_and_prepare - check the header of SET_IRQS
 * @hdr: kernel copy of the header
 * @num_irqs: interrupts that the device has at hdr->index
 * @max_irq_type: number of indexes
 * @data_size: out: bytes of payload behind the header, 0 for none; NULL if the
 *	caller supports no payload
 *
 * Return: 0 or -EINVAL.
 */
int vfio_set_irqs_validate_and_prepare(struct vfio_irq_set *hdr, int num_irqs,
				       int max_irq_type, size_t *data_size)
{
	const size_t minsz = offsetofend(struct vfio_irq_set, count);
	size_t payload;
	int size;

	if (data_size)
		*data_size = 0;

	if (hdr->argsz < minsz || hdr->index >= max_irq_type)
		return -EINVAL;
	if (hdr->flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK |
			   VFIO_IRQ_SET_ACTION_TYPE_MASK))
		return -EINVAL;
	if (num_irqs < 0 || hdr->start >= num_irqs ||
	    hdr->count > num_irqs - hdr->start)
		return -EINVAL;

	size = vfio_irq_data_size(hdr->flags);
	if (size <= 0)
		return size;

	payload = (size_t)hdr->count * size;
	if (!data_size || hdr->argsz - minsz < payload)
		return -EINVAL;
	*data_size = payload;
	return 0;
}
EXPORT_SYMBOL(vfio_set_irqs_validate_and_prepare);
