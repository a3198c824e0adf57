/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Judges whether a device can be live-migrated, by what is known of it.  Prints
 * nothing.
 */
#ifndef VFIO_MIG_JUDGE_H
#define VFIO_MIG_JUDGE_H

#include <stdbool.h>

#include "device.h"
#include "pf.h"
#include "reasons.h"

/* Who tells which memory the device writes to */
struct trackers {
	bool driver;		/* DMA logging */
	bool iommu;
	bool iommufd;		/* the device was asked when bound to an iommufd */
	bool maybe_iommufd;	/* another process may have bound it to one */
};

/* Adds a reason if nobody does. */
void judge_tracking(const struct device_name *id,
		    const struct trackers *trackers, struct reasons *why);

/* Adds what stands in the way, or is worth knowing, at the PF of a VF. */
void judge_pf(const struct device_name *id, const struct pf *pf,
	      struct reasons *why);

#endif
