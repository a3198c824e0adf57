/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctls that the devices of vfio_mock.ko have besides those of VFIO, on
 * the device fd.  Shared by the module and the tests.
 *
 * There is one device for each legal set of migration flags, vfio_mock.FLAGS.
 */
#ifndef VFIO_MOCK_H
#define VFIO_MOCK_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/vfio.h>

#define MOCK_BASE	(VFIO_BASE + 80)

/**
 * struct mock_next_state - ask vfio_mig_get_next_state()
 * @flags: migration flags of the device for this call
 * @cur: state that it is in
 * @new: state that is asked for
 * @ret: out: the result of the function
 * @next: out: the next state
 */
struct mock_next_state {
	__u32 flags;
	__u32 cur;
	__u32 new;
	__s32 ret;
	__u32 next;
};

#define MOCK_NEXT_STATE	_IO(VFIO_TYPE, MOCK_BASE + 0)

/**
 * struct mock_arcs - the arcs that the device took since the last call
 * @count: number of arcs; those beyond MOCK_ARCS_MAX are only counted
 * @arc: from and to
 */
#define MOCK_ARCS_MAX	16

struct mock_arcs {
	__u32 count;
	struct {
		__u8 from;
		__u8 to;
	} arc[MOCK_ARCS_MAX];
};

#define MOCK_ARCS	_IO(VFIO_TYPE, MOCK_BASE + 1)

/**
 * struct mock_fail - make one arc fail, once
 * @from: where the arc begins
 * @to: where it ends
 * @error: errno to fail with, positive
 * @broken: the device goes to ERROR, too
 */
struct mock_fail {
	__u32 from;
	__u32 to;
	__u32 error;
	__u32 broken;
};

#define MOCK_FAIL	_IO(VFIO_TYPE, MOCK_BASE + 2)

/**
 * struct mock_pin - vfio_pin_pages() or vfio_unpin_pages()
 * @iova: IOVA of the first page
 * @npage: pages; at most MOCK_PIN_MAX are pinned at a time
 * @write: pin for writing
 * @first: out, pin: the first 8 bytes of each page
 */
#define MOCK_PIN_MAX	16

struct mock_pin {
	__u64 iova;
	__u32 npage;
	__u32 write;
	__u64 first[MOCK_PIN_MAX];
};

/* Returns what vfio_pin_pages() does: the number of pages */
#define MOCK_PIN	_IO(VFIO_TYPE, MOCK_BASE + 3)
#define MOCK_UNPIN	_IO(VFIO_TYPE, MOCK_BASE + 4)

/**
 * struct mock_dma - vfio_dma_rw()
 * @iova: where
 * @data: user memory
 * @len: bytes, at most MOCK_DMA_MAX
 * @write: to @iova, else from there
 */
#define MOCK_DMA_MAX	(1 << 20)

struct mock_dma {
	__u64 iova;
	__u64 data;
	__u32 len;
	__u32 write;
};

#define MOCK_DMA	_IO(VFIO_TYPE, MOCK_BASE + 5)

/**
 * struct mock_events - callbacks of the core since the device was opened
 * @unmaps: dma_unmap callbacks
 * @unmap_iova: of the last one
 * @unmap_length: of the last one
 * @requests: request callbacks
 */
struct mock_events {
	__u64 unmap_iova;
	__u64 unmap_length;
	__u32 unmaps;
	__u32 requests;
};

#define MOCK_EVENTS	_IO(VFIO_TYPE, MOCK_BASE + 6)

/**
 * struct mock_log_range - a range of addresses
 * @iova: first
 * @length: bytes
 */
struct mock_log_range {
	__u64 iova;
	__u64 length;
};

/* The device writes to the range: what is in the ranges of START is logged. */
#define MOCK_LOG_WRITE	_IO(VFIO_TYPE, MOCK_BASE + 7)

/**
 * struct mock_log_control - how DMA logging behaves until the last close
 * @page_size: bytes of a page of the log; 0: as the user asks
 * @start_unmaps: address of a page that the next log_start unmaps
 * @start_errno: errno with which log_start fails, positive; 0: no failure
 * @stop_errno: likewise for log_stop
 * @read_errno: likewise for log_read_and_clear
 * @good_reads: calls of log_read_and_clear that succeed before @read_errno
 */
struct mock_log_control {
	__u64 page_size;
	__u64 start_unmaps;
	__u32 start_errno;
	__u32 stop_errno;
	__u32 read_errno;
	__u32 good_reads;
};

#define MOCK_LOG_CONTROL	_IO(VFIO_TYPE, MOCK_BASE + 8)

/**
 * struct mock_log_info - what the core has called since the module was loaded
 * @page_size: bytes of a page of the log, since the last start
 * @on: logging is on
 * @starts: calls of log_start
 * @stops: calls of log_stop
 * @reads: calls of log_read_and_clear
 * @broken_promises: calls that the core must not make at all or in this way
 * @nranges: ranges of the last start
 * @range: these ranges, lowest first
 */
#define MOCK_LOG_RANGES	256U

struct mock_log_info {
	__u64 page_size;
	__u32 on;
	__u32 starts;
	__u32 stops;
	__u32 reads;
	__u32 broken_promises;
	__u32 nranges;
	struct mock_log_range range[MOCK_LOG_RANGES];
};

#define MOCK_LOG_INFO	_IO(VFIO_TYPE, MOCK_BASE + 9)

/**
 * struct mock_state - the device state, until the last close
 * @size: bytes of the stream
 * @initial: bytes of the stream that can be read in PRE_COPY
 * @delay_ms: milliseconds that a read or write takes for each 4096 bytes
 * @any: any stream can be loaded; else only the right and complete one
 *
 * Takes effect with the next session.
 */
struct mock_state {
	__u64 size;
	__u64 initial;
	__u32 delay_ms;
	__u32 any;
};

#define MOCK_STATE	_IO(VFIO_TYPE, MOCK_BASE + 10)

/**
 * struct mock_hold - make threads wait at a point that may be slow
 * @where: MOCK_HOLD_*; 0: nowhere, and threads that wait go on, as they do in
 *	the last close
 * @held: out: threads that wait
 *
 * A thread that is being killed waits no longer.
 */
struct mock_hold {
	__u32 where;
	__u32 held;
};

/* In the dma_unmap callback: an ioctl of the container that does not end */
#define MOCK_HOLD_UNMAP	(1 << 0)
/*
 * In the page fault of the first write to a mapping of the device, which has
 * one page: memory that is slow, as that of userfaultfd or of a FUSE file
 */
#define MOCK_HOLD_WRITE	(1 << 1)

#define MOCK_HOLD	_IO(VFIO_TYPE, MOCK_BASE + 11)

/* The byte at @offset of every stream; its period is no power of two */
#define MOCK_PERIOD	65521

static inline __u8 mock_pattern(__u64 offset)
{
	return ((__u32)(offset % MOCK_PERIOD) * 2654435761U) >> 24;
}

#endif
