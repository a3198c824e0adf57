// SPDX-License-Identifier: GPL-2.0-only
/*
 * Imports dma-bufs as the driver of another device does, for pci_dmabuf.c: the
 * kernels of distributions have no importer of device memory that a test could
 * use.  Programs no device: a mapping is only looked at.
 *
 * The dma_resv lock of the dma-buf protects sgt.  attach is set once.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dmabuf_importer.h"

struct importer {
	struct mutex lock;	/* attach, pdev, fence */
	struct dma_buf_attachment *attach;
	struct pci_dev *pdev;
	struct dma_fence *fence;
	struct sg_table *sgt;
	u32 flags;
	atomic_t invalidations;
};

/* ---- The fence that stands for DMA ---- */

static const char *fence_name(struct dma_fence *fence)
{
	return KBUILD_MODNAME;
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
};

static DEFINE_SPINLOCK(fence_lock);

static int importer_dma(struct importer *imp)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;
	struct dma_fence *fence;
	int ret;

	if (imp->fence)
		return -EBUSY;
	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!fence)
		return -ENOMEM;
	dma_fence_init(fence, &fence_ops, &fence_lock,
		       dma_fence_context_alloc(1), 1);

	dma_resv_lock(resv, NULL);
	ret = dma_resv_reserve_fences(resv, 1);
	if (!ret)
		dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_unlock(resv);
	if (ret)
		dma_fence_put(fence);
	else
		imp->fence = fence;
	return ret;
}

static int importer_dma_end(struct importer *imp)
{
	if (!imp->fence)
		return -EINVAL;
	dma_fence_signal(imp->fence);
	dma_fence_put(imp->fence);
	imp->fence = NULL;
	return 0;
}

/* ---- Mapping ---- */

/* Caller holds the dma_resv lock. */
static void unmap_locked(struct importer *imp)
{
	if (!imp->sgt)
		return;
	dma_buf_unmap_attachment(imp->attach, imp->sgt, DMA_BIDIRECTIONAL);
	imp->sgt = NULL;
}

static void invalidate(struct dma_buf_attachment *attach)
{
	struct importer *imp = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (!(imp->flags & IMPORTER_LATE))
		unmap_locked(imp);
	atomic_inc(&imp->invalidations);
}

static const struct dma_buf_attach_ops attach_ops[] = {
	[0] = {},
	[IMPORTER_P2P] = { .allow_peer2peer = true },
	[IMPORTER_REVOCABLE] = { .invalidate_mappings = invalidate },
	[IMPORTER_P2P | IMPORTER_REVOCABLE] = {
		.allow_peer2peer = true,
		.invalidate_mappings = invalidate,
	},
};

static int importer_map(struct importer *imp, void __user *arg)
{
	struct dma_buf *dmabuf = imp->attach->dmabuf;
	struct importer_map map = {};
	struct scatterlist *sg;
	struct sg_table *sgt;
	int i, ret = 0;

	dma_resv_lock(dmabuf->resv, NULL);
	unmap_locked(imp);
	sgt = dma_buf_map_attachment(imp->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt)) {
		ret = PTR_ERR(sgt);
	} else {
		imp->sgt = sgt;
		for_each_sgtable_dma_sg(sgt, sg, i) {
			if (i == IMPORTER_ENTRIES)
				break;
			map.entry[i].address = sg_dma_address(sg);
			map.entry[i].length = sg_dma_len(sg);
		}
		map.count = sgt->nents;
	}
	dma_resv_unlock(dmabuf->resv);
	if (!ret && copy_to_user(arg, &map, sizeof(map)))
		ret = -EFAULT;
	return ret;
}

static int importer_unmap(struct importer *imp)
{
	struct dma_resv *resv = imp->attach->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	unmap_locked(imp);
	dma_resv_unlock(resv);
	return 0;
}

/* Takes no dma_resv lock: a revocation may hold it and wait for a fence. */
static int importer_state(struct importer *imp, void __user *arg)
{
	struct importer_state state = {
		.invalidations = atomic_read(&imp->invalidations),
		.mapped = !!READ_ONCE(imp->sgt),
	};

	return copy_to_user(arg, &state, sizeof(state)) ? -EFAULT : 0;
}

/* ---- Life ---- */

static int importer_attach(struct importer *imp, void __user *arg)
{
	struct dma_buf_attachment *attach;
	struct importer_attach args;
	struct dma_buf *dmabuf;
	struct pci_dev *pdev;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	pdev = pci_get_domain_bus_and_slot(args.domain, args.bus, args.devfn);
	if (!pdev)
		return -ENODEV;
	dmabuf = dma_buf_get(args.fd);
	if (IS_ERR(dmabuf)) {
		pci_dev_put(pdev);
		return PTR_ERR(dmabuf);
	}
	imp->flags = args.flags;
	attach = dma_buf_dynamic_attach(dmabuf, &pdev->dev,
					&attach_ops[args.flags & 3], imp);
	if (IS_ERR(attach)) {
		dma_buf_put(dmabuf);
		pci_dev_put(pdev);
		return PTR_ERR(attach);
	}
	imp->attach = attach;
	imp->pdev = pdev;
	return 0;
}

static long importer_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	struct importer *imp = file->private_data;
	void __user *uarg = (void __user *)arg;

	guard(mutex)(&imp->lock);
	if (cmd == IMPORTER_ATTACH)
		return imp->attach ? -EBUSY : importer_attach(imp, uarg);
	if (!imp->attach)
		return -EINVAL;

	switch (cmd) {
	case IMPORTER_MAP:
		return importer_map(imp, uarg);
	case IMPORTER_UNMAP:
		return importer_unmap(imp);
	case IMPORTER_STATE:
		return importer_state(imp, uarg);
	case IMPORTER_DMA:
		return importer_dma(imp);
	case IMPORTER_DMA_END:
		return importer_dma_end(imp);
	default:
		return -ENOTTY;
	}
}

static int importer_open(struct inode *inode, struct file *file)
{
	struct importer *imp = kzalloc(sizeof(*imp), GFP_KERNEL);

	if (!imp)
		return -ENOMEM;
	mutex_init(&imp->lock);
	file->private_data = imp;
	return 0;
}

static int importer_release(struct inode *inode, struct file *file)
{
	struct importer *imp = file->private_data;
	struct dma_buf *dmabuf;

	if (imp->fence)
		importer_dma_end(imp);
	if (imp->attach) {
		dmabuf = imp->attach->dmabuf;
		importer_unmap(imp);
		dma_buf_detach(dmabuf, imp->attach);
		dma_buf_put(dmabuf);
		pci_dev_put(imp->pdev);
	}
	kfree(imp);
	return 0;
}

static const struct file_operations importer_fops = {
	.owner = THIS_MODULE,
	.open = importer_open,
	.release = importer_release,
	.unlocked_ioctl = importer_ioctl,
};

static struct miscdevice importer_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &importer_fops,
};
module_misc_device(importer_misc);

MODULE_IMPORT_NS(DMA_BUF);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Importer of dma-bufs for the selftests of VFIO");
