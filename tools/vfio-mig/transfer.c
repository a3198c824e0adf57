// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves a device's state to a file, loads it from one, and checks whether it
 * would load.
 *
 * Opening a device resets it, and so does closing it.  So save gets the state
 * of a device that has just been reset, and what load has loaded is gone when
 * the command ends.
 *
 * check does not load the state: the driver would, for instance, take the
 * guest's MAC address, while the guest may be running elsewhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../drivers/vfio/mig_fsm.h"
#include "commands.h"
#include "device.h"
#include "inspect.h"
#include "util.h"

#define CHUNK		(1024 * 1024)

/* ---- Progress, on standard error ---- */

struct progress {
	bool on;
	const char *verb;
	uint64_t expected;	/* 0 if not known */
	uint64_t bytes;
	uint64_t start, last;	/* in ms */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static void progress_begin(struct progress *progress, const char *verb,
			   uint64_t expected, const struct options *options)
{
	*progress = (struct progress){
		.on = !options->quiet, .verb = verb, .expected = expected,
		.start = now_ms(),
	};
	progress->last = progress->start;
}

/* Prints a line that overwrites itself, if standard error is a terminal. */
static void progress_add(struct progress *progress, uint64_t bytes)
{
	uint64_t now = now_ms();

	progress->bytes += bytes;
	if (!progress->on || now - progress->last < 200 || !isatty(2))
		return;
	progress->last = now;
	fprintf(stderr, "\r%s %llu", progress->verb,
		(unsigned long long)progress->bytes);
	if (progress->expected)
		fprintf(stderr, " of %llu bytes",
			(unsigned long long)progress->expected);
	else
		fprintf(stderr, " bytes");
	fprintf(stderr, "\033[K");
}

static void progress_end(struct progress *progress)
{
	uint64_t ms = now_ms() - progress->start;

	if (!progress->on)
		return;
	if (isatty(2))
		fprintf(stderr, "\r\033[K");
	fprintf(stderr, "%s %llu bytes in %llu.%03llu s\n", progress->verb,
		(unsigned long long)progress->bytes,
		(unsigned long long)ms / 1000, (unsigned long long)ms % 1000);
}

/* ---- The device ---- */

static void print_kernel_line(const char *text)
{
	complain("kernel: %s", text);
}

/* Reports a step that the kernel refused, with the kernel's messages. */
static int refused(struct device *dev, const char *step, int error)
{
	complain("%s: %s: %s", dev->id.name, step, strerror(error));
	device_kernel_log(dev, print_kernel_line);
	return EXIT_REFUSED;
}

/* Opens a device that can migrate. */
static bool open_for_migration(struct device *dev, const char *name,
			       const struct options *options, uint32_t *flags)
{
	struct device_name id;

	if (!device_find(&id, name))
		return false;
	switch (device_open(dev, &id, options->token)) {
	case OPENED:
		break;
	case IN_USE:
		device_explain_in_use(&dev->id);
		return false;
	default:
		return false;
	}
	*flags = device_migration_flags(dev);
	if (*flags)
		return true;
	complain("%s can't migrate: its driver %s has no support for it",
		 id.name, id.driver);
	device_explain_variant(&id);
	device_close(dev);
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
	static char buf[CHUNK];
	ssize_t len;

	while (!interrupted()) {
		len = read(data_fd, buf, sizeof(buf));
		if (!len || (len < 0 && errno == ENOMSG && precopy))
			return EXIT_OK;
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return refused(dev, "reading its state", errno);
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
		return refused(dev, "going to STOP_COPY", error);
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
			return refused(dev, "going to PRE_COPY", error);
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
	return error ? refused(dev, "going back to RUNNING", error) : EXIT_OK;
}

int command_save(char **operands, const struct options *options)
{
	struct progress progress;
	struct device dev;
	struct output out;
	uint64_t size = 0;
	uint32_t flags;
	int status;

	if (!open_for_migration(&dev, operands[0], options, &flags))
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
		progress_begin(&progress, "saved", size, options);
		status = save(&dev, &out, &progress, options->precopy);
		if (!output_close(&out, status == EXIT_OK))
			status = EXIT_REFUSED;
		if (status == EXIT_OK)
			progress_end(&progress);
	}
	device_close(&dev);
	return status;
}

/* ---- Load and check ---- */

/* The step that was refused */
struct refusal {
	const char *step;
	int error;
	uint64_t bytes;		/* bytes of state that were accepted */
};

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
	static char buf[CHUNK];
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

/* Goes from RUNNING to RESUMING and writes the file, up to the offset @end. */
static bool take_in(struct device *dev, int in, uint64_t end,
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

/* Writes the whole file and goes to STOP, which loads the state. */
static bool load(struct device *dev, int in, struct progress *progress,
		 struct refusal *refusal)
{
	int error;

	if (!take_in(dev, in, UINT64_MAX, progress, refusal))
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
	if (!open_for_migration(&dev, operands[0], options, &flags))
		goto out_close;
	catch_signals();
	progress_begin(&progress, "loaded", input_size(in), options);
	if (!load(&dev, in, &progress, &refusal)) {
		complain("refused after %llu bytes",
			 (unsigned long long)refusal.bytes);
		status = refused(&dev, refusal.step, refusal.error);
		goto out_device;
	}
	progress_end(&progress);
	if (options->run) {
		error = device_set_state(&dev, VFIO_DEVICE_STATE_RUNNING, NULL);
		if (error) {
			status = refused(&dev, "going to RUNNING", error);
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

/* The answer of check */
struct answer {
	bool yes;
	struct refusal refusal;	/* step is NULL if the kernel refused nothing */
	struct findings findings;
	char log[8][256];	/* messages of the kernel */
	unsigned int lines;
};

static struct answer answer;

/*
 * Has the driver check all records but END, which would complete the stream;
 * stream_judge() has checked END.  Without END the whole file is written and
 * loaded: then the driver refuses a stream that is cut short, and a state in a
 * format without records is really loaded, because nothing else would tell.
 */
static bool try_to_load(struct device *dev, int in)
{
	struct progress progress = {};

	if (!answer.findings.end)
		return load(dev, in, &progress, &answer.refusal);
	return take_in(dev, in, answer.findings.end, &progress,
		       &answer.refusal) && !answer.findings.end_wrong;
}

static void keep_kernel_line(const char *text)
{
	if (answer.lines < ARRAY_SIZE(answer.log))
		snprintf(answer.log[answer.lines++], sizeof(answer.log[0]),
			 "%s", text);
}

static void answer_text(const char *device)
{
	unsigned int i;

	printf("%s: %s\n", device,
	       answer.yes ? "loads" : "does not load");
	if (answer.yes)
		return;
	if (answer.refusal.step)
		printf("  kernel: %s: %s, after %llu bytes\n",
		       answer.refusal.step, strerror(answer.refusal.error),
		       (unsigned long long)answer.refusal.bytes);
	for (i = 0; i < answer.lines; i++)
		printf("  log:    %s\n", answer.log[i]);
	if (*answer.findings.problem)
		printf("  stream: %s\n", answer.findings.problem);
	if (answer.findings.mismatch)
		printf("  device: %s\n", answer.findings.mismatch);
}

static void answer_json(const char *device)
{
	unsigned int i;

	json_open(NULL, '{');
	json_string("device", device);
	json_bool("loads", answer.yes);
	if (!answer.yes) {
		if (answer.refusal.step) {
			json_string("refused_at", answer.refusal.step);
			json_string("error", strerror(answer.refusal.error));
			json_number("errno", answer.refusal.error);
		}
		json_number("bytes_taken", answer.refusal.bytes);
		json_open("log", '[');
		for (i = 0; i < answer.lines; i++)
			json_string(NULL, answer.log[i]);
		json_close(']');
	}
	json_bool("stream_good", answer.findings.good);
	if (*answer.findings.problem)
		json_string("stream_problem", answer.findings.problem);
	if (answer.findings.mismatch)
		json_string("device_mismatch", answer.findings.mismatch);
	json_close('}');
	json_end();
}

/* Opens a file that is read twice; what can't be rewound is copied. */
static FILE *input_spool(const char *name)
{
	static char buf[CHUNK];
	FILE *file, *copy;
	size_t len;

	file = strcmp(name, "-") ? fopen(name, "re") : stdin;
	if (!file) {
		complain("%s: %s", name, strerror(errno));
		return NULL;
	}
	if (!fseek(file, 0, SEEK_SET))
		return file;
	copy = tmpfile();
	while (copy && !ferror(copy) &&
	       (len = fread(buf, 1, sizeof(buf), file)))
		fwrite(buf, 1, len, copy);
	if (!copy || ferror(copy) || fflush(copy) || ferror(file)) {
		complain("%s: can't be copied: %s", name, strerror(errno));
		if (copy)
			fclose(copy);
		copy = NULL;
	}
	fclose(file);
	return copy;
}

/* Resets the device; afterwards it has to be RUNNING. */
static bool reset_to_running(struct device *dev)
{
	uint32_t state = VFIO_DEVICE_STATE_ERROR;
	int error = device_reset(dev);

	if (!error)
		error = device_get_state(dev, &state);
	if (error)
		refused(dev, "the reset after the check", error);
	else if (state != VFIO_DEVICE_STATE_RUNNING)
		complain("%s: is %s after a reset", dev->id.name,
			 vfio_mig_fsm_state_name(state));
	return !error && state == VFIO_DEVICE_STATE_RUNNING;
}

static struct device_limits device_limits(const struct device *dev)
{
	struct device_limits limits = {
		.vectors = device_msix_vectors(dev),
	};
	unsigned int vendor, device;

	if (sscanf(dev->id.ids, "%x:%x", &vendor, &device) == 2)
		limits.pci_id = device << 16 | vendor;
	return limits;
}

int command_check(char **operands, const struct options *options)
{
	struct device_limits limits;
	int status = EXIT_REFUSED;
	struct device dev;
	uint32_t flags;
	FILE *file;

	file = input_spool(operands[1]);
	if (!file)
		return EXIT_REFUSED;
	if (!open_for_migration(&dev, operands[0], options, &flags))
		goto out_file;
	catch_signals();

	limits = device_limits(&dev);
	stream_judge(file, &limits, &answer.findings);
	if (lseek(fileno(file), 0, SEEK_SET)) {
		complain("%s: %s", operands[1], strerror(errno));
		goto out_device;
	}
	answer.yes = try_to_load(&dev, fileno(file));
	device_kernel_log(&dev, keep_kernel_line);
	if (!reset_to_running(&dev) || interrupted())
		goto out_device;

	if (options->json)
		answer_json(dev.id.name);
	else
		answer_text(dev.id.name);
	status = answer.yes ? EXIT_OK : EXIT_REFUSED;
out_device:
	device_close(&dev);
out_file:
	fclose(file);
	return status;
}
