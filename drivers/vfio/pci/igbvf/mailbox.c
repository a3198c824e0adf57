// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mailbox between the VF and its PF's driver.  Two users of it are here:
 * the guest, whose exchanges are watched to know what the PF has acknowledged
 * to it, and this driver, which asks the PF for the same when it loads a VF.
 *
 * Reading V2PMAILBOX clears what it tells.  What the guest has not seen yet is
 * kept for it in image.mbx.events; while a load asks, there is no guest.
 */
#include <linux/bitfield.h>
#include <linux/ktime.h>

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
		igbvf_settings_reset(pf);
		pf->flags = IGBVF_PF_CTS;
		if (answer[0] & MBX_ACK)
			igbvf_settings_mac(pf, &answer[1]);
	} else if (answer[0] & MBX_ACK) {
		igbvf_settings_acknowledged(pf, mbx->mem);
	}
}

/* Reads V2PMAILBOX on the guest's behalf. */
static u32 snoop(struct igbvf_device *vf)
{
	struct igbvf_mailbox *mbx = &vf->image.mbx;
	u32 value = igbvf_read(vf, V2PMAILBOX);

	mbx->events |= value & V2PMAILBOX_EVENTS;
	if (value & V2PMAILBOX_RSTD)
		igbvf_settings_reset(&vf->image.pf);
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

	igbvf_settings_reset(&vf->image.pf);
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

/* ---- The driver's exchanges ---- */

/* Reads V2PMAILBOX.  That clears that the PF was reset: it is kept here. */
u32 igbvf_mbx_status(struct igbvf_device *vf)
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
		if (igbvf_mbx_status(vf) & V2PMAILBOX_VFU)
			return true;
	} while (vfio_pci_mig_wait_more(&wait));
	return false;
}

/*
 * Sends a message and gets the first words of the answer, yes or no.  Other
 * messages that the PF sends don't count.  If there is none, the PF is down.
 */
int igbvf_mbx_exchange(struct igbvf_device *vf, u32 head, const u32 *args,
		       unsigned int count, u32 answer[3])
{
	struct vfio_pci_mig_wait wait;

	vf->pf_asked = true;
	igbvf_mbx_status(vf);	/* drops what is left of an earlier one */
	if (!mbx_take(vf))
		goto err_mute;
	mem_put(vf, 0, &head, 1);
	mem_put(vf, 1, args, count);
	igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_REQ);
	wait = vfio_pci_mig_wait_begin(ANSWER_MS, ANSWER_POLLS);
	do {
		if (!(igbvf_mbx_status(vf) & V2PMAILBOX_PFSTS))
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

/* Sets the mailbox up from the image, of a VF that is loaded otherwise. */
void igbvf_mbx_load(struct igbvf_device *vf)
{
	struct igbvf_mailbox *mbx = &vf->image.mbx;

	igbvf_mbx_status(vf);	/* the guest's events are in the image ... */
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
