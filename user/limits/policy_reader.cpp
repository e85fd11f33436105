// SPDX-License-Identifier: Apache-2.0
#include "limits/policy_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "base/duration.h"
#include "limits/hours.h"
#include "limits/policy_values.h"

namespace idlewarden {
namespace {

// Whether it is only its numbers that make it no duration.
bool is_too_long(std::string_view written) {
  std::string small;
  for (const char c : written) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit || !small.ends_with('1')) small += digit ? '1' : c;
  }
  return parse_duration(small).has_value();
}

}  // namespace

std::vector<std::string> PolicyReader::names(const Keys& keys) {
  std::vector<std::string> out;
  for (const Key& key : keys) out.push_back(key.name);
  return out;
}

std::string PolicyReader::line(int number) const {
  if (number < 1 || static_cast<std::size_t>(number) > lines_.size()) return {};
  return std::string(trim(lines_[static_cast<std::size_t>(number) - 1]));
}

// Of several errors the one that stands first in the file.
Result<void> PolicyReader::apply(const toml::table& table, const std::string& name,
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

Result<std::string> PolicyReader::string(const toml::node& node) const {
  if (const auto* value = node.as_string()) {
    if (value->get().find('\0') == std::string::npos) return value->get();
    return wrong(node, "a NUL character", "leave it out");
  }
  return wrong(node, "is not a string", "put it between double quotes");
}

Result<Seconds> PolicyReader::seconds(const toml::node& node, Seconds least) const {
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
  if (!value && is_too_long(written)) {
    return wrong(node, fmt::format("\"{}\" is too long", printable(written, 60)),
                 fmt::format("at most {}d", INT_MAX / 86400));
  }
  if (!value) {
    return wrong(node, fmt::format("\"{}\" is not a duration", printable(written, 60)), kForm);
  }
  if (*value < least) {
    return wrong(node, fmt::format("\"{}\" is too short", written),
                 "at least " + format_duration(least));
  }
  return *value;
}

Result<void> PolicyReader::each_string(
    const toml::node& node, const std::function<Result<void>(const std::string&)>& use) const {
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

PolicyReader::Apply PolicyReader::flag(bool& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    const auto* value = node.as_boolean();
    if (value == nullptr) return wrong(node, "is neither true nor false", "without quotes");
    into = value->get();
    return {};
  };
}

PolicyReader::Apply PolicyReader::text(std::string& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    auto value = string(node);
    if (!value) return std::unexpected(value.error());
    if (trim(*value).empty()) return wrong(node, "is empty", "give it a text or leave it out");
    into = *std::move(value);
    return {};
  };
}

PolicyReader::Apply PolicyReader::message(std::string& into) const {
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

PolicyReader::Apply PolicyReader::patterns(std::vector<std::string>& into,
                                           PatternCheck check) const {
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

// Where leaving a key out means everybody, an empty list is mostly a template's empty variable.
PolicyReader::Apply PolicyReader::some(const char* what, const char* everybody, Apply read) const {
  return [this, what, everybody, read = std::move(read)](const toml::node& node) -> Result<void> {
    const auto* array = node.as_array();
    if (array == nullptr || !array->empty()) return read(node);
    return wrong(node, fmt::format("no {} at all", what),
                 fmt::format("leave it out for {}", everybody));
  };
}

PolicyReader::Apply PolicyReader::absolute_paths(std::vector<std::string>& into) const {
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

PolicyReader::Apply PolicyReader::commands(std::vector<std::string>& into) const {
  return [this, &into](const toml::node& node) {
    into.clear();
    return each_string(node, [&](const std::string& name) -> Result<void> {
      if (name.empty() || name.find('/') != std::string::npos) {
        return fail(fmt::format("\"{}\" is not a command's name", printable(name, 60)),
                    "write \"rsync\", not its path");
      }
      // Compared as it is (monitor.cpp).
      if (name.find_first_of("*?") != std::string::npos || name.starts_with('!')) {
        return fail(fmt::format("\"{}\" is a pattern", printable(name, 60)),
                    "jobs are exact names: name each command");
      }
      if (trim(name) != name) {
        return fail(fmt::format("\"{}\" has a blank at one end", printable(name, 60)),
                    "jobs are exact names: leave it out");
      }
      into.push_back(name.substr(0, 15));  // the kernel keeps no more (TASK_COMM_LEN)
      return {};
    });
  };
}

PolicyReader::Apply PolicyReader::kinds(std::vector<Kind>& into) const {
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

PolicyReader::Apply PolicyReader::hours(std::vector<Hours>& into) const {
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

PolicyReader::Apply PolicyReader::limit(Rule& into) const {
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

PolicyReader::Apply PolicyReader::count(int& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    const auto* value = node.as_integer();
    if (value == nullptr || value->get() < 1 || value->get() > 100000) {
      return wrong(node, "is not a number from 1 to 100000", "");
    }
    into = static_cast<int>(value->get());
    return {};
  };
}

// As seconds, and no longer than `most`.
PolicyReader::Apply PolicyReader::bounded(Seconds& into, Seconds least, Seconds most) const {
  return [this, &into, least, most](const toml::node& node) -> Result<void> {
    const auto value = seconds(node, least);
    if (!value) return std::unexpected(value.error());
    if (*value > most) return wrong(node, "is too long", "at most " + format_duration(most));
    into = *value;
    return {};
  };
}

// What the path leads to is looked at when all files are read: a later one may name another.
PolicyReader::Apply PolicyReader::program(Hooks& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    const auto value = string(node);
    if (!value) return std::unexpected(value.error());
    const bool none = *value == "none";
    if (!none && !value->starts_with('/')) {
      return wrong(node, fmt::format("\"{}\" is not an absolute path", printable(*value, 60)),
                   "a program, without arguments and without a shell; or \"none\"");
    }
    into.on_event = none ? "" : *value;
    into.where = at(node.source());
    return {};
  };
}

PolicyReader::Apply PolicyReader::event_types(std::vector<EventType>& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    into.clear();
    auto read = each_string(node, [&](const std::string& name) -> Result<void> {
      const auto known = std::ranges::find(all_events(), name, &EventInfo::name);
      if (known == all_events().end()) {
        std::vector<std::string> names;
        for (const EventInfo& info : all_events()) names.emplace_back(info.name);
        return fail(fmt::format("unknown event \"{}\"", printable(name, 60)),
                    fmt::format("{}", fmt::join(names, ", ")));
      }
      into.push_back(known->type);
      return {};
    });
    if (read && into.empty()) return wrong(node, "no event at all", "leave it out for all events");
    return read;
  };
}

PolicyReader::Apply PolicyReader::section(std::string name, Keys keys) const {
  return [this, name = std::move(name), keys = std::move(keys)](const toml::node& node) {
    const auto* table = node.as_table();
    if (table != nullptr) return apply(*table, name, keys);
    return Result<void>(wrong(node, "is not a table", "write it as " + name));
  };
}

PolicyReader::Apply PolicyReader::amount(std::optional<std::int64_t>& into) const {
  return [this, &into](const toml::node& node) -> Result<void> {
    const auto value = seconds(node, Seconds(0));
    if (!value) return std::unexpected(value.error());
    into = value->count();
    return {};
  };
}

}  // namespace idlewarden
