// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that end the test when they fail, system calls that return -errno,
 * memory, and counters of /proc.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

void (*before_death)(void);

void die_at(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	if (before_death)
		before_death();
	fprintf(stderr, "# %s:%d: ", file, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	fflush(stderr);
	_exit(TEST_FAILED);
}

void must_failed(const char *file, int line, const char *expr, long err)
{
	die_at(file, line, "%s: %ld (%s)", expr, err, strerror(-err));
}

long sys_ioctl(int fd, unsigned long request, const void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

ssize_t sys_read(int fd, void *buf, size_t len)
{
	ssize_t ret = read(fd, buf, len);

	return ret < 0 ? -errno : ret;
}

ssize_t sys_write(int fd, const void *buf, size_t len)
{
	ssize_t ret = write(fd, buf, len);

	return ret < 0 ? -errno : ret;
}

ssize_t sys_pread(int fd, void *buf, size_t len, off_t offset)
{
	ssize_t ret = pread(fd, buf, len, offset);

	return ret < 0 ? -errno : ret;
}

ssize_t sys_pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	ssize_t ret = pwrite(fd, buf, len, offset);

	return ret < 0 ? -errno : ret;
}

int sys_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int sys_close(int fd)
{
	return close(fd) < 0 ? -errno : 0;
}

int file_write(const char *path, const char *text)
{
	ssize_t ret;
	int fd;

	fd = sys_open(path, O_WRONLY);
	if (fd < 0)
		return fd;
	ret = sys_write(fd, text, strlen(text));
	close(fd);
	return ret < 0 ? ret : 0;
}

int file_read(const char *path, char *buf, size_t size)
{
	ssize_t ret;
	int fd;

	fd = sys_open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	ret = sys_read(fd, buf, size - 1);
	close(fd);
	if (ret < 0)
		return ret;
	while (ret && buf[ret - 1] == '\n')
		ret--;
	buf[ret] = '\0';
	return ret;
}

void *mem_alloc(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		die("no memory: %zu bytes", size);
	return mem;
}

void mem_free(void *mem, size_t size)
{
	if (munmap(mem, size))
		die("munmap: %s", strerror(errno));
}

void *mem_at_page_end(size_t size)
{
	size_t room = (size + page_size() - 1) / page_size() * page_size();
	char *mem = mem_alloc(room + page_size());

	if (mprotect(mem + room, page_size(), PROT_NONE))
		die("mprotect: %s", strerror(errno));
	return mem + room - size;
}

unsigned int count_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	if (!dir)
		die("/proc/self/fd: %s", strerror(errno));
	while (readdir(dir))
		count++;
	closedir(dir);
	/* ".", ".." and the directory itself */
	return count - 3;
}

static long proc_field(const char *path, const char *name)
{
	char line[256];
	long value = -1;
	FILE *file;

	file = fopen(path, "re");
	if (!file)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		size_t len = strlen(name);

		if (strncmp(line, name, len))
			continue;
		if (line[len] != ':' && line[len] != ' ')
			continue;
		value = strtol(line + len + 1, NULL, 10);
		break;
	}
	fclose(file);
	if (value < 0)
		die("%s has no %s", path, name);
	return value;
}

long proc_status_kb(const char *name)
{
	return proc_field("/proc/self/status", name);
}

long proc_meminfo_kb(const char *name)
{
	return proc_field("/proc/meminfo", name);
}

long pages_pinned_now(void)
{
	long acquired, released;

	/* Have the counts of all CPUs added up first. */
	must(file_write("/proc/sys/vm/stat_refresh", "1"));
	acquired = proc_field("/proc/vmstat", "nr_foll_pin_acquired");
	released = proc_field("/proc/vmstat", "nr_foll_pin_released");
	return acquired - released;
}

size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

uint64_t prng(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

uint64_t test_seed(void)
{
	const char *given = getenv("VFIO_TEST_SEED");
	uint64_t seed;

	if (given)
		return strtoull(given, NULL, 0);
	if (getrandom(&seed, sizeof(seed), 0) < 0)
		die("getrandom: %s", strerror(errno));
	return seed;
}

bool env_flag(const char *name)
{
	const char *value = getenv(name);

	return value && !strcmp(value, "1");
}

unsigned int scaled(unsigned int n)
{
	const char *value = getenv("VFIO_TEST_SCALE");
	unsigned int scale = value ? atoi(value) : 1;

	return scale > 1 && n ? (n - 1) / scale + 1 : n;
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

void sleep_us(unsigned int us)
{
	struct timespec ts = {
		.tv_sec = us / 1000000,
		.tv_nsec = us % 1000000 * 1000L,
	};

	nanosleep(&ts, NULL);
}
