// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast the data fd transfers a device state, compared with read() and
 * write() on a memfd of that size.  The device is vfio_bulk.ko.  Only the
 * system calls are timed.  Both fds take turns, so that other work of the
 * machine slows both down.
 *
 * Prints lines of "read|write FD RATE", the median in MiB/s.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "count.h"
#include "device.h"
#include "migration.h"
#include "mock.h"
#include "util.h"

#define CHUNK		MiB
#define BLOCK		(64 * KiB)	/* of vfio_bulk's pattern */
#define ROUNDS_MAX	99

static uint8_t *buffer;		/* CHUNK bytes */
static size_t size;

static double write_all(int fd)
{
	double begin, spent = 0;
	size_t done, at;
	ssize_t ret;

	for (done = 0; done < size; done += CHUNK) {
		for (at = 0; at < CHUNK; at += BLOCK)
			*(uint64_t *)(buffer + at) = (done + at) / BLOCK;
		begin = seconds();
		for (at = 0; at < CHUNK; at += ret)
			ret = must(sys_write(fd, buffer + at, CHUNK - at));
		spent += seconds() - begin;
	}
	return spent;
}

static double read_all(int fd)
{
	double begin = seconds();
	size_t done = 0;
	ssize_t ret;

	while ((ret = must(sys_read(fd, buffer, CHUNK))))
		done += ret;
	begin = seconds() - begin;
	if (done != size)
		die("%zu bytes were read, not %zu", done, size);
	return begin;
}

static void memfd_round(double *write, double *read)
{
	int fd = must(memfd_create("bench", 0));

	*write = write_all(fd);
	lseek(fd, 0, SEEK_SET);
	*read = read_all(fd);
	sys_close(fd);
}

static void device_round(int device, double *write, double *read)
{
	int fd;

	fd = must(mig_session(device, RESUMING));
	*write = write_all(fd);
	must(mig_set(device, STOP, NULL));
	sys_close(fd);

	fd = must(mig_session(device, STOP_COPY));
	*read = read_all(fd);
	must(mig_set(device, STOP, NULL));
	sys_close(fd);
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void print(const char *what, const char *fd, double *spent,
		  unsigned int rounds)
{
	qsort(spent, rounds, sizeof(spent[0]), by_size);
	printf("%s %s %.0f\n", what, fd, size / MiB / spent[rounds / 2]);
}

int main(int argc, char **argv)
{
	double memfd[2][ROUNDS_MAX], device[2][ROUNDS_MAX];
	unsigned int rounds, i;
	struct vdev v;

	if (argc != 3) {
		fprintf(stderr, "usage: stream DEVICE ROUNDS\n");
		return 2;
	}
	rounds = atoi(argv[2]);
	if (!rounds || rounds > ROUNDS_MAX)
		die("rounds: 1 to %d", ROUNDS_MAX);
	buffer = mem_alloc(CHUNK);
	memset(buffer, 0x5a, CHUNK);
	platform_open(&v, argv[1]);
	size = must(mig_data_size(v.fd));
	for (i = 0; i < rounds; i++) {
		memfd_round(&memfd[0][i], &memfd[1][i]);
		device_round(v.fd, &device[0][i], &device[1][i]);
		fprintf(stderr, "# round %u: write %.2f %.2f s, read %.2f %.2f s\n",
			i, memfd[0][i], device[0][i], memfd[1][i],
			device[1][i]);
	}
	print("write", "memfd", memfd[0], rounds);
	print("write", "data-fd", device[0], rounds);
	print("read", "memfd", memfd[1], rounds);
	print("read", "data-fd", device[1], rounds);
	vdev_close(&v);
	return 0;
}
