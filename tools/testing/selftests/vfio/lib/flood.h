/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A peer that sends frames continuously from its own thread.  The payload of
 * each frame begins with its number, from 1 on.
 */
#ifndef VFIO_TEST_FLOOD_H
#define VFIO_TEST_FLOOD_H

#include <pthread.h>

#include "nic.h"

struct flood {
	struct peer *peer;
	const uint8_t *mac;
	size_t longest;		/* payload; 0: just the number */
	bool stop;
	uint32_t sent;
	pthread_t thread;
};

/* The caller has set @f->peer and @f->mac. */
void flood_start(struct flood *f);
void flood_stop(struct flood *f);

/* Sends one frame with @len bytes: @number, then random bytes. */
void send_number(struct peer *peer, const uint8_t mac[static 6],
		 uint32_t number, size_t len, uint64_t *seed);

#endif
