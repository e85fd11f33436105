// SPDX-License-Identifier: Apache-2.0
// The reader of sshd_config against sshd itself: `sshd -T -C ...` says what is in force for a
// connection, or that it refuses the configuration. Configurations and connections are made by
// grammar; the seed is printed, and a failing case is shrunk.
//
//   IDLEWARDEN_CASES=20000 IDLEWARDEN_SEED=7 IDLEWARDEN_SSHD=/usr/sbin/sshd e2e.sshd_oracle
//
// Known differences, each deliberate, and so neither generated nor counted:
// - A keyword that has nothing to do with idle time is not known, so an unknown one is not refused,
//   nor a bad value of a known one: its quotes are checked, and that is all.
// - sshd has no bound on the number and the size of files.
// - `Match LocalPort` makes sshd -T fail where -C names no lport: here it does not match.
// - Match is read in two ways (SshdGrammar). The reading is that of this sshd when it refuses, and
//   SshdGrammar::any, which accepts what either way accepts, must agree where it does not refuse.
// - sshd 10.3 and later read times and masks a little differently; what 9.2 does is done here
//   (sshd_time() says why). Where only that makes a newer sshd refuse or accept, it is no matter.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/text.h"
#include "base/unique_fd.h"
#include "limits/sshd_lexer.h"
#include "sshd_oracle/case.h"
#include "support/private_host.h"

namespace idlewarden::test {
namespace {

constexpr const char* kHostKey = "/run/oracle_host_key";

struct Ended {
  int status = 0;
  std::string output;  // stdout and stderr
};

Ended call(const std::vector<std::string>& argv) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe2");
  const pid_t pid = ::fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(ends[1], 1);
    ::dup2(ends[1], 2);
    std::vector<char*> raw;
    for (const std::string& argument : argv) raw.push_back(const_cast<char*>(argument.c_str()));
    raw.push_back(nullptr);
    ::execv(raw[0], raw.data());
    ::_exit(127);
  }
  UniqueFd out(ends[0]);
  ::close(ends[1]);
  Ended ended;
  char buffer[16384];
  for (ssize_t n = 0; (n = ::read(out.get(), buffer, sizeof buffer)) > 0;) {
    ended.output.append(buffer, static_cast<std::size_t>(n));
  }
  ::waitpid(pid, &ended.status, 0);
  return ended;
}

// The four settings as sshd -T prints them; the same from the reader under test.
struct Answer {
  bool refused = false;
  std::string why;
  std::string interval = "0";
  std::string count_max = "3";
  std::string channels;  // empty: none
  std::string unused = "none";

  std::string text() const {
    if (refused) return "refused: " + why;
    return "interval " + interval + ", count max " + count_max + ", channels [" + channels +
           "], unused " + unused;
  }
  friend bool operator==(const Answer& a, const Answer& b) {
    if (a.refused || b.refused) return a.refused == b.refused;
    return a.interval == b.interval && a.count_max == b.count_max && a.channels == b.channels &&
           a.unused == b.unused;
  }
};

class SshdOracle : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!std::filesystem::exists(sshd_)) {
      why_not_ = "there is no " + sshd_;
      return;
    }
    why_not_ = enter_private_host();
    if (!why_not_.empty()) return;
    const Ended made =
        call({"/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", kHostKey});
    if (made.status != 0) why_not_ = "no host key could be made: " + made.output;
    // Users in more than one group: with one alone, a negated group could not be told from none.
    std::ofstream("/etc/group", std::ios::app) << "oracle-a:x:47901:daemon,nobody,games\n"
                                               << "oracle-b:x:47902:daemon,games,root\n";
    read_version();
  }

  void SetUp() override {
    if (!why_not_.empty()) GTEST_SKIP() << why_not_;
  }

  static void read_version() {
    const std::string banner = call({sshd_, "-V"}).output;
    const std::size_t at = banner.find("OpenSSH_");
    if (at == std::string::npos) return;
    const std::string version = banner.substr(at, banner.find_first_of(" ,\n", at) - at);
    int major = 0;
    int minor = 0;
    if (std::sscanf(version.c_str(), "OpenSSH_%d.%d", &major, &minor) != 2) return;
    const int number = major * 100 + minor;
    std::cout << "oracle: " << version << "\n";
    version_ = version;
    if (number >= 909) traits_.grammar = SshdGrammar::since_9_9;
    traits_.old_times = traits_.long_masks = number < 1003;
    traits_.empty_channels = number < 906;
  }

  static void write(const OracleCase& c) {
    std::filesystem::remove_all(kOracleFolder);
    std::filesystem::create_directories(std::string(kOracleFolder) + "/sub");
    for (const auto& [path, lines] : c.files) write_host_file(path, content_of(lines));
  }

  static std::string content_of(const std::vector<std::string>& lines) {
    std::string content;
    for (const std::string& line : lines) content += line + "\n";
    // Now and then a file does not end in a line end.
    if (lines.size() % 3 == 0 && !content.empty()) content.pop_back();
    return content;
  }

  static Answer ask_sshd(const OracleCase& c) {
    std::vector<std::string> argv{sshd_, "-T", "-f", kOracleFile, "-h", kHostKey};
    for (const std::string& option : c.options) argv.insert(argv.end(), {"-o", option});
    std::string spec = "lport=" + std::to_string(*c.connection.local_port);
    const auto add = [&](const char* key, const std::string& value) {
      if (!value.empty()) spec += std::string(",") + key + "=" + value;
    };
    add("user", c.connection.user);
    add("host", c.connection.host);
    add("addr", c.connection.address);
    add("laddr", c.connection.local_address);
    add("rdomain", c.connection.rdomain);
    if (c.connection.invalid_user) spec += ",invalid-user";
    argv.insert(argv.end(), {"-C", spec});
    const Ended ended = call(argv);
    Answer answer;
    if (ended.status != 0) {
      answer.refused = true;
      answer.why = ended.output;
      return answer;
    }
    std::istringstream lines(ended.output);
    for (std::string line; std::getline(lines, line);) {
      const std::size_t blank = line.find(' ');
      if (blank == std::string::npos) continue;
      const std::string key = lower(line.substr(0, blank));
      const std::string value = line.substr(blank + 1);
      if (key == "clientaliveinterval") answer.interval = value;
      if (key == "clientalivecountmax") answer.count_max = value;
      if (key == "unusedconnectiontimeout") answer.unused = value;
      if (key == "channeltimeout") answer.channels = lower(value) == "none" ? "" : value;
    }
    return answer;
  }

  static Answer ask_reader(const OracleCase& c, SshdGrammar grammar) {
    Answer answer;
    const auto config = SshdConfig::load(Root(), kOracleFile, c.options, grammar);
    if (!config) {
      answer.refused = true;
      answer.why = config.error().text();
      return answer;
    }
    SshdConnection connection = c.connection;
    connection.version = version_;
    const SshdEffective effective = config->resolve(connection);
    answer.interval = std::to_string(effective.interval.count());
    answer.count_max = std::to_string(effective.count_max);
    if (effective.unused_timeout) answer.unused = std::to_string(effective.unused_timeout->count());
    if (effective.channel_timeout) {
      for (const std::string& word : effective.channel_timeout->args) {
        answer.channels += (answer.channels.empty() ? "" : " ") + word;
      }
      if (lower(answer.channels) == "none") answer.channels.clear();
    }
    // Whatever they are, the limits can be told.
    for (const Kind kind : {Kind::ssh, Kind::ssh_nopty}) config->limits(connection, kind);
    return answer;
  }

  struct Verdict {
    bool agree = true;
    bool beyond = false;  // refused for a reason that the list above leaves out
    Answer sshd;
    Answer reader;
  };

  static bool is_read_here(const SshdLine& line) {
    SshdScanner scanner(line);
    auto keyword = scanner.word();
    if (keyword && keyword->text.empty()) keyword = scanner.word();
    static constexpr std::array<std::string_view, 6> kRead{"match",
                                                           "include",
                                                           "channeltimeout",
                                                           "clientaliveinterval",
                                                           "clientalivecountmax",
                                                           "unusedconnectiontimeout"};
    return keyword && std::ranges::find(kRead, lower(keyword->text)) != kRead.end();
  }

  // Every complaint of sshd ("FILE line 3: ...") is about a line whose keyword is not read here,
  // and is not about its form.
  static bool beyond_the_reader(const OracleCase& c, const std::string& complaints) {
    bool beyond = false;
    std::istringstream lines(complaints);
    for (std::string complaint; std::getline(lines, complaint);) {
      const std::size_t at = complaint.find("line ");
      if (at == std::string::npos || complaint.find("Deprecated") != std::string::npos) continue;
      if (complaint.find("invalid quotes") != std::string::npos) return false;
      if (complaint.find("no argument after") != std::string::npos) return false;
      const std::string path = complaint.substr(0, complaint.find_first_of(" :"));
      const auto number = static_cast<std::size_t>(std::atoi(complaint.c_str() + at + 5));
      if (const auto file = c.files.find(path); file != c.files.end()) {
        const auto read = sshd_lines(content_of(file->second));
        if (number == 0 || number > read.size() || is_read_here(read[number - 1])) return false;
      } else if (path != "command-line" || std::ranges::all_of(c.options, [](const auto& option) {
                   return is_read_here(sshd_option_line(option));
                 })) {
        return false;
      }
      beyond = true;
    }
    return beyond;
  }

  static bool times_differ(const Answer& sshd, const Answer& reader) {
    if (traits_.old_times || sshd.refused == reader.refused) return false;
    const std::string& why = sshd.refused ? sshd.why : reader.why;
    const auto says = [&](const char* text) { return why.find(text) != std::string::npos; };
    if (sshd.refused) return says("invalid time value") || says("invalid channel timeout");
    return (says("is not a time") || says("is not type=time")) && says(".");
  }

  static Verdict judge(const OracleCase& c) {
    write(c);
    Verdict verdict;
    verdict.sshd = ask_sshd(c);
    verdict.reader = ask_reader(c, traits_.grammar);
    verdict.beyond = (verdict.sshd.refused && !verdict.reader.refused &&
                      beyond_the_reader(c, verdict.sshd.why)) ||
                     times_differ(verdict.sshd, verdict.reader);
    if (verdict.beyond) return verdict;
    verdict.agree = verdict.sshd == verdict.reader;
    if (verdict.agree && !verdict.sshd.refused) {
      verdict.reader = ask_reader(c, SshdGrammar::any);
      verdict.agree = verdict.sshd == verdict.reader;
    }
    return verdict;
  }

  static std::uint64_t setting(const char* name, std::uint64_t otherwise) {
    const char* value = std::getenv(name);
    return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
  }

  inline static std::string sshd_ =
      std::getenv("IDLEWARDEN_SSHD") != nullptr ? std::getenv("IDLEWARDEN_SSHD") : "/usr/sbin/sshd";
  inline static std::string why_not_;
  inline static std::string version_;
  inline static OracleTraits traits_;
};

TEST_F(SshdOracle, AgreesOnGeneratedConfigurations) {
  const std::uint64_t seed = setting("IDLEWARDEN_SEED", std::random_device{}());
  const std::uint64_t cases = setting("IDLEWARDEN_CASES", 2000);
  std::cout << "IDLEWARDEN_SEED=" << seed << " IDLEWARDEN_CASES=" << cases << std::endl;
  std::uint64_t accepted = 0;
  std::uint64_t set = 0;
  std::uint64_t beyond = 0;
  for (std::uint64_t i = 0; i < cases; ++i) {
    const OracleCase made = generate(seed + i, traits_);
    const Verdict verdict = judge(made);
    if (!verdict.agree) {
      const OracleCase small = shrink(made, [](const OracleCase& c) { return !judge(c).agree; });
      const Verdict again = judge(small);
      FAIL() << "IDLEWARDEN_SEED=" << seed + i << " IDLEWARDEN_CASES=1\n"
             << small.text() << "sshd:   " << again.sshd.text()
             << "\nreader: " << again.reader.text() << "\n";
    }
    accepted += verdict.sshd.refused ? 0 : 1;
    set += verdict.sshd.refused || verdict.sshd == Answer{} ? 0 : 1;
    beyond += verdict.beyond ? 1 : 0;
  }
  std::cout << "accepted " << accepted << ", of them not all defaults " << set << ", refused "
            << cases - accepted << ", of them beside the point " << beyond << std::endl;
  // A generator that makes only nonsense, or only defaults, would prove nothing.
  EXPECT_GT(accepted, cases / 4);
  EXPECT_LT(accepted, cases * 9 / 10);
  EXPECT_GT(set, cases / 8);
}

}  // namespace
}  // namespace idlewarden::test
