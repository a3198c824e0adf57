// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VF token: a user who opens a VF of a PF that user space drives has to
 * give the token that the PF's user has set; and so has a user who opens such a
 * PF while its VFs are in use.
 *
 * Changes the PF's VFs; run.sh restores them.
 */
#include <linux/pci_regs.h>
#include <string.h>

#include "device.h"
#include "iommu.h"
#include "node.h"
#include "test.h"

#define ENABLE_SRIOV	"/sys/module/vfio_pci/parameters/enable_sriov"

#define TOKEN_A	"8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a39"
#define TOKEN_B	"00000000-0000-4000-8000-000000000001"
#define TOKEN_0	"00000000-0000-0000-0000-000000000000"
static const uint8_t bytes_a[16] = {
	0x8a, 0x2d, 0x5b, 0x0e, 0x3f, 0x61, 0x4c, 0x7a,
	0x9d, 0x10, 0x6b, 0x7f, 0x0e, 0x5c, 0x4a, 0x39,
};
static const uint8_t bytes_b[16] = {
	[6] = 0x40, [8] = 0x80, [15] = 0x01,
};

#define SET_TOKEN	(VFIO_DEVICE_FEATURE_SET |			\
			 VFIO_DEVICE_FEATURE_PCI_VF_TOKEN)

/* A function whose group is in a container, ready for GET_DEVICE_FD */
struct function {
	char bdf[BDF_LEN];
	int container;
	int group;
};

FIXTURE(token) {
	struct function pf;
	struct function vf[2];
	int pf_fd;
	int held;	/* fd of a VF that the test keeps open */
};

static void function_join(struct function *f)
{
	f->container = container_open();
	f->group = container_add(f->container, f->bdf);
	must(container_set_iommu(f->container, VFIO_TYPE1v2_IOMMU));
}

static void function_leave(struct function *f)
{
	sys_close(f->group);
	sys_close(f->container);
}

static bool is_open(int fd, const struct function *f)
{
	struct vdev v = { .bdf = f->bdf, .fd = fd };

	return cfg_read16(&v, PCI_VENDOR_ID) == 0x8086;
}

/* Opens the function with @option after its name: fd or -errno. */
static int open_with(const struct function *f, const char *option)
{
	char name[256];

	snprintf(name, sizeof(name), "%s%.200s", f->bdf, option);
	return group_get_device(f->group, name);
}

static int open_token(const struct function *f, const char *token)
{
	char option[128];

	snprintf(option, sizeof(option), " vf_token=%.100s", token);
	return open_with(f, option);
}

/* Closes the fd: 0, or -errno if it is one. */
static int try_fd(const struct function *f, int fd)
{
	bool ok;

	if (fd < 0)
		return fd;
	ok = is_open(fd, f);
	sys_close(fd);
	return ok ? 0 : -EIO;
}

static int try_with(const struct function *f, const char *option)
{
	return try_fd(f, open_with(f, option));
}

static int try_token(const struct function *f, const char *token)
{
	return try_fd(f, open_token(f, token));
}

static int set_token(int fd, const uint8_t token[static 16])
{
	uint8_t copy[16];

	memcpy(copy, token, sizeof(copy));
	return feature(fd, SET_TOKEN, copy, sizeof(copy));
}

static void find_vf(const char *pf, unsigned int nr, struct function *vf)
{
	char path[128], target[256];
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/virtfn%u", pf,
		 nr);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		die("%s has no VF %u", pf, nr);
	target[len] = '\0';
	snprintf(vf->bdf, sizeof(vf->bdf), "%.15s", strrchr(target, '/') + 1);
}

/* The PF with vfio-pci and token A, and two VFs with vfio-pci */
FIXTURE_SETUP(token)
{
	const char *pf = NEED_FUNC(FUNC_PF_B);
	int i;

	if (file_write(ENABLE_SRIOV, "1"))
		SKIP(return, "vfio-pci has no enable_sriov");
	self->held = -1;
	snprintf(self->pf.bdf, sizeof(self->pf.bdf), "%s", pf);
	must(pci_attr_write(pf, "sriov_numvfs", "0"));
	must(pci_attr_write(pf, "sriov_drivers_autoprobe", "1"));
	function_join(&self->pf);
	self->pf_fd = must(group_get_device(self->pf.group, pf));
	must(set_token(self->pf_fd, bytes_a));
	must(pci_attr_write(pf, "sriov_numvfs", "2"));
	for (i = 0; i < 2; i++) {
		find_vf(pf, i, &self->vf[i]);
		function_join(&self->vf[i]);
	}
}

FIXTURE_TEARDOWN(token)
{
	function_leave(&self->vf[0]);
	function_leave(&self->vf[1]);
	sys_close(self->held);
	sys_close(self->pf_fd);
	must(pci_attr_write(self->pf.bdf, "sriov_numvfs", "0"));
	function_leave(&self->pf);
	must(file_write(ENABLE_SRIOV, "0"));
}

/* Only vfio-pci binds to the VFs of a PF that user space drives. */
TEST_F(token, vfs_belong_to_vfio)
{
	char driver[64], override[64];
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT_STREQ(DRV_VFIO_PCI, pci_driver(self->vf[i].bdf,
						      driver));
		must(pci_attr_read(self->vf[i].bdf, "driver_override",
				   override, sizeof(override)));
		EXPECT_STREQ(DRV_VFIO_PCI, override);
	}
}

TEST_F(token, vf_needs_it)
{
	const struct function *vf = &self->vf[0];

	EXPECT_EQ(-EACCES, try_with(vf, ""));
	EXPECT_EQ(-EACCES, try_with(vf, " "));
	EXPECT_EQ(-EACCES, try_token(vf, TOKEN_B));
	EXPECT_EQ(-EACCES, try_token(vf, TOKEN_0));
	/* Wrong in the last digit, and in the first one */
	EXPECT_EQ(-EACCES, try_token(vf,
				      "8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a38"));
	EXPECT_EQ(-EACCES, try_token(vf,
				      "9a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a39"));
	self->held = must(open_token(vf, TOKEN_A));
	EXPECT_TRUE(is_open(self->held, vf));
	/* A second open needs the token as well. */
	EXPECT_EQ(-EACCES, try_with(vf, ""));
	EXPECT_EQ(-EACCES, try_token(vf, TOKEN_B));
	EXPECT_EQ(0, try_token(vf, TOKEN_A));
	EXPECT_EQ(-EACCES, try_with(&self->vf[1], ""));
	EXPECT_EQ(0, try_token(&self->vf[1],
			       "8A2D5B0E-3F61-4C7A-9D10-6B7F0E5C4A39"));
}

TEST_F(token, malformed_is_refused)
{
	static const char options[][100] = {
		" vf_token=",
		" vf_token",
		" vf_token=1",
		" vf_token=8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a3",
		" vf_token=8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a399",
		" vf_token=8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a39x",
		" vf_token=8a2d5b0e3f614c7a9d106b7f0e5c4a39",
		" vf_token=8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a3g",
		" vf_token=8a2d5b0e-3f614c-7a-9d10-6b7f0e5c4a39",
		" vf_token= 8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a39",
		" VF_TOKEN=8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a39",
		" token=8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a39",
		" 8a2d5b0e-3f61-4c7a-9d10-6b7f0e5c4a39",
		" vf_token=" TOKEN_A " vf_token=" TOKEN_A,
		" vf_token=" TOKEN_A " x",
		" x vf_token=" TOKEN_A,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		EXPECT_EQ(-EINVAL, try_with(&self->vf[0], options[i])) {
			TH_LOG("\"%s\"", options[i]);
		}
		EXPECT_EQ(-EINVAL, try_with(&self->pf, options[i]));
	}
	EXPECT_EQ(-ENODEV, try_with(&self->vf[0], "vf_token=" TOKEN_A));
	EXPECT_EQ(0, try_with(&self->vf[0], "   vf_token=" TOKEN_A " "));
}

/* A node without a token cannot be used. */
TEST_F(token, node_needs_it)
{
	const struct function *vf = &self->vf[0];
	int iommufd, fd;

	NEED_NODES();
	iommufd = iommufd_open();
	function_leave(&self->vf[0]);
	fd = must(node_open("pci", vf->bdf));
	EXPECT_EQ(-EACCES, node_bind(fd, iommufd, NULL));
	sys_close(fd);
	function_join(&self->vf[0]);
	self->held = must(open_token(vf, TOKEN_A));
	sys_close(self->pf_fd);
	function_leave(&self->pf);
	self->pf_fd = must(node_open("pci", self->pf.bdf));
	EXPECT_EQ(-EACCES, node_bind(self->pf_fd, iommufd, NULL));
	sys_close(self->held);
	self->held = -1;
	EXPECT_EQ(0, node_bind(self->pf_fd, iommufd, NULL));
	sys_close(iommufd);
	sys_close(self->pf_fd);
	self->pf_fd = -1;
	function_join(&self->pf);
}

static int bind_token(int fd, int iommufd, const void *token, uint32_t argsz)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = argsz,
		.flags = VFIO_DEVICE_BIND_FLAG_TOKEN,
		.iommufd = iommufd,
		.token_uuid_ptr = (uintptr_t)token,
	};

	return sys_ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);
}

TEST_F(token, node_takes_it)
{
	const uint32_t size = sizeof(struct vfio_device_bind_iommufd);
	struct vfio_device_info info = { .argsz = sizeof(info) };
	const struct function *vf = &self->vf[0];
	int iommufd, fd;

	if (!nodes_present())
		SKIP(return, "this kernel has no iommufd, or no nodes");
	iommufd = iommufd_open();
	function_leave(&self->vf[0]);
	fd = must(node_open("pci", vf->bdf));
	EXPECT_EQ(-EACCES, bind_token(fd, iommufd, bytes_b, size));
	EXPECT_EQ(-EINVAL, bind_token(fd, iommufd, bytes_a, size - 1));
	EXPECT_EQ(-EFAULT, bind_token(fd, iommufd, NULL, size));
	EXPECT_EQ(-EACCES, node_bind(fd, iommufd, NULL));
	/* It is not bound yet. */
	EXPECT_EQ(-EINVAL, sys_ioctl(fd, VFIO_DEVICE_GET_INFO, &info));
	EXPECT_EQ(0, bind_token(fd, iommufd, bytes_a, size));
	EXPECT_TRUE(is_open(fd, vf));

	/* A PF needs the token while one of its VFs is in use. */
	sys_close(self->pf_fd);
	function_leave(&self->pf);
	self->pf_fd = must(node_open("pci", self->pf.bdf));
	EXPECT_EQ(-EACCES, bind_token(self->pf_fd, iommufd, bytes_b, size));
	EXPECT_EQ(0, bind_token(self->pf_fd, iommufd, bytes_a, size));
	sys_close(fd);

	/* A bind of the PF that is refused does not change the token. */
	fd = must(node_open("pci", self->pf.bdf));
	EXPECT_EQ(-EINVAL, bind_token(fd, iommufd, bytes_b, size));
	sys_close(fd);
	fd = must(node_open("pci", vf->bdf));
	EXPECT_EQ(-EACCES, bind_token(fd, iommufd, bytes_b, size));
	EXPECT_EQ(0, bind_token(fd, iommufd, bytes_a, size));
	sys_close(fd);
	sys_close(self->pf_fd);
	sys_close(iommufd);
	self->pf_fd = -1;
	function_join(&self->pf);
	function_join(&self->vf[0]);
}

/* A device that has no token refuses one. */
TEST(node_without_a_token)
{
	const char *bdf = NEED_FUNC(FUNC_E1000E);
	int iommufd, fd;

	if (!nodes_present())
		SKIP(return, "this kernel has no iommufd, or no nodes");
	must(pci_bind(bdf, DRV_VFIO_PCI));
	iommufd = iommufd_open();
	fd = must(node_open("pci", bdf));
	EXPECT_EQ(-EINVAL, bind_token(fd, iommufd, bytes_a,
				      sizeof(struct vfio_device_bind_iommufd)));
	EXPECT_EQ(0, node_bind(fd, iommufd, NULL));
	sys_close(fd);
	sys_close(iommufd);
}

/* While a VF is in use, its PF needs the token as well. */
TEST_F(token, pf_needs_it_while_vfs_are_in_use)
{
	EXPECT_EQ(0, try_with(&self->pf, ""));
	self->held = must(open_token(&self->vf[0], TOKEN_A));
	EXPECT_EQ(-EACCES, try_with(&self->pf, ""));
	EXPECT_EQ(-EACCES, try_token(&self->pf, TOKEN_B));
	EXPECT_EQ(0, try_token(&self->pf, TOKEN_A));
	/* Also after the PF was closed */
	sys_close(self->pf_fd);
	self->pf_fd = -1;
	EXPECT_EQ(-EACCES, try_with(&self->pf, ""));
	EXPECT_EQ(-EACCES, try_token(&self->pf, TOKEN_B));
	EXPECT_EQ(0, try_token(&self->pf, TOKEN_A));
	/* No VF is open any more. */
	sys_close(self->held);
	self->held = -1;
	EXPECT_EQ(0, try_with(&self->pf, ""));
	/* Wrong tokens have changed nothing. */
	EXPECT_EQ(-EACCES, try_token(&self->vf[0], TOKEN_B));
	EXPECT_EQ(0, try_token(&self->vf[0], TOKEN_A));
}

/* While no VF is in use, the open of the PF sets a new token. */
TEST_F(token, is_set_by_opening_the_pf)
{
	EXPECT_EQ(0, try_token(&self->pf, TOKEN_B));
	EXPECT_EQ(-EACCES, try_token(&self->vf[0], TOKEN_A));
	EXPECT_EQ(-EACCES, try_with(&self->vf[0], ""));
	EXPECT_EQ(0, try_token(&self->vf[0], TOKEN_B));
}

TEST_F(token, can_be_changed)
{
	self->held = must(open_token(&self->vf[0], TOKEN_A));
	EXPECT_EQ(0, set_token(self->pf_fd, bytes_b));
	/* Open VFs stay open; new opens need the new token. */
	EXPECT_TRUE(is_open(self->held, &self->vf[0]));
	EXPECT_EQ(-EACCES, try_token(&self->vf[0], TOKEN_A));
	EXPECT_EQ(-EACCES, try_token(&self->vf[1], TOKEN_A));
	EXPECT_EQ(-EACCES, try_token(&self->pf, TOKEN_A));
	EXPECT_EQ(0, try_token(&self->vf[1], TOKEN_B));
	EXPECT_EQ(0, try_token(&self->pf, TOKEN_B));
}

TEST_F(token, set_refuses_bad_arguments)
{
	uint8_t bytes[16] = {};

	EXPECT_EQ(-EINVAL, feature(self->pf_fd, SET_TOKEN, bytes, 15));
	EXPECT_EQ(-EINVAL, feature(self->pf_fd, SET_TOKEN, NULL, 0));
	EXPECT_EQ(-EINVAL, feature(self->pf_fd, VFIO_DEVICE_FEATURE_GET |
				   VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, bytes,
				   16));
	EXPECT_EQ(-EINVAL, feature(self->pf_fd,
				   VFIO_DEVICE_FEATURE_PCI_VF_TOKEN, bytes,
				   16));
	EXPECT_EQ(0, feature(self->pf_fd, VFIO_DEVICE_FEATURE_PROBE |
			     SET_TOKEN, bytes, 16));
	/* The failed calls have not set it. */
	EXPECT_EQ(-EACCES, try_token(&self->vf[0], TOKEN_0));
	self->held = must(open_token(&self->vf[0], TOKEN_A));
	/* A VF has no token. */
	EXPECT_EQ(-ENOTTY, set_token(self->held, bytes_b));
	EXPECT_EQ(-ENOTTY, feature(self->held, VFIO_DEVICE_FEATURE_PROBE |
				   SET_TOKEN, bytes, 16));
}

/* VFs can be removed only when they are closed. */
TEST_F(token, refused_opens_hold_nothing)
{
	int i;

	for (i = 0; i < 20; i++) {
		EXPECT_EQ(-EACCES, try_with(&self->vf[0], ""));
		EXPECT_EQ(-EINVAL, try_with(&self->vf[0], " x"));
		EXPECT_EQ(-EACCES, try_token(&self->vf[0], TOKEN_B));
	}
	EXPECT_EQ(0, group_unset_container(self->vf[0].group));
	/* As no VF is in use, the PF needs no token. */
	EXPECT_EQ(0, try_with(&self->pf, ""));
	EXPECT_EQ(0, pci_attr_write(self->pf.bdf, "sriov_numvfs", "0"));
	EXPECT_FALSE(pci_exists(self->vf[0].bdf));
	EXPECT_FALSE(pci_exists(self->vf[1].bdf));
}

/* The initial token is random. */
TEST(initial_token_is_unknown)
{
	const char *bdf = NEED_FUNC(FUNC_PF_B);
	struct function vf;

	if (file_write(ENABLE_SRIOV, "1"))
		SKIP(return, "vfio-pci has no enable_sriov");
	must(pci_attr_write(bdf, "sriov_numvfs", "0"));
	must(pci_bind(bdf, NULL));
	must(pci_bind(bdf, DRV_VFIO_PCI));
	must(pci_attr_write(bdf, "sriov_drivers_autoprobe", "1"));
	ASSERT_EQ(0, pci_attr_write(bdf, "sriov_numvfs", "1"));
	find_vf(bdf, 0, &vf);
	function_join(&vf);
	EXPECT_EQ(-EACCES, try_with(&vf, ""));
	EXPECT_EQ(-EACCES, try_token(&vf, TOKEN_0));
	EXPECT_EQ(-EACCES, try_token(&vf, TOKEN_A));
	function_leave(&vf);
	EXPECT_EQ(0, pci_attr_write(bdf, "sriov_numvfs", "0"));
	EXPECT_EQ(0, file_write(ENABLE_SRIOV, "0"));
}

/* SR-IOV with vfio-pci needs the module parameter enable_sriov. */
TEST(sriov_has_to_be_enabled)
{
	const char *bdf = NEED_FUNC(FUNC_PF_B);

	if (file_write(ENABLE_SRIOV, "0"))
		SKIP(return, "vfio-pci has no enable_sriov");
	must(pci_attr_write(bdf, "sriov_numvfs", "0"));
	must(pci_bind(bdf, DRV_VFIO_PCI));
	EXPECT_GT(0, pci_attr_write(bdf, "sriov_numvfs", "1"));
	EXPECT_EQ(0, pci_attr_number(bdf, "sriov_numvfs"));
}

/* Functions without a token refuse one. */
TEST(functions_without_a_token_refuse_one)
{
	static const char * const funcs[] = {
		FUNC_VF_A1, FUNC_E1000E, FUNC_NVME,
	};
	struct function f;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(funcs); i++) {
		const char *bdf = func_bdf(funcs[i]);

		if (!bdf)
			continue;
		snprintf(f.bdf, sizeof(f.bdf), "%s", bdf);
		function_join(&f);
		EXPECT_EQ(-EINVAL, try_token(&f, TOKEN_A)) {
			TH_LOG("%s", bdf);
		}
		EXPECT_EQ(0, group_unset_container(f.group));
		function_leave(&f);
	}
}

TEST_HARNESS_MAIN
