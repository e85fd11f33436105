/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records that the BPF programs and the daemon share. Fixed width, no padding, same layout on
 * every kernel; a change of any of them is a new IDLEWARDEN_ABI, and pinned state of another ABI is
 * never read. All times are nanoseconds of CLOCK_BOOTTIME (bpf_ktime_get_boot_ns); 0 is "never".
 */
#ifndef IDLEWARDEN_ABI_H
#define IDLEWARDEN_ABI_H

#ifdef __cplusplus
#include <linux/types.h>
#define IDLEWARDEN_ASSERT static_assert
#else
#define IDLEWARDEN_ASSERT _Static_assert
#endif

#define IDLEWARDEN_ABI	 1
#define IDLEWARDEN_MAGIC 0x69646c6577617264ULL /* "idleward" */

/* The array's greatest size; a pts number beyond it uses the overflow map. */
#define IDLEWARDEN_MAX_PTS	65536
#define IDLEWARDEN_MAX_OVERFLOW 4096

/*
 * Input of this many bytes that begins with ESC may be nothing but a terminal's replies. The
 * automaton that decides is a table, [state][byte] -> next state, which the daemon fills in before
 * the program is loaded; in state 0, and so with an empty table, a person typed. The kernel hands
 * a longer write to a pty in pieces of 2048 bytes. Reports of focus, ESC [ I and ESC [ O, are PgUp
 * and F3 on an SCO keyboard: a write of exactly one is a reply if the last one was the other.
 */
#define IDLEWARDEN_REPLY_MIN	3
#define IDLEWARDEN_REPLY_MAX	2048
#define IDLEWARDEN_REPLY_STATES 32
#define IDLEWARDEN_REPLY_START	1 /* nothing but whole replies so far */

/*
 * When a person last typed on one tty. The daemon claims a record by writing `tty` last; a program
 * stamps only a record that is claimed for the very tty that it sees.
 */
struct idlewarden_activity {
	__u64 tty; /* address of the slave's tty_struct; 0: free */
	__u64 last_input_ns;
	__u64 last_output_ns; /* only where the daemon asked for it */
	__u64 last_reply_ns;  /* the terminal answered a question by itself */
	__u64 inputs;	      /* how many writes that were input; wraps */
	__u64 replies;	      /* how many that were only replies */
	__u64 claimed_ns;     /* since when all of this is recorded; input before it is unknown */
	__u32 last_focus;     /* the last report of focus, 'I' or 'O'; 0: none yet */
	__u32 reply_state;    /* of the automaton, in the middle of a reply; else 0 */
};
IDLEWARDEN_ASSERT(sizeof(struct idlewarden_activity) == 64, "one cache line");

#define IDLEWARDEN_RECORDS_OUTPUT  1 /* last_output_ns */
#define IDLEWARDEN_RECORDS_REPLIES 2 /* a terminal's replies, as input */

/* What the pinned state is, and whether the overflow map is worth a look. */
struct idlewarden_meta {
	__u64 magic;
	__u32 abi;
	__u32 record_size;
	__u32 overflow_entries;
	__u32 recorded; /* IDLEWARDEN_RECORDS_*: what the records were asked to tell beyond keys */
	__u32 reserved[10];
};
IDLEWARDEN_ASSERT(sizeof(struct idlewarden_meta) == 64, "one cache line");

/* One session leader, as the task iterator reports it. */
struct idlewarden_leader {
	__u64 start_ns;	 /* task->start_boottime */
	__u64 tty;	 /* address of its controlling tty_struct; 0: none */
	__u64 read_head; /* n_tty_data.read_head: moves when the line discipline took input */
	__u64 flip;	 /* address of the tty_buffer that input last arrived in */
	__u64 cgroup_id; /* of the cgroup v2 hierarchy */
	__u32 tgid;
	__u32 parent_tgid;
	__u32 grandparent_tgid;
	__u32 foreground_pgrp; /* of the tty; 0: none */
	__u32 uid;
	__u32 loginuid;	     /* audit login uid; 4294967295: unset */
	__u32 audit_session; /* 4294967295: unset */
	__u32 tty_major;     /* of the tty's driver */
	__u32 tty_minor;     /* driver->minor_start + index */
	__u32 tty_index;     /* within the driver; for a pts its number */
	__u32 devpts_dev;    /* the devpts mount's device, kernel encoding (major << 20 | minor) */
	__u32 flip_used;     /* bytes that arrived in it */
	struct idlewarden_activity activity; /* of the tty, if claimed for it; else all 0 */
};
IDLEWARDEN_ASSERT(sizeof(struct idlewarden_leader) == 152, "no padding");

#endif
