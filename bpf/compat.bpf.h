/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One accessor for each thing that kernels since 5.10, or processors, do differently. */
#pragma once

#include "vmlinux_min.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct tty_struct___flat {
	struct pid *pgrp;
} __attribute__((preserve_access_index));

/* "tty: cumulate and document tty_struct::ctrl* members" (5.14) moved pgrp into tty->ctrl. `tty`
 * is one that the verifier knows the type of. */
static __always_inline __u32 foreground_pgrp(struct tty_struct *tty)
{
	struct tty_struct___flat *flat = (void *)tty;
	struct pid *pgrp;

	if (bpf_core_field_exists(flat->pgrp))
		pgrp = flat->pgrp;
	else
		pgrp = tty->ctrl.pgrp;
	return pgrp ? BPF_CORE_READ(pgrp, numbers[0].nr) : 0;
}

/*
 * What a finished system call was and its first three arguments. The first must survive in a
 * register of its own: arm64 returns the result in x0.
 */
#if defined(__TARGET_ARCH_x86)
enum {
	NR_WRITE = 1,
	NR_WRITEV = 20,
	NR_SENDFILE = 40,
	NR_SPLICE = 275,
	NR_PWRITEV2 = 328,
};
#define SYSCALL_NR(regs)   ((__u32)(regs)->orig_ax)
#define SYSCALL_ARG1(regs) ((regs)->di)
#define SYSCALL_ARG2(regs) ((regs)->si)
#define SYSCALL_ARG3(regs) ((regs)->dx)
#elif defined(__TARGET_ARCH_arm64)
enum {
	NR_WRITE = 64,
	NR_WRITEV = 66,
	NR_SENDFILE = 71,
	NR_SPLICE = 76,
	NR_PWRITEV2 = 287,
};
#define SYSCALL_NR(regs)   ((__u32)(regs)->syscallno)
#define SYSCALL_ARG1(regs) ((regs)->orig_x0)
#define SYSCALL_ARG2(regs) ((regs)->regs[1])
#define SYSCALL_ARG3(regs) ((regs)->regs[2])
#endif
