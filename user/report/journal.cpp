// SPDX-License-Identifier: Apache-2.0
#include "report/journal.h"

#include <fmt/format.h>
#include <sys/uio.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

// Without this the call adds this file's name and line to every entry.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <array>
#include <memory>

#include "base/text.h"
#include "report/text.h"

namespace idlewarden {
namespace {

void add(std::vector<std::string>& fields, std::string_view name, const std::string& value) {
  if (!value.empty()) fields.push_back(fmt::format("{}={}", name, value));
}

}  // namespace

std::vector<std::string> journal_fields(int priority, const std::string& message) {
  return {"MESSAGE=" + message, fmt::format("PRIORITY={}", priority),
          "SYSLOG_IDENTIFIER=idlewarden"};
}

std::vector<std::string> journal_fields(const Event& event) {
  const EventInfo& info = info_of(event.type);
  std::vector<std::string> fields = journal_fields(info.priority, to_human_line(event));
  add(fields, "MESSAGE_ID", std::string(info.message_id));
  add(fields, "IDLEWARDEN_EVENT", std::string(info.name));
  add(fields, "SESSION_ID", printable(event.session));
  add(fields, "SESSION_KIND", printable(event.kind));
  add(fields, "USER_NAME", printable(event.user));
  add(fields, "TTY", printable(event.tty));
  add(fields, "CONTAINER_NAME", printable(event.container));
  add(fields, "REMOTE_ADDR", printable(event.remote_addr));
  if (event.remote_port) add(fields, "REMOTE_PORT", fmt::to_string(*event.remote_port));
  if (event.idle_seconds) {
    add(fields, "IDLE_SECONDS", fmt::to_string(to_ms_precision(*event.idle_seconds)));
  }
  if (event.limit_seconds) add(fields, "LIMIT_SECONDS", fmt::to_string(*event.limit_seconds));
  if (event.lateness_seconds) {
    add(fields, "LATENESS_SECONDS", fmt::to_string(to_ms_precision(*event.lateness_seconds)));
  }
  add(fields, "DECIDED_BY", printable(event.decided_by));
  add(fields, "DECIDED_AT", file_line(event.source));
  add(fields, "DETAIL", printable(event.detail, kSentenceLimit));
  return fields;
}

Result<void> send_to_journal(const std::vector<std::string>& fields) {
  std::vector<iovec> entry;
  for (const std::string& field : fields) {
    // iovec is not const-correct; sendmsg(2) does not write to it.
    entry.push_back({const_cast<char*>(field.data()), field.size()});
  }
  const int error = sd_journal_sendv(entry.data(), static_cast<int>(entry.size()));
  if (error < 0) return fail_errno("cannot write to the journal", -error);
  return {};
}

bool journal_has(EventType type, const std::string& session) {
  sd_journal* opened = nullptr;
  sd_id128_t boot{};
  if (sd_id128_get_boot(&boot) < 0 ||
      sd_journal_open(&opened, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM) < 0) {
    return false;
  }
  const std::unique_ptr<sd_journal, decltype(&sd_journal_close)> journal(opened, sd_journal_close);
  std::array<char, SD_ID128_STRING_MAX> boot_id{};
  for (const std::string& field :
       {fmt::format("_BOOT_ID={}", sd_id128_to_string(boot, boot_id.data())),
        fmt::format("_UID={}", ::geteuid()), fmt::format("IDLEWARDEN_EVENT={}", to_string(type)),
        "SESSION_ID=" + printable(session)}) {
    if (sd_journal_add_match(opened, field.data(), field.size()) < 0) return false;
  }
  return sd_journal_next(opened) > 0;
}

}  // namespace idlewarden
