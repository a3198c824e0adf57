// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access to single registers.  KUnit tests replace these functions.
 */
#include <kunit/static_stub.h>
#include <linux/io.h>

#include "private.h"

u32 igbvf_read(struct igbvf_device *vf, u32 offset)
{
	KUNIT_STATIC_STUB_REDIRECT(igbvf_read, vf, offset);
	return ioread32(igbvf_reg(vf, offset));
}

void igbvf_write(struct igbvf_device *vf, u32 offset, u32 value)
{
	KUNIT_STATIC_STUB_REDIRECT(igbvf_write, vf, offset, value);
	iowrite32(value, igbvf_reg(vf, offset));
}
