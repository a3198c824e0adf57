// SPDX-License-Identifier: GPL-2.0-only
/*
 * The names of what is in the records of the Intel 82576's virtual function.
 * Their layout comes from the driver's header, drivers/vfio/pci/igbvf/stream.h.
 */
#include <stddef.h>
#include <string.h>

#include "../../drivers/vfio/pci/igbvf/stream.h"
#include "format.h"
#include "util.h"

#define WORDS(size)	((size) / sizeof(uint32_t))
#define FIELD(structure, member, kind, names) {				\
	#member, WORDS(offsetof(struct structure, member)),		\
	WORDS(sizeof(((struct structure *)0)->member)), kind, names	\
}

static const struct field identity_fields[] = {
	FIELD(igbvf_identity, pci_id, FIELD_PCI_ID, NULL),
	FIELD(igbvf_identity, bar_size, FIELD_HEX, NULL),
	FIELD(igbvf_identity, queues, FIELD_NUMBER, NULL),
	FIELD(igbvf_identity, vectors, FIELD_NUMBER, NULL),
};

static const char *const pf_flags[32] = { "CTS", "MAC" };

static const struct field pf_fields[] = {
	FIELD(igbvf_pf, flags, FIELD_FLAGS, pf_flags),
	FIELD(igbvf_pf, mac, FIELD_MAC, NULL),
	FIELD(igbvf_pf, promisc, FIELD_HEX, NULL),
	FIELD(igbvf_pf, lpe, FIELD_NUMBER, NULL),
	FIELD(igbvf_pf, multicast, FIELD_HASHES, NULL),
	FIELD(igbvf_pf, filter, FIELD_MACS, NULL),
	FIELD(igbvf_pf, vlan, FIELD_NUMBERS, NULL),
};

static const char *const ring_registers[RING_REGS] = {
	[RING_DCTL] = "DCTL", [RING_BAL] = "BAL", [RING_BAH] = "BAH",
	[RING_LEN] = "LEN", [RING_SRRCTL] = "SRRCTL", [RING_CTL] = "CTL",
	[RING_WBAL] = "WBAL", [RING_WBAH] = "WBAH", [RING_HEAD] = "HEAD",
	[RING_TAIL] = "TAIL",
};

#define RING(name, index)						\
	{ name, (index) * RING_REGS, RING_REGS, FIELD_REGISTERS, ring_registers }

static const struct field ring_fields[] = {
	RING("receive 0", 0),
	RING("receive 1", 1),
	RING("transmit 0", 2),
	RING("transmit 1", 3),
};

_Static_assert(ARRAY_SIZE(ring_fields) == IGBVF_RINGS, "a name for each ring");

static const char *const irq_registers[IRQ_REGS] = {
	[IRQ_PSRTYPE] = "PSRTYPE", [IRQ_EITR0] = "EITR0",
	[IRQ_EITR1] = "EITR1", [IRQ_EITR2] = "EITR2", [IRQ_IVAR0] = "IVAR0",
	[IRQ_IVAR_MISC] = "IVAR_MISC", [IRQ_EIAC] = "EIAC",
	[IRQ_EIAM] = "EIAM", [IRQ_EIMS] = "EIMS",
};

static const struct field irq_fields[] = {
	FIELD(igbvf_interrupts, reg, FIELD_REGISTERS, irq_registers),
};

static const char *const mailbox_flags[32] = { "VFU", "REQUEST" };
static const char *const mailbox_events[32] = {
	[4] = "PFSTS", [5] = "PFACK", [7] = "RSTD",
};

static const char *const mailbox_words[IGBVF_VMBMEM_WORDS] = {
	"0", "1", "2", "3", "4", "5", "6", "7",
	"8", "9", "10", "11", "12", "13", "14", "15",
};

static const struct field mailbox_fields[] = {
	FIELD(igbvf_mailbox, flags, FIELD_FLAGS, mailbox_flags),
	FIELD(igbvf_mailbox, events, FIELD_FLAGS, mailbox_events),
	FIELD(igbvf_mailbox, mem, FIELD_REGISTERS, mailbox_words),
};

static const char *const counters[IGBVF_STATISTICS] = {
	"GPRC", "GPTC", "GORC", "GOTC", "MPRC", "GPRLBC", "GPTLBC", "GORLBC",
	"GOTLBC",
};

static const struct field statistics_fields[] = {
	FIELD(igbvf_statistics, count, FIELD_REGISTERS, counters),
};

#define RECORD(number, label, structure, table, again) {		\
	.type = number, .version = IGBVF_RECORD_VERSION, .name = label,	\
	.words = WORDS(sizeof(struct structure)), .repeats = again,	\
	.fields = table, .nr_fields = ARRAY_SIZE(table),		\
}

static const struct record_type records[] = {
	RECORD(IGBVF_RECORD_IDENTITY, "identity", igbvf_identity,
	       identity_fields, false),
	RECORD(IGBVF_RECORD_PF, "pf", igbvf_pf, pf_fields, true),
	RECORD(IGBVF_RECORD_RINGS, "rings", igbvf_rings, ring_fields, false),
	RECORD(IGBVF_RECORD_INTERRUPTS, "interrupts", igbvf_interrupts,
	       irq_fields, false),
	RECORD(IGBVF_RECORD_MAILBOX, "mailbox", igbvf_mailbox, mailbox_fields,
	       false),
	RECORD(IGBVF_RECORD_STATISTICS, "statistics", igbvf_statistics,
	       statistics_fields, false),
};

static const char *mismatch(const uint32_t *words,
			    const struct device_limits *limits)
{
	struct igbvf_identity id;

	memcpy(&id, words, sizeof(id));
	if (limits->pci_id && id.pci_id != limits->pci_id)
		return "it is the state of another kind of device";
	if (id.queues > IGBVF_QUEUES)
		return "its VF had more queues than this driver knows";
	if (limits->vectors && id.vectors > limits->vectors)
		return "its VF had more interrupt vectors than this one";
	return NULL;
}

const struct format format_82576 = {
	.name = IGBVF_STREAM_FORMAT,
	.version = IGBVF_STREAM_VERSION,
	.oldest = IGBVF_STREAM_VERSION,
	.records = records,
	.nr_records = ARRAY_SIZE(records),
	.mismatch = mismatch,
};

/* The formats that this program decodes */
static const struct format *const formats[] = { &format_82576 };

const struct format *format_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	return NULL;
}
