/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For programs that run until SIGTERM and then print their results.
 */
#ifndef DEMO_SIGTERM_H
#define DEMO_SIGTERM_H

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t stop;

static void on_sigterm(int sig)
{
	(void)sig;
	stop = 1;
}

/* From here on, SIGTERM sets @stop and interrupts system calls. */
static inline void stop_on_sigterm(void)
{
	struct sigaction action = { .sa_handler = on_sigterm };

	sigaction(SIGTERM, &action, NULL);
}

#endif
