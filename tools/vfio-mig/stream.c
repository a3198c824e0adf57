// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parses a stream.  The file is not trusted: a length counts only as far as the
 * bytes are there, and no more than one block is in memory.
 */
#include <endian.h>
#include <linux/vfio_migration_stream.h>
#include <string.h>

#include "crc32c.h"
#include "stream.h"
#include "util.h"

struct stream {
	FILE *file;
	const struct stream_listener *to;
	const struct format *format;
	uint64_t offset;
	uint32_t crc;			/* of all before, see the uapi header */
	uint64_t seen;			/* bit i: format->records[i] seen */
	unsigned int problems;
	bool first, ended;
	union {
		uint8_t block[VFIO_MIG_BLOCK_SIZE];
		uint32_t words[VFIO_MIG_BLOCK_SIZE / 4];
	};
};

static bool problem(struct stream *stream, uint64_t offset, const char *what)
{
	stream->problems++;
	stream->to->problem(offset, what, stream->to->context);
	return false;
}

static bool get(struct stream *stream, void *data, size_t size)
{
	size_t got = fread(data, 1, size, stream->file);

	if (got == size) {
		stream->offset += size;
		return true;
	}
	if (ferror(stream->file))
		return problem(stream, stream->offset + got,
			       "the file can't be read");
	return problem(stream, stream->offset + got,
		       "the stream ends in the middle of a part");
}

/*
 * After a wrong checksum, go on with the stored one: then only the damaged
 * parts have wrong checksums, not all that follow.
 */
static bool checksum_holds(struct stream *stream, uint32_t stored)
{
	bool holds = stored == (uint32_t)~stream->crc;

	stream->crc = ~stored;
	return holds;
}

/* Whether the format's records can be decoded, as the driver decides it */
static bool version_fits(const struct stream_header *header)
{
	unsigned int min = header->min_version ?: header->format_version;

	return header->known->version >= min &&
	       header->format_version >= header->known->oldest;
}

static bool read_header(struct stream *stream)
{
	struct vfio_mig_stream_header raw;
	struct stream_header header = {};

	if (!get(stream, &raw, sizeof(raw)))
		return false;
	if (memcmp(raw.magic, VFIO_MIG_STREAM_MAGIC, sizeof(raw.magic)))
		return problem(stream, 0,
			       "this is not a stream of device state, or its driver has a format without records");
	stream->crc = crc32c(stream->crc, &raw, offsetof(typeof(raw), crc));
	if (!checksum_holds(stream, le32toh(raw.crc)))
		return problem(stream, 0, "the checksum of the header is wrong");

	memcpy(header.format, raw.format, sizeof(raw.format));
	header.version = le16toh(raw.version);
	header.format_version = le16toh(raw.format_version);
	header.min_version = le16toh(raw.min_version);
	header.known = format_find(header.format);
	if (header.version != VFIO_MIG_STREAM_VERSION)
		return problem(stream, 0, "the stream is of another version");
	stream->format = header.known;
	if (header.known && !version_fits(&header)) {
		problem(stream, 0, "the format is of another version");
		stream->format = NULL;
		header.known = NULL;
	}
	stream->to->header(&header, stream->to->context);
	return true;
}

static const struct record_type *find_type(const struct stream *stream,
					   unsigned int type)
{
	unsigned int i;

	if (!stream->format)
		return NULL;
	for (i = 0; i < stream->format->nr_records; i++)
		if (stream->format->records[i].type == type)
			return &stream->format->records[i];
	return NULL;
}

/* Checks a record's header whose checksum is right. */
static void judge_record(struct stream *stream,
			 const struct stream_record *record, uint32_t flags,
			 uint32_t reserved)
{
	uint64_t at = record->offset, bit;
	const struct record_type *known = record->known;

	if (flags & ~VFIO_MIG_RECORD_MANDATORY || reserved)
		problem(stream, at, "the record has unknown flags");
	if (stream->first) {
		if (record->type != VFIO_MIG_RECORD_IDENTITY)
			problem(stream, at,
				"the first record is not the identity");
		else if (!record->mandatory)
			problem(stream, at, "the identity is not mandatory");
	} else if (record->type == VFIO_MIG_RECORD_IDENTITY) {
		problem(stream, at, "the identity comes again");
	}
	if (record->type == VFIO_MIG_RECORD_END) {
		if (record->length || !record->mandatory || record->version != 1)
			problem(stream, at, "the record END has a wrong length, flag or version");
		return;
	}
	if (!stream->format)
		return;
	if (!known) {
		if (record->mandatory)
			problem(stream, at,
				"a mandatory record is newer than this program");
		return;
	}
	if (record->length != known->words * 4ULL)
		problem(stream, at, "the record has a wrong length");
	bit = 1ULL << (known - stream->format->records);
	if (stream->seen & bit && !known->repeats &&
	    record->type != VFIO_MIG_RECORD_IDENTITY)
		problem(stream, at, "the record comes twice");
	stream->seen |= bit;
}

/* Reads the payload; its last block stays in stream->block. */
static bool read_payload(struct stream *stream, struct stream_record *record)
{
	uint64_t left = record->length;
	uint32_t crc;
	size_t size;

	for (; left; left -= size) {
		size = left < sizeof(stream->block) ? left :
						      sizeof(stream->block);
		if (!get(stream, stream->block, size))
			return false;
		stream->crc = crc32c(stream->crc, stream->block, size);
		if (!get(stream, &crc, sizeof(crc)))
			return false;
		if (!checksum_holds(stream, le32toh(crc)) && record->intact) {
			problem(stream, stream->offset - sizeof(crc) - size,
				"the checksum of the payload is wrong");
			record->intact = false;
		}
	}
	return true;
}

static void decode_words(struct stream *stream, struct stream_record *record)
{
	unsigned int i;

	if (!record->known || record->length != record->known->words * 4ULL ||
	    record->length > sizeof(stream->block))
		return;
	for (i = 0; i < record->known->words; i++)
		stream->words[i] = le32toh(stream->words[i]);
	record->words = stream->words;
	record->count = record->known->words;
}

/* Returns false if the next record can't be found. */
static bool read_record(struct stream *stream)
{
	struct stream_record record = { .offset = stream->offset };
	struct vfio_mig_record_header raw;
	bool complete;

	if (!get(stream, &raw, sizeof(raw)))
		return false;
	stream->crc = crc32c(stream->crc, &raw, offsetof(typeof(raw), crc));
	if (!checksum_holds(stream, le32toh(raw.crc)))
		return problem(stream, record.offset,
			       "the checksum of the record's header is wrong: the rest can't be read");

	record.type = le16toh(raw.type);
	record.version = le16toh(raw.version);
	record.mandatory = le32toh(raw.flags) & VFIO_MIG_RECORD_MANDATORY;
	record.length = le64toh(raw.length);
	record.known = find_type(stream, record.type);
	if (record.known && record.known->version != record.version)
		record.known = NULL;
	judge_record(stream, &record, le32toh(raw.flags),
		     le32toh(raw.reserved));
	stream->first = false;

	record.intact = true;
	complete = read_payload(stream, &record);
	if (complete)
		decode_words(stream, &record);
	record.intact = record.intact && complete;
	stream->to->record(&record, stream->to->context);
	stream->ended = record.type == VFIO_MIG_RECORD_END;
	return complete;
}

static void check_complete(struct stream *stream)
{
	unsigned int i;
	char what[96];

	for (i = 0; stream->format && i < stream->format->nr_records; i++) {
		if (stream->seen & 1ULL << i)
			continue;
		snprintf(what, sizeof(what), "the record %s is missing",
			 stream->format->records[i].name);
		problem(stream, stream->offset, what);
	}
	if (fgetc(stream->file) != EOF)
		problem(stream, stream->offset,
			"something follows the end of the stream");
}

bool stream_read(FILE *file, const struct stream_listener *listener)
{
	static struct stream stream;

	stream = (struct stream){
		.file = file, .to = listener, .crc = ~0U, .first = true,
	};
	if (!read_header(&stream))
		return false;
	while (!stream.ended)
		if (!read_record(&stream))
			return false;
	check_complete(&stream);
	return !stream.problems;
}
