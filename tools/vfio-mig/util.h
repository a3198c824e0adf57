/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all commands of vfio-mig share: messages, exit codes, interruption,
 * and JSON output.
 */
#ifndef VFIO_MIG_UTIL_H
#define VFIO_MIG_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* Exit codes */
#define EXIT_OK		0
#define EXIT_REFUSED	1	/* the answer is no, or something failed */
#define EXIT_USAGE	2	/* the command line makes no sense */

/* "vfio-mig: ..." on standard error */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Flushes standard output; says so, and returns EXIT_REFUSED, if that fails. */
int finish_output(int status);

/*
 * From catch_signals() on, SIGINT, SIGTERM and SIGHUP only set a flag and
 * interrupt what the process waits for: so that it can put things in order.
 */
void catch_signals(void);
bool interrupted(void);

/* A text file of one line, without its end; false if it can't be read. */
bool read_line(const char *path, char *buf, size_t size);

/* Where the symbolic link at @path leads: the last part of that. */
bool link_name(const char *path, char *buf, size_t size);

/*
 * JSON, on standard output, indented.  Names and strings may hold any bytes;
 * a @name of NULL is for elements of arrays.
 */
void json_open(const char *name, char bracket);
void json_close(char bracket);
void json_string(const char *name, const char *value);
void json_number(const char *name, uint64_t value);
void json_bool(const char *name, bool value);
void json_null(const char *name);
void json_end(void);

#endif
