// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks whether a device would load a state.
 *
 * The state is not loaded: the driver would, for instance, take the guest's MAC
 * address, while the guest may be running elsewhere.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../drivers/vfio/mig_fsm.h"
#include "commands.h"
#include "device.h"
#include "inspect.h"
#include "judge.h"
#include "pf.h"
#include "transfer.h"
#include "util.h"

/* The answer of check */
struct answer {
	bool asked;		/* the device could be opened */
	bool yes;
	struct reasons why;	/* it could not, or what else is in the way */
	struct pf pf;
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
		return transfer_load(dev, in, &progress, &answer.refusal);
	return transfer_in(dev, in, answer.findings.end, &progress,
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
	if (answer.refusal.step)
		printf("  kernel: %s: %s, after %llu bytes\n",
		       answer.refusal.step, strerror(answer.refusal.error),
		       (unsigned long long)answer.refusal.bytes);
	for (i = 0; !answer.yes && i < answer.lines; i++)
		printf("  log:    %s\n", answer.log[i]);
	if (*answer.findings.problem)
		printf("  stream: %s\n", answer.findings.problem);
	if (answer.findings.mismatch)
		printf("  device: %s\n", answer.findings.mismatch);
	reasons_text(&answer.why);
	pf_text(&answer.pf);
}

static void refusal_json(void)
{
	unsigned int i;

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

static void findings_json(void)
{
	json_bool("stream_good", answer.findings.good);
	if (*answer.findings.problem)
		json_string("stream_problem", answer.findings.problem);
	if (answer.findings.mismatch)
		json_string("device_mismatch", answer.findings.mismatch);
}

static void answer_json(const char *device)
{
	json_open(NULL, '{');
	json_number("schema", JSON_SCHEMA);
	json_string("device", device);
	json_bool("loads", answer.yes);
	if (answer.asked) {
		if (!answer.yes)
			refusal_json();
		findings_json();
	}
	reasons_json(&answer.why);
	pf_json(&answer.pf);
	json_close('}');
	json_end();
}

/* Opens a file that is read twice; what can't be rewound is copied. */
static FILE *input_spool(const char *name)
{
	static char buf[TRANSFER_CHUNK];
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
		transfer_refused(dev, "the reset after the check", error);
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

/* Prints nothing if the answer is not known. */
static bool ask_device(struct device *dev, FILE *file, const char *name)
{
	struct device_limits limits = device_limits(dev);

	catch_signals();
	stream_judge(file, &limits, &answer.findings);
	if (lseek(fileno(file), 0, SEEK_SET)) {
		complain("%s: %s", name, strerror(errno));
		return false;
	}
	answer.asked = true;
	answer.yes = try_to_load(dev, fileno(file));
	device_kernel_log(dev, keep_kernel_line);
	return reset_to_running(dev) && !interrupted();
}

/* The device could not be asked: an answer for programs, messages for others. */
static void not_asked(const struct device *dev, const struct options *options,
		      const char *operand)
{
	if (options->json)
		answer_json(*dev->id.name ? dev->id.name : operand);
	else
		reasons_complain(&answer.why);
}

int command_check(char **operands, const struct options *options)
{
	int status = EXIT_REFUSED;
	struct device dev = {};
	uint32_t flags;
	FILE *file;

	file = input_spool(operands[1]);
	if (!file)
		return EXIT_REFUSED;
	if (!transfer_open(&dev, operands[0], options->token, &flags,
			   &answer.why)) {
		not_asked(&dev, options, operands[0]);
		goto out_file;
	}
	if (ask_device(&dev, file, operands[1])) {
		pf_read(&answer.pf, dev.id.name);
		judge_pf(&dev.id, &answer.pf, &answer.why);
		if (options->json)
			answer_json(dev.id.name);
		else
			answer_text(dev.id.name);
		status = answer.yes ? EXIT_OK : EXIT_REFUSED;
	}
	device_close(&dev);
out_file:
	fclose(file);
	return status;
}
