/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Access to mapped registers that the kernel may answer with SIGBUS, from any
 * thread.
 */
#ifndef VFIO_TEST_SIGBUS_H
#define VFIO_TEST_SIGBUS_H

#include <stdint.h>

/* Comes before the first access.  A SIGBUS elsewhere fails the test. */
void sigbus_catch(void);

/* 0, or -EFAULT if the access raised SIGBUS. */
int try_read(volatile uint32_t *mem, uint32_t *value);
int try_write(volatile uint32_t *mem, uint32_t value);

#endif
