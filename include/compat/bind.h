/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Binds modules to the vfio.ko of this tree.  A kernel with CONFIG_MODVERSIONS
 * refuses a module that was built for another vfio.ko than the one that is loaded,
 * whose structures may differ.  On other kernels (Debian's 7.3), this has to do:
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
