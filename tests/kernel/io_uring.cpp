// SPDX-License-Identifier: Apache-2.0
#include "kernel/io_uring.h"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "base/unique_fd.h"

namespace idlewarden::test {
namespace {

char* ring(int fd, std::size_t size, off_t offset) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

std::uint32_t& number(char* ring, std::uint32_t offset) {
  return *reinterpret_cast<std::uint32_t*>(ring + offset);
}

}  // namespace

Result<void> write_by_io_uring(int fd, char byte) {
  io_uring_params params{};
  const UniqueFd uring(static_cast<int>(syscall(SYS_io_uring_setup, 4, &params)));
  if (!uring) return fail_errno("io_uring_setup");
  const std::size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(std::uint32_t);
  const std::size_t cq_size = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
  const std::size_t sqes_size = params.sq_entries * sizeof(io_uring_sqe);
  char* sq = ring(uring.get(), sq_size, IORING_OFF_SQ_RING);
  char* cq = ring(uring.get(), cq_size, IORING_OFF_CQ_RING);
  auto* sqe = reinterpret_cast<io_uring_sqe*>(ring(uring.get(), sqes_size, IORING_OFF_SQES));
  if (sq == nullptr || cq == nullptr || sqe == nullptr) return fail_errno("mapping io_uring");

  *sqe = {};
  sqe->opcode = IORING_OP_WRITE;
  sqe->fd = fd;
  sqe->addr = reinterpret_cast<std::uint64_t>(&byte);
  sqe->len = 1;
  sqe->off = static_cast<std::uint64_t>(-1);
  number(sq, params.sq_off.array) = 0;
  std::atomic_ref(number(sq, params.sq_off.tail)).store(1, std::memory_order_release);
  const auto done =
      syscall(SYS_io_uring_enter, uring.get(), 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0);
  Result<void> result;
  if (done != 1) {
    result = fail_errno("io_uring_enter");
  } else if (const int res = reinterpret_cast<io_uring_cqe*>(cq + params.cq_off.cqes)->res;
             res != 1) {
    result = fail_errno("a write through io_uring", -res);
  }
  munmap(sq, sq_size);
  munmap(cq, cq_size);
  munmap(sqe, sqes_size);
  return result;
}

}  // namespace idlewarden::test
