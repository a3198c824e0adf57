// SPDX-License-Identifier: GPL-2.0-only
/*
 * Defines the tracepoints of vfio.ko.
 */
#define CREATE_TRACE_POINTS
#include <trace/events/vfio.h>
