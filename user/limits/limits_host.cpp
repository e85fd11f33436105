// SPDX-License-Identifier: Apache-2.0
#include "limits/limits_host.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"

namespace idlewarden {
namespace {

bool through_sshd(Kind kind) {
  return kind == Kind::ssh || kind == Kind::ssh_nopty;
}

// logind knows sessions that PAM opened on a tty; dropbear and mosh open theirs without it.
bool through_logind(Kind kind) {
  switch (kind) {
    case Kind::ssh:
    case Kind::telnet:
    case Kind::console:
    case Kind::serial: return true;
    case Kind::ssh_nopty:
    case Kind::mosh:
    case Kind::dropbear: return false;
  }
  std::unreachable();
}

SshdConnection connection_of(const Subject& subject) {
  SshdConnection connection;
  connection.user = subject.user;
  connection.groups = subject.groups;
  connection.host = subject.host;
  connection.address = subject.address;
  connection.local_address = subject.local_address;
  connection.local_port = subject.local_port;
  return connection;
}

// An error in the place of a source.
LimitSource note(Origin origin, const Error& error, const std::string& consequence) {
  Error bare = error;
  bare.where = {};
  LimitSource source;
  source.origin = origin;
  source.where = error.where;
  source.reason = bare.text() + consequence;
  return source;
}

constexpr const char* kKept = "; the reading from before holds";

// What a file said that can no longer be read goes on to hold.
void keep_unreadable(const ShellTimeouts& before, ShellTimeouts& now) {
  for (const Error& error : now.problems) {
    for (LimitSource source : before.in_force) {
      if (source.where.file != error.where.file || source.where.file.empty()) continue;
      source.reason = "the file can no longer be read" + std::string(kKept);
      now.in_force.push_back(std::move(source));
    }
  }
}

}  // namespace

Root HostReadings::root_of(const Subject& subject) const {
  const std::string& tree = subject.sshd.root;
  return through_sshd(subject.kind) && tree != "/" ? Root(tree) : root_;
}

void HostReadings::problem(const Error& error) {
  const std::string text = error.text();
  if (std::ranges::none_of(problems_, [&](const Error& e) { return e.text() == text; })) {
    problems_.push_back(error);
  }
}

void HostReadings::read_sshd(const SshdKey& key, SshdReading& reading) {
  const auto& [tree, file, options] = key;
  auto config = SshdConfig::load(Root(tree), file, options);
  reading.read = true;
  if (config) {
    reading.good = std::move(*config);
    reading.error.reset();
    return;
  }
  reading.error = config.error();
  // A host without sshd is no fault; one whose sshd_config went away is.
  const bool never_there =
      reading.error->code == ENOENT && reading.error->where.file == file && !reading.good;
  if (!never_there) problem(*reading.error);
}

void HostReadings::read_logind(const std::string& tree, LogindReading& reading) {
  LogindTimes now = logind_times(Root(tree));
  for (const Error& error : now.problems) problem(error);
  if (reading.read && !now.problems.empty()) {
    now.stop_idle_session = reading.last.stop_idle_session;
    now.overruled = reading.last.overruled;
  }
  reading.last = std::move(now);
  reading.read = true;
}

void HostReadings::add_sshd(const Subject& subject, std::vector<LimitSource>& into) {
  const SshdKey key{root_of(subject).directory(), subject.sshd.config_file, subject.sshd.options};
  SshdReading& reading = sshd_[key];
  if (!reading.read) read_sshd(key, reading);
  if (reading.good) {
    std::ranges::move(reading.good->limits(connection_of(subject), subject.kind),
                      std::back_inserter(into));
  }
  if (reading.error) {
    into.push_back(note(Origin::sshd_config, *reading.error, reading.good ? kKept : ""));
  }
}

void HostReadings::add_shell(const Subject& subject, std::vector<LimitSource>& into) {
  const std::string tree = root_of(subject).directory();
  ShellReading& reading = shells_[{tree, subject.uid, subject.home, subject.shell}];
  if (!reading.fresh) {
    ShellTimeouts now = shell_timeouts(
        Root(tree), {.uid = subject.uid, .home = subject.home, .shell = subject.shell});
    for (const Error& error : now.problems) {
      // Users may do with their own files what they like; that is no news for the host's log.
      const bool own = !subject.home.empty() && error.where.file.starts_with(subject.home + "/");
      if (!own) problem(error);
    }
    keep_unreadable(reading.last, now);
    reading.last = std::move(now);
    reading.fresh = true;
  }
  std::ranges::copy(reading.last.in_force, std::back_inserter(into));
  std::ranges::copy(reading.last.overruled, std::back_inserter(into));
  for (const Error& error : reading.last.problems) {
    into.push_back(note(Origin::tmout, error, ""));
  }
}

void HostReadings::add_logind(const Subject& subject, std::vector<LimitSource>& into) {
  const std::string tree = root_of(subject).directory();
  LogindReading& reading = logind_[tree];
  if (!reading.read) read_logind(tree, reading);
  if (reading.last.stop_idle_session) into.push_back(*reading.last.stop_idle_session);
  std::ranges::copy(reading.last.overruled, std::back_inserter(into));
  for (const Error& error : reading.last.problems) {
    into.push_back(note(Origin::logind, error, reading.last.stop_idle_session ? kKept : ""));
  }
}

std::vector<LimitSource> HostReadings::sources(const Subject& subject, const Policy& policy) {
  std::vector<LimitSource> found;
  if (policy.derive_sshd_config && through_sshd(subject.kind)) add_sshd(subject, found);
  if (policy.derive_tmout && subject.kind != Kind::ssh_nopty) add_shell(subject, found);
  if (policy.derive_logind && through_logind(subject.kind)) add_logind(subject, found);
  return found;
}

void HostReadings::reload() {
  // The trees of containers that are gone take their readings with them.
  const auto gone = [](const std::string& tree) { return !Root(tree).is_directory("/"); };
  sshd_.erase_if([&](const SshdKey& key) { return gone(std::get<0>(key)); });
  shells_.erase_if([&](const ShellKey& key) { return gone(std::get<0>(key)); });
  logind_.erase_if(gone);
  sshd_.for_each([&](const SshdKey& key, SshdReading& reading) { read_sshd(key, reading); });
  logind_.for_each(
      [&](const std::string& tree, LogindReading& reading) { read_logind(tree, reading); });
  shells_.for_each([](const ShellKey&, ShellReading& reading) { reading.fresh = false; });
}

std::set<std::string> HostReadings::files() {
  std::set<std::string> all;
  const auto add = [&](const std::string& tree, const std::vector<std::string>& files) {
    for (const std::string& file : files) all.insert(tree == "/" ? file : tree + file);
  };
  sshd_.for_each([&](const SshdKey& key, const SshdReading& reading) {
    add(std::get<0>(key), {std::get<1>(key)});
    if (!reading.good) return;
    add(std::get<0>(key), reading.good->files());
    add(std::get<0>(key), reading.good->folders());
  });
  shells_.for_each([&](const ShellKey& key, const ShellReading& reading) {
    add(std::get<0>(key), reading.last.files);
  });
  logind_.for_each([&](const std::string& tree, const LogindReading& reading) {
    add(tree, reading.last.files);
  });
  return all;
}

}  // namespace idlewarden
