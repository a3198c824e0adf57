/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the programs that transfer data by TCP: the demo's stream and the
 * benchmark's bulk.
 */
#ifndef DEMO_TCP_H
#define DEMO_TCP_H

#include <err.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Seconds */
static inline double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Binds @listener to @addr, takes one connection, and closes @listener. */
static inline int tcp_accept(int listener, const struct sockaddr_in *addr)
{
	int fd;

	if (bind(listener, (const struct sockaddr *)addr, sizeof(*addr)) ||
	    listen(listener, 1))
		err(1, "bind");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		err(1, "accept");
	close(listener);
	return fd;
}

#endif
