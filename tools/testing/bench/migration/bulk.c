// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sends as much as the other end takes, in segments of a given size.
 *
 *	bulk send ADDRESS PORT SIZE SECONDS	waits for the other end, then sends
 *						for SECONDS
 *	bulk take ADDRESS PORT			receives all that comes and drops it
 *						unread; connects again at the end
 *
 * The sender prints "bulk SIZE BYTES SECONDS" when the other end has taken all.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../vm/demo/tcp.h"

#define CHUNK	65536

/*
 * The socket's buffer in frames, of which the kernel allows twice as many: so
 * few that a receive ring of 256 frames is not overrun.
 */
#define FRAMES	96

static char data[CHUNK];

static void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)))
		err(1, "setsockopt");
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		err(1, "socket");
	return fd;
}

static int accept_from(const struct sockaddr_in *addr, int size)
{
	int listener = open_socket();

	set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
	set(listener, SOL_SOCKET, SO_SNDBUF, FRAMES * size);
	set(listener, IPPROTO_TCP, TCP_MAXSEG, size);
	return tcp_accept(listener, addr);
}

static void send_for(const struct sockaddr_in *addr, int size, double seconds)
{
	int fd = accept_from(addr, size);
	double start = now(CLOCK_MONOTONIC);
	double bytes = 0;
	ssize_t len;

	while (now(CLOCK_MONOTONIC) - start < seconds) {
		len = send(fd, data, sizeof(data), MSG_NOSIGNAL);
		if (len < 0)
			err(1, "send");
		bytes += len;
	}
	shutdown(fd, SHUT_WR);
	while ((len = recv(fd, data, sizeof(data), 0)) > 0)
		;
	if (len < 0)
		err(1, "recv");
	printf("bulk %d %.0f %.3f\n", size, bytes, now(CLOCK_MONOTONIC) - start);
}

/* Tries again until the link is up and the other end listens. */
static void take(const struct sockaddr_in *addr)
{
	struct timespec pause = { .tv_nsec = 200000000 };
	int fd;

	for (;;) {
		fd = open_socket();
		if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr))) {
			while (recv(fd, data, sizeof(data), MSG_TRUNC) > 0)
				;
		}
		close(fd);
		nanosleep(&pause, NULL);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };

	if (argc < 4 || inet_pton(AF_INET, argv[2], &addr.sin_addr) != 1) {
		fprintf(stderr, "usage: bulk send ADDRESS PORT SIZE SECONDS\n"
				"       bulk take ADDRESS PORT\n");
		return 2;
	}
	addr.sin_port = htons(atoi(argv[3]));
	if (!strcmp(argv[1], "send") && argc == 6)
		send_for(&addr, atoi(argv[4]), atof(argv[5]));
	else
		take(&addr);
	return 0;
}
