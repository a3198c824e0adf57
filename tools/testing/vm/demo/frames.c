// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records the pings that the driver of a network interface received, and the
 * replies that it was given to send.  With that, report can tell a frame that
 * the device lost from one that never reached the device.
 *
 *	frames INTERFACE	until SIGTERM
 *
 * Output at the end: "frames in FIRST LAST" for each run of sequence numbers of
 * requests received, "frames out FIRST LAST" for replies sent, and "frames
 * twice in|out NUMBER" for each number that was seen more than once.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "sigterm.h"

/* Sequence numbers have 16 bits; this is how often they may wrap. */
#define MAX_WRAPS	64
#define MAX_PINGS	(65536u * MAX_WRAPS)

/* One direction */
struct record {
	uint8_t count[MAX_PINGS];
	uint32_t last;
};

/* Counts the number with these low 16 bits that is nearest to the last one. */
static void add(struct record *record, uint16_t seq)
{
	uint32_t n = record->last + (int16_t)(seq - (uint16_t)record->last);

	if (n >= MAX_PINGS)
		return;
	if (record->count[n] < UINT8_MAX)
		record->count[n]++;
	record->last = n;
}

static void print(const struct record *record, const char *direction)
{
	uint32_t n, first = 0;

	for (n = 0; n < MAX_PINGS; n++) {
		if (record->count[n] > 1)
			printf("frames twice %s %u\n", direction, n);
		if (record->count[n] && (!n || !record->count[n - 1]))
			first = n;
		if (record->count[n] &&
		    (n + 1 == MAX_PINGS || !record->count[n + 1]))
			printf("frames %s %u %u\n", direction, first, n);
	}
}

/* A socket that gets ICMP frames only; the kernel drops all others. */
static int open_socket(const char *interface)
{
	static struct sock_filter code[] = {
		/* The IP protocol; offsets count from the IP header. */
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS,
			 offsetof(struct iphdr, protocol)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 64),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		/* ETH_P_ALL gets sent frames as well. */
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(interface),
	};
	/* SIGTERM may come just before recvfrom() blocks. */
	struct timeval wait = { .tv_sec = 1 };
	int size = 1 << 20;
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);

	if (fd < 0)
		err(1, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
		       sizeof(program)))
		err(1, "SO_ATTACH_FILTER");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (!addr.sll_ifindex || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		err(1, "%s", interface);
	return fd;
}

int main(int argc, char **argv)
{
	static struct record in, out;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: frames INTERFACE\n");
		return 2;
	}
	stop_on_sigterm();
	fd = open_socket(argv[1]);
	while (!stop) {
		struct {
			struct iphdr ip;
			struct icmphdr icmp;
		} frame;
		struct sockaddr_ll from;
		socklen_t from_len = sizeof(from);
		ssize_t len = recvfrom(fd, &frame, sizeof(frame), 0,
				       (struct sockaddr *)&from, &from_len);

		if (len < 0 && errno != EINTR && errno != EAGAIN)
			err(1, "recvfrom");
		if (len < (ssize_t)sizeof(frame) || frame.ip.ihl != 5)
			continue;
		if (from.sll_pkttype == PACKET_OUTGOING) {
			if (frame.icmp.type == ICMP_ECHOREPLY)
				add(&out, ntohs(frame.icmp.un.echo.sequence));
		} else if (frame.icmp.type == ICMP_ECHO) {
			add(&in, ntohs(frame.icmp.un.echo.sequence));
		}
	}
	print(&in, "in");
	print(&out, "out");
	return 0;
}
