// SPDX-License-Identifier: GPL-2.0-only
/*
 * A list of reasons why a device can't be migrated.
 */
#include <stdarg.h>
#include <string.h>

#include "reasons.h"
#include "util.h"

static const char *const answers[] = {
	[EFFECT_NONE] = "yes",
	[EFFECT_FORCED] = "forced",
	[EFFECT_UNKNOWN] = "unknown",
	[EFFECT_NO] = "no",
};

const char *effect_answer(enum effect effect)
{
	return answers[effect];
}

void reason_add(struct reasons *reasons, const char *code, enum effect effect,
		const char *fmt, ...)
{
	struct reason *reason = reasons->list + reasons->count;
	va_list args;

	if (reasons->count == ARRAY_SIZE(reasons->list))
		return;
	reasons->count++;
	reason->code = code;
	reason->effect = effect;
	reason->remedy[0] = 0;
	va_start(args, fmt);
	vsnprintf(reason->text, sizeof(reason->text), fmt, args);
	va_end(args);
}

void reason_remedy(struct reasons *reasons, const char *fmt, ...)
{
	struct reason *reason = reasons->list + reasons->count - 1;
	size_t len = strlen(reason->remedy);
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason->remedy + len, sizeof(reason->remedy) - len, fmt,
		  args);
	va_end(args);
}

enum effect reasons_effect(const struct reasons *reasons)
{
	enum effect effect = EFFECT_NONE;
	unsigned int i;

	for (i = 0; i < reasons->count; i++)
		if (reasons->list[i].effect > effect)
			effect = reasons->list[i].effect;
	return effect;
}

void reasons_complain(const struct reasons *reasons)
{
	unsigned int i;

	for (i = 0; i < reasons->count; i++) {
		complain("%s", reasons->list[i].text);
		if (*reasons->list[i].remedy)
			complain("%s", reasons->list[i].remedy);
	}
}

void reasons_text(const struct reasons *reasons)
{
	unsigned int i;

	for (i = 0; i < reasons->count; i++) {
		printf("  %s (%s)\n", reasons->list[i].text,
		       reasons->list[i].code);
		if (*reasons->list[i].remedy)
			printf("    %s\n", reasons->list[i].remedy);
	}
}

void reasons_json(const struct reasons *reasons)
{
	unsigned int i;

	json_open("reasons", '[');
	for (i = 0; i < reasons->count; i++) {
		json_open(NULL, '{');
		json_string("code", reasons->list[i].code);
		json_string("live_migratable",
			    effect_answer(reasons->list[i].effect));
		json_string("text", reasons->list[i].text);
		if (*reasons->list[i].remedy)
			json_string("remedy", reasons->list[i].remedy);
		json_close('}');
	}
	json_close(']');
}
