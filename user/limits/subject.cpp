// SPDX-License-Identifier: Apache-2.0
#include "limits/subject.h"

#include <utility>

#include "base/account.h"

namespace idlewarden {

Subject subject_of(const Session& session, std::vector<std::string> groups) {
  Subject subject;
  subject.user = session.user;
  subject.uid = session.uid;
  if (session.gid != kNoGroup) subject.gid = session.gid;
  subject.groups = std::move(groups);
  subject.foreign = session.root != "/";
  subject.home = session.home;
  subject.shell = session.shell;
  subject.kind = session.kind;
  subject.channel = session.channel;
  subject.tty = session.tty_name;
  if (session.remote) subject.address = session.remote->address;
  subject.address_unknown = session.address_unknown;
  if (session.local) {
    subject.local_address = session.local->address;
    subject.local_port = session.local->port;
  }
  if (session.sshd) subject.sshd = *session.sshd;
  subject.session = session.id.text();
  return subject;
}

}  // namespace idlewarden
