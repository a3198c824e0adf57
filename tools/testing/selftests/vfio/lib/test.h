/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included by every test program: the kernel's harness, and how tests of this
 * directory skip.
 */
#ifndef VFIO_TEST_TEST_H
#define VFIO_TEST_TEST_H

#include "kselftest_harness.h"

#include "sysfs.h"
#include "util.h"

/*
 * No time limit here: run.sh ends tests that hang, and does not count time in
 * which the VM could not run.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	0

/*
 * kselftest's way to say that a program could test nothing: exit status 4.  The
 * harness itself calls that a success.
 */
static inline void exit_if_all_skipped(void)
{
	if (ksft_plan && ksft_get_xskip_cnt() == ksft_plan) {
		fflush(NULL);
		_exit(KSFT_SKIP);
	}
}

#undef TEST_HARNESS_MAIN
#define TEST_HARNESS_MAIN						\
	int main(int argc, char **argv)					\
	{								\
		atexit(exit_if_all_skipped);				\
		return test_harness_run(argc, argv);			\
	}

/* Are the distribution's vfio modules loaded, not those of this tree? */
#define stock_modules()	env_flag("VFIO_STOCK")

/* The address of @func; skips the test if the machine has none. */
#define NEED_FUNC(func) ({						\
	const char *__bdf = func_bdf(func);				\
									\
	if (!__bdf)							\
		SKIP(return, "no device: %s is not set", func);		\
	__bdf;								\
})

/*
 * Skips the test if the module, or its driver of the same name, is not there.
 */
#define NEED_MODULE(name) do {						\
	if (!module_loaded(name))					\
		SKIP(return, "no %s module", name);			\
} while (0)

/*
 * Skips the test if the machine has no two VFs on one wire for igbvf-vfio-pci.
 */
#define NEED_TWO_VFS() do {						\
	NEED_FUNC(FUNC_VF_A0);						\
	NEED_FUNC(FUNC_VF_B0);						\
	NEED_MODULE(DRV_IGBVF_VFIO);					\
} while (0)

/* Skips the test if devices cannot be opened by their nodes; see node.h. */
#define NEED_NODES() do {						\
	if (!nodes_present())						\
		SKIP(return, "no iommufd, or no nodes of devices");	\
} while (0)

/* The address of any function under test. */
#define NEED_ANY_FUNC() ({						\
	const char *__bdf = func_any();					\
									\
	if (!__bdf)							\
		SKIP(return, "no device: no VFIO_TEST_* is set");	\
	__bdf;								\
})

#endif
