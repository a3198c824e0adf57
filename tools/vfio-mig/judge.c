// SPDX-License-Identifier: GPL-2.0-only
/*
 * Judges whether a device can be live-migrated, by what is known of it.
 */
#include <linux/if_link.h>
#include <string.h>

#include "judge.h"

/*
 * igbvf-vfio-pci asks the PF for the guest's settings when it loads a state,
 * and does not save a VF whose writes to memory nobody tracks.  Other drivers
 * are not known to do either.
 */
static bool is_igbvf(const struct device_name *id)
{
	return !strcmp(id->driver, "igbvf-vfio-pci");
}

void judge_tracking(const struct device_name *id,
		    const struct trackers *trackers, struct reasons *why)
{
	if (trackers->driver || trackers->iommu)
		return;
	if (trackers->iommufd) {
		reason_add(why, "no-tracker-iommufd",
			   is_igbvf(id) ? EFFECT_NO : EFFECT_FORCED,
			   "%s: when it is bound to an iommufd, neither its driver nor the IOMMU tells what it writes to memory",
			   id->name);
		reason_remedy(why, "let the VMM open it through its group (QEMU: no iommufd=)");
		return;
	}
	if (trackers->maybe_iommufd) {
		reason_add(why, "in-use", EFFECT_UNKNOWN,
			   "%s: in use; its driver does not tell what it writes to memory, and the kernel does not tell whether it is bound to an iommufd, so that the IOMMU may tell",
			   id->name);
		reason_remedy(why, "ask when it is not in use");
		return;
	}
	reason_add(why, "no-tracker", EFFECT_FORCED,
		   "%s: its driver does not tell what it writes to memory: all memory is sent once more while the VM stands still",
		   id->name);
	reason_remedy(why, "QEMU: enable-migration=on, and a downtime limit that allows for it");
}

static void judge_interface(const struct device_name *id, const struct pf *pf,
			    struct reasons *why)
{
	if (!pf->up) {
		reason_add(why, "pf-down",
			   is_igbvf(id) ? EFFECT_NO : EFFECT_NONE,
			   "the interface %s of its PF is down: no state can be loaded, and the guest has no link",
			   pf->interface);
		reason_remedy(why, "ip link set dev %s up", pf->interface);
	} else if (!pf->carrier) {
		reason_add(why, "no-link", EFFECT_NONE,
			   "the interface %s of its PF has no link",
			   pf->interface);
	}
}

/* Nothing is known of the PF's interface, but igbvf-vfio-pci needs it. */
static void judge_unseen(const struct pf *pf, struct reasons *why)
{
	/* igb always has one; sysfs shows those of one network namespace. */
	if (!*pf->interface && strcmp(pf->driver, "igb")) {
		reason_add(why, "pf-without-interface", EFFECT_NO,
			   "its PF %s has no interface: its driver is %s", pf->name,
			   *pf->driver ? pf->driver : "missing");
		return;
	}
	reason_add(why, "pf-unknown", EFFECT_UNKNOWN,
		   "the kernel does not tell whether the interface of its PF %s is up",
		   pf->name);
	reason_remedy(why, "run vfio-mig in the network namespace of that interface, with the /sys of that namespace");
}

void judge_pf(const struct device_name *id, const struct pf *pf,
	      struct reasons *why)
{
	if (!*pf->name)
		return;
	if (pf->has_link)
		judge_interface(id, pf, why);
	else if (is_igbvf(id))
		judge_unseen(pf, why);
	if (!pf->has_policy || !pf->policy.has_mac)
		return;
	if (!pf_policy_has_mac(&pf->policy)) {
		reason_add(why, "no-mac", EFFECT_NONE,
			   "its PF has no MAC address for it: the guest chooses one, unless a state is loaded");
		reason_remedy(why, "ip link set dev %s vf %u mac ADDRESS",
			      pf->interface, pf->vf);
	}
	if (pf->policy.has_link && pf->policy.link == IFLA_VF_LINK_STATE_DISABLE) {
		reason_add(why, "vf-link-disabled", EFFECT_NONE,
			   "its PF keeps its link down");
		reason_remedy(why, "ip link set dev %s vf %u state auto",
			      pf->interface, pf->vf);
	}
}
