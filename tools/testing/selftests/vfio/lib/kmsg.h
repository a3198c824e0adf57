/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel log, from now on: what an operator is told.
 */
#ifndef VFIO_TEST_KMSG_H
#define VFIO_TEST_KMSG_H

#include <stdbool.h>

/* Opens the log at its end. */
int kmsg_open(void);
/*
 * Has a message of the device @bdf with @text come since it was opened, or
 * since the last call?
 */
bool kmsg_said(int fd, const char *bdf, const char *text);

#endif
