// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drivers, groups, interfaces and modules, through sysfs and an administrator's
 * tools.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sysfs.h"
#include "util.h"

const char *func_bdf(const char *func)
{
	const char *bdf = getenv(func);

	if (!bdf || !*bdf)
		return NULL;
	if (!pci_exists(bdf))
		die("%s=%s: no such PCI function", func, bdf);
	return bdf;
}

const char *func_any(void)
{
	static const char * const funcs[] = {
		FUNC_VF_A1, FUNC_E1000E, FUNC_NVME,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(funcs); i++)
		if (func_bdf(funcs[i]))
			return func_bdf(funcs[i]);
	return NULL;
}

static void attr_path(char path[static PATH_MAX], const char *bdf,
		      const char *attr)
{
	snprintf(path, PATH_MAX, "/sys/bus/pci/devices/%s/%s", bdf, attr);
}

int pci_attr_read(const char *bdf, const char *attr, char *buf, size_t size)
{
	char path[PATH_MAX];

	attr_path(path, bdf, attr);
	return file_read(path, buf, size);
}

int real_config_open(const char *bdf)
{
	char path[PATH_MAX];

	attr_path(path, bdf, "config");
	return must(sys_open(path, O_RDWR));
}

uint32_t real_config(const char *bdf, uint32_t offset, size_t size)
{
	int fd = real_config_open(bdf);
	uint32_t value = 0;

	if (must(sys_pread(fd, &value, size, offset)) != (ssize_t)size)
		die("%s: short read", bdf);
	sys_close(fd);
	return value;
}

int pci_attr_write(const char *bdf, const char *attr, const char *text)
{
	char path[PATH_MAX];

	attr_path(path, bdf, attr);
	return file_write(path, text);
}

unsigned long pci_attr_number(const char *bdf, const char *attr)
{
	char buf[64];

	must(pci_attr_read(bdf, attr, buf, sizeof(buf)));
	return strtoul(buf, NULL, 0);
}

bool pci_attr_exists(const char *bdf, const char *attr)
{
	char path[PATH_MAX];

	attr_path(path, bdf, attr);
	return !access(path, F_OK);
}

/* Last component of the link's target, "" if there is no link. */
static void link_name(const char *bdf, const char *attr, char *buf, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	attr_path(path, bdf, attr);
	len = readlink(path, target, sizeof(target) - 1);
	target[len < 0 ? 0 : len] = '\0';
	snprintf(buf, size, "%s",
		 strrchr(target, '/') ? strrchr(target, '/') + 1 : "");
}

const char *pci_driver(const char *bdf, char buf[static 64])
{
	link_name(bdf, "driver", buf, 64);
	return buf;
}

int pci_bind(const char *bdf, const char *driver)
{
	char now[64];
	int ret;

	pci_driver(bdf, now);
	if (!strcmp(now, driver ?: ""))
		return 0;
	if (*now) {
		ret = pci_attr_write(bdf, "driver/unbind", bdf);
		if (ret)
			return ret;
	}
	ret = pci_attr_write(bdf, "driver_override", driver ?: "\n");
	if (ret)
		return ret;
	if (!driver)
		return 0;
	ret = file_write("/sys/bus/pci/drivers_probe", bdf);
	if (ret)
		return ret;
	return strcmp(pci_driver(bdf, now), driver) ? -ENODEV : 0;
}

int pci_group(const char *bdf)
{
	char name[32];

	link_name(bdf, "iommu_group", name, sizeof(name));
	if (!*name)
		die("%s is in no IOMMU group", bdf);
	return atoi(name);
}

bool pci_exists(const char *bdf)
{
	return pci_attr_exists(bdf, "config");
}

const char *pci_netdev(const char *bdf, char buf[static 32])
{
	const char *name = NULL;
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;

	attr_path(path, bdf, "net");
	dir = opendir(path);
	if (!dir)
		return NULL;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(buf, 32, "%.31s", entry->d_name);
		name = buf;
	}
	closedir(dir);
	return name;
}

static const char *pf_netdev(const char *pf, char name[static 32])
{
	if (!pci_netdev(pf, name))
		die("%s has no network interface", pf);
	return name;
}

/* The attribute has '1' or '0'.  It can't be read while the interface is down. */
static bool carrier_is(const char *name, char value)
{
	char path[64], text[8];

	snprintf(path, sizeof(path), "/sys/class/net/%s/carrier", name);
	return file_read(path, text, sizeof(text)) > 0 && *text == value;
}

/* A busy machine may take long, so only the limits of the whole run end this. */
static void pf_wait_carrier(const char *name)
{
	while (!carrier_is(name, '1'))
		sleep_us(1000);
}

void pf_set(const char *pf, bool up)
{
	char name[32];

	if (shell("ip link set %s %s", pf_netdev(pf, name),
		  up ? "up" : "down"))
		die("%s: %s cannot be set up or down", pf, name);
	if (up)
		pf_wait_carrier(name);
}

void pf_mtu(const char *pf, unsigned int mtu)
{
	char name[32];

	if (shell("ip link set %s mtu %u", pf_netdev(pf, name), mtu))
		die("%s: %s cannot have an MTU of %u", pf, name, mtu);
	pf_wait_carrier(name);
}

void pf_reset(const char *pf)
{
	char name[32];

	if (shell("ethtool -r %s", pf_netdev(pf, name)))
		die("%s: %s cannot be reset", pf, name);
	pf_wait_carrier(name);
}

int pf_make_vfs(const char *pf, unsigned int n)
{
	char name[32], text[12];

	pf_netdev(pf, name);
	while (carrier_is(name, '0'))
		sleep_us(1000);
	snprintf(text, sizeof(text), "%u", n);
	return pci_attr_write(pf, "sriov_numvfs", text);
}

static void *write_attr(void *arg)
{
	struct attr_writer *w = arg;

	w->ret = pci_attr_write(w->bdf, w->attr, w->text);
	__atomic_store_n(&w->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

void writer_start(struct attr_writer *w, const char *bdf, const char *attr,
		  const char *text)
{
	*w = (struct attr_writer){ .bdf = bdf, .attr = attr, .text = text };
	if (pthread_create(&w->thread, NULL, write_attr, w))
		die("no thread");
}

bool writer_waits(struct attr_writer *w)
{
	return !__atomic_load_n(&w->done, __ATOMIC_SEQ_CST);
}

int writer_join(struct attr_writer *w)
{
	if (!poll_until(!writer_waits(w)))
		die("%s: write to %s does not end", w->bdf, w->attr);
	pthread_join(w->thread, NULL);
	return w->ret;
}

static void module_path(char path[static PATH_MAX], const char *name,
			const char *attr)
{
	char *c;

	snprintf(path, PATH_MAX, "/sys/module/%s/%s", name, attr);
	for (c = path; *c; c++)
		if (*c == '-')
			*c = '_';
}

bool module_loaded(const char *name)
{
	char path[PATH_MAX], state[16];

	module_path(path, name, "initstate");
	return file_read(path, state, sizeof(state)) >= 0;
}

int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

void module_load(const char *name)
{
	if (shell("modprobe %s", name))
		die("modprobe %s failed", name);
}

long module_refcount(const char *name)
{
	char path[PATH_MAX], count[16];

	module_path(path, name, "refcnt");
	must(file_read(path, count, sizeof(count)));
	return atol(count);
}

int shell(const char *fmt, ...)
{
	char command[1024];
	va_list args;
	int status;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
