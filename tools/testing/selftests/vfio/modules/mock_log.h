/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DMA logging of the mock devices, for mock_main.c.
 */
#ifndef MOCK_LOG_H
#define MOCK_LOG_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/vfio.h>

#include "vfio_mock.h"

/**
 * struct mock_log - the DMA log of a device
 * @lock: protects the other members, except @busy
 * @busy: callbacks that are running
 * @dirty: what was written to and not reported yet: list of struct mock_dirty
 * @control: what the test has asked for
 * @info: what the core has done
 */
struct mock_log {
	struct mutex lock;
	atomic_t busy;
	struct list_head dirty;
	struct mock_log_control control;
	struct mock_log_info info;
};

void mock_log_init(struct mock_log *log);
void mock_log_open(struct mock_log *log);
void mock_log_close(struct mock_log *log);

int mock_log_start(struct mock_log *log, struct rb_root_cached *ranges,
		   u32 nnodes, u64 *page_size);
int mock_log_stop(struct mock_log *log);
int mock_log_read_and_clear(struct mock_log *log, unsigned long iova,
			    unsigned long length, struct iova_bitmap *dirty);

/* The ioctls MOCK_LOG_* */
long mock_log_ioctl(struct mock_log *log, unsigned int cmd,
		    void __user *user);

#endif
