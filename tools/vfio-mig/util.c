// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages, signals, small files and JSON.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

void complain(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("vfio-mig: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

int finish_output(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	complain("standard output: %s", strerror(errno));
	return EXIT_REFUSED;
}

static volatile sig_atomic_t signalled;

static void take_signal(int number)
{
	signalled = number;
}

void catch_signals(void)
{
	/* No SA_RESTART: reads and writes end with EINTR. */
	struct sigaction action = { .sa_handler = take_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

bool interrupted(void)
{
	return signalled;
}

bool read_line(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "re");
	bool read;

	if (!file)
		return false;
	read = fgets(buf, size, file);
	fclose(file);
	if (read)
		buf[strcspn(buf, "\n")] = 0;
	return read;
}

bool link_name(const char *path, char *buf, size_t size)
{
	char target[4096];
	const char *name;
	ssize_t len;

	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = 0;
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (strlen(name) >= size)
		return false;
	strcpy(buf, name);
	return true;
}

bool find_entry(const char *dir, const char *prefix, char *name, size_t size)
{
	struct dirent *entry;
	bool found = false;
	DIR *entries;

	entries = opendir(dir);
	if (!entries)
		return false;
	while (!found && (entry = readdir(entries)))
		if (entry->d_name[0] != '.' &&
		    !strncmp(entry->d_name, prefix, strlen(prefix)) &&
		    strlen(entry->d_name) < size) {
			strcpy(name, entry->d_name);
			found = true;
		}
	closedir(entries);
	return found;
}

static bool parse_byte(const char *text, uint8_t *byte)
{
	char digits[3] = { text[0], text[0] ? text[1] : 0 };

	if (!isxdigit((unsigned char)digits[0]) ||
	    !isxdigit((unsigned char)digits[1]))
		return false;
	*byte = strtoul(digits, NULL, 16);
	return true;
}

bool parse_uuid(const char *text, uint8_t uuid[static 16])
{
	unsigned int i;

	for (i = 0; i < 16; i++, text += 2) {
		/* The groups have 4, 2, 2, 2 and 6 bytes. */
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return false;
		if (!parse_byte(text, &uuid[i]))
			return false;
	}
	return !*text;
}

static unsigned int json_depth;
static bool json_follows;	/* this level has an element already */

static void json_text(const char *text)
{
	const unsigned char *c;

	putchar('"');
	for (c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			printf("\\%c", *c);
		else if (*c < 0x20 || *c >= 0x7f)
			printf("\\u%04x", *c);
		else
			putchar(*c);
	}
	putchar('"');
}

static void json_begin(const char *name)
{
	if (json_follows)
		putchar(',');
	if (json_depth)
		printf("\n%*s", 2 * (int)json_depth, "");
	if (name) {
		json_text(name);
		fputs(": ", stdout);
	}
	json_follows = true;
}

void json_open(const char *name, char bracket)
{
	json_begin(name);
	putchar(bracket);
	json_depth++;
	json_follows = false;
}

void json_close(char bracket)
{
	json_depth--;
	if (json_follows)
		printf("\n%*s", 2 * (int)json_depth, "");
	putchar(bracket);
	json_follows = true;
}

void json_string(const char *name, const char *value)
{
	json_begin(name);
	json_text(value);
}

void json_number(const char *name, uint64_t value)
{
	json_begin(name);
	printf("%llu", (unsigned long long)value);
}

void json_bool(const char *name, bool value)
{
	json_begin(name);
	fputs(value ? "true" : "false", stdout);
}

void json_null(const char *name)
{
	json_begin(name);
	fputs("null", stdout);
}

void json_end(void)
{
	putchar('\n');
	json_follows = false;
}
