/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of a migration state without knowing the device: its data
 * session, and which sets of VFIO_MIGRATION_* flags a device may have.  For
 * vfio.ko, the migration library and, in user space, vfio-mig.  The library
 * runs on the vfio.ko of Linux 6.12 as well, so these are inline functions.
 */
#ifndef VFIO_MIG_STATES_H
#define VFIO_MIG_STATES_H

#include <linux/vfio.h>

/* How many states there are; their numbers begin at 0 */
#define VFIO_MIG_STATES		(VFIO_DEVICE_STATE_PRE_COPY_P2P + 1)

/* The data session of a device in a state */
enum vfio_mig_session_kind {
	VFIO_MIG_NO_SESSION,
	/*
	 * The user reads the device's state.  PRE_COPY, PRE_COPY_P2P and
	 * STOP_COPY share one session.
	 */
	VFIO_MIG_SAVING,
	/* The user writes a state to be loaded: RESUMING. */
	VFIO_MIG_LOADING,
};

/**
 * vfio_mig_session_kind - which data session a device in a state has
 * @state: a state; another number counts as a state without a session
 *
 * Return: the kind of session.
 */
static inline enum vfio_mig_session_kind
vfio_mig_session_kind(unsigned int state)
{
	switch (state) {
	case VFIO_DEVICE_STATE_STOP_COPY:
	case VFIO_DEVICE_STATE_PRE_COPY:
	case VFIO_DEVICE_STATE_PRE_COPY_P2P:
		return VFIO_MIG_SAVING;
	case VFIO_DEVICE_STATE_RESUMING:
		return VFIO_MIG_LOADING;
	default:
		return VFIO_MIG_NO_SESSION;
	}
}

/**
 * vfio_mig_flags_legal - may a device have these migration flags?
 * @flags: VFIO_MIGRATION_*
 *
 * Return: 1 if STOP_COPY is among them and no flag is unknown, else 0.
 */
static inline int vfio_mig_flags_legal(unsigned int flags)
{
	unsigned int known = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
			     VFIO_MIGRATION_PRE_COPY;

	return (flags & VFIO_MIGRATION_STOP_COPY) && !(flags & ~known);
}

#endif /* VFIO_MIG_STATES_H */
