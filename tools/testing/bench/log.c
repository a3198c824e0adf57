// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs igbvf-vfio-pci to log what a VF of the 82576 writes: the
 * instructions of its thread for each receive descriptor that is posted, alone
 * and in batches, and those of the features' calls.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "count.h"
#include "device.h"
#include "dma_log.h"
#include "nic.h"
#include "sysfs.h"
#include "util.h"

#define ROUNDS		200
#define BATCH		16

/* Long enough for the thread to have seen what was posted */
#define SEEN_US		2000

/* What is logged: the NIC's memory, and more that is never written */
#define RANGE_IOVA	0ULL
#define RANGE_MIB	1024ULL
#define RANGE_LENGTH	(RANGE_MIB << 20)

static char thread_stat[300];	/* schedstat of the thread that logs */

static void find_thread(void)
{
	struct dirent *entry;
	char path[280], name[32];
	DIR *dir = opendir("/proc");
	FILE *file;

	if (!dir)
		die("no /proc");
	while (!thread_stat[0] && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) &&
		    !strncmp(name, "vfio-log", 8))
			snprintf(thread_stat, sizeof(thread_stat),
				 "/proc/%s/schedstat", entry->d_name);
		fclose(file);
	}
	closedir(dir);
	if (!thread_stat[0])
		die("no thread logs");
}

/* The thread's run time, in instructions at one a nanosecond */
static uint64_t thread_ran(void)
{
	FILE *file = fopen(thread_stat, "r");
	uint64_t ran;

	if (!file || fscanf(file, "%" SCNu64, &ran) != 1)
		die("%s", thread_stat);
	fclose(file);
	return ran;
}

/*
 * Receives @count frames, after each of which the NIC's driver posts a
 * descriptor.
 */
static void frames(struct nic *nic, struct peer *peer, unsigned int count)
{
	uint8_t payload[64] = {};
	unsigned int i;

	for (i = 0; i < count; i++)
		peer_send(peer, nic->mac, payload, sizeof(payload));
	for (i = 0; i < count; i++)
		if (!nic_receive(nic, payload, sizeof(payload)))
			die("received %u frames of %u", i, count);
	sleep_us(SEEN_US);
}

static void measure_posted(struct nic *nic, struct peer *peer,
			   unsigned int batch)
{
	uint64_t before = thread_ran();
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		frames(nic, peer, batch);
	report((double)(thread_ran() - before) / ROUNDS / batch, "desc.",
	       "receive descriptor posted, %u at once", batch);
}

static void measure_idle(void)
{
	uint64_t before = thread_ran();

	sleep_us(1000000);
	report(thread_ran() - before, "second", "nothing posted");
}

static void measure_report(const struct vdev *v, void *bitmap)
{
	static struct count call;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		count_begin(&call);
		must(log_report(v->fd, RANGE_IOVA, RANGE_LENGTH, 4096, bitmap));
		count_end(&call);
	}
	report(count_average(&call), "call", "report of %" PRIu64 " MiB",
	       (uint64_t)RANGE_MIB);
}

static void measure_start(const struct vdev *v)
{
	static struct count start, stop;
	unsigned int i;

	for (i = 0; i < ROUNDS / 10; i++) {
		count_begin(&start);
		must(log_start_range(v->fd, RANGE_IOVA, RANGE_LENGTH));
		count_end(&start);
		count_begin(&stop);
		must(log_stop(v->fd));
		count_end(&stop);
	}
	report(count_average(&start), "call", "start of logging");
	report(count_average(&stop), "call", "stop of logging");
}

int main(int argc, char **argv)
{
	void *bitmap = calloc(RANGE_LENGTH / 4096 / 8, 1);
	struct peer peer;
	struct nic nic;
	struct vdev v;

	if (argc != 3) {
		fprintf(stderr, "usage: log PF VF\n");
		return 2;
	}
	count_init();
	if (!bitmap)
		die("no memory");
	vdev_open(&v, argv[2], DRV_IGBVF_VFIO);
	nic_alloc(&nic);
	nic_attach(&nic, &v);
	nic_up(&nic);
	peer_open(&peer, argv[1]);
	measure_start(&v);
	must(log_start_range(v.fd, RANGE_IOVA, RANGE_LENGTH));
	find_thread();
	measure_posted(&nic, &peer, 1);
	measure_posted(&nic, &peer, BATCH);
	measure_idle();
	measure_report(&v, bitmap);
	must(log_stop(v.fd));
	peer_close(&peer);
	nic_detach(&nic);
	nic_free(&nic);
	vdev_close(&v);
	free(bitmap);
	return 0;
}
