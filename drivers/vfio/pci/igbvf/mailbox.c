// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mailbox between the VF and its PF, which the PF's driver serves in
 * software.  Two users of it are here: the guest, whose exchanges are watched
 * to know what the PF has acknowledged to it, and a load, which asks the PF of
 * the new VF for the same.
 *
 * Reading V2PMAILBOX clears what it tells.  Every read goes through here, and
 * what the guest has not seen yet is kept for it in image.mbx.events.
 *
 * All functions: memory_lock and state lock held.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/ktime.h>

#include "igbvf.h"

/* What a guest waits for an answer, and what a stop waits for one */
#define REQUEST_MS	500
#define SETTLE_MS	20
/*
 * What a load waits for an answer.  A PF whose interface is down is mute; one
 * that is only busy, perhaps on this very CPU, gets its number of looks.
 */
#define ANSWER_MS	2000
#define ANSWER_POLLS	200
/* The PF mostly answers from its interrupt, sooner than a sleep may end */
#define BUSY_POLLS	100

#define MBX_MESSAGE(type, info)	((type) | (info) << 16)
#define MBX_FILTER_CLEAR	MBX_MESSAGE(MBX_SET_MAC, 1)
#define MBX_FILTER_ADD		MBX_MESSAGE(MBX_SET_MAC, 2)

struct wait {
	unsigned int polls;
	ktime_t end;
};

static struct wait wait_begin(unsigned int ms)
{
	return (struct wait) { .end = ktime_add_ms(ktime_get(), ms) };
}

/* Pauses between two looks; false if there were enough. */
static bool wait_more(struct wait *wait, unsigned int min_polls)
{
	if (wait->polls++ < BUSY_POLLS)
		udelay(5);
	else
		usleep_range(50, 200);
	return wait->polls < min_polls || ktime_before(ktime_get(), wait->end);
}

static u32 vmbmem(unsigned int word)
{
	return VMBMEM + word * sizeof(u32);
}

/* ---- What the PF has acknowledged ---- */

/* A reset of the VF takes this away; filters and LPE stay in the PF. */
static void pf_forget_most(struct igbvf_pf *pf)
{
	pf->flags = 0;
	memset(pf->mac, 0, sizeof(pf->mac));
	memset(pf->multicast, 0, sizeof(pf->multicast));
	memset(pf->vlan, 0, sizeof(pf->vlan));
	pf->promisc = 0;
	pf->multicasts = 0;
	pf->vlans = 0;
}

static void pf_has_mac(struct igbvf_pf *pf, const u32 mac[2])
{
	pf->flags |= IGBVF_PF_MAC;
	pf->mac[0] = mac[0];
	pf->mac[1] = mac[1] & U16_MAX;
}

static void pf_has_address(struct igbvf_pf *pf, u32 head, const u32 mac[2])
{
	switch (head & (MBX_TYPE | MBX_INFO)) {
	case MBX_SET_MAC:
		pf_has_mac(pf, mac);
		break;
	case MBX_FILTER_CLEAR:
		memset(pf->filter, 0, sizeof(pf->filter));
		pf->filters = 0;
		break;
	case MBX_FILTER_ADD:
		if (pf->filters == IGBVF_PF_FILTERS)
			break;	/* more than the device has */
		pf->filter[pf->filters][0] = mac[0];
		pf->filter[pf->filters][1] = mac[1] & U16_MAX;
		pf->filters++;
		break;
	}
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

static void pf_has_vlan(struct igbvf_pf *pf, bool add, u32 vid)
{
	u32 i;

	for (i = 0; i < pf->vlans; i++)
		if (pf->vlan[i] == vid)
			break;
	if (add && i == pf->vlans && i < IGBVF_PF_VLANS) {
		pf->vlan[pf->vlans++] = vid;
	} else if (!add && i < pf->vlans) {
		pf->vlan[i] = pf->vlan[--pf->vlans];
		pf->vlan[pf->vlans] = 0;
	}
}

static void pf_acknowledged(struct igbvf_pf *pf, const u32 *request)
{
	u32 info = FIELD_GET(MBX_INFO, request[0]);

	switch (FIELD_GET(MBX_TYPE, request[0])) {
	case MBX_SET_MAC:
		pf_has_address(pf, request[0], &request[1]);
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
	u32 answer = igbvf_read(vf, vmbmem(0));
	u32 mac[2];

	if ((answer ^ mbx->mem[0]) & MBX_TYPE)
		return;		/* a message of its own */
	mbx->flags &= ~IGBVF_MBX_REQUEST;
	if (FIELD_GET(MBX_TYPE, answer) == MBX_RESET) {
		/* A refusal says only that the PF knows no MAC yet. */
		pf_forget_most(pf);
		pf->flags = IGBVF_PF_CTS;
		if (answer & MBX_ACK) {
			mac[0] = igbvf_read(vf, vmbmem(1));
			mac[1] = igbvf_read(vf, vmbmem(2));
			pf_has_mac(pf, mac);
		}
	} else if (answer & MBX_ACK) {
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

/**
 * igbvf_mbx_guest_read - the guest reads V2PMAILBOX
 * @vf: the VF
 *
 * Return: what it is to see.
 */
u32 igbvf_mbx_guest_read(struct igbvf_device *vf)
{
	struct igbvf_mailbox *mbx = &vf->image.mbx;
	u32 value;

	if (!igbvf_serves(vf))
		return mbx->events |
		       (mbx->flags & IGBVF_MBX_VFU ? V2PMAILBOX_VFU : 0);
	value = (snoop(vf) & ~V2PMAILBOX_EVENTS) | mbx->events;
	mbx->events = 0;
	return value;
}

/**
 * igbvf_mbx_guest_write - the guest writes V2PMAILBOX
 * @vf: the VF, running
 * @value: what it writes
 */
void igbvf_mbx_guest_write(struct igbvf_device *vf, u32 value)
{
	unsigned int i;

	if (value & V2PMAILBOX_REQ) {
		snoop(vf);	/* what came before is no answer to this */
		for (i = 0; i < IGBVF_VMBMEM_WORDS; i++)
			vf->image.mbx.mem[i] = igbvf_read(vf, vmbmem(i));
		request_sent(vf);
		vf->pf_asked = true;
	}
	igbvf_write(vf, V2PMAILBOX, value);
}

/**
 * igbvf_mbx_reset - the VF is reset, by whatever means
 * @vf: the VF
 */
void igbvf_mbx_reset(struct igbvf_device *vf)
{
	pf_forget_most(&vf->image.pf);
	memset(&vf->image.mbx, 0, sizeof(vf->image.mbx));
}

/**
 * igbvf_mbx_settle - let an exchange end and read the mailbox into the image
 * @vf: the VF, about to stop
 *
 * A request that the PF does not answer in time is sent again where the VF
 * goes on, as long as the guest waits for it.
 */
void igbvf_mbx_settle(struct igbvf_device *vf)
{
	struct igbvf_mailbox *mbx = &vf->image.mbx;
	struct wait wait = wait_begin(SETTLE_MS);
	unsigned int i;
	u32 value;

	do {
		value = snoop(vf);
		if (ktime_after(ktime_get(), vf->request_expires))
			mbx->flags &= ~IGBVF_MBX_REQUEST;
	} while ((mbx->flags & IGBVF_MBX_REQUEST || value & V2PMAILBOX_PFU) &&
		 wait_more(&wait, 0));

	if (!(mbx->flags & IGBVF_MBX_REQUEST))
		for (i = 0; i < IGBVF_VMBMEM_WORDS; i++)
			mbx->mem[i] = igbvf_read(vf, vmbmem(i));
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

/**
 * igbvf_mbx_has_news - is there something for the guest to look at?
 * @vf: the VF, about to run
 *
 * A guest whose mailbox interrupts takes the link for lost until it has looked
 * at it, and resets the VF if that goes wrong: not to be done without need.
 */
bool igbvf_mbx_has_news(struct igbvf_device *vf)
{
	const struct igbvf_mailbox *mbx = &vf->image.mbx;
	bool link = igbvf_read(vf, VTSTATUS) & VTSTATUS_LU;

	return snoop(vf) & V2PMAILBOX_RSTI || mbx->events || !link ||
	       mbx->flags & IGBVF_MBX_REQUEST;
}

/* ---- A load's exchanges ---- */

/**
 * igbvf_mbx_read - read V2PMAILBOX for the driver's own ends
 * @vf: the VF, whose guest is to see nothing of it
 */
u32 igbvf_mbx_read(struct igbvf_device *vf)
{
	return igbvf_read(vf, V2PMAILBOX);
}

/* Takes the buffer, unless the PF has it all the time. */
static bool mbx_take(struct igbvf_device *vf)
{
	struct wait wait = wait_begin(ANSWER_MS);

	do {
		igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_VFU);
		if (igbvf_mbx_read(vf) & V2PMAILBOX_VFU)
			return true;
	} while (wait_more(&wait, ANSWER_POLLS));
	return false;
}

/* Waits for the answer to a message; others that the PF sends don't count. */
static bool mbx_answered(struct igbvf_device *vf, u32 type)
{
	struct wait wait = wait_begin(ANSWER_MS);

	do {
		if (igbvf_mbx_read(vf) & V2PMAILBOX_PFSTS &&
		    (igbvf_read(vf, vmbmem(0)) & MBX_TYPE) == type)
			return true;
	} while (wait_more(&wait, ANSWER_POLLS));
	return false;
}

/*
 * Sends a message and gets the first three words of the answer.  Returns -EIO
 * if there is none; whether it is a yes is in its first word.
 */
static int mbx_exchange(struct igbvf_device *vf, u32 head, const u32 *args,
			unsigned int count, u32 answer[3])
{
	unsigned int i;

	vf->pf_asked = true;
	igbvf_mbx_read(vf);	/* drops what is left of an earlier exchange */
	if (!mbx_take(vf))
		return -EIO;
	igbvf_write(vf, vmbmem(0), head);
	for (i = 0; i < count; i++)
		igbvf_write(vf, vmbmem(1 + i), args[i]);
	igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_REQ);
	if (!mbx_answered(vf, head & MBX_TYPE))
		return -EIO;
	for (i = 0; i < 3; i++)
		answer[i] = igbvf_read(vf, vmbmem(i));
	igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_ACK);
	return 0;
}

/**
 * igbvf_pf_reset - the RESET handshake, after which the PF listens
 * @vf: the VF
 * @mac: on return, the MAC that the PF has for it; zero if none
 *
 * Return: 0, or -EIO if the PF does not answer.
 */
int igbvf_pf_reset(struct igbvf_device *vf, u32 mac[2])
{
	struct pci_dev *pdev = vf->core.pdev;
	u32 answer[3];

	if (mbx_exchange(vf, MBX_RESET, NULL, 0, answer)) {
		igbvf_err(vf, "the PF %s does not answer: bring its interface up (ip link set dev PF up)\n",
			  pci_name(pci_physfn(pdev)));
		return -EIO;
	}
	mac[0] = answer[0] & MBX_ACK ? answer[1] : 0;
	mac[1] = answer[0] & MBX_ACK ? answer[2] & U16_MAX : 0;
	return 0;
}

/* A request of a load for a guest; @what and @cure are for the operator. */
static int pf_request(struct igbvf_device *vf, const struct igbvf_pf *pf,
		      const char *what, const char *cure,
		      u32 head, const u32 *args, unsigned int count)
{
	struct pci_dev *pdev = vf->core.pdev;
	int id = pci_iov_vf_id(pdev);
	u8 mac[ETH_ALEN];
	u32 answer[3];

	if (mbx_exchange(vf, head, args, count, answer)) {
		igbvf_err(vf, "the PF %s has stopped answering: bring its interface up (ip link set dev PF up)\n",
			  pci_name(pci_physfn(pdev)));
		return -EIO;
	}
	if (answer[0] & MBX_ACK)
		return 0;
	igbvf_mac_from_words(mac, pf->mac);
	igbvf_err(vf, "the PF %s refuses %s to VF %d, whose guest has MAC %pM: ip link set dev PF vf %d %s\n",
		  pci_name(pci_physfn(pdev)), what, id, mac, id, cure);
	return -EPERM;
}

static int clear_filters(struct igbvf_device *vf, const struct igbvf_pf *pf)
{
	u32 answer[3];

	return mbx_exchange(vf, MBX_FILTER_CLEAR, pf->mac, 2, answer);
}

/*
 * Would the PF take another MAC address than it has for the VF?  One that it
 * does not care about it does not have yet; one that the administrator has
 * fixed it refuses to set, even to what it is.
 */
static int try_mac(struct igbvf_device *vf, const struct igbvf_pf *pf,
		   const u32 mac[2])
{
	if ((!mac[0] && !mac[1]) || !memcmp(mac, pf->mac, sizeof(pf->mac)))
		return 0;
	return pf_request(vf, pf, "its MAC address", "mac ... (this one)",
			  MBX_SET_MAC, mac, 2);
}

static int set_mac(struct igbvf_device *vf, const struct igbvf_pf *pf,
		   const u32 mac[2])
{
	if (!memcmp(mac, pf->mac, sizeof(pf->mac)))
		return 0;
	return pf_request(vf, pf, "its MAC address", "mac ... (this one)",
			  MBX_SET_MAC, pf->mac, 2);
}

/* Of the unicast filters those of the VF's last user go. */
static int replay_filters(struct igbvf_device *vf, const struct igbvf_pf *pf)
{
	u32 i;
	int ret;

	/* A VF without trust has none, and is not even allowed to clear them. */
	ret = clear_filters(vf, pf);
	for (i = 0; i < pf->filters && !ret; i++)
		ret = pf_request(vf, pf, "a unicast filter", "trust on",
				 MBX_FILTER_ADD, pf->filter[i], 2);
	return ret;
}

/* What the PF forgets with the next RESET */
static int replay_rest(struct igbvf_device *vf, const struct igbvf_pf *pf)
{
	u32 lpe = pf->lpe ?: MBX_LPE_DEFAULT;
	int ret = 0;
	u32 i;

	if (pf->multicasts)
		ret = pf_request(vf, pf, "multicast", "trust on",
				 MBX_MESSAGE(MBX_SET_MULTICAST, pf->multicasts),
				 pf->multicast, ARRAY_SIZE(pf->multicast));
	for (i = 0; i < pf->vlans && !ret; i++)
		ret = pf_request(vf, pf, "a VLAN", "vlan 0",
				 MBX_MESSAGE(MBX_SET_VLAN, 1), &pf->vlan[i], 1);
	/* Like filters, the limit survives any reset of the VF. */
	if (!ret)
		ret = pf_request(vf, pf, "its frame size", "trust on",
				 MBX_SET_LPE, &lpe, 1);
	if (!ret && pf->promisc)
		ret = pf_request(vf, pf, "promiscuity", "trust on",
				 MBX_MESSAGE(MBX_SET_PROMISC, pf->promisc),
				 NULL, 0);
	return ret;
}

/**
 * igbvf_pf_try - would the PF do for this VF what another did?
 * @vf: the VF, resuming
 * @pf: what the other PF has acknowledged so far
 *
 * The guest still runs elsewhere, so the PF must not come to think that its
 * addresses are here: it would keep frames for them from the wire.  The rest
 * is harmless as long as the VF's queues are disabled.
 *
 * Return: 0, -EIO if the PF does not answer, -EPERM if it refuses.
 */
int igbvf_pf_try(struct igbvf_device *vf, const struct igbvf_pf *pf)
{
	u32 mac[2];
	int ret;

	if (!(pf->flags & IGBVF_PF_CTS))
		return 0;
	ret = igbvf_pf_reset(vf, mac);
	if (!ret && pf->flags & IGBVF_PF_MAC)
		ret = try_mac(vf, pf, mac);
	if (!ret && pf->filters) {
		ret = replay_filters(vf, pf);
		clear_filters(vf, pf);
	}
	return ret ?: replay_rest(vf, pf);
}

/**
 * igbvf_pf_replay - have the PF do for this VF what another did
 * @vf: the VF, resuming
 * @pf: what the other PF acknowledged
 *
 * Return: 0, -EIO if the PF does not answer, -EPERM if it refuses.
 */
int igbvf_pf_replay(struct igbvf_device *vf, const struct igbvf_pf *pf)
{
	u32 mac[2];
	int ret;

	if (!(pf->flags & IGBVF_PF_CTS))
		return 0;	/* the guest's driver will begin with RESET */
	ret = igbvf_pf_reset(vf, mac);
	if (!ret && pf->flags & IGBVF_PF_MAC)
		ret = set_mac(vf, pf, mac) ?: replay_filters(vf, pf);
	return ret ?: replay_rest(vf, pf);
}

/**
 * igbvf_pf_forget - have the PF forget the guest that was here
 * @vf: the VF, reset by FLR
 * @pf: what the PF did for the guest
 *
 * Until then the PF keeps the MAC, and its switch delivers frames for it to
 * this VF.  Failure does no more harm than not trying.
 */
void igbvf_pf_forget(struct igbvf_device *vf, const struct igbvf_pf *pf)
{
	u32 mac[2];

	if (!igbvf_pf_reset(vf, mac) && pf->filters)
		clear_filters(vf, pf);
}

/**
 * igbvf_mbx_load - set the mailbox up from the image
 * @vf: the VF, loaded otherwise
 */
void igbvf_mbx_load(struct igbvf_device *vf)
{
	const struct igbvf_mailbox *mbx = &vf->image.mbx;
	unsigned int i;

	igbvf_mbx_read(vf);	/* the guest's events are in the image */
	mbx_take(vf);
	for (i = 0; i < IGBVF_VMBMEM_WORDS; i++)
		igbvf_write(vf, vmbmem(i), mbx->mem[i]);
	if (mbx->flags & IGBVF_MBX_REQUEST) {
		request_sent(vf);
		igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_REQ);
	} else if (!(mbx->flags & IGBVF_MBX_VFU)) {
		igbvf_write(vf, V2PMAILBOX, 0);
	}
}
