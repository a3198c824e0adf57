/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bytes of a transfer: a known pseudo-random stream, so that the receiver
 * notices if any byte is lost, added or changed.
 */
#ifndef FLOW_H
#define FLOW_H

#include <stdint.h>
#include <string.h>

/* Seeds of what the listening end sends and what the connecting end sends */
#define FLOW_FROM_LISTENER	0x0123456789abcdefULL
#define FLOW_TO_LISTENER	0xfedcba9876543210ULL

/* One direction: the generator of its bytes, and what has been transferred */
struct flow {
	uint64_t word;		/* state of the generator */
	unsigned int left;	/* bytes of @word not used yet */
	uint64_t bytes;
	uint64_t checksum;	/* FNV-1a of all bytes transferred */
};

static inline void flow_init(struct flow *flow, uint64_t seed)
{
	memset(flow, 0, sizeof(*flow));
	flow->word = seed;
	flow->checksum = 0xcbf29ce484222325ULL;
}

/* xorshift64 */
static inline uint64_t flow_shift(uint64_t word)
{
	word ^= word << 13;
	word ^= word >> 7;
	return word ^ word << 17;
}

static inline uint8_t next_byte(struct flow *flow)
{
	if (!flow->left) {
		flow->word = flow_shift(flow->word);
		flow->left = sizeof(flow->word);
	}
	flow->left--;
	return flow->word >> (8 * flow->left);
}

#endif
