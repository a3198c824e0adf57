/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Binds modules to the vfio.ko of this tree.  A module must not be loaded with a
 * vfio.ko that has other structures than the module was built with.  A kernel with
 * CONFIG_MODVERSIONS refuses that by itself.  On other kernels (Debian's 7.3), the
 * following makes the kernel refuse it:
 *
 * - The exports of this tree are in a name space, see Kbuild.  The kernel's own
 *   modules do not import it, nor do those that were built with other headers of
 *   this tree: they are refused on our vfio.ko.
 * - Each module refers to a symbol that the kernel's own vfio.ko lacks, and is
 *   refused there.
 *
 * vfio-build-config.h includes this before all other headers.
 */
#if defined(MODULE) && !defined(CONFIG_MODVERSIONS) && !defined(__ASSEMBLY__)
static const char vfio_import_ns[] __used __section(".modinfo") __aligned(1) =
	"import_ns=" VFIO_NAMESPACE;
asm(".pushsection .rodata\n"
	"	.balign 8\n"
	"	.quad vfio_iova_bitmap_set\n"
	"	.popsection\n");
#endif
