// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the counters of a network interface twice a second, those of its driver
 * (ethtool -S), those of the kernel and, for igbvf, the registers of the device.
 * They would jump if the device lost its state.
 *
 *	counters INTERFACE	from when it has a link, until SIGTERM
 *
 * Output: "counter start NAME VALUE" and "counter end NAME VALUE" for each
 * counter; "counter jump NAME FROM TO" when a counter changes by more than
 * traffic explains; "counter wrap NAME FROM TO" when igbvf alone adds 2^32, see
 * wrapped(); "counter stall SECONDS" when the guest did not run for that long, so
 * that its receive ring may have run out of buffers.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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
	bool is_register;	/* of 32 bits, which wrap */
};

/* Counters of the 82576's VF, by the datasheet's names; reading changes nothing. */
static const struct {
	const char *name;
	unsigned int offset;
} registers[] = {
	{ "VFGPRC", 0xf10 },
	{ "VFGPTC", 0xf14 },
	{ "VFGORC", 0xf18 },
	{ "VFGOTC", 0xf34 },
	{ "VFMPRC", 0xf3c },
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
	counter->is_register = false;
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

/*
 * The registers of an interface that igbvf drives, or NULL.  Without iomem=relaxed
 * on its command line, the kernel may refuse to map what a driver uses.
 */
static const volatile uint32_t *map_registers(const char *interface)
{
	char path[256], driver[256];
	void *page;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/%s/device/driver",
		 interface);
	n = readlink(path, driver, sizeof(driver) - 1);
	driver[n < 0 ? 0 : n] = '\0';
	if (n < 6 || strcmp(driver + n - 6, "/igbvf"))
		return NULL;
	snprintf(path, sizeof(path), "/sys/class/net/%s/device/resource0",
		 interface);
	fd = open(path, O_RDONLY | O_SYNC);
	if (fd < 0)
		return NULL;
	page = mmap(NULL, 0x1000, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return page == MAP_FAILED ? NULL : page;
}

static void sample_registers(struct sample *sample,
			     const volatile uint32_t *page)
{
	unsigned int i;

	for (i = 0; page && i < sizeof(registers) / sizeof(*registers); i++) {
		add(sample, "register:", registers[i].name,
		    page[registers[i].offset / 4]);
		sample->counter[sample->n - 1].is_register = true;
	}
}

static void print(const char *when, const struct sample *sample)
{
	unsigned int i;

	for (i = 0; i < sample->n; i++)
		printf("counter %s %s %" PRIu64 "\n", when,
		       sample->counter[i].name, sample->counter[i].value);
	fflush(stdout);
}

/* How far a counter has gone.  One that falls gives a huge step. */
static uint64_t step(const struct counter *a, const struct counter *b)
{
	if (b->is_register)
		return (uint32_t)(b->value - a->value);
	return b->value - a->value;
}

/* Do these samples have registers, and did each go as far as traffic explains? */
static bool registers_went_on(const struct sample *old,
			      const struct sample *new)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < old->n && i < new->n; i++) {
		if (!new->counter[i].is_register)
			continue;
		any = true;
		if (step(&old->counter[i], &new->counter[i]) > MAX_STEP)
			return false;
	}
	return any;
}

/*
 * igbvf adds 2^32 when a register has a lower value than at its last reading.  It
 * takes no lock: if its watchdog reads a register while ethtool does, the older
 * value may come last and count as a wrap.  Linux 7.3, which is preemptible, shows
 * it now and then, on a host without VFIO as well.
 */
static bool wrapped(const struct counter *a, const struct counter *b)
{
	return !b->is_register && b->value - a->value >= 1ULL << 32 &&
	       b->value - a->value - (1ULL << 32) <= MAX_STEP;
}

static void compare(const struct sample *old, const struct sample *new)
{
	uint64_t gap = new->time_ms - old->time_ms;
	bool steady = registers_went_on(old, new);
	unsigned int i;

	if (gap > MAX_STALL_MS)
		printf("counter stall %" PRIu64 "\n", gap / 1000);
	for (i = 0; i < old->n && i < new->n; i++) {
		const struct counter *a = &old->counter[i];
		const struct counter *b = &new->counter[i];

		if (step(a, b) > MAX_STEP)
			printf("counter %s %s %" PRIu64 " %" PRIu64 "\n",
			       steady && wrapped(a, b) ? "wrap" : "jump",
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
	const volatile uint32_t *page;
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
	page = map_registers(argv[1]);

	for (i = 0; ; i++) {
		struct sample *sample = &samples[i % 2];

		sample->n = 0;
		sample->time_ms = now_ms();
		sample_driver(sample, sock, argv[1]);
		sample_kernel(sample, argv[1]);
		sample_registers(sample, page);
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
