// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fills as much of the machine's memory as it can get with a known pattern, and
 * meanwhile receives what the other end sends ("stream listen").  What is
 * received stays unread in the kernel for a while, in the buffers that the
 * network card wrote.  If a migration does not transfer a page, a byte of the
 * memory or of the stream is wrong afterwards.
 *
 *	hold ADDRESS PORT	until the other end has ended the transfer
 *
 * Output: "hold begin KIB QUEUE", KiB of memory held and KiB kept unread; "hold
 * wrong ..." for the first wrong words; and "hold end PAGES ROUNDS RECEIVED
 * WRONG": pages held, how often all of them were checked, bytes received, and
 * the number of wrong words of the memory and the stream.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "flow.h"

#define PAGE		4096UL
#define WORDS		(PAGE / sizeof(uint64_t))
#define CHUNK		65536

/* Pages that are checked after each piece received, or each pause */
#define STEP		8

/* How many of the wrong words are printed */
#define SAID		8

struct hold {
	uint64_t *memory;
	size_t pages;
	size_t next;		/* the page to be checked next */
	unsigned int rounds;
	int fd;
	int queue;		/* bytes that are kept unread */
	struct flow in;
	uint64_t wrong;
};

static size_t available_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	size_t kib = 0;
	char line[128];

	if (!file)
		err(1, "/proc/meminfo");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %zu", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

static void wrong(struct hold *hold, const char *what, uint64_t at,
		  uint64_t value, uint64_t want)
{
	if (hold->wrong++ < SAID)
		printf("hold wrong %s at %" PRIu64 ": %016" PRIx64 ", not %016" PRIx64 "\n",
		       what, at, value, want);
}

/* Each page begins with another word. */
static uint64_t first_word(size_t page)
{
	return (page + 1) * 0x9e3779b97f4a7c15ULL;
}

static void fill(struct hold *hold)
{
	size_t page, i;

	for (page = 0; page < hold->pages; page++) {
		uint64_t word = first_word(page);

		for (i = 0; i < WORDS; i++) {
			hold->memory[page * WORDS + i] = word;
			word = flow_shift(word);
		}
	}
}

static void check_page(struct hold *hold, size_t page)
{
	uint64_t word = first_word(page);
	size_t i;

	for (i = 0; i < WORDS; i++) {
		uint64_t value = hold->memory[page * WORDS + i];

		if (value != word)
			wrong(hold, "memory", (page * WORDS + i) * sizeof(word),
			      value, word);
		word = flow_shift(word);
	}
}

static void check_some(struct hold *hold)
{
	unsigned int i;

	for (i = 0; i < STEP && hold->pages; i++) {
		check_page(hold, hold->next++);
		if (hold->next == hold->pages) {
			hold->next = 0;
			hold->rounds++;
		}
	}
}

static void check_all(struct hold *hold)
{
	size_t page;

	for (page = 0; page < hold->pages; page++)
		check_page(hold, page);
	hold->rounds++;
}

/* Checks @len bytes received, by words as far as possible. */
static void check_received(struct hold *hold, const uint8_t *data, size_t len)
{
	struct flow *in = &hold->in;
	uint64_t value;
	size_t i = 0;

	for (; !in->left && i + sizeof(value) <= len; i += sizeof(value)) {
		in->word = flow_shift(in->word);
		memcpy(&value, data + i, sizeof(value));
		if (be64toh(value) != in->word)
			wrong(hold, "received", in->bytes + i, be64toh(value),
			      in->word);
	}
	for (; i < len; i++) {
		uint8_t want = next_byte(in);

		if (data[i] != want)
			wrong(hold, "received", in->bytes + i, data[i], want);
	}
	in->bytes += len;
}

/* Returns false at the end of the transfer. */
static bool receive(struct hold *hold)
{
	static uint8_t data[CHUNK];
	ssize_t len = recv(hold->fd, data, sizeof(data), MSG_WAITALL);

	if (len < 0 && errno != EINTR)
		err(1, "recv");
	if (len > 0)
		check_received(hold, data, len);
	return len != 0;
}

/*
 * With SO_RCVLOWAT, POLLIN comes when more has arrived than is to be kept
 * unread, and when the other end has ended the transfer.
 */
static void take_part(struct hold *hold)
{
	struct pollfd pfd = { .fd = hold->fd, .events = POLLIN };

	for (;;) {
		if (poll(&pfd, 1, 10) < 0 && errno != EINTR)
			err(1, "poll");
		if (pfd.revents && !receive(hold))
			return;
		check_some(hold);
	}
}

/* Tries again until the link is up and the other end listens. */
static void connect_to(struct hold *hold, const struct sockaddr_in *addr)
{
	struct timespec pause = { .tv_nsec = 200000000 };
	int space = 4 * hold->queue, least = hold->queue + CHUNK;

	for (;;) {
		hold->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (hold->fd < 0 ||
		    setsockopt(hold->fd, SOL_SOCKET, SO_RCVBUFFORCE, &space,
			       sizeof(space)) ||
		    setsockopt(hold->fd, SOL_SOCKET, SO_RCVLOWAT, &least,
			       sizeof(least)))
			err(1, "socket");
		if (!connect(hold->fd, (const struct sockaddr *)addr,
			     sizeof(*addr)))
			return;
		close(hold->fd);
		nanosleep(&pause, NULL);
	}
}

/*
 * Leaves a sixteenth of the memory for what is kept unread, for which the
 * kernel takes nearly twice as much, and a third for everything else.  With a
 * quarter, a guest of 256 MiB once ran out of memory.
 */
static void take_memory(struct hold *hold)
{
	size_t kib = available_kib();

	hold->queue = kib / 16 * 1024;
	if (hold->queue > 16 << 20)
		hold->queue = 16 << 20;
	kib -= kib / 3 + hold->queue / 1024;
	hold->pages = kib * 1024 / PAGE;
	hold->memory = mmap(NULL, hold->pages * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (hold->memory == MAP_FAILED)
		err(1, "mmap");
	fill(hold);
	printf("hold begin %zu %d\n", kib, hold->queue / 1024);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct hold hold = { };

	if (argc != 3) {
		fprintf(stderr, "usage: hold ADDRESS PORT\n");
		return 2;
	}
	addr.sin_port = htons(atoi(argv[2]));
	if (inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1)
		err(1, "%s", argv[1]);
	flow_init(&hold.in, FLOW_FROM_LISTENER);
	take_memory(&hold);
	connect_to(&hold, &addr);
	take_part(&hold);
	check_all(&hold);
	printf("hold end %zu %u %" PRIu64 " %" PRIu64 "\n", hold.pages,
	       hold.rounds, hold.in.bytes, hold.wrong);
	return hold.wrong != 0;
}
