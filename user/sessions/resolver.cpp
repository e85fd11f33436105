// SPDX-License-Identifier: Apache-2.0
#include "sessions/resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/shortage.h"
#include "sessions/accepting_sshd.h"
#include "sessions/connection.h"
#include "sessions/container.h"

namespace idlewarden {
namespace {

constexpr Nanoseconds kBecomesAShell = Seconds(10);

void take(const Account& account, Session& session) {
  session.user = account.name;
  session.home = account.home;
  session.shell = account.shell;
  session.gid = account.gid;
}
bool is_refused(const Error& error) {
  return error.code == EPERM || error.code == EACCES;
}

}  // namespace

Resolver::Resolver(Procfs procfs, SessionScope scope)
    : procfs_(std::move(procfs)), scope_(std::move(scope)), accounts_(scope_.nss_patience) {
  procfs_.set_apart([programs = scope_.hosts](const Procfs& procfs, pid_t pid) {
    return is_forked_by_sshd(procfs, programs, pid);
  });
}

Result<Resolver::Standing> Resolver::resolve(const Leader& leader, BootTime now, bool lingers,
                                             Session& session) {
  const ShortageWatch shortage;
  auto standing =
      leader.tty->is_pts() ? resolve_pts(leader, now, session) : resolve_console(leader, session);
  if (standing && *standing == Standing::session) standing = complete(leader.pid, now, session);
  return if_certain(std::move(standing), shortage, lingers);
}

// Whose session it is, and by whose files it is measured, is found once: not while what is not
// found may be there all the same.
template <class Answer>
Result<Answer> Resolver::if_certain(Result<Answer> answer, const ShortageWatch& shortage,
                                    bool lingers) {
  if (answer && shortage.noted() != 0) {
    answer = fail_errno("the host is short of something", shortage.noted());
  }
  if (!answer && (lingers || !is_gone(answer.error()))) {
    const std::string leads_to =
        "some sessions are not watched, because it cannot be told whose they are";
    problems_.try_emplace(leads_to, answer.error().during(leads_to).error());
  }
  return answer;
}

void Resolver::tell_of_keyboard(const Error& why) {
  const std::string leads_to =
      "sessions on consoles are not ended while it cannot be told whether their keyboards reach "
      "them";
  problems_.try_emplace(leads_to, why.during(leads_to).error());
}

std::map<std::string, Error> Resolver::take_problems(bool address_unknown) {
  std::map<std::string, Error> all = std::exchange(problems_, {});
  if (!address_unknown) address_refused_.reset();
  if (address_refused_) {
    const std::string leads_to =
        "sessions are shown without their addresses, and those for which an address decides have "
        "no limit";
    all.try_emplace(leads_to, address_refused_->during(leads_to).error());
  }
  return all;
}

Result<NoPtyPart> Resolver::no_pty_part(const Leader& leader) {
  const ShortageWatch shortage;
  return if_certain(idlewarden::no_pty_part(procfs_, scope_.hosts, leader), shortage);
}

Result<Resolver::Standing> Resolver::resolve_no_pty(pid_t leader, pid_t host, BootTime now,
                                                    Session& session) {
  const ShortageWatch shortage;
  return if_certain(find_no_pty(leader, host, now, session), shortage);
}

Result<Resolver::Standing> Resolver::find_no_pty(pid_t leader, pid_t host, BootTime now,
                                                 Session& session) {
  auto executable = procfs_.executable(host);
  if (!executable) return std::unexpected(executable.error());
  const auto process = host_process(procfs_, {host, std::move(*executable)}, Kind::ssh);
  if (!process) return std::unexpected(process.error());
  if (!in_scope(*process)) return Standing::never;
  session.kind = Kind::ssh_nopty;
  const auto uid = procfs_.real_uid(host);
  if (!uid) return std::unexpected(uid.error());
  session.uid = *uid;
  if (auto added = add_connection(*process, now, session); !added) {
    return std::unexpected(added.error());
  }
  return complete(leader, now, session);
}

Resolver::Standing Resolver::complete(pid_t leader, BootTime now, Session& session) {
  session.container = container_of(procfs_, leader);
  // A container of root's has accounts of its own. In one that a user made, whose root is that user
  // here, it would be the user who says so: there the uid is what it is to the host.
  if (!session.container.empty() && session.host != 0 &&
      shares_user_namespace(procfs_, session.host)) {
    session.root = procfs_.path(session.host, "root");
  }
  const auto account = account_for(session, now);
  if (!account) {
    const std::string leads_to = "some sessions are not watched while their accounts are not known";
    const auto why = fail(fmt::format(
        "{} has not told yet who uid {} is",
        session.root == "/" ? "NSS" : "the root of container " + session.container, session.uid));
    problems_.try_emplace(leads_to, why.error().during(leads_to).error());
    return Standing::not_yet;
  }
  take(*account, session);
  return Standing::session;
}

void Resolver::learn_account(Session& session, BootTime now) {
  if (session.gid != kNoGroup || session.root != "/") return;
  if (const auto account = account_on_host(session.uid, now)) take(*account, session);
}

std::optional<Account> Resolver::account_for(const Session& session, BootTime now) {
  if (session.root == "/") return account_on_host(session.uid, now);
  ShortageWatch shortage;
  auto account = containers_.ask<Account>(
      session.root,
      [uid = session.uid](const std::string& root) { return account_of(Root(root), uid); });
  return shortage.take() == 0 ? std::move(account) : std::nullopt;
}

std::optional<Account> Resolver::account_on_host(uid_t uid, BootTime now) {
  auto person = accounts_.of(uid, now);
  if (!person) return std::nullopt;
  return std::move(person->account);
}

std::optional<std::vector<std::string>> Resolver::groups_of(const Session& session, BootTime now) {
  if (session.root != "/") {
    ShortageWatch shortage;
    auto groups = containers_.ask<std::vector<std::string>>(
        session.root, [user = session.user, gid = session.gid](const std::string& root) {
          return group_names(Root(root), user, gid);
        });
    return shortage.take() == 0 ? std::move(groups) : std::nullopt;
  }
  auto person = accounts_.of(session.uid, now);
  if (!person) return std::nullopt;
  return std::move(person->groups);
}

Result<uid_t> Resolver::uid_of(const Leader& leader, const Session& session) const {
  // OpenSSH's process runs as who logged in, whatever the leader became since. As root it may be
  // another server than OpenSSH's, and says nothing.
  if (session.kind == Kind::ssh) {
    const auto uid = procfs_.real_uid(session.host);
    if (!uid || *uid != 0) return uid;
  }
  return uid_of_login(procfs_, leader);
}

Result<Resolver::Standing> Resolver::resolve_pts(const Leader& leader, BootTime now,
                                                 Session& session) {
  const auto executable = procfs_.executable(leader.pid);
  if (!executable) return std::unexpected(executable.error());
  // The child of an sshd that is about to become the shell. A shell that only has the name (a copy
  // mounted there in a namespace of the user's own, a preloaded library) keeps it for longer.
  if (find_program(scope_.hosts, *executable) != nullptr && now - leader.start < kBecomesAShell) {
    return Standing::not_yet;
  }

  const auto host = find_host(procfs_, scope_.hosts, leader.parent, *leader.tty, roots_);
  if (!host) return std::unexpected(host.error());
  if (!*host || !in_scope(**host)) return Standing::never;
  const auto prompt = is_login_prompt(procfs_, leader);
  if (!prompt) return std::unexpected(prompt.error());
  if (*prompt) return Standing::not_yet;

  session.kind = (*host)->kind;
  session.tty_name = fmt::format("pts/{}", leader.tty->index);
  session.host = (*host)->pid;
  const auto uid = uid_of(leader, session);
  if (!uid) return std::unexpected(uid.error());
  session.uid = *uid;
  if (auto added = add_connection(**host, now, session); !added)
    return std::unexpected(added.error());
  return Standing::session;
}

Result<Resolver::Standing> Resolver::resolve_console(const Leader& leader, Session& session) {
  if (!scope_.only_host_pids.empty()) return Standing::never;
  if (!drivers_) {
    const auto text = procfs_.read("tty/drivers");
    if (!text) return std::unexpected(text.error());
    drivers_ = parse_tty_drivers(*text);
  }
  auto name = tty_name(*drivers_, *leader.tty);
  if (!name) return Standing::never;
  const auto login = is_console_login(procfs_, leader);
  if (!login) return std::unexpected(login.error());
  if (!*login) return Standing::not_yet;
  const auto keyboard = keyboard_reaches(procfs_, *leader.tty);
  if (!keyboard) return std::unexpected(keyboard.error());
  if (!*keyboard) return Standing::not_yet;

  const auto uid = uid_of_login(procfs_, leader);
  if (!uid) return std::unexpected(uid.error());
  session.uid = *uid;
  session.kind = name->kind;
  session.tty_name = std::move(name->name);
  return Standing::session;
}

Result<void> Resolver::add_connection(const HostProcess& host, BootTime now, Session& session) {
  const bool ssh = session.kind == Kind::ssh || session.kind == Kind::ssh_nopty;
  if (ssh) {
    auto sshd = accepting_sshd(procfs_, scope_.hosts, host, containers_);
    if (!sshd) return std::unexpected(sshd.error());
    session.sshd = shared(*std::move(sshd));
  }
  session.host = host.pid;
  session.host_start = from_start_ticks(host.start_ticks);
  auto found = connection_of(procfs_, host.pid, host.start_ticks, ssh ? session.sshd->listener : 0);
  if (found && *found) session.socket = (*found)->descriptor;
  // The unprivileged half of an sshd may have left the socket to the privileged one.
  if (found && !*found && host.ancestry.size() > 1 &&
      find_program(scope_.hosts, host.ancestry[1].executable) != nullptr) {
    const pid_t parent = host.ancestry[1].pid;
    const auto stat = procfs_.stat(parent);
    if (!stat) return std::unexpected(stat.error());
    found = connection_of(procfs_, parent, stat->start_ticks);
  }
  if (!found && !is_refused(found.error())) return std::unexpected(found.error());
  session.address_unknown = !found;
  if (!found) {
    if (!address_refused_) address_refused_ = found.error();
  } else if (*found) {
    session.remote = std::move((*found)->remote);
    session.local = std::move((*found)->local);
  }
  if (!ssh || session.sshd->listener != 0 || !session.local) return {};
  return ask_successor(host, now, session);
}

// A listener that was restarted leaves its sessions alone, and in their processes nothing tells any
// more what it had been started with. Who listens there now is who would let them in: at that very
// address, or else at any of its family, or at any. Where several do, and were told different
// things, it is not known.
Result<void> Resolver::ask_successor(const HostProcess& host, BootTime now, Session& session) {
  const auto network = procfs_.link(host.pid, "ns/net");
  if (!network) return {};
  const Endpoint& local = *session.local;
  const bool six = local.address.find(':') != std::string::npos;
  for (const Endpoint& place :
       {local, Endpoint{six ? "::" : "0.0.0.0", local.port}, Endpoint{"::", local.port}}) {
    std::vector<AcceptingSshd> found;
    for (const Listener& listener : listeners(now)) {
      const bool listens = std::ranges::find(listener.places, place) != listener.places.end();
      if (!listens || listener.network != *network) continue;
      auto sshd = as_accepting(listener.process);
      if (!sshd) return std::unexpected(sshd.error());
      // It is not who let them in, and has read its files for itself.
      sshd->listener = 0;
      sshd->reading.clear();
      if (std::ranges::find(found, *sshd) == found.end()) found.push_back(*std::move(sshd));
    }
    if (found.size() == 1) session.sshd = shared(std::move(found.front()));
    if (!found.empty()) break;
  }
  return {};
}

Result<AcceptingSshd> Resolver::as_accepting(const Process& listener) {
  HostProcess host;
  host.ancestry = {listener};
  return accepting_sshd(procfs_, scope_.hosts, host, containers_);
}

std::vector<AcceptingSshd> Resolver::found_listeners() {
  std::vector<AcceptingSshd> found;
  std::erase_if(found_listeners_, [&](pid_t pid) {
    const auto executable = procfs_.executable(pid);
    if (!executable) return is_gone(executable.error());
    auto sshd = as_accepting({pid, *executable});
    if (sshd && sshd->listener != 0 && !sshd->reading.empty()) found.push_back(*std::move(sshd));
    return false;
  });
  return found;
}

std::shared_ptr<const AcceptingSshd> Resolver::shared(AcceptingSshd sshd) {
  if (!last_sshd_ || *last_sshd_ != sshd) {
    last_sshd_ = std::make_shared<const AcceptingSshd>(std::move(sshd));
  }
  return last_sshd_;
}

const std::vector<Resolver::Listener>& Resolver::listeners(BootTime now) {
  if (std::exchange(listeners_at_, now) == now) {
    note_shortage(listeners_shortage_);
    return listeners_;
  }
  const ShortageWatch shortage;
  listeners_.clear();
  for (const pid_t pid : procfs_.processes().value_or(std::vector<pid_t>())) {
    // Whose it is comes first: a user's process that does not answer leaves nothing open here.
    const auto uid = procfs_.real_uid(pid);
    if (!uid || *uid != 0) continue;
    const auto executable = procfs_.executable(pid);
    const HostProgram* program = executable ? find_program(scope_.hosts, *executable) : nullptr;
    if (program == nullptr || program->kind != Kind::ssh) continue;
    const auto command_line = procfs_.command_line(pid);
    const auto network = procfs_.link(pid, "ns/net");
    SshdArguments ignored;
    if (!command_line || !network) continue;
    if (parse_sshd_command_line(*command_line, ignored) == SshdTitle::other) continue;
    listeners_.push_back({{pid, *executable}, *network, listened_at(procfs_, pid)});
  }
  listeners_shortage_ = shortage.noted();
  return listeners_;
}

bool Resolver::in_scope(const HostProcess& host) const {
  if (scope_.only_host_pids.empty()) return true;
  return std::ranges::any_of(host.ancestry, [&](const Process& process) {
    return std::ranges::find(scope_.only_host_pids, process.pid) != scope_.only_host_pids.end();
  });
}

}  // namespace idlewarden
