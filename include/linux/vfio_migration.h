/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The migration library for VFIO drivers (vfio-migration.ko).
 *
 * A driver embeds a struct vfio_migration in its device and describes itself
 * in a struct vfio_mig_driver: the arcs of the state machine, what its state
 * consists of, how it falls silent.  The library does the rest: the walk over
 * the arcs, the state lock, the data files, the stream, and what resets and
 * closes do to all of them.  Documentation/driver-api/vfio-migration.rst has
 * an example.
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
 * @put: takes the bytes; returns 0, or an error, after which it is not called
 *	again
 * @bytes: how many were written after the header
 * @error: the error of @put, which every later write returns as well: a
 *	stream that lacks bytes in its middle has failed
 */
struct vfio_mig_writer {
	int (*put)(struct vfio_mig_writer *writer, const void *data,
		   size_t len);
	u64 bytes;
	int error;
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
 * vfio_mig_record_size - the size of a record
 * @length: bytes of payload
 *
 * Return: bytes that it takes in a stream, with header and checksums.
 */
static inline u64 vfio_mig_record_size(u64 length)
{
	return sizeof(struct vfio_mig_record_header) + length +
	       (length / VFIO_MIG_BLOCK_SIZE +
		!!(length % VFIO_MIG_BLOCK_SIZE)) * sizeof(__le32);
}

/* Without this record a stream is not complete. */
#define VFIO_MIG_TYPE_REQUIRED		BIT(0)
/* It may come again. */
#define VFIO_MIG_TYPE_REPEATS		BIT(1)
/* A part of the driver's image, for vfio_mig_image_save() and its like ... */
#define VFIO_MIG_TYPE_IMAGE		BIT(2)
/* ... that is streamed in PRE_COPY, too; if it repeats, whenever it changes */
#define VFIO_MIG_TYPE_EARLY		BIT(3)

/* How many types of records a driver may have */
#define VFIO_MIG_TYPES_MAX		64

/**
 * struct vfio_mig_record_type - a type of record that a driver knows
 * @type: VFIO_MIG_RECORD_IDENTITY, or a number of the driver's own
 * @version: the one version that it knows
 * @flags: VFIO_MIG_TYPE_*
 * @min_length: a payload has at least this many bytes ...
 * @max_length: ... and at most that many
 * @offset: of VFIO_MIG_TYPE_IMAGE: where it is in the image
 * @check: of VFIO_MIG_TYPE_IMAGE: could @part, which is this part of an image,
 *	be loaded into the device?  Returns what is wrong, or NULL.  Optional:
 *	anything could
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
 * VFIO_MIG_IMAGE_RECORD - a struct vfio_mig_record_type of a part of an image
 * @_type: type of the record
 * @_version: its version
 * @_flags: VFIO_MIG_TYPE_*; it is required
 * @_image: type of the image, in whose ...
 * @_member: ... member it is; nothing but u32, and VFIO_MIG_BLOCK_SIZE at most
 * @_check: as there
 */
#define VFIO_MIG_IMAGE_RECORD(_type, _version, _flags, _image, _member, _check) \
	{								\
		.type = (_type),					\
		.version = (_version),					\
		.flags = VFIO_MIG_TYPE_IMAGE | VFIO_MIG_TYPE_REQUIRED |	\
			 (_flags),					\
		.min_length = sizeof_field(_image, _member),		\
		.max_length = sizeof_field(_image, _member),		\
		.offset = offsetof(_image, _member),			\
		.check = (_check),					\
	}

/**
 * struct vfio_mig_payload - verified bytes of a record
 * @type: the record's type; an element of the driver's table
 * @length: bytes of the whole payload
 * @offset: where in it these bytes are
 * @data: the bytes, without any alignment
 * @len: how many: all, unless @length exceeds VFIO_MIG_BLOCK_SIZE
 *
 * The parts of a payload come in order.
 */
struct vfio_mig_payload {
	const struct vfio_mig_record_type *type;
	u64 length;
	u64 offset;
	const void *data;
	size_t len;
};

/**
 * struct vfio_mig_reader - reads a stream, as it comes
 * @format: whose records these are to be
 * @format_version: in which version
 * @types: what is known; the first is VFIO_MIG_RECORD_IDENTITY
 * @nr_types: how many
 * @load: takes in verified bytes; an error refuses the stream, and *why may
 *	say the reason
 * @why: what is wrong, after an error; may be NULL
 *
 * Everything up to here is set up by the caller, with the rest zeroed.
 */
struct vfio_mig_reader {
	const char *format;
	u16 format_version;
	const struct vfio_mig_record_type *types;
	unsigned int nr_types;
	int (*load)(struct vfio_mig_reader *reader,
		    const struct vfio_mig_payload *payload, const char **why);
	const char *why;
	/* private: */
	int (*take)(struct vfio_mig_reader *reader, const u8 *unit);
	size_t need;		/* of the unit that is being read ... */
	size_t have;		/* ... so much is in @unit */
	size_t room;		/* allocated for @unit */
	u8 *unit;
	struct vfio_mig_payload payload;	/* the record being read */
	u64 seen;		/* bits: elements of @types */
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

/* The arc needs memory_lock held for writing, as it resets the device. */
#define VFIO_MIG_ARC_EXCLUSIVE		BIT(0)

/**
 * struct vfio_mig_arc - a move from one state to the next
 * @from: where it begins
 * @to: where it ends
 * @take: does it: returns 0 or an error, after which the device is as before,
 *	unless vfio_mig_error() was called.  NULL: nothing to do
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
 * @_from: state, without VFIO_DEVICE_STATE_
 * @_to: likewise
 * @...: take and flags of struct vfio_mig_arc, as far as there are any
 */
#define VFIO_MIG_ARC(_from, _to, ...)					\
	{ VFIO_DEVICE_STATE_##_from, VFIO_DEVICE_STATE_##_to, __VA_ARGS__ }

/**
 * struct vfio_mig_driver - what a driver has to say about migration
 * @flags: VFIO_MIGRATION_*
 * @arcs: all arcs of a device with @flags, as the table in
 *	Documentation/driver-api/vfio-migration.rst lists them
 * @nr_arcs: how many
 * @format: name of the record format; NULL: the stream is bytes that mean
 *	nothing to the library, and @records, @load and @load_end are not used
 * @format_version: its version
 * @records: the types of records; the first is VFIO_MIG_RECORD_IDENTITY
 * @nr_records: how many
 * @max_bytes: without a format: more is not taken in RESUMING
 * @prepare: have the device answer: called before each function of an arc,
 *	@save, @load, @load_end and @close.  Optional
 * @save: append to the stream what is to be sent in mig->state.  Called when a
 *	session opens in a PRE_COPY state, when STOP_COPY is reached, and, when
 *	all of that has been read, again: in PRE_COPY if @pending says so, in
 *	STOP_COPY if the call before has returned 1.  @to->bytes is 0 where a
 *	stream begins.  Returns 0, 1 (STOP_COPY only: there is more) or an
 *	error: the function of the arc that leaves the state is called then, and
 *	the device is in STOP, if STOP_COPY was to be reached, or where it was
 *	before the session opened, unless vfio_mig_error() was called.  If the
 *	stream had begun before, it has failed for good: its
 *	reader gets the error and nothing more
 * @pending: bytes that @save would append now, exactly; in PRE_COPY.  Looks
 *	at memory only.  Optional: none
 * @load: take in a part of a record.  Nothing of it comes into effect before
 *	the arc RESUMING -> STOP.  An error refuses the stream for good; *why
 *	can be set to the reason, which is logged.  Between two calls the locks
 *	are given up, so that a reset can end the session, and a signal ends
 *	the write(): what one call does is what others have to wait for.  How
 *	often it is called is up to the stream, which may come from anybody
 * @load_end: the stream is complete; the last chance to refuse it before the
 *	VMM relies on it.  Optional
 * @data_size: how many bytes a save would yield; in every state
 * @quiesce: stop DMA and interrupts whatever it takes: the device goes to
 *	ERROR
 * @reset: the device has been reset: mig->state is still what it was
 * @close: the last user closes the device.  memory_lock is held for writing.
 *	Optional
 *
 * All of them are called with the state lock held, and end in bounded time.
 * With the exception of @reset, @data_size and @pending, memory_lock is held,
 * too.  None may touch user memory, or take a lock outside of the state lock;
 * the PCI device lock, which a reset holds, may be tried.
 */
struct vfio_mig_driver {
	unsigned int flags;
	const struct vfio_mig_arc *arcs;
	unsigned int nr_arcs;
	const char *format;
	u16 format_version;
	const struct vfio_mig_record_type *records;
	unsigned int nr_records;
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
 * struct vfio_migration - the migration side of a device
 * @image: for records with VFIO_MIG_TYPE_IMAGE: the state of the device, as
 *	vfio_mig_image_save() finds it; set up before vfio_mig_init()
 * @incoming: likewise: where a load puts what comes; zero when that begins
 * @driver: set up by vfio_mig_init()
 * @vdev: the device
 * @memory_lock: held for reading around all that reaches the device, and for
 *	writing by resets; vfio_pci_core_device.memory_lock, or NULL
 * @lock: the state lock.  Inside of @memory_lock and of the PCI device lock.
 *	Never held while user memory is touched, and so not by anybody who waits
 *	for mmap_lock: a reset can take it at any time and waits for bounded
 *	time only.  A driver may take it, too
 * @state: the state; under @lock
 *
 * The rest is the library's.
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
	atomic_t visitors;	/* operations on data files that are at the device */
	struct ratelimit_state messages;
	size_t image_size;
	/*
	 * By state, bits: to where the way leads over an arc with
	 * VFIO_MIG_ARC_EXCLUSIVE
	 */
	u8 exclusive[VFIO_MIG_STATES];
	/* Index of the arc in driver->arcs, plus 1 */
	u8 arc[VFIO_MIG_STATES][VFIO_MIG_STATES];
};

/**
 * vfio_mig_err() - say what an operator can do something about
 * @_mig: migration
 * @...: as for dev_err()
 *
 * Limited in rate for each device by itself: what one VM does with its device
 * must not hide what is said about another's.
 */
#define vfio_mig_err(_mig, ...)						\
do {									\
	struct vfio_migration *__mig = (_mig);				\
									\
	if (__ratelimit(&__mig->messages))				\
		dev_err(__mig->vdev->dev, __VA_ARGS__);			\
} while (0)

int vfio_mig_init(struct vfio_migration *mig, struct vfio_device *vdev,
		  struct rw_semaphore *memory_lock,
		  const struct vfio_mig_driver *driver);
void vfio_mig_release(struct vfio_migration *mig);
void vfio_mig_close(struct vfio_migration *mig);
void vfio_mig_reset_prepare(struct vfio_migration *mig);
void vfio_mig_reset_done(struct vfio_migration *mig);
int vfio_mig_error(struct vfio_migration *mig, int error);
void vfio_mig_changed(struct vfio_migration *mig);

void vfio_mig_lock(struct vfio_migration *mig, bool exclusive);
int vfio_mig_lock_killable(struct vfio_migration *mig, bool exclusive);
void vfio_mig_unlock(struct vfio_migration *mig, bool exclusive);

int vfio_mig_write(struct vfio_mig_writer *to, const void *data, size_t len);
u64 vfio_mig_loaded(struct vfio_migration *mig);
int vfio_mig_read_loaded(struct vfio_migration *mig, u64 offset, void *data,
			 size_t len);

/* Ready for a struct vfio_mig_driver, or to be called by functions of it */
int vfio_mig_image_save(struct vfio_migration *mig, struct vfio_mig_writer *to);
u64 vfio_mig_image_pending(struct vfio_migration *mig);
int vfio_mig_image_load(struct vfio_migration *mig,
			const struct vfio_mig_payload *payload,
			const char **why);
unsigned long vfio_mig_image_data_size(struct vfio_migration *mig);

/**
 * vfio_mig_is_running - does the device work without any restriction?
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
 * Return: true where it runs, and in the P2P variants of that.  In the other
 * states accesses are still answered, but nothing comes of them.
 */
static inline bool vfio_mig_serves(const struct vfio_migration *mig)
{
	return vfio_mig_is_running(mig) ||
	       mig->state == VFIO_DEVICE_STATE_RUNNING_P2P ||
	       mig->state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

#endif /* VFIO_MIGRATION_H */
