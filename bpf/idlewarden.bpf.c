// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs. Each only fetches its hook's arguments; what is done with them is in the headers.
 * Which of them are loaded is decided before loading ("?": none by itself).
 */
#include "vmlinux_min.h"
#include "sessions.bpf.h"
#include "syscalls.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The third argument's type is int up to 6.1 and size_t later; no call is longer than 2 KiB. */
SEC("?fentry/pty_write")
int BPF_PROG(fentry_pty_write, struct tty_struct *tty, const void *bytes, __u64 count)
{
	struct chunk chunk = {.bytes = bytes, .count = (__u32)count, .readable = true};

	return on_write(tty->driver->major, (__u64)tty, (__u64)tty->link, tty->index, &chunk);
}

SEC("?kprobe/pty_write")
int BPF_KPROBE(kprobe_pty_write, struct tty_struct *tty, const void *bytes, __u64 count)
{
	struct chunk chunk = {.bytes = bytes, .count = (__u32)count, .readable = true};

	return on_write(BPF_CORE_READ(tty, driver, major), (__u64)tty,
			(__u64)BPF_CORE_READ(tty, link), BPF_CORE_READ(tty, index), &chunk);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(tracepoint_sys_exit, struct pt_regs *regs, long result)
{
	return on_syscall_exit(regs, result);
}

SEC("?iter/task")
int iterate_leaders(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	return task ? write_leader(ctx->meta->seq, task) : 0;
}
