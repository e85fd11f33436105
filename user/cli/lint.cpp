// SPDX-License-Identifier: Apache-2.0
// What on this host does not do what it seems to; works without a daemon, on any tree.
#include "limits/lint.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "cli/commands.h"
#include "report/render_lint.h"

namespace idlewarden {
namespace {

struct LintArguments {
  LintOptions options;
  std::string root = "/";
  std::string against;
  bool json = false;
};

// A file gets lines that a mail or a ticket can hold.
int text_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return std::clamp<int>(size.ws_col, 40, 100);
}

int hold_against(const LintHost& host, const LintArguments& arguments,
                 const std::vector<Control>& controls) {
  const Compliance compliance = check_controls(host, arguments.against, controls);
  fmt::print("{}\n", arguments.json ? compliance_json(host, compliance)
                                    : compliance_text(host, compliance, text_width()));
  return compliance.met() ? kFine : kFindings;
}

int run_lint(const LintArguments& arguments) {
  const Root root(arguments.root);
  if (!root.is_directory("/")) {
    return complain({.what = arguments.root + " is no folder", .where = {}, .hint = {}}, kUsage);
  }
  if (!arguments.against.empty()) {
    // The auditor's file, not one of the tree.
    const auto controls = load_controls(arguments.against);
    if (!controls) return complain(controls.error(), kUsage);
    return hold_against(look_at_host(root, arguments.options), arguments, *controls);
  }
  const LintHost host = look_at_host(root, arguments.options);
  const std::vector<LintFinding> findings = lint(host);
  fmt::print("{}\n",
             arguments.json ? lint_json(host, findings) : lint_text(host, findings, text_width()));
  const bool any = std::ranges::any_of(
      findings, [](const LintFinding& finding) { return finding.severity != Severity::info; });
  return any ? kFindings : kFine;
}

}  // namespace

void add_lint(CLI::App& app, int& status) {
  auto arguments = std::make_shared<LintArguments>();
  CLI::App* command =
      app.add_subcommand("lint", "What on this host does not do what it seems to, and the fix");
  command->add_option("--sshd-config", arguments->options.sshd_file)
      ->description("Instead of /etc/ssh/sshd_config")
      ->type_name("FILE");
  command->add_option("--config", arguments->options.policy_file, "Policy file")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_option("--root", arguments->root, "Read this tree as /")
      ->type_name("DIR")
      ->capture_default_str();
  command
      ->add_option("--against", arguments->against,
                   "Say whether this host meets the [[control]]s of this file")
      ->type_name("FILE");
  command->add_flag("--json", arguments->json, "For machines");
  command->callback([arguments, &status] { status = run_lint(*arguments); });
}

}  // namespace idlewarden
