// SPDX-License-Identifier: Apache-2.0
#include "limits/lint_controls.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/duration.h"
#include "base/text.h"
#include "limits/lint_parts.h"
#include "limits/policy_toml.h"
#include "limits/sshd_walk.h"

namespace idlewarden {
namespace {

// os-release(5), as far as it is asked for here.
struct System {
  std::vector<std::string> names;  // ID and those of ID_LIKE
  std::string version;

  static System of(const Root& root) {
    System system;
    auto text = root.read("/etc/os-release");
    if (!text) text = root.read("/usr/lib/os-release");
    if (!text) return system;
    std::map<std::string, std::string> values;
    for (const std::string& line : split(*text, '\n')) {
      const auto equals = line.find('=');
      if (equals == std::string::npos) continue;
      std::string_view value = trim(std::string_view(line).substr(equals + 1));
      if (value.size() > 1 && (value.front() == '"' || value.front() == '\'')) {
        value = value.substr(1, value.size() - 2);
      }
      values[std::string(trim(std::string_view(line).substr(0, equals)))] = value;
    }
    if (values["ID"].empty()) return system;
    system.names.push_back(values["ID"]);
    for (std::string& name : split(values["ID_LIKE"], ' ')) system.names.push_back(std::move(name));
    system.version = values["VERSION_ID"];
    return system;
  }

  bool known() const { return !names.empty(); }
  // "rhel 9" is any RHEL 9 and what is like it.
  bool is(const std::string& wanted) const {
    const auto blank = wanted.find(' ');
    if (std::ranges::find(names, wanted.substr(0, blank)) == names.end()) return false;
    if (blank == std::string::npos) return true;
    const std::string number = wanted.substr(blank + 1);
    return version == number || version.starts_with(number + ".");
  }
  std::string text() const {
    return known() ? printable(names.front() + (version.empty() ? "" : " " + version), 64) : "";
  }
};

class Check {
 public:
  Check(const LintHost& host, const Control& control) : host_(host), control_(control) {}

  ControlResult answer(const System& system) {
    result_.control = control_;
    if (const std::string other = elsewhere(system); !other.empty()) {
      result_.reason = other;
      return std::move(result_);
    }
    bool met = true;
    if (control_.idle_at_most) {
      for (const Kind kind : control_.kinds) result_.sessions.push_back(sessions(kind));
      result_.intent_met = std::ranges::all_of(result_.sessions, &ControlSessions::ends);
      met = result_.intent_met;
    }
    if (!control_.setting.empty()) {
      look_for_setting();
      met = std::ranges::all_of(result_.evidence, &ControlEvidence::good);
    }
    result_.status = met ? ControlStatus::met : ControlStatus::not_met;
    return std::move(result_);
  }

 private:
  std::string elsewhere(const System& system) const {
    const auto here = [&](const std::string& wanted) { return system.is(wanted); };
    if (system.known() && !control_.systems.empty() &&
        std::ranges::none_of(control_.systems, here)) {
      return fmt::format("it is for {}", listed(control_.systems));
    }
    const bool of_sshd = control_.setting.starts_with("ClientAlive");
    if (of_sshd && !host_.sshd && !host_.sshd_error && !host_.version) return "no sshd here";
    if (control_.setting == "StopIdleSessionSec" && !host_.root.is_directory("/etc/systemd") &&
        !host_.root.is_directory("/usr/lib/systemd") && !host_.root.is_directory("/lib/systemd")) {
      return "no systemd here";
    }
    return {};
  }

  bool is_good(std::int64_t value) const {
    return value >= control_.at_least.value_or(0) && value <= control_.at_most.value_or(value) &&
           (value > 0 || control_.at_least == 0);
  }

  void add(const LimitSource& source, std::string says, bool good) {
    result_.evidence.push_back({source.where, source.text, std::move(says), good});
  }

  void look_for_setting() {
    if (control_.setting == "ClientAliveInterval") {
      sshd(SshdKeyword::client_alive_interval, 0);
    } else if (control_.setting == "ClientAliveCountMax") {
      sshd(SshdKeyword::client_alive_count_max, 3);
    } else if (control_.setting == "TMOUT") {
      for (const LintShell& shell : host_.shells) {
        if (!shell.users.empty()) tmout(shell);
      }
    } else {
      logind();
    }
  }

  // What holds for everybody, and whatever a Match block says instead.
  void sshd(SshdKeyword keyword, int otherwise) {
    if (!host_.sshd) {
      result_.evidence.push_back({{host_.sshd_file},
                                  {},
                                  host_.sshd_error
                                      ? "cannot be used: " + printable(host_.sshd_error->what, 200)
                                      : "is not there",
                                  false});
      return;
    }
    const SshdWalk walk = walk_sshd(*host_.sshd, {});
    const SshdVisit* const global = walk.winner(keyword);
    if (global == nullptr) {
      result_.evidence.push_back(
          {{host_.sshd_file},
           {},
           fmt::format("does not set {}, and sshd's default is {}", to_string(keyword), otherwise),
           is_good(otherwise)});
    }
    const char* const unit = keyword == SshdKeyword::client_alive_interval ? " s" : "";
    std::vector<const SshdStatement*> seen;
    for (const SshdVisit& visit : walk.visits) {
      if (visit.directive->keyword != keyword) continue;
      const bool elsewhere = visit.match != nullptr && &visit != global;
      if (&visit != global && !elsewhere) continue;
      if (elsewhere && std::ranges::find(seen, visit.match) != seen.end()) continue;
      if (elsewhere) seen.push_back(visit.match);
      const std::string block =
          elsewhere ? ", for " + printable(visit.match->text, 100) : std::string();
      result_.evidence.push_back({visit.statement->where, printable(visit.statement->text),
                                  fmt::format("= {}{}{}", visit.directive->value, unit, block),
                                  is_good(visit.directive->value)});
    }
  }

  void tmout(const LintShell& shell) {
    const std::string whose = fmt::format("{}, shell of {}", shell.name, listed(shell.users));
    const LimitSource* best = nullptr;
    for (const LimitSource& source : shell.times.in_force) {
      const bool better = best == nullptr || (source.limit && !source.conditional &&
                                              (!best->limit || *source.limit < *best->limit));
      if (better) best = &source;
    }
    if (best == nullptr) {
      result_.evidence.push_back(
          {{},
           {},
           fmt::format(
               "{} {}", whose,
               shell.has_timeout ? "gets no limit from any file that it reads" : "knows no TMOUT"),
           false});
      return;
    }
    std::string lacks;
    if (!best->limit) lacks += "; " + best->reason;
    if (best->limit && best->conditional) lacks += "; not for every login";
    if (best->limit && !is_good(best->limit->count())) {
      lacks += fmt::format("; {} s is not what is asked for", best->limit->count());
    }
    if (control_.readonly && !shell.times.readonly) lacks += "; not read-only";
    if (control_.exported && !shell.times.exported && !shell.counts_minutes) {
      lacks += "; not exported";
    }
    add(*best, whose + lacks, lacks.empty());
  }

  void logind() {
    const auto& stop = host_.logind.stop_idle_session;
    if (!stop) {
      result_.evidence.push_back({{"/etc/systemd/logind.conf"},
                                  {},
                                  "does not set StopIdleSessionSec, nor does a drop-in: never",
                                  false});
      return;
    }
    if (!stop->limit) {
      add(*stop, "never", false);
    } else {
      add(*stop, fmt::format("= {} s", stop->limit->count()), is_good(stop->limit->count()));
    }
  }

  // Empty: idlewarden ends it in time.
  std::string shortcoming(const Verdict& verdict) const {
    if (!verdict.limit) {
      return verdict.rule && verdict.decided_by
                 ? fmt::format("rule \"{}\" gives it no limit", printable(*verdict.rule, 60))
                 : "nothing gives it a limit: it may be idle for ever";
    }
    if (*verdict.limit > *control_.idle_at_most) {
      return fmt::format("its limit of {} is too long", format_duration(*verdict.limit));
    }
    if (verdict.action == Action::alert) return "the rule only asks for an alert: nobody ends it";
    if (verdict.mode == Mode::audit) {
      return fmt::format("idlewarden is in audit mode: after {} it is reported, and not ended",
                         format_duration(*verdict.limit));
    }
    if (verdict.output_counts) {
      return "activity = \"input+output\": a program that prints keeps it open";
    }
    if (verdict.job_limit && *verdict.job_limit > *control_.idle_at_most &&
        !control_.jobs_may_finish) {
      return fmt::format("a job ({}) may keep it open for {}", listed(verdict.jobs),
                         format_duration(*verdict.job_limit));
    }
    return {};
  }

  ControlSessions judged(const LintCase& one) const {
    const Verdict& verdict = one.verdict;
    ControlSessions out;
    out.kind = one.subject.kind;
    out.user = one.subject.user;
    out.limit = verdict.limit;
    if (const LimitSource* used = verdict.used_source()) out.used = *used;
    out.why = host_.policy_error ? "idlewarden's policy cannot be read" : shortcoming(verdict);
    out.ends = out.why.empty();
    if (out.ends) {
      out.ended_by = "idlewarden";
      out.why = fmt::format("idlewarden ends it after {}", format_duration(*verdict.limit));
      return out;
    }
    const auto& stop = host_.logind.stop_idle_session;
    const bool logind_sees_it = one.subject.kind == Kind::ssh || one.subject.kind == Kind::console;
    if (logind_sees_it && stop && stop->limit && *stop->limit <= *control_.idle_at_most) {
      out.ends = true;
      out.ended_by = "logind";
      out.why = fmt::format("logind ends it after {}, going by a file time that the user can set",
                            format_duration(*stop->limit));
    }
    return out;
  }

  ControlSessions sessions(Kind kind) const {
    std::optional<ControlSessions> worst;
    const auto weight = [](const ControlSessions& s) {
      return std::tuple(!s.ends, !s.limit, s.limit.value_or(Seconds(0)));
    };
    for (const LintCase& one : host_.cases) {
      if (one.subject.kind != kind) continue;
      ControlSessions now = judged(one);
      if (!worst || weight(now) > weight(*worst)) worst = std::move(now);
    }
    if (worst) return *std::move(worst);
    ControlSessions unknown;
    unknown.kind = kind;
    unknown.why = "sessions of this kind are not looked at";
    return unknown;
  }

  const LintHost& host_;
  const Control& control_;
  ControlResult result_;
};

}  // namespace

std::string_view to_string(ControlStatus status) {
  switch (status) {
    case ControlStatus::met: return "met";
    case ControlStatus::not_met: return "not_met";
    case ControlStatus::not_applicable: return "not_applicable";
  }
  std::unreachable();
}

bool Compliance::met() const {
  const auto is = [](ControlStatus status) {
    return [status](const ControlResult& result) { return result.status == status; };
  };
  return std::ranges::any_of(results, is(ControlStatus::met)) &&
         std::ranges::none_of(results, is(ControlStatus::not_met));
}

Result<std::vector<Control>> load_controls(const std::string& file) {
  const Root here("/");
  const std::string path = policy_path(here, file);
  const auto text = here.read(path);
  if (!text) return std::unexpected(text.error());
  Policy policy;
  if (auto read = merge_policy(path, *text, policy); !read) return std::unexpected(read.error());
  if (policy.controls.empty()) {
    return fail_at({path}, "asks for nothing: it has no [[control]]",
                   "stig.toml, cis.toml and pci-dss.toml have");
  }
  return std::move(policy.controls);
}

Compliance check_controls(const LintHost& host, const std::string& file,
                          const std::vector<Control>& controls) {
  const System system = System::of(host.root);
  Compliance out{.file = file, .system = system.text(), .service_enabled = false, .results = {}};
  // A symlink that may point out of the tree: it is there or it is not.
  out.service_enabled =
      !host.root.glob("/etc/systemd/system/multi-user.target.wants/idlewarden.service").empty();
  for (const Control& control : controls) {
    out.results.push_back(Check(host, control).answer(system));
  }
  return out;
}

}  // namespace idlewarden
