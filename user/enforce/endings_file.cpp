// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "enforce/endings_book.h"

namespace idlewarden {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "idlewarden endings";
constexpr int kVersion = 1;
constexpr std::size_t kNameBytes = 64;
constexpr std::size_t kPathBytes = 4096;

// Thrown and caught in this file only, beside the library's own.
struct Broken {
  std::string why;
};
void expect(bool holds, const char* why) {
  if (!holds) throw Broken{why};
}

template <class T>
T number(const Json& json) {
  expect(json.is_number_unsigned(), "a number is not one");
  const auto value = json.get<std::uint64_t>();
  expect(std::in_range<T>(value), "a number is out of range");
  return static_cast<T>(value);
}
// Small enough for two of them to be added.
std::int64_t span(const Json& json) {
  const auto value = number<std::int64_t>(json);
  expect(value < 1LL << 61, "a time is out of range");
  return value;
}
BootTime boot(const Json& json) {
  return BootTime(Nanoseconds(span(json)));
}
// As a limit, in nanoseconds it has to fit.
Seconds length(const Json& json) {
  const auto value = number<std::int64_t>(json);
  expect(value < 1LL << 31, "a length of time is out of range");
  return Seconds(value);
}
std::int64_t ns(BootTime t) {
  return t.time_since_epoch().count();
}

template <class Enum, std::size_t N>
Enum named(const Json& json, const std::array<Enum, N>& all) {
  const auto name = json.get<std::string>();
  for (const Enum one : all) {
    if (to_string(one) == name) return one;
  }
  throw Broken{"a name is not known"};
}

Json json_of(const Session& s) {
  Json json{{"pid", s.id.leader},
            {"start", ns(s.id.start)},
            {"address", s.id.tty},
            {"kind", to_string(s.kind)},
            {"major", s.tty.major},
            {"minor", s.tty.minor},
            {"index", s.tty.index},
            {"devpts", s.tty.devpts_dev},
            {"tty", printable(s.tty_name, kNameBytes)},
            {"user", printable(s.user, kNameBytes)},
            {"host", s.host},
            {"host_start", ns(s.host_start)},
            {"remote", nullptr}};
  if (s.remote) json["remote"] = Json::array({printable(s.remote->address), s.remote->port});
  return json;
}

Session session_from(const Json& json) {
  Session s;
  s.id = {number<pid_t>(json.at("pid")), boot(json.at("start")),
          number<std::uint64_t>(json.at("address"))};
  expect(s.id.leader > 1, "a pid is none of a session");
  const auto kind = kind_from(json.at("kind").get<std::string>());
  expect(kind.has_value(), "a kind of session is not known");
  s.kind = *kind;
  s.tty = {.address = s.id.tty,
           .major = number<std::uint32_t>(json.at("major")),
           .minor = number<std::uint32_t>(json.at("minor")),
           .index = number<std::uint32_t>(json.at("index")),
           .devpts_dev = number<std::uint32_t>(json.at("devpts"))};
  s.tty_name = printable(json.at("tty").get<std::string>(), kNameBytes);
  s.user = printable(json.at("user").get<std::string>(), kNameBytes);
  s.host = number<pid_t>(json.at("host"));
  s.host_start = boot(json.at("host_start"));
  if (const Json& remote = json.at("remote"); !remote.is_null()) {
    s.remote =
        Endpoint{printable(remote.at(0).get<std::string>()), number<std::uint16_t>(remote.at(1))};
  }
  return s;
}

// Who decided, and where.
Json json_of(const Verdict& verdict) {
  Json json{{"decided_by", nullptr}, {"file", ""}, {"line", 0}};
  if (verdict.decided_by) json["decided_by"] = to_string(*verdict.decided_by);
  if (const LimitSource* source = verdict.used_source()) {
    json["file"] = printable(source->where.file, kPathBytes);
    json["line"] = source->where.line;
  }
  return json;
}

Verdict verdict_from(const Json& json, Seconds limit) {
  Verdict verdict;
  verdict.mode = Mode::enforce;
  verdict.limit = limit;
  if (const Json& origin = json.at("decided_by"); !origin.is_null()) {
    verdict.decided_by =
        named(origin, std::array{Origin::rule, Origin::sshd_config, Origin::tmout, Origin::logind});
    LimitSource source;
    source.origin = *verdict.decided_by;
    source.where = {printable(json.at("file").get<std::string>(), kPathBytes),
                    number<int>(json.at("line"))};
    source.limit = limit;
    source.used = true;
    verdict.sources.push_back(std::move(source));
  }
  return verdict;
}

Json json_of(const Ending::Plan& plan) {
  return {{"cause", to_string(plan.cause)}, {"limit", plan.limit.count()},
          {"idle", plan.idle.count()},      {"deadline", ns(plan.deadline)},
          {"grace", plan.grace.count()},    {"kill_survivors", plan.kill_survivors}};
}

Ending::Plan plan_from(const Json& json, pid_t host) {
  return {.cause = named(json.at("cause"), std::array{Cause::idle, Cause::max_session}),
          .limit = length(json.at("limit")),
          .idle = Nanoseconds(span(json.at("idle"))),
          .deadline = boot(json.at("deadline")),
          .grace = length(json.at("grace")),
          .kill_survivors = json.at("kill_survivors").get<bool>(),
          .host = host};
}

std::map<SessionId, BegunEnding> entries_from(const Json& json, const std::string& boot_id) {
  expect(json.is_object() && json.value("format", "") == kFormat, "it is no book of endings");
  expect(json.at("version") == kVersion, "it is of another version");
  expect(!boot_id.empty() && json.at("boot_id") == boot_id, "it is of another boot");
  std::map<SessionId, BegunEnding> entries;
  for (const Json& entry : json.at("endings")) {
    BegunEnding begun;
    begun.session = session_from(entry.at("session"));
    begun.plan = plan_from(entry.at("plan"), begun.session.host);
    begun.verdict = verdict_from(entry.at("decision"), begun.plan.limit);
    begun.hung_up_at = boot(entry.at("hung_up_at"));
    entries.insert_or_assign(begun.session.id, std::move(begun));
  }
  return entries;
}

}  // namespace

std::string endings_text(const std::string& boot_id,
                         const std::map<SessionId, BegunEnding>& entries) {
  Json endings = Json::array();
  for (const auto& [id, begun] : entries) {
    endings.push_back({{"session", json_of(begun.session)},
                       {"decision", json_of(begun.verdict)},
                       {"plan", json_of(begun.plan)},
                       {"hung_up_at", ns(begun.hung_up_at)}});
  }
  const Json book{{"format", kFormat},
                  {"version", kVersion},
                  {"boot_id", boot_id},
                  {"endings", std::move(endings)}};
  return book.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::map<SessionId, BegunEnding>> endings_from(std::string_view text,
                                                      const std::string& boot_id) {
  try {
    return entries_from(Json::parse(text), boot_id);
  } catch (const Broken& broken) {
    return fail(broken.why);
  } catch (const nlohmann::json::exception& e) {
    return fail(fmt::format("it cannot be read: {}", printable(e.what())));
  }
}

}  // namespace idlewarden
