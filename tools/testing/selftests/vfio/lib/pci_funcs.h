/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture "pci": one opened PCI function, a variant for each kind of
 * function and driver.  A test program includes this once and adds tests.
 */
#ifndef VFIO_TEST_PCI_FUNCS_H
#define VFIO_TEST_PCI_FUNCS_H

#include "device.h"
#include "iommu.h"
#include "test.h"

FIXTURE(pci) {
	struct vdev v;
	const char *bdf;
};

FIXTURE_VARIANT(pci) {
	const char *func;
	const char *driver;
	bool is_vf;
	bool igbvf;	/* the driver traps page 0 of BAR0 */
};

FIXTURE_VARIANT_ADD(pci, vf) {
	.func = FUNC_VF_A1, .driver = DRV_VFIO_PCI, .is_vf = true,
};

FIXTURE_VARIANT_ADD(pci, vf_igbvf) {
	.func = FUNC_VF_A0, .driver = DRV_IGBVF_VFIO, .is_vf = true,
	.igbvf = true,
};

FIXTURE_VARIANT_ADD(pci, e1000e) {
	.func = FUNC_E1000E, .driver = DRV_VFIO_PCI,
};

FIXTURE_VARIANT_ADD(pci, nvme) {
	.func = FUNC_NVME, .driver = DRV_VFIO_PCI,
};

FIXTURE_SETUP(pci)
{
	if (variant->igbvf)
		NEED_MODULE(variant->driver);
	self->bdf = NEED_FUNC(variant->func);
	vdev_open(&self->v, self->bdf, variant->driver);
}

FIXTURE_TEARDOWN(pci)
{
	vdev_close(&self->v);
}

#endif
