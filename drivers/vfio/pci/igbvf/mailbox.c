// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mailbox between the VF and its PF's driver.  Two users of it are here:
 * the guest, whose exchanges are watched to know what the PF has acknowledged
 * to it, and a load, which asks the PF of the new VF for the same.
 *
 * Reading V2PMAILBOX clears what it tells.  What the guest has not seen yet is
 * kept for it in image.mbx.events; while a load asks, there is no guest.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/if_ether.h>
#include <linux/ktime.h>
#include <linux/unaligned.h>

#include "private.h"

/*
 * How long a guest may wait for an answer (igbvf: a second until the PF has read
 * the message, and another one until it has answered), and what a stop waits
 */
#define REQUEST_MS	2500
#define SETTLE_MS	20
/*
 * What a load waits for an answer.  A PF whose interface is down is mute; one
 * that is only busy, perhaps on this very CPU, gets its number of looks.
 */
#define ANSWER_MS	2000
#define ANSWER_POLLS	200
/* How often a load tries what the PF would do for it */
#define TRIALS		8

#define MBX_MESSAGE(type, info)	((type) | (info) << 16)
#define MBX_FILTER_CLEAR	MBX_MESSAGE(MBX_SET_MAC, MBX_MAC_FILTER_CLEAR)
#define MBX_FILTER_ADD		MBX_MESSAGE(MBX_SET_MAC, MBX_MAC_FILTER_ADD)

static void mem_get(struct igbvf_device *vf, u32 *words, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		words[i] = igbvf_read(vf, VMBMEM + i * sizeof(u32));
}

static void mem_put(struct igbvf_device *vf, unsigned int first,
		    const u32 *words, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		igbvf_write(vf, VMBMEM + (first + i) * sizeof(u32), words[i]);
}

/* ---- What the PF has acknowledged ---- */

/* All but filters and LPE, which stay in the PF when a VF is reset */
static void pf_forget_most(struct igbvf_pf *pf)
{
	struct igbvf_pf kept = { .lpe = pf->lpe, .filters = pf->filters };

	memcpy(kept.filter, pf->filter, sizeof(kept.filter));
	*pf = kept;
}

static void mac_copy(u32 to[2], const u32 from[2])
{
	to[0] = from[0];
	to[1] = from[1] & U16_MAX;
}

static void pf_has_mac(struct igbvf_pf *pf, const u32 mac[2])
{
	pf->flags |= IGBVF_PF_MAC;
	mac_copy(pf->mac, mac);
}

/* Linux's igbvf adds all again when one comes, having failed to clear them. */
static void pf_has_filter(struct igbvf_pf *pf, const u32 *address)
{
	u32 mac[2], i = 0;

	mac_copy(mac, address);
	while (i < pf->filters && memcmp(pf->filter[i], mac, sizeof(mac)))
		i++;
	if (i == pf->filters && i < IGBVF_PF_FILTERS)
		mac_copy(pf->filter[pf->filters++], mac);
}

static void pf_has_multicast(struct igbvf_pf *pf, u32 info, const u32 *hashes)
{
	u32 known = min_t(u32, info, IGBVF_PF_MULTICASTS);

	memset(pf->multicast, 0, sizeof(pf->multicast));
	memcpy(pf->multicast, hashes, known / 2 * sizeof(u32));
	if (known % 2)
		pf->multicast[known / 2] = hashes[known / 2] & U16_MAX;
	pf->multicasts = info;
}

/* Returns whether it was there. */
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
 * another one is added or removed.  The last VLAN that a replay adds decides:
 * so VLAN 0 is last while it is off, and not last while it is on.
 */
static void pf_has_vlan(struct igbvf_pf *pf, bool add, u32 vid)
{
	if (!add && !vid)
		return;		/* igb says yes, and does nothing */
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

static void pf_acknowledged(struct igbvf_pf *pf, const u32 *request)
{
	u32 info = FIELD_GET(MBX_INFO, request[0]);

	switch (FIELD_GET(MBX_TYPE, request[0])) {
	case MBX_SET_MAC:
		if (info == MBX_MAC_OWN) {
			pf_has_mac(pf, &request[1]);
		} else if (info == MBX_MAC_FILTER_CLEAR) {
			memset(pf->filter, 0, sizeof(pf->filter));
			pf->filters = 0;
		} else if (info == MBX_MAC_FILTER_ADD) {
			pf_has_filter(pf, &request[1]);
		}
		break;
	case MBX_SET_MULTICAST:
		pf_has_multicast(pf, info, &request[1]);
		break;
	case MBX_SET_VLAN:
		pf_has_vlan(pf, info, request[1] & 0xfff);
		break;
	case MBX_SET_LPE:
		pf->lpe = request[1] & MBX_LPE_MASK;
		break;
	case MBX_SET_PROMISC:
		pf->promisc = info;
		break;
	}
}

/* ---- The guest's exchanges ---- */

/* The PF has written something: is it the answer to the guest's request? */
static void snoop_answer(struct igbvf_device *vf)
{
	struct igbvf_mailbox *mbx = &vf->image.mbx;
	struct igbvf_pf *pf = &vf->image.pf;
	u32 answer[3];

	mem_get(vf, answer, ARRAY_SIZE(answer));
	if ((answer[0] ^ mbx->mem[0]) & MBX_TYPE)
		return;		/* a message of its own */
	mbx->flags &= ~IGBVF_MBX_REQUEST;
	if (mbx->mem[0] == MBX_RESET) {		/* all of the word, for igb, too */
		/* A refusal says only that the PF knows no MAC yet. */
		pf_forget_most(pf);
		pf->flags = IGBVF_PF_CTS;
		if (answer[0] & MBX_ACK)
			pf_has_mac(pf, &answer[1]);
	} else if (answer[0] & MBX_ACK) {
		pf_acknowledged(pf, mbx->mem);
	}
}

/* Reads V2PMAILBOX on the guest's behalf. */
static u32 snoop(struct igbvf_device *vf)
{
	struct igbvf_mailbox *mbx = &vf->image.mbx;
	u32 value = igbvf_read(vf, V2PMAILBOX);

	mbx->events |= value & V2PMAILBOX_EVENTS;
	if (value & V2PMAILBOX_RSTD)
		pf_forget_most(&vf->image.pf);
	if (value & V2PMAILBOX_PFSTS && mbx->flags & IGBVF_MBX_REQUEST)
		snoop_answer(vf);
	return value;
}

static void request_sent(struct igbvf_device *vf)
{
	vf->image.mbx.flags |= IGBVF_MBX_REQUEST;
	vf->request_expires = ktime_add_ms(ktime_get(), REQUEST_MS);
}

/* The guest reads V2PMAILBOX; returns what it is to see. */
u32 igbvf_mbx_guest_read(struct igbvf_device *vf)
{
	struct igbvf_mailbox *mbx = &vf->image.mbx;
	u32 value;

	if (!vfio_mig_serves(&vf->pci.mig))
		return mbx->events |
		       (mbx->flags & IGBVF_MBX_VFU ? V2PMAILBOX_VFU : 0);
	value = (snoop(vf) & ~V2PMAILBOX_EVENTS) | mbx->events;
	mbx->events = 0;
	return value;
}

/* The guest is about to write VMBMEM: is there an answer that would be lost? */
void igbvf_mbx_guest_mem(struct igbvf_device *vf)
{
	if (vf->image.mbx.flags & IGBVF_MBX_REQUEST)
		snoop(vf);
}

/* The guest writes V2PMAILBOX of a VF that serves it. */
void igbvf_mbx_guest_write(struct igbvf_device *vf, u32 value)
{
	/* What came before is no answer to what comes now. */
	if (value & (V2PMAILBOX_REQ | V2PMAILBOX_VFU))
		snoop(vf);
	if (value & V2PMAILBOX_REQ) {
		mem_get(vf, vf->image.mbx.mem, IGBVF_VMBMEM_WORDS);
		request_sent(vf);
		vf->pf_asked = true;
	}
	igbvf_write(vf, V2PMAILBOX, value);
}

/* The VF is reset, by whatever means. */
void igbvf_mbx_reset(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);

	pf_forget_most(&vf->image.pf);
	memset(&vf->image.mbx, 0, sizeof(vf->image.mbx));
}

/*
 * The VF is about to stop: lets an exchange end and reads the mailbox into the
 * image.  A request that the PF does not answer in time is sent again where
 * the VF goes on, as long as the guest waits for it.
 */
void igbvf_mbx_settle(struct igbvf_device *vf)
{
	struct vfio_pci_mig_wait wait = vfio_pci_mig_wait_begin(SETTLE_MS, 0);
	struct igbvf_mailbox *mbx = &vf->image.mbx;
	u32 value;

	do {
		value = snoop(vf);
		if (ktime_after(ktime_get(), vf->request_expires))
			mbx->flags &= ~IGBVF_MBX_REQUEST;
	} while ((mbx->flags & IGBVF_MBX_REQUEST || value & V2PMAILBOX_PFU) &&
		 vfio_pci_mig_wait_more(&wait));

	if (!(mbx->flags & IGBVF_MBX_REQUEST))
		mem_get(vf, mbx->mem, IGBVF_VMBMEM_WORDS);
	mbx->flags &= ~IGBVF_MBX_VFU;
	if (value & V2PMAILBOX_VFU)
		mbx->flags |= IGBVF_MBX_VFU;
	/*
	 * While the PF is down the VF's registers read as zero.  Elsewhere the
	 * guest has to be told that it was reset, to set them up again.
	 */
	if (value & V2PMAILBOX_RSTI)
		mbx->events |= V2PMAILBOX_RSTD;
}

/*
 * The VF is about to run: is its PF down?  Then the guest is told that the VF
 * was reset, which it will be.
 */
bool igbvf_mbx_pf_is_down(struct igbvf_device *vf)
{
	if (!(snoop(vf) & V2PMAILBOX_RSTI))
		return false;
	vf->image.mbx.events |= V2PMAILBOX_RSTD;
	return true;
}

/*
 * The VF is about to run: is there something for the guest to look at?  A
 * guest whose mailbox interrupts takes the link for lost until it has looked
 * at it, and resets the VF if that goes wrong: not to be done without need.
 */
bool igbvf_mbx_has_news(struct igbvf_device *vf)
{
	const struct igbvf_mailbox *mbx = &vf->image.mbx;

	return snoop(vf) & V2PMAILBOX_RSTI || mbx->events ||
	       mbx->flags & IGBVF_MBX_REQUEST ||
	       !(igbvf_read(vf, VTSTATUS) & VTSTATUS_LU);
}

/* ---- A load's exchanges: 0, -EIO if the PF is mute, -EPERM if it refuses ---- */

/* Reads V2PMAILBOX.  That clears that the PF was reset: it is kept here. */
static u32 mbx_status(struct igbvf_device *vf)
{
	u32 value = igbvf_read(vf, V2PMAILBOX);

	if (value & (V2PMAILBOX_RSTI | V2PMAILBOX_RSTD))
		vf->pf_was_reset = true;
	return value;
}

/* Takes the buffer, unless the PF has it all the time. */
static bool mbx_take(struct igbvf_device *vf)
{
	struct vfio_pci_mig_wait wait = vfio_pci_mig_wait_begin(ANSWER_MS,
								ANSWER_POLLS);

	do {
		igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_VFU);
		if (mbx_status(vf) & V2PMAILBOX_VFU)
			return true;
	} while (vfio_pci_mig_wait_more(&wait));
	return false;
}

/*
 * Sends a message and gets the first words of the answer, yes or no.  Other
 * messages that the PF sends don't count.  If there is none, the PF is down.
 */
static int mbx_exchange(struct igbvf_device *vf, u32 head, const u32 *args,
			unsigned int count, u32 answer[3])
{
	struct vfio_pci_mig_wait wait;

	vf->pf_asked = true;
	mbx_status(vf);		/* drops what is left of an earlier one */
	if (!mbx_take(vf))
		goto err_mute;
	mem_put(vf, 0, &head, 1);
	mem_put(vf, 1, args, count);
	igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_REQ);
	wait = vfio_pci_mig_wait_begin(ANSWER_MS, ANSWER_POLLS);
	do {
		if (!(mbx_status(vf) & V2PMAILBOX_PFSTS))
			continue;
		mem_get(vf, answer, 3);
		if ((answer[0] ^ head) & MBX_TYPE)
			continue;
		igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_ACK);
		return 0;
	} while (vfio_pci_mig_wait_more(&wait));
err_mute:
	vfio_mig_err(&vf->pci.mig, "the PF %s does not answer: bring its interface up (ip link set dev PF up)\n",
		     pci_name(pci_physfn(vf->pci.core.pdev)));
	return -EIO;
}

/* The RESET handshake, after which the PF listens; @mac is the VF's, or zero. */
int igbvf_pf_reset(struct igbvf_device *vf, u32 mac[2])
{
	u32 answer[3] = {};
	int ret;

	/* What the PF forgot before, it is asked for anew. */
	mbx_status(vf);
	vf->pf_was_reset = false;
	ret = mbx_exchange(vf, MBX_RESET, NULL, 0, answer);
	memset(mac, 0, 2 * sizeof(*mac));
	if (answer[0] & MBX_ACK)
		mac_copy(mac, &answer[1]);
	return ret;
}

/* Was the PF reset since the last handshake, and has forgotten all since? */
bool igbvf_pf_was_reset(struct igbvf_device *vf)
{
	mbx_status(vf);
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
	int ret = mbx_exchange(vf, head, args, count, answer);

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

	ret = mbx_exchange(vf, MBX_FILTER_CLEAR, address, 2, answer);
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

/* Sets the mailbox up from the image, of a VF that is loaded otherwise. */
void igbvf_mbx_load(struct igbvf_device *vf)
{
	struct igbvf_mailbox *mbx = &vf->image.mbx;

	mbx_status(vf);		/* the guest's events are in the image ... */
	mbx_take(vf);
	if (vf->pf_was_reset)	/* ... but for what happened here since */
		mbx->events |= V2PMAILBOX_RSTD;
	mem_put(vf, 0, mbx->mem, IGBVF_VMBMEM_WORDS);
	if (mbx->flags & IGBVF_MBX_REQUEST) {
		request_sent(vf);
		igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_REQ);
	} else if (!(mbx->flags & IGBVF_MBX_VFU)) {
		igbvf_write(vf, V2PMAILBOX, 0);
	}
}
