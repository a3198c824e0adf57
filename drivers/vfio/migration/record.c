// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writer and reader of the record stream that
 * uapi/linux/vfio_migration_stream.h describes.  Pure logic on memory: no
 * device, no lock, no file.
 *
 * The reader works in units, which are headers and blocks of payload: each ends
 * with its checksum, and no byte of it is used before the checksum was right.
 * The caller may pass bytes in pieces of any size.  A unit that lies in one
 * piece is not copied.
 */
#include <linux/crc32.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <linux/vfio_migration.h>

#define CRC_SIZE	sizeof(__le32)
#define END_VERSION	1

/* ---- Writer ---- */

/*
 * A stream with a gap is useless: after an error nothing more is written, even
 * if the caller ignores the error.
 */
static int write_bytes(struct vfio_mig_writer *writer, const void *data,
		       size_t len)
{
	if (!writer->error)
		writer->error = writer->put(writer, data, len);
	if (!writer->error)
		writer->bytes += len;
	return writer->error;
}

/**
 * vfio_mig_write - append bytes to a stream without records
 * @to: the writer that save() has got
 * @data: the bytes
 * @len: how many bytes
 *
 * Context: State lock held.
 *
 * Return: 0, or -ENOMEM, also if an earlier write has failed.
 */
int vfio_mig_write(struct vfio_mig_writer *to, const void *data, size_t len)
{
	return write_bytes(to, data, len);
}
EXPORT_SYMBOL_GPL(vfio_mig_write);

/* The last word of a header is its checksum. */
static int write_header(struct vfio_mig_writer *writer, void *header,
			size_t size)
{
	writer->crc = __crc32c_le(writer->crc, header, size - CRC_SIZE);
	put_unaligned_le32(~writer->crc, header + size - CRC_SIZE);
	return write_bytes(writer, header, size);
}

/* Zeros follow the name, unless it is as long as can be. */
static void copy_format(u8 *to, const char *format)
{
	const size_t size = sizeof_field(struct vfio_mig_stream_header, format);

	memset(to, 0, size);
	memcpy(to, format, strnlen(format, size));
}

/**
 * vfio_mig_write_header - begin a stream
 * @writer: a writer with put() set
 * @format: name of the record format, 14 bytes at most
 * @format_version: version of @format
 *
 * For code that writes a stream of its own; the library begins the streams of
 * data files.
 *
 * Return: 0, or the error of put().
 */
int vfio_mig_write_header(struct vfio_mig_writer *writer, const char *format,
			  u16 format_version)
{
	struct vfio_mig_stream_header header = {
		.magic = VFIO_MIG_STREAM_MAGIC,
		.min_version = cpu_to_le16(writer->min_version),
		.version = cpu_to_le16(VFIO_MIG_STREAM_VERSION),
		.format_version = cpu_to_le16(format_version),
	};
	int ret;

	copy_format(header.format, format);
	writer->left = 0;
	writer->error = 0;
	writer->crc = ~0;
	ret = write_header(writer, &header, sizeof(header));
	writer->bytes = 0;
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_mig_write_header);

/**
 * vfio_mig_record_begin - begin a record
 * @writer: the writer; the previous record is complete
 * @type: type of the record
 * @version: version of its payload
 * @flags: VFIO_MIG_RECORD_MANDATORY or 0
 * @length: bytes of payload, which vfio_mig_record_data() has to write next
 *
 * Return: 0, -EINVAL if the previous record is not complete, or the error of
 * put().
 */
int vfio_mig_record_begin(struct vfio_mig_writer *writer, u16 type,
			  u16 version, u32 flags, u64 length)
{
	struct vfio_mig_record_header header = {
		.type = cpu_to_le16(type),
		.version = cpu_to_le16(version),
		.flags = cpu_to_le32(flags),
		.length = cpu_to_le64(length),
	};

	if (writer->left)
		return -EINVAL;
	writer->left = length;
	writer->block_left = min_t(u64, length, VFIO_MIG_BLOCK_SIZE);
	return write_header(writer, &header, sizeof(header));
}
EXPORT_SYMBOL_GPL(vfio_mig_record_begin);

/**
 * vfio_mig_record_data - write a part of a payload
 * @writer: the writer, after vfio_mig_record_begin()
 * @data: the next bytes of the payload
 * @len: how many bytes
 *
 * Return: 0, -EINVAL if @len exceeds what is left of the payload, or the error
 * of put().
 */
int vfio_mig_record_data(struct vfio_mig_writer *writer, const void *data,
			 size_t len)
{
	__le32 crc;
	size_t part;
	int ret;

	if (len > writer->left)
		return -EINVAL;
	for (; len; len -= part, data += part) {
		part = min_t(size_t, len, writer->block_left);
		writer->crc = __crc32c_le(writer->crc, data, part);
		ret = write_bytes(writer, data, part);
		if (ret)
			return ret;
		writer->left -= part;
		writer->block_left -= part;
		if (writer->block_left)
			continue;
		crc = cpu_to_le32(~writer->crc);
		ret = write_bytes(writer, &crc, sizeof(crc));
		if (ret)
			return ret;
		writer->block_left = min_t(u64, writer->left,
					   VFIO_MIG_BLOCK_SIZE);
	}
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_mig_record_data);

/**
 * vfio_mig_write_record - write a whole record
 * @writer: the writer; the previous record is complete
 * @type: type of the record
 * @version: version of its payload
 * @flags: VFIO_MIG_RECORD_MANDATORY or 0
 * @data: the payload
 * @len: bytes in @data
 *
 * Return: 0, -EINVAL if the previous record is not complete, or the error of
 * put().
 */
int vfio_mig_write_record(struct vfio_mig_writer *writer, u16 type,
			  u16 version, u32 flags, const void *data,
			  size_t len)
{
	return vfio_mig_record_begin(writer, type, version, flags, len) ?:
	       vfio_mig_record_data(writer, data, len);
}
EXPORT_SYMBOL_GPL(vfio_mig_write_record);

/**
 * vfio_mig_write_end - end a stream
 * @writer: the writer; the previous record is complete
 *
 * Return: 0, -EINVAL if the previous record is not complete, or the error of
 * put().
 */
int vfio_mig_write_end(struct vfio_mig_writer *writer)
{
	return vfio_mig_record_begin(writer, VFIO_MIG_RECORD_END, END_VERSION,
				     VFIO_MIG_RECORD_MANDATORY, 0);
}
EXPORT_SYMBOL_GPL(vfio_mig_write_end);

/* ---- Reader ---- */

static int take_record(struct vfio_mig_reader *reader, const u8 *unit);

static int refuse(struct vfio_mig_reader *reader, const char *why)
{
	reader->why = why;
	return -EINVAL;
}

static void expect(struct vfio_mig_reader *reader, size_t size,
		   int (*take)(struct vfio_mig_reader *reader, const u8 *unit))
{
	reader->need = size;
	reader->take = take;
}

/* Whether each side allows the version of the other */
static bool version_fits(const struct vfio_mig_reader *reader,
			 const struct vfio_mig_stream_header *header)
{
	u16 version = le16_to_cpu(header->format_version);
	u16 oldest = reader->oldest_version ?: reader->format_version;

	return version >= oldest &&
	       reader->format_version >=
			(le16_to_cpu(header->min_version) ?: version);
}

static int take_header(struct vfio_mig_reader *reader, const u8 *unit)
{
	struct vfio_mig_stream_header header;
	u8 format[sizeof(header.format)];

	memcpy(&header, unit, sizeof(header));
	copy_format(format, reader->format);
	if (memcmp(header.magic, VFIO_MIG_STREAM_MAGIC, sizeof(header.magic)))
		return refuse(reader, "the data is not a device state");
	if (le16_to_cpu(header.version) != VFIO_MIG_STREAM_VERSION)
		return refuse(reader, "its stream has another version");
	if (memcmp(header.format, format, sizeof(format)))
		return refuse(reader, "it is of another kind of device");
	if (!version_fits(reader, &header))
		return refuse(reader, "the driver that saved it is of a version that does not fit");
	expect(reader, sizeof(struct vfio_mig_record_header), take_record);
	return 0;
}

static int deliver_payload(struct vfio_mig_reader *reader, const void *data,
			   size_t len)
{
	struct vfio_mig_payload *payload = &reader->payload;
	int ret = 0;

	payload->data = data;
	payload->len = len;
	if (payload->type)
		ret = reader->load(reader, payload, &reader->why);
	payload->offset += len;
	return ret;
}

static int take_block(struct vfio_mig_reader *reader, const u8 *unit)
{
	struct vfio_mig_payload *payload = &reader->payload;
	u64 left;
	int ret;

	ret = deliver_payload(reader, unit, reader->need - CRC_SIZE);
	if (ret)
		return ret;
	left = payload->length - payload->offset;
	if (left)
		expect(reader, min_t(u64, left, VFIO_MIG_BLOCK_SIZE) + CRC_SIZE,
		       take_block);
	else
		expect(reader, sizeof(struct vfio_mig_record_header),
		       take_record);
	return 0;
}

static int take_end(struct vfio_mig_reader *reader, u64 length)
{
	unsigned int i;

	if (length)
		return refuse(reader, "a record has a wrong length");
	for (i = 0; i < reader->nr_types; i++)
		if (reader->types[i].flags & VFIO_MIG_TYPE_REQUIRED &&
		    !(reader->seen & BIT_ULL(i)))
			return refuse(reader, "a record is missing");
	reader->complete = true;
	return 0;
}

/* For a record whose type and version are known */
static int check_known(struct vfio_mig_reader *reader, unsigned int index,
		       u64 length)
{
	const struct vfio_mig_record_type *type = &reader->types[index];

	if (length < type->min_length || length > type->max_length)
		return refuse(reader, "a record has a wrong length");
	if (reader->seen & BIT_ULL(index) &&
	    !(type->flags & VFIO_MIG_TYPE_REPEATS))
		return refuse(reader, "a record comes twice");
	reader->seen |= BIT_ULL(index);
	return 0;
}

/* Returns the index of the record's type in the table; nr_types: not known. */
static unsigned int find_type(const struct vfio_mig_reader *reader, u16 type,
			      u16 version)
{
	unsigned int i;

	for (i = 0; i < reader->nr_types; i++)
		if (reader->types[i].type == type &&
		    reader->types[i].version == version)
			break;
	return i;
}

static int take_record(struct vfio_mig_reader *reader, const u8 *unit)
{
	struct vfio_mig_record_header header;
	unsigned int index;
	u16 type, version;
	u32 flags;
	u64 length;
	bool known;
	int ret;

	memcpy(&header, unit, sizeof(header));
	type = le16_to_cpu(header.type);
	version = le16_to_cpu(header.version);
	flags = le32_to_cpu(header.flags);
	length = le64_to_cpu(header.length);

	if (flags & ~VFIO_MIG_RECORD_MANDATORY || header.reserved)
		return refuse(reader, "a record is newer than this driver");
	if (!reader->seen && type != VFIO_MIG_RECORD_IDENTITY)
		return refuse(reader, "its first record is not the identity");
	if (type == VFIO_MIG_RECORD_END && version == END_VERSION)
		return take_end(reader, length);

	index = find_type(reader, type, version);
	known = index < reader->nr_types;
	if (!known && (flags & VFIO_MIG_RECORD_MANDATORY || !reader->seen))
		return refuse(reader, "a record is newer than this driver");
	if (known) {
		ret = check_known(reader, index, length);
		if (ret)
			return ret;
	}
	reader->payload = (struct vfio_mig_payload) {
		.type = known ? &reader->types[index] : NULL,
		.length = length,
	};
	if (!length)
		return deliver_payload(reader, NULL, 0);
	expect(reader, min_t(u64, length, VFIO_MIG_BLOCK_SIZE) + CRC_SIZE,
	       take_block);
	return 0;
}

/* Copies bytes of a unit that comes in several pieces; returns how many. */
static ssize_t collect_unit(struct vfio_mig_reader *reader, const u8 *data,
			    size_t len)
{
	if (reader->room < reader->need) {
		/* need changes between units only, so unit is empty now. */
		kvfree(reader->unit);
		reader->room = 0;
		reader->unit = kvmalloc(reader->need, GFP_KERNEL_ACCOUNT);
		if (!reader->unit)
			return -ENOMEM;
		reader->room = reader->need;
	}
	len = min(len, reader->need - reader->have);
	memcpy(reader->unit + reader->have, data, len);
	reader->have += len;
	return len;
}

static int take_unit(struct vfio_mig_reader *reader, const u8 *unit)
{
	size_t size = reader->need - CRC_SIZE;

	reader->crc = __crc32c_le(reader->crc, unit, size);
	reader->have = 0;
	if (get_unaligned_le32(unit + size) != ~reader->crc)
		return refuse(reader, "a checksum is wrong");
	return reader->take(reader, unit);
}

static ssize_t push_unit(struct vfio_mig_reader *reader, const u8 *data,
			 size_t len)
{
	size_t used = reader->need;
	ssize_t ret;

	if (reader->complete)
		return refuse(reader, "data follows its end");
	if (!reader->have && len >= used)
		return take_unit(reader, data) ?: used;
	ret = collect_unit(reader, data, len);
	if (ret > 0 && reader->have == reader->need)
		ret = take_unit(reader, reader->unit) ?: ret;
	return ret;
}

/**
 * vfio_mig_reader_push_unit - read on, to the end of a unit at most
 * @reader: the reader
 * @data: the next bytes of the stream
 * @len: how many bytes; not 0
 *
 * A unit is a header or a block of payload, so load() is called once at most:
 * the caller can release its locks between two blocks.
 *
 * Return: how many bytes were taken, at least one, or the negative errno that
 * refuses the stream, also at each later call.  reader->why may then say the
 * reason.
 */
ssize_t vfio_mig_reader_push_unit(struct vfio_mig_reader *reader,
				  const void *data, size_t len)
{
	ssize_t used;

	if (reader->error)
		return reader->error;
	if (!reader->take) {
		reader->crc = ~0;
		expect(reader, sizeof(struct vfio_mig_stream_header),
		       take_header);
	}
	used = push_unit(reader, data, len);
	if (used < 0)
		reader->error = used;
	return used;
}
EXPORT_SYMBOL_GPL(vfio_mig_reader_push_unit);

/**
 * vfio_mig_reader_push - read on
 * @reader: the reader
 * @data: the next bytes of the stream
 * @len: how many bytes
 *
 * Return: 0 if the stream is good so far, else the negative errno that refuses
 * it, also at each later call.  reader->why may then say the reason.
 */
int vfio_mig_reader_push(struct vfio_mig_reader *reader, const void *data,
			 size_t len)
{
	ssize_t used;

	for (; len; len -= used, data += used) {
		used = vfio_mig_reader_push_unit(reader, data, len);
		if (used < 0)
			break;
	}
	return reader->error;
}
EXPORT_SYMBOL_GPL(vfio_mig_reader_push);

/**
 * vfio_mig_reader_complete - is the stream complete?
 * @reader: the reader
 *
 * Return: true if the end of the stream was read and nothing was refused.
 */
bool vfio_mig_reader_complete(const struct vfio_mig_reader *reader)
{
	return reader->complete && !reader->error;
}
EXPORT_SYMBOL_GPL(vfio_mig_reader_complete);

/**
 * vfio_mig_reader_free - free what a reader has allocated
 * @reader: the reader, which must not be used again
 */
void vfio_mig_reader_free(struct vfio_mig_reader *reader)
{
	kvfree(reader->unit);
	reader->unit = NULL;
	reader->room = 0;
}
EXPORT_SYMBOL_GPL(vfio_mig_reader_free);
