/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One body for every hook: bytes that were written to a pty's master are input, bytes written to
 * its slave are output. Content is looked at only to tell a terminal's replies from a person, and
 * is never kept.
 */
#pragma once

#include "maps.bpf.h"

/* Documentation/admin-guide/devices.txt: Unix98 pty masters and slaves. */
#define PTY_MASTER_MAJOR 128
#define PTY_SLAVE_MAJOR	 136
#define PTY_MAJORS	 8
#define is_master(major) ((__u32)(major)-PTY_MASTER_MAJOR < PTY_MAJORS)
#define is_slave(major)	 ((__u32)(major)-PTY_SLAVE_MAJOR < PTY_MAJORS)

#define ESC	     0x1b
#define REPLY_BUFFER 128 /* more than IDLEWARDEN_REPLY_MAX, a power of two */

/*
 * Tells the verifier, in the register that is used next, what is known of a value already: the
 * compiler may have checked a copy of it. `size` is a power of two.
 */
#define BOUND(value, size) asm volatile("%0 &= %1" : "+r"(value) : "i"((size)-1))

const volatile __u8 reply_next[IDLEWARDEN_REPLY_STATES * 256] = {};

/* One call of a tty's write operation, or one system call that ended in it. */
struct chunk {
	const void *bytes;
	__u32 count;
	bool in_user_memory;
	bool readable; /* whether `bytes` is known at all */
};

static __always_inline bool copy_chunk(__u8 *to, __u64 count, const struct chunk *chunk)
{
	if (chunk->in_user_memory)
		return !bpf_probe_read_user(to, count, chunk->bytes);
	return !bpf_probe_read_kernel(to, count, chunk->bytes);
}

static __always_inline bool is_only_replies(const struct chunk *chunk)
{
	__u8 bytes[REPLY_BUFFER] = {};
	__u32 state = IDLEWARDEN_REPLY_START;
	__u64 count = chunk->count;
	__u64 cell;
	__u32 i;

	if (!ignore_replies || !chunk->readable)
		return false;
	if (count < IDLEWARDEN_REPLY_MIN || count > IDLEWARDEN_REPLY_MAX)
		return false;
	if (!copy_chunk(bytes, 1, chunk) || bytes[0] != ESC)
		return false;
	BOUND(count, REPLY_BUFFER);
	if (!copy_chunk(bytes, count, chunk))
		return false;
	for (i = 0; i < IDLEWARDEN_REPLY_MAX; i++) {
		if (i >= count)
			break;
		cell = state << 8 | bytes[i];
		BOUND(cell, sizeof(reply_next));
		state = reply_next[cell];
	}
	return state == IDLEWARDEN_REPLY_START;
}

static __always_inline void on_input(__u64 slave, __u32 index, const struct chunk *chunk)
{
	struct idlewarden_activity *record = record_of(slave, index);

	if (!record)
		return;
	if (is_only_replies(chunk)) {
		record->last_reply_ns = bpf_ktime_get_boot_ns();
		record->replies++;
		return;
	}
	record->last_input_ns = bpf_ktime_get_boot_ns();
	record->inputs++;
	record->writer_tgid = bpf_get_current_pid_tgid() >> 32;
}

/* The daemon's own messages on a tty are not the session's output. */
static __always_inline void on_output(__u64 slave, __u32 index)
{
	struct idlewarden_activity *record;

	if (own_tgid == bpf_get_current_pid_tgid() >> 32)
		return;
	record = record_of(slave, index);
	if (record)
		record->last_output_ns = bpf_ktime_get_boot_ns();
}

/* `tty` was written to; `link` is its other end. */
static __always_inline int on_write(__u32 major, __u64 tty, __u64 link, __u32 index,
				    const struct chunk *chunk)
{
	if (!chunk->count)
		return 0;
	if (is_master(major))
		on_input(link, index, chunk);
	else if (record_output && is_slave(major))
		on_output(tty, index);
	return 0;
}
