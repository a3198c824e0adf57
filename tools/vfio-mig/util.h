/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands of vfio-mig share: messages, exit codes, signals, and JSON
 * output.
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
#define EXIT_REFUSED	1	/* something failed, or the answer is no */
#define EXIT_USAGE	2	/* wrong command line */

/* Prints "vfio-mig: ..." on standard error. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Flushes standard output.  Returns @status, or EXIT_REFUSED if that fails. */
int finish_output(int status);

/*
 * After catch_signals(), SIGINT, SIGTERM and SIGHUP set a flag and interrupt
 * system calls, so that the command can clean up before it exits.
 */
void catch_signals(void);
bool interrupted(void);

/* Reads the first line of a file, without its newline. */
bool read_line(const char *path, char *buf, size_t size);

/* Reads the last component of the target of the symbolic link @path. */
bool link_name(const char *path, char *buf, size_t size);

/* Finds the first entry of @dir that begins with @prefix. */
bool find_entry(const char *dir, const char *prefix, char *name, size_t size);

/*
 * Reads a UUID of 32 hexadecimal digits in five groups, "8a2d5b0e-3f61-...", into
 * bytes of the same order.
 */
bool parse_uuid(const char *text, uint8_t uuid[static 16]);

/*
 * The version of vfio-mig.schema.json, which describes the JSON output.  It
 * changes if a field is removed or gets another meaning, not if one is added.
 */
#define JSON_SCHEMA	1

/*
 * Print indented JSON on standard output.  Names and strings may contain any
 * bytes.  @name is NULL for the elements of an array.
 */
void json_open(const char *name, char bracket);
void json_close(char bracket);
void json_string(const char *name, const char *value);
void json_number(const char *name, uint64_t value);
void json_bool(const char *name, bool value);
void json_null(const char *name);
void json_end(void);

#endif
