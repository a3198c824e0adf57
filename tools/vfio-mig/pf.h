/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PF of a VF, and what an administrator has set for the VF there
 * ("ip link set PF vf N ...").  From sysfs and rtnetlink; the VF is not opened.
 */
#ifndef VFIO_MIG_PF_H
#define VFIO_MIG_PF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the PF's driver does not report has a flag that is false. */
struct vf_policy {
	bool has_mac, has_vlan, has_spoofchk, has_trust, has_link, has_rate;
	uint8_t mac[6];		/* zero: none is set, the guest may choose */
	unsigned int vlan;	/* 0: none */
	unsigned int qos;
	unsigned int vlan_proto;	/* 0x8100 or 0x88a8 */
	bool spoofchk;
	bool trust;
	unsigned int link;	/* IFLA_VF_LINK_STATE_* */
	unsigned int min_rate, max_rate;	/* Mbit/s, 0: no limit */
};

struct pf {
	char name[64];		/* in sysfs, or "" if the device is no VF */
	char driver[64];	/* or "" */
	unsigned int vf;	/* number of the VF */
	char interface[16];	/* or "" if the PF is no network device */
	bool has_link;		/* the next two are known */
	bool up;		/* the interface is set up */
	bool carrier;		/* and has a link */
	bool has_policy;	/* the PF's driver told it */
	struct vf_policy policy;
};

/* Prints nothing. */
void pf_read(struct pf *pf, const char *vf_name);

bool pf_policy_has_mac(const struct vf_policy *policy);

void pf_text(const struct pf *pf);
void pf_json(const struct pf *pf);

/*
 * Takes the policy of VF number @vf from a message RTM_NEWLINK with @len bytes of
 * attributes behind struct ifinfomsg.  False if it is not there.
 */
bool pf_parse_link(const void *attributes, int len, unsigned int vf,
		   struct vf_policy *policy);

/*
 * Takes what rtnetlink's @answer of @len bytes tells of the PF's interface: nothing
 * if it is an error, or about another interface.
 */
void pf_parse_answer(struct pf *pf, const void *answer, size_t len);

#endif
