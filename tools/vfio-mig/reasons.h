/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a device can't be migrated, or only under a condition: a list of reasons,
 * each with a code for programs, a sentence, and what an operator can do about
 * it.
 */
#ifndef VFIO_MIG_REASONS_H
#define VFIO_MIG_REASONS_H

#include <stdbool.h>

/* How a reason changes the answer, weakest first */
enum effect {
	EFFECT_NONE,		/* it migrates; worth knowing */
	EFFECT_FORCED,		/* only if the VMM is told to (enable-migration=on) */
	EFFECT_UNKNOWN,		/* the device could not be asked */
	EFFECT_NO,
};

struct reason {
	const char *code;	/* one of those in vfio-mig.schema.json */
	enum effect effect;
	char text[1024];
	char remedy[1024];	/* commands or advice, or "" */
};

struct reasons {
	unsigned int count;
	struct reason list[12];
};

/* Adds a reason.  If the list is full, it is dropped. */
void reason_add(struct reasons *reasons, const char *code, enum effect effect,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Says what to do about the reason that was added last; what is given in a
 * second call follows what is there.
 */
void reason_remedy(struct reasons *reasons, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* EFFECT_NONE for an empty list */
enum effect reasons_effect(const struct reasons *reasons);

/* "yes", "forced", "unknown", "no": the answer that an effect makes */
const char *effect_answer(enum effect effect);

/* Prints them on standard error, as a command's failure. */
void reasons_complain(const struct reasons *reasons);

/* Print them on standard output. */
void reasons_text(const struct reasons *reasons);
void reasons_json(const struct reasons *reasons);

#endif
