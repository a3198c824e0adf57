/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctls of /dev/dmabuf_importer: each open file is an importer of one
 * dma-buf.  Shared by the module and the tests.
 */
#ifndef DMABUF_IMPORTER_H
#define DMABUF_IMPORTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The importer can reach the memory of other devices. */
#define IMPORTER_P2P		1
/* It can be told that its mapping is no longer valid... */
#define IMPORTER_REVOCABLE	2
/* ...and unmaps only when IMPORTER_UNMAP comes, not at once. */
#define IMPORTER_LATE		4

/**
 * struct importer_attach - attach a dma-buf
 * @fd: of the dma-buf
 * @flags: IMPORTER_*
 * @domain: of the PCI function on whose behalf the module imports
 * @bus: likewise
 * @devfn: likewise
 */
struct importer_attach {
	__s32 fd;
	__u32 flags;
	__u32 domain;
	__u32 bus;
	__u32 devfn;
};

/**
 * struct importer_map - map it for DMA
 * @count: out: entries
 * @entry: out: address and length of each
 */
#define IMPORTER_ENTRIES	8
struct importer_map {
	__u32 count;
	struct {
		__u64 address;
		__u64 length;
	} entry[IMPORTER_ENTRIES];
};

/**
 * struct importer_state - what the module has seen
 * @invalidations: how often it was told that its mapping is no longer valid
 * @mapped: whether it has a mapping
 */
struct importer_state {
	__u32 invalidations;
	__u32 mapped;
};

#define IMPORTER_ATTACH	_IOW('V', 0, struct importer_attach)
#define IMPORTER_MAP	_IOR('V', 1, struct importer_map)
#define IMPORTER_UNMAP	_IO('V', 2)
#define IMPORTER_STATE	_IOR('V', 3, struct importer_state)
/* Begin DMA, as a fence that signals at IMPORTER_DMA_END */
#define IMPORTER_DMA	_IO('V', 4)
#define IMPORTER_DMA_END	_IO('V', 5)

#endif /* DMABUF_IMPORTER_H */
