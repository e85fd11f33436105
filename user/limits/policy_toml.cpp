// SPDX-License-Identifier: Apache-2.0
#include "limits/policy_toml.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <functional>
#include <utility>

#include "base/duration.h"
#include "base/text.h"
#include "limits/hours.h"
#include "limits/match.h"
#include "limits/policy_depth.h"
#include "limits/policy_values.h"

namespace idlewarden {
namespace {

using Apply = std::function<Result<void>(const toml::node&)>;
struct Key {
  std::string name;
  Apply apply;
};
using Keys = std::vector<Key>;

std::vector<std::string> names(const Keys& keys) {
  std::vector<std::string> out;
  for (const Key& key : keys) out.push_back(key.name);
  return out;
}

class Reader {
 public:
  Reader(const std::string& file, std::string_view text, Policy& policy)
      : file_(file), lines_(split(text, '\n')), policy_(policy) {}

  Result<void> read(const toml::table& root);

 private:
  Where at(const toml::source_region& region) const {
    return {file_, static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
  }
  std::unexpected<Error> wrong(const toml::node& node, std::string what, std::string hint) const {
    return fail_at(at(node.source()), std::move(what), std::move(hint));
  }
  std::string line(int number) const;

  Result<void> apply(const toml::table& table, const std::string& name, const Keys& keys) const;
  Result<std::string> string(const toml::node& node) const;
  Result<Seconds> seconds(const toml::node& node, Seconds least) const;
  Result<void> each_string(const toml::node& node,
                           const std::function<Result<void>(const std::string&)>& use) const;

  // What may stand behind a key. `into` outlives the call of apply().
  Apply flag(bool& into) const;
  Apply duration(auto& into, Seconds least = Seconds(0)) const;
  Apply text(std::string& into) const;
  Apply message(std::string& into) const;
  using PatternCheck = Result<void> (*)(const std::string&);
  Apply patterns(std::vector<std::string>& into, PatternCheck check = check_pattern) const;
  Apply absolute_paths(std::vector<std::string>& into) const;
  Apply commands(std::vector<std::string>& into) const;
  Apply kinds(std::vector<Kind>& into) const;
  Apply hours(std::vector<Hours>& into) const;
  Apply limit(Rule& into) const;
  Apply count(int& into) const;
  Apply section(std::string name, Keys keys) const;
  template <class T>
  Apply choice(T& into, std::vector<std::pair<std::string, T>> values) const;
  Apply amount(std::optional<std::int64_t>& into) const;
  // An array of tables, each read by `one`.
  using One = Result<void> (Reader::*)(const toml::table& table);
  Apply tables(const char* written, One one);
  Result<void> rule(const toml::table& table);
  Result<void> control(const toml::table& table);
  Keys top_level();

  const std::string& file_;
  std::vector<std::string> lines_;
  Policy& policy_;
  std::vector<std::string> top_names_;
};

std::string Reader::line(int number) const {
  if (number < 1 || static_cast<std::size_t>(number) > lines_.size()) return {};
  return std::string(trim(lines_[static_cast<std::size_t>(number) - 1]));
}

// Of several errors the one that stands first in the file.
Result<void> Reader::apply(const toml::table& table, const std::string& name,
                           const Keys& keys) const {
  std::optional<Error> first;
  const auto note = [&](Error error) {
    const auto place = [](const Error& e) { return std::pair(e.where.line, e.where.column); };
    if (!first || place(error) < place(*first)) first = std::move(error);
  };
  for (const auto& [key, node] : table) {
    const std::string word(key.str());
    const auto known = std::ranges::find(keys, word, &Key::name);
    if (known != keys.end()) {
      if (auto result = known->apply(node); !result) note(result.error().during(word).error());
      continue;
    }
    std::string hint = "known here are: " + fmt::format("{}", fmt::join(names(keys), ", "));
    if (const std::string meant = nearest(word, names(keys)); !meant.empty()) {
      hint = fmt::format("did you mean \"{}\"?", meant);
    } else if (std::ranges::find(top_names_, word) != top_names_.end()) {
      hint = "it belongs to the top of the file, above the first [table]";
    }
    note({.what = fmt::format("unknown key \"{}\"{}", printable(word, 60),
                              name.empty() ? "" : " in " + name),
          .where = at(key.source()),
          .hint = std::move(hint)});
  }
  if (first) return std::unexpected(*std::move(first));
  return {};
}

Result<std::string> Reader::string(const toml::node& node) const {
  if (const auto* value = node.as_string()) {
    if (value->get().find('\0') == std::string::npos) return value->get();
    return wrong(node, "a NUL character", "leave it out");
  }
  return wrong(node, "is not a string", "put it between double quotes");
}

Result<Seconds> Reader::seconds(const toml::node& node, Seconds least) const {
  constexpr const char* kForm = "write it as \"90\", \"5m\", \"1h30m\" or \"2d\"";
  std::string written;
  if (const auto* number = node.as_integer()) {
    written = std::to_string(number->get());
  } else if (const auto* quoted = node.as_string()) {
    written = quoted->get();
  } else {
    return wrong(node, "is not a duration", kForm);
  }
  const auto value = parse_duration(written);
  if (!value) {
    return wrong(node, fmt::format("\"{}\" is not a duration", printable(written, 60)), kForm);
  }
  if (*value < least) {
    return wrong(node, fmt::format("\"{}\" is too short", written),
                 "at least " + format_duration(least));
  }
  return *value;
}

Result<void> Reader::each_string(const toml::node& node,
                                 const std::function<Result<void>(const std::string&)>& use) const {
  const auto* array = node.as_array();
  if (array == nullptr) return wrong(node, "is not a list", "write it as [\"...\", \"...\"]");
  for (const toml::node& element : *array) {
    const auto value = string(element);
    if (!value) return std::unexpected(value.error());
    if (auto result = use(*value); !result) {
      return wrong(element, result.error().what, result.error().hint);
    }
  }
  return {};
}

Apply Reader::flag(bool& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    const auto* value = node.as_boolean();
    if (value == nullptr) return wrong(node, "is neither true nor false", "without quotes");
    into = value->get();
    return {};
  };
}

Apply Reader::duration(auto& into, Seconds least) const {
  return [this, &into, least](const toml::node& node) -> Result<void> {
    const auto value = seconds(node, least);
    if (!value) return std::unexpected(value.error());
    into = *value;
    return {};
  };
}

Apply Reader::text(std::string& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    auto value = string(node);
    if (!value) return std::unexpected(value.error());
    if (trim(*value).empty()) return wrong(node, "is empty", "give it a text or leave it out");
    into = *std::move(value);
    return {};
  };
}

Apply Reader::message(std::string& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    auto value = string(node);
    if (!value) return std::unexpected(value.error());
    if (auto good = check_message(*value); !good) {
      return wrong(node, good.error().what, good.error().hint);
    }
    into = with_crlf(*value);
    return {};
  };
}

Apply Reader::patterns(std::vector<std::string>& into, PatternCheck check) const {
  return [this, &into, check](const toml::node& node) -> Result<void> {
    into.clear();
    auto read = each_string(node, [&](const std::string& pattern) -> Result<void> {
      into.push_back(pattern);
      return check(pattern);
    });
    if (!read) return read;
    if (only_negated(into)) {
      return wrong(node, "only negations match nothing", "begin with \"*\"");
    }
    return {};
  };
}

Apply Reader::absolute_paths(std::vector<std::string>& into) const {
  return [this, &into](const toml::node& node) {
    return each_string(node, [&](const std::string& path) -> Result<void> {
      if (!path.starts_with('/')) {
        return fail(fmt::format("\"{}\" is not an absolute path", printable(path, 60)),
                    "hosts are recognised by the whole path of their executable");
      }
      into.push_back(path);
      return {};
    });
  };
}

Apply Reader::commands(std::vector<std::string>& into) const {
  return [this, &into](const toml::node& node) {
    into.clear();
    return each_string(node, [&](const std::string& name) -> Result<void> {
      if (name.empty() || name.find('/') != std::string::npos) {
        return fail(fmt::format("\"{}\" is not a command's name", printable(name, 60)),
                    "write \"rsync\", not its path");
      }
      into.push_back(name.substr(0, 15));  // the kernel keeps no more (TASK_COMM_LEN)
      return {};
    });
  };
}

Apply Reader::kinds(std::vector<Kind>& into) const {
  return [this, &into](const toml::node& node) {
    into.clear();
    return each_string(node, [&](const std::string& name) -> Result<void> {
      if (const auto kind = kind_from(name)) {
        into.push_back(*kind);
        return {};
      }
      return fail(fmt::format("unknown kind \"{}\"", printable(name, 60)),
                  "ssh, ssh-nopty, mosh, dropbear, telnet, console or serial");
    });
  };
}

Apply Reader::hours(std::vector<Hours>& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    into.clear();
    const auto add = [&](const std::string& written) -> Result<void> {
      const auto value = parse_hours(written);
      if (!value) return std::unexpected(value.error());
      into.push_back(*value);
      return {};
    };
    if (!node.is_string()) return each_string(node, add);
    const auto value = string(node);
    if (!value) return std::unexpected(value.error());
    if (auto result = add(*value); !result) {
      return wrong(node, result.error().what, result.error().hint);
    }
    return {};
  };
}

Apply Reader::limit(Rule& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    into.where = at(node.source());
    into.text = line(into.where.line);
    const auto word = node.value<std::string>();
    if (word == "never") {
      into.limit = Never{};
    } else if (word == "derived") {
      into.limit = Derived{};
    } else {
      const auto value = seconds(node, Seconds(0));
      if (!value) {
        return wrong(node, value.error().what, value.error().hint + ", or \"never\", \"derived\"");
      }
      if (*value == Seconds(0))
        return wrong(node, "no time at all", "write \"never\" for no limit");
      into.limit = *value;
    }
    return {};
  };
}

Apply Reader::count(int& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    const auto* value = node.as_integer();
    if (value == nullptr || value->get() < 1 || value->get() > 100000) {
      return wrong(node, "is not a number from 1 to 100000", "");
    }
    into = static_cast<int>(value->get());
    return {};
  };
}

Apply Reader::section(std::string name, Keys keys) const {
  return [this, name = std::move(name), keys = std::move(keys)](const toml::node& node) {
    const auto* table = node.as_table();
    if (table != nullptr) return apply(*table, name, keys);
    return Result<void>(wrong(node, "is not a table", "write it as " + name));
  };
}

template <class T>
Apply Reader::choice(T& into, std::vector<std::pair<std::string, T>> values) const {
  return [this, &into, values = std::move(values)](const toml::node& node) -> Result<void> {
    std::vector<std::string> known;
    for (const auto& [name, value] : values) {
      if (node.value<std::string>() == name) {
        into = value;
        return {};
      }
      known.push_back("\"" + name + "\"");
    }
    return wrong(node, "unknown value", fmt::format("one of {}", fmt::join(known, ", ")));
  };
}

Apply Reader::amount(std::optional<std::int64_t>& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    const auto value = seconds(node, Seconds(0));
    if (!value) return std::unexpected(value.error());
    into = value->count();
    return {};
  };
}

Apply Reader::tables(const char* written, One one) {
  return [this, written, one](const toml::node& node) -> Result<void> {
    const std::string hint = fmt::format("write {}", written);
    const auto* array = node.as_array();
    if (array == nullptr) return wrong(node, "is not a list of tables", hint);
    for (const toml::node& element : *array) {
      const auto* table = element.as_table();
      if (table == nullptr) return wrong(element, "is not a table", hint);
      if (auto result = (this->*one)(*table); !result) return result;
    }
    return {};
  };
}

Result<void> Reader::control(const toml::table& table) {
  Control control;
  control.where = at(table.source());
  std::vector<std::pair<std::string, std::string>> settings;
  for (const std::string_view name : kControlSettings) settings.emplace_back(name, name);
  const Keys keys{
      {"id", text(control.id)},
      {"title", text(control.title)},
      {"systems", patterns(control.systems)},
      {"requires", section("requires = { ... }", {{"setting", choice(control.setting, settings)},
                                                  {"at_least", amount(control.at_least)},
                                                  {"at_most", amount(control.at_most)},
                                                  {"readonly", flag(control.readonly)},
                                                  {"exported", flag(control.exported)}})},
      {"intent",
       section("intent = { ... }", {{"idle_at_most", duration(control.idle_at_most, Seconds(1))},
                                    {"kinds", kinds(control.kinds)},
                                    {"jobs_may_finish", flag(control.jobs_may_finish)}})},
  };
  if (auto result = apply(table, "[[control]]", keys); !result) return result;
  if (control.id.empty()) return fail_at(control.where, "a control without an id", "id = \"...\"");
  if (control.setting.empty() && !control.idle_at_most) {
    return fail_at(control.where,
                   fmt::format("control \"{}\" asks for nothing", printable(control.id, 60)),
                   "give it requires = { setting = ... } or intent = { idle_at_most = ... }");
  }
  const bool of_tmout = control.readonly || control.exported;
  if (of_tmout && control.setting != "TMOUT") {
    return fail_at(control.where, "readonly and exported are only known of TMOUT",
                   "write setting = \"TMOUT\" beside them");
  }
  if (control.setting.empty() && (control.at_least || control.at_most)) {
    return fail_at(control.where, "at_least and at_most of no setting",
                   "write setting = \"...\" beside them");
  }
  if (control.kinds.empty()) {
    return fail_at(
        control.where,
        fmt::format("control \"{}\" is about no kind of session", printable(control.id, 60)),
        "leave kinds out, or name one");
  }
  policy_.controls.push_back(std::move(control));
  return {};
}

Result<void> Reader::rule(const toml::table& table) {
  Rule rule;
  rule.name = fmt::format("rule {}", policy_.rules.size() + 1);
  rule.where = at(table.source());
  rule.text = line(rule.where.line);
  Match& match = rule.match;
  const Keys keys{
      {"name", text(rule.name)},
      {"match", section("match = { ... }", {{"users", patterns(match.users)},
                                            {"groups", patterns(match.groups)},
                                            {"addresses", patterns(match.addresses, check_address)},
                                            {"hosts", patterns(match.hosts)},
                                            {"ttys", patterns(match.ttys)},
                                            {"kinds", kinds(match.kinds)},
                                            {"hours", hours(match.hours)}})},
      {"limit", limit(rule)},
      {"action",
       choice<Action>(rule.action, {{"terminate", Action::terminate}, {"alert", Action::alert}})},
      {"job_limit", duration(rule.job_limit, Seconds(1))},
      {"jobs", commands(rule.jobs)},
      {"max_session", duration(rule.max_session, Seconds(1))},
      {"kill_survivors", flag(rule.kill_survivors)},
  };
  if (auto result = apply(table, "[[rule]]", keys); !result) return result;
  if (rule.job_limit.has_value() == rule.jobs.empty()) {
    return fail_at(
        rule.where,
        fmt::format("rule \"{}\" has {}", printable(rule.name, 60),
                    rule.jobs.empty() ? "job_limit but no jobs" : "jobs but no job_limit"),
        "the two only work together");
  }
  policy_.rules.push_back(std::move(rule));
  return {};
}

Keys Reader::top_level() {
  std::vector<std::pair<std::string, std::optional<Backend>>> backends{{"auto", std::nullopt}};
  for (const Backend backend :
       {Backend::fentry, Backend::kprobe, Backend::sampler, Backend::tracepoint}) {
    backends.emplace_back(to_string(backend), backend);
  }
  return {
      {"mode", choice<Mode>(policy_.mode, {{"audit", Mode::audit}, {"enforce", Mode::enforce}})},
      {"warn", duration(policy_.warn)},
      {"grace", duration(policy_.grace, Seconds(1))},
      {"activity", choice<bool>(policy_.output_counts, {{"input", false}, {"input+output", true}})},
      {"ignore_terminal_replies", flag(policy_.ignore_terminal_replies)},
      {"max_terminations_per_minute", count(policy_.max_terminations_per_minute)},
      {"messages", section("messages = { ... }", {{"warn", message(policy_.messages.warn)},
                                                  {"end", message(policy_.messages.end)}})},
      {"derive",
       section("[derive]", {{"sshd_config", flag(policy_.derive_sshd_config)},
                            {"tmout", flag(policy_.derive_tmout)},
                            {"logind", flag(policy_.derive_logind)},
                            {"client_alive_floor", duration(policy_.client_alive_floor)}})},
      {"kernel", section("[kernel]", {{"backend", choice(policy_.backend, backends)}})},
      {"metrics", section("[metrics]", {{"listen",
                                         [this](const toml::node& node) -> Result<void> {
                                           const auto value = string(node);
                                           if (!value) return std::unexpected(value.error());
                                           auto listen = parse_listen(*value);
                                           if (!listen)
                                             return wrong(node, listen.error().what,
                                                          listen.error().hint);
                                           policy_.metrics_listen = *std::move(listen);
                                           return {};
                                         }},
                                        {"per_session", flag(policy_.metrics_per_session)}})},
      {"sessions", section("[sessions]", {{"hosts", absolute_paths(policy_.host_executables)}})},
      {"rule", tables("[[rule]]", &Reader::rule)},
      {"control", tables("[[control]]", &Reader::control)},
  };
}

Result<void> Reader::read(const toml::table& root) {
  const Keys keys = top_level();
  top_names_ = names(keys);
  return apply(root, "", keys);
}

}  // namespace

Result<void> merge_policy(const std::string& file, std::string_view text, Policy& policy) {
  if (const auto line = line_with_deep_key(text)) {
    return fail_at({file, *line, 0}, "a key of more than 8 parts", "no key has more than three");
  }
  try {
    return Reader(file, text, policy).read(toml::parse(text, std::string_view(file)));
  } catch (const toml::parse_error& error) {
    const toml::source_position& place = error.source().begin;
    return fail_at({file, static_cast<int>(place.line), static_cast<int>(place.column)},
                   "not TOML: " + printable(error.description()));
  }
}

}  // namespace idlewarden
