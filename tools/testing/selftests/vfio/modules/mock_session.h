/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data sessions of the mock devices, for mock_main.c.
 */
#ifndef MOCK_SESSION_H
#define MOCK_SESSION_H

#include <linux/fs.h>
#include <linux/types.h>

#include "vfio_mock.h"

struct mock_session;

void mock_session_init(void);

/*
 * Opens a session for @state and returns its file.  @running: the device is not
 * stopped yet.  The caller gets one reference in *session, the file has
 * another.
 */
struct file *mock_session_begin(const struct mock_state *state, bool saving,
				bool running, struct mock_session **session);

/*
 * The device has stopped, so that all of the stream can be read, or runs again.
 */
void mock_session_set_running(struct mock_session *session, bool running);

/* A session for loading: 0, or -EINVAL if not all has been written. */
int mock_session_check(struct mock_session *session);

/* Ends the session: its file returns ENODEV.  Drops the caller's reference. */
void mock_session_end(struct mock_session *session);

#endif
