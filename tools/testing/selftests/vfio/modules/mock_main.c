// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual VFIO devices for tests that need more than a PCI function: each set
 * of migration flags, arcs that fail, and a device that reaches memory through
 * vfio_pin_pages() and vfio_dma_rw().
 *
 * Uses only the driver API of Linux 6.12, and is as plain as a driver can be:
 * it is the core around it that is tested.
 *
 * mock_device.lock protects a mock_device, except for the list of pinned pages,
 * which has its own lock because the core may call dma_unmap at any time, the
 * log (mock_log.c), and the members for threads that are held.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <linux/wait.h>

#include "mock_log.h"
#include "mock_session.h"
#include "vfio_mock.h"

struct mock_pinned {
	struct list_head list;
	u64 iova;
	struct page *page;
};

struct mock_device {
	struct vfio_device vdev;
	struct platform_device *pdev;

	struct mutex lock;	/* from here to events */
	enum vfio_device_mig_state state;
	struct mock_session *session;	/* referenced */
	struct mock_state data;
	struct mock_arcs arcs;
	struct mock_fail fail;
	struct mock_events events;

	struct mutex pin_lock;	/* pinned */
	struct list_head pinned;

	struct mock_log log;

	unsigned long memory;	/* the page of its mappings */
	u32 hold;		/* MOCK_HOLD_* */
	atomic_t held;
	wait_queue_head_t go_on;
};

static void mock_end_session(struct mock_device *mock)
{
	if (mock->session)
		mock_session_end(mock->session);
	mock->session = NULL;
}

static struct mock_device *to_mock(struct vfio_device *vdev)
{
	return container_of(vdev, struct mock_device, vdev);
}

/* Migration */

static bool mock_is_saving(enum vfio_device_mig_state state)
{
	return state == VFIO_DEVICE_STATE_STOP_COPY ||
	       state == VFIO_DEVICE_STATE_PRE_COPY ||
	       state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

static void mock_log_arc(struct mock_device *mock, u8 from, u8 to)
{
	struct mock_arcs *arcs = &mock->arcs;

	if (arcs->count < MOCK_ARCS_MAX) {
		arcs->arc[arcs->count].from = from;
		arcs->arc[arcs->count].to = to;
	}
	arcs->count++;
}

/* 0, or the error with which this arc is to fail */
static int mock_arc_fails(struct mock_device *mock,
			  enum vfio_device_mig_state from,
			  enum vfio_device_mig_state to)
{
	struct mock_fail *fail = &mock->fail;
	int error = fail->error;

	if (!error || fail->from != from || fail->to != to)
		return 0;
	fail->error = 0;
	if (fail->broken) {
		mock_end_session(mock);
		mock->state = VFIO_DEVICE_STATE_ERROR;
	}
	return -error;
}

/* One arc: NULL, the file of a session, or an error. */
static struct file *mock_arc(struct mock_device *mock,
			     enum vfio_device_mig_state to)
{
	enum vfio_device_mig_state from = mock->state;
	bool keeps = mock_is_saving(from) && mock_is_saving(to);
	bool running = to != VFIO_DEVICE_STATE_STOP_COPY;
	struct file *file = NULL;
	int ret;

	mock_log_arc(mock, from, to);
	ret = mock_arc_fails(mock, from, to);
	if (ret)
		return ERR_PTR(ret);

	if (from == VFIO_DEVICE_STATE_RESUMING) {
		ret = mock_session_check(mock->session);
		if (ret)
			return ERR_PTR(ret);
	}
	if (keeps) {
		mock_session_set_running(mock->session, running);
	} else if (mock_is_saving(to) || to == VFIO_DEVICE_STATE_RESUMING) {
		file = mock_session_begin(&mock->data, mock_is_saving(to),
					  running, &mock->session);
		if (IS_ERR(file))
			return file;
	} else {
		mock_end_session(mock);
	}
	mock->state = to;
	return file;
}

static struct file *mock_set_state(struct vfio_device *vdev,
				   enum vfio_device_mig_state new_state)
{
	struct mock_device *mock = to_mock(vdev);
	enum vfio_device_mig_state next;
	struct file *file = NULL;
	int ret;

	guard(mutex)(&mock->lock);
	while (mock->state != new_state) {
		/* Linux's vfio_mig_get_next_state() warns in ERROR. */
		if (mock->state == VFIO_DEVICE_STATE_ERROR)
			return ERR_PTR(-EINVAL);
		ret = vfio_mig_get_next_state(vdev, mock->state, new_state,
					      &next);
		if (ret)
			return ERR_PTR(ret);
		file = mock_arc(mock, next);
		if (IS_ERR(file))
			return file;
		if (file && next != new_state) {
			/* Only the last arc may open a session. */
			dev_err(vdev->dev, "session in the middle of a way\n");
			fput(file);
			return ERR_PTR(-EPROTO);
		}
	}
	return file;
}

static int mock_get_state(struct vfio_device *vdev,
			  enum vfio_device_mig_state *state)
{
	struct mock_device *mock = to_mock(vdev);

	guard(mutex)(&mock->lock);
	*state = mock->state;
	return 0;
}

static int mock_get_data_size(struct vfio_device *vdev, unsigned long *length)
{
	struct mock_device *mock = to_mock(vdev);

	guard(mutex)(&mock->lock);
	*length = mock->data.size;
	return 0;
}

static const struct vfio_migration_ops mock_migration_ops = {
	.migration_set_state = mock_set_state,
	.migration_get_state = mock_get_state,
	.migration_get_data_size = mock_get_data_size,
};

/* DMA logging */

static int mock_vdev_log_start(struct vfio_device *vdev,
			       struct rb_root_cached *ranges, u32 nnodes,
			       u64 *page_size)
{
	return mock_log_start(&to_mock(vdev)->log, ranges, nnodes, page_size);
}

static int mock_vdev_log_stop(struct vfio_device *vdev)
{
	return mock_log_stop(&to_mock(vdev)->log);
}

static int mock_vdev_log_read_and_clear(struct vfio_device *vdev,
					unsigned long iova,
					unsigned long length,
					struct iova_bitmap *dirty)
{
	return mock_log_read_and_clear(&to_mock(vdev)->log, iova, length,
				       dirty);
}

static const struct vfio_log_ops mock_log_ops = {
	.log_start = mock_vdev_log_start,
	.log_stop = mock_vdev_log_stop,
	.log_read_and_clear = mock_vdev_log_read_and_clear,
};

static void mock_reset(struct mock_device *mock)
{
	guard(mutex)(&mock->lock);
	mock_end_session(mock);
	mock->state = VFIO_DEVICE_STATE_RUNNING;
	mock->fail.error = 0;
}

static const struct vfio_device_ops mock_asked_ops = {
	.name = "vfio_mock_asked",
};

/* Asks the core about a device with any flags, which is never registered. */
static long mock_ioctl_next_state(struct mock_device *mock, void __user *user)
{
	struct mock_asked {
		struct vfio_device vdev;
	} *asked;
	enum vfio_device_mig_state next;
	struct mock_next_state arg;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	asked = vfio_alloc_device(mock_asked, vdev, mock->vdev.dev,
				  &mock_asked_ops);
	if (IS_ERR(asked))
		return PTR_ERR(asked);
	asked->vdev.migration_flags = arg.flags;
	next = U32_MAX;
	arg.ret = vfio_mig_get_next_state(&asked->vdev, arg.cur, arg.new,
					  &next);
	arg.next = next;
	vfio_put_device(&asked->vdev);
	return copy_to_user(user, &arg, sizeof(arg)) ? -EFAULT : 0;
}

static long mock_ioctl_arcs(struct mock_device *mock, void __user *user)
{
	guard(mutex)(&mock->lock);
	if (copy_to_user(user, &mock->arcs, sizeof(mock->arcs)))
		return -EFAULT;
	memset(&mock->arcs, 0, sizeof(mock->arcs));
	return 0;
}

static long mock_ioctl_fail(struct mock_device *mock, void __user *user)
{
	struct mock_fail fail;

	if (copy_from_user(&fail, user, sizeof(fail)))
		return -EFAULT;
	if (fail.error >= MAX_ERRNO)
		return -EINVAL;
	guard(mutex)(&mock->lock);
	mock->fail = fail;
	return 0;
}

static long mock_ioctl_state(struct mock_device *mock, void __user *user)
{
	struct mock_state state;

	if (copy_from_user(&state, user, sizeof(state)))
		return -EFAULT;
	if (state.initial > state.size)
		return -EINVAL;
	guard(mutex)(&mock->lock);
	mock->data = state;
	return 0;
}

/* Holding threads */

static void mock_wait(struct mock_device *mock, u32 where)
{
	if (!(READ_ONCE(mock->hold) & where))
		return;
	atomic_inc(&mock->held);
	/* The caller goes on, also if the thread is being killed. */
	(void)wait_event_killable(mock->go_on,
				  !(READ_ONCE(mock->hold) & where));
	atomic_dec(&mock->held);
}

static void mock_hold(struct mock_device *mock, u32 where)
{
	WRITE_ONCE(mock->hold, where);
	wake_up_all(&mock->go_on);
}

static long mock_ioctl_hold(struct mock_device *mock, void __user *user)
{
	struct mock_hold hold;

	if (copy_from_user(&hold, user, sizeof(hold)))
		return -EFAULT;
	mock_hold(mock, hold.where);
	hold.held = atomic_read(&mock->held);
	return copy_to_user(user, &hold, sizeof(hold)) ? -EFAULT : 0;
}

static vm_fault_t mock_vma_fault(struct vm_fault *vmf)
{
	struct mock_device *mock = vmf->vma->vm_private_data;

	return vmf_insert_pfn(vmf->vma, vmf->address,
			      page_to_pfn(virt_to_page(mock->memory)));
}

static vm_fault_t mock_vma_first_write(struct vm_fault *vmf)
{
	mock_wait(vmf->vma->vm_private_data, MOCK_HOLD_WRITE);
	return 0;
}

static const struct vm_operations_struct mock_vm_ops = {
	.fault = mock_vma_fault,
	.pfn_mkwrite = mock_vma_first_write,
};

static int mock_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma_pages(vma) != 1 ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = to_mock(vdev);
	vma->vm_ops = &mock_vm_ops;
	return 0;
}

/* Memory */

static void mock_unpin_locked(struct mock_device *mock, u64 iova, u64 length)
{
	struct mock_pinned *pinned, *tmp;

	lockdep_assert_held(&mock->pin_lock);
	list_for_each_entry_safe(pinned, tmp, &mock->pinned, list) {
		if (pinned->iova - iova >= length)
			continue;
		vfio_unpin_pages(&mock->vdev, pinned->iova, 1);
		list_del(&pinned->list);
		kfree(pinned);
	}
}

static void mock_unpin_range(struct mock_device *mock, u64 iova, u64 length)
{
	guard(mutex)(&mock->pin_lock);
	mock_unpin_locked(mock, iova, length);
}

static void mock_dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	struct mock_device *mock = to_mock(vdev);

	mock_wait(mock, MOCK_HOLD_UNMAP);
	mock_unpin_range(mock, iova, length);
	guard(mutex)(&mock->lock);
	mock->events.unmaps++;
	mock->events.unmap_iova = iova;
	mock->events.unmap_length = length;
}

static int mock_remember_pinned(struct mock_device *mock, u64 iova,
				struct page *page)
{
	struct mock_pinned *pinned;

	pinned = kzalloc(sizeof(*pinned), GFP_KERNEL_ACCOUNT);
	if (!pinned)
		return -ENOMEM;
	pinned->iova = iova;
	pinned->page = page;
	lockdep_assert_held(&mock->pin_lock);
	list_add_tail(&pinned->list, &mock->pinned);
	return 0;
}

/* Holds the lock that dma_unmap takes, as drivers of GPUs do. */
static int mock_pin(struct mock_device *mock, struct mock_pin *arg)
{
	struct page *pages[MOCK_PIN_MAX];
	int i, ret, count;

	guard(mutex)(&mock->pin_lock);
	count = vfio_pin_pages(&mock->vdev, arg->iova, arg->npage,
			       arg->write ? IOMMU_READ | IOMMU_WRITE :
					    IOMMU_READ, pages);
	for (i = 0; i < count; i++) {
		u64 iova = arg->iova + (u64)i * PAGE_SIZE;
		void *mem = kmap_local_page(pages[i]);

		arg->first[i] = *(u64 *)mem;
		kunmap_local(mem);
		ret = mock_remember_pinned(mock, iova, pages[i]);
		if (ret) {
			vfio_unpin_pages(&mock->vdev, iova, count - i);
			mock_unpin_locked(mock, arg->iova, i * PAGE_SIZE);
			return ret;
		}
	}
	return count;
}

static long mock_ioctl_pin(struct mock_device *mock, void __user *user)
{
	struct mock_pin arg;
	int count;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	/* The core has to refuse larger numbers. */
	if (arg.npage > MOCK_PIN_MAX && arg.npage <= VFIO_PIN_PAGES_MAX_ENTRIES)
		return -E2BIG;
	count = mock_pin(mock, &arg);
	if (count > 0 && copy_to_user(user, &arg, sizeof(arg)))
		return -EFAULT;
	return count;
}

static long mock_ioctl_unpin(struct mock_device *mock, void __user *user)
{
	struct mock_pin arg;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	mock_unpin_range(mock, arg.iova, (u64)arg.npage * PAGE_SIZE);
	return 0;
}

static long mock_ioctl_dma(struct mock_device *mock, void __user *user)
{
	void *data __free(kvfree) = NULL;
	struct mock_dma arg;
	int ret;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.len > MOCK_DMA_MAX)
		return -E2BIG;
	data = kvzalloc(max(arg.len, 1U), GFP_KERNEL_ACCOUNT);
	if (!data)
		return -ENOMEM;
	if (arg.write && copy_from_user(data, u64_to_user_ptr(arg.data),
					arg.len))
		return -EFAULT;
	ret = vfio_dma_rw(&mock->vdev, arg.iova, data, arg.len, arg.write);
	if (ret)
		return ret;
	if (!arg.write && copy_to_user(u64_to_user_ptr(arg.data), data,
				       arg.len))
		return -EFAULT;
	return 0;
}

static long mock_ioctl_events(struct mock_device *mock, void __user *user)
{
	guard(mutex)(&mock->lock);
	return copy_to_user(user, &mock->events, sizeof(mock->events)) ?
		-EFAULT : 0;
}

static long mock_ioctl_info(struct mock_device *mock, void __user *user)
{
	struct vfio_device_info info;
	size_t minsz = offsetofend(struct vfio_device_info, num_irqs);

	if (copy_from_user(&info, user, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = 0;
	info.num_irqs = 0;
	return copy_to_user(user, &info, minsz) ? -EFAULT : 0;
}

static long mock_ioctl(struct vfio_device *vdev, unsigned int cmd,
		       unsigned long arg)
{
	struct mock_device *mock = to_mock(vdev);
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return mock_ioctl_info(mock, user);
	case VFIO_DEVICE_RESET:
		mock_reset(mock);
		return 0;
	case MOCK_NEXT_STATE:
		return mock_ioctl_next_state(mock, user);
	case MOCK_ARCS:
		return mock_ioctl_arcs(mock, user);
	case MOCK_FAIL:
		return mock_ioctl_fail(mock, user);
	case MOCK_STATE:
		return mock_ioctl_state(mock, user);
	case MOCK_PIN:
		return mock_ioctl_pin(mock, user);
	case MOCK_UNPIN:
		return mock_ioctl_unpin(mock, user);
	case MOCK_DMA:
		return mock_ioctl_dma(mock, user);
	case MOCK_EVENTS:
		return mock_ioctl_events(mock, user);
	case MOCK_HOLD:
		return mock_ioctl_hold(mock, user);
	default:
		return mock_log_ioctl(&mock->log, cmd, user);
	}
}

/* Life */

static int mock_init_device(struct vfio_device *vdev)
{
	struct mock_device *mock = to_mock(vdev);

	mock->memory = get_zeroed_page(GFP_KERNEL);
	if (!mock->memory)
		return -ENOMEM;
	init_waitqueue_head(&mock->go_on);
	mutex_init(&mock->lock);
	mutex_init(&mock->pin_lock);
	INIT_LIST_HEAD(&mock->pinned);
	mock_log_init(&mock->log);
	mock->state = VFIO_DEVICE_STATE_RUNNING;
	vdev->mig_ops = &mock_migration_ops;
	vdev->log_ops = &mock_log_ops;
	return 0;
}

static void mock_release_device(struct vfio_device *vdev)
{
	free_page(to_mock(vdev)->memory);
}

/* Any stream that is loaded is accepted. */
static const struct mock_state mock_default_data = {
	.size = 4096,
	.initial = 1024,
	.any = 1,
};

static int mock_open(struct vfio_device *vdev)
{
	struct mock_device *mock = to_mock(vdev);

	mock_reset(mock);
	mock_log_open(&mock->log);
	guard(mutex)(&mock->lock);
	mock->data = mock_default_data;
	memset(&mock->arcs, 0, sizeof(mock->arcs));
	memset(&mock->events, 0, sizeof(mock->events));
	return 0;
}

static void mock_close(struct vfio_device *vdev)
{
	struct mock_device *mock = to_mock(vdev);

	mock_hold(mock, 0);
	mock_unpin_range(mock, 0, U64_MAX);
	mock_log_close(&mock->log);
	mock_reset(mock);
}

static void mock_request(struct vfio_device *vdev, unsigned int count)
{
	struct mock_device *mock = to_mock(vdev);

	guard(mutex)(&mock->lock);
	mock->events.requests++;
}

static const struct vfio_device_ops mock_ops = {
	.name = "vfio_mock",
	.init = mock_init_device,
	.release = mock_release_device,
	.open_device = mock_open,
	.close_device = mock_close,
	.ioctl = mock_ioctl,
	.request = mock_request,
	.mmap = mock_mmap,
	.dma_unmap = mock_dma_unmap,
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
};

static const unsigned int mock_flags[] = {
	VFIO_MIGRATION_STOP_COPY,
	VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P,
	VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY,
	VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY,
};

static struct mock_device *mocks[ARRAY_SIZE(mock_flags)];

static struct mock_device *mock_create(unsigned int flags)
{
	struct platform_device *pdev;
	struct mock_device *mock;
	int ret;

	pdev = platform_device_register_simple("vfio_mock", flags, NULL, 0);
	if (IS_ERR(pdev))
		return ERR_CAST(pdev);

	mock = vfio_alloc_device(mock_device, vdev, &pdev->dev, &mock_ops);
	if (IS_ERR(mock)) {
		ret = PTR_ERR(mock);
		goto err_unregister_pdev;
	}
	mock->pdev = pdev;
	mock->vdev.migration_flags = flags;
	ret = vfio_register_emulated_iommu_dev(&mock->vdev);
	if (ret)
		goto err_put_device;
	return mock;

err_put_device:
	vfio_put_device(&mock->vdev);
err_unregister_pdev:
	platform_device_unregister(pdev);
	return ERR_PTR(ret);
}

static void mock_destroy(struct mock_device *mock)
{
	struct platform_device *pdev = mock->pdev;

	vfio_unregister_group_dev(&mock->vdev);
	vfio_put_device(&mock->vdev);
	platform_device_unregister(pdev);
}

/*
 * Mistakes of drivers: the registration of such a device must be refused, or a
 * user could call a function that does not exist.
 */
static int __init mock_check_refusals(void)
{
	static const struct vfio_migration_ops no_set_state = {
		.migration_get_state = mock_get_state,
		.migration_get_data_size = mock_get_data_size,
	};
	static const struct vfio_log_ops no_start = {
		.log_stop = mock_vdev_log_stop,
		.log_read_and_clear = mock_vdev_log_read_and_clear,
	};
	static const struct vfio_log_ops no_stop = {
		.log_start = mock_vdev_log_start,
		.log_read_and_clear = mock_vdev_log_read_and_clear,
	};
	static const struct vfio_log_ops no_read = {
		.log_start = mock_vdev_log_start,
		.log_stop = mock_vdev_log_stop,
	};
	static const struct {
		const char *what;
		unsigned int flags;
		const struct vfio_migration_ops *ops;
		const struct vfio_log_ops *log_ops;
	} wrong[] = {
		{ "no STOP_COPY", 0, &mock_migration_ops },
		{ "P2P alone", VFIO_MIGRATION_P2P, &mock_migration_ops },
		{ "an unknown flag", VFIO_MIGRATION_STOP_COPY | BIT(5),
		  &mock_migration_ops },
		{ "no set_state", VFIO_MIGRATION_STOP_COPY, &no_set_state },
		{ "no log_start", .log_ops = &no_start },
		{ "no log_stop", .log_ops = &no_stop },
		{ "no log_read_and_clear", .log_ops = &no_read },
	};
	struct mock_device *bad;
	int i, ret;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct platform_device *pdev;

		pdev = platform_device_register_simple("vfio_mock_bad", i,
						       NULL, 0);
		if (IS_ERR(pdev))
			return PTR_ERR(pdev);
		bad = vfio_alloc_device(mock_device, vdev, &pdev->dev,
					&mock_ops);
		if (IS_ERR(bad)) {
			platform_device_unregister(pdev);
			return PTR_ERR(bad);
		}
		bad->vdev.migration_flags = wrong[i].flags;
		bad->vdev.mig_ops = wrong[i].ops;
		bad->vdev.log_ops = wrong[i].log_ops;
		ret = vfio_register_emulated_iommu_dev(&bad->vdev);
		if (!ret) {
			vfio_unregister_group_dev(&bad->vdev);
			pr_err("vfio_mock: a device with %s was registered\n",
			       wrong[i].what);
			ret = -EPROTO;
		} else if (ret == -EINVAL) {
			ret = 0;
		}
		vfio_put_device(&bad->vdev);
		platform_device_unregister(pdev);
		if (ret)
			return ret;
	}
	return 0;
}

static bool check_refusals = true;
module_param(check_refusals, bool, 0444);
MODULE_PARM_DESC(check_refusals,
		 "Refuse to load if vfio.ko registers devices it must not");

static void mock_destroy_all(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(mocks) && mocks[i]; i++)
		mock_destroy(mocks[i]);
}

static int __init mock_module_init(void)
{
	int i, ret;

	mock_session_init();
	for (i = 0; i < ARRAY_SIZE(mocks); i++) {
		struct mock_device *mock = mock_create(mock_flags[i]);

		if (IS_ERR(mock)) {
			ret = PTR_ERR(mock);
			goto err_destroy;
		}
		mocks[i] = mock;
	}
	if (check_refusals) {
		ret = mock_check_refusals();
		if (ret)
			goto err_destroy;
	}
	return 0;

err_destroy:
	mock_destroy_all();
	return ret;
}

static void __exit mock_module_exit(void)
{
	mock_destroy_all();
}

module_init(mock_module_init);
module_exit(mock_module_exit);

MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(IOMMUFD);	/* iova_bitmap_set() */
MODULE_DESCRIPTION("Virtual VFIO devices for selftests");
