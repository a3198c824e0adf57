// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mailbox between the VF and its PF's driver.  It has two users: the guest,
 * whose messages are watched to know what the PF has acknowledged, and this
 * driver, which asks the PF for the same when it loads a VF (pf.c).
 *
 * A read of V2PMAILBOX clears its event bits.  Those that the guest has not
 * seen yet are kept in image.mbx.events.  The driver sends messages only while
 * no guest runs.
 */
#include <linux/bitfield.h>
#include <linux/ktime.h>

#include "private.h"

/*
 * How long a guest waits for an answer (Linux's igbvf: a second until the PF
 * has read the message, and another until it has answered), and how long this
 * driver waits for that answer before it stops the VF
 */
#define REQUEST_MS	2500
#define SETTLE_MS	20
/*
 * How long this driver waits for an answer.  A PF whose interface is down does
 * not answer.  A PF that is only busy, perhaps on this CPU, is polled at least
 * this often.
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

/*
 * The PF has sent a message: if it answers the guest's request, note the
 * answer.
 */
static void snoop_answer(struct igbvf_device *vf)
{
	struct igbvf_mailbox *mbx = &vf->image.mbx;
	struct igbvf_pf *pf = &vf->image.pf;
	u32 answer[3];

	mem_get(vf, answer, ARRAY_SIZE(answer));
	if ((answer[0] ^ mbx->mem[0]) & MBX_TYPE)
		return;		/* another message of the PF */
	mbx->flags &= ~IGBVF_MBX_REQUEST;
	if (mbx->mem[0] == MBX_RESET) {	/* igb compares the whole word, too */
		/*
		 * A refusal only means that the PF has no MAC for the VF yet.
		 */
		igbvf_settings_reset(pf);
		pf->flags = IGBVF_PF_CTS;
		if (answer[0] & MBX_ACK)
			igbvf_settings_mac(pf, &answer[1]);
	} else if (answer[0] & MBX_ACK) {
		igbvf_settings_acknowledged(pf, mbx->mem);
	}
}

/* Reads V2PMAILBOX, and keeps for the guest what the read clears. */
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

/* The guest reads V2PMAILBOX: returns what the guest sees. */
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

/* The guest is about to overwrite VMBMEM, where an answer may be. */
void igbvf_mbx_guest_mem(struct igbvf_device *vf)
{
	if (vf->image.mbx.flags & IGBVF_MBX_REQUEST)
		snoop(vf);
}

/* The guest writes V2PMAILBOX, while the VF reacts to accesses. */
void igbvf_mbx_guest_write(struct igbvf_device *vf, u32 value)
{
	/* A message that came before does not answer the next request. */
	if (value & (V2PMAILBOX_REQ | V2PMAILBOX_VFU))
		snoop(vf);
	if (value & V2PMAILBOX_REQ) {
		mem_get(vf, vf->image.mbx.mem, IGBVF_VMBMEM_WORDS);
		request_sent(vf);
		vf->pf_asked = true;
	}
	igbvf_write(vf, V2PMAILBOX, value);
}

/* The VF is reset, by the guest or from outside. */
void igbvf_mbx_reset(struct vfio_migration *mig)
{
	struct igbvf_device *vf = mig_to_igbvf(mig);

	igbvf_settings_reset(&vf->image.pf);
	memset(&vf->image.mbx, 0, sizeof(vf->image.mbx));
}

/*
 * The VF is about to stop: waits for an exchange to end and reads the mailbox
 * into the image.  A request that the PF does not answer in time is sent again
 * when the VF goes on, here or elsewhere, if the guest still waits for the
 * answer.
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
	 * While the PF is down, the VF's registers read as zero.  After a
	 * migration RSTD has to tell the guest to set them up again.
	 */
	if (value & V2PMAILBOX_RSTI)
		mbx->events |= V2PMAILBOX_RSTD;
}

/*
 * The VF is about to run.  If its PF is down, the PF will reset the VF when it
 * comes up, so the guest is shown RSTD.  Returns whether the PF is down.
 */
bool igbvf_mbx_pf_is_down(struct igbvf_device *vf)
{
	if (!(snoop(vf) & V2PMAILBOX_RSTI))
		return false;
	vf->image.mbx.events |= V2PMAILBOX_RSTD;
	return true;
}

/*
 * The VF is about to run.  Has the mailbox something for the guest?  The
 * mailbox interrupt is not raised without need: on it a guest treats the link
 * as down until it has checked, and resets the VF if the check fails.
 */
bool igbvf_mbx_has_news(struct igbvf_device *vf)
{
	const struct igbvf_mailbox *mbx = &vf->image.mbx;

	return snoop(vf) & V2PMAILBOX_RSTI || mbx->events ||
	       mbx->flags & IGBVF_MBX_REQUEST ||
	       !(igbvf_read(vf, VTSTATUS) & VTSTATUS_LU);
}

/* ---- The driver's exchanges ---- */

/* Reads V2PMAILBOX, and notes a reset of the PF, whose bits the read clears. */
u32 igbvf_mbx_status(struct igbvf_device *vf)
{
	u32 value = igbvf_read(vf, V2PMAILBOX);

	if (value & (V2PMAILBOX_RSTI | V2PMAILBOX_RSTD))
		vf->pf_was_reset = true;
	return value;
}

/* Takes the buffer; false if the PF does not release it. */
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
 * Sends a message, and copies the first words of the answer, which may be a
 * refusal.  Other messages of the PF are ignored.  0, or -EIO after a message
 * if the PF does not answer
 */
int igbvf_mbx_exchange(struct igbvf_device *vf, u32 head, const u32 *args,
		       unsigned int count, u32 answer[3])
{
	struct vfio_pci_mig_wait wait;

	vf->pf_asked = true;
	igbvf_mbx_status(vf);	/* drops events of an earlier exchange */
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

/* Sets up the mailbox from the image, as the last step of a load. */
void igbvf_mbx_load(struct igbvf_device *vf)
{
	struct igbvf_mailbox *mbx = &vf->image.mbx;

	igbvf_mbx_status(vf);	/* the guest's events are in the image */
	mbx_take(vf);
	if (vf->pf_was_reset)
		mbx->events |= V2PMAILBOX_RSTD;
	mem_put(vf, 0, mbx->mem, IGBVF_VMBMEM_WORDS);
	if (mbx->flags & IGBVF_MBX_REQUEST) {
		request_sent(vf);
		igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_REQ);
	} else if (!(mbx->flags & IGBVF_MBX_VFU)) {
		igbvf_write(vf, V2PMAILBOX, 0);
	}
}
