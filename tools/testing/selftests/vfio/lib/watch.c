// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that a device can write, compared with the reports of DMA logging.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "iommu.h"
#include "util.h"
#include "watch.h"

static bool bit(const uint64_t *map, size_t n)
{
	return map[n / 64] >> n % 64 & 1;
}

static void set_bit(uint64_t *map, size_t n)
{
	map[n / 64] |= BIT_ULL(n % 64);
}

static size_t pages(const struct watch_mem *m)
{
	return m->size / WATCH_PAGE;
}

static size_t bitmap_size(const struct watch_mem *m)
{
	return (pages(m) + 63) / 64 * 8;
}

static struct watch_mem *mem_of(struct watch *w, uint64_t iova)
{
	unsigned int i;

	for (i = 0; i < w->mems; i++)
		if (iova - w->mem[i].iova < w->mem[i].size)
			return &w->mem[i];
	die("no memory at IOVA %#llx", (unsigned long long)iova);
}

void watch_init(struct watch *w, const struct vdev *v)
{
	*w = (struct watch){ .v = v };
}

void watch_add(struct watch *w, uint64_t iova, void *mem, size_t size)
{
	struct watch_mem *m = &w->mem[w->mems++];

	if (w->mems > WATCH_MEMS)
		die("more than %d pieces of memory", WATCH_MEMS);
	*m = (struct watch_mem){
		.iova = iova,
		.size = size,
		.mem = mem,
		.seen = mem_alloc(size),
		.sent = mem_alloc(size),
	};
	m->report = calloc(1, bitmap_size(m));
	m->before = calloc(1, bitmap_size(m));
	m->raced = calloc(1, bitmap_size(m));
	m->own = calloc(1, bitmap_size(m));
}

void watch_map(struct watch *w, uint64_t iova, size_t size)
{
	void *mem = mem_alloc(size);

	must(dma_map(w->v->container, iova, mem, size));
	watch_add(w, iova, mem, size);
}

void watch_own(struct watch *w, uint64_t iova, size_t size)
{
	struct watch_mem *m = mem_of(w, iova);
	size_t page = (iova - m->iova) / WATCH_PAGE;

	for (; size; size -= WATCH_PAGE)
		set_bit(m->own, page++);
}

void *watch_at(struct watch *w, uint64_t iova)
{
	struct watch_mem *m = mem_of(w, iova);

	return m->mem + (iova - m->iova);
}

void watch_store(struct watch *w, uint64_t iova, const void *data, size_t len)
{
	struct watch_mem *m = mem_of(w, iova);
	size_t at = iova - m->iova;

	memcpy(m->mem + at, data, len);
	memcpy(m->seen + at, data, len);
	memcpy(m->sent + at, data, len);
}

void watch_accept(struct watch *w)
{
	unsigned int i;

	for (i = 0; i < w->mems; i++) {
		struct watch_mem *m = &w->mem[i];

		memcpy(m->seen, m->mem, m->size);
		memcpy(m->sent, m->mem, m->size);
		memset(m->raced, 0, bitmap_size(m));
	}
}

int watch_start_ranges(struct watch *w, const log_range *ranges,
		       unsigned int count)
{
	uint64_t page = WATCH_PAGE;
	unsigned int i;
	int ret;

	ret = log_start(w->v->fd, &page, ranges, count);
	if (ret)
		return ret;
	memcpy(w->ranges, ranges, count * sizeof(*ranges));
	w->nr_ranges = count;
	w->written = 0;
	for (i = 0; i < w->mems; i++)
		memset(w->mem[i].report, 0, bitmap_size(&w->mem[i]));
	watch_accept(w);
	return 0;
}

int watch_start(struct watch *w)
{
	log_range ranges[WATCH_MEMS];
	unsigned int i;

	for (i = 0; i < w->mems; i++)
		ranges[i] = (log_range){
			.iova = w->mem[i].iova,
			.length = w->mem[i].size,
		};
	return watch_start_ranges(w, ranges, w->mems);
}

static bool is_logged(const struct watch *w, uint64_t iova)
{
	unsigned int i;

	for (i = 0; i < w->nr_ranges; i++)
		if (iova - w->ranges[i].iova < w->ranges[i].length)
			return true;
	return false;
}

/*
 * Has the page changed since the last comparison?  True once for each change.
 */
static bool changed(struct watch_mem *m, size_t page)
{
	size_t at = page * WATCH_PAGE;

	if (bit(m->own, page) || !memcmp(m->mem + at, m->seen + at, WATCH_PAGE))
		return false;
	memcpy(m->seen + at, m->mem + at, WATCH_PAGE);
	return true;
}

/*
 * Sets the bits of pages that were written since the last comparison in @map.
 */
static void look(struct watch *w, struct watch_mem *m, uint64_t *map)
{
	size_t page;

	memset(map, 0, bitmap_size(m));
	for (page = 0; page < pages(m); page++) {
		if (!changed(m, page))
			continue;
		set_bit(map, page);
		w->written++;
	}
}

static void report(struct watch *w, struct watch_mem *m)
{
	size_t page, at;

	memcpy(m->before, m->report, bitmap_size(m));
	memset(m->report, 0, bitmap_size(m));
	must(log_report(w->v->fd, m->iova, m->size, WATCH_PAGE, m->report));
	for (page = 0; page < pages(m); page++) {
		at = page * WATCH_PAGE;
		if (bit(m->report, page)) {
			w->reported += WATCH_PAGE;
			w->reported_own += bit(m->own, page);
		}
		if (bit(m->report, page) || bit(m->own, page))
			memcpy(m->sent + at, m->mem + at, WATCH_PAGE);
	}
}

static bool is_lost(const struct watch *w, const struct watch_mem *m,
		    size_t page, const uint64_t *written)
{
	const char *when;

	if (bit(m->report, page) ||
	    !is_logged(w, m->iova + page * WATCH_PAGE))
		return false;
	if (bit(written, page))
		when = "before";
	else if (bit(m->raced, page) && !bit(m->before, page))
		when = "around";
	else
		return false;
	fprintf(stderr, "# lost: page %#llx, written %s a report\n",
		(unsigned long long)(m->iova + page * WATCH_PAGE), when);
	return true;
}

static unsigned int step(struct watch *w, struct watch_mem *m)
{
	uint64_t *written = malloc(bitmap_size(m));
	unsigned int lost = 0;
	size_t page;

	look(w, m, written);
	report(w, m);
	for (page = 0; page < pages(m); page++)
		lost += is_lost(w, m, page, written);
	look(w, m, m->raced);
	free(written);
	return lost;
}

unsigned int watch_step(struct watch *w)
{
	unsigned int i, lost = 0;

	w->reported = 0;
	w->reported_own = 0;
	for (i = 0; i < w->mems; i++)
		lost += step(w, &w->mem[i]);
	return lost;
}

bool watch_changed(struct watch *w, uint64_t iova)
{
	struct watch_mem *m = mem_of(w, iova);
	size_t at = (iova - m->iova) / WATCH_PAGE * WATCH_PAGE;

	return memcmp(m->mem + at, m->seen + at, WATCH_PAGE);
}

bool watch_reported(struct watch *w, uint64_t iova, size_t size)
{
	struct watch_mem *m = mem_of(w, iova);
	size_t page = (iova - m->iova) / WATCH_PAGE;
	size_t last = (iova + size - 1 - m->iova) / WATCH_PAGE;

	for (; page <= last; page++)
		if (!bit(m->report, page))
			return false;
	return true;
}

unsigned int watch_differs(struct watch *w)
{
	unsigned int i, count = 0;
	size_t at;

	for (i = 0; i < w->mems; i++) {
		struct watch_mem *m = &w->mem[i];

		for (at = 0; at < m->size; at += WATCH_PAGE)
			count += !!memcmp(m->mem + at, m->sent + at,
					  WATCH_PAGE);
	}
	return count;
}
