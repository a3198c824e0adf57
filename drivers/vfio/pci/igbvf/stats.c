// SPDX-License-Identifier: GPL-2.0-only
/*
 * The statistics counters on page 0.  They can't be written, and a guest takes
 * a counter that goes back for one that wrapped: so the guest sees the counter
 * plus an offset, which goes where the guest goes.  All of them are 32 bits
 * wide and wrap.
 */
#include "igbvf.h"

static const u16 stats_regs[IGBVF_STATISTICS] = {
	VFGPRC, VFGPTC, VFGORC, VFGOTC, VFMPRC,
	VFGPRLBC, VFGPTLBC, VFGORLBC, VFGOTLBC,
};

/**
 * igbvf_stats_read - the guest reads page 0
 * @vf: the VF; state lock held
 * @offset: register
 * @value: what the guest sees
 *
 * Return: is it a counter?
 */
bool igbvf_stats_read(struct igbvf_device *vf, u32 offset, u32 *value)
{
	unsigned int i;

	for (i = 0; i < IGBVF_STATISTICS; i++) {
		if (stats_regs[i] != offset)
			continue;
		if (igbvf_serves(vf))
			*value = igbvf_read(vf, offset) + vf->stats_offset[i];
		else
			*value = vf->image.stats.count[i];
		return true;
	}
	return false;
}

/**
 * igbvf_stats_stop - from now on the image has the counters
 * @vf: the VF; state lock held
 */
void igbvf_stats_stop(struct igbvf_device *vf)
{
	unsigned int i;

	for (i = 0; i < IGBVF_STATISTICS; i++)
		vf->image.stats.count[i] = igbvf_read(vf, stats_regs[i]) +
					   vf->stats_offset[i];
}

/**
 * igbvf_stats_run - the device counts on, from what the image says
 * @vf: the VF; state lock held
 */
void igbvf_stats_run(struct igbvf_device *vf)
{
	unsigned int i;

	for (i = 0; i < IGBVF_STATISTICS; i++)
		vf->stats_offset[i] = vf->image.stats.count[i] -
				      igbvf_read(vf, stats_regs[i]);
}
