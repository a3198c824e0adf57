// SPDX-License-Identifier: GPL-2.0-only
/*
 * The paths through the migration state machine, by a search over the graph of
 * the protocol.  To be independent of the kernel's table, the graph is a matrix
 * of characters.
 */
#include <string.h>

#include "fsm_oracle.h"
#include "util.h"

/*
 * Row: from; column: to; both in the order of the state numbers
 *
 *	E ERROR  S STOP  R RUNNING  C STOP_COPY  M RESUMING
 *	r RUNNING_P2P  P PRE_COPY  p PRE_COPY_P2P
 *
 * '*': an arc of each device that has both states; '-': an arc of devices
 * without the P2P states; ' ': no arc.
 */
static const char arcs[NR_STATES][NR_STATES + 1] = {
	/*	       ESRCMrPp */
	[ERROR]	     = "        ",
	[STOP]	     = "  -***  ",
	[RUNNING]    = " -   ** ",
	[STOP_COPY]  = " *      ",
	[RESUMING]   = " *      ",
	[RUNNING_P2P]  = " **    *",
	[PRE_COPY]     = "  *-   *",
	[PRE_COPY_P2P] = "   * ** ",
};

bool offered(unsigned int flags, unsigned int state)
{
	switch (state) {
	case STOP:
	case RUNNING:
	case STOP_COPY:
	case RESUMING:
		return true;
	case RUNNING_P2P:
		return flags & P2P_FLAG;
	case PRE_COPY:
		return flags & PRE_COPY_FLAG;
	case PRE_COPY_P2P:
		return (flags & P2P_FLAG) && (flags & PRE_COPY_FLAG);
	default:
		return false;
	}
}

bool saving(unsigned int state)
{
	return state == STOP_COPY || state == PRE_COPY ||
	       state == PRE_COPY_P2P;
}

bool is_arc(unsigned int flags, unsigned int from, unsigned int to)
{
	if (!offered(flags, from) || !offered(flags, to))
		return false;
	return arcs[from][to] == '*' ||
	       (arcs[from][to] == '-' && !(flags & P2P_FLAG));
}

/*
 * Tries all paths without a cycle, shortest first.  A path between two saving
 * states has saving states only; any other path has none between its ends.
 */
static void search(unsigned int flags, unsigned int to, unsigned int length,
		   bool ends_saving, struct way *so_far, unsigned int visited,
		   struct way *found)
{
	unsigned int at = so_far->state[so_far->length], next;

	if (so_far->length == length) {
		if (at != to)
			return;
		found->ways++;
		found->length = length;
		memcpy(found->state, so_far->state, sizeof(found->state));
		return;
	}
	for (next = 0; next < NR_STATES; next++) {
		if (visited & BIT(next) || !is_arc(flags, at, next))
			continue;
		if (next != to && saving(next) != ends_saving)
			continue;
		so_far->length++;
		so_far->state[so_far->length] = next;
		search(flags, to, length, ends_saving, so_far,
		       visited | BIT(next), found);
		so_far->length--;
	}
}

struct way find_way(unsigned int flags, unsigned int from, unsigned int to)
{
	struct way found = {}, so_far = {};
	unsigned int length;

	if (!offered(flags, from) || !offered(flags, to) || from == to)
		return found;
	for (length = 1; length < NR_STATES && !found.ways; length++) {
		so_far.state[0] = from;
		search(flags, to, length, saving(from) && saving(to), &so_far,
		       BIT(from), &found);
	}
	return found;
}

bool opens_session(const struct way *way)
{
	unsigned int from = way->state[way->length - 1];
	unsigned int to = way->state[way->length];

	return to == RESUMING || (saving(to) && !saving(from));
}
