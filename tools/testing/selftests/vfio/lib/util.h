/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers that have nothing to do with VFIO: calls that end the test when they
 * fail, system calls that return a negative errno, memory, and counters of
 * /proc. Independent of the test harness: the benchmarks use the library
 * without one.
 */
#ifndef VFIO_TEST_UTIL_H
#define VFIO_TEST_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#define BIT(n)		(1U << (n))
#define BIT_ULL(n)	(1ULL << (n))
#define KiB		1024ULL
#define MiB		(1024 * KiB)
#define GiB		(1024 * MiB)

/* Exit status of a test process that failed; the harness reports it. */
#define TEST_FAILED	1

/* If set, called before the process dies. */
extern void (*before_death)(void);

/* Prints a TAP diagnostic and ends the test process. */
void __attribute__((noreturn, format(printf, 3, 4)))
die_at(const char *file, int line, const char *fmt, ...);

#define die(fmt, ...) die_at(__FILE__, __LINE__, fmt, ##__VA_ARGS__)

/* The value of @expr; ends the test process if it is a negative errno. */
#define must(expr) ({							\
	long __ret = (expr);						\
									\
	if (__ret < 0)							\
		must_failed(__FILE__, __LINE__, #expr, __ret);		\
	__ret;								\
})

void __attribute__((noreturn))
must_failed(const char *file, int line, const char *expr, long err);

/* System calls that return -errno.  */
long sys_ioctl(int fd, unsigned long request, const void *arg);
ssize_t sys_read(int fd, void *buf, size_t len);
ssize_t sys_write(int fd, const void *buf, size_t len);
ssize_t sys_pread(int fd, void *buf, size_t len, off_t offset);
ssize_t sys_pwrite(int fd, const void *buf, size_t len, off_t offset);
int sys_open(const char *path, int flags);
int sys_close(int fd);

/* Whole files. */
int file_write(const char *path, const char *text);
int file_read(const char *path, char *buf, size_t size);

/* Page-aligned, zeroed, private anonymous memory. */
void *mem_alloc(size_t size);
void mem_free(void *mem, size_t size);

/*
 * Two pages of which the second cannot be accessed: returns a pointer to the
 * last @size bytes of the first, so that a byte read or written beyond them
 * faults.
 */
void *mem_at_page_end(size_t size);

/* The number of open file descriptors of this process. */
unsigned int count_open_fds(void);

/* A "Name: 123 kB" line of /proc/self/status or /proc/meminfo, in kB. */
long proc_status_kb(const char *name);
long proc_meminfo_kb(const char *name);

/* The number of pages that are pinned for DMA now, in the whole machine. */
long pages_pinned_now(void);

size_t page_size(void);

/* xorshift: the same seed gives the same sequence on every machine. */
uint64_t prng(uint64_t *state);
/* A seed for prng(): VFIO_TEST_SEED, or a random one. */
uint64_t test_seed(void);

/* Is the environment variable @name "1"? */
bool env_flag(const char *name);

/*
 * How often to repeat what a test repeats @n times: @n divided by
 * VFIO_TEST_SCALE, rounded up.
 */
unsigned int scaled(unsigned int n);

/* Milliseconds on a clock that never goes back: to print, or for watchdogs. */
uint64_t now_ms(void);
void sleep_us(unsigned int us);

/*
 * Polls every @us microseconds until @cond is true; the value is @cond.  Gives up
 * after @polls polls and WATCHDOG_MS.  The limit is a watchdog.  It counts polls,
 * too: a busy machine polls less often, and a VM that does not run, not at all.
 * poll(2), which waits for one event, has WATCHDOG_MS alone.
 */
#define WATCHDOG_MS	120000
#define poll_every(us, polls, cond) ({					\
	uint64_t __end = now_ms() + WATCHDOG_MS;			\
	unsigned long __polls = 0;					\
	bool __true;							\
									\
	while (!(__true = (cond)) &&					\
	       (__polls++ < (polls) || now_ms() < __end))		\
		sleep_us(us);						\
	__true;								\
})

/* Far beyond what a working machine needs */
#define poll_until(cond)	poll_every(50, 20000, cond)

#endif
