/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A peer that sends all the time, from a thread of its own.  The payload of
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

/* @f->peer and @f->mac are set. */
void flood_start(struct flood *f);
void flood_stop(struct flood *f);

/* One frame with @number and random bytes behind, @len in all. */
void send_number(struct peer *peer, const uint8_t mac[static 6],
		 uint32_t number, size_t len, uint64_t *seed);

#endif
