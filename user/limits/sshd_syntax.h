// SPDX-License-Identifier: Apache-2.0
// sshd_config as a tree: the statements that bear on idle time, and the files that Include brings
// in. Checked once, here; what a connection gets out of it is sshd_config.cpp's.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "limits/sshd_lexer.h"
#include "limits/sshd_match.h"

namespace idlewarden {

enum class SshdKeyword {
  client_alive_interval,
  client_alive_count_max,
  channel_timeout,
  unused_connection_timeout
};
inline constexpr std::size_t kSshdKeywords = 4;
std::string_view to_string(SshdKeyword keyword);  // as sshd_config(5) spells it

struct SshdFile;

struct SshdDirective {
  SshdKeyword keyword = SshdKeyword::client_alive_interval;
  std::vector<SshdWord> args;
  int value = 0;      // seconds, or a count; none for ChannelTimeout
  bool none = false;  // UnusedConnectionTimeout none
};

struct SshdInclude {
  std::vector<const SshdFile*> files;  // in the order in which sshd reads them
};

struct SshdStatement {
  Where where;
  std::string text;  // the line, raw
  std::variant<SshdDirective, SshdMatch, SshdInclude> what;
};

struct SshdFile {
  std::string path;
  std::vector<SshdStatement> statements;
};

struct SshdSubsystem {
  std::string name;
  bool is_sftp = false;  // by the program that serves it: sftp-server, internal-sftp
  friend bool operator==(const SshdSubsystem&, const SshdSubsystem&) = default;
};

struct SshdSyntax {
  std::vector<SshdStatement> options;  // -o, in order; directives only
  std::map<std::string, std::unique_ptr<SshdFile>> files;
  const SshdFile* main = nullptr;
  bool may_use_dns = false;               // somewhere it says UseDNS and not "no"
  std::vector<SshdSubsystem> subsystems;  // of all blocks
  std::vector<std::string> paths;         // of all files, the main one first
  std::vector<std::string> folders;       // where Include looks: a file that appears there counts
};

// One element of ChannelTimeout, "type=time".
struct SshdChannelTimeout {
  std::string type;
  int seconds = 0;
};
std::optional<SshdChannelTimeout> sshd_channel_timeout(std::string_view text);

// Bounds that sshd does not have, so that no file can hold the reader up: 1 MiB a file, 64 files,
// 1,024 inclusions in all.
Result<SshdSyntax> read_sshd_syntax(const Root& root, const std::string& file,
                                    const std::vector<std::string>& options, SshdGrammar grammar);

}  // namespace idlewarden
