// SPDX-License-Identifier: Apache-2.0
// sshd_config(5), servconf.c, serverloop.c and channels.c of OpenSSH 8.1 to 10.5.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <climits>
#include <map>

#include "base/duration.h"
#include "base/text.h"
#include "limits/lint_parts.h"
#include "limits/sshd_limits.h"
#include "limits/sshd_walk.h"

namespace idlewarden {
namespace {

constexpr SshdVersion kCountMaxZeroEndsNothing{8, 2};
constexpr SshdVersion kChannelTimeout{9, 2};
constexpr SshdVersion kUnusedTimeoutMended{10, 3};
constexpr SshdVersion kChannelTimeoutInMatch{10, 5};

// What a channel may be called when its timeout is looked up (channels.c, session.c); a subsystem
// stands for all of them.
constexpr std::array<std::string_view, 10> kChannelTypes{"session:shell",
                                                         "session:command",
                                                         "session:subsystem:sftp",
                                                         "agent-connection",
                                                         "direct-tcpip",
                                                         "forwarded-tcpip",
                                                         "direct-streamlocal@openssh.com",
                                                         "tun-connection",
                                                         "x11-connection",
                                                         "forwarded-streamlocal@openssh.com"};

class SshdLint {
 public:
  SshdLint(const LintHost& host, LintReport& report)
      : host_(host), report_(report), walk_(walk_sshd(*host.sshd, {})) {}

  void run() {
    for (const SshdVisit& visit : walk_.visits) sort_in(visit);
    for (const SshdVisit& visit : walk_.visits) {
      if (!first_of_its_block(visit)) continue;
      switch (visit.directive->keyword) {
        case SshdKeyword::client_alive_interval: interval(visit); break;
        case SshdKeyword::client_alive_count_max: count_max(visit); break;
        case SshdKeyword::channel_timeout: channel_timeout(visit); break;
        case SshdKeyword::unused_connection_timeout: unused_timeout(visit); break;
      }
    }
  }

 private:
  using Block = const SshdStatement*;  // a Match line; null: outside of all

  // In a block the first value holds, but for UnusedConnectionTimeout none.
  void sort_in(const SshdVisit& visit) {
    const SshdDirective& directive = *visit.directive;
    if (directive.keyword == SshdKeyword::channel_timeout && directive.args.empty()) return;
    const auto [first, is_new] = first_.try_emplace({visit.match, directive.keyword}, &visit);
    if (is_new || first->second->statement == visit.statement) return;
    const std::string earlier = printable(first->second->statement->where.text());
    if (directive.none) {
      if (!first->second->directive->none) {
        add("unused-connection-none-wins", Severity::warning, visit,
            fmt::format(
                "Turns off the timeout of {}: of all keywords this is the one where a later "
                "\"none\" wins over the first value.",
                earlier),
            "Take one of the two lines out.");
      }
      first->second = &visit;
      return;
    }
    add("sshd-line-ignored", Severity::warning, visit,
        fmt::format("Nothing: for each keyword sshd takes the first value that it reads, and {} "
                    "came first.",
                    earlier),
        fmt::format("Take this line out, or change the one at {}.", earlier));
  }

  bool first_of_its_block(const SshdVisit& visit) const {
    const auto first = first_.find({visit.match, visit.directive->keyword});
    return first != first_.end() && first->second == &visit;
  }

  // What holds beside a line of this block: the block's own, else the global one.
  const SshdVisit* beside(Block block, SshdKeyword keyword) const {
    for (const Block place : {block, Block()}) {
      const auto found = first_.find({place, keyword});
      if (found != first_.end()) return found->second;
    }
    return nullptr;
  }

  void add(std::string id, Severity severity, const SshdVisit& visit, std::string does,
           std::string fix, int column = 0) const {
    Where where = visit.statement->where;
    if (column > 0 && where.line > 0) where.column = column;
    report_.add({.id = std::move(id),
                 .severity = severity,
                 .where = std::move(where),
                 .text = printable(visit.statement->text),
                 .does = std::move(does),
                 .fix = std::move(fix)});
  }

  // "OpenSSH 9.2 is installed here", for the end of a sentence.
  std::string installed() const {
    return host_.version ? fmt::format("OpenSSH {} is installed here", host_.version->text())
                         : "which OpenSSH this host has could not be found out";
  }
  bool surely_before(SshdVersion version) const {
    return host_.version && *host_.version < version;
  }
  bool surely_from(SshdVersion version) const { return host_.version && *host_.version >= version; }

  void interval(const SshdVisit& visit) const {
    const int seconds = visit.directive->value;
    if (seconds == 0) return;
    const SshdVisit* const count_visit = beside(visit.match, SshdKeyword::client_alive_count_max);
    const int count = count_visit != nullptr ? count_visit->directive->value : 3;
    const Seconds product(
        std::min<std::int64_t>(std::int64_t{seconds} * std::max(count, 1), INT_MAX));
    const std::string probe = fmt::format(
        "After {} without traffic sshd asks the client whether it is there, and the "
        "client answers by itself",
        format_duration(Seconds(seconds)));
    if (product < host_.policy.client_alive_floor) {
      add("client-alive-below-floor", Severity::info, visit,
          fmt::format("{}: good for noticing dead connections. {} in all is less than "
                      "client_alive_floor ({}), so idlewarden does not take it for an idle limit.",
                      probe, format_duration(product),
                      format_duration(host_.policy.client_alive_floor)),
          "Nothing, if that is what it is for.");
      return;
    }
    if (count == 0 && surely_before(kCountMaxZeroEndsNothing)) return;
    add("client-alive-is-liveness", report_.weakness({Kind::ssh}), visit,
        fmt::format("{}: only dead connections are ended, an idle one never.", probe),
        fmt::format(
            "Keep it for dead connections. Idle sessions end after these {} with idlewarden "
            "in enforce mode, which takes the line for what it was meant to be.",
            format_duration(product)));
  }

  void count_max(const SshdVisit& visit) const {
    const SshdVisit* const probes = beside(visit.match, SshdKeyword::client_alive_interval);
    if (probes == nullptr || probes->directive->value == 0) {
      add("client-alive-count-max-alone", Severity::info, visit,
          "Nothing: without ClientAliveInterval sshd sends no probes that it could count.",
          "Write ClientAliveInterval beside it, or take it out.");
      return;
    }
    if (visit.directive->value != 0) return;
    if (surely_before(kCountMaxZeroEndsNothing)) {
      add("client-alive-count-max-0", Severity::info, visit,
          fmt::format("Ends an idle session at the first probe up to OpenSSH 8.1; from 8.2 on it "
                      "turns the check off ({}).",
                      installed()),
          "Before the upgrade: idlewarden in enforce mode, and ClientAliveCountMax 1.");
      return;
    }
    add("client-alive-count-max-0", Severity::error, visit,
        fmt::format("Turns the check off: since OpenSSH 8.2 nothing is ended for it, not even a "
                    "dead connection ({}).",
                    installed()),
        "ClientAliveCountMax 1 for dead connections; for idle ones idlewarden in enforce mode.");
  }

  void channel_timeout(const SshdVisit& visit) const {
    if (surely_before(kChannelTimeout)) {
      add("channel-timeout-too-old", Severity::error, visit,
          fmt::format("sshd does not start with it: ChannelTimeout exists since OpenSSH 9.2 ({}).",
                      installed()),
          "Take it out.");
      return;
    }
    std::vector<SshdChannelTimeout> timeouts;
    bool global = false;
    for (const SshdWord& word : visit.directive->args) {
      const auto timeout = sshd_channel_timeout(word.text);
      if (!timeout) continue;
      timeouts.push_back(*timeout);
      if (timeout->type == "global") {
        global = timeout->seconds != 0;
      } else if (timeout->seconds != 0) {
        channel_type(visit, word, *timeout);
      }
    }
    const SshdChannelTimeout* const shell = sshd_timeout_of("session:shell", timeouts);
    if (!global && (shell == nullptr || shell->seconds == 0)) return;
    if (visit.match != nullptr && !visit.at_start && !surely_from(kChannelTimeoutInMatch)) {
      const bool sure = host_.version.has_value();
      add("channel-timeout-in-match", sure ? Severity::error : Severity::warning, visit,
          fmt::format("{}before OpenSSH 10.5 sshd does not apply ChannelTimeout inside Match, "
                      "although sshd -T prints it ({}).",
                      sure ? "Nothing: " : "Perhaps nothing: ", installed()),
          "Write it outside of every Match; for some users only, a rule of idlewarden.");
      return;
    }
    add("channel-timeout-counts-output", report_.weakness({Kind::ssh}), visit,
        "Closes a channel on which nothing moved in either direction: a program that prints (top, "
        "tail -f, watch) keeps it open for ever. The user is not told, and what ignores the "
        "hang-up runs on.",
        "idlewarden in enforce mode counts what the person types, and nothing else.");
  }

  // The names that no channel of a login ever has.
  void channel_type(const SshdVisit& visit, const SshdWord& word,
                    const SshdChannelTimeout& timeout) const {
    const bool some = std::ranges::any_of(
        kChannelTypes, [&](std::string_view type) { return match_pattern(type, timeout.type); });
    if (some || timeout.type.starts_with("session:subsystem:")) return;
    const std::string time = word.text.substr(timeout.type.size() + 1);
    if (match_pattern("session", timeout.type)) {
      add("channel-timeout-session", Severity::error, visit,
          "Matches no shell, no command and no subsystem: sshd calls those session:shell, "
          "session:command and session:subsystem:NAME, and forgets the timeout of \"session\" as "
          "soon as one is asked for.",
          fmt::format("ChannelTimeout session:shell={0} for shells, or session:*={0} for sftp and "
                      "commands, too.",
                      printable(time)),
          word.column);
      return;
    }
    add("channel-timeout-unknown-type", Severity::error, visit,
        fmt::format("No channel is ever called \"{}\".", printable(timeout.type)),
        fmt::format("session:shell={0}, session:command={0}, session:subsystem:sftp={0}, or "
                    "session:*={0} for all of these.",
                    printable(time)),
        word.column);
  }

  void unused_timeout(const SshdVisit& visit) const {
    if (visit.directive->none || visit.directive->value == 0) return;
    const SshdVisit* const channels = beside(visit.match, SshdKeyword::channel_timeout);
    if (channels != nullptr && !surely_from(kUnusedTimeoutMended)) {
      add("unused-connection-early", Severity::warning, visit,
          fmt::format("Together with ChannelTimeout it can end the connection at once, without "
                      "waiting, when a channel was closed; mended in OpenSSH 10.3 ({}).",
                      installed()),
          "Take one of the two out until sshd is 10.3 or newer.");
    }
    add("unused-connection-is-not-idle", Severity::info, visit,
        "Ends connections on which nothing is open at all. A shell, sftp or forwarded connection "
        "keeps it open, used or not.",
        "Nothing, if that is what it is for.");
  }

  const LintHost& host_;
  LintReport& report_;
  const SshdWalk walk_;
  std::map<std::pair<Block, SshdKeyword>, const SshdVisit*> first_;
};

}  // namespace

void lint_sshd(const LintHost& host, LintReport& report) {
  if (host.sshd_error) {
    const Error& error = *host.sshd_error;
    Error bare = error;
    bare.where = {};
    bare.hint.clear();
    const bool unread = error.code == EACCES || error.code == EPERM;
    report.add({.id = unread ? "cannot-read" : "sshd-config-refused",
                .severity = unread ? Severity::warning : Severity::error,
                .where = error.where,
                .text = {},
                .does = unread ? "Nobody knows: it cannot be read by this user."
                               : fmt::format("sshd refuses it: {}.", bare.text()),
                .fix = unread ? "Run lint as root." : error.hint});
  }
  if (host.sshd) SshdLint(host, report).run();
}

}  // namespace idlewarden
