// SPDX-License-Identifier: GPL-2.0-only
/*
 * The admin queue of an NVMe controller.
 */
#define _GNU_SOURCE
#include <linux/pci_regs.h>
#include <string.h>

#include "iommu.h"
#include "nvme.h"
#include "util.h"

/* NVM Express base specification, "Controller Properties" */
#define NVME_CAP_HI	0x04
#define NVME_CC		0x14
#define NVME_CSTS	0x1c
#define NVME_AQA	0x24
#define NVME_ASQ	0x28
#define NVME_ACQ	0x30
#define NVME_SQ0TDBL	0x1000
#define CC_EN		BIT(0)
#define CC_IOSQES_64	(6 << 16)
#define CC_IOCQES_16	(4 << 20)
#define CSTS_RDY	BIT(0)
#define CAP_HI_DSTRD	0xf	/* doorbells are 4 << this bytes apart */

/* "Admin Command Set" */
#define OP_IDENTIFY	0x06
#define OP_SET_FEATURES	0x09
#define OP_GET_FEATURES	0x0a
#define CNS_CONTROLLER	0x01
#define FID_TIMESTAMP	0x0e

#define QUEUE_SIZE	16

struct nvme_command {
	uint8_t opcode;
	uint8_t flags;
	uint16_t id;
	uint32_t nsid;
	uint32_t rsvd[4];
	uint64_t prp1;
	uint64_t prp2;
	uint32_t cdw10;
	uint32_t cdw11;
	uint32_t cdw12_15[4];
};

struct nvme_completion {
	uint32_t result;
	uint32_t rsvd;
	uint16_t sq_head;
	uint16_t sq_id;
	uint16_t id;
	uint16_t status;	/* bit 0: phase */
};

static void set_enable(struct nvme *nvme, bool on)
{
	reg_write(nvme->v, 0, NVME_CC,
		  on ? CC_EN | CC_IOSQES_64 | CC_IOCQES_16 : 0);
	if (!poll_until((reg_read(nvme->v, 0, NVME_CSTS) & CSTS_RDY) == on))
		die("%s: NVMe controller does not %s", nvme->v->bdf,
		    on ? "start" : "stop");
}

static void write64(struct nvme *nvme, uint32_t offset, uint64_t value)
{
	reg_write(nvme->v, 0, offset, value);
	reg_write(nvme->v, 0, offset + 4, value >> 32);
}

void nvme_up(struct nvme *nvme, struct vdev *v, uint64_t iova)
{
	*nvme = (struct nvme){ .v = v, .iova = iova, .phase = 1 };
	nvme->mem = mem_alloc(2 * NVME_DATA);
	must(dma_map(v->container, iova, nvme->mem, 2 * NVME_DATA));
	cfg_command(v, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0);
	set_enable(nvme, false);
	reg_write(v, 0, NVME_AQA, (QUEUE_SIZE - 1) << 16 | (QUEUE_SIZE - 1));
	write64(nvme, NVME_ASQ, iova);
	write64(nvme, NVME_ACQ, iova + NVME_DATA);
	set_enable(nvme, true);
}

void nvme_down(struct nvme *nvme)
{
	set_enable(nvme, false);
}

static void execute(struct nvme *nvme, struct nvme_command cmd)
{
	volatile struct nvme_completion *done = (void *)(nvme->mem + NVME_DATA);
	struct nvme_command *queue = (void *)nvme->mem;
	uint32_t stride = 4 << (reg_read(nvme->v, 0, NVME_CAP_HI) &
				CAP_HI_DSTRD);

	done += nvme->next;
	cmd.id = ++nvme->id;
	queue[nvme->next] = cmd;
	nvme->next = (nvme->next + 1) % QUEUE_SIZE;
	__sync_synchronize();
	reg_write(nvme->v, 0, NVME_SQ0TDBL, nvme->next);
	if (!poll_until((done->status & 1) == nvme->phase))
		die("%s: NVMe command %#x is not done", nvme->v->bdf,
		    cmd.opcode);
	if (done->id != cmd.id)
		die("%s: NVMe command %u done, %u expected", nvme->v->bdf,
		    done->id, cmd.id);
	if (!nvme->next)
		nvme->phase = !nvme->phase;
	reg_write(nvme->v, 0, NVME_SQ0TDBL + stride, nvme->next);
	__sync_synchronize();
}

void nvme_identify(struct nvme *nvme, uint64_t iova)
{
	execute(nvme, (struct nvme_command){
		.opcode = OP_IDENTIFY, .prp1 = iova, .cdw10 = CNS_CONTROLLER,
	});
}

bool nvme_identified(struct nvme *nvme, const void *data)
{
	uint16_t ids[2];

	/* It begins with the vendor's ids. */
	memcpy(ids, data, sizeof(ids));
	return ids[0] == cfg_read16(nvme->v, PCI_VENDOR_ID) &&
	       ids[1] == cfg_read16(nvme->v, PCI_SUBSYSTEM_VENDOR_ID);
}

void nvme_set_time(struct nvme *nvme, uint64_t iova)
{
	execute(nvme, (struct nvme_command){
		.opcode = OP_SET_FEATURES, .prp1 = iova,
		.cdw10 = FID_TIMESTAMP,
	});
}

void nvme_get_time(struct nvme *nvme, uint64_t iova)
{
	execute(nvme, (struct nvme_command){
		.opcode = OP_GET_FEATURES, .prp1 = iova,
		.cdw10 = FID_TIMESTAMP,
	});
}
