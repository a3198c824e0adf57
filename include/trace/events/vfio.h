/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of vfio.ko: what user space requests from devices.  Those of the
 * migration library, which also runs on Linux's vfio.ko, are in
 * vfio_migration.h.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vfio

#if !defined(_TRACE_VFIO_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_VFIO_H

#include <linux/device.h>
#include <linux/tracepoint.h>
#include <linux/vfio.h>
#include <trace/events/vfio_mig_states.h>

/* A whole SET_STATE; @from is the state before it */
TRACE_EVENT(vfio_mig_set_state,
	TP_PROTO(struct vfio_device *device, u32 from, u32 to, int result,
		 int data_fd, u64 duration),

	TP_ARGS(device, from, to, result, data_fd, duration),

	TP_STRUCT__entry(
		__string(device, dev_name(device->dev))
		__field(u32, from)
		__field(u32, to)
		__field(int, result)
		__field(int, data_fd)
		__field(u64, duration)
	),

	TP_fast_assign(
		__assign_str(device);
		__entry->from = from;
		__entry->to = to;
		__entry->result = result;
		__entry->data_fd = data_fd;
		__entry->duration = duration;
	),

	TP_printk("%s: %s -> %s: result %d, data_fd %d, %llu ns",
		  __get_str(device), show_vfio_mig_state(__entry->from),
		  show_vfio_mig_state(__entry->to), __entry->result,
		  __entry->data_fd, __entry->duration)
);

/* VFIO_DEVICE_RESET */
TRACE_EVENT(vfio_device_reset,
	TP_PROTO(struct vfio_device *device, int result, u64 duration),

	TP_ARGS(device, result, duration),

	TP_STRUCT__entry(
		__string(device, dev_name(device->dev))
		__field(int, result)
		__field(u64, duration)
	),

	TP_fast_assign(
		__assign_str(device);
		__entry->result = result;
		__entry->duration = duration;
	),

	TP_printk("%s: result %d, %llu ns", __get_str(device),
		  __entry->result, __entry->duration)
);

#endif /* _TRACE_VFIO_H */

/* This must be outside the protection above. */
#include <trace/define_trace.h>
