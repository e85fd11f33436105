// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_files.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace idlewarden::shell {
namespace {

constexpr const char* kEnvironment = "/etc/environment";

Family family_of(const std::string& name) {
  constexpr auto kFamilies = std::to_array<std::pair<std::string_view, Family>>(
      {{"bash", Family::bash},   {"rbash", Family::bash},   {"zsh", Family::zsh},
       {"zsh5", Family::zsh},    {"rzsh", Family::zsh},     {"ksh", Family::ksh93},
       {"ksh93", Family::ksh93}, {"rksh", Family::ksh93},   {"rksh93", Family::ksh93},
       {"mksh", Family::mksh},   {"rmksh", Family::mksh},   {"lksh", Family::mksh},
       {"pdksh", Family::mksh},  {"oksh", Family::mksh},    {"dash", Family::dash},
       {"ash", Family::dash},    {"busybox", Family::dash}, {"tcsh", Family::csh},
       {"csh", Family::csh},     {"sh", Family::bash_as_sh}});
  const auto* const found =
      std::ranges::find(kFamilies, name, &std::pair<std::string_view, Family>::first);
  return found == kFamilies.end() ? Family::without_timeout : found->second;
}

// pam_env's own reading: up to a # or the end of the line, a leading `export` dropped, a name of
// letters, digits and _, quotes around the value dropped.
void read_environment(Interpreter& interpreter, State& state, Findings& findings) {
  const auto file = findings.read(kEnvironment, false, false);  // by PAM
  if (!file) return;
  for (std::size_t i = 0; i < file->lines.size(); ++i) {
    std::string_view line = trim(file->lines[i]);
    line = trim(line.substr(0, line.find('#')));
    if (line.starts_with("export ")) line = trim(line.substr(7));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name(line.substr(0, equals));
    std::string_view value = line.substr(equals + 1);
    if (!is_name(name)) continue;
    if (!value.empty() && (value.front() == '"' || value.front() == '\'')) {
      value.remove_prefix(1);
      if (!value.empty() && (value.back() == '"' || value.back() == '\'')) value.remove_suffix(1);
    }
    const int number = static_cast<int>(i) + 1;
    interpreter.import(state, name, std::string(value), {file->path, number}, file->line(number));
  }
}

// $ENV, or `otherwise` where it is not set.
void read_env(Interpreter& interpreter, State& state, const std::string& otherwise) {
  for (const Value& env : state.get("ENV").values) {
    State without = state;
    if (env.kind == Value::Kind::text && !env.text.empty()) {
      const Values paths = interpreter.expand_text(state, env.text);
      if (paths.size() == 1 && paths.front().kind == Value::Kind::text) {
        interpreter.read_file(state, paths.front().text);
      }
    } else if (env.kind == Value::Kind::unset && !otherwise.empty()) {
      interpreter.read_file(state, otherwise);
    }
    if (state.get("ENV").values.size() > 2) state.join(without);
  }
}

// The first that is there, and no other, even if it cannot be read (bash 5.2: for all but ENOENT).
void read_first(Interpreter& interpreter, State& state, const std::string& home) {
  std::optional<State> before;
  for (const std::string name : {"/.bash_profile", "/.bash_login", "/.profile"}) {
    const Tri there = interpreter.read_file(state, home + name);
    if (there == Tri::yes) break;
    if (there == Tri::unknown) join(before, state);
  }
  if (before) state.join(*before);
}

// Debian and Arch keep them in a folder, others directly in /etc.
std::string zsh_file(const Root& root, const std::string& name, bool usual) {
  return (root.is_directory("/etc/zsh") == usual ? "/etc/zsh/" : "/etc/") + name;
}

void start_zsh(Interpreter& interpreter, State& state, const Root& root, const ShellUser& user) {
  for (const std::string name : {"zshenv", "zprofile", "zshrc", "zlogin"}) {
    interpreter.read_file(state, zsh_file(root, name, true));
    std::string folder = user.home;
    const Values& chosen = state.get("ZDOTDIR").values;
    if (chosen.size() == 1 && chosen.front().kind == Value::Kind::text) folder = chosen[0].text;
    interpreter.read_file(state, folder + "/." + name);
  }
}

}  // namespace

ShellKind shell_kind(const Root& root, const std::string& path) {
  ShellKind kind{.name = std::string(base_name(path))};
  const bool alias =
      kind.name == "sh" || kind.name == "ksh" || kind.name == "csh" || kind.name == "ash";
  if (const auto target = alias ? root.resolve(path) : fail("")) {
    const std::string name(base_name(*target));
    const Family family = family_of(name);
    if (kind.name == "sh" && family == Family::bash) {
      kind.family = Family::bash_as_sh;
      return kind;
    }
    // Debian's other csh, which has no autologout.
    if (family != Family::without_timeout || name == "bsd-csh") kind.name = name;
  }
  kind.family = family_of(kind.name);
  // A build option (CONFIG_ASH_IDLE_TIMEOUT): Alpine's busybox heeds TMOUT, Debian's does not.
  const bool option = kind.name == "busybox" || kind.name == "ash";
  kind.certain = kind.name != "sh" && kind.name != "csh" && !option;
  return kind;
}

Dialect dialect_of(Family family) {
  switch (family) {
    case Family::bash:
    case Family::bash_as_sh: return Dialect::bash;
    case Family::ksh93: return Dialect::ksh93;
    case Family::mksh: return Dialect::mksh;
    case Family::zsh: return Dialect::zsh;
    case Family::dash:
    case Family::csh:
    case Family::without_timeout: return Dialect::posix;
  }
  std::unreachable();
}

void start(Interpreter& interpreter, State& state, const Root& root, const ShellUser& user,
           Family family, Findings& findings) {
  read_environment(interpreter, state, findings);
  if (family == Family::without_timeout || family == Family::csh) return;
  if (family == Family::zsh) {
    start_zsh(interpreter, state, root, user);
    return;
  }
  interpreter.read_file(state, "/etc/profile");
  if (family == Family::bash) {
    read_first(interpreter, state, user.home);
    return;
  }
  interpreter.read_file(state, user.home + "/.profile");
  if (family == Family::ksh93) interpreter.read_file(state, "/etc/ksh.kshrc");
  const bool ksh = family == Family::ksh93 || family == Family::mksh;
  const std::string usual = family == Family::ksh93 ? "/.kshrc" : "/.mkshrc";
  read_env(interpreter, state, ksh ? user.home + usual : std::string());
}

std::vector<std::string> administrators_files(const Root& root, Family family) {
  std::vector<std::string> files;
  if (family == Family::zsh) {
    for (const std::string name : {"zshenv", "zprofile", "zshrc", "zlogin"}) {
      files.push_back(zsh_file(root, name, false));
    }
    return files;
  }
  if (family == Family::dash || family == Family::csh || family == Family::without_timeout) {
    return files;
  }
  files = root.glob("/etc/profile.d/*.sh");
  if (family == Family::bash || family == Family::bash_as_sh) {
    files.insert(files.end(), {"/etc/bash.bashrc", "/etc/bashrc"});
  } else {
    files.insert(files.end(), {"/etc/ksh.kshrc", "/etc/kshrc", "/etc/mkshrc"});
  }
  return files;
}

}  // namespace idlewarden::shell
