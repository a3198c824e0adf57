// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access that may raise SIGBUS.
 */
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#include "sigbus.h"
#include "util.h"

static __thread sigjmp_buf env;
static __thread volatile sig_atomic_t armed;

static void on_sigbus(int sig)
{
	if (!armed)
		_exit(TEST_FAILED);
	siglongjmp(env, 1);
}

void sigbus_catch(void)
{
	struct sigaction action = { .sa_handler = on_sigbus };

	sigaction(SIGBUS, &action, NULL);
}

int try_read(volatile uint32_t *mem, uint32_t *value)
{
	int ret = 0;

	armed = 1;
	if (sigsetjmp(env, 1))
		ret = -EFAULT;
	else
		*value = *mem;
	armed = 0;
	return ret;
}

int try_write(volatile uint32_t *mem, uint32_t value)
{
	int ret = 0;

	armed = 1;
	if (sigsetjmp(env, 1))
		ret = -EFAULT;
	else
		*mem = value;
	armed = 0;
	return ret;
}
