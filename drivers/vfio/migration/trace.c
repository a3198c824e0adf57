// SPDX-License-Identifier: GPL-2.0-only
/*
 * Defines the tracepoints of vfio-migration.ko.
 */
#define CREATE_TRACE_POINTS
#include <trace/events/vfio_migration.h>
