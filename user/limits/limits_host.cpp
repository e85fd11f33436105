// SPDX-License-Identifier: Apache-2.0
#include "limits/limits_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <tuple>

#include "base/procfs.h"
#include "base/shortage.h"
#include "base/text.h"
#include "limits/shared_verdicts.h"

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

Login login_of(Kind kind) {
  switch (kind) {
    case Kind::ssh: return Login::ssh;
    case Kind::console:
    case Kind::serial: return Login::local;
    // Their servers are started, or pass variables on, in more ways than one.
    case Kind::ssh_nopty:
    case Kind::mosh:
    case Kind::dropbear:
    case Kind::telnet: return Login::unknown;
  }
  std::unreachable();
}

ShellUser shell_user(const Subject& subject) {
  ShellUser user{.uid = subject.uid,
                 .home = subject.home,
                 .shell = subject.shell,
                 .login = login_of(subject.kind),
                 .foreign = subject.foreign};
  if (user.login == Login::ssh) user.address = subject.address;
  // Whom the host does not know goes by a number, and so do their groups.
  if (subject.user == std::to_string(subject.uid)) return user;
  user.name = subject.user;
  user.gid = subject.gid;
  user.groups = subject.groups;
  return user;
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

// Of readings that many sessions share, so many are looked through for one that says the same.
constexpr std::size_t kMostShared = 16;

bool same(const Error& a, const Error& b) {
  return a.what == b.what && a.where == b.where && a.hint == b.hint && a.code == b.code;
}
bool same(const ShellTimeouts& a, const ShellTimeouts& b) {
  const auto equal = [](const auto& x, const auto& y) {
    return std::ranges::equal(x, y, [](const auto& i, const auto& k) { return same(i, k); });
  };
  return equal(a.in_force, b.in_force) && equal(a.overruled, b.overruled) &&
         equal(a.problems, b.problems) && a.readonly == b.readonly && a.exported == b.exported &&
         a.at_most == b.at_most && a.home_is_silent == b.home_is_silent;
}
bool same(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return a == b;
}
bool same(const LogindTimes& a, const LogindTimes& b) {
  const auto equal = [](const auto& x, const auto& y) {
    return std::ranges::equal(x, y, [](const auto& i, const auto& k) { return same(i, k); });
  };
  return a.stop_idle_session.has_value() == b.stop_idle_session.has_value() &&
         (!a.stop_idle_session || same(*a.stop_idle_session, *b.stop_idle_session)) &&
         equal(a.overruled, b.overruled) && equal(a.problems, b.problems);
}

// The one of `shared` that says the same as `value`, which is it from now on if there is none.
template <class T>
std::shared_ptr<const T> shared(std::vector<std::shared_ptr<const T>>& all, T value) {
  const auto found =
      std::ranges::find_if(all, [&](const auto& known) { return same(*known, value); });
  if (found != all.end()) return *found;
  if (all.size() == kMostShared) all.erase(all.begin());
  return all.emplace_back(std::make_shared<const T>(std::move(value)));
}

std::uint64_t print_of(const Root& root, const std::string& home,
                       const std::vector<std::string>& systems,
                       const std::vector<std::string>& own) {
  std::uint64_t print = 1469598103934665603ULL;  // FNV-1a over the words
  const auto add = [&](std::uint64_t word) { print = (print ^ word) * 1099511628211ULL; };
  const auto add_file = [&](const std::string& path) {
    const FileStamp stamp = root.stamp(path);
    for (const std::int64_t word :
         {static_cast<std::int64_t>(stamp.device), static_cast<std::int64_t>(stamp.inode),
          stamp.size, static_cast<std::int64_t>(stamp.modified.count()),
          static_cast<std::int64_t>(stamp.changed.count())}) {
      add(static_cast<std::uint64_t>(word));
    }
  };
  for (const std::string& path : systems) add_file(path);
  for (const std::string& path : own) {
    add_file(path.starts_with('~') ? home + path.substr(1) : path);
  }
  return print;
}

constexpr const char* kKept = "; the reading from before holds";

std::unexpected<Error> incomplete(const std::string& file, int code) {
  auto error = fail_errno("cannot be read with all that belongs to it", code);
  error.error().where.file = file;
  return error;
}

constexpr const char* kOldSshd =
    "as sshd read it; the file has changed since, and sshd has not taken that for this connection";
constexpr const char* kNewSshd =
    "in the file now: for connections that sshd accepts after its next reload";
constexpr const char* kOldShell = "as it was at login; the file has changed since";
constexpr const char* kNewShell = "in the file now: for later logins";

bool says_same(const LimitSource& a, const LimitSource& b) {
  return a.where.file == b.where.file && a.text == b.text && a.limit == b.limit;
}

// What was kept from the beginning of a session, and what the files say now, if that is something
// else. A line that only moved is shown where it stands now.
void add_kept(std::vector<LimitSource> kept, std::vector<LimitSource> now, const char* old,
              const char* news, std::vector<LimitSource>& into) {
  for (LimitSource& source : kept) {
    const auto same = std::ranges::find_if(
        now, [&](const LimitSource& other) { return says_same(source, other); });
    if (same != now.end()) {
      into.push_back(std::move(*same));
      now.erase(same);
      continue;
    }
    source.reason += (source.reason.empty() ? "" : "; ") + std::string(old);
    into.push_back(std::move(source));
  }
  for (LimitSource& source : now) {
    if (!source.limit) continue;
    source.reason = fmt::format("{} s, {}", source.limit->count(), news);
    source.limit.reset();
    into.push_back(std::move(source));
  }
}

// They are shown; none of them is a limit.
void add_overruled(const std::vector<LimitSource>& overruled, std::vector<LimitSource>& into) {
  for (LimitSource source : overruled) {
    if (source.limit) source.reason = fmt::format("{} s, {}", source.limit->count(), source.reason);
    source.limit.reset();
    into.push_back(std::move(source));
  }
}

// A condition that was not decided may ask about the home that does not answer.
void take_no_doubtful_limit(const std::string& home, ShellTimeouts& timeouts) {
  for (LimitSource& source : std::exchange(timeouts.in_force, {})) {
    const bool in_any_case = timeouts.at_most && source.limit >= timeouts.at_most;
    const bool holds = !source.limit || !source.conditional || in_any_case;
    if (!holds) {
      source.reason = fmt::format("no limit: a file in {}, which did not answer, may exempt", home);
    }
    (holds ? timeouts.in_force : timeouts.overruled).push_back(std::move(source));
  }
}

// What was read later than at login says all that was read then. Of a home that was silent then
// the host's files say what they said, with its conditions decided, and only its own are news.
bool adds_to(const ShellTimeouts& later, const ShellTimeouts& then, const std::string& home) {
  const auto says = [](const ShellTimeouts& timeouts, const LimitSource& source) {
    return std::ranges::any_of(timeouts.in_force,
                               [&](const LimitSource& other) { return says_same(source, other); });
  };
  const auto was_doubtful = [&](const LimitSource& source) {
    return std::ranges::any_of(then.overruled, [&](const LimitSource& other) {
      return other.conditional && says_same(source, other);
    });
  };
  if (!then.home_is_silent) {
    return std::ranges::all_of(then.in_force,
                               [&](const auto& source) { return says(later, source); });
  }
  return std::ranges::all_of(then.in_force,
                             [&](const LimitSource& source) {
                               return source.conditional || says(later, source);
                             }) &&
         std::ranges::all_of(later.in_force, [&](const LimitSource& source) {
           return lies_in(source.where.file, home) || says(then, source) || was_doubtful(source);
         });
}

// What a file said that can no longer be read goes on to hold; what one in a silent home said is in
// doubt.
void keep_unread(const ShellTimeouts& before, const std::string& home, ShellTimeouts& now) {
  for (LimitSource source : before.in_force) {
    if (!now.unread.contains(source.where.file)) continue;
    if (now.home_is_silent && lies_in(source.where.file, home)) source.conditional = true;
    source.reason = "the file can no longer be read" + std::string(kKept);
    now.in_force.push_back(std::move(source));
  }
}

}  // namespace

Root HostReadings::root_of(const Subject& subject) const {
  const std::string& tree = subject.sshd.root;
  return through_sshd(subject.kind) && tree != "/" ? Root(tree) : root_;
}

template <class T>
std::optional<T> HostReadings::ask(const std::string& tree, std::invocable<Root> auto look) {
  if (tree == root_.directory()) return look(root_);
  return roots_.ask<T>(
      tree, [look = std::move(look)](const std::string& root) { return look(Root(root)); });
}

std::optional<Root> HostReadings::own_tree(const std::string& tree) {
  if (tree == root_.directory()) return root_;
  const auto own = roots_.own(tree);
  return own ? std::optional<Root>(*own) : std::nullopt;
}

void HostReadings::problem(const Error& error) {
  if (is_shortage(error.code)) {
    shortage_ = error;
    return;
  }
  const std::string text = error.text();
  if (std::ranges::none_of(problems_, [&](const Error& e) { return e.text() == text; })) {
    problems_.push_back(error);
  }
}

void HostReadings::read_sshd(const SshdKey& key, SshdReading& reading) {
  const auto& [tree, file, options] = key;
  ShortageWatch shortage;
  auto answer = ask<Result<SshdConfig>>(tree, [file = file, options = options](const Root& root) {
    return SshdConfig::load(root, file, options);
  });
  if (answer) ++readings_;
  const int code = shortage.take();
  // What a shortage may have kept back is read again when it is asked for next.
  reading.read = code == 0;
  auto config = answer ? *std::move(answer) : incomplete(file, code);
  if (config && code != 0) config = incomplete(file, code);
  if (config) {
    if (reading.error) ++changes_;
    reading.error.reset();
    // The sessions that keep a reading share it.
    if (!reading.good || *reading.good != *config) {
      reading.good = std::make_shared<const SshdConfig>(std::move(*config));
      ++changes_;
    }
    return;
  }
  if (!reading.error || !same(*reading.error, config.error())) ++changes_;
  reading.error = config.error();
  tell_sshd(key, reading);
}

// A container's tree goes with its processes, the host's does not.
bool HostReadings::has_gone(const std::string& tree) {
  if (own_tree(tree)) return false;
  const auto mode = ask<Result<mode_t>>(tree, [](const Root& root) { return root.mode("/"); });
  return mode && !*mode && is_gone(mode->error());
}

// A host without sshd is no fault, nor is a container that has gone. An sshd does not start without
// the file that it was told, so where there is none now it went away, or its name is not known.
void HostReadings::tell_sshd(const SshdKey& key, const SshdReading& reading) {
  const auto& [tree, file, options] = key;
  const Error& error = *reading.error;
  if (error.code == ENOENT && error.where.file == file) {
    const bool no_sshd = !reading.good && !reading.in_use && file == AcceptingSshd().config_file;
    if (no_sshd || has_gone(tree)) return;
  }
  problem(error);
}

// A running sshd goes by it.
void HostReadings::use_sshd(const SshdKey& key, SshdReading& reading) {
  if (std::exchange(reading.in_use, true)) return;
  if (reading.read && reading.error) tell_sshd(key, reading);
}

void HostReadings::read_logind(const std::string& tree, LogindReading& reading) {
  ShortageWatch shortage;
  auto answer = ask<LogindTimes>(tree, [](const Root& root) { return logind_times(root); });
  LogindTimes now;
  if (answer) {
    now = *std::move(answer);
    ++readings_;
  } else {
    now.files = reading.last.files;
  }
  const int code = shortage.take();
  if (now.problems.empty() && code != 0) {
    now.problems.push_back(incomplete("/etc/systemd/logind.conf", code).error());
  }
  for (const Error& error : now.problems) problem(error);
  // At first it is as with logind itself, which goes by what is left of its files; but what a
  // shortage has kept back may say otherwise.
  reading.kept = !now.problems.empty() && (reading.ever || code != 0);
  if (reading.kept) {
    now.stop_idle_session = reading.last.stop_idle_session;
    now.overruled = reading.last.overruled;
  }
  if ((code == 0 && !reading.read) || !same(reading.last, now)) ++changes_;
  reading.last = std::move(now);
  reading.read = code == 0;
  reading.ever = reading.ever || reading.read;
}

HostReadings::SshdKey HostReadings::key_of(const AcceptingSshd& sshd) const {
  const Root root = sshd.root == "/" ? root_ : Root(sshd.root);
  return {root.directory(), sshd.config_file, sshd.options};
}

void HostReadings::learn(const AcceptingSshd& listener) {
  const SshdKey key = key_of(listener);
  // What cannot be used is not read again before it changes.
  SshdReading& now = sshd_[key];
  use_sshd(key, now);
  if (now.read && now.error) return;
  sshd_in_force(key, listener.reading);
}

// Who is the first to ask for a reading settles what it is: the files as they are at that moment,
// whether or not their change was noticed yet. While they cannot be read it is not settled.
HostReadings::SharedSshd HostReadings::sshd_in_force(const SshdKey& key, const std::string& name) {
  SshdReading& now = sshd_[key];
  if (name.empty()) return now.good;
  SharedSshd& known = in_force_[{key, name}];
  if (!known) {
    read_sshd(key, now);
    if (!now.read) return now.good;
    known = now.good;
  }
  return known;
}

void HostReadings::add_sshd(const Subject& subject, Seconds client_alive_floor,
                            std::vector<LimitSource>& into) {
  const SshdKey key = key_of(subject.sshd);
  SshdReading& now = sshd_[key];
  if (!subject.session.empty() && !subject.sshd.reading.empty()) use_sshd(key, now);
  if (!now.read) read_sshd(key, now);
  SharedSshd used = now.good;
  if (!subject.session.empty()) {
    SharedSshd& kept = kept_[subject.session].sshd;
    used = kept ? kept : sshd_in_force(key, subject.sshd.reading);
    if (now.read) kept = used;
  }
  const auto said_by = [&](const SharedSshd& config) {
    if (!config) return std::vector<LimitSource>();
    return config->limits(connection_of(subject), subject.kind, client_alive_floor,
                          subject.channel);
  };
  if (used && used != now.good) {
    add_kept(said_by(used), said_by(now.good), kOldSshd, kNewSshd, into);
  } else if (used) {
    std::ranges::move(said_by(used), std::back_inserter(into));
  }
  if (now.error) into.push_back(note(Origin::sshd_config, *now.error, now.good ? kKept : ""));
}

// Out of what was read.
void HostReadings::ShellLook::take_files(const std::string& home) {
  const auto take = [&](std::vector<std::string>& from, std::vector<std::string>& others) {
    for (std::string& file : std::exchange(from, {})) {
      const bool in_home = lies_in(file, home);
      if (in_home && (file + '/').starts_with(home + '/')) file.replace(0, home.size(), "~");
      (in_home ? own_files : others).push_back(std::move(file));
    }
  };
  take(now->files, systems_files);
  take(now->users_files, own_files);
}

// On a thread of its own: a home may lie on a server that does not answer, and a user's lines may
// name any path there is.
std::optional<HostReadings::ShellLook> HostReadings::look_at_shell(const ShellKey& key,
                                                                   const ShellReading& reading) {
  const auto look = [user = key.second, known = reading,
                     scripts = scripts_](const Root& root) -> ShellLook {
    const std::string& home = user.home;
    ShortageWatch shortage;
    ShellLook look;
    if (known.last) {
      look.stamps = print_of(root, home, *known.systems_files, *known.own_files);
      if (known.fresh && look.stamps == known.stamps) return look;
    }
    look.now = shell_timeouts(root, user, *scripts);
    look.take_files(home);
    // Only where other files than before were looked at are there no stamps from before.
    if (!known.last || *known.systems_files != look.systems_files ||
        *known.own_files != look.own_files) {
      look.stamps = print_of(root, home, look.systems_files, look.own_files);
    }
    look.shortage = shortage.take();
    return look;
  };
  const auto& [tree, user] = key;
  // One that was silent is asked again and again and may be slow on purpose: less for it.
  return homes_.ask<ShellLook>(
      tree + user.home, [look, root = own_tree(tree).value_or(Root(tree))] { return look(root); },
      reading.silent ? kPatienceAgain : kPatience);
}

// What the host's own files say, whatever may lie in the home. If they do not answer either,
// nothing for now: a limit that nobody has read is none, and is read as soon as it can be.
HostReadings::ShellLook HostReadings::look_without_home(const std::string& tree, ShellUser user) {
  user.home_is_silent = true;
  const auto look_in = [user](const Root& root) { return shell_timeouts(root, user); };
  const auto own = own_tree(tree);
  auto read = own ? without_homes_.ask<ShellTimeouts>(
                        kPatience, [look_in, root = *own] { return look_in(root); })
                  : ask<ShellTimeouts>(tree, look_in);
  ShellLook look;
  look.unread = !read;
  look.now = read ? *std::move(read) : ShellTimeouts{};
  take_no_doubtful_limit(user.home, *look.now);
  look.take_files(user.home);
  return look;
}

void HostReadings::read_shell(const ShellKey& key, ShellReading& reading) {
  const auto& [tree, user] = key;
  const std::string& home = user.home;
  if (reading.fresh && batch_ != 0 && reading.batch == batch_) return;
  reading.batch = batch_;
  auto look = look_at_shell(key, reading);
  reading.silent = !look;
  if (!look) {
    // What was read before holds for as long as the host's own files are the same.
    const bool known = std::exchange(reading.fresh, true) && reading.last && !reading.unread;
    if (known) return;
    look = look_without_home(tree, user);
    look->now->problems.push_back(
        {.what = "does not answer, so no file in it is looked at", .where = {home}, .hint = {}});
  }
  if (!look->now) return;
  if (look->unread) problem(fail_errno("the shells' files do not answer", ETIMEDOUT).error());
  if (!look->unread) ++readings_;
  for (std::size_t i = 0; i < look->now->problems.size(); ++i) {
    const Error& error = look->now->problems[i];
    // Users may do with their own files, and what those name, what they like; that is no news for
    // the host's log.
    const bool own = i >= look->now->systems_problems || lies_in(error.where.file, home);
    if (!own) problem(error);
  }
  if (reading.last) keep_unread(*reading.last, home, *look->now);
  if (keep_shell(reading, *std::move(look))) ++changes_;
}

// True if what they say is something else than before.
bool HostReadings::keep_shell(ShellReading& reading, ShellLook look) {
  reading.systems_files = shared(shared_names_, std::move(look.systems_files));
  reading.own_files = shared(shared_names_, std::move(look.own_files));
  reading.stamps = look.stamps;
  reading.fresh = look.shortage == 0;
  reading.unread = look.unread;
  const SharedShell before =
      std::exchange(reading.last, shared(shared_shells_, *std::move(look.now)));
  return before && before != reading.last;
}

void HostReadings::end_batch() {
  batch_ = 0;
  scripts_->clear();  // megabytes, and the next login may be hours away
}

void HostReadings::add_shell(const Subject& subject, std::vector<LimitSource>& into) {
  const ShellKey key{root_of(subject).directory(), shell_user(subject)};
  shells_.set_most(std::max(kMostShells, kept_.size() + 1));
  ShellReading& now = shells_[key];
  Kept* const kept = subject.session.empty() ? nullptr : &kept_[subject.session];
  const bool for_login = kept != nullptr && !kept->shell_is_whole;  // as its shell does
  if (!now.fresh || now.silent || for_login) read_shell(key, now);
  if (for_login) {
    // One from before its home fell silent is no reading of this login's.
    const bool is_logins = !now.unread && (!now.silent || now.last->home_is_silent);
    // What is not known of a home now adds nothing to what is not known of it since the login.
    const bool adds =
        !kept->shell || (!now.silent && adds_to(*now.last, *kept->shell, subject.home));
    if (is_logins && adds) {
      kept->shell = now.last;
    } else if (!kept->shell && now.silent && !now.unread) {
      ShellLook look = look_without_home(key.first, key.second);
      if (!look.unread) kept->shell = shared(shared_shells_, *std::move(look.now));
    }
    kept->shell_is_whole = now.fresh && !now.unread && !now.silent && !has_gone(key.first);
  }
  const SharedShell used = kept != nullptr && kept->shell ? kept->shell : now.last;
  if (used != now.last) {
    add_kept(used->in_force, now.last->in_force, kOldShell, kNewShell, into);
  } else {
    std::ranges::copy(used->in_force, std::back_inserter(into));
  }
  add_overruled(used->overruled, into);
  for (const Error& error : used->problems) {
    into.push_back(note(Origin::tmout, error, ""));
  }
}

void HostReadings::add_logind(const Subject& subject, std::vector<LimitSource>& into) {
  const std::string tree = root_of(subject).directory();
  LogindReading& reading = logind_[tree];
  if (!reading.read) read_logind(tree, reading);
  if (reading.last.stop_idle_session) into.push_back(*reading.last.stop_idle_session);
  add_overruled(reading.last.overruled, into);
  for (const Error& error : reading.last.problems) {
    const bool from_before = reading.kept && reading.last.stop_idle_session;
    into.push_back(note(Origin::logind, error, from_before ? kKept : ""));
  }
}

std::vector<LimitSource> HostReadings::sources(const Subject& subject, const Policy& policy) {
  std::vector<LimitSource> found;
  if (policy.derive_sshd_config && through_sshd(subject.kind))
    add_sshd(subject, policy.client_alive_floor, found);
  if (policy.derive_tmout && subject.kind != Kind::ssh_nopty) add_shell(subject, found);
  if (policy.derive_logind && through_logind(subject.kind)) add_logind(subject, found);
  return found;
}

void HostReadings::reload() {
  problems_.clear();  // what is still wrong is found again
  // The trees of containers that are gone take their readings with them.
  std::map<std::string, bool> known;
  const auto gone = [&](const std::string& tree) {
    const auto [at, is_new] = known.try_emplace(tree);
    if (is_new) at->second = has_gone(tree);
    return at->second;
  };
  sshd_.erase_if([&](const SshdKey& key) { return gone(std::get<0>(key)); });
  shells_.erase_if([&](const ShellKey& key) { return gone(key.first); });
  logind_.erase_if(gone);
  sshd_.for_each([&](const SshdKey& key, SshdReading& reading) { read_sshd(key, reading); });
  logind_.for_each(
      [&](const std::string& tree, LogindReading& reading) { read_logind(tree, reading); });
  shells_.for_each([](const ShellKey&, ShellReading& reading) { reading.fresh = false; });
}

std::vector<std::string> HostReadings::files() {
  std::vector<std::string> all;
  std::set<std::string> known;
  const auto add = [&](const std::string& tree, const std::string& file) {
    std::string path = tree == "/" ? file : tree + file;
    if (known.insert(path).second) all.push_back(std::move(path));
  };
  sshd_.for_each([&](const SshdKey& key, const SshdReading& reading) {
    const std::string& tree = std::get<0>(key);
    add(tree, std::get<1>(key));
    if (reading.error && !reading.error->where.file.empty()) add(tree, reading.error->where.file);
    if (!reading.good) return;
    for (const std::string& file : reading.good->files()) add(tree, file);
    for (const std::string& folder : reading.good->folders()) add(tree, folder);
  });
  logind_.for_each([&](const std::string& tree, const LogindReading& reading) {
    for (const std::string& file : reading.last.files) add(tree, file);
  });
  std::set<std::pair<std::string, SharedNames>> added;
  shells_.for_each([&](const ShellKey& key, const ShellReading& reading) {
    const std::string& tree = key.first;
    if (!added.emplace(tree, reading.systems_files).second) return;
    for (const std::string& file : *reading.systems_files) add(tree, file);
  });
  return all;
}

}  // namespace idlewarden
