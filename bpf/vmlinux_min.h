/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types, as far as they are read: only the fields that are named here, found in the
 * running kernel by name (CO-RE), so neither order nor offset nor the fields between them matter.
 * The guard's name is what bpf_tracing.h looks for to use the kernel's register names.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
enum {
	false = 0,
	true = 1,
};

/* uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
};
#define BPF_F_MMAPABLE (1U << 10)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long bp, bx, ax, cx, dx, si, di, orig_ax, ip, sp;
	unsigned long r8, r9, r10;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
};
struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
};
#else
#error "which registers a system call's arguments are in is known for x86-64 and arm64"
#endif

/* Processes */
typedef struct {
	int counter;
} atomic_t;
typedef struct {
	__u32 val;
} kuid_t;
struct upid {
	int nr;
};
struct pid {
	struct upid numbers[1];
};
struct kernfs_node {
	__u64 id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};
struct cred {
	kuid_t uid;
};
struct signal_struct {
	atomic_t live;
	struct tty_struct *tty;
	int leader;
};
struct task_struct {
	int pid;
	int tgid;
	__u64 start_boottime;
	struct task_struct *real_parent;
	struct signal_struct *signal;
	struct files_struct *files;
	const struct cred *cred;
	kuid_t loginuid;
	unsigned int sessionid;
	struct css_set *cgroups;
};

/* Files */
struct super_block {
	__u32 s_dev;
};
struct dentry {
	struct super_block *d_sb;
};
struct inode {
	__u32 i_rdev;
};
struct file {
	struct inode *f_inode;
	void *private_data;
};
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct {
	struct fdtable *fdt;
};
struct iovec {
	void *iov_base;
	unsigned long iov_len;
};

/* Terminals */
struct tty_driver {
	int major;
	int minor_start;
};
struct tty_ldisc_ops {
	int num;
};
struct tty_ldisc {
	struct tty_ldisc_ops *ops;
};
struct tty_buffer {
	int used;
};
struct tty_bufhead {
	struct tty_buffer *tail;
};
struct tty_port {
	struct tty_bufhead buf;
};
struct n_tty_data {
	unsigned long read_head;
};
struct tty_struct {
	struct tty_driver *driver;
	int index;
	struct tty_ldisc *ldisc;
	struct tty_struct *link;
	void *disc_data;
	void *driver_data;
	struct tty_port *port;
	struct {
		struct pid *pgrp;
	} ctrl;
};
struct tty_file_private {
	struct tty_struct *tty;
};

/* The task iterator's context */
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

#endif
