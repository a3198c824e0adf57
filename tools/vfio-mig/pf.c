// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads what the PF of a VF does with the VF.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "paths.h"
#include "pf.h"
#include "util.h"

/* ---- rtnetlink ---- */

struct request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	struct rtattr attribute;
	uint32_t filter;
};

/* Reads @size bytes of payload; a kernel may send more, or too little. */
static bool take(void *to, size_t size, const struct rtattr *attribute)
{
	if (RTA_PAYLOAD(attribute) < size)
		return false;
	memcpy(to, RTA_DATA(attribute), size);
	return true;
}

/* The protocol is in this list only. */
static void parse_vlans(const struct rtattr *list, struct vf_policy *policy)
{
	const struct rtattr *attribute = RTA_DATA(list);
	int len = RTA_PAYLOAD(list);
	struct ifla_vf_vlan_info vlan;

	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len)) {
		if (attribute->rta_type != IFLA_VF_VLAN_INFO ||
		    !take(&vlan, sizeof(vlan), attribute))
			continue;
		policy->has_vlan = true;
		policy->vlan = vlan.vlan;
		policy->qos = vlan.qos;
		policy->vlan_proto = ntohs(vlan.vlan_proto);
		return;
	}
}

/* A driver that does not know a setting reports it as -1. */
static void parse_setting(const struct rtattr *attribute,
			  struct vf_policy *policy)
{
	struct ifla_vf_spoofchk spoofchk;
	struct ifla_vf_link_state link;
	struct ifla_vf_trust trust;
	struct ifla_vf_rate rate;
	struct ifla_vf_mac mac;

	switch (attribute->rta_type & NLA_TYPE_MASK) {
	case IFLA_VF_MAC:
		policy->has_mac = take(&mac, sizeof(mac), attribute);
		if (policy->has_mac)
			memcpy(policy->mac, mac.mac, sizeof(policy->mac));
		break;
	case IFLA_VF_VLAN_LIST:
		parse_vlans(attribute, policy);
		break;
	case IFLA_VF_RATE:
		policy->has_rate = take(&rate, sizeof(rate), attribute);
		if (policy->has_rate) {
			policy->min_rate = rate.min_tx_rate;
			policy->max_rate = rate.max_tx_rate;
		}
		break;
	case IFLA_VF_SPOOFCHK:
		policy->has_spoofchk =
			take(&spoofchk, sizeof(spoofchk), attribute) &&
			spoofchk.setting <= 1;
		policy->spoofchk = policy->has_spoofchk && spoofchk.setting;
		break;
	case IFLA_VF_TRUST:
		policy->has_trust = take(&trust, sizeof(trust), attribute) &&
				    trust.setting <= 1;
		policy->trust = policy->has_trust && trust.setting;
		break;
	case IFLA_VF_LINK_STATE:
		policy->has_link = take(&link, sizeof(link), attribute) &&
				   link.link_state <=
				   IFLA_VF_LINK_STATE_DISABLE;
		policy->link = policy->has_link ? link.link_state : 0;
		break;
	}
}

/* @info: the settings of one VF, of which the first is its MAC address */
static bool parse_vf(const struct rtattr *info, unsigned int vf,
		     struct vf_policy *policy)
{
	const struct rtattr *attribute = RTA_DATA(info);
	int len = RTA_PAYLOAD(info);
	struct ifla_vf_mac mac;

	if (!RTA_OK(attribute, len) ||
	    (attribute->rta_type & NLA_TYPE_MASK) != IFLA_VF_MAC ||
	    !take(&mac, sizeof(mac), attribute) || mac.vf != vf)
		return false;
	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len))
		parse_setting(attribute, policy);
	return true;
}

bool pf_parse_link(const void *attributes, int len, unsigned int vf,
		   struct vf_policy *policy)
{
	const struct rtattr *attribute = attributes;
	const struct rtattr *info;
	int left;

	memset(policy, 0, sizeof(*policy));
	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len)) {
		if ((attribute->rta_type & NLA_TYPE_MASK) != IFLA_VFINFO_LIST)
			continue;
		left = RTA_PAYLOAD(attribute);
		for (info = RTA_DATA(attribute); RTA_OK(info, left);
		     info = RTA_NEXT(info, left))
			if (parse_vf(info, vf, policy))
				return true;
	}
	return false;
}

static bool ask(int sock, unsigned int index)
{
	struct request request = {
		.header = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_GETLINK,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.link.ifi_index = index,
		.attribute = {
			.rta_len = RTA_LENGTH(sizeof(request.filter)),
			.rta_type = IFLA_EXT_MASK,
		},
		.filter = RTEXT_FILTER_VF,
	};

	return send(sock, &request, sizeof(request), 0) == sizeof(request);
}

/* The answer is one message, of some hundred bytes for each VF. */
static void *receive(int sock, ssize_t *len)
{
	void *answer;

	*len = recv(sock, NULL, 0, MSG_PEEK | MSG_TRUNC);
	if (*len <= 0)
		return NULL;
	answer = malloc(*len);
	if (answer)
		*len = recv(sock, answer, *len, 0);
	return answer;
}

static bool is_text(const struct rtattr *attribute, const char *text)
{
	size_t size = strlen(text) + 1;

	return RTA_PAYLOAD(attribute) >= size &&
	       !memcmp(RTA_DATA(attribute), text, size);
}

/*
 * Are these attributes those of the PF's interface?  If /sys is of another network
 * namespace, its indexes and names are those of other interfaces here.
 */
static bool is_interface_of(const struct pf *pf,
			    const struct rtattr *attribute, int len)
{
	bool named = false;

	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len)) {
		if (attribute->rta_type == IFLA_IFNAME)
			named = is_text(attribute, pf->interface);
		else if (attribute->rta_type == IFLA_PARENT_DEV_NAME &&
			 !is_text(attribute, pf->name))
			return false;
	}
	return named;
}

void pf_parse_answer(struct pf *pf, const void *data, size_t len)
{
	const struct nlmsghdr *answer = data;
	const struct ifinfomsg *link;

	if (!NLMSG_OK(answer, len) || answer->nlmsg_type != RTM_NEWLINK ||
	    answer->nlmsg_len < NLMSG_LENGTH(sizeof(*link)))
		return;
	link = NLMSG_DATA(answer);
	if (!is_interface_of(pf, IFLA_RTA(link), IFLA_PAYLOAD(answer)))
		return;
	pf->has_link = true;
	pf->up = link->ifi_flags & IFF_UP;
	/* IFF_RUNNING: up, and operational.  A link that is being taken is not. */
	pf->carrier = pf->up && link->ifi_flags & IFF_RUNNING;
	pf->has_policy = pf_parse_link(IFLA_RTA(link), IFLA_PAYLOAD(answer),
				       pf->vf, &pf->policy);
}

/* Returns 0 if sysfs does not tell. */
static unsigned int interface_index(const struct pf *pf)
{
	char path[PATH_MAX], text[16];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/net/%s/ifindex", pf->name,
		 pf->interface);
	return read_line(path, text, sizeof(text)) ? strtoul(text, NULL, 10) : 0;
}

static void read_interface(struct pf *pf)
{
	unsigned int index = interface_index(pf);
	void *answer = NULL;
	ssize_t len;
	int sock;

	if (!index)
		return;
	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (sock < 0)
		return;
	if (ask(sock, index))
		answer = receive(sock, &len);
	if (answer && len > 0)
		pf_parse_answer(pf, answer, len);
	free(answer);
	close(sock);
}

/* ---- sysfs ---- */

/* virtfnN of the PF is a link to the VF with number N. */
static void find_number(struct pf *pf, const char *vf_name)
{
	char path[PATH_MAX], name[64];
	unsigned int n;

	for (n = 0;; n++) {
		snprintf(path, sizeof(path), PCI_DEVICES "/%s/virtfn%u",
			 pf->name, n);
		if (!link_name(path, name, sizeof(name)))
			return;
		if (!strcmp(name, vf_name)) {
			pf->vf = n;
			return;
		}
	}
}

void pf_read(struct pf *pf, const char *vf_name)
{
	char path[PATH_MAX];

	memset(pf, 0, sizeof(*pf));
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/physfn", vf_name);
	if (!link_name(path, pf->name, sizeof(pf->name)))
		return;
	find_number(pf, vf_name);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver", pf->name);
	if (!link_name(path, pf->driver, sizeof(pf->driver)))
		pf->driver[0] = 0;
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/net", pf->name);
	if (find_entry(path, "", pf->interface, sizeof(pf->interface)))
		read_interface(pf);
}

/* ---- Output ---- */

bool pf_policy_has_mac(const struct vf_policy *policy)
{
	static const uint8_t none[6];

	return policy->has_mac && memcmp(policy->mac, none, sizeof(none));
}

static const char *link_setting(unsigned int link)
{
	static const char *const names[] = {
		[IFLA_VF_LINK_STATE_AUTO] = "auto",
		[IFLA_VF_LINK_STATE_ENABLE] = "enable",
		[IFLA_VF_LINK_STATE_DISABLE] = "disable",
	};

	return names[link];
}

static void format_mac(char text[static 18], const uint8_t *mac)
{
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5]);
}

static const char *vlan_protocol(const struct vf_policy *policy)
{
	return policy->vlan_proto == ETH_P_8021AD ? "802.1ad" : "802.1Q";
}

/* In the words of "ip link" */
static void policy_text(const struct vf_policy *policy)
{
	char mac[18];

	if (pf_policy_has_mac(policy)) {
		format_mac(mac, policy->mac);
		printf(" mac %s", mac);
	} else if (policy->has_mac) {
		printf(" no mac");
	}
	if (policy->has_vlan && policy->vlan)
		printf(" vlan %u qos %u proto %s", policy->vlan, policy->qos,
		       vlan_protocol(policy));
	if (policy->has_spoofchk)
		printf(" spoofchk %s", policy->spoofchk ? "on" : "off");
	if (policy->has_trust)
		printf(" trust %s", policy->trust ? "on" : "off");
	if (policy->has_link)
		printf(" state %s", link_setting(policy->link));
	if (policy->has_rate && policy->min_rate)
		printf(" min_tx_rate %u", policy->min_rate);
	if (policy->has_rate && policy->max_rate)
		printf(" max_tx_rate %u", policy->max_rate);
}

void pf_text(const struct pf *pf)
{
	if (!*pf->name)
		return;
	printf("PF:           %s (%s)", pf->name,
	       *pf->driver ? pf->driver : "no driver");
	if (*pf->interface)
		printf(" %s", pf->interface);
	if (pf->has_link)
		printf(", %s, %s", pf->up ? "up" : "down",
		       pf->carrier ? "link" : "no link");
	printf("\n");
	printf("VF number:    %u", pf->vf);
	if (pf->has_policy)
		policy_text(&pf->policy);
	printf("\n");
}

static void policy_json(const struct vf_policy *policy)
{
	char mac[18];

	if (policy->has_mac) {
		format_mac(mac, policy->mac);
		if (pf_policy_has_mac(policy))
			json_string("mac", mac);
		else
			json_null("mac");
	}
	if (policy->has_vlan) {
		json_number("vlan", policy->vlan);
		json_number("qos", policy->qos);
		json_string("vlan_protocol", vlan_protocol(policy));
	}
	if (policy->has_spoofchk)
		json_bool("spoofchk", policy->spoofchk);
	if (policy->has_trust)
		json_bool("trust", policy->trust);
	if (policy->has_link)
		json_string("link_state", link_setting(policy->link));
	if (policy->has_rate) {
		json_number("min_tx_rate", policy->min_rate);
		json_number("max_tx_rate", policy->max_rate);
	}
}

void pf_json(const struct pf *pf)
{
	if (!*pf->name)
		return;
	json_open("pf", '{');
	json_string("device", pf->name);
	if (*pf->driver)
		json_string("driver", pf->driver);
	json_number("vf", pf->vf);
	if (*pf->interface)
		json_string("interface", pf->interface);
	if (pf->has_link) {
		json_bool("up", pf->up);
		json_bool("carrier", pf->carrier);
	}
	if (pf->has_policy) {
		json_open("policy", '{');
		policy_json(&pf->policy);
		json_close('}');
	}
	json_close('}');
}
