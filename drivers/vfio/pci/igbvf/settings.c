// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the PF has acknowledged to the VF: updates struct igbvf_pf by messages
 * to which the PF has agreed.  When the state is loaded into another VF, pf.c
 * asks the PF of that VF for the same.  Works on memory alone.
 */
#include <linux/bitfield.h>
#include <linux/if_vlan.h>

#include "private.h"

/* The VF was reset.  The PF keeps its filters and LPE, and drops the rest. */
void igbvf_settings_reset(struct igbvf_pf *pf)
{
	struct igbvf_pf kept = { .lpe = pf->lpe, .filters = pf->filters };

	memcpy(kept.filter, pf->filter, sizeof(kept.filter));
	*pf = kept;
}

void igbvf_settings_mac(struct igbvf_pf *pf, const u32 mac[2])
{
	pf->flags |= IGBVF_PF_MAC;
	igbvf_mac_copy(pf->mac, mac);
}

/*
 * Linux's igbvf adds all filters again when a new one comes, even if the PF has
 * refused to clear them.
 */
static void filter_add(struct igbvf_pf *pf, const u32 *address)
{
	u32 mac[2], i = 0;

	igbvf_mac_copy(mac, address);
	while (i < pf->filters && memcmp(pf->filter[i], mac, sizeof(mac)))
		i++;
	if (i == pf->filters && i < IGBVF_PF_FILTERS)
		igbvf_mac_copy(pf->filter[pf->filters++], mac);
}

static void multicast_set(struct igbvf_pf *pf, u32 info, const u32 *hashes)
{
	u32 known = min_t(u32, info, IGBVF_PF_MULTICASTS);

	memset(pf->multicast, 0, sizeof(pf->multicast));
	memcpy(pf->multicast, hashes, known / 2 * sizeof(u32));
	if (known % 2)
		pf->multicast[known / 2] = hashes[known / 2] & U16_MAX;
	pf->multicasts = info;
}

/* Returns false if the VLAN was not in the list. */
static bool vlan_drop(struct igbvf_pf *pf, u32 vid)
{
	u32 i = 0;

	while (i < pf->vlans && pf->vlan[i] != vid)
		i++;
	if (i == pf->vlans)
		return false;
	pf->vlans--;
	memmove(&pf->vlan[i], &pf->vlan[i + 1],
		(pf->vlans - i) * sizeof(pf->vlan[0]));
	pf->vlan[pf->vlans] = 0;
	return true;
}

/*
 * igb turns the stripping of VLAN tags off when VLAN 0 is added, and on when
 * another VLAN is added or removed.  For a replay the last VLAN decides: so
 * VLAN 0 is last in the list while stripping is off, and else not last.
 */
static void vlan_set(struct igbvf_pf *pf, bool add, u32 vid)
{
	if (!add && !vid)
		return;		/* igb acknowledges this without an effect */
	vlan_drop(pf, vid);
	if (add && pf->vlans < IGBVF_PF_VLANS) {
		pf->vlan[pf->vlans++] = vid;
	} else if (!add && vlan_drop(pf, 0)) {
		memmove(&pf->vlan[1], &pf->vlan[0],
			pf->vlans * sizeof(pf->vlan[0]));
		pf->vlan[0] = 0;
		pf->vlans++;
	}
}

/* The PF has answered @request with yes. */
void igbvf_settings_acknowledged(struct igbvf_pf *pf, const u32 *request)
{
	u32 info = FIELD_GET(MBX_INFO, request[0]);

	switch (FIELD_GET(MBX_TYPE, request[0])) {
	case MBX_SET_MAC:
		if (info == MBX_MAC_OWN) {
			igbvf_settings_mac(pf, &request[1]);
		} else if (info == MBX_MAC_FILTER_CLEAR) {
			memset(pf->filter, 0, sizeof(pf->filter));
			pf->filters = 0;
		} else if (info == MBX_MAC_FILTER_ADD) {
			filter_add(pf, &request[1]);
		}
		break;
	case MBX_SET_MULTICAST:
		multicast_set(pf, info, &request[1]);
		break;
	case MBX_SET_VLAN:
		vlan_set(pf, info, request[1] & VLAN_VID_MASK);
		break;
	case MBX_SET_LPE:
		pf->lpe = request[1] & MBX_LPE_MASK;
		break;
	case MBX_SET_PROMISC:
		pf->promisc = info;
		break;
	}
}
