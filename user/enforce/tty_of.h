// SPDX-License-Identifier: Apache-2.0
// Opening the tty of a session, and no other device.
#pragma once

#include "base/procfs.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "sessions/session.h"

namespace idlewarden {

// The device is looked for under /dev, then (every devpts mount numbers its own ttys from 0) among
// the leader's descriptors, then in the leader's root, which may not answer: to be called where
// that holds nobody up. A path is opened with O_PATH first and only becomes a real, non-blocking
// descriptor once its device number and, of a pts, its file system are the session's: whatever else
// a user may have put there is never opened. code is ESRCH when the tty is gone (its master side is
// closed, or it is nowhere).
Result<UniqueFd> open_tty(const Procfs& procfs, const Session& session);

}  // namespace idlewarden
