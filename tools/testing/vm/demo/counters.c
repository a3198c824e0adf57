// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the counters of a network interface twice a second, those of its driver
 * (ethtool -S) and those of the kernel.  They would jump if the device lost its
 * state.
 *
 *	counters INTERFACE	from when it has a link, until SIGTERM
 *
 * Output: "counter start NAME VALUE" and "counter end NAME VALUE" for each
 * counter; "counter jump NAME FROM TO" when a counter changes by more than
 * traffic explains; "counter stall SECONDS" when the guest did not run for that
 * long, so that its receive ring may have run out of buffers.
 */
#include <dirent.h>
#include <err.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sigterm.h"

#define MAX_COUNTERS	256

/* More than any half second of traffic, less than a wrap of 32 bits. */
#define MAX_STEP	(1ULL << 30)

/* A receive ring of 256 descriptors is not filled in a shorter time. */
#define MAX_STALL_MS	5000

struct counter {
	char name[64];
	uint64_t value;
};

/* All counters at one time, always in the same order */
struct sample {
	unsigned int n;
	struct counter counter[MAX_COUNTERS];
	uint64_t time_ms;
};

static void add(struct sample *sample, const char *prefix, const char *name,
		uint64_t value)
{
	struct counter *counter = &sample->counter[sample->n];

	if (sample->n == MAX_COUNTERS)
		return;
	snprintf(counter->name, sizeof(counter->name), "%s%.*s", prefix,
		 ETH_GSTRING_LEN, name);
	counter->value = value;
	sample->n++;
}

static void ethtool(int sock, const char *interface, void *cmd)
{
	struct ifreq ifr = { .ifr_data = cmd };

	strncpy(ifr.ifr_name, interface, IFNAMSIZ - 1);
	if (ioctl(sock, SIOCETHTOOL, &ifr))
		err(1, "SIOCETHTOOL");
}

static void sample_driver(struct sample *sample, int sock,
			  const char *interface)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_gstrings *names;
	struct ethtool_stats *stats;
	unsigned int i;

	ethtool(sock, interface, &info);
	names = calloc(1, sizeof(*names) + info.n_stats * ETH_GSTRING_LEN);
	stats = calloc(1, sizeof(*stats) + info.n_stats * sizeof(__u64));
	if (!names || !stats)
		err(1, "calloc");
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_STATS;
	names->len = info.n_stats;
	ethtool(sock, interface, names);
	stats->cmd = ETHTOOL_GSTATS;
	stats->n_stats = info.n_stats;
	ethtool(sock, interface, stats);
	for (i = 0; i < stats->n_stats; i++)
		add(sample, "ethtool:",
		    (char *)names->data + i * ETH_GSTRING_LEN, stats->data[i]);
	free(names);
	free(stats);
}

/* Adds the number in DIR/NAME, if there is one. */
static void sample_file(struct sample *sample, const char *dir,
			const char *name)
{
	char path[512];
	uint64_t value;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "r");
	if (!file)
		return;
	if (fscanf(file, "%" SCNu64, &value) == 1)
		add(sample, "", name, value);
	fclose(file);
}

static void sample_kernel(struct sample *sample, const char *interface)
{
	char dir[256], path[300];
	struct dirent *entry;
	DIR *d;

	snprintf(dir, sizeof(dir), "/sys/class/net/%s", interface);
	sample_file(sample, dir, "carrier_changes");
	sample_file(sample, dir, "queues/tx-0/tx_timeout");
	snprintf(path, sizeof(path), "%s/statistics", dir);
	d = opendir(path);
	if (!d)
		err(1, "%s", path);
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			sample_file(sample, path, entry->d_name);
	closedir(d);
}

static void print(const char *when, const struct sample *sample)
{
	unsigned int i;

	for (i = 0; i < sample->n; i++)
		printf("counter %s %s %" PRIu64 "\n", when,
		       sample->counter[i].name, sample->counter[i].value);
	fflush(stdout);
}

static void compare(const struct sample *old, const struct sample *new)
{
	uint64_t gap = new->time_ms - old->time_ms;
	unsigned int i;

	if (gap > MAX_STALL_MS)
		printf("counter stall %" PRIu64 "\n", gap / 1000);
	for (i = 0; i < old->n && i < new->n; i++) {
		const struct counter *a = &old->counter[i];
		const struct counter *b = &new->counter[i];

		/* A counter that falls gives a huge step. */
		if (b->value - a->value > MAX_STEP)
			printf("counter jump %s %" PRIu64 " %" PRIu64 "\n",
			       b->name, a->value, b->value);
	}
	fflush(stdout);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static void wait_for_link(const char *interface)
{
	struct timespec pause = { .tv_nsec = 50000000 };
	static struct sample sample;
	char dir[256];

	snprintf(dir, sizeof(dir), "/sys/class/net/%s", interface);
	while (!stop) {
		sample.n = 0;
		sample_file(&sample, dir, "carrier");
		if (sample.n && sample.counter[0].value)
			return;
		nanosleep(&pause, NULL);
	}
}

int main(int argc, char **argv)
{
	struct timespec pause = { .tv_nsec = 500000000 };
	static struct sample samples[2];
	int sock = socket(AF_INET, SOCK_DGRAM, 0);
	unsigned int i;

	if (argc != 2) {
		fprintf(stderr, "usage: counters INTERFACE\n");
		return 2;
	}
	if (sock < 0)
		err(1, "socket");
	stop_on_sigterm();
	wait_for_link(argv[1]);

	for (i = 0; ; i++) {
		struct sample *sample = &samples[i % 2];

		sample->n = 0;
		sample->time_ms = now_ms();
		sample_driver(sample, sock, argv[1]);
		sample_kernel(sample, argv[1]);
		if (i)
			compare(&samples[(i + 1) % 2], sample);
		else
			print("start", sample);
		if (stop) {
			print("end", sample);
			return 0;
		}
		nanosleep(&pause, NULL);
	}
}
