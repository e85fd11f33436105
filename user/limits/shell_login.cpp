// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_login.h"

#include <fmt/ranges.h>
#include <regex.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "limits/shell_syntax.h"

namespace idlewarden::shell {
namespace {

constexpr std::size_t kMostText = 4096;  // to look through with an expression

Value name_of(const ShellUser& user) {
  if (!user.name.empty()) return Value::of(user.name);
  return user.uid == 0 ? Value::of("root") : Value::unknown();
}

// The primary group comes first; of the order of the others only the kernel knows, so an answer
// that depends on it is not the same for both of these.
Values groups_of(const ShellUser& user, const std::string& before) {
  std::vector<std::string> names = user.groups;
  if (names.empty()) return {Value::unknown()};
  Values ways{Value::of(fmt::format("{}{}", before, fmt::join(names, " ")))};
  std::ranges::reverse(names.begin() + 1, names.end());
  unite(ways, {Value::of(fmt::format("{}{}", before, fmt::join(names, " ")))});
  return ways;
}

std::string program(const std::string& path) {
  for (const std::string_view folder : {"/usr/bin/", "/bin/"}) {
    if (path.starts_with(folder)) return path.substr(folder.size());
  }
  return path;
}

Value echoed(const std::vector<std::string>& words) {
  const std::string text = fmt::format("{}", fmt::join(words.begin() + 1, words.end(), " "));
  const bool plain = !text.starts_with('-') && text.find_first_of("\\*?[{~") == std::string::npos;
  return plain ? Value::of(text) : Value::unknown();
}

template <class List>
bool has(const List& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// Whether this shell has given the variable a value when it reads its first file.
bool sets_itself(Dialect dialect, std::string_view name) {
  constexpr auto kAll = std::to_array<std::string_view>({"OPTIND", "PPID", "PS2", "PS4", "PWD"});
  constexpr auto kAllButDash = std::to_array<std::string_view>({"LINENO", "RANDOM", "SECONDS"});
  constexpr auto kBash = std::to_array<std::string_view>(
      {"BASHOPTS", "BASHPID", "BASH_COMMAND", "BASH_SOURCE", "BASH_SUBSHELL", "BASH_VERSINFO",
       "DIRSTACK", "GROUPS", "HISTCMD", "HOSTNAME", "HOSTTYPE", "MACHTYPE", "OPTERR", "SHELLOPTS",
       "SHLVL"});
  constexpr auto kZsh = std::to_array<std::string_view>(
      {"COLUMNS", "CPUTYPE", "EGID",     "GID",      "HISTCMD",        "HISTSIZE",    "HOST",
       "LINES",   "LISTMAX", "LOGNAME",  "MACHTYPE", "MAILCHECK",      "OLDPWD",      "PROMPT",
       "SHLVL",   "TTY",     "USERNAME", "VENDOR",   "ZSH_PATCHLEVEL", "ZSH_SUBSHELL"});
  constexpr auto kKsh93 = std::to_array<std::string_view>({"HISTCMD", "SHLVL"});
  constexpr auto kMksh = std::to_array<std::string_view>(
      {"BASHPID", "KSHEGID", "KSHGID", "KSHUID", "PATHSEP", "PGRP", "USER_ID"});
  if (has(kAll, name) || (dialect != Dialect::posix && has(kAllButDash, name))) return true;
  switch (dialect) {
    case Dialect::bash: return has(kBash, name);
    case Dialect::zsh: return has(kZsh, name);
    case Dialect::ksh93: return has(kKsh93, name);
    case Dialect::mksh: return has(kMksh, name);
    case Dialect::posix: return false;
  }
  return false;
}

// Whether sshd (AcceptEnv), login(1), PAM, a desktop or the terminal may have set it; or the shell
// does, before its files or after them, as its version and its terminal may be.
bool may_be_brought(std::string_view name) {
  constexpr auto kNames = std::to_array<std::string_view>({"COLORTERM",
                                                           "COLUMNS",
                                                           "COMP_WORDBREAKS",
                                                           "DBUS_SESSION_BUS_ADDRESS",
                                                           "DESKTOP_SESSION",
                                                           "DISPLAY",
                                                           "ENV",
                                                           "FCEDIT",
                                                           "HISTFILE",
                                                           "HISTFILESIZE",
                                                           "HISTSIZE",
                                                           "HOSTNAME",
                                                           "HOSTTYPE",
                                                           "HUSHLOGIN",
                                                           "INVOCATION_ID",
                                                           "KRB5CCNAME",
                                                           "LANG",
                                                           "LANGUAGE",
                                                           "LINES",
                                                           "MAIL",
                                                           "MAILCHECK",
                                                           "OLDPWD",
                                                           "REMOTEHOST",
                                                           "SHLVL",
                                                           "TERM",
                                                           "TERM_PROGRAM",
                                                           "TZ",
                                                           "WAYLAND_DISPLAY",
                                                           "WINDOWID"});
  return has(kNames, name) || name.starts_with("LC_") || name.starts_with("SSH_") ||
         name.starts_with("XDG_");
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c > 0 && c <= 127; });
}

// Names, joined by ^ $ ( | ): short, and with nothing empty in it, which not all read alike.
bool is_expression(const std::string& text) {
  constexpr std::size_t kMostLetters = 256;
  int open = 0;
  const bool plain = std::ranges::all_of(text, [&](char c) {
    open += c == '(' ? 1 : c == ')' ? -1 : 0;
    return open >= 0 && (name_char(c) || std::string_view("^$(|)-").contains(c));
  });
  const std::string around = fmt::format("({})", text);
  constexpr auto kEmpty = std::to_array<std::string_view>({"()", "(|", "||", "|)"});
  return plain && open == 0 && text.size() <= kMostLetters &&
         std::ranges::none_of(kEmpty, [&](auto empty) { return around.contains(empty); });
}

// Whether it is found in an ASCII text of one line.
Tri search_with(const std::string& expression, const std::string& text) {
  regex_t compiled;
  if (text.size() > kMostText ||
      ::regcomp(&compiled, expression.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
    return Tri::unknown;
  }
  const int answer = ::regexec(&compiled, text.c_str(), 0, nullptr, 0);
  ::regfree(&compiled);
  if (answer != 0 && answer != REG_NOMATCH) return Tri::unknown;
  return answer == 0 ? Tri::yes : Tri::no;
}

struct Search {
  std::string text;
  bool word = false;
  bool line = false;
  bool expression = false;  // text is an extended regular expression
};

// A grep's pattern as an extended regular expression.
std::optional<Search> expression_of(Search search, bool extended) {
  std::string& text = search.text;
  // Without -E only ^ and $ are special, and these only at its ends.
  const std::string inner = text.substr(text.starts_with('^') ? 1 : 0);
  const auto special = inner.find_first_of("^$(|)");
  const bool basic = special == std::string::npos || inner.substr(special) == "$";
  if (!is_expression(text) || (!extended && !basic)) return std::nullopt;
  if (search.line) {
    text = fmt::format("^({})$", text);
  } else if (search.word) {
    if (text.find_first_of("^$") != std::string::npos) return std::nullopt;
    text = fmt::format("(^|[^A-Za-z0-9_])({})([^A-Za-z0-9_]|$)", text);
  }
  search.expression = true;
  return search;
}

std::optional<Search> search_of(const std::vector<std::string>& words) {
  const std::string name = program(words.front());
  if (name != "grep" && name != "egrep" && name != "fgrep") return std::nullopt;
  Search search;
  bool literal = name == "fgrep";
  bool extended = name == "egrep";
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.starts_with('-')) {
      if (word.size() < 2 || word.find_first_not_of("qswxFE", 1) != std::string::npos) return {};
      search.word = search.word || word.contains('w');
      search.line = search.line || word.contains('x');
      literal = literal || word.contains('F');
      extended = extended || word.contains('E');
    } else if (search.text.empty()) {
      search.text = word;
    } else {
      return std::nullopt;  // a file, too
    }
  }
  const Search given = search;
  constexpr auto kAround =
      std::to_array<std::array<std::string_view, 2>>({{"^", "$"}, {"\\b", "\\b"}, {"\\<", "\\>"}});
  for (const auto& [before, after] : kAround) {
    std::string& text = search.text;
    if (literal || text.size() <= before.size() + after.size() || !text.starts_with(before) ||
        !text.ends_with(after)) {
      continue;
    }
    text = text.substr(before.size(), text.size() - before.size() - after.size());
    (before == "^" ? search.line : search.word) = true;
    break;
  }
  const bool plain = std::ranges::all_of(
      search.text, [](char c) { return name_char(c) || c == '-' || c == ' ' || c == ':'; });
  if (!plain && !literal) return expression_of(given, extended);
  return plain && !search.text.empty() ? std::optional(search) : std::nullopt;
}

}  // namespace

std::map<std::string, Value> environment_of(const ShellUser& user) {
  Value name = name_of(user);
  if (name.kind == Value::Kind::unknown) name = Value::nonempty();
  std::map<std::string, Value> variables{{"USER", name}, {"LOGNAME", name}};
  for (const char* variable : {"SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"}) {
    if (user.login == Login::ssh) variables[variable] = Value::nonempty();
    if (user.login == Login::local) variables[variable] = Value{};
  }
  if (user.login == Login::ssh) {
    variables["SSH_TTY"] = Value::begins("/dev/pts/");
    // The port comes next. Of a link-local address the interface would belong to it.
    if (!user.address.empty() && !user.address.starts_with("fe80")) {
      variables["SSH_CONNECTION"] = Value::begins(user.address + " ");
      variables["SSH_CLIENT"] = Value::begins(user.address + " ");
    }
  }
  return variables;
}

std::optional<Values> before_all_files(Dialect dialect, std::string_view name) {
  if (name == "IFS") return Values{Value::of(" \t\n")};
  if (name == "OSTYPE" && (dialect == Dialect::bash || dialect == Dialect::zsh)) {
    // What these are built for that run on this kernel, as config.guess names it.
    return Values{Value::of("linux"),          Value::of("linux-gnu"),
                  Value::of("linux-gnueabi"),  Value::of("linux-gnueabihf"),
                  Value::of("linux-gnux32"),   Value::of("linux-musl"),
                  Value::of("linux-musleabi"), Value::of("linux-musleabihf")};
  }
  if (sets_itself(dialect, name)) return Values{Value::nonempty()};
  if (may_be_brought(name)) return State().get(std::string(name)).values;
  return std::nullopt;
}

Values printed_by(const std::vector<std::string>& words, const ShellUser& user) {
  std::string asks = program(words.front());
  if (asks == "echo") return {echoed(words)};
  std::string letters;
  std::string whom;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const bool option = words[i].starts_with('-');
    if (words[i].empty() || words[i].starts_with("--") || (!option && !whom.empty())) {
      return {Value::unknown()};
    }
    (option ? letters : whom) += option ? words[i].substr(1) : words[i];
  }
  const Value name = name_of(user);
  // Of others nothing is known here.
  if (!whom.empty() && (name.kind != Value::Kind::text || whom != name.text)) {
    return {Value::unknown()};
  }
  std::ranges::sort(letters);
  if (!letters.empty()) asks.append(" ").append(letters);
  if (asks == "tty" && user.login == Login::ssh) return {Value::begins("/dev/pts/")};
  if (asks == "id u" || asks == "id ru") return {Value::of(std::to_string(user.uid))};
  if (asks == "id nu" || asks == "id nru") return {name};
  if ((asks == "whoami" || asks == "logname") && whom.empty()) return {name};
  if (asks == "id g" || asks == "id gr") {
    return {user.gid ? Value::of(std::to_string(*user.gid)) : Value::unknown()};
  }
  if (asks == "id gn" || asks == "id gnr") {
    return {user.groups.empty() ? Value::unknown() : Value::of(user.groups.front())};
  }
  if (asks == "id Gn") return groups_of(user, "");
  if (asks == "groups") return groups_of(user, whom.empty() ? "" : whom + " : ");
  return {Value::unknown()};
}

Value changed_by(const std::vector<std::string>& words, std::string text) {
  if (words.size() != 3 || program(words[0]) != "tr" || words[1] != " " ||
      (words[2] != "\\n" && words[2] != "\n")) {
    return Value::unknown();
  }
  std::ranges::replace(text, ' ', '\n');
  return Value::of(std::move(text));
}

Tri found_by(const std::vector<std::string>& words, const std::string& text) {
  const auto search = search_of(words);
  // What is a letter beyond ASCII is the locale's to say.
  if (!search || !is_ascii(text)) return Tri::unknown;
  const auto in = [&](const std::string& line) {
    if (search->expression) return search_with(search->text, line);
    const bool found = search->line   ? line == search->text
                       : search->word ? has_word(line, search->text)
                                      : line.contains(search->text);
    return found ? Tri::yes : Tri::no;
  };
  Tri any = Tri::no;
  for (const std::string& line : split(text, '\n')) any = any || in(line);
  return any;
}

Tri found_by_expression(const std::string& expression, const Value& value) {
  if (!value.known() || !is_ascii(value.text) || !is_expression(expression)) return Tri::unknown;
  return search_with(expression, value.text);
}

bool has_word(std::string_view text, std::string_view word) {
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !name_char(text[at - 1])) && (end == text.size() || !name_char(text[end]))) {
      return true;
    }
  }
  return false;
}

}  // namespace idlewarden::shell
