// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the contents of a stream, as text or as JSON.
 */
#include <errno.h>
#include <linux/vfio_migration_stream.h>
#include <string.h>

#include "commands.h"
#include "inspect.h"
#include "stream.h"
#include "util.h"

/* ---- Fields ---- */

/* Each of these writes a value as text, without its name. */
static void print_mac(char *text, size_t size, const uint32_t *words)
{
	snprintf(text, size, "%02x:%02x:%02x:%02x:%02x:%02x",
		 words[0] & 0xff, words[0] >> 8 & 0xff, words[0] >> 16 & 0xff,
		 words[0] >> 24, words[1] & 0xff, words[1] >> 8 & 0xff);
}

static unsigned int elements(const struct field *field, const uint32_t *words,
			     unsigned int capacity)
{
	uint32_t count = words[field->first - 1];

	return count < capacity ? count : capacity;
}

/*
 * Writes the value number @index of a field as text.  Returns false if the
 * field has no such value.  *name is the name of the value, or NULL.
 */
static bool field_value(const struct field *field, const uint32_t *words,
			unsigned int index, const char **name, char *text,
			size_t size)
{
	const uint32_t *value = words + field->first;
	unsigned int bit;

	*name = NULL;
	switch (field->kind) {
	case FIELD_NUMBER:
		snprintf(text, size, "%u", value[0]);
		return !index;
	case FIELD_HEX:
		snprintf(text, size, "%#x", value[0]);
		return !index;
	case FIELD_PCI_ID:
		snprintf(text, size, "%04x:%04x", value[0] & 0xffff,
			 value[0] >> 16);
		return !index;
	case FIELD_MAC:
		print_mac(text, size, value);
		return !index;
	case FIELD_REGISTERS:
		if (index >= field->words)
			return false;
		*name = field->names[index];
		snprintf(text, size, "%#x", value[index]);
		return true;
	case FIELD_FLAGS:
		for (bit = 0; bit < 32; bit++)
			if (value[0] & 1U << bit && !index--)
				break;
		if (bit == 32)
			return false;
		if (field->names[bit])
			snprintf(text, size, "%s", field->names[bit]);
		else
			snprintf(text, size, "bit%u", bit);
		return true;
	case FIELD_MACS:
		if (index >= elements(field, words, field->words / 2))
			return false;
		print_mac(text, size, value + 2 * index);
		return true;
	case FIELD_NUMBERS:
		if (index >= elements(field, words, field->words))
			return false;
		snprintf(text, size, "%u", value[index]);
		return true;
	case FIELD_HASHES:
		if (index >= elements(field, words, 2 * field->words))
			return false;
		snprintf(text, size, "%#x",
			 value[index / 2] >> 16 * (index % 2) & 0xffff);
		return true;
	}
	return false;
}

static bool field_is_list(const struct field *field)
{
	return field->kind == FIELD_FLAGS || field->kind >= FIELD_MACS;
}

static void print_field_text(const struct field *field, const uint32_t *words)
{
	unsigned int i, column;
	char text[32];
	const char *name;

	column = printf("            %-11s", field->name);
	for (i = 0; field_value(field, words, i, &name, text, sizeof(text));
	     i++) {
		if (column + strlen(text) + (name ? strlen(name) + 1 : 0) > 76)
			column = printf("\n%23s", "") - 1;
		column += printf(" %s%s%s", name ? name : "", name ? "=" : "",
				 text);
	}
	putchar('\n');
}

static void print_field_json(const struct field *field, const uint32_t *words)
{
	bool registers = field->kind == FIELD_REGISTERS;
	bool list = field_is_list(field);
	const char *name;
	unsigned int i;
	char text[32];

	if (registers)
		json_open(field->name, '{');
	else if (list)
		json_open(field->name, '[');
	for (i = 0; field_value(field, words, i, &name, text, sizeof(text));
	     i++) {
		if (field->kind == FIELD_NUMBER)
			json_number(field->name, words[field->first]);
		else
			json_string(registers ? name :
				    list ? NULL : field->name, text);
	}
	if (registers)
		json_close('}');
	else if (list)
		json_close(']');
}

/* ---- The listeners ---- */

static const char *record_name(const struct stream_record *record)
{
	if (record->known)
		return record->known->name;
	switch (record->type) {
	case VFIO_MIG_RECORD_IDENTITY:
		return "identity";
	case VFIO_MIG_RECORD_END:
		return "end";
	default:
		return "?";
	}
}

static void header_text(const struct stream_header *header, void *context)
{
	const char *c;

	(void)context;
	fputs("format:  ", stdout);
	for (c = header->format; *c; c++)
		putchar(*c > ' ' && *c < 0x7f ? *c : '?');
	printf(", version %u", header->format_version);
	if (header->min_version)
		printf(", for drivers from version %u on", header->min_version);
	printf("%s\nstream:  version %u\n\n",
	       header->known ? "" : " (its records can't be decoded)",
	       header->version);
	printf("      at  record      type   ver  %-9s      bytes  checksum\n",
	       "");
}

static void record_text(const struct stream_record *record, void *context)
{
	unsigned int i;

	(void)context;
	printf("%8llu  %-10s %5u %5u  %-9s %10llu  %s\n",
	       (unsigned long long)record->offset, record_name(record),
	       record->type, record->version,
	       record->mandatory ? "mandatory" : "optional",
	       (unsigned long long)record->length,
	       record->intact ? "ok" : "BAD");
	for (i = 0; record->words && i < record->known->nr_fields; i++)
		print_field_text(&record->known->fields[i], record->words);
}

/* Problems are kept, up to a limit, and printed after the records. */
struct problems {
	unsigned int count;
	struct {
		uint64_t offset;
		char what[128];
	} list[20];
	bool records;		/* JSON: the list of records is open */
};

static void keep_problem(uint64_t offset, const char *what, void *context)
{
	struct problems *problems = context;

	if (problems->count >= ARRAY_SIZE(problems->list))
		return;
	problems->list[problems->count].offset = offset;
	snprintf(problems->list[problems->count].what,
		 sizeof(problems->list[0].what), "%s", what);
	problems->count++;
}

static void header_json(const struct stream_header *header, void *context)
{
	struct problems *problems = context;

	json_string("format", header->format);
	json_number("format_version", header->format_version);
	if (header->min_version)
		json_number("format_min_version", header->min_version);
	json_number("stream_version", header->version);
	json_bool("decoded", header->known);
	json_open("records", '[');
	problems->records = true;
}

static void record_json(const struct stream_record *record, void *context)
{
	unsigned int i;

	(void)context;
	json_open(NULL, '{');
	json_string("record", record_name(record));
	json_number("offset", record->offset);
	json_number("type", record->type);
	json_number("version", record->version);
	json_bool("mandatory", record->mandatory);
	json_number("length", record->length);
	json_bool("intact", record->intact);
	if (record->words) {
		json_open("fields", '{');
		for (i = 0; i < record->known->nr_fields; i++)
			print_field_json(&record->known->fields[i],
					 record->words);
		json_close('}');
	}
	json_close('}');
}

static void problems_text(const struct problems *problems)
{
	unsigned int i;

	for (i = 0; i < problems->count; i++)
		printf("%sproblem at byte %llu: %s\n", i ? "" : "\n",
		       (unsigned long long)problems->list[i].offset,
		       problems->list[i].what);
}

static void problems_json(const struct problems *problems)
{
	unsigned int i;

	if (problems->records)
		json_close(']');
	json_open("problems", '[');
	for (i = 0; i < problems->count; i++) {
		json_open(NULL, '{');
		json_number("offset", problems->list[i].offset);
		json_string("what", problems->list[i].what);
		json_close('}');
	}
	json_close(']');
}

static FILE *open_file(const char *name)
{
	FILE *file = strcmp(name, "-") ? fopen(name, "re") : stdin;

	if (!file)
		complain("%s: %s", name, strerror(errno));
	return file;
}

int command_inspect(char **operands, const struct options *options)
{
	static struct problems problems;
	struct stream_listener listener = {
		.header = header_text, .record = record_text,
		.problem = keep_problem, .context = &problems,
	};
	FILE *file = open_file(operands[0]);
	bool good;

	if (!file)
		return EXIT_REFUSED;
	if (options->json) {
		listener.header = header_json;
		listener.record = record_json;
		json_open(NULL, '{');
		json_number("schema", JSON_SCHEMA);
	}
	good = stream_read(file, &listener);
	if (options->json) {
		problems_json(&problems);
		json_bool("good", good);
		json_close('}');
		json_end();
	} else {
		problems_text(&problems);
	}
	fclose(file);
	return good ? EXIT_OK : EXIT_REFUSED;
}

/* ---- For "vfio-mig check" ---- */

struct judgement {
	const struct format *format;
	const struct device_limits *limits;
	struct findings *findings;
	uint64_t last_problem;	/* offset of the last problem, and its text */
	char last[128];
};

static void judge_header(const struct stream_header *header, void *context)
{
	struct judgement *judgement = context;

	judgement->format = header->known;
}

static void judge_record(const struct stream_record *record, void *context)
{
	struct judgement *judgement = context;

	if (record->type == VFIO_MIG_RECORD_END)
		judgement->findings->end = record->offset;
	if (record->type == VFIO_MIG_RECORD_IDENTITY && record->words)
		judgement->findings->mismatch =
			judgement->format->mismatch(record->words,
						    judgement->limits);
}

static void say_problem(struct findings *findings, uint64_t offset,
			const char *what)
{
	snprintf(findings->problem, sizeof(findings->problem),
		 "at byte %llu: %s", (unsigned long long)offset, what);
}

static void judge_problem(uint64_t offset, const char *what, void *context)
{
	struct judgement *judgement = context;
	struct findings *findings = judgement->findings;

	if (!*findings->problem)
		say_problem(findings, offset, what);
	/* Problems of the record END, and after it, come last. */
	judgement->last_problem = offset;
	snprintf(judgement->last, sizeof(judgement->last), "%s", what);
}

void stream_judge(FILE *file, const struct device_limits *limits,
		  struct findings *findings)
{
	struct judgement judgement = {
		.limits = limits, .findings = findings,
	};
	const struct stream_listener listener = {
		.header = judge_header, .record = judge_record,
		.problem = judge_problem, .context = &judgement,
	};

	memset(findings, 0, sizeof(*findings));
	findings->good = stream_read(file, &listener);
	if (!findings->end || judgement.last_problem < findings->end)
		return;
	findings->end_wrong = true;
	say_problem(findings, judgement.last_problem, judgement.last);
}
