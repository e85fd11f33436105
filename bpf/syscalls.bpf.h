/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a tty's write operation cannot be hooked: the finished system calls that end in one. */
#pragma once

#include "input.bpf.h"

#define KERNEL_MAJOR(dev) ((dev) >> 20)
#define TTY_DEVICE	  (5U << 20)	 /* /dev/tty */
#define PTMX_DEVICE	  (5U << 20 | 2) /* /dev/ptmx and every devpts mount's ptmx */

/* The tty behind a descriptor of the current process if writing to it can matter, or NULL. */
static __always_inline struct tty_struct *tty_of(__u32 fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct tty_file_private *private;
	struct file **files;
	struct file *file = NULL;
	__u32 device;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	files = BPF_CORE_READ(table, fd);
	if (bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file)
		return NULL;
	device = BPF_CORE_READ(file, f_inode, i_rdev);
	if (device != PTMX_DEVICE &&
	    !(record_output && (device == TTY_DEVICE || is_slave(KERNEL_MAJOR(device)))))
		return NULL;
	private = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(private, tty);
}

static __always_inline int on_syscall_exit(struct pt_regs *regs, long result)
{
	struct chunk chunk = {.count = result, .in_user_memory = true};
	struct tty_struct *tty;
	__u32 fd;

	if (result <= 0)
		return 0;
	switch (SYSCALL_NR(regs)) {
	case NR_WRITE:
		chunk.bytes = (const void *)SYSCALL_ARG2(regs);
		chunk.readable = true;
		fd = SYSCALL_ARG1(regs);
		break;
	case NR_WRITEV:
	case NR_PWRITEV2:
	case NR_SENDFILE:
		fd = SYSCALL_ARG1(regs);
		break;
	case NR_SPLICE:
		fd = SYSCALL_ARG3(regs);
		break;
	default:
		return 0;
	}
	tty = tty_of(fd);
	if (!tty)
		return 0;
	return on_write(BPF_CORE_READ(tty, driver, major), (__u64)tty,
			(__u64)BPF_CORE_READ(tty, link), BPF_CORE_READ(tty, index), &chunk);
}
