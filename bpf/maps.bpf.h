/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where input is recorded, and which record belongs to a tty. */
#pragma once

#include "compat.bpf.h"
#include <idlewarden/abi.h>

/* Set before the program is loaded. */
const volatile __u32 own_tgid = 0;
const volatile bool record_output = false;
const volatile bool ignore_replies = false;

/* By pts number; max_entries is set from kernel.pty.max before the program is loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, IDLEWARDEN_MAX_PTS);
	__type(key, __u32);
	__type(value, struct idlewarden_activity);
} activity SEC(".maps");

/* By the slave's address: for what the array has no place for. Preallocated, never evicts. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, IDLEWARDEN_MAX_OVERFLOW);
	__type(key, __u64);
	__type(value, struct idlewarden_activity);
} overflow SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct idlewarden_meta);
} meta SEC(".maps");

/* The record that is claimed for this very tty, or NULL: a pts number alone is no identity. */
static __always_inline struct idlewarden_activity *record_of(__u64 slave, __u32 index)
{
	struct idlewarden_activity *record;
	struct idlewarden_meta *state;
	__u32 zero = 0;

	record = bpf_map_lookup_elem(&activity, &index);
	if (record && record->tty == slave)
		return record;
	state = bpf_map_lookup_elem(&meta, &zero);
	if (!state || !state->overflow_entries)
		return NULL;
	return bpf_map_lookup_elem(&overflow, &slave);
}
