/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The session table: one row for each living session leader, with or without a tty. */
#pragma once

#include "input.bpf.h"

#define N_TTY	 0 /* uapi/linux/tty.h; only this line discipline's data is an n_tty_data */
#define UNSET_ID 0xffffffffU

/*
 * What the verifier knows the type of is loaded directly (it reads 0 where a pointer is bad), which
 * costs a few instructions where a probe read costs a call; so only what a void pointer leads to is
 * probed.
 */
static __always_inline void add_line_discipline(struct idlewarden_leader *row,
						struct tty_struct *tty)
{
	struct n_tty_data *data;

	if (!tty->ldisc || tty->ldisc->ops->num != N_TTY)
		return;
	data = tty->disc_data;
	if (data)
		row->read_head = BPF_CORE_READ(data, read_head);
}

static __always_inline void add_tty(struct idlewarden_leader *row, struct tty_struct *tty)
{
	struct idlewarden_activity *record;
	struct tty_buffer *buffer;
	struct dentry *dentry;

	row->tty = (__u64)tty;
	row->tty_major = tty->driver->major;
	row->tty_index = tty->index;
	row->tty_minor = tty->driver->minor_start + row->tty_index;
	row->foreground_pgrp = foreground_pgrp(tty);
	/* The buffer that the next byte goes to: the writer itself moves it, not a worker. */
	buffer = tty->port->buf.tail;
	row->flip = (__u64)buffer;
	row->flip_used = buffer->used;
	add_line_discipline(row, tty);
	if (!is_slave(row->tty_major))
		return;
	/* A pts keeps its devpts entry here (pty_unix98_install). */
	dentry = tty->driver_data;
	row->devpts_dev = BPF_CORE_READ(dentry, d_sb, s_dev);
	record = record_of(row->tty, row->tty_index);
	if (record)
		row->activity = *record;
}

static __always_inline int write_leader(struct seq_file *seq, struct task_struct *task)
{
	struct idlewarden_leader row = {.loginuid = UNSET_ID, .audit_session = UNSET_ID};
	struct signal_struct *signal;
	struct tty_struct *tty;

	if (task->pid != task->tgid)
		return 0;
	signal = task->signal;
	/* The dead are leaders until they are reaped. */
	if (!signal->leader || signal->live.counter == 0)
		return 0;
	row.tgid = task->tgid;
	row.parent_tgid = task->real_parent->tgid;
	row.grandparent_tgid = task->real_parent->real_parent->tgid;
	row.start_ns = task->start_boottime;
	/* Where BTF has __rcu, the verifier takes this pointer for one that may be NULL. */
	row.uid = BPF_CORE_READ(task, cred, uid.val);
	if (bpf_core_field_exists(task->loginuid)) {
		row.loginuid = task->loginuid.val;
		row.audit_session = task->sessionid;
	}
	row.cgroup_id = task->cgroups->dfl_cgrp->kn->id;
	tty = signal->tty;
	if (tty)
		add_tty(&row, tty);
	bpf_seq_write(seq, &row, sizeof(row));
	return 0;
}
