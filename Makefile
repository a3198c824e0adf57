# SPDX-License-Identifier: GPL-2.0-only
# Builds, installs and tests the modules of this tree.  "make help" lists the
# targets.  Kbuild reads the file Kbuild, not this one.

SHELL := /bin/sh
BUILD ?= build/modules
KDIR ?=
VM := tools/testing/vm

include config.mk

.PHONY: all modules tools config install uninstall overlay overlay-undo check \
	check-debug check-all coverage model bench bench-migration demo deb \
	variants variants-install clean distclean cache-clean help htmldocs
all: modules

help:
	@sed -n 's/^#: \?//p' Makefile

#: Build
#: make                 build the modules into build/modules, in the Debian 13
#:                      root of the tests (as root)
#: make KDIR=DIR        build them against the headers of an installed kernel,
#:                      Linux 6.12 to 7.3: KDIR=/lib/modules/$(uname -r)/build
#:   W=1 C=1            with more warnings, with sparse
#:   CONFIG_x=n         without a part (see config.mk)
#:   BUILD=DIR          into DIR
#: make tools           build vfio-mig into build/tools, with this machine's gcc
#: make variants KERNEL=DIR|TARBALL   build the variant drivers of that Linux
#:                      source (mlx5, virtio, ...) against the modules that make
#:                      has built, into build/variants; KDIR=, W=1 as for these
#: make htmldocs        make build/htmldocs/index.html from Documentation/, with
#:                      this machine's Sphinx; KERNEL=SOURCE takes kernel-doc
#:                      from that kernel's source
#:
#: Install
#: make install         install the modules in /lib/modules/<kernel>/updates,
#:                      where modprobe prefers them to the distribution's, and
#:                      vfio-mig in PREFIX/sbin; KDIR=, INSTALL_MOD_PATH=,
#:                      DESTDIR=, PREFIX= (/usr/local)
#: make variants-install   install the drivers that make variants has built in
#:                      /lib/modules/<kernel>/updates/variants, after make install
#: make uninstall       remove them; modprobe finds the distribution's again
#: make deb             make Debian packages in build/deb, in a Debian 13 root of
#:                      their own (as root)
#: make overlay KERNEL=DIR       lay this tree over a Linux 6.12 source tree, in
#:                      place of its drivers/vfio and vfio headers
#: make overlay-undo KERNEL=DIR  restore that source tree
#:
#: Test (as root; times are those of two cores)
#: make demo            live migration of a VM between two hosts, which draws
#:                      build/demo.svg (5 minutes)
#: make check           the tests on Debian's kernel (about half an hour)
#:   KERNEL=7.3         those that depend on the kernel, on the Linux 7.3 of
#:                      Debian's backports
#: make check-debug     the tests on a kernel with all checkers (up to an hour,
#:                      the first time)
#: make check-all       all of these, all repetitions, tests of the test bed
#:                      itself, and coverage (four hours)
#: make coverage        which lines of drivers/vfio the tests run
#: make model           verify the models of DMA logging with spin (not as root,
#:                      if spin is installed)
#: make bench           what the modules cost next to the distribution's
#: make bench-migration how long VMs stand still when they move, and what DMA
#:                      logging costs a VM that receives (an hour)
#:
#: Clean up
#: make clean           remove what was built
#: make distclean       remove all logs, too
#: make cache-clean     remove the Debian root and the debug kernel; all clones
#:                      share them in /var/cache/vfio-testbed, or VFIO_CACHE=

# The sources are copied and built in the copy: the tree stays clean, and
# several configurations can be built side by side.
src_files := Kbuild kernels.mk drivers include
build_dir = $(abspath $(BUILD))
# On the command line, our symbols take precedence in every directory over the
# kernel's configuration.
config_args = $(foreach s,$(VFIO_SYMBOLS),CONFIG_$(s)=$(CONFIG_$(s)))
kmake_args = $(config_args) \
	     $(foreach v,W C V CF KCFLAGS,$(if $($(v)),$(v)="$($(v))"))
# Removes modules of earlier builds that this tree or configuration no longer
# has.
drop_stale = cd $(build_dir) && sed 's,^$(build_dir)/,,; s/\.o$$/.ko/' \
		modules.order >modules.now && \
	find drivers -name '*.ko' | grep -vxFf modules.now | xargs -r rm

modules: config
ifeq ($(KDIR),)
	@root=$$($(VM)/root.sh) && kver=$$(ls $$root/lib/modules) && \
	VFIO_ROOT=$$root $(VM)/inroot.sh --bind $(build_dir) -- \
		make -s -j$$(nproc) -C /lib/modules/$$kver/build \
		M=$(build_dir) $(kmake_args) modules
else
	+$(MAKE) -C $(KDIR) M=$(build_dir) $(kmake_args) modules
endif
	@$(drop_stale)

# Writes the configuration for the compiler, include/vfio-build-config.h.  All
# objects depend on the file, so it is touched only when it changes.  The name space
# (see include/compat/bind.h) differs if structures of the modules may differ.
config:
	@mkdir -p $(build_dir)/include
	@for f in $(src_files); do cp -ru --preserve=timestamps $$f $(build_dir)/; done
	@cd $(build_dir)/include && { for s in $(config_args); do \
		name=$${s%=*}; \
		printf '#undef %s\n#undef %s_MODULE\n' $$name $$name; \
		case $${s#*=} in \
		y) echo "#define $$name 1" ;; \
		m) echo "#define $${name}_MODULE 1" ;; \
		esac; \
	done && echo "#define VFIO_NAMESPACE \"VFIO_OUT_OF_TREE_$$(cat linux/*.h \
		../drivers/vfio/*.h | cksum | cut -d ' ' -f 1)\"" && \
	echo '#include "compat/bind.h"'; } >vfio-build-config.new && \
	if cmp -s vfio-build-config.new vfio-build-config.h; then \
		rm vfio-build-config.new; \
	else \
		mv vfio-build-config.new vfio-build-config.h; \
	fi

install_kdir = $(or $(KDIR),/lib/modules/$(shell uname -r)/build)

tools_make = $(MAKE) -s -C tools/vfio-mig OUT=$(abspath build/tools)

tools:
	+@$(tools_make)

install: tools
	@tools/modules.sh install $(build_dir) $(install_kdir) $(INSTALL_MOD_PATH)
	+@$(tools_make) install

uninstall:
	+@$(tools_make) uninstall
	@tools/modules.sh uninstall $(build_dir) $(install_kdir) \
		$(INSTALL_MOD_PATH)

variants:
	@W=$(W) tools/variants.sh "$(KERNEL)" $(build_dir) build/variants $(KDIR)

variants-install:
	@tools/modules.sh install-variants build/variants $(install_kdir) \
		$(INSTALL_MOD_PATH)

htmldocs:
	@tools/htmldocs.sh $(if $(KERNEL),--kernel "$(KERNEL)")

deb:
	@tools/deb/deb.sh build/deb

overlay:
	@tools/overlay.sh "$(KERNEL)"

overlay-undo:
	@tools/overlay.sh --undo "$(KERNEL)"

check:
	tools/testing/check.sh $(if $(KERNEL),--kernel "$(KERNEL)")

check-debug:
	tools/testing/check-debug.sh

check-all:
	tools/testing/check-all.sh

coverage:
	@tools/testing/coverage.sh

model:
	@tools/testing/model/run.sh

bench:
	@tools/testing/bench/bench.sh

bench-migration:
	@tools/testing/bench/migration/migration.sh

demo:
	$(VM)/demo/demo.sh

clean:
	rm -rf $(build_dir)
	rm -rf build/stock build/part build/install build/7.3 \
		build/variants build/debug-kernel

distclean:
	rm -rf --one-file-system build

cache-clean:
	$(VM)/cache.sh --remove
