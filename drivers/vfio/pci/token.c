// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VF token: a secret shared by the user of a PF and the users of its VFs.
 * They must trust each other, as each can harm the other.
 *
 * The token belongs to the PF's driver instance.  It starts as a random value;
 * the PF's user sets it by VFIO_DEVICE_FEATURE, or by opening the PF with it.
 * The token is needed to open a VF, and to open the PF while VFs are open.  The
 * token's lock protects the value and the count of open VFs.
 *
 * This file also matches the device name given to VFIO_GROUP_GET_DEVICE_FD,
 * which may contain the token.
 */
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uuid.h>

#include "private.h"

#define VF_TOKEN_ARG	"vf_token="

struct vfio_pci_vf_token {
	struct mutex lock;	/* protects the other members */
	uuid_t uuid;
	int users;
};

int vfio_pci_token_init(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_vf_token *token = kzalloc(sizeof(*token), GFP_KERNEL);

	if (!token)
		return -ENOMEM;

	mutex_init(&token->lock);
	uuid_gen(&token->uuid);
	vdev->vf_token = token;
	return 0;
}

void vfio_pci_token_free(struct vfio_pci_core_device *vdev)
{
	struct vfio_pci_vf_token *token = vdev->vf_token;

	if (!token)
		return;

	WARN_ON(token->users);
	mutex_destroy(&token->lock);
	vdev->vf_token = NULL;
	kfree_sensitive(token);
}

void vfio_pci_token_user_add(struct vfio_pci_core_device *vdev, int n)
{
	struct vfio_pci_vf_token *token;

	if (!vdev->sriov_pf_core_dev)
		return;

	token = vdev->sriov_pf_core_dev->vf_token;
	guard(mutex)(&token->lock);
	token->users += n;
}

/* Caller holds the lock of @token. */
static int token_compare(struct vfio_pci_core_device *vdev,
			 const struct vfio_pci_vf_token *token,
			 const uuid_t *uuid)
{
	if (uuid_equal(uuid, &token->uuid))
		return 0;

	pci_info_ratelimited(vdev->pdev, "wrong VF token\n");
	return -EACCES;
}

static int token_check_vf(struct vfio_pci_core_device *vdev,
			  const uuid_t *uuid)
{
	struct vfio_pci_core_device *pf = vdev->sriov_pf_core_dev;

	if (!pf) {
		if (!uuid)
			return 0;
		pci_info_ratelimited(vdev->pdev,
				     "VF token given, but the PF is not bound to vfio-pci and has none\n");
		return -EINVAL;
	}
	if (!uuid) {
		pci_info_ratelimited(vdev->pdev,
				     "VF token needed to open this VF: the one that the user of %s set\n",
				     pci_name(pf->pdev));
		return -EACCES;
	}

	guard(mutex)(&pf->vf_token->lock);
	return token_compare(vdev, pf->vf_token, uuid);
}

static int token_check_pf(struct vfio_pci_core_device *vdev,
			  const uuid_t *uuid)
{
	struct vfio_pci_vf_token *token = vdev->vf_token;

	guard(mutex)(&token->lock);
	if (!token->users) {
		if (uuid)
			uuid_copy(&token->uuid, uuid);
		return 0;
	}
	if (!uuid) {
		pci_info_ratelimited(vdev->pdev,
				     "VF token needed to open this PF while its VFs are in use\n");
		return -EACCES;
	}
	return token_compare(vdev, token, uuid);
}

/* Whether a user that knows @uuid (NULL: none) may open the device */
static int token_check(struct vfio_pci_core_device *vdev, const uuid_t *uuid)
{
	if (vdev->pdev->is_virtfn)
		return token_check_vf(vdev, uuid);
	if (vdev->vf_token)
		return token_check_pf(vdev, uuid);
	if (!uuid)
		return 0;

	pci_info_ratelimited(vdev->pdev,
			     "VF token given, but the device has no SR-IOV\n");
	return -EINVAL;
}

/**
 * vfio_pci_core_match - the match callback of a vfio-pci driver
 * @core_vdev: the device
 * @buf: "dddd:bb:dd.f[ vf_token=UUID]"; modified
 *
 * Return: 0 if @buf names another device; 1 if it names this one and the token
 * is right or not needed; -EACCES if the token is missing or wrong; -EINVAL if
 * the rest of @buf is malformed or names a token that the device does not have.
 */
int vfio_pci_core_match(struct vfio_device *core_vdev, char *buf)
{
	struct vfio_pci_core_device *vdev = to_core(core_vdev);
	bool have_token = false;
	char *option, *rest = buf;
	uuid_t uuid;
	int ret;

	if (!str_has_prefix(buf, pci_name(vdev->pdev)))
		return 0;
	rest += strlen(pci_name(vdev->pdev));
	if (*rest && *rest != ' ')
		return 0;

	while ((option = strsep(&rest, " "))) {
		size_t prefix = str_has_prefix(option, VF_TOKEN_ARG);

		if (!*option)
			continue;
		if (!prefix || have_token ||
		    strlen(option + prefix) != UUID_STRING_LEN ||
		    uuid_parse(option + prefix, &uuid))
			return -EINVAL;
		have_token = true;
	}

	ret = token_check(vdev, have_token ? &uuid : NULL);
	return ret ?: 1;
}
EXPORT_SYMBOL_GPL(vfio_pci_core_match);

/**
 * vfio_pci_core_match_token_uuid - the match_token_uuid callback of a vfio-pci
 *	driver
 * @core_vdev: the device
 * @uuid: the token that the user knows, or NULL
 *
 * Return: 0 if the user may open the device; -EACCES if the token is missing or
 * wrong; -EINVAL if the device has no token.
 */
int vfio_pci_core_match_token_uuid(struct vfio_device *core_vdev,
				   const uuid_t *uuid)
{
	return token_check(to_core(core_vdev), uuid);
}
EXPORT_SYMBOL_GPL(vfio_pci_core_match_token_uuid);

int vfio_pci_feature_token(struct vfio_pci_core_device *vdev, u32 flags,
			   void __user *arg, size_t argsz)
{
	uuid_t uuid;
	int ret;

	if (!vdev->vf_token)
		return -ENOTTY;

	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET,
				 sizeof(uuid));
	if (ret != 1)
		return ret;

	if (copy_from_user(&uuid, arg, sizeof(uuid)))
		return -EFAULT;

	guard(mutex)(&vdev->vf_token->lock);
	uuid_copy(&vdev->vf_token->uuid, &uuid);
	return 0;
}
