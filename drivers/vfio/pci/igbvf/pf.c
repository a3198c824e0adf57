// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this driver asks of the PF: for a load, all that the source's PF did for
 * the guest; after the last close, to drop what it holds for the user.
 *
 * Functions that ask return 0, -EIO if the PF does not answer, or -EPERM if it
 * refuses.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/if_ether.h>
#include <linux/unaligned.h>

#include "private.h"

/* How often a load asks the PF, before the stream ends, what it would refuse */
#define TRIALS		8

#define MBX_MESSAGE(type, info)	((type) | (info) << 16)
#define MBX_FILTER_CLEAR	MBX_MESSAGE(MBX_SET_MAC, MBX_MAC_FILTER_CLEAR)
#define MBX_FILTER_ADD		MBX_MESSAGE(MBX_SET_MAC, MBX_MAC_FILTER_ADD)

/*
 * The RESET handshake, after which the PF accepts messages.  Sets @mac to the
 * VF's MAC address, or 0 if the PF has none for it.
 */
int igbvf_pf_reset(struct igbvf_device *vf, u32 mac[2])
{
	u32 answer[3] = {};
	int ret;

	/* Resets of the PF until now do not matter: all is asked for again. */
	igbvf_mbx_status(vf);
	vf->pf_was_reset = false;
	ret = igbvf_mbx_exchange(vf, MBX_RESET, NULL, 0, answer);
	memset(mac, 0, 2 * sizeof(*mac));
	if (answer[0] & MBX_ACK)
		igbvf_mac_copy(mac, &answer[1]);
	return ret;
}

/*
 * Was the PF reset since the last handshake?  It has dropped all settings then.
 */
bool igbvf_pf_was_reset(struct igbvf_device *vf)
{
	igbvf_mbx_status(vf);
	return vf->pf_was_reset;
}

/*
 * Asks the PF for something.  A refusal is logged: @what the guest needs, and
 * @cure, what the operator can do about it.
 */
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

/* -EPERM: the PF allows this VF no filters, so none can be cleared. */
static int clear_filters(struct igbvf_device *vf)
{
	/* igb clears all filters, but only if the address is valid. */
	static const u32 address[2] = { 0x02 };
	u32 answer[3];
	int ret;

	ret = igbvf_mbx_exchange(vf, MBX_FILTER_CLEAR, address, 2, answer);
	if (ret)
		return ret;
	return answer[0] & MBX_ACK ? 0 : -EPERM;
}

/*
 * Sets the guest's MAC address, unless the VF has it.  A trial asks to set the
 * address that the VF has: the PF refuses that if the administrator has fixed
 * the address.  If the VF has none, it is not fixed.
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

	/* A VF that may not clear filters has none. */
	if (ret == -EPERM)
		ret = 0;
	for (u32 i = 0; i < pf->filters && !ret; i++)
		ret = pf_request(vf, "a unicast filter", "trust on, if it has room",
				 MBX_FILTER_ADD, pf->filter[i], 2);
	return ret;
}

/* Settings that the PF drops with the next RESET, and the frame size */
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
 * Asks the PF for all that the source's PF did for the guest.  A trial is made
 * while the guest still runs on the source.  It must not give the guest's
 * addresses to this VF, or the PF's switch would no longer send frames for them
 * to the wire.  Other settings are harmless while the VF's queues are disabled.
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
	/* A VF that may clear filters may add them. */
	if (!ret && try && pf->filters)
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
 * Finds out early what the PF would refuse.  A stream may repeat the PF record
 * any number of times, and a trial takes dozens of messages: so only changes
 * are tried, TRIALS of them at most.  The replay at the end of the load
 * decides.
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
 * The VF's user is gone.  The PF keeps the user's MAC address and unicast
 * filters until it is told, and its switch delivers frames for them to this VF,
 * and so to the next user.  The filters are cleared even if none is known: the
 * PF may have added some whose acknowledgement the guest has not read.
 *
 * @reset: the VF was reset by FLR.  Otherwise it is reset here by VTCTRL, as a
 * guest does it, upon which igb drops the MAC address, too.
 *
 * Return: 0; -EIO if the PF does not answer; -EPERM if it refuses to clear the
 * filters, as igb does for a VF with a fixed MAC address and without trust.
 */
int igbvf_pf_clear_user(struct igbvf_device *vf, bool reset)
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
	 * igb may handle the message RESET before the reset that preceded it,
	 * which then undoes the handshake.  So there is a second try.
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
