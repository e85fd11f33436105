// SPDX-License-Identifier: Apache-2.0
// The systemd journal: an event as fields (systemd.journal-fields(7)), so that
// `journalctl IDLEWARDEN_EVENT=terminated USER_NAME=alice` finds it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "report/event.h"

namespace idlewarden {

// "FIELD=value" each; fields that do not apply are left out.
std::vector<std::string> journal_fields(const Event& event);
std::vector<std::string> journal_fields(int priority, const std::string& message);

// sd_journal_sendv(3). That no journal runs is no error there: entries are lost in silence, so use
// it only where stderr is the journal's (JOURNAL_STREAM, systemd.exec(5)).
Result<void> send_to_journal(const std::vector<std::string>& fields);

// Whether such an event of that session was sent to it in this boot, by a process of this one's
// user: the sender is the journal's own word (_UID), so nobody else can have it believed. Of a
// journal that cannot be read, nothing is known.
bool journal_has(EventType type, const std::string& session);

}  // namespace idlewarden
