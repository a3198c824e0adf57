// SPDX-License-Identifier: GPL-2.0-only
/*
 * A peer that sends frames continuously.
 */
#define _GNU_SOURCE
#include <string.h>

#include "flood.h"
#include "util.h"

void send_number(struct peer *peer, const uint8_t mac[static 6],
		 uint32_t number, size_t len, uint64_t *seed)
{
	uint64_t payload[JUMBO_SIZE / 8];
	size_t i;

	if (len < sizeof(number))
		len = sizeof(number);
	for (i = 0; i < (len + 7) / 8; i++)
		payload[i] = prng(seed);
	memcpy(payload, &number, sizeof(number));
	peer_send(peer, mac, payload, len);
}

static void *flood(void *arg)
{
	struct flood *f = arg;
	uint64_t seed = 1;
	size_t len;

	while (!__atomic_load_n(&f->stop, __ATOMIC_SEQ_CST)) {
		f->sent++;
		len = f->longest ? 1 + prng(&seed) % f->longest : 0;
		send_number(f->peer, f->mac, f->sent, len, &seed);
		sleep_us(200);
	}
	return NULL;
}

void flood_start(struct flood *f)
{
	if (pthread_create(&f->thread, NULL, flood, f))
		die("no thread");
}

void flood_stop(struct flood *f)
{
	__atomic_store_n(&f->stop, true, __ATOMIC_SEQ_CST);
	pthread_join(f->thread, NULL);
	f->stop = false;
}
