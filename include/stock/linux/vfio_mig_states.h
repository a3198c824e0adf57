/* SPDX-License-Identifier: GPL-2.0-only */
/* For builds against the headers of a kernel that has its own vfio.h */
#include "../../linux/vfio_mig_states.h"
