// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The usual way to see a terminal's use, as bcc's tools are written: a hook on tty_write and one on
 * tty_read, whatever tty it is, and a hash that is keyed by the tty. Only to compare with.
 */
// clang-format off: the types come first
#include "../../bpf/vmlinux_min.h"
// clang-format on
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct kiocb {
  struct file* ki_filp;
} __attribute__((preserve_access_index));

struct use {
  __u64 written_ns;
  __u64 read_ns;
  __u64 writes;
  __u64 reads;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8192);
  __type(key, __u64);
  __type(value, struct use);
} uses SEC(".maps");

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline int stamp(struct kiocb* iocb, bool write) {
  struct tty_file_private* private = BPF_CORE_READ(iocb, ki_filp, private_data);
  __u64 tty = (__u64)BPF_CORE_READ(private, tty);
  struct use none = {};
  struct use* use = bpf_map_lookup_elem(&uses, &tty);

  if (!use) {
    bpf_map_update_elem(&uses, &tty, &none, 0 /* BPF_ANY */);
    use = bpf_map_lookup_elem(&uses, &tty);
    if (!use) return 0;
  }
  if (write) {
    use->written_ns = bpf_ktime_get_boot_ns();
    use->writes++;
  } else {
    use->read_ns = bpf_ktime_get_boot_ns();
    use->reads++;
  }
  return 0;
}

SEC("?fentry/tty_write")
int BPF_PROG(written_fentry, struct kiocb* iocb) {
  return stamp(iocb, true);
}
SEC("?fexit/tty_read")
int BPF_PROG(read_fentry, struct kiocb* iocb) {
  return stamp(iocb, false);
}
SEC("?kprobe/tty_write")
int BPF_KPROBE(written_kprobe, struct kiocb* iocb) {
  return stamp(iocb, true);
}
SEC("?kprobe/tty_read")
int BPF_KPROBE(read_kprobe, struct kiocb* iocb) {
  return stamp(iocb, false);
}
