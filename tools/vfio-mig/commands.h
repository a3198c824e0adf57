/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The commands.  Each gets its operands and its options and returns the exit
 * code.  main.c refuses options that a command does not take.
 */
#ifndef VFIO_MIG_COMMANDS_H
#define VFIO_MIG_COMMANDS_H

#include <stdbool.h>

struct options {
	bool all;		/* info: list the devices */
	bool json;
	bool quiet;		/* no progress */
	bool run;		/* load: let the device run */
	bool hold;		/* load: keep the device open */
	bool precopy;		/* save: begin while the device runs */
	const char *token;	/* VF token, a UUID, or NULL */
};

/* info.c */
int command_info(char **operands, const struct options *options);

/* transfer.c */
int command_save(char **operands, const struct options *options);
int command_load(char **operands, const struct options *options);

/* check.c */
int command_check(char **operands, const struct options *options);

/* inspect.c */
int command_inspect(char **operands, const struct options *options);

/* fsm.c */
int command_fsm(char **operands, const struct options *options);

#endif
