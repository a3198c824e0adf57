/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that is opened through its group: its regions, interrupts and
 * features.  Functions that return no error end the test when they fail.
 */
#ifndef VFIO_TEST_DEVICE_H
#define VFIO_TEST_DEVICE_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct vdev {
	const char *bdf;
	int container;		/* not ours if @shared */
	int group;
	int fd;
	bool shared;
};

/* Binds @bdf to @driver and opens it in a new TYPE1v2 container. */
void vdev_open(struct vdev *v, const char *bdf, const char *driver);
/* The same in a container that has its IOMMU type already. */
void vdev_open_in(struct vdev *v, const char *bdf, const char *driver,
		  int container);
/*
 * Opens a bound device.  On -errno, of the step that failed, nothing is open.
 */
int vdev_try_open(struct vdev *v, const char *bdf);
void vdev_close(struct vdev *v);

/* Information */
struct vfio_device_info vdev_info(const struct vdev *v);
struct vfio_region_info vdev_region(const struct vdev *v, unsigned int index);
/* With capabilities; the caller frees it. */
struct vfio_region_info *vdev_region_caps(const struct vdev *v,
					  unsigned int index);
int vdev_region_get(const struct vdev *v, struct vfio_region_info *info);
struct vfio_irq_info vdev_irq(const struct vdev *v, unsigned int index);

/*
 * Maps a region as a VMM does: each area of its sparse-mmap list, or the whole
 * region if it has no list.  Returns the address of offset 0; memory between
 * the areas cannot be accessed.
 */
void *vdev_map_region(const struct vdev *v, unsigned int index);
void vdev_unmap_region(const struct vdev *v, unsigned int index, void *mem);

/* Access to a region: the number of bytes, or -errno. */
ssize_t region_read(const struct vdev *v, unsigned int index, uint64_t offset,
		    void *buf, size_t len);
ssize_t region_write(const struct vdev *v, unsigned int index, uint64_t offset,
		     const void *buf, size_t len);

/* Registers and configuration space; a failure ends the test. */
uint32_t reg_read(const struct vdev *v, unsigned int bar, uint32_t offset);
void reg_write(const struct vdev *v, unsigned int bar, uint32_t offset,
	       uint32_t value);
uint8_t cfg_read8(const struct vdev *v, uint32_t offset);
uint16_t cfg_read16(const struct vdev *v, uint32_t offset);
uint32_t cfg_read32(const struct vdev *v, uint32_t offset);
void cfg_write8(const struct vdev *v, uint32_t offset, uint8_t value);
void cfg_write16(const struct vdev *v, uint32_t offset, uint16_t value);
void cfg_write32(const struct vdev *v, uint32_t offset, uint32_t value);
/* Sets and clears bits of PCI_COMMAND. */
void cfg_command(const struct vdev *v, uint16_t set, uint16_t clear);
/* Offset of a capability, 0 if there is none. */
uint32_t cfg_cap(const struct vdev *v, uint8_t id);
uint32_t cfg_ext_cap(const struct vdev *v, uint16_t id);

/* Interrupts: VFIO_DEVICE_SET_IRQS with each kind of data. */
int irq_set(const struct vdev *v, uint32_t flags, uint32_t index,
	    uint32_t start, uint32_t count, const void *data, size_t size);
/* Assigns eventfds from vector @start on. */
int irq_eventfds(const struct vdev *v, uint32_t index, uint32_t start,
		 const int32_t *fds, uint32_t count);
int irq_unmask_eventfd(const struct vdev *v, uint32_t index, int32_t fd);
/* Raises the interrupts as if the device had: DATA_NONE. */
int irq_trigger(const struct vdev *v, uint32_t index, uint32_t start,
		uint32_t count);
int irq_mask(const struct vdev *v, uint32_t index);
int irq_unmask(const struct vdev *v, uint32_t index);
int irq_disable(const struct vdev *v, uint32_t index);

int eventfd_new(void);
/* An eventfd for the kernel's request to close the device. */
int request_eventfd_new(const struct vdev *v);
/* Waits for the eventfd, with a watchdog, and returns its count. */
uint64_t eventfd_wait(int fd);
/* Reads the count without waiting; 0 if there was no event. */
uint64_t eventfd_take(int fd);
void eventfd_kick(int fd);

int device_reset(const struct vdev *v);

/* VFIO_DEVICE_FEATURE: @data is copied in, and back if the call succeeds. */
int feature(int fd, uint32_t flags, void *data, size_t size);
/* VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY or _EXIT */
int low_power(const struct vdev *v, uint32_t entry_or_exit);

/*
 * Did the kernel write all of @size bytes?  The caller fills one buffer with
 * 0xaa and another with 0x55, and has the kernel write the same answer to both.
 */
bool all_bytes_written(const void *with_aa, const void *with_55, size_t size);

#endif
