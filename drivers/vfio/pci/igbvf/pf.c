// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this driver asks of the PF: for a load, all that the source's PF did for
 * the guest; when a user is gone, to forget that.
 *
 * Functions that ask return 0, -EIO if the PF does not answer, or -EPERM if it
 * refuses.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/if_ether.h>
#include <linux/unaligned.h>

#include "private.h"

/* How often a load tries what the PF would do for it */
#define TRIALS		8

#define MBX_MESSAGE(type, info)	((type) | (info) << 16)
#define MBX_FILTER_CLEAR	MBX_MESSAGE(MBX_SET_MAC, MBX_MAC_FILTER_CLEAR)
#define MBX_FILTER_ADD		MBX_MESSAGE(MBX_SET_MAC, MBX_MAC_FILTER_ADD)

/* The RESET handshake, after which the PF listens; @mac is the VF's, or zero. */
int igbvf_pf_reset(struct igbvf_device *vf, u32 mac[2])
{
	u32 answer[3] = {};
	int ret;

	/* What the PF forgot before, it is asked for anew. */
	igbvf_mbx_status(vf);
	vf->pf_was_reset = false;
	ret = igbvf_mbx_exchange(vf, MBX_RESET, NULL, 0, answer);
	memset(mac, 0, 2 * sizeof(*mac));
	if (answer[0] & MBX_ACK)
		igbvf_mac_copy(mac, &answer[1]);
	return ret;
}

/* Was the PF reset since the last handshake, and has forgotten all since? */
bool igbvf_pf_was_reset(struct igbvf_device *vf)
{
	igbvf_mbx_status(vf);
	return vf->pf_was_reset;
}

/* @what the guest needs and how to @cure a refusal are for the operator. */
static int pf_request(struct igbvf_device *vf, const char *what,
		      const char *cure, u32 head, const u32 *args,
		      unsigned int count)
{
	struct pci_dev *pdev = vf->pci.core.pdev;
	int id = pci_iov_vf_id(pdev);
	u8 mac[ETH_ALEN];
	u32 answer[3];
	int ret = igbvf_mbx_exchange(vf, head, args, count, answer);

	if (ret || answer[0] & MBX_ACK)
		return ret;
	put_unaligned_le32(vf->incoming.pf.mac[0], mac);
	put_unaligned_le16(vf->incoming.pf.mac[1], mac + 4);
	vfio_mig_err(&vf->pci.mig, "the PF %s refuses %s to VF %d, whose guest has MAC %pM: ip link set dev PF vf %d %s\n",
		     pci_name(pci_physfn(pdev)), what, id, mac, id, cure);
	return -EPERM;
}

/* 0 or an error; -EPERM: the VF may not have filters, nor clear them. */
static int clear_filters(struct igbvf_device *vf)
{
	/* igb clears all, whatever the address, but wants a valid one. */
	static const u32 address[2] = { 0x02 };
	u32 answer[3];
	int ret;

	ret = igbvf_mbx_exchange(vf, MBX_FILTER_CLEAR, address, 2, answer);
	if (ret)
		return ret;
	return answer[0] & MBX_ACK ? 0 : -EPERM;
}

/*
 * The MAC address, unless the VF has it.  A trial sets that which it has: one
 * that the administrator has fixed the PF refuses to set, even to what it is.
 * If it has none, the PF does not care.
 */
static int replay_mac(struct igbvf_device *vf, const u32 has[2], bool try)
{
	const u32 *mac = vf->incoming.pf.mac;

	if (!memcmp(has, mac, sizeof(u32[2])) || (try && !has[0] && !has[1]))
		return 0;
	return pf_request(vf, "its MAC address", "mac ... (this one)",
			  MBX_SET_MAC, try ? has : mac, 2);
}

/* Replaces the unicast filters of the VF's last user by the guest's. */
static int replay_filters(struct igbvf_device *vf)
{
	const struct igbvf_pf *pf = &vf->incoming.pf;
	int ret = clear_filters(vf);

	if (ret == -EPERM)	/* then there are none either */
		ret = 0;
	for (u32 i = 0; i < pf->filters && !ret; i++)
		ret = pf_request(vf, "a unicast filter", "trust on, if it has room",
				 MBX_FILTER_ADD, pf->filter[i], 2);
	return ret;
}

/* What the PF forgets with the next RESET; the limit of frames excepted */
static int replay_rest(struct igbvf_device *vf)
{
	const struct igbvf_pf *pf = &vf->incoming.pf;
	u32 lpe = pf->lpe ?: MBX_LPE_DEFAULT;
	int ret = 0;

	if (pf->multicasts)
		ret = pf_request(vf, "multicast", "trust on",
				 MBX_MESSAGE(MBX_SET_MULTICAST, pf->multicasts),
				 pf->multicast, ARRAY_SIZE(pf->multicast));
	for (u32 i = 0; i < pf->vlans && !ret; i++)
		ret = pf_request(vf, "a VLAN", "vlan 0",
				 MBX_MESSAGE(MBX_SET_VLAN, 1), &pf->vlan[i], 1);
	if (!ret)
		ret = pf_request(vf, "its frame size", "trust on",
				 MBX_SET_LPE, &lpe, 1);
	if (!ret && pf->promisc)
		ret = pf_request(vf, "promiscuity", "trust on",
				 MBX_MESSAGE(MBX_SET_PROMISC, pf->promisc),
				 NULL, 0);
	return ret;
}

/*
 * Has the PF do for this VF what another did for the guest.  A trial is made
 * while the guest still runs elsewhere: then the PF must not come to think
 * that its addresses are here, as it would keep frames for them from the wire.
 * The rest is harmless as long as the VF's queues are disabled.
 */
static int pf_replay(struct igbvf_device *vf, bool try)
{
	const struct igbvf_pf *pf = &vf->incoming.pf;
	u32 mac[2];
	int ret;

	if (!(pf->flags & IGBVF_PF_CTS))
		return 0;	/* the guest's driver will begin with RESET */
	ret = igbvf_pf_reset(vf, mac);
	if (!ret && pf->flags & IGBVF_PF_MAC)
		ret = replay_mac(vf, mac, try);
	if (!ret && try && pf->filters)	/* whoever may clear them may add them */
		ret = pf_request(vf, "a unicast filter", "trust on",
				 MBX_FILTER_CLEAR, pf->filter[0], 2);
	else if (!ret && !try)
		ret = replay_filters(vf);
	return ret ?: replay_rest(vf);
}

int igbvf_pf_replay(struct igbvf_device *vf)
{
	return pf_replay(vf, false);
}

/*
 * Finds out early what the PF would refuse.  A stream may repeat the settings as
 * often as it likes, and a trial takes dozens of messages: so only changes are
 * tried, and only some of them.  The replay at the end has the last word.
 */
int igbvf_pf_try(struct igbvf_device *vf)
{
	if (vf->trials == TRIALS ||
	    (vf->trials && !memcmp(&vf->tried, &vf->incoming.pf,
				   sizeof(vf->tried))))
		return 0;
	vf->trials++;
	vf->tried = vf->incoming.pf;
	return pf_replay(vf, true);
}

/*
 * The VF's user is gone.  Until the PF is told, it keeps the user's MAC address
 * and unicast filters, and its switch delivers frames for them to this VF, and
 * so to the next user.  The filters are cleared even if none is known of: the
 * PF may have added some whose acknowledgement nobody read.
 *
 * @reset: the VF was reset by FLR.  Otherwise it is reset here, as a guest does
 * it, which has igb forget the MAC address, too.
 *
 * Return: 0; -EIO if the PF is mute; -EPERM if it does not clear the filters,
 * which a VF must not ask for that has a fixed MAC address and no trust.
 */
int igbvf_pf_forget(struct igbvf_device *vf, bool reset)
{
	unsigned int tries;
	int ret = -EIO;
	u32 mac[2];

	if (!reset) {
		igbvf_write(vf, VTCTRL, VTCTRL_RST);
		igbvf_read(vf, VTSTATUS);
		fsleep(USEC_PER_MSEC);
	}
	/*
	 * igb may see RESET before it sees the reset that came first, which then
	 * undoes the handshake: so there is a second try.
	 */
	for (tries = 0; tries < 2; tries++) {
		if (igbvf_pf_reset(vf, mac))
			return -EIO;
		ret = clear_filters(vf);
		if (!ret)
			break;
	}
	return ret;
}
