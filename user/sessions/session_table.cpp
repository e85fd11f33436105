// SPDX-License-Identifier: Apache-2.0
#include "sessions/session_table.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "base/shortage.h"
#include "sessions/console.h"
#include "sessions/no_pty.h"
#include "sessions/resolver.h"

namespace idlewarden {
namespace {

// Names read per update beyond those of new foreground process groups, so that an exec inside a
// group is noticed too: on most hosts all of them every time, and a bounded cost on the others.
constexpr std::size_t kNamesPerUpdate = 64;

// So long a leader may outlive its logind session. Its processes are being ended then; after that
// it is judged as one that logind does not know.
constexpr Nanoseconds kAfterLogind = Seconds(5);

SessionId id_of(const Leader& leader) {
  return {leader.pid, leader.start, leader.tty ? leader.tty->address : 0};
}

// Whether a name and a password are typed into the tty itself before the session begins.
bool asks_on_the_tty(Kind kind) {
  switch (kind) {
    case Kind::ssh:
    case Kind::ssh_nopty:
    case Kind::mosh:
    case Kind::dropbear: return false;
    case Kind::telnet:
    case Kind::console:
    case Kind::serial: return true;
  }
  std::unreachable();
}

// How long it takes at most until a process has become what it will be: an sshd the command of its
// channel, a connection on which nothing runs yet one with a shell. What is still the same after
// this time is taken for what it is.
constexpr Nanoseconds kSettled = Seconds(3);
// A leader that loses its tty has mostly been hung up, and is about to end.
constexpr Nanoseconds kSettledWithoutTty = Seconds(60);

// A leader, whatever it turned out to be.
struct Entry {
  Resolver::Standing standing = Resolver::Standing::not_yet;
  std::uint64_t seen = 0;      // number of the update that saw it last
  bool untouched = false;      // certainly not typed in since its start
  bool name_settled = false;   // the foreground group had time to exec before its name was read
  Session* session = nullptr;  // in SessionTable::sessions_, while it is one
  std::unique_ptr<LogindClues> clues;    // once it was found to be one of this host's
  std::uint64_t logind_seen = 0;         // the version that it was last compared with
  bool barred = false;                   // by the class that logind had for it then
  std::optional<BootTime> not_before{};  // logind removed it
  BootTime found{};                      // when it was seen first
  std::optional<BootTime> unresolved{};  // since when it cannot be told what it is
  bool had_tty = false;                  // is without the one that it had
  // Of an sshd that was started for a connection: who serves the one who has logged in there (0:
  // not known yet), and since when nothing runs on it.
  pid_t serves = 0;
  std::optional<BootTime> bare_since{};
};

// It stays what it was at first, but what looks like a command may be on its way to sftp, by way of
// another program.
void read_channel(const Procfs& procfs, Session& session) {
  if (session.channel != Channel::unknown && session.channel != Channel::command) return;
  auto name = procfs.comm(session.id.leader);
  if (!name || (session.channel == Channel::command && *name == session.channel_name)) return;
  const Channel now = channel_of(procfs, session.id.leader);
  if (now != Channel::unknown) session.channel_name = std::move(*name);
  if (session.channel == Channel::unknown || now == Channel::sftp) session.channel = now;
}

// A group whose leader is gone (`producer | less`) keeps the name that it had.
void read_name(const Procfs& procfs, Session& session) {
  if (!session.has_tty() && session.id.leader != session.host) {
    session.foreground = command_name(procfs, session.id.leader);
    read_channel(procfs, session);
  }
  if (session.foreground_pgrp <= 0) return;
  if (auto name = procfs.comm(session.foreground_pgrp)) session.foreground = std::move(*name);
}

}  // namespace

struct SessionTable::Impl {
  Impl(Procfs p, const Clock& c, SessionScope s, const LogindSessions* l)
      : procfs(p), clock(c), logind(l), resolver(std::move(p), std::move(s)) {}

  std::optional<Session> admit(const Leader& leader, BootTime scanned, Entry& entry);
  std::optional<Session> admit_no_pty(const Leader& leader, BootTime scanned, Entry& entry);
  std::optional<Session> admit_bare(BootTime scanned, Entry& entry);
  std::optional<Session> behind_sshd(const SessionId& id, pid_t host, BootTime scanned,
                                     Entry& entry);
  WallTime wall_of(BootTime at) const {
    return clock.wall() - std::chrono::duration_cast<WallTime::duration>(clock.now() - at);
  }
  bool may_be_admitted(const Entry& entry, BootTime scanned) const;
  bool logind_lets(const Entry& entry, BootTime scanned) const;
  bool known_to_logind(Session& session, Entry& entry, BootTime scanned) const;
  bool ask_logind(Session& session, Entry& entry, BootTime scanned) const;
  bool logind_ended(Entry& entry, BootTime scanned) const;
  bool is_over(const Leader& leader, BootTime scanned, Entry& entry);
  void follow_foreground(const Leader& leader, Entry& entry) const;
  static bool enter(std::map<SessionId, Session>& sessions, Entry& entry, Session&& session);
  void rotate(std::map<SessionId, Session>& sessions, BootTime scanned);
  // Whether the leader of this entry, which has no tty, is known with one.
  bool had_tty(std::map<SessionId, Entry>::const_iterator entry) const {
    const auto next = std::next(entry);  // a key without a tty comes before those with one
    return next != entries.end() && next->first.same_leader(entry->first);
  }

  Procfs procfs;
  const Clock& clock;
  const LogindSessions* logind;
  Resolver resolver;
  std::map<SessionId, Entry> entries;
  std::optional<BootTime> previous_scan;
  std::uint64_t updates = 0;
  SessionId last_named;  // where the rotation goes on
};

// The session that this leader turns out to be, if it is one now.
std::optional<Session> SessionTable::Impl::admit(const Leader& leader, BootTime scanned,
                                                 Entry& entry) {
  // Started since the scan before, and its line discipline's buffer was never filled: nobody typed.
  // A flush empties that buffer too, hence the first condition: it bounds what one could hide.
  entry.untouched = entry.untouched && leader.no_input_yet;
  Session session;
  const BootTime since = entry.unresolved.value_or(scanned);
  const auto standing = resolver.resolve(leader, scanned, scanned - since >= kSettled, session);
  entry.unresolved = standing ? std::nullopt : std::optional(since);
  if (!standing) return std::nullopt;
  entry.standing = *standing;
  if (*standing != Resolver::Standing::session) return std::nullopt;
  session.id = id_of(leader);
  session.tty = *leader.tty;
  if (!known_to_logind(session, entry, scanned)) {
    entry.standing = Resolver::Standing::not_yet;
    return std::nullopt;
  }
  session.login = asks_on_the_tty(session.kind) ? login_at(procfs, leader, scanned) : leader.start;
  session.started = wall_of(session.login);
  const bool from_start = entry.untouched && !asks_on_the_tty(session.kind);
  session.clock_start = from_start ? leader.start : scanned;
  return session;
}

// The session of a leader without a tty, if it turns out to be one now.
std::optional<Session> SessionTable::Impl::admit_no_pty(const Leader& leader, BootTime scanned,
                                                        Entry& entry) {
  using What = NoPtyPart::What;
  const auto part = resolver.no_pty_part(leader);
  if (!part) return std::nullopt;
  const Nanoseconds seen_for = scanned - entry.found;
  switch (part->what) {
    case What::not_yet: return std::nullopt;
    case What::nothing:
    case What::listener:
      // Before its exec(2), an sshd that systemd starts is not one, and what a listener has forked
      // for a connection has its title.
      if (scanned - leader.start < kSettled) return std::nullopt;
      if (part->what == What::listener) resolver.add_listener(leader.pid);
      entry.standing = Resolver::Standing::never;
      return std::nullopt;
    case What::connection:
      entry.serves = part->host;
      entry.standing = Resolver::Standing::never;
      return std::nullopt;
    case What::channel: break;
  }
  if (part->is_sshd && seen_for < kSettled) return std::nullopt;
  if (entry.had_tty && seen_for < kSettledWithoutTty) return std::nullopt;
  return behind_sshd(id_of(leader), part->host, scanned, entry);
}

// A connection on which nothing runs, after it was like that for a while.
std::optional<Session> SessionTable::Impl::admit_bare(BootTime scanned, Entry& entry) {
  if (!entry.bare_since) entry.bare_since = scanned;
  if (scanned - *entry.bare_since < kSettled) return std::nullopt;
  const auto stat = procfs.stat(entry.serves);
  if (!stat || stat->ended()) return std::nullopt;
  return behind_sshd({entry.serves, from_start_ticks(stat->start_ticks), 0}, entry.serves, scanned,
                     entry);
}

std::optional<Session> SessionTable::Impl::behind_sshd(const SessionId& id, pid_t host,
                                                       BootTime scanned, Entry& entry) {
  Session session;
  const auto standing = resolver.resolve_no_pty(id.leader, host, scanned, session);
  if (!standing) return std::nullopt;
  entry.standing = *standing;
  if (*standing == Resolver::Standing::not_yet && entry.serves != 0) {
    entry.standing = Resolver::Standing::never;  // the leader itself, that is
  } else if (*standing != Resolver::Standing::session) {
    entry.serves = 0;
  }
  if (*standing != Resolver::Standing::session) return std::nullopt;
  session.id = id;
  if (id.leader == session.host) session.channel = Channel::none;
  if (!known_to_logind(session, entry, scanned)) {
    entry.standing = entry.serves != 0 ? Resolver::Standing::never : Resolver::Standing::not_yet;
    return std::nullopt;
  }
  session.login = id.start;
  session.started = wall_of(session.login);
  session.clock_start = entry.untouched ? id.start : scanned;
  return session;
}

bool SessionTable::Impl::may_be_admitted(const Entry& entry, BootTime scanned) const {
  return entry.standing == Resolver::Standing::not_yet && logind_lets(entry, scanned);
}

bool SessionTable::Impl::logind_lets(const Entry& entry, BootTime scanned) const {
  if (entry.not_before && scanned < *entry.not_before) return false;
  return !entry.barred || entry.logind_seen != logind->version();
}

// Whether what is a session, if it is one, is none any more.
bool SessionTable::Impl::is_over(const Leader& leader, BootTime scanned, Entry& entry) {
  if (entry.session == nullptr) return false;
  const auto reached = leader.tty ? keyboard_reaches(procfs, *leader.tty) : true;
  if (!reached) resolver.tell_of_keyboard(reached.error());
  const bool out_of_reach = !reached.value_or(true);
  // The kernel gave the tty that the leader took since the very memory of the one before.
  const bool another_tty = leader.tty && *leader.tty != entry.session->tty;
  if (another_tty) entry.untouched = false;
  // A command that its connection has left behind is nobody's.
  const bool orphaned = !leader.tty && entry.serves == 0 && leader.parent != entry.session->host;
  if (out_of_reach || another_tty) entry.standing = Resolver::Standing::not_yet;
  if (orphaned) entry.standing = Resolver::Standing::never;
  return out_of_reach || another_tty || orphaned || logind_ended(entry, scanned);
}

bool SessionTable::Impl::logind_ended(Entry& entry, BootTime scanned) const {
  if (logind == nullptr || !entry.clues || entry.logind_seen == logind->version()) return false;
  if (ask_logind(*entry.session, entry, scanned)) return false;
  entry.standing = Resolver::Standing::not_yet;
  return true;
}

// The first time: as ask_logind().
bool SessionTable::Impl::known_to_logind(Session& session, Entry& entry, BootTime scanned) const {
  const ShortageWatch shortage;
  auto clues = std::make_unique<LogindClues>(logind_clues(procfs, session.id.leader, session.host));
  // Its class may be one that is nobody's login; the next scan asks again.
  if (shortage.noted() != 0) return false;
  // A container's logins are not this host's logind's, even if it runs in the scope of one.
  if (!session.container.empty()) return true;
  entry.clues = std::move(clues);
  return ask_logind(session, entry, scanned);
}

// Takes over what logind says of it. False: that it is no session (any more).
bool SessionTable::Impl::ask_logind(Session& session, Entry& entry, BootTime scanned) const {
  if (logind == nullptr) return true;
  const ShortageWatch shortage;
  const LogindSession* found = session.logind_session ? logind->find(*session.logind_session)
                                                      : logind->of(procfs, *entry.clues);
  // Whose leader does not answer may be the one all the same: it stays as it is until the next
  // scan.
  if (shortage.noted() != 0) return entry.session != nullptr;
  entry.logind_seen = logind->version();
  if (found == nullptr && session.logind_session) {
    entry.not_before = scanned + kAfterLogind;
    return false;
  }
  entry.barred = found != nullptr && !is_login_class(found->kind);
  if (found == nullptr || entry.barred) return !entry.barred;
  session.logind_session = found->id;
  session.logind_class = found->kind;
  session.logind_seat = found->seat;
  return true;
}

void SessionTable::Impl::follow_foreground(const Leader& leader, Entry& entry) const {
  Session& session = *entry.session;
  const bool same_group = leader.foreground_pgrp == session.foreground_pgrp;
  if (same_group && entry.name_settled) return;
  // A job is a process group before it execs its program, so its name is read a second time.
  entry.name_settled = same_group;
  if (!same_group) session.foreground.clear();
  session.foreground_pgrp = leader.foreground_pgrp;
  read_name(procfs, session);
}

// Of two that claim one connection (anybody may call themselves sshd) the first has it.
bool SessionTable::Impl::enter(std::map<SessionId, Session>& sessions, Entry& entry,
                               Session&& session) {
  const SessionId id = session.id;
  const auto [place, is_new] = sessions.try_emplace(id, std::move(session));
  if (is_new) entry.session = &place->second;
  if (!is_new && entry.serves == 0) entry.standing = Resolver::Standing::not_yet;
  return is_new;
}

void SessionTable::Impl::rotate(std::map<SessionId, Session>& sessions, BootTime scanned) {
  auto next = sessions.upper_bound(last_named);
  for (std::size_t i = 0; i < std::min(kNamesPerUpdate, sessions.size()); ++i, ++next) {
    if (next == sessions.end()) next = sessions.begin();
    read_name(procfs, next->second);
    resolver.learn_account(next->second, scanned);
    last_named = next->first;
  }
}

SessionTable::SessionTable(Procfs procfs, const Clock& clock, SessionScope scope,
                           const LogindSessions* logind)
    : impl_(std::make_unique<Impl>(std::move(procfs), clock, std::move(scope), logind)) {}
SessionTable::~SessionTable() = default;

void SessionTable::hung_up(const SessionId& id) {
  impl_->entries.try_emplace(id);
}

const Session* SessionTable::find(const SessionId& id) const {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : &found->second;
}

std::vector<AcceptingSshd> SessionTable::listeners() {
  return impl_->resolver.found_listeners();
}

std::optional<std::vector<std::string>> SessionTable::groups_of(const Session& session) {
  return impl_->resolver.groups_of(session, impl_->clock.now());
}

SessionTable::Change SessionTable::update(const std::vector<Leader>& leaders, BootTime scanned) {
  Impl& table = *impl_;
  Change change;
  const auto leave = [&](Entry& entry) {
    auto node = sessions_.extract(std::exchange(entry.session, nullptr)->id);
    change.ended.push_back(std::move(node.mapped()));
  };
  const auto enter = [&](Entry& entry, Session&& session) {
    if (Impl::enter(sessions_, entry, std::move(session))) {
      change.started.push_back(entry.session->id);
    }
  };
  ++table.updates;
  std::unordered_set<pid_t> parents;
  for (const Leader& leader : leaders) parents.insert(leader.parent);
  auto hint = table.entries.begin();  // they mostly come in the order of their pids
  for (const Leader& leader : leaders) {
    const std::size_t before = table.entries.size();
    const auto known = table.entries.try_emplace(hint, id_of(leader));
    const bool is_new = table.entries.size() != before;
    hint = std::next(known);
    Entry& entry = known->second;
    entry.seen = table.updates;
    if (is_new) {
      entry.found = scanned;
      entry.untouched = table.previous_scan && leader.start > *table.previous_scan;
      entry.had_tty = !leader.tty && table.had_tty(known);
    }
    // Who leaves is not back before the next scan.
    const bool over = table.is_over(leader, scanned, entry);
    if (over) leave(entry);
    if (!over && entry.session == nullptr && table.may_be_admitted(entry, scanned)) {
      auto session = leader.tty ? table.admit(leader, scanned, entry)
                                : table.admit_no_pty(leader, scanned, entry);
      if (session) enter(entry, std::move(*session));
    }
    if (entry.serves != 0 && parents.contains(entry.serves)) {
      if (entry.session != nullptr) leave(entry);
      entry.bare_since.reset();
    } else if (entry.serves != 0 && entry.session == nullptr && table.logind_lets(entry, scanned)) {
      if (auto session = table.admit_bare(scanned, entry)) enter(entry, std::move(*session));
    }
    if (entry.session != nullptr) table.follow_foreground(leader, entry);
  }
  for (auto item = table.entries.begin(); item != table.entries.end();) {
    if (item->second.seen == table.updates) {
      ++item;
      continue;
    }
    if (item->second.session != nullptr) leave(item->second);
    item = table.entries.erase(item);
  }
  table.rotate(sessions_, scanned);
  table.previous_scan = scanned;
  change.problems = table.resolver.take_problems(
      std::ranges::any_of(sessions_, [](const auto& item) { return item.second.address_unknown; }));
  return change;
}

}  // namespace idlewarden
