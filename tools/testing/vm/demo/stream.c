// SPDX-License-Identifier: GPL-2.0-only
/*
 * A TCP transfer that notices any byte lost, added or changed: each end sends a
 * known pseudo-random stream at a given rate, and checks each byte that it
 * receives.  At the end, each prints how much it sent and received, with
 * checksums.
 *
 *	stream listen PORT [PIDFILE [RATE [ADDRESS]]]
 *	                                   goes to the background when the other end
 *	                                   has connected; ends the transfer on SIGTERM
 *	stream connect ADDRESS PORT [RATE] waits for the other end, and ends when the
 *	                                   other end ends the transfer
 *
 * RATE is in bytes per second (default 100000); 0 means as fast as possible.
 * The listening end also prints a line of progress ten times a second, and
 * holds a lock on PIDFILE as long as it runs.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "flow.h"
#include "sigterm.h"
#include "tcp.h"

#define CHUNK		4096

/*
 * So small that the receive ring of a peer that does not run, 256 frames, is
 * never overrun.  The kernel allows twice as much.
 */
#define SOCKET_BUFFER		32768
#define SOCKET_BUFFER_FAST	98304

static void account(struct flow *flow, const uint8_t *data, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		flow->checksum ^= data[i];
		flow->checksum *= 0x100000001b3ULL;
	}
	flow->bytes += len;
}

/* Returns false when the other end has ended its stream. */
static bool receive(int fd, struct flow *in)
{
	uint8_t data[CHUNK];
	ssize_t len, i;

	len = recv(fd, data, sizeof(data), 0);
	if (len < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return true;
		err(1, "recv");
	}
	for (i = 0; i < len; i++) {
		uint8_t want = next_byte(in);

		if (data[i] != want) {
			printf("stream wrong at byte %" PRIu64 ": %02x, not %02x\n",
			       in->bytes + i, data[i], want);
			exit(1);
		}
	}
	account(in, data, len);
	return len > 0;
}

static void transmit(int fd, struct flow *out, size_t allowed)
{
	static uint8_t data[CHUNK];
	static size_t filled;
	ssize_t len;

	if (allowed > sizeof(data))
		allowed = sizeof(data);
	while (filled < allowed)
		data[filled++] = next_byte(out);
	if (!filled)
		return;
	len = send(fd, data, filled, MSG_NOSIGNAL);
	if (len < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return;
		err(1, "send");
	}
	account(out, data, len);
	filled -= len;
	memmove(data, data + len, filled);
}

static void transfer(int fd, double rate, bool leader)
{
	struct flow in, out;
	double start = now(CLOCK_MONOTONIC), said = start;
	bool open_in = true, open_out = true;

	flow_init(leader ? &out : &in, FLOW_FROM_LISTENER);
	flow_init(leader ? &in : &out, FLOW_TO_LISTENER);

	while (open_in || open_out) {
		double t = now(CLOCK_MONOTONIC);
		struct pollfd pfd = { .fd = fd, .events = open_in ? POLLIN : 0 };
		/* After a pause, the sender does not catch up. */
		double due = (t - start) * rate - out.bytes;

		if (!rate) {
			due = CHUNK;
		} else if (due > 2 * CHUNK) {
			start = t - (out.bytes + 2 * CHUNK) / rate;
			due = 2 * CHUNK;
		}
		if (open_out && (leader ? stop : !open_in)) {
			shutdown(fd, SHUT_WR);
			open_out = false;
		}
		if (open_out && due >= 1)
			pfd.events |= POLLOUT;
		if (poll(&pfd, 1, 10) < 0 && errno != EINTR)
			err(1, "poll");
		if (pfd.revents & (POLLIN | POLLHUP | POLLERR))
			open_in = receive(fd, &in) && open_in;
		if (pfd.revents & POLLOUT)
			transmit(fd, &out, due);

		if (leader && t - said >= 0.1) {
			said = t;
			printf("stream at %.3f sent %" PRIu64 " received %" PRIu64 "\n",
			       now(CLOCK_REALTIME), out.bytes, in.bytes);
			fflush(stdout);
		}
	}
	printf("stream end sent %" PRIu64 " %016" PRIx64 " received %" PRIu64 " %016" PRIx64 "\n",
	       out.bytes, out.checksum, in.bytes, in.checksum);
}

static int make_socket(double rate)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int size = rate ? SOCKET_BUFFER : SOCKET_BUFFER_FAST;
	int one = 1;

	if (fd < 0)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd;
}

/* Tries again until the link is up and the other end listens. */
static int connect_to(const struct sockaddr_in *addr, double rate)
{
	struct timespec pause = { .tv_nsec = 200000000 };
	int fd;

	for (;;) {
		fd = make_socket(rate);
		if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
			return fd;
		close(fd);
		nanosleep(&pause, NULL);
	}
}

/* The caller's process ends; the child does the transfer. */
static void go_to_background(const char *pidfile)
{
	int fd = open(pidfile, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	pid_t pid;

	if (fd < 0 || flock(fd, LOCK_EX))
		err(1, "%s", pidfile);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid) {
		dprintf(fd, "%d\n", pid);
		exit(0);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	bool leader = argc > 1 && !strcmp(argv[1], "listen");
	int first = leader ? 2 : 3;	/* where PORT is */
	double rate = 100000;
	const char *address;
	int fd;

	if (argc <= first || (!leader && strcmp(argv[1], "connect"))) {
		fprintf(stderr, "usage: stream listen PORT [PIDFILE [RATE [ADDRESS]]]\n"
				"       stream connect ADDRESS PORT [RATE]\n");
		return 2;
	}
	addr.sin_port = htons(atoi(argv[first]));
	/* After PORT, or after PIDFILE */
	if (argc > 4)
		rate = atof(argv[4]);
	stop_on_sigterm();

	address = leader ? argc > 5 ? argv[5] : "0.0.0.0" : argv[2];
	if (inet_pton(AF_INET, address, &addr.sin_addr) != 1)
		err(1, "%s", address);
	fd = leader ? tcp_accept(make_socket(rate), &addr) :
		      connect_to(&addr, rate);
	if (leader && argc > 3)
		go_to_background(argv[3]);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	transfer(fd, rate, leader);
	return 0;
}
