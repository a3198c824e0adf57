// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-mig: looks at, saves, loads and checks the migration state of VFIO
 * devices.  This file parses the command line.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "util.h"

static const struct command {
	const char *name;
	const char *operands;
	const char *options;	/* letters of the options that it takes */
	int min, max;		/* number of operands */
	int (*run)(char **operands, const struct options *options);
	const char *help;
} commands[] = {
	{ "info", "DEVICE", "ajt", 0, 1, command_info,
	  "print what a device can do, its state, and why it can't migrate" },
	{ "save", "DEVICE FILE", "pqt", 2, 2, command_save,
	  "write a device's state to a file" },
	{ "load", "DEVICE FILE", "hqrt", 2, 2, command_load,
	  "load a state from a file into a device" },
	{ "check", "DEVICE FILE", "jt", 2, 2, command_check,
	  "tell whether a device would take a state" },
	{ "inspect", "FILE", "j", 1, 1, command_inspect,
	  "print the contents of a file" },
	{ "fsm", "[FLAG]...", "", 0, 3, command_fsm,
	  "draw the states of a device with these flags" },
};

static const struct option long_options[] = {
	{ "all",	no_argument,		NULL, 'a' },
	{ "json",	no_argument,		NULL, 'j' },
	{ "quiet",	no_argument,		NULL, 'q' },
	{ "run",	no_argument,		NULL, 'r' },
	{ "hold",	no_argument,		NULL, 'h' },
	{ "precopy",	no_argument,		NULL, 'p' },
	{ "vf-token",	required_argument,	NULL, 't' },
	{ "help",	no_argument,		NULL, 'H' },
	{ }
};

static void usage(FILE *to)
{
	const struct command *command;

	fputs("usage: vfio-mig COMMAND [OPTION]... [OPERAND]...\n\n", to);
	for (command = commands; command < commands + ARRAY_SIZE(commands);
	     command++)
		fprintf(to, "  %-7s %-12s  %s\n", command->name,
			command->operands, command->help);
	fputs("\n"
	      "DEVICE is an address like 0000:01:10.0 of a device that is bound to a VFIO\n"
	      "driver, or its node, /dev/vfio/devices/vfioN.  FLAG is one of stop-copy, p2p,\n"
	      "pre-copy.  FILE may be -.  Options:\n\n"
	      "  --all            info: list all VFs and all devices of VFIO drivers\n"
	      "  --json           info, check, inspect: print JSON\n"
	      "  --quiet          save, load: show no progress\n"
	      "  --precopy        save: begin while the device runs\n"
	      "  --run            load: let the device run afterwards\n"
	      "  --hold           load: keep the device open until interrupted\n"
	      "  --vf-token UUID  the token of a VF whose PF is bound to vfio-pci\n"
	      "  --help           print this\n\n"
	      "Exit code: 0: done, or yes; 1: failed, or no; 2: wrong command line\n",
	      to);
}

static const struct command *find_command(const char *name)
{
	const struct command *command;

	for (command = commands; command < commands + ARRAY_SIZE(commands);
	     command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

/* Returns 0, or the exit code + 1. */
static int take_token(const char *token, struct options *options)
{
	uint8_t uuid[16];

	if (!parse_uuid(token, uuid)) {
		complain("--vf-token: \"%s\" is no UUID", token);
		return EXIT_USAGE + 1;
	}
	options->token = token;
	return 0;
}

/* Returns 0, or the exit code + 1. */
static int take_option(const struct command *command, int letter,
		       struct options *options)
{
	if (letter == 'H') {
		usage(stdout);
		return EXIT_OK + 1;
	}
	if (letter != '?' && command && !strchr(command->options, letter)) {
		complain("%s does not take this option (see --help)",
			 command->name);
		letter = '?';
	}
	switch (letter) {
	case 'a':
		options->all = true;
		break;
	case 'j':
		options->json = true;
		break;
	case 'q':
		options->quiet = true;
		break;
	case 'r':
		options->run = true;
		break;
	case 'h':
		options->hold = true;
		break;
	case 'p':
		options->precopy = true;
		break;
	case 't':
		return take_token(optarg, options);
	default:
		return EXIT_USAGE + 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct command *command = NULL;
	struct options options = {};
	int letter, status;

	if (argc > 1 && argv[1][0] != '-') {
		command = find_command(argv[1]);
		if (!command) {
			complain("%s: no such command (see --help)", argv[1]);
			return EXIT_USAGE;
		}
		argv[1] = argv[0];	/* for getopt's messages */
		argv++;
		argc--;
	}
	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		status = take_option(command, letter, &options);
		if (status)
			return finish_output(status - 1);
	}
	argc -= optind;
	argv += optind;
	if (!command || argc < command->min || argc > command->max) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return finish_output(command->run(argv, &options));
}
