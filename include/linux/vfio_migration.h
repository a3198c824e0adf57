/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The migration library for VFIO drivers (vfio-migration.ko).
 *
 * A driver embeds a struct vfio_migration in its device and describes the
 * device in a struct vfio_mig_driver: the arcs of its state machine, how its
 * state is saved and loaded, how it is stopped.  The library does the rest: it
 * walks over the arcs, holds the state lock, serves the data files, writes and
 * reads the stream, and handles resets and closes.
 * Documentation/driver-api/vfio-migration.rst has an example.
 *
 * Works with the vfio.ko of this tree as well as with that of Linux 6.12.
 */
#ifndef VFIO_MIGRATION_H
#define VFIO_MIGRATION_H

#include <linux/dev_printk.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/rwsem.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <linux/vfio_mig_states.h>
#include <uapi/linux/vfio_migration_stream.h>

struct vfio_mig_session;
struct vfio_migration;

/* ---- The record stream ---- */

/**
 * struct vfio_mig_writer - writes a stream
 * @put: appends @len bytes to the stream.  Returns 0 or a negative errno, after
 *	which it is not called again
 * @bytes: bytes written so far, without the stream's header
 * @error: 0, or the error that @put has returned.  Every later write returns
 *	it, too, so that no stream continues after a gap
 * @min_version: the oldest version of the format whose drivers can load the
 *	stream; 0: only that of the stream
 *
 * A driver gets a writer as an argument of save(), and may read @bytes.  Code
 * that writes a stream of its own sets @put, and @min_version if it is not 0, and
 * calls vfio_mig_write_header().
 */
struct vfio_mig_writer {
	int (*put)(struct vfio_mig_writer *writer, const void *data,
		   size_t len);
	u64 bytes;
	int error;
	u16 min_version;
	/* private: */
	u64 left;		/* of the payload that was begun */
	u32 block_left;		/* of its current block */
	u32 crc;
};

int vfio_mig_write_header(struct vfio_mig_writer *writer, const char *format,
			  u16 format_version);
int vfio_mig_record_begin(struct vfio_mig_writer *writer, u16 type,
			  u16 version, u32 flags, u64 length);
int vfio_mig_record_data(struct vfio_mig_writer *writer, const void *data,
			 size_t len);
int vfio_mig_write_record(struct vfio_mig_writer *writer, u16 type,
			  u16 version, u32 flags, const void *data,
			  size_t len);
int vfio_mig_write_end(struct vfio_mig_writer *writer);

/**
 * vfio_mig_record_size - the size of a record in the stream
 * @length: bytes of payload
 *
 * Return: bytes, with header and checksums.  0 as @length gives the size of the
 * record that ends a stream.
 */
static inline u64 vfio_mig_record_size(u64 length)
{
	return sizeof(struct vfio_mig_record_header) + length +
	       (length / VFIO_MIG_BLOCK_SIZE +
		!!(length % VFIO_MIG_BLOCK_SIZE)) * sizeof(__le32);
}

/* A stream without this record is refused as incomplete. */
#define VFIO_MIG_TYPE_REQUIRED		BIT(0)
/* The record may come several times: the last one counts. */
#define VFIO_MIG_TYPE_REPEATS		BIT(1)
/* The record is a part of the driver's image: see vfio_mig_image_save(). */
#define VFIO_MIG_TYPE_IMAGE		BIT(2)
/*
 * The part of the image is sent in PRE_COPY and, with VFIO_MIG_TYPE_REPEATS,
 * again whenever it has changed.  Other parts are sent in STOP_COPY.
 */
#define VFIO_MIG_TYPE_EARLY		BIT(3)

/* A driver may list this many types of records. */
#define VFIO_MIG_TYPES_MAX		64

/**
 * struct vfio_mig_record_type - a type of record that a driver knows
 * @type: VFIO_MIG_RECORD_IDENTITY, or a number from 2 to 0xfffe that the driver
 *	chooses
 * @version: the version of the payload that the driver reads and writes
 * @flags: VFIO_MIG_TYPE_*
 * @min_length: bytes that a payload has at least
 * @max_length: bytes that a payload has at most
 * @offset: with VFIO_MIG_TYPE_IMAGE: bytes from the beginning of the image to
 *	this part of it
 * @check: with VFIO_MIG_TYPE_IMAGE: says whether the device can be loaded with
 *	@part, which is this part of an image.  Returns NULL, or the reason
 *	against it for a message.  Called with the state lock held.  Optional:
 *	without it every content is accepted
 */
struct vfio_mig_record_type {
	u16 type;
	u16 version;
	u32 flags;
	u64 min_length;
	u64 max_length;
	size_t offset;
	const char *(*check)(struct vfio_migration *mig, const void *part);
};

/**
 * VFIO_MIG_IMAGE_RECORD - a struct vfio_mig_record_type for a part of an image
 * @_type: type of the record
 * @_version: version of its payload
 * @_flags: VFIO_MIG_TYPE_* besides IMAGE, which is set.  With REQUIRED, a driver
 *	that does not know the record refuses the stream, and a stream without
 *	the record is refused.  A record without it may be new in a version
 *	whose format_min_version or format_oldest is lower: older drivers skip
 *	it, and it is all zeros when it does not come
 * @_image: type of the image, a struct
 * @_member: the member of @_image that is the part.  It consists of u32 only,
 *	and of VFIO_MIG_BLOCK_SIZE bytes at most
 * @_check: as in struct vfio_mig_record_type
 */
#define VFIO_MIG_IMAGE_RECORD(_type, _version, _flags, _image, _member, _check) \
	{								\
		.type = (_type),					\
		.version = (_version),					\
		.flags = VFIO_MIG_TYPE_IMAGE | (_flags),		\
		.min_length = sizeof_field(_image, _member),		\
		.max_length = sizeof_field(_image, _member),		\
		.offset = offsetof(_image, _member),			\
		.check = (_check),					\
	}

/**
 * struct vfio_mig_payload - bytes of a record whose checksum was right
 * @type: the record's type: an element of the driver's table
 * @length: bytes of the whole payload
 * @offset: bytes of the payload before @data
 * @data: the bytes; not aligned, NULL if @length is 0
 * @len: bytes in @data: the whole payload, or if that is longer than
 *	VFIO_MIG_BLOCK_SIZE, a part of it.  The parts come in order
 */
struct vfio_mig_payload {
	const struct vfio_mig_record_type *type;
	u64 length;
	u64 offset;
	const void *data;
	size_t len;
};

/**
 * struct vfio_mig_reader - reads a stream in pieces, as they come
 * @format: name of the record format that the stream must have
 * @format_version: version of @format that is known
 * @oldest_version: the oldest version of @format that is accepted; 0:
 *	@format_version
 * @types: types of records that are known; the first is
 *	VFIO_MIG_RECORD_IDENTITY
 * @nr_types: elements of @types, VFIO_MIG_TYPES_MAX at most
 * @load: gets the payload of each record of a known type.  Returns 0, or a
 *	negative errno that refuses the stream; ``*why`` can be set to the
 *	reason
 * @why: after an error: the reason, or NULL
 *
 * The caller sets these members and zeroes the others.  The library does so for
 * the data files of a device.
 */
struct vfio_mig_reader {
	const char *format;
	u16 format_version;
	u16 oldest_version;
	const struct vfio_mig_record_type *types;
	unsigned int nr_types;
	int (*load)(struct vfio_mig_reader *reader,
		    const struct vfio_mig_payload *payload, const char **why);
	const char *why;
	/* private: */
	int (*take)(struct vfio_mig_reader *reader, const u8 *unit);
	size_t need;		/* bytes of the unit that is being read */
	size_t have;		/* bytes of it that are in @unit */
	size_t room;		/* bytes allocated for @unit */
	u8 *unit;
	struct vfio_mig_payload payload;	/* the record being read */
	u64 seen;		/* bit N: a record of types[N] has come */
	u32 crc;
	bool complete;
	int error;
};

int vfio_mig_reader_push(struct vfio_mig_reader *reader, const void *data,
			 size_t len);
ssize_t vfio_mig_reader_push_unit(struct vfio_mig_reader *reader,
				  const void *data, size_t len);
bool vfio_mig_reader_complete(const struct vfio_mig_reader *reader);
void vfio_mig_reader_free(struct vfio_mig_reader *reader);

/* ---- Devices ---- */

/*
 * The arc's function needs memory_lock held for write, because it resets the
 * device.
 */
#define VFIO_MIG_ARC_EXCLUSIVE		BIT(0)

/**
 * struct vfio_mig_arc - a move from one state to the next
 * @from: state in which it begins
 * @to: state in which it ends
 * @take: moves the device.  Returns 0, or a negative errno: then the device is
 *	still in @from, unless @take has called vfio_mig_error().  NULL if the
 *	device needs nothing
 * @flags: VFIO_MIG_ARC_*
 */
struct vfio_mig_arc {
	enum vfio_device_mig_state from;
	enum vfio_device_mig_state to;
	int (*take)(struct vfio_migration *mig);
	unsigned int flags;
};

/**
 * VFIO_MIG_ARC - an element of a table of arcs
 * @_from: state in which it begins, without ``VFIO_DEVICE_STATE_``
 * @_to: state in which it ends, likewise
 * @...: take and flags of struct vfio_mig_arc; may be left out
 */
#define VFIO_MIG_ARC(_from, _to, ...)					\
	{ VFIO_DEVICE_STATE_##_from, VFIO_DEVICE_STATE_##_to, __VA_ARGS__ }

/**
 * struct vfio_mig_driver - the migration of a kind of device
 * @flags: VFIO_MIGRATION_*; STOP_COPY is among them
 * @arcs: all arcs of a device with @flags, as the table in
 *	Documentation/driver-api/vfio-migration.rst lists them
 * @nr_arcs: elements of @arcs
 * @format: name of the record format, 14 bytes at most.  NULL for a driver
 *	whose stream is laid down elsewhere: the library then passes bytes on
 *	as they are, and uses none of @format_version to @records, @load and
 *	@load_end
 * @format_version: version of @format
 * @format_min_version: the oldest version of this driver that can load what
 *	@save writes: all records that it does not know are optional.  0:
 *	@format_version
 * @format_oldest: the oldest version of a stream that @load can load.  0:
 *	@format_version
 * @records: types of records; the first is VFIO_MIG_RECORD_IDENTITY
 * @nr_records: elements of @records, VFIO_MIG_TYPES_MAX at most
 * @reinit: what @save appends later in PRE_COPY is new initial data: it is due
 *	only when the guest has changed the set-up of the device.  A VMM that
 *	knows VFIO_PRECOPY_INFO_REINIT then sends it before it stops the device
 * @max_bytes: without @format: bytes that a stream has at most; write() fails
 *	with ENOSPC beyond them
 * @prepare: makes the device answer.  Called before each function of an arc,
 *	@save, @load, @load_end and @close.  Optional
 * @save: appends to the stream @to what is due in mig->state.  Called when a
 *	session begins in a PRE_COPY state and when STOP_COPY is reached, and
 *	again when the user has read all that it wrote: in PRE_COPY if @pending
 *	is not 0, in STOP_COPY if the previous call returned 1.  @to->bytes is 0
 *	at the beginning of a stream.  Returns 0, 1 in STOP_COPY if there is
 *	more, or a negative errno.  After an error at the beginning of a session
 *	or on reaching STOP_COPY, the library calls the function of the arc
 *	that leaves the state: to STOP from STOP_COPY, else back to where the
 *	session began.  After a later error the stream has failed: read()
 *	returns the error until the user leaves the saving states
 * @pending: returns exactly how many bytes @save would append now; called in
 *	PRE_COPY.  Reads memory only.  Optional: @save is then called once in
 *	PRE_COPY
 * @load: checks a part of a record and keeps it.  It takes effect only in the
 *	arc RESUMING -> STOP.  Returns 0, or a negative errno that refuses the
 *	stream for good; ``*why`` can be set to the reason, which is logged.
 *	The library releases its locks between two calls, so that a reset can
 *	end the session and a signal the write(): others wait for one call at
 *	most.  The stream, which may come from anybody, decides how often it is
 *	called
 * @load_end: the stream is complete: the last chance to refuse it before the
 *	VMM relies on the load.  Returns 0 or a negative errno.  Optional
 * @data_size: returns how many bytes a save would yield; called in every state
 * @quiesce: stops DMA and interrupts by whatever means, as the device goes to
 *	ERROR
 * @reset: the device has been reset; mig->state is still the old state
 * @close: the last user closes the device; memory_lock is held for write.
 *	Optional
 *
 * All functions are called with the state lock held, and must end in bounded
 * time.  Except for @reset, @data_size and @pending, memory_lock is held, too.
 * None may touch user memory or take a lock that is outside of the state lock.
 * The PCI device lock, which a reset holds, may only be tried.
 */
struct vfio_mig_driver {
	unsigned int flags;
	const struct vfio_mig_arc *arcs;
	unsigned int nr_arcs;
	const char *format;
	u16 format_version;
	u16 format_min_version;
	u16 format_oldest;
	const struct vfio_mig_record_type *records;
	unsigned int nr_records;
	bool reinit;
	u64 max_bytes;

	void (*prepare)(struct vfio_migration *mig);
	int (*save)(struct vfio_migration *mig, struct vfio_mig_writer *to);
	u64 (*pending)(struct vfio_migration *mig);
	int (*load)(struct vfio_migration *mig,
		    const struct vfio_mig_payload *payload, const char **why);
	int (*load_end)(struct vfio_migration *mig);
	unsigned long (*data_size)(struct vfio_migration *mig);
	void (*quiesce)(struct vfio_migration *mig);
	void (*reset)(struct vfio_migration *mig);
	void (*close)(struct vfio_migration *mig);
};

/**
 * struct vfio_migration - the migration of a device
 * @image: with records of VFIO_MIG_TYPE_IMAGE: the state of the device in
 *	memory, which vfio_mig_image_save() writes to the stream.  The driver
 *	sets it before vfio_mig_init()
 * @incoming: likewise, where vfio_mig_image_load() puts the state that is
 *	loaded.  The library zeroes it when a load begins
 * @driver: set by vfio_mig_init()
 * @vdev: the device; set by vfio_mig_init()
 * @memory_lock: held for read around all that reaches the device, and for
 *	write by resets: vfio_pci_core_device.memory_lock, or NULL
 * @lock: the state lock.  Taken inside of @memory_lock and of the PCI device
 *	lock.  User memory is never touched while it is held, so no holder waits
 *	for mmap_lock, and a reset gets it in bounded time.  A driver may take
 *	it, alone or with vfio_mig_lock()
 * @state: the state; under @lock.  The driver only reads it
 *
 * @image and @incoming point to memory of the driver that @lock protects.
 */
struct vfio_migration {
	void *image;
	void *incoming;
	const struct vfio_mig_driver *driver;
	struct vfio_device *vdev;
	struct rw_semaphore *memory_lock;
	struct mutex lock;	/* see above */
	enum vfio_device_mig_state state;
	/* private: */
	struct lock_class_key lock_key;
	struct vfio_migration_ops ops;
	struct vfio_mig_session *session;
	atomic_t file_ops;	/* data file operations that use the device */
	struct ratelimit_state messages;
	size_t image_size;
	/* [from], bit N: the path to state N has an exclusive arc. */
	u8 exclusive[VFIO_MIG_STATES];
	/* [from][to]: index of the arc in driver->arcs, plus 1; 0: no arc */
	u8 arc[VFIO_MIG_STATES][VFIO_MIG_STATES];
};

/**
 * vfio_mig_err() - log an error that an operator can do something about
 * @_mig: migration
 * @...: as for dev_err()
 *
 * The rate is limited for each device separately, so that one VM cannot
 * suppress messages about another VM's device.
 */
#define vfio_mig_err(_mig, ...)						\
do {									\
	struct vfio_migration *__mig = (_mig);				\
									\
	if (__ratelimit(&__mig->messages))				\
		dev_err(__mig->vdev->dev, __VA_ARGS__);			\
} while (0)

/* For a driver's vfio_device_ops and its handlers of resets */
int vfio_mig_init(struct vfio_migration *mig, struct vfio_device *vdev,
		  struct rw_semaphore *memory_lock,
		  const struct vfio_mig_driver *driver);
void vfio_mig_release(struct vfio_migration *mig);
void vfio_mig_close(struct vfio_migration *mig);
void vfio_mig_reset_prepare(struct vfio_migration *mig);
void vfio_mig_reset_done(struct vfio_migration *mig);

void vfio_mig_lock(struct vfio_migration *mig, bool exclusive);
int vfio_mig_lock_killable(struct vfio_migration *mig, bool exclusive);
void vfio_mig_unlock(struct vfio_migration *mig, bool exclusive);

/* With the state lock held */
int vfio_mig_error(struct vfio_migration *mig, int error);
void vfio_mig_changed(struct vfio_migration *mig);

/* For drivers without a record format */
int vfio_mig_write(struct vfio_mig_writer *to, const void *data, size_t len);
u64 vfio_mig_loaded(struct vfio_migration *mig);
int vfio_mig_read_loaded(struct vfio_migration *mig, u64 offset, void *data,
			 size_t len);

/* For the members of a struct vfio_mig_driver, or to be called by them */
int vfio_mig_image_save(struct vfio_migration *mig, struct vfio_mig_writer *to);
u64 vfio_mig_image_pending(struct vfio_migration *mig);
int vfio_mig_image_load(struct vfio_migration *mig,
			const struct vfio_mig_payload *payload,
			const char **why);
unsigned long vfio_mig_image_data_size(struct vfio_migration *mig);

/**
 * vfio_mig_is_running - does the device run without restriction?
 * @mig: migration; state lock held
 *
 * Return: true in RUNNING and PRE_COPY.
 */
static inline bool vfio_mig_is_running(const struct vfio_migration *mig)
{
	return mig->state == VFIO_DEVICE_STATE_RUNNING ||
	       mig->state == VFIO_DEVICE_STATE_PRE_COPY;
}

/**
 * vfio_mig_serves - does the device react to accesses?
 * @mig: migration; state lock held
 *
 * Return: true in RUNNING, PRE_COPY, RUNNING_P2P and PRE_COPY_P2P.  In other
 * states the driver answers accesses without any effect on the device.
 */
static inline bool vfio_mig_serves(const struct vfio_migration *mig)
{
	return vfio_mig_is_running(mig) ||
	       mig->state == VFIO_DEVICE_STATE_RUNNING_P2P ||
	       mig->state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

#endif /* VFIO_MIGRATION_H */
