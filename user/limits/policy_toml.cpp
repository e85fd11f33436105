// SPDX-License-Identifier: Apache-2.0
#include "limits/policy_toml.h"

#include <fmt/format.h>

#include <algorithm>

#include "limits/policy_depth.h"
#include "limits/policy_reader.h"
#include "limits/policy_values.h"

namespace idlewarden {
namespace {

// What stands at the place of a value but is none: a text without its quotes, or a part of one.
std::string bare_word(std::string_view text, const toml::source_position& place) {
  const std::vector<std::string> lines = split(text, '\n');
  if (place.line < 1 || place.line > lines.size() || place.column < 1) return {};
  const std::string& line = lines[place.line - 1];
  constexpr std::string_view kWord =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:*@";
  const std::size_t at = std::min<std::size_t>(place.column - 1, line.size());
  // The parser stops somewhere in the word, or right behind it.
  std::size_t begin = at;
  while (begin > 0 && kWord.find(line[begin - 1]) != std::string_view::npos) --begin;
  const std::size_t end = std::min(line.find_first_not_of(kWord, begin), line.size());
  const std::string word = line.substr(begin, end - begin);
  const std::string_view before = trim(std::string_view(line).substr(0, begin));
  const bool value = before.find('=') != std::string_view::npos &&
                     std::string_view("=[,").find(before.back()) != std::string_view::npos &&
                     !trim(std::string_view(line).substr(end)).starts_with('=');
  const bool letters = std::ranges::any_of(
      word, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
  return value && letters ? word : "";
}

}  // namespace

PolicyReader::Apply PolicyReader::duration(auto& into, Seconds least) const {
  return [this, &into, least](const toml::node& node) -> Result<void> {
    const auto value = seconds(node, least);
    if (!value) return std::unexpected(value.error());
    into = *value;
    return {};
  };
}

template <class T>
PolicyReader::Apply PolicyReader::choice(T& into,
                                         std::vector<std::pair<std::string, T>> values) const {
  return [this, &into, values = std::move(values)](const toml::node& node) -> Result<void> {
    const auto word = node.value<std::string>();
    std::vector<std::string> known;
    for (const auto& [name, value] : values) {
      if (word == name) {
        into = value;
        return {};
      }
      known.push_back(name);
    }
    const std::string all = fmt::format("one of \"{}\"", fmt::join(known, "\", \""));
    if (!word) return wrong(node, "unknown value", all);
    const std::string meant = nearest(*word, known);
    return wrong(node, fmt::format("unknown value \"{}\"", printable(*word, 60)),
                 meant.empty() ? all : fmt::format("did you mean \"{}\"?", meant));
  };
}

PolicyReader::Apply PolicyReader::tables(const char* written, One one) {
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

Result<void> PolicyReader::control(const toml::table& table) {
  Control control;
  control.where = at(table.source());
  std::vector<std::pair<std::string, std::string>> settings;
  for (const std::string_view name : kControlSettings) settings.emplace_back(name, name);
  const Keys keys{
      {"id", text(control.id)},
      {"title", text(control.title)},
      {"systems", some("system", "every system", patterns(control.systems))},
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

Result<void> PolicyReader::rule(const toml::table& table) {
  constexpr const char* kEverybody = "everybody";
  Rule rule;
  rule.name = fmt::format("rule {}", policy_.rules.size() + 1);
  rule.where = at(table.source());
  rule.text = line(rule.where.line);
  Match& match = rule.match;
  const Keys keys{
      {"name", text(rule.name)},
      {"match",
       section(
           "match = { ... }",
           {{"users", some("user", kEverybody, patterns(match.users, check_account))},
            {"groups", some("group", kEverybody, patterns(match.groups, check_account))},
            {"addresses", some("address", kEverybody, patterns(match.addresses, check_address))},
            {"hosts", some("host", kEverybody, patterns(match.hosts, check_host))},
            {"ttys", some("tty", kEverybody, patterns(match.ttys, check_tty))},
            {"kinds", some("kind", kEverybody, kinds(match.kinds))},
            {"hours", some("hour", "any time", hours(match.hours))}})},
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

PolicyReader::Keys PolicyReader::metrics() {
  const auto listen = [this](const toml::node& node) -> Result<void> {
    const auto value = string(node);
    if (!value) return std::unexpected(value.error());
    auto address = parse_listen(*value);
    if (!address) return wrong(node, address.error().what, address.error().hint);
    policy_.metrics_listen = *std::move(address);
    return {};
  };
  const auto token_file = [this](const toml::node& node) -> Result<void> {
    const auto value = string(node);
    if (!value) return std::unexpected(value.error());
    if (!value->starts_with('/')) {
      return wrong(node, fmt::format("\"{}\" is not an absolute path", printable(*value, 60)),
                   "write \"/etc/idlewarden/token\"");
    }
    policy_.metrics_token_file = *value;
    return {};
  };
  // Whether there is a token is known when all files are read.
  const auto page = [this](const toml::node& node) -> Result<void> {
    policy_.metrics_page_where = at(node.source());
    return choice<StatusPage>(policy_.metrics_page, {{"loopback", StatusPage::loopback},
                                                     {"token", StatusPage::token},
                                                     {"off", StatusPage::off}})(node);
  };
  return {
      {"listen", listen},
      {"per_session", flag(policy_.metrics_per_session)},
      {"page", page},
      {"token_file", token_file},
  };
}

PolicyReader::Keys PolicyReader::top_level() {
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
      {"metrics", section("[metrics]", metrics())},
      {"hooks",
       section("[hooks]", {{"on_event", program(policy_.hooks)},
                           {"events", event_types(policy_.hooks.events)},
                           {"timeout", bounded(policy_.hooks.timeout, Seconds(1), Seconds(300))}})},
      {"sessions", section("[sessions]", {{"hosts", absolute_paths(policy_.host_executables)}})},
      {"rule", tables("[[rule]]", &PolicyReader::rule)},
      {"control", tables("[[control]]", &PolicyReader::control)},
  };
}

Result<void> PolicyReader::read(const toml::table& root) {
  const Keys keys = top_level();
  top_names_ = names(keys);
  return apply(root, "", keys);
}

Result<void> merge_policy(const std::string& file, std::string_view text, Policy& policy) {
  if (const auto line = line_with_deep_key(text)) {
    return fail_at({file, *line, 0}, "a key of more than 8 parts", "no key has more than three");
  }
  try {
    return PolicyReader(file, text, policy).read(toml::parse(text, std::string_view(file)));
  } catch (const toml::parse_error& error) {
    const toml::source_position& place = error.source().begin;
    const std::string word = printable(bare_word(text, place), 60);
    return fail_at(
        {file, static_cast<int>(place.line), static_cast<int>(place.column)},
        "not TOML: " + printable(error.description()),
        word.empty() ? "" : fmt::format("strings stand between double quotes: \"{}\"", word));
  }
}

}  // namespace idlewarden
