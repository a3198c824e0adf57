// SPDX-License-Identifier: GPL-2.0-only
/*
 * Feeds the reader of the PF's settings with messages of rtnetlink: whole, of
 * drivers that report less, cut off at each byte, and with each byte changed.
 * Then tests how these settings and other facts are judged.  gcc's sanitizers are on.
 * Prints TAP.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../judge.h"
#include "../pf.h"
#include "../reasons.h"
#include "../util.h"

static unsigned int tests, failures;

static void result(bool ok, const char *text)
{
	printf("%sok %u %s\n", ok ? "" : "not ", ++tests, text);
	if (!ok)
		failures++;
}

/* ---- A writer of attributes ---- */

static uint8_t buf[4096] __attribute__((aligned(4)));
static int len;
static uint8_t answer[sizeof(buf) + 64] __attribute__((aligned(4)));

static int begin(unsigned int type)
{
	struct rtattr *attribute = (struct rtattr *)(buf + len);
	int at = len;

	attribute->rta_type = type;
	len += sizeof(*attribute);
	return at;
}

static void end(int at)
{
	((struct rtattr *)(buf + at))->rta_len = len - at;
	len = RTA_ALIGN(len);
}

static void put(unsigned int type, const void *data, size_t size)
{
	int at = begin(type);

	memcpy(buf + len, data, size);
	len += size;
	end(at);
}

static void put_vlan(unsigned int vf, unsigned int vlan, unsigned int qos,
		     unsigned int proto)
{
	struct ifla_vf_vlan_info info = {
		.vf = vf, .vlan = vlan, .qos = qos, .vlan_proto = htons(proto),
	};
	int at = begin(IFLA_VF_VLAN_LIST | NLA_F_NESTED);

	put(IFLA_VF_VLAN_INFO, &info, sizeof(info));
	end(at);
}

static const uint8_t some_mac[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

/* What a driver reports for a VF that has all settings */
static void put_vf(unsigned int vf)
{
	struct ifla_vf_mac mac = { .vf = vf };
	struct ifla_vf_rate rate = { vf, 10, 100 + vf };
	struct ifla_vf_spoofchk spoofchk = { vf, 1 };
	struct ifla_vf_link_state link = { vf, IFLA_VF_LINK_STATE_ENABLE };
	struct ifla_vf_trust trust = { vf, 1 };
	int at = begin(IFLA_VF_INFO | NLA_F_NESTED);

	memcpy(mac.mac, some_mac, sizeof(some_mac));
	mac.mac[5] += vf;
	put(IFLA_VF_MAC, &mac, sizeof(mac));
	put_vlan(vf, 100 + vf, 3, ETH_P_8021AD);
	put(IFLA_VF_RATE, &rate, sizeof(rate));
	put(IFLA_VF_SPOOFCHK, &spoofchk, sizeof(spoofchk));
	put(IFLA_VF_LINK_STATE, &link, sizeof(link));
	put(IFLA_VF_TRUST, &trust, sizeof(trust));
	end(at);
}

static void put_message(void)
{
	uint32_t mtu = 1500;
	int at;

	len = 0;
	put(IFLA_MTU, &mtu, sizeof(mtu));
	at = begin(IFLA_VFINFO_LIST | NLA_F_NESTED);
	put_vf(0);
	put_vf(1);
	end(at);
}

/* ---- The reader ---- */

static bool is_vf1(const struct vf_policy *policy)
{
	return policy->has_mac && policy->mac[5] == 0x57 &&
	       policy->has_vlan && policy->vlan == 101 && policy->qos == 3 &&
	       policy->vlan_proto == ETH_P_8021AD &&
	       policy->has_rate && policy->min_rate == 10 &&
	       policy->max_rate == 101 &&
	       policy->has_spoofchk && policy->spoofchk &&
	       policy->has_link && policy->link == IFLA_VF_LINK_STATE_ENABLE &&
	       policy->has_trust && policy->trust;
}

static void test_whole(void)
{
	struct vf_policy policy;

	put_message();
	result(pf_parse_link(buf, len, 1, &policy) && is_vf1(&policy),
	       "all settings of the second VF are read");
	result(!pf_parse_link(buf, len, 2, &policy) && !policy.has_mac,
	       "a VF that is not there has none");
}

/* A driver that has no such setting leaves -1 there. */
static void test_unknown(void)
{
	struct ifla_vf_spoofchk spoofchk = { 0, -1 };
	struct ifla_vf_trust trust = { 0, -1 };
	struct ifla_vf_mac mac = {};
	struct vf_policy policy;
	int list, vf;

	len = 0;
	list = begin(IFLA_VFINFO_LIST);
	vf = begin(IFLA_VF_INFO);
	put(IFLA_VF_MAC, &mac, sizeof(mac));
	put(IFLA_VF_SPOOFCHK, &spoofchk, sizeof(spoofchk));
	put(IFLA_VF_TRUST, &trust, sizeof(trust));
	end(vf);
	end(list);
	result(pf_parse_link(buf, len, 0, &policy) && policy.has_mac &&
	       !pf_policy_has_mac(&policy) && !policy.has_spoofchk &&
	       !policy.has_trust && !policy.has_vlan && !policy.has_rate &&
	       !policy.has_link, "settings that a driver does not have are left out");
}

/* Each message is copied to memory of its own, so that an overrun is noticed. */
static bool parse_copy(const uint8_t *data, int size, struct vf_policy *policy)
{
	void *copy = malloc(size ? size : 1);
	bool found;

	memcpy(copy, data, size);
	found = pf_parse_link(copy, size, 1, policy);
	free(copy);
	return found;
}

static void test_damaged(void)
{
	static uint8_t damaged[sizeof(buf)];
	struct vf_policy policy;
	bool cut_found = false;
	int size, i, value;

	put_message();
	for (size = 0; size < len; size++)
		cut_found |= parse_copy(buf, size, &policy) && is_vf1(&policy);
	result(!cut_found, "a message that is cut off is never read as whole");
	for (i = 0; i < len; i++)
		for (value = 0; value < 256; value++) {
			memcpy(damaged, buf, len);
			damaged[i] = value;
			parse_copy(damaged, len, &policy);
		}
	result(true, "no changed byte makes the reader overrun");
}

/* ---- Answers ---- */

/* Answers with the attributes of put_message() and @name, and @type */
static size_t put_answer(void *to, unsigned int type, const char *name,
			 const char *parent)
{
	struct nlmsghdr header = { .nlmsg_type = type };
	struct ifinfomsg link = { .ifi_flags = IFF_UP | IFF_RUNNING };

	put_message();
	put(IFLA_IFNAME, name, strlen(name) + 1);
	if (parent)
		put(IFLA_PARENT_DEV_NAME, parent, strlen(parent) + 1);
	header.nlmsg_len = NLMSG_LENGTH(sizeof(link)) + len;
	memcpy(to, &header, sizeof(header));
	memcpy(NLMSG_DATA(to), &link, sizeof(link));
	memcpy((char *)NLMSG_DATA(to) + NLMSG_ALIGN(sizeof(link)), buf, len);
	return header.nlmsg_len;
}

static bool answered(unsigned int type, const char *name, const char *parent,
		     size_t cut)
{
	struct pf pf = {
		.name = "0000:01:00.0", .interface = "eth0", .vf = 1,
	};
	size_t size = put_answer(answer, type, name, parent) - cut;
	void *copy = malloc(size);

	memcpy(copy, answer, size);
	pf_parse_answer(&pf, copy, size);
	free(copy);
	return pf.has_link && pf.up && pf.carrier && pf.has_policy &&
	       is_vf1(&pf.policy);
}

static void test_answers(void)
{
	result(answered(RTM_NEWLINK, "eth0", NULL, 0) &&
	       answered(RTM_NEWLINK, "eth0", "0000:01:00.0", 0),
	       "an answer about the PF's interface is taken");
	result(!answered(NLMSG_ERROR, "eth0", NULL, 0) &&
	       !answered(RTM_NEWLINK, "eth0", NULL, 1) &&
	       !answered(RTM_NEWLINK, "eth", NULL, 0) &&
	       !answered(RTM_NEWLINK, "eth01", NULL, 0) &&
	       !answered(RTM_NEWLINK, "eth0", "0000:02:00.0", 0),
	       "an error, a part, and another interface's answer are not");
}

/* ---- The judgement ---- */

static const struct device_name igbvf = {
	.name = "0000:01:10.0", .driver = "igbvf-vfio-pci",
};
static const struct device_name other = {
	.name = "0000:02:00.1", .driver = "mlx5_vfio_pci",
};

static struct pf good_pf(void)
{
	struct pf pf = {
		.name = "0000:01:00.0", .driver = "igb", .interface = "eth0",
		.has_link = true, .up = true, .carrier = true, .has_policy = true,
		.policy.has_mac = true,
	};

	memcpy(pf.policy.mac, some_mac, sizeof(some_mac));
	return pf;
}

/* Has @why this one reason, and does it lead to this answer? */
static bool only(const struct reasons *why, const char *code,
		 const char *answer)
{
	return why->count == 1 && !strcmp(why->list[0].code, code) &&
	       !strcmp(effect_answer(reasons_effect(why)), answer);
}

static bool pf_makes(const struct device_name *id, const struct pf *pf,
		     const char *code, const char *answer)
{
	struct reasons why = {};

	judge_pf(id, pf, &why);
	return only(&why, code, answer);
}

static void test_judge_pf(void)
{
	struct reasons why = {};
	struct pf pf = good_pf();

	judge_pf(&igbvf, &pf, &why);
	result(!why.count, "a PF that is up, with a MAC address, is no reason");
	pf.up = pf.carrier = false;
	result(pf_makes(&igbvf, &pf, "pf-down", "no") &&
	       pf_makes(&other, &pf, "pf-down", "yes"),
	       "a PF that is down stops igbvf-vfio-pci only");
	pf = good_pf();
	pf.carrier = false;
	result(pf_makes(&igbvf, &pf, "no-link", "yes"),
	       "no link is told, but stops nothing");
	pf = good_pf();
	memset(pf.policy.mac, 0, sizeof(pf.policy.mac));
	result(pf_makes(&igbvf, &pf, "no-mac", "yes"),
	       "no MAC address is told, but stops nothing");
	pf = good_pf();
	pf.has_policy = pf.has_link = pf.up = pf.carrier = false;
	result(pf_makes(&igbvf, &pf, "pf-unknown", "unknown"),
	       "an interface of which nothing is known is not judged");
	pf.interface[0] = 0;
	result(pf_makes(&igbvf, &pf, "pf-unknown", "unknown"),
	       "igb's interface that is not seen is not judged");
	strcpy(pf.driver, "vfio-pci");
	result(pf_makes(&igbvf, &pf, "pf-without-interface", "no"),
	       "a PF in user space stops igbvf-vfio-pci");
	memset(&pf, 0, sizeof(pf));
	judge_pf(&other, &pf, &why);
	result(!why.count, "a device without a PF has none to judge");
}

static bool tracking_makes(const struct device_name *id,
			   struct trackers trackers, const char *code,
			   const char *answer)
{
	struct reasons why = {};

	judge_tracking(id, &trackers, &why);
	return code ? only(&why, code, answer) : !why.count;
}

static void test_judge_tracking(void)
{
	struct trackers driver = { .driver = true };
	struct trackers iommu = { .iommu = true, .iommufd = true };
	struct trackers iommufd = { .iommufd = true };
	struct trackers maybe = { .maybe_iommufd = true };
	struct trackers logs = { .driver = true, .maybe_iommufd = true };
	struct trackers none = {};

	result(tracking_makes(&igbvf, driver, NULL, NULL) &&
	       tracking_makes(&other, iommu, NULL, NULL),
	       "a tracker is enough, in the driver or in the IOMMU");
	result(tracking_makes(&other, none, "no-tracker", "forced"),
	       "without a tracker it has to be forced");
	result(tracking_makes(&igbvf, iommufd, "no-tracker-iommufd", "no") &&
	       tracking_makes(&other, iommufd, "no-tracker-iommufd", "forced"),
	       "igbvf-vfio-pci refuses an iommufd without a tracker");
	result(tracking_makes(&igbvf, maybe, "in-use", "unknown") &&
	       tracking_makes(&other, maybe, "in-use", "unknown") &&
	       tracking_makes(&igbvf, logs, NULL, NULL),
	       "bound to an iommufd or not: unknown, unless the driver logs");
}

static void test_reasons(void)
{
	struct reasons why = {};
	unsigned int i;

	result(!strcmp(effect_answer(reasons_effect(&why)), "yes"),
	       "without a reason the answer is yes");
	reason_add(&why, "no-mac", EFFECT_NONE, "x");
	reason_add(&why, "no-driver", EFFECT_NO, "%0*d", 5000, 0);
	reason_remedy(&why, "%0*d", 1000, 0);
	reason_remedy(&why, "%0*d", 1000, 0);
	reason_add(&why, "no-tracker", EFFECT_FORCED, "x");
	result(!strcmp(effect_answer(reasons_effect(&why)), "no"),
	       "the gravest reason decides, and long ones are cut off");
	for (i = 0; i < 100; i++)
		reason_add(&why, "no-mac", EFFECT_NONE, "x");
	result(why.count == ARRAY_SIZE(why.list), "reasons too many are dropped");
}

int main(void)
{
	test_whole();
	test_unknown();
	test_answers();
	test_damaged();
	test_judge_pf();
	test_judge_tracking();
	test_reasons();
	printf("1..%u\n", tests);
	return failures ? 1 : 0;
}
