// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints of vfio-pci-migration.ko come into being here.
 */
#define CREATE_TRACE_POINTS
#include <trace/events/vfio_dma_log.h>
