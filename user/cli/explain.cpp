// SPDX-License-Identifier: Apache-2.0
// On this host's files or another tree's, without a daemon: explain (but of a live session),
// check-config.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/account.h"
#include "base/duration.h"
#include "base/text.h"
#include "cli/commands.h"
#include "limits/limits.h"
#include "report/client.h"
#include "report/render.h"

namespace idlewarden {
namespace {

struct ExplainArguments {
  std::string config = kDefaultPolicyFile;
  std::string root = "/";
  std::string user, shell, address, host, local_address, tty, sshd_config;
  std::vector<std::string> groups;
  std::optional<std::uint16_t> local_port;
  std::string kind = "ssh";
  std::string session;
  std::string socket = kDefaultSocket;
  bool json = false;
};

// ps and w say pts/2, tty(1) says /dev/pts/2.
std::string without_dev(const std::string& terminal) {
  constexpr std::string_view kDev = "/dev/";
  return terminal.starts_with(kDev) ? terminal.substr(kDev.size()) : terminal;
}

// What the command line does not say is asked of the accounts of the tree.
Subject subject_from(const ExplainArguments& arguments, const Root& root) {
  Subject subject;
  subject.user = arguments.user;
  subject.groups = arguments.groups;
  subject.shell = arguments.shell;
  if (const auto account = find_account(root, arguments.user)) {
    subject.uid = account->uid;
    subject.gid = account->gid;
    subject.home = account->home;
    if (subject.shell.empty()) subject.shell = account->shell;
    if (subject.groups.empty()) {
      subject.groups = group_names(root, account->name, account->gid);
    }
  } else {
    if (subject.shell.empty()) subject.shell = "/bin/bash";
    fmt::print(stderr, "idlewarden: there is no account \"{}\" under {}: taken as one with {}{}\n",
               printable(arguments.user), root.directory(), printable(subject.shell),
               subject.groups.empty() ? " and in no group" : "");
  }
  subject.kind = *kind_from(arguments.kind);
  subject.address = arguments.address;
  subject.host = arguments.host;
  subject.local_address = arguments.local_address;
  subject.local_port = arguments.local_port;
  subject.tty = without_dev(arguments.tty);
  if (!arguments.sshd_config.empty()) subject.sshd.config_file = arguments.sshd_config;
  subject.sshd.root = root.directory();
  return subject;
}

// What the daemon goes by, which may be older than what the files say now.
int explain_live(const ExplainArguments& arguments) {
  const std::string target =
      fmt::format("/v1/sessions/{}{}", percent_encoded(without_dev(arguments.session)),
                  arguments.json ? "" : "?format=text");
  const auto answer = fetch_unix(arguments.socket, target);
  if (!answer) {
    Error error = answer.error();
    if (error.code != ESRCH) return complain(error, kUnreachable);
    error.code = 0;  // the daemon's words say it all
    return complain(error, kFindings);
  }
  fmt::print("{}", *answer);
  return kFine;
}

// A tree or a file that was named and is not there says nothing about any limit.
Result<void> check_named(const Root& root, const std::string& sshd_config) {
  if (!root.is_directory("/")) return fail(printable(root.directory()) + " is no folder");
  if (sshd_config.empty()) return {};
  const auto mode = root.mode(sshd_config);
  return mode ? Result<void>() : std::unexpected(mode.error());
}

int explain(const ExplainArguments& arguments) {
  const Root root(arguments.root);
  if (const auto good = check_named(root, arguments.sshd_config); !good) {
    return complain(good.error(), kUsage);
  }
  const auto limits = Limits::load(root, arguments.config);
  if (!limits) return complain(limits.error(), kFindings);
  const Verdict verdict = limits->resolve(subject_from(arguments, root), SystemClock().wall());
  const std::vector<Error> problems = limits->take_problems();
  if (!problems.empty()) {
    for (const Error& problem : problems) complain(problem, kFindings);
    return kFindings;
  }
  fmt::print("{}\n", arguments.json ? explain_json(verdict) : explain_text(verdict));
  return kFine;
}

// CLI11's checks say "" for: fine.
std::string check_address(const std::string& text) {
  in6_addr scratch{};
  const bool known = ::inet_pton(AF_INET, text.c_str(), &scratch) == 1 ||
                     ::inet_pton(AF_INET6, text.substr(0, text.find('%')).c_str(), &scratch) == 1;
  return known ? "" : printable(text) + " is no address: write it as 192.0.2.7 or 2001:db8::7";
}

// Either of the two is asked for; of a live session the daemon knows all the rest.
void check_whose(const CLI::App& command) {
  if (command.count("--session") == 0) {
    if (command.count("--user") == 0) throw CLI::RequiredError("--user or --session");
    if (command.get_option("--user")->as<std::string>().empty()) {
      throw CLI::ValidationError("--user", "names nobody");
    }
    return;
  }
  if (without_dev(command.get_option("--session")->as<std::string>()).empty()) {
    throw CLI::ValidationError("--session", "names no session");
  }
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    const bool asks = name == "--session" || name == "--socket" || name == "--json";
    if (option->count() > 0 && !asks) throw CLI::ExcludesError("--session", name);
  }
}

struct CheckArguments {
  std::string config = kDefaultPolicyFile;
  std::string root = "/";
  bool json = false;
};

// What is no mistake of writing, but does nothing.
std::vector<Error> warnings(const Policy& policy) {
  std::vector<Error> found;
  for (const Rule& rule : policy.rules) {
    if (rule.match.hosts.empty()) continue;
    found.push_back({.what = fmt::format("rule \"{}\" can never match: it {}",
                                         printable(rule.name, 60), kNeedsHostName),
                     .where = rule.where,
                     .hint = {}});
  }
  return found;
}

std::string limit_text(const Rule& rule) {
  if (const auto* limit = std::get_if<Seconds>(&rule.limit)) return format_duration(*limit);
  return std::holds_alternative<Never>(rule.limit) ? "never" : "derived";
}

// As they were understood: 15 is "15s".
std::string limits_text(const std::vector<Rule>& rules) {
  constexpr std::size_t kMost = 12;
  std::string out;
  for (std::size_t i = 0; i < std::min(rules.size(), kMost); ++i) {
    out += fmt::format("{}{} {}", i == 0 ? "" : ", ", printable(rules[i].name, 60),
                       limit_text(rules[i]));
  }
  if (rules.size() > kMost) out += fmt::format(" and {} more", rules.size() - kMost);
  return out;
}

int check_config(const CheckArguments& arguments) {
  const Root root(arguments.root);
  if (const auto good = check_named(root, ""); !good) return complain(good.error(), kUsage);
  const auto policy = load_policy(root, arguments.config);
  if (arguments.json) {
    nlohmann::ordered_json out;
    out["ok"] = policy.has_value();
    if (policy) {
      out["files"] = policy->files;
      out["rules"] = policy->rules.size();
      out["mode"] = to_string(policy->mode);
      out["warnings"] = nlohmann::ordered_json::array();
      for (const Error& warning : warnings(*policy)) {
        out["warnings"].push_back({{"file", warning.where.file},
                                   {"line", warning.where.line},
                                   {"column", warning.where.column},
                                   {"what", warning.what}});
      }
    } else {
      const Error& error = policy.error();
      out["error"] = {{"file", error.where.file},
                      {"line", error.where.line},
                      {"column", error.where.column},
                      {"what", error.what},
                      {"hint", error.hint}};
    }
    fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return policy ? kFine : kFindings;
  }
  if (!policy) return complain(policy.error(), kFindings);
  for (const Error& warning : warnings(*policy)) {
    fmt::print(stderr, "idlewarden: warning: {}\n", warning.text());
  }
  if (policy->files.empty()) {
    fmt::print("{} does not exist: the built-in policy holds (audit mode, derived limits)\n",
               arguments.config);
  } else {
    fmt::print("{}: good, {} mode, {} {}\n",
               printable(fmt::format("{}", fmt::join(policy->files, ", ")), 4096),
               to_string(policy->mode), policy->rules.size(),
               policy->rules.size() == 1 ? "rule" : "rules");
    if (!policy->rules.empty()) fmt::print("limits: {}\n", limits_text(policy->rules));
  }
  return kFine;
}

}  // namespace

void add_explain(CLI::App& app, int& status) {
  auto arguments = std::make_shared<ExplainArguments>();
  const CLI::Validator address(check_address, "", "address");
  CLI::App* command =
      app.add_subcommand("explain", "How long a session may be idle, and who says so");
  command
      ->add_option("--user", arguments->user,
                   "A session that this user would begin now, by the files as they are now")
      ->type_name("NAME");
  command
      ->add_option("--session", arguments->session,
                   "Or a live one, of which the daemon is asked: its id, its leader's pid, or its "
                   "tty")
      ->type_name("ID");
  command->add_option("--groups", arguments->groups, "The groups, instead of the account's own")
      ->delimiter(',')
      ->type_name("A,B");
  command->add_option("--addr", arguments->address, "The client's address")
      ->type_name("IP")
      ->check(address);
  command
      ->add_option("--host", arguments->host,
                   "The client's name, for sshd's Match Host where it has UseDNS yes")
      ->type_name("NAME");
  command->add_option("--laddr", arguments->local_address, "The address it connected to")
      ->type_name("IP")
      ->check(address);
  command->add_option("--lport", arguments->local_port, "The port it connected to")
      ->type_name("PORT")
      ->check(whole_number(1, 65535));
  command->add_option("--tty", arguments->tty, "Its terminal, for rules that ask for one")
      ->type_name("pts/N|ttyN");
  command->add_option("--shell", arguments->shell, "The login shell, instead of the account's own")
      ->type_name("PATH");
  command->add_option("--kind", arguments->kind, "What kind of session")
      ->type_name("ssh|ssh-nopty|console")
      ->check(CLI::IsMember({"ssh", "ssh-nopty", "console"}))
      ->capture_default_str();
  command->add_option("--sshd-config", arguments->sshd_config, "Instead of /etc/ssh/sshd_config")
      ->type_name("FILE");
  command->add_option("--config", arguments->config, "Policy file")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_option("--root", arguments->root, "Read this tree as /")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_option("--socket", arguments->socket, "The daemon's socket, for --session")
      ->type_name("PATH")
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "For machines");
  command->callback([arguments, command, &status] {
    check_whose(*command);
    status = command->count("--session") == 0 ? explain(*arguments) : explain_live(*arguments);
  });
}

void add_check_config(CLI::App& app, int& status) {
  auto arguments = std::make_shared<CheckArguments>();
  CLI::App* command = app.add_subcommand(
      "check-config", "Read a policy file as the daemon does, say what is wrong with it");
  command->add_option("FILE,--config", arguments->config, "Policy file")
      ->type_name("")
      ->capture_default_str();
  command->add_option("--root", arguments->root, "Read this tree as /")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "For machines");
  command->callback([arguments, &status] { status = check_config(*arguments); });
}

}  // namespace idlewarden
