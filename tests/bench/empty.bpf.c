// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The floor: what it costs that there is any program at the hook. It needs no header. */
#define SEC(name) __attribute__((section(name), used))

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("?fentry/pty_write")
int empty_fentry(void* ctx) {
  return 0;
}

SEC("?kprobe/pty_write")
int empty_kprobe(void* ctx) {
  return 0;
}
