/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the migration library.  They are in the trace system of
 * vfio.h, but belong to vfio-migration.ko, so they exist on Linux's own
 * vfio.ko, too.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vfio
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE vfio_migration

#if !defined(_TRACE_VFIO_MIGRATION_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_VFIO_MIGRATION_H

#include <linux/device.h>
#include <linux/tracepoint.h>
#include <linux/vfio.h>
#include <trace/events/vfio_mig_states.h>

/*
 * An arc was taken or has failed.  @bytes: when saving, those that the arc has
 * added to the stream; on RESUMING -> STOP, those of the stream that was
 * loaded.
 * @duration: ns
 */
TRACE_EVENT(vfio_mig_arc,
	TP_PROTO(struct vfio_device *device, u32 from, u32 to, int result,
		 u64 bytes, u64 duration),

	TP_ARGS(device, from, to, result, bytes, duration),

	TP_STRUCT__entry(
		__string(device, dev_name(device->dev))
		__field(u32, from)
		__field(u32, to)
		__field(int, result)
		__field(u64, bytes)
		__field(u64, duration)
	),

	TP_fast_assign(
		__assign_str(device);
		__entry->from = from;
		__entry->to = to;
		__entry->result = result;
		__entry->bytes = bytes;
		__entry->duration = duration;
	),

	TP_printk("%s: %s -> %s: result %d, %llu bytes, %llu ns",
		  __get_str(device), show_vfio_mig_state(__entry->from),
		  show_vfio_mig_state(__entry->to), __entry->result,
		  __entry->bytes, __entry->duration)
);

/* A data session begins or ends; @bytes: that the user has read or written */
DECLARE_EVENT_CLASS(vfio_mig_data,
	TP_PROTO(struct vfio_device *device, bool saving, u64 bytes),

	TP_ARGS(device, saving, bytes),

	TP_STRUCT__entry(
		__string(device, dev_name(device->dev))
		__field(bool, saving)
		__field(u64, bytes)
	),

	TP_fast_assign(
		__assign_str(device);
		__entry->saving = saving;
		__entry->bytes = bytes;
	),

	TP_printk("%s: %s, %llu bytes", __get_str(device),
		  __entry->saving ? "save" : "load", __entry->bytes)
);

DEFINE_EVENT(vfio_mig_data, vfio_mig_data_open,
	TP_PROTO(struct vfio_device *device, bool saving, u64 bytes),
	TP_ARGS(device, saving, bytes)
);

DEFINE_EVENT(vfio_mig_data, vfio_mig_data_end,
	TP_PROTO(struct vfio_device *device, bool saving, u64 bytes),
	TP_ARGS(device, saving, bytes)
);

/* The device was reset, by any means, while it was in @state. */
TRACE_EVENT(vfio_mig_reset,
	TP_PROTO(struct vfio_device *device, u32 state),

	TP_ARGS(device, state),

	TP_STRUCT__entry(
		__string(device, dev_name(device->dev))
		__field(u32, state)
	),

	TP_fast_assign(
		__assign_str(device);
		__entry->state = state;
	),

	TP_printk("%s: in %s", __get_str(device),
		  show_vfio_mig_state(__entry->state))
);

#endif /* _TRACE_VFIO_MIGRATION_H */

/* This must be outside the protection above. */
#include <trace/define_trace.h>
