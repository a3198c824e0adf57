/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/* For builds against the headers of a kernel that has its own vfio.h */
#include "../../../uapi/linux/vfio_migration_stream.h"
