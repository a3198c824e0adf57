/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every test program includes: the kernel's harness, and what the tests
 * of this directory agree on.
 */
#ifndef VFIO_TEST_TEST_H
#define VFIO_TEST_TEST_H

#include "kselftest_harness.h"

#include "sysfs.h"
#include "util.h"

/*
 * No limit of time: run.sh ends a test that hangs, and knows how long the machine
 * let it run.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	0

/* The distribution's vfio modules are under test, not those of this tree. */
#define stock_modules()	env_flag("VFIO_STOCK")

/* The address of @func; skips the test if the machine has none. */
#define NEED_FUNC(func) ({						\
	const char *__bdf = func_bdf(func);				\
									\
	if (!__bdf)							\
		SKIP(return, "no device: %s is not set", func);		\
	__bdf;								\
})

/* The address of any function under test. */
#define NEED_ANY_FUNC() ({						\
	const char *__bdf = func_any();					\
									\
	if (!__bdf)							\
		SKIP(return, "no device: run.sh found none");		\
	__bdf;								\
})

#endif
