// SPDX-License-Identifier: Apache-2.0
// From a session leader to who sits there: reads /proc, the host process's socket and NSS, once per
// login.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/procfs.h"
#include "base/result.h"
#include "base/shortage.h"
#include "sessions/accounts.h"
#include "sessions/console.h"
#include "sessions/host_process.h"
#include "sessions/no_pty.h"
#include "sessions/session.h"
#include "sessions/session_table.h"

namespace idlewarden {

class Resolver {
 public:
  Resolver(Procfs procfs, SessionScope scope);

  enum class Standing {
    session,
    not_yet,  // a getty, a login prompt, an sshd before it becomes the shell: ask again
    never,    // an inner terminal, a service, out of scope
  };
  // Fills in `session` but for its times and its foreground program. An error: it could not be told
  // this time (mostly: the process ended meanwhile; `lingers`: it was so for a while, so that is no
  // reason). `leader.tty` must be there.
  Result<Standing> resolve(const Leader& leader, BootTime now, bool lingers, Session& session);

  // Of a leader without a tty.
  Result<NoPtyPart> no_pty_part(const Leader& leader);
  // The session of `leader`, a channel's, on the connection that `host` serves; without channels
  // the two are the same. As resolve() otherwise.
  Result<Standing> resolve_no_pty(pid_t leader, pid_t host, BootTime now, Session& session);

  // The account, of a session that began when NSS knew nobody by its uid.
  void learn_account(Session& session, BootTime now);
  // As SessionTable::groups_of().
  std::optional<std::vector<std::string>> groups_of(const Session& session, BootTime now);

  void add_listener(pid_t pid) { found_listeners_.push_back(pid); }
  // As SessionTable::listeners().
  std::vector<AcceptingSshd> found_listeners();

  // That a console's keyboard could not be asked whether it goes to its session.
  void tell_of_keyboard(const Error& why);
  // What was missing from sessions since the last call, or still is from some (`address_unknown`:
  // their addresses), and why; the first of its sort, by what it leads to.
  std::map<std::string, Error> take_problems(bool address_unknown);

 private:
  Result<Standing> find_no_pty(pid_t leader, pid_t host, BootTime now, Session& session);
  Result<Standing> resolve_pts(const Leader& leader, BootTime now, Session& session);
  // nullopt: not known yet.
  std::optional<Account> account_for(const Session& session, BootTime now);
  std::optional<Account> account_on_host(uid_t uid, BootTime now);
  Result<uid_t> uid_of(const Leader& leader, const Session& session) const;
  Result<Standing> resolve_console(const Leader& leader, Session& session);
  // Where it runs, and whose it is; not_yet if that is not known yet.
  Standing complete(pid_t leader, BootTime now, Session& session);
  // Who serves the session, from where, and which sshd let it in.
  Result<void> add_connection(const HostProcess& host, BootTime now, Session& session);
  // By whose configuration a session is ruled whose own listener has gone.
  Result<void> ask_successor(const HostProcess& host, BootTime now, Session& session);
  Result<AcceptingSshd> as_accepting(const Process& listener);
  bool in_scope(const HostProcess& host) const;
  // The answer, if it can be relied on; tells why not.
  template <class Answer>
  Result<Answer> if_certain(Result<Answer> answer, const ShortageWatch& shortage,
                            bool lingers = false);

  struct Listener {
    Process process;
    std::string network;  // its namespace
    std::vector<Endpoint> places;
  };
  const std::vector<Listener>& listeners(BootTime now);
  // One for all sessions of an sshd that come one after the other.
  std::shared_ptr<const AcceptingSshd> shared(AcceptingSshd sshd);

  Procfs procfs_;
  SessionScope scope_;
  Accounts accounts_;
  // Of host processes that no user has a say in: asked again as soon as there was an answer.
  OthersRoots roots_{std::chrono::milliseconds(250), std::chrono::milliseconds(0), procfs_};
  OthersRoots containers_;                         // root's alone: no user can use up its threads
  std::optional<std::vector<TtyDriver>> drivers_;  // read when the first console turns up
  std::shared_ptr<const AcceptingSshd> last_sshd_;
  std::vector<pid_t> found_listeners_;  // leaders; some may have ended
  std::vector<Listener> listeners_;     // root's sshds, as of one scan
  BootTime listeners_at_ = BootTime::min();
  int listeners_shortage_ = 0;  // while they were found: base/shortage.h
  std::map<std::string, Error> problems_;
  std::optional<Error> address_refused_;
};

}  // namespace idlewarden
