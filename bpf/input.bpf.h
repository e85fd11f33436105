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
#define PERSON	     0	 /* the automaton's state that is never left */
#define REPLY_PIECE  128 /* so many bytes are looked at at a time, a power of two */
#define REPLY_BUFFER 256 /* the next one */

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

static __always_inline bool copy(__u8 *to, __u64 count, __u64 from, bool in_user_memory)
{
	if (in_user_memory)
		return !bpf_probe_read_user(to, count, (const void *)from);
	return !bpf_probe_read_kernel(to, count, (const void *)from);
}

/* Neither branches, which the verifier would follow both ways for each byte. */
static __always_inline __u64 is_whole(__u64 state) /* 1 or 0 */
{
	__u64 other = state ^ IDLEWARDEN_REPLY_START;

	asm volatile("%0 += -1; %0 >>= 63" : "+r"(other));
	return other;
}
static __always_inline __u64 piece_of(__u64 left) /* the smaller of it and REPLY_PIECE */
{
	__u64 missing = REPLY_PIECE - left;
	__u64 mask = missing;

	asm volatile("%0 s>>= 63" : "+r"(mask));
	return left + (missing & mask);
}

static __always_inline __u64 read_replies(__u64 from, __u32 count, __u32 state, bool in_user_memory)
{
	__u8 bytes[REPLY_BUFFER] = {};
	__u64 whole = 0;
	__u64 left;
	__u64 cell;
	__u32 i;

	for (i = 0; i < IDLEWARDEN_REPLY_MAX; i++) {
		if (i >= count)
			break;
		if (i % REPLY_PIECE == 0) {
			left = piece_of(count - i);
			BOUND(left, REPLY_BUFFER);
			if (!copy(bytes, left, from + i, in_user_memory))
				return PERSON;
		}
		cell = state << 8 | bytes[i % REPLY_PIECE];
		BOUND(cell, sizeof(reply_next));
		state = reply_next[cell];
		if (state == PERSON)
			return PERSON;
		whole += is_whole(state);
	}
	return whole << 8 | state;
}

/*
 * The automaton's state after `count` bytes, at most IDLEWARDEN_REPLY_MAX, and, from bit 8 on, how
 * many replies they ended. Functions of their own, and not static, so that the verifier looks at
 * each once and not on every way here.
 */
__noinline __u64 read_replies_of_kernel(__u64 from, __u32 count, __u32 state)
{
	return read_replies(from, count, state, false);
}
__noinline __u64 read_replies_of_user(__u64 from, __u32 count, __u32 state)
{
	return read_replies(from, count, state, true);
}

/* A window gets the focus and loses it in turn; a key can come twice. */
static __always_inline bool is_focus(const __u8 *head, __u32 count)
{
	return count == IDLEWARDEN_REPLY_MIN && head[0] == ESC && head[1] == '[' &&
	       (head[2] == 'I' || head[2] == 'O');
}

/*
 * Replies that come fast are cut anywhere on their way. A write may end in the middle of one if
 * that is no key's beginning for certain: after two whole ones, or after the rest of the one that
 * was cut before. The next write goes on from there, and has to bring the end of it.
 */
static __always_inline bool is_only_replies(struct idlewarden_activity *record,
					    const struct chunk *chunk)
{
	__u32 carried = record->reply_state;
	__u8 head[IDLEWARDEN_REPLY_MIN];
	__u32 last_focus;
	__u64 result;
	__u32 state;

	if (carried)
		record->reply_state = 0;
	if (!ignore_replies || !chunk->readable || chunk->count > IDLEWARDEN_REPLY_MAX)
		return false;
	if (!carried) {
		if (chunk->count < IDLEWARDEN_REPLY_MIN)
			return false;
		if (!copy(head, sizeof(head), (__u64)chunk->bytes, chunk->in_user_memory) ||
		    head[0] != ESC)
			return false;
		if (is_focus(head, chunk->count)) {
			last_focus = record->last_focus;
			record->last_focus = head[2];
			return last_focus && last_focus != head[2];
		}
	}
	state = carried ?: IDLEWARDEN_REPLY_START;
	if (chunk->in_user_memory)
		result = read_replies_of_user((__u64)chunk->bytes, chunk->count, state);
	else
		result = read_replies_of_kernel((__u64)chunk->bytes, chunk->count, state);
	state = result & 0xff;
	if (state == PERSON || state == IDLEWARDEN_REPLY_START)
		return state != PERSON;
	if (result >> 8 < (carried ? 1 : 2))
		return false;
	record->reply_state = state;
	return true;
}

static __always_inline void on_input(__u64 slave, __u32 index, const struct chunk *chunk)
{
	struct idlewarden_activity *record = record_of(slave, index);

	if (!record)
		return;
	if (is_only_replies(record, chunk)) {
		record->last_reply_ns = bpf_ktime_get_boot_ns();
		record->replies++;
		return;
	}
	record->last_input_ns = bpf_ktime_get_boot_ns();
	record->inputs++;
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
