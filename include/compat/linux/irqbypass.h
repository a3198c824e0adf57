/* SPDX-License-Identifier: GPL-2.0-only */
#include_next <linux/irqbypass.h>
#ifndef VFIO_COMPAT_IRQBYPASS_H
#define VFIO_COMPAT_IRQBYPASS_H

#include <linux/version.h>

/*
 * Since Linux 6.17 the eventfd and the interrupt are arguments of the
 * registration; before, the caller sets them in the producer.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
struct vfio_compat_producer {
	struct irq_bypass_producer producer;
	struct eventfd_ctx *token;
	int irq;
};

static inline int
vfio_compat_register_producer(struct vfio_compat_producer *producer)
{
	return irq_bypass_register_producer(&producer->producer,
					    producer->token, producer->irq);
}

static inline void
vfio_compat_unregister_producer(struct vfio_compat_producer *producer)
{
	irq_bypass_unregister_producer(&producer->producer);
}

#define irq_bypass_producer		vfio_compat_producer
#define irq_bypass_register_producer	vfio_compat_register_producer
#define irq_bypass_unregister_producer	vfio_compat_unregister_producer
#endif

#endif /* VFIO_COMPAT_IRQBYPASS_H */
