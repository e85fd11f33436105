// SPDX-License-Identifier: Apache-2.0
#include "limits/sshd_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <climits>
#include <optional>
#include <utility>

#include "base/text.h"

namespace idlewarden {
namespace {

constexpr std::array<std::string_view, kSshdKeywords> kNames{
    "ClientAliveInterval", "ClientAliveCountMax", "ChannelTimeout", "UnusedConnectionTimeout"};
constexpr const char* kFolder =
    "/etc/ssh";  // what a relative Include starts at, wherever -f points
constexpr int kDeepest = 16;
constexpr int kMostInclusions = 1024;
constexpr std::size_t kMostFiles = 512;  // a drop-in for each customer
constexpr std::size_t kMostBytes = 8U << 20;
constexpr const char* kTimeHint =
    "write seconds, or numbers with s, m, h, d or w, as in 5m or 1h30m";
constexpr const char* kChannelHint =
    "write none, or type=time for each channel type, as in session:*=10m";

Where at(Where where, const SshdWord& word) {
  where.column = word.column;
  return where;
}

std::optional<SshdKeyword> keyword_of(std::string_view word) {
  const std::string wanted = lower(word);
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (lower(kNames[i]) == wanted) return static_cast<SshdKeyword>(i);
  }
  return std::nullopt;
}

// sshd refuses every keyword that it does not know. This reader knows only its own, so it can tell
// only the near misses of those.
std::string near_miss(std::string_view word) {
  const std::string wanted = lower(word);
  if (wanted.size() < 12) return {};
  std::vector<std::string> candidates;
  for (const std::string_view name : kNames) candidates.push_back(lower(name));
  const std::string found = nearest(wanted, candidates);
  for (const std::string_view name : kNames) {
    if (lower(name) == found) return std::string(name);
  }
  return {};
}

std::unexpected<Error> extra_argument(const Where& where, SshdKeyword keyword,
                                      const SshdWord& word) {
  return fail_at(
      at(where, word),
      fmt::format("{} has an extra argument \"{}\"", to_string(keyword), printable(word.text)),
      "write one value, and nothing but a comment after it");
}

// One value and nothing else.
Result<SshdDirective> read_value(SshdDirective directive, const Where& where) {
  const auto& args = directive.args;
  const bool is_count = directive.keyword == SshdKeyword::client_alive_count_max;
  const char* hint = is_count ? "write a whole number from 0 on" : kTimeHint;
  if (args.empty() || args[0].text.empty()) {
    return fail_at(where, fmt::format("{} has no value", to_string(directive.keyword)), hint);
  }
  const std::string& text = args[0].text;
  if (directive.keyword == SshdKeyword::unused_connection_timeout && lower(text) == "none") {
    directive.none = true;
  } else {
    const auto value = is_count ? sshd_number(text, INT_MAX) : sshd_time(text);
    if (!value) {
      return fail_at(at(where, args[0]),
                     fmt::format("{}: \"{}\" is not a {}", to_string(directive.keyword),
                                 printable(text), is_count ? "number" : "time"),
                     hint);
    }
    directive.value = *value;
  }
  if (args.size() > 1) return extra_argument(where, directive.keyword, args[1]);
  return directive;
}

// sshd 9.2 to 9.5 accepts "none" after other types too, though its sessions then end in an internal
// error; from 9.6 on it is refused. It sets nothing, so it is let through where it stands last.
Result<SshdDirective> read_channel_timeout(SshdDirective directive, const Where& where) {
  for (const SshdWord& word : directive.args) {
    if (lower(word.text) == "none") {
      if (&word != &directive.args.back()) {
        return fail_at(at(where, word), "ChannelTimeout: \"none\" must stand alone", kChannelHint);
      }
    } else if (!sshd_channel_timeout(word.text)) {
      return fail_at(at(where, word),
                     fmt::format("ChannelTimeout: \"{}\" is not type=time", printable(word.text)),
                     kChannelHint);
    }
  }
  return directive;
}

Result<SshdDirective> read_directive(SshdKeyword keyword, std::vector<SshdWord> args,
                                     const Where& where) {
  SshdDirective directive{.keyword = keyword, .args = std::move(args)};
  if (keyword == SshdKeyword::channel_timeout) {
    return read_channel_timeout(std::move(directive), where);
  }
  return read_value(std::move(directive), where);
}

// The folder of the part before the first wildcard.
std::string folder_of(std::string_view pattern) {
  const std::size_t wild = std::min(pattern.find_first_of("*?[\\"), pattern.size());
  const std::size_t slash = pattern.substr(0, wild).rfind('/');
  return std::string(pattern.substr(0, std::max<std::size_t>(slash, 1)));
}

class Reader {
 public:
  Reader(const Root& root, SshdGrammar grammar) : root_(root), grammar_(grammar) {}

  Result<SshdSyntax> read(const std::string& path, const std::vector<std::string>& options) {
    for (const std::string& option : options) {
      if (auto r = read_option(option); !r) return std::unexpected(r.error());
    }
    const auto main = file(path);
    if (!main) return std::unexpected(main.error());
    syntax_.main = *main;
    int inclusions = 0;
    if (auto r = check_depth(**main, 0, inclusions); !r) return std::unexpected(r.error());
    return std::move(syntax_);
  }

 private:
  struct Parsed {
    SshdWord keyword;
    std::vector<SshdWord> args;
    SshdScanner rest;  // behind the keyword
  };

  // nullopt: nothing on this line.
  Result<std::optional<Parsed>> read_line(const SshdLine& line, Where& where) const {
    SshdScanner scanner(line);
    if (line.text.empty()) return std::nullopt;
    auto keyword = scanner.word();
    if (keyword && keyword->text.empty()) keyword = scanner.word();
    if (!keyword || keyword->text.empty() || keyword->text.starts_with('#')) return std::nullopt;
    where.column = where.line == 0 ? 0 : keyword->column;
    if (scanner.at_end()) {
      return fail_at(where, fmt::format("nothing follows \"{}\"", printable(keyword->text)),
                     "give it a value, or take the line out");
    }
    auto args = scanner.arguments();
    if (!args) {
      return fail_at(
          where,
          fmt::format("a quote is not closed on the line of \"{}\"", printable(keyword->text)),
          "close the quote, or write \\\" or \\' for the character itself");
    }
    return Parsed{std::move(*keyword), std::move(*args), scanner};
  }

  void note_dns(const std::string& keyword, const std::vector<SshdWord>& args) {
    if (keyword != "usedns") return;
    syntax_.may_use_dns = syntax_.may_use_dns || args.empty() || lower(args[0].text) != "no";
  }

  void note_subsystem(const std::string& keyword, const std::vector<SshdWord>& args) {
    if (keyword != "subsystem" || args.size() < 2) return;
    const std::string program = split(args[1].text, ' ').front();
    const std::string_view name = base_name(program);
    syntax_.subsystems.push_back({args[0].text, name == "sftp-server" || name == "internal-sftp"});
  }

  Result<void> read_option(const std::string& option) {
    Where where{"sshd -o"};
    const SshdLine line = sshd_option_line(option);
    auto parsed = read_line(line, where);
    if (!parsed) return std::unexpected(parsed.error());
    if (!*parsed) return {};
    const std::string name = lower((*parsed)->keyword.text);
    if (name == "match" || name == "include") {
      return fail_at(where, fmt::format("\"{}\" cannot be given with -o", name),
                     "write it into the configuration file");
    }
    note_dns(name, (*parsed)->args);
    note_subsystem(name, (*parsed)->args);
    const auto keyword = keyword_of(name);
    if (!keyword) return {};
    auto directive = read_directive(*keyword, std::move((*parsed)->args), where);
    if (!directive) {
      directive.error().where.column = 0;
      return std::unexpected(directive.error());
    }
    syntax_.options.push_back({where, option, std::move(*directive)});
    return {};
  }

  // sshd reads "none" and /dev/null as an empty file, and so it reads a folder.
  Result<std::string> content(const std::string& path) const {
    if (path == "/dev/null" || root_.is_directory(path)) return std::string();
    return root_.read(path);
  }

  Result<const SshdFile*> file(const std::string& path) {
    if (const auto known = syntax_.files.find(path); known != syntax_.files.end()) {
      return known->second.get();
    }
    if (syntax_.files.size() == kMostFiles) {
      return fail_at(Where{path}, fmt::format("more than {} files are included", kMostFiles),
                     "join some of them");
    }
    const bool nothing = syntax_.files.empty() && lower(path) == "none";
    const auto text = nothing ? Result<std::string>(std::string()) : content(path);
    if (!text) return std::unexpected(text.error());
    bytes_ += text->size();
    if (bytes_ > kMostBytes) {
      return fail_at(Where{path}, fmt::format("more than {} MiB are included", kMostBytes >> 20),
                     "leave some of it out");
    }
    auto made = std::make_unique<SshdFile>();
    SshdFile* const out = made.get();
    out->path = path;
    // Known before it is read to the end: a file may include itself, which check_depth() refuses.
    syntax_.files.emplace(path, std::move(made));
    if (!nothing) syntax_.paths.push_back(path);
    for (const SshdLine& line : sshd_lines(*text)) {
      if (auto r = statement(line, *out); !r) return std::unexpected(r.error());
    }
    return out;
  }

  Result<void> statement(const SshdLine& line, SshdFile& out) {
    Where where{out.path, line.number};
    auto parsed = read_line(line, where);
    if (!parsed) return std::unexpected(parsed.error());
    if (!*parsed) return {};
    const SshdWord& word = (*parsed)->keyword;
    const std::string name = lower(word.text);
    note_dns(name, (*parsed)->args);
    note_subsystem(name, (*parsed)->args);
    if (name == "match") {
      auto match = SshdMatch::parse((*parsed)->rest, where, grammar_);
      if (!match) return std::unexpected(match.error());
      out.statements.push_back({where, line.text, std::move(*match)});
    } else if (name == "include") {
      auto include = read_include((*parsed)->args, where);
      if (!include) return std::unexpected(include.error());
      out.statements.push_back({where, line.text, std::move(*include)});
    } else if (const auto keyword = keyword_of(name)) {
      auto directive = read_directive(*keyword, std::move((*parsed)->args), where);
      if (!directive) return std::unexpected(directive.error());
      out.statements.push_back({where, line.text, std::move(*directive)});
    } else if (const std::string meant = near_miss(name); !meant.empty()) {
      return fail_at(where, fmt::format("sshd knows no \"{}\"", printable(word.text)),
                     "write " + meant);
    }
    return {};
  }

  Result<SshdInclude> read_include(const std::vector<SshdWord>& args, const Where& where) {
    SshdInclude include;
    if (args.empty()) {
      return fail_at(where, "Include names no file", "write a path, with * ? if need be");
    }
    for (const SshdWord& word : args) {
      if (word.text.empty()) {
        return fail_at(at(where, word), "Include: an empty path", "write a path or take it out");
      }
      // A '~' is not expanded: it is a folder of that name where sshd was started, which is /.
      const std::string pattern = word.text.starts_with('/')   ? word.text
                                  : word.text.starts_with('~') ? "/" + word.text
                                                               : kFolder + ("/" + word.text);
      const std::string folder = folder_of(pattern);
      if (std::ranges::find(syntax_.folders, folder) == syntax_.folders.end()) {
        syntax_.folders.push_back(folder);
      }
      std::vector<std::string> paths = root_.glob(pattern);
      std::ranges::sort(paths);  // glob(3) sorts by the locale, sshd by bytes
      for (const std::string& path : paths) {
        const auto included = file(path);
        if (!included) return std::unexpected(included.error());
        include.files.push_back(*included);
      }
    }
    return include;
  }

  Result<void> check_depth(const SshdFile& in, int depth, int& inclusions) const {
    for (const SshdStatement& statement : in.statements) {
      const auto* include = std::get_if<SshdInclude>(&statement.what);
      if (include == nullptr) continue;
      for (const SshdFile* included : include->files) {
        if (depth == kDeepest) {
          return fail_at(statement.where, fmt::format("Include is nested deeper than {}", kDeepest),
                         "does a file include itself?");
        }
        if (++inclusions > kMostInclusions) {
          return fail_at(statement.where,
                         fmt::format("more than {} files are included in all", kMostInclusions),
                         "include fewer files");
        }
        if (auto r = check_depth(*included, depth + 1, inclusions); !r) return r;
      }
    }
    return {};
  }

  const Root& root_;
  SshdGrammar grammar_;
  SshdSyntax syntax_;
  std::size_t bytes_ = 0;  // of all files
};

}  // namespace

std::string_view to_string(SshdKeyword keyword) {
  return kNames.at(static_cast<std::size_t>(keyword));
}

std::optional<SshdChannelTimeout> sshd_channel_timeout(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return std::nullopt;
  const auto seconds = sshd_time(text.substr(equals + 1));
  if (!seconds) return std::nullopt;
  return SshdChannelTimeout{std::string(text.substr(0, equals)), *seconds};
}

Result<SshdSyntax> read_sshd_syntax(const Root& root, const std::string& file,
                                    const std::vector<std::string>& options, SshdGrammar grammar) {
  return Reader(root, grammar).read(file, options);
}

}  // namespace idlewarden
