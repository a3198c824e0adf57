/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of DMA logging by vfio-pci-migration.ko, in the trace system of
 * vfio.h and vfio_migration.h.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vfio
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE vfio_dma_log

#if !defined(_TRACE_VFIO_DMA_LOG_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_VFIO_DMA_LOG_H

#include <linux/device.h>
#include <linux/tracepoint.h>
#include <linux/vfio.h>

/* In place of the number of a ring */
#define VFIO_DMA_LOG_NO_RING	(-1)

/* A START has ended; @ranges: how many it names, @duration: ns */
TRACE_EVENT(vfio_dma_log_start,
	TP_PROTO(struct vfio_device *device, u32 ranges, int result,
		 u64 duration),

	TP_ARGS(device, ranges, result, duration),

	TP_STRUCT__entry(
		__string(device, dev_name(device->dev))
		__field(u32, ranges)
		__field(int, result)
		__field(u64, duration)
	),

	TP_fast_assign(
		__assign_str(device);
		__entry->ranges = ranges;
		__entry->result = result;
		__entry->duration = duration;
	),

	TP_printk("%s: %u ranges: result %d, %llu ns", __get_str(device),
		  __entry->ranges, __entry->result, __entry->duration)
);

/*
 * A REPORT, or a part of one, has ended: it has reported @pages pages of 4 KiB,
 * in @runs runs of adjacent pages.  @duration: ns
 */
TRACE_EVENT(vfio_dma_log_report,
	TP_PROTO(struct vfio_device *device, u64 iova, u64 length, u64 pages,
		 u64 runs, u64 duration),

	TP_ARGS(device, iova, length, pages, runs, duration),

	TP_STRUCT__entry(
		__string(device, dev_name(device->dev))
		__field(u64, iova)
		__field(u64, length)
		__field(u64, pages)
		__field(u64, runs)
		__field(u64, duration)
	),

	TP_fast_assign(
		__assign_str(device);
		__entry->iova = iova;
		__entry->length = length;
		__entry->pages = pages;
		__entry->runs = runs;
		__entry->duration = duration;
	),

	TP_printk("%s: %#llx bytes at %#llx: %llu pages in %llu runs, %llu ns",
		  __get_str(device), __entry->length, __entry->iova,
		  __entry->pages, __entry->runs, __entry->duration)
);

/* Logging has ended, by STOP or because the device was closed. */
TRACE_EVENT(vfio_dma_log_stop,
	TP_PROTO(struct vfio_device *device),

	TP_ARGS(device),

	TP_STRUCT__entry(
		__string(device, dev_name(device->dev))
	),

	TP_fast_assign(
		__assign_str(device);
	),

	TP_printk("%s", __get_str(device))
);

/*
 * More memory counts as written to than the device has written to.  @all: all
 * ranges of START, because the buffers of @ring cannot be known, for as long as
 * the ring is in use.  Else: 128 MiB around a buffer of @ring, because no bitmap
 * could be allocated; or, with VFIO_DMA_LOG_NO_RING, around other memory that
 * the device writes, such as a ring itself
 */
TRACE_EVENT(vfio_dma_log_overflow,
	TP_PROTO(struct vfio_device *device, int ring, bool all),

	TP_ARGS(device, ring, all),

	TP_STRUCT__entry(
		__string(device, dev_name(device->dev))
		__field(int, ring)
		__field(bool, all)
	),

	TP_fast_assign(
		__assign_str(device);
		__entry->ring = ring;
		__entry->all = all;
	),

	TP_printk("%s: ring %d: %s", __get_str(device), __entry->ring,
		  __entry->all ? "all memory" : "128 MiB")
);

#endif /* _TRACE_VFIO_DMA_LOG_H */

/* This must be outside the protection above. */
#include <trace/define_trace.h>
