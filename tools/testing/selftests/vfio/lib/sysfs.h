/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI functions as the administrator sees them: driver, IOMMU group, virtual
 * functions, network interface; and kernel modules.
 *
 * Environment variables, which run.sh sets, give the addresses of the functions
 * under test.  No test contains a PCI address.
 */
#ifndef VFIO_TEST_SYSFS_H
#define VFIO_TEST_SYSFS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BDF_LEN		16

/*
 * VFs of the same letter belong to the same PF.  PFs A and B are on one wire.
 */
#define FUNC_PF_A	"VFIO_TEST_PF_A"
#define FUNC_PF_B	"VFIO_TEST_PF_B"
#define FUNC_VF_A0	"VFIO_TEST_VF_A0"
#define FUNC_VF_A1	"VFIO_TEST_VF_A1"
#define FUNC_VF_B0	"VFIO_TEST_VF_B0"
#define FUNC_VF_B1	"VFIO_TEST_VF_B1"
#define FUNC_E1000E	"VFIO_TEST_E1000E"
#define FUNC_NVME	"VFIO_TEST_NVME"
/* Two functions on one bus, which share a group */
#define FUNC_PAIR_0	"VFIO_TEST_PAIR_0"
#define FUNC_PAIR_1	"VFIO_TEST_PAIR_1"
/* Memory in a BAR of many MiB, such as QEMU's ivshmem-plain */
#define FUNC_BIG_BAR	"VFIO_TEST_BIG_BAR"
/* A VGA adapter that the machine does not use */
#define FUNC_VGA	"VFIO_TEST_VGA"

#define DRV_VFIO_PCI	"vfio-pci"
#define DRV_IGBVF_VFIO	"igbvf-vfio-pci"

/* Address of a function under test, or NULL if this machine has none. */
const char *func_bdf(const char *func);
/* Any of them, for tests that need a group of any device. */
const char *func_any(void);

/* A sysfs attribute of the function. */
int pci_attr_read(const char *bdf, const char *attr, char *buf, size_t size);
int pci_attr_write(const char *bdf, const char *attr, const char *text);
unsigned long pci_attr_number(const char *bdf, const char *attr);
bool pci_attr_exists(const char *bdf, const char *attr);

/* The file with the function's real configuration space, and one register of it */
int real_config_open(const char *bdf);
uint32_t real_config(const char *bdf, uint32_t offset, size_t size);

/* Name of the function's driver; "" if it has none. */
const char *pci_driver(const char *bdf, char buf[static 64]);

/*
 * Binds the function to @driver (by driver_override), or unbinds it if NULL,
 * unless that is so already.  -errno if the driver refuses it.
 */
int pci_bind(const char *bdf, const char *driver);

int pci_group(const char *bdf);
bool pci_exists(const char *bdf);

/* The function's network interface, or NULL. */
const char *pci_netdev(const char *bdf, char buf[static 32]);

/*
 * Sets the interface of a PF up, and waits for its carrier, or down: then the
 * PF does not answer its VFs.
 */
void pf_set(const char *pf, bool up);
/* Sets the MTU of the PF's interface; igb resets the PF for that. */
void pf_mtu(const char *pf, unsigned int mtu);
/* Has igb reset the PF while it is up, and waits for its carrier. */
void pf_reset(const char *pf);
/*
 * Makes VFs of a PF with igb, which has none.  If its interface is up, waits for the
 * carrier before: igb may crash if its link changes while it makes VFs.  Their
 * removal takes the link away for some seconds.  Returns a negative errno on failure.
 */
int pf_make_vfs(const char *pf, unsigned int n);

/* A thread that writes to an attribute and may block there. */
struct attr_writer {
	pthread_t thread;
	const char *bdf;
	const char *attr;
	const char *text;
	bool done;
	int ret;
};

void writer_start(struct attr_writer *w, const char *bdf, const char *attr,
		  const char *text);
bool writer_waits(struct attr_writer *w);
/* The result of the write; a watchdog ends the test if the write hangs. */
int writer_join(struct attr_writer *w);

bool module_loaded(const char *name);
/* -EBUSY-style errno of delete_module(2), 0 if it is gone. */
int module_unload(const char *name);
/* Runs modprobe; a failure ends the test. */
void module_load(const char *name);
long module_refcount(const char *name);

/* Runs a shell command; its exit status. */
int shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
