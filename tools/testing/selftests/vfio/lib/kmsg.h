/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * New messages of the kernel log.
 */
#ifndef VFIO_TEST_KMSG_H
#define VFIO_TEST_KMSG_H

#include <stdbool.h>

/* Opens the log at its end. */
int kmsg_open(void);
/*
 * Has the kernel logged a message of device @bdf with @text since kmsg_open()
 * or the last call?
 */
bool kmsg_said(int fd, const char *bdf, const char *text);

#endif
