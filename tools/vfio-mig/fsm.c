// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draws the migration states of a device as a graph for graphviz.  The states
 * and arcs come from the kernel's table, drivers/vfio/mig_fsm.c, which is
 * compiled into this program.
 */
#include <stdio.h>
#include <string.h>

#include "../../drivers/vfio/mig_fsm.h"
#include "commands.h"
#include "flags.h"
#include "util.h"

static void draw_states(unsigned int flags)
{
	unsigned int state;

	/* No arc leads to or from ERROR: only a reset leaves it. */
	for (state = 0; state < VFIO_MIG_STATES; state++)
		if (vfio_mig_fsm_has_state(flags, state))
			printf("\t%s%s;\n", vfio_mig_fsm_state_name(state),
			       state == VFIO_DEVICE_STATE_RUNNING ?
			       " [style=bold]" :
			       vfio_mig_fsm_in_session(state) ?
			       " [style=filled]" : "");
	printf("\tERROR -> RUNNING [label=\"reset\", style=dotted];\n");
}

static const char *arc_label(unsigned int from, unsigned int to)
{
	if (vfio_mig_fsm_same_session(from, to))
		return "";
	if (vfio_mig_fsm_in_session(to))
		return " [label=\"opens data fd\", color=blue]";
	if (vfio_mig_fsm_in_session(from))
		return " [label=\"ends data fd\"]";
	return "";
}

static void draw_arcs(unsigned int flags)
{
	unsigned int from, to;

	for (from = 0; from < VFIO_MIG_STATES; from++)
		for (to = 0; to < VFIO_MIG_STATES; to++)
			if (from != to &&
			    to != VFIO_DEVICE_STATE_ERROR &&
			    vfio_mig_fsm_next(flags, from, to) == to)
				printf("\t%s -> %s%s;\n",
				       vfio_mig_fsm_state_name(from),
				       vfio_mig_fsm_state_name(to),
				       arc_label(from, to));
}

/* 0 if no flag has this name */
static unsigned int flag_from_name(const char *name)
{
	unsigned int i;

	for (i = 0; i < FLAGS; i++)
		if (!strcmp(flag_names[i], name))
			return 1U << i;
	return 0;
}

int command_fsm(char **operands, const struct options *options)
{
	unsigned int flags = 0, flag, i;

	(void)options;
	for (; *operands; operands++) {
		flag = flag_from_name(*operands);
		if (!flag) {
			complain("%s: no such flag; give stop-copy, p2p or pre-copy",
				 *operands);
			return EXIT_USAGE;
		}
		flags |= flag;
	}
	if (!flags)
		flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
			VFIO_MIGRATION_PRE_COPY;
	if (!vfio_mig_flags_legal(flags)) {
		complain("add stop-copy: every device that can migrate has it");
		return EXIT_USAGE;
	}

	printf("digraph migration {\n\tlabel=\"flags:");
	for (i = 0; i < FLAGS; i++)
		if (flags & 1U << i)
			printf(" %s", flag_names[i]);
	printf("\";\n");
	draw_states(flags);
	draw_arcs(flags);
	printf("}\n");
	return EXIT_OK;
}
