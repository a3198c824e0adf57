// SPDX-License-Identifier: GPL-2.0-only
/*
 * Feeds the stream reader of vfio-mig with good streams, with every truncation
 * and every single-bit error of them, with records that are out of order,
 * unknown, repeated or oversized, and with noise.  The reader has to notice all
 * damage and must not crash; gcc's sanitizers are on.
 *
 * Prints TAP.  With an argument N, adds N rounds of random damage.
 */
#include <endian.h>
#include <linux/vfio_migration_stream.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../drivers/vfio/pci/igbvf/stream.h"
#include "../commands.h"
#include "../inspect.h"
#include "../stream.h"
#include "../util.h"

#define MAX		(512 * 1024)

/* ---- A writer that shares no code with the reader ---- */

static uint8_t buf[MAX];
static size_t len;
static uint32_t crc;

static void put(const void *data, size_t size)
{
	const uint8_t *byte = data;
	unsigned int bit;
	size_t i;

	if (len + size > sizeof(buf))
		abort();
	memcpy(buf + len, data, size);
	len += size;
	for (i = 0; i < size; i++) {
		crc ^= byte[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
}

static void put_crc(void)
{
	uint32_t value = htole32(~crc);

	memcpy(buf + len, &value, sizeof(value));
	len += sizeof(value);
}

static void put16(unsigned int value)
{
	uint16_t le = htole16(value);

	put(&le, sizeof(le));
}

static void put32(uint32_t value)
{
	value = htole32(value);
	put(&value, sizeof(value));
}

static void put64(uint64_t value)
{
	value = htole64(value);
	put(&value, sizeof(value));
}

static void begin_from(const char *format, unsigned int version,
		       unsigned int min_version)
{
	char name[14] = "";

	len = 0;
	crc = ~0U;
	put("VFIO-MIG", 8);
	memcpy(name, format, strlen(format));
	put(name, sizeof(name));
	put16(min_version);
	put16(1);
	put16(version);
	put_crc();
}

static void begin(const char *format, unsigned int version)
{
	begin_from(format, version, 0);
}

static void record_header(unsigned int type, unsigned int version,
			  uint32_t flags, uint64_t length)
{
	put16(type);
	put16(version);
	put32(flags);
	put64(length);
	put32(0);
	put_crc();
}

static void record(unsigned int type, unsigned int version, uint32_t flags,
		   size_t length)
{
	static uint8_t payload[65536];
	size_t size;

	record_header(type, version, flags, length);
	for (; length; length -= size) {
		size = length < sizeof(payload) ? length : sizeof(payload);
		memset(payload, type * 7 + length, size);
		put(payload, size);
		put_crc();
	}
}

static void end(void)
{
	record(VFIO_MIG_RECORD_END, 1, 1, 0);
}

/* ---- The reader ---- */

static char first_problem[160];

static void on_header(const struct stream_header *header, void *context)
{
	(void)header;
	(void)context;
}

static void on_record(const struct stream_record *record, void *context)
{
	(void)record;
	(void)context;
}

static void on_problem(uint64_t offset, const char *what, void *context)
{
	(void)offset;
	(void)context;
	if (!*first_problem)
		snprintf(first_problem, sizeof(first_problem), "%s", what);
}

static bool good(const uint8_t *data, size_t size)
{
	const struct stream_listener listener = {
		.header = on_header, .record = on_record,
		.problem = on_problem,
	};
	FILE *file = fmemopen((void *)data, size, "r");
	bool result;

	/* An empty buffer can't be opened like this. */
	if (!file)
		file = fopen("/dev/null", "r");
	first_problem[0] = 0;
	result = stream_read(file, &listener);
	fclose(file);
	if (result != !*first_problem)
		abort();
	return result;
}

/* ---- Tests ---- */

static FILE *tap;
static unsigned int tests, failures;

static void result(bool ok, const char *text)
{
	failures += !ok;
	fprintf(tap, "%sok %u %s\n", ok ? "" : "not ", ++tests, text);
	if (!ok && *first_problem)
		fprintf(tap, "# %s\n", first_problem);
}

static void expect(const char *problem, const char *text)
{
	bool is_good = good(buf, len);

	result(problem ? !is_good && strstr(first_problem, problem) : is_good,
	       text);
}

#define M	VFIO_MIG_RECORD_MANDATORY

static void identity(void)
{
	record(IGBVF_RECORD_IDENTITY, 1, M, sizeof(struct igbvf_identity));
}

static void the_rest(void)
{
	record(IGBVF_RECORD_RINGS, 1, M, sizeof(struct igbvf_rings));
	record(IGBVF_RECORD_INTERRUPTS, 1, M, sizeof(struct igbvf_interrupts));
	record(IGBVF_RECORD_MAILBOX, 1, M, sizeof(struct igbvf_mailbox));
	record(IGBVF_RECORD_STATISTICS, 1, M, sizeof(struct igbvf_statistics));
}

static void pf(void)
{
	record(IGBVF_RECORD_PF, 1, M, sizeof(struct igbvf_pf));
}

static void igbvf_stream(void)
{
	begin(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION);
	identity();
	pf();
	the_rest();
	end();
}

static void test_grammar(void)
{
	igbvf_stream();
	expect(NULL, "a stream of an 82576 VF");

	begin(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION);
	identity();
	pf();
	pf();
	record(77, 1, 0, 12);
	record(IGBVF_RECORD_PF, 9, 0, 5);
	the_rest();
	end();
	expect(NULL, "a record that repeats, and optional ones that are unknown");

	begin("other", 3);
	identity();
	record(5, 2, M, 200000);
	record(5, 2, M, 65536);
	record(6, 2, M, 0);
	end();
	expect(NULL, "a format that is unknown, with records of several blocks");

	begin(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION + 1);
	identity();
	end();
	expect("another version", "a format of another version");

	begin_from(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION + 1,
		   IGBVF_STREAM_VERSION);
	identity();
	pf();
	record(77, 1, 0, 12);
	the_rest();
	end();
	expect(NULL, "a newer version that this one can read");

	begin_from(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION - 1,
		   IGBVF_STREAM_VERSION - 1);
	identity();
	end();
	expect("another version", "a version that is too old");

	begin(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION);
	pf();
	identity();
	the_rest();
	end();
	expect("first record", "the identity is not first");

	begin(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION);
	identity();
	identity();
	pf();
	the_rest();
	end();
	expect("comes again", "two identities");

	begin(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION);
	identity();
	pf();
	the_rest();
	the_rest();
	end();
	expect("twice", "a record that comes twice");

	begin(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION);
	identity();
	the_rest();
	end();
	expect("pf is missing", "a record that is missing");

	begin(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION);
	identity();
	record(77, 1, M, 4);
	pf();
	the_rest();
	end();
	expect("newer", "a mandatory record that is unknown");

	begin(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION);
	identity();
	record(IGBVF_RECORD_PF, 1, M, sizeof(struct igbvf_pf) + 4);
	the_rest();
	end();
	expect("wrong length", "a record of a wrong length");

	begin(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION);
	identity();
	record(IGBVF_RECORD_PF, 1, M | 2, sizeof(struct igbvf_pf));
	the_rest();
	end();
	expect("unknown flags", "a flag that is unknown");

	igbvf_stream();
	put("x", 1);
	expect("follows", "something after the end");

	begin("other", 3);
	identity();
	record_header(5, 1, M, ~0ULL);
	expect("in the middle", "a length of 2^64 - 1");
}

static void test_truncated(void)
{
	bool ok = true;
	size_t size;

	igbvf_stream();
	for (size = 0; size < len && ok; size++)
		ok = !good(buf, size);
	result(ok, "every truncation is noticed");
}

static void test_bits(void)
{
	bool ok = true;
	size_t bit;

	igbvf_stream();
	for (bit = 0; bit < 8 * len && ok; bit++) {
		buf[bit / 8] ^= 1 << bit % 8;
		ok = !good(buf, len);
		buf[bit / 8] ^= 1 << bit % 8;
	}
	result(ok, "every change of a single bit is noticed");
}

/*
 * What "vfio-mig check" learns from stream_judge(): where the record END is, and
 * whether the kernel would accept it.
 */
static struct findings judge(size_t size)
{
	const struct device_limits limits = {};
	FILE *file = fmemopen(buf, size, "r");
	struct findings findings;

	if (!file)
		abort();
	stream_judge(file, &limits, &findings);
	fclose(file);
	return findings;
}

static void test_end(void)
{
	struct findings f;
	size_t size, at;
	bool ok = true;

	igbvf_stream();
	at = len - sizeof(struct vfio_mig_record_header);
	f = judge(len);
	result(f.good && f.end == at && !f.end_wrong,
	       "the end of a good stream is found");
	for (size = 1; size < len; size++)
		ok = ok && !judge(size).end;
	result(ok, "a truncated one has no end");
	buf[len] = 0;
	f = judge(len + 1);
	result(!f.good && f.end == at && f.end_wrong &&
	       strstr(f.problem, "follows"), "something after the end is told");

	begin(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION);
	identity();
	at = len;
	end();
	f = judge(len);
	result(f.end == at && f.end_wrong && strstr(f.problem, "missing"),
	       "a missing record is told at the end");

	begin("some-other", 1);
	record(VFIO_MIG_RECORD_IDENTITY, 1, M, 8);
	record(77, 1, M, 8);
	at = len;
	end();
	f = judge(len);
	result(f.good && f.end == at && !f.end_wrong,
	       "the end of a format that is not known");
	begin("some-other", 1);
	record(VFIO_MIG_RECORD_IDENTITY, 1, 0, 8);
	end();
	f = judge(len);
	result(!f.good && f.end && !f.end_wrong,
	       "a problem before the end is left to the kernel");
	begin("some-other", 1);
	record(VFIO_MIG_RECORD_IDENTITY, 1, M, 8);
	record(VFIO_MIG_RECORD_END, 1, M, 4);
	f = judge(len);
	result(f.end && f.end_wrong, "an end with a payload");
}

static void write_stream(const char *path, size_t size)
{
	FILE *file = fopen(path, "w");

	if (!file || fwrite(buf, 1, size, file) != size || fclose(file))
		abort();
}

static void inspect_as(const char *path, bool json)
{
	char *operands[] = { (char *)path, NULL };
	struct options options = { .json = json };

	command_inspect(operands, &options);
	fflush(stdout);
}

static void inspect(const char *path, size_t size)
{
	write_stream(path, size);
	inspect_as(path, false);
	inspect_as(path, true);
}

/* Does inspect print @line of the stream in buf, as text or as JSON? */
static bool inspect_prints(const char *path, bool json, const char *line)
{
	static char printed[65536];
	FILE *file = stdout;

	write_stream(path, len);
	stdout = fmemopen(printed, sizeof(printed), "w");
	if (!stdout)
		abort();
	inspect_as(path, json);
	fclose(stdout);
	stdout = file;
	return strstr(printed, line);
}

static void begin_readable_from(unsigned int min_version)
{
	begin_from("other", 3, min_version);
	identity();
	end();
}

static void test_min_version(const char *path)
{
	begin_readable_from(2);
	result(inspect_prints(path, false,
			      "other, version 3, for drivers from version 2 on ("),
	       "the oldest version that can load a stream is printed");
	result(inspect_prints(path, true, "\"format_min_version\": 2,"),
	       "... as JSON, too");
	begin_readable_from(0);
	result(inspect_prints(path, false, "other, version 3 (") &&
	       !inspect_prints(path, true, "format_min_version"),
	       "a stream for one version has no such line");
}

/* Damaged payloads with right checksums, so that the reader decodes them */
static void random_payloads(uint64_t *seed, const char *path)
{
	unsigned int i, words;
	uint32_t word;

	begin(IGBVF_STREAM_FORMAT, IGBVF_STREAM_VERSION);
	for (i = 0; i < 8; i++) {
		*seed ^= *seed << 13;
		*seed ^= *seed >> 7;
		*seed ^= *seed << 17;
		words = i + 1 == IGBVF_RECORD_PF ? sizeof(struct igbvf_pf) / 4 :
			i + 1 == IGBVF_RECORD_RINGS ?
			sizeof(struct igbvf_rings) / 4 : *seed % 40 + 1;
		record_header(*seed >> 60 ? i + 1 : *seed >> 40 & 0xffff,
			      !(*seed >> 32 & 15) + 1, *seed >> 8 & M,
			      words * 4);
		while (words--) {
			*seed = *seed * 6364136223846793005ULL + 1;
			word = *seed >> 32;
			put(&word, sizeof(word));
		}
		put_crc();
	}
	end();
	inspect(path, len);
}

static void test_noise(unsigned long rounds, const char *path)
{
	uint64_t seed = 88172645463325252ULL;
	size_t i, size;

	for (i = 0; i < rounds; i++) {
		random_payloads(&seed, path);
		igbvf_stream();
		for (size = seed % 20 + 1; size; size--) {
			seed = seed * 6364136223846793005ULL + 1;
			buf[(seed >> 33) % len] = seed >> 25;
		}
		inspect(path, (seed >> 33) % (len + 1));
		for (size = 0; size < len; size++) {
			seed = seed * 6364136223846793005ULL + 1;
			buf[size] = seed >> 56;
		}
		inspect(path, len);
	}
	result(true, "noise, and noise with right checksums, does no harm");
}

int main(int argc, char **argv)
{
	char path[] = "/tmp/vfio-mig-test.XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0)
		return 2;
	close(fd);
	/* Most of what the commands print is not looked at. */
	tap = fdopen(dup(1), "w");
	if (!tap || !freopen("/dev/null", "w", stdout))
		return 2;
	test_grammar();
	test_truncated();
	test_bits();
	test_end();
	test_min_version(path);
	test_noise(argc > 1 ? strtoul(argv[1], NULL, 10) : 200, path);
	unlink(path);
	fprintf(tap, "1..%u\n", tests);
	return failures ? 1 : 0;
}
