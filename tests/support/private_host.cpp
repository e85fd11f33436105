// SPDX-License-Identifier: Apache-2.0
#include "support/private_host.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "support/confinement.h"

namespace idlewarden::test {
namespace fs = std::filesystem;
namespace {

std::string failed(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

void append(const std::string& file, const std::string& line) {
  std::ofstream out(file, std::ios::app);
  out << line;
  if (!out.flush()) throw std::runtime_error("cannot write " + file);
}

}  // namespace

std::string enter_private_host() {
  if (::geteuid() != 0) return "needs root";
  if (::unshare(CLONE_NEWNS) != 0) return failed("unshare(CLONE_NEWNS)");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return failed("making the mounts private");
  }
  // Where a daemon that is no child of this process has to see them, they are folders that it can
  // see too; and so are the test's own.
  const std::string shared = confining_unit() ? shared_place() : "";
  if (!shared.empty()) ::setenv("TMPDIR", "/run", 1);
  for (const std::string empty : {"/run", "/home"}) {
    fs::create_directories(empty);
    if (!shared.empty()) fs::create_directories(shared + empty);
    const int mounted =
        shared.empty()
            ? ::mount("tmpfs", empty.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
            : ::mount((shared + empty).c_str(), empty.c_str(), nullptr, MS_BIND, nullptr);
    if (mounted != 0) return failed("mounting over " + empty);
  }
  // The copy is made on the new /run, then laid over /etc.
  const std::string copy = (shared.empty() ? "/run" : shared) + "/etc";
  std::error_code error;
  fs::copy("/etc", copy,
           fs::copy_options::recursive | fs::copy_options::copy_symlinks |
               fs::copy_options::skip_existing,
           error);
  if (error) return "copying /etc: " + error.message();
  if (::mount(copy.c_str(), "/etc", nullptr, MS_BIND, nullptr) != 0) {
    return failed("mounting over /etc");
  }
  fs::create_directories("/run/sshd");  // sshd's privilege separation directory
  return {};
}

void write_host_file(const std::string& path, std::string_view content) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << content;
  if (!out.flush()) throw std::runtime_error("cannot write " + path);
}

Account add_account(const std::string& name) {
  static int next_uid = 47100;
  const int uid = next_uid++;
  const std::string id = std::to_string(uid);
  const Account account{name, "/home/" + name};
  append("/etc/passwd", name + ":x:" + id + ":" + id + "::" + account.home + ":/bin/bash\n");
  append("/etc/group", name + ":x:" + id + ":\n");
  append("/etc/shadow", name + ":*:19000:0:99999:7:::\n");
  fs::create_directories(account.home + "/.ssh");
  for (const std::string& path : {account.home, account.home + "/.ssh"}) {
    if (::chown(path.c_str(), static_cast<uid_t>(uid), static_cast<gid_t>(uid)) != 0) {
      throw std::system_error(errno, std::generic_category(), "chown " + path);
    }
  }
  return account;
}

}  // namespace idlewarden::test
