// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves a device's state to a file, and loads it from one.
 *
 * Opening a device resets it, and so does closing it.  So save gets the state
 * of a device that has just been reset, and what load has loaded is gone when
 * the command ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../drivers/vfio/mig_fsm.h"
#include "commands.h"
#include "device.h"
#include "progress.h"
#include "transfer.h"
#include "util.h"

/* ---- The device ---- */

static void print_kernel_line(const char *text)
{
	complain("kernel: %s", text);
}

/* Reports a step that the kernel refused, with the kernel's messages. */
int transfer_refused(struct device *dev, const char *step, int error)
{
	complain("%s: %s: %s", dev->id.name, step, strerror(error));
	device_kernel_log(dev, print_kernel_line);
	return EXIT_REFUSED;
}

bool transfer_open(struct device *dev, const char *name, const char *token,
		   uint32_t *flags, struct reasons *why)
{
	struct device_name id;

	memset(dev, 0, sizeof(*dev));
	if (!device_find(&id, name, why))
		return false;
	dev->id = id;
	if (!device_is_usable(&id, why))
		return false;
	switch (device_open(dev, &id, token, why)) {
	case OPENED:
		break;
	case IN_USE:
		device_explain_in_use(&dev->id, why);
		return false;
	default:
		return false;
	}
	*flags = device_migration_flags(dev);
	if (*flags)
		return true;
	device_explain_no_migration(&id, why);
	device_close(dev);
	return false;
}

static bool open_or_complain(struct device *dev, const char *name,
			     const struct options *options, uint32_t *flags)
{
	struct reasons why = {};

	if (transfer_open(dev, name, options->token, flags, &why))
		return true;
	reasons_complain(&why);
	return false;
}

/* ---- Save ---- */

/*
 * Where the state is written.  A regular file has a temporary name until it is
 * complete.
 */
struct output {
	int fd;
	const char *name;
	char temporary[PATH_MAX];	/* "" if written in place */
};

static bool output_open(struct output *out, const char *name)
{
	struct stat st;

	*out = (struct output){ .fd = -1, .name = name };
	if (!strcmp(name, "-")) {
		if (isatty(1)) {
			complain("a device's state is not text, and standard output is a terminal: give a file");
			return false;
		}
		out->fd = dup(1);
	} else if (!stat(name, &st) && !S_ISREG(st.st_mode)) {
		out->fd = open(name, O_WRONLY | O_CLOEXEC);
	} else if ((size_t)snprintf(out->temporary, sizeof(out->temporary),
				    "%s.XXXXXX", name) <
		   sizeof(out->temporary)) {
		/* Mode 600: the state may contain data of a guest. */
		out->fd = mkostemp(out->temporary, O_CLOEXEC);
		if (out->fd < 0)
			out->temporary[0] = 0;
	} else {
		errno = ENAMETOOLONG;
	}
	if (out->fd < 0)
		complain("%s: %s", name, strerror(errno));
	return out->fd >= 0;
}

static bool output_write(struct output *out, const char *data, size_t size)
{
	ssize_t written;

	while (size) {
		written = write(out->fd, data, size);
		if (written < 0) {
			if (errno == EINTR && !interrupted())
				continue;
			complain("%s: %s", out->name, strerror(errno));
			return false;
		}
		data += written;
		size -= written;
	}
	return true;
}

static bool output_close(struct output *out, bool good)
{
	if (good && *out->temporary && fsync(out->fd)) {
		complain("%s: %s", out->name, strerror(errno));
		good = false;
	}
	if (close(out->fd) && good) {
		complain("%s: %s", out->name, strerror(errno));
		good = false;
	}
	if (!*out->temporary)
		return good;
	if (good && rename(out->temporary, out->name)) {
		complain("%s: %s", out->name, strerror(errno));
		good = false;
	}
	if (!good)
		unlink(out->temporary);
	return good;
}

/*
 * Copies until the end of the data, or, with @precopy, until the device has no
 * more for now (ENOMSG).
 */
static int copy_out(struct device *dev, int data_fd, struct output *out,
		    struct progress *progress, bool precopy)
{
	static char buf[TRANSFER_CHUNK];
	ssize_t len;

	while (!interrupted()) {
		len = read(data_fd, buf, sizeof(buf));
		if (!len || (len < 0 && errno == ENOMSG && precopy))
			return EXIT_OK;
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return transfer_refused(dev, "reading its state", errno);
		if (!output_write(out, buf, len))
			return EXIT_REFUSED;
		progress_add(progress, len);
	}
	complain("interrupted");
	return EXIT_REFUSED;
}

static int save_stopped(struct device *dev, int data_fd, struct output *out,
			struct progress *progress)
{
	int again = -1, error, status;

	error = device_set_state(dev, VFIO_DEVICE_STATE_STOP_COPY, &again);
	if (error)
		return transfer_refused(dev, "going to STOP_COPY", error);
	if (data_fd < 0)
		data_fd = again;
	status = copy_out(dev, data_fd, out, progress, false);
	if (again >= 0)
		close(again);
	return status;
}

static int save(struct device *dev, struct output *out,
		struct progress *progress, bool precopy)
{
	int data_fd = -1, error, status = EXIT_OK;

	if (precopy) {
		error = device_set_state(dev, VFIO_DEVICE_STATE_PRE_COPY,
					 &data_fd);
		if (error)
			return transfer_refused(dev, "going to PRE_COPY", error);
		status = copy_out(dev, data_fd, out, progress, true);
	}
	if (status == EXIT_OK)
		status = save_stopped(dev, data_fd, out, progress);
	if (data_fd >= 0)
		close(data_fd);
	if (status != EXIT_OK)
		return status;

	/* As after a migration that was cancelled */
	error = device_set_state(dev, VFIO_DEVICE_STATE_RUNNING, NULL);
	return error ? transfer_refused(dev, "going back to RUNNING", error) : EXIT_OK;
}

int command_save(char **operands, const struct options *options)
{
	struct progress progress;
	struct device dev;
	struct output out;
	uint64_t size = 0;
	uint32_t flags;
	int status;

	if (!open_or_complain(&dev, operands[0], options, &flags))
		return EXIT_REFUSED;
	if (options->precopy && !(flags & VFIO_MIGRATION_PRE_COPY)) {
		complain("%s has no pre-copy: leave out --precopy",
			 dev.id.name);
		device_close(&dev);
		return EXIT_REFUSED;
	}
	catch_signals();
	status = EXIT_REFUSED;
	if (output_open(&out, operands[1])) {
		device_data_size(&dev, &size);
		progress_begin(&progress, "saved", size, !options->quiet);
		status = save(&dev, &out, &progress, options->precopy);
		if (!output_close(&out, status == EXIT_OK))
			status = EXIT_REFUSED;
		if (status == EXIT_OK)
			progress_end(&progress);
	}
	device_close(&dev);
	return status;
}

/* ---- Load ---- */

static bool refuse(struct refusal *refusal, const char *step, int error)
{
	refusal->step = step;
	refusal->error = error;
	return false;
}

/* Writes the file to the device, up to the offset @end. */
static bool copy_in(int in, int data_fd, uint64_t end,
		    struct progress *progress, struct refusal *refusal)
{
	static char buf[TRANSFER_CHUNK];
	ssize_t len, done, written;
	uint64_t left;

	for (;;) {
		left = end - refusal->bytes;
		len = read(in, buf, left < sizeof(buf) ? left : sizeof(buf));
		if (!len)
			return true;
		if (len < 0 && (errno != EINTR || interrupted()))
			return refuse(refusal, "reading the file", errno);
		for (done = 0; done < len; done += written) {
			written = write(data_fd, buf + done, len - done);
			if (written < 0) {
				if (errno != EINTR || interrupted())
					return refuse(refusal,
						      "writing the state",
						      errno);
				written = 0;
			}
			progress_add(progress, written);
			refusal->bytes += written;
		}
	}
}

bool transfer_in(struct device *dev, int in, uint64_t end,
		 struct progress *progress, struct refusal *refusal)
{
	int data_fd = -1, error;
	bool taken;

	error = device_set_state(dev, VFIO_DEVICE_STATE_RESUMING, &data_fd);
	if (error)
		return refuse(refusal, "going to RESUMING", error);
	taken = copy_in(in, data_fd, end, progress, refusal);
	close(data_fd);
	return taken;
}

bool transfer_load(struct device *dev, int in, struct progress *progress,
		   struct refusal *refusal)
{
	int error;

	if (!transfer_in(dev, in, UINT64_MAX, progress, refusal))
		return false;
	error = device_set_state(dev, VFIO_DEVICE_STATE_STOP, NULL);
	return !error || refuse(refusal, "loading it (RESUMING to STOP)",
				error);
}

static int input_open(const char *name)
{
	int fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : dup(0);

	if (fd < 0)
		complain("%s: %s", name, strerror(errno));
	return fd;
}

static uint64_t input_size(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) ? st.st_size : 0;
}

/* Waits for a signal. */
static void hold(const struct device *dev)
{
	uint32_t state = VFIO_DEVICE_STATE_ERROR;

	device_get_state(dev, &state);
	fprintf(stderr, "%s is %s; interrupt to close it\n", dev->id.name,
		vfio_mig_fsm_state_name(state));
	while (!interrupted())
		poll(NULL, 0, 1000);	/* a signal may have come before it */
}

int command_load(char **operands, const struct options *options)
{
	struct refusal refusal = {};
	struct progress progress;
	struct device dev;
	uint32_t flags;
	int in, error, status = EXIT_REFUSED;

	in = input_open(operands[1]);
	if (in < 0)
		return EXIT_REFUSED;
	if (!open_or_complain(&dev, operands[0], options, &flags))
		goto out_close;
	catch_signals();
	progress_begin(&progress, "loaded", input_size(in),
		       !options->quiet);
	if (!transfer_load(&dev, in, &progress, &refusal)) {
		complain("refused after %llu bytes",
			 (unsigned long long)refusal.bytes);
		status = transfer_refused(&dev, refusal.step, refusal.error);
		goto out_device;
	}
	progress_end(&progress);
	if (options->run) {
		error = device_set_state(&dev, VFIO_DEVICE_STATE_RUNNING, NULL);
		if (error) {
			status = transfer_refused(&dev, "going to RUNNING", error);
			goto out_device;
		}
	}
	status = EXIT_OK;
	if (options->hold)
		hold(&dev);
out_device:
	device_close(&dev);
out_close:
	close(in);
	return status;
}
