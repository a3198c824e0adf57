// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records which process opened a group or a device last, so that messages can
 * name it when another process has to wait.  The open file may outlive that
 * process: in a child, in a process that received the file, or in a mapping of
 * a BAR, which tools cannot find by file name.
 */
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "private.h"

void vfio_opener_init(struct vfio_opener *opener)
{
	spin_lock_init(&opener->lock);
}

void vfio_opener_set(struct vfio_opener *opener)
{
	char comm[TASK_COMM_LEN];

	get_task_comm(comm, current->group_leader);
	spin_lock(&opener->lock);
	strscpy(opener->comm, comm, sizeof(opener->comm));
	opener->pid = task_tgid_nr(current);
	spin_unlock(&opener->lock);
}

const char *vfio_opener_name(struct vfio_opener *opener,
			     char name[VFIO_OPENER_NAME])
{
	spin_lock(&opener->lock);
	scnprintf(name, VFIO_OPENER_NAME, "%s (%d)", opener->comm, opener->pid);
	spin_unlock(&opener->lock);
	return name;
}
