// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which IOMMU backends can be registered: those that have every operation that
 * the container calls without checking, and the operations that undo others.
 */
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/errno.h>

#include "../iommu_driver.h"

static void *backend_open(unsigned long arg)
{
	return ERR_PTR(-ENODEV);
}

static void backend_release(void *iommu_data)
{
}

/* Supports no type */
static long backend_ioctl(void *iommu_data, unsigned int cmd, unsigned long arg)
{
	return 0;
}

static int backend_attach_group(void *iommu_data, struct iommu_group *group,
				enum vfio_group_type type)
{
	return -ENODEV;
}

static void backend_detach_group(void *iommu_data, struct iommu_group *group)
{
}

static int backend_pin_pages(void *iommu_data, struct iommu_group *group,
			     dma_addr_t user_iova, int npage, int prot,
			     struct page **pages)
{
	return -ENODEV;
}

static void backend_unpin_pages(void *iommu_data, dma_addr_t user_iova,
				int npage)
{
}

static void backend_device(void *iommu_data, struct vfio_device *vdev)
{
}

static const struct vfio_iommu_driver_ops least = {
	.name = "vfio_kunit",
	.open = backend_open,
	.release = backend_release,
	.ioctl = backend_ioctl,
	.attach_group = backend_attach_group,
	.detach_group = backend_detach_group,
};

static void is_refused(struct kunit *test,
		       const struct vfio_iommu_driver_ops *ops)
{
	int ret = vfio_register_iommu_driver(ops);

	KUNIT_EXPECT_EQ(test, -EINVAL, ret);
	if (!ret)
		vfio_unregister_iommu_driver(ops);
}

static void backend_is_registered_once(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, vfio_register_iommu_driver(&least));
	KUNIT_EXPECT_EQ(test, -EINVAL, vfio_register_iommu_driver(&least));
	vfio_unregister_iommu_driver(&least);
	KUNIT_ASSERT_EQ(test, 0, vfio_register_iommu_driver(&least));
	vfio_unregister_iommu_driver(&least);
}

static void backend_lacks_an_operation(struct kunit *test)
{
	struct vfio_iommu_driver_ops ops;

	ops = least;
	ops.open = NULL;
	is_refused(test, &ops);
	ops = least;
	ops.release = NULL;
	is_refused(test, &ops);
	ops = least;
	ops.ioctl = NULL;
	is_refused(test, &ops);
	ops = least;
	ops.attach_group = NULL;
	is_refused(test, &ops);
	ops = least;
	ops.detach_group = NULL;
	is_refused(test, &ops);
}

/* With half of a pair, the container could not undo the other half. */
static void backend_has_half_of_a_pair(struct kunit *test)
{
	struct vfio_iommu_driver_ops ops;

	ops = least;
	ops.pin_pages = backend_pin_pages;
	is_refused(test, &ops);
	ops.unpin_pages = backend_unpin_pages;
	ops.register_device = backend_device;
	is_refused(test, &ops);
	ops.unregister_device = backend_device;
	KUNIT_ASSERT_EQ(test, 0, vfio_register_iommu_driver(&ops));
	vfio_unregister_iommu_driver(&ops);
	ops.pin_pages = NULL;
	is_refused(test, &ops);
	ops.pin_pages = backend_pin_pages;
	ops.register_device = NULL;
	is_refused(test, &ops);
}

static struct kunit_case container_cases[] = {
	KUNIT_CASE(backend_is_registered_once),
	KUNIT_CASE(backend_lacks_an_operation),
	KUNIT_CASE(backend_has_half_of_a_pair),
	{}
};

static struct kunit_suite container_suite = {
	.name = "vfio_container",
	.test_cases = container_cases,
};

kunit_test_suite(container_suite);
