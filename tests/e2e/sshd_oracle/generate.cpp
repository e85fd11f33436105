// SPDX-License-Identifier: Apache-2.0
#include <grp.h>
#include <pwd.h>

#include <array>
#include <cctype>

#include "sshd_oracle/case.h"

namespace idlewarden::test {
namespace {

using Words = std::vector<std::string>;

class Generator {
 public:
  Generator(std::uint64_t seed, const OracleTraits& traits) : random_(seed), traits_(traits) {
    // Half of the cases are what people write; in the others anything may be odd.
    odd_ = chance(50) ? 0 : chance(50) ? 4 : 12;
  }

  OracleCase make() {
    OracleCase out;
    out.connection = connection();
    connection_ = out.connection;
    const int includes = chance(50) ? below(5) : 0;
    for (int i = 0; i < includes; ++i) {
      const std::string path = std::string(kOracleFolder) + "/" + include_names().at(i);
      include_paths_.push_back(path);
    }
    for (const std::string& path : include_paths_) out.files[path] = lines(1 + below(5));
    out.files[kOracleFile] = lines(1 + below(12));
    for (int i = chance(25) ? 1 + below(2) : 0; i > 0; --i) out.options.push_back(option());
    return out;
  }

 private:
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  bool chance(int percent) { return below(100) < percent; }
  bool odd() { return chance(odd_); }
  template <class Container>
  std::string pick(const Container& from) {
    return std::string(from[static_cast<std::size_t>(below(static_cast<int>(from.size())))]);
  }
  std::string pick(std::initializer_list<const char*> from) {
    return from.begin()[below(static_cast<int>(from.size()))];
  }

  static Words include_names() {
    return {"10-a.conf", "20-b.conf", "30-c.conf", "sub/x.conf", "y"};
  }

  SshdConnection connection() {
    SshdConnection made;
    if (chance(90))
      made.user = pick({"root", "daemon", "nobody", "bin", "games", "ghost", "bob.x"});
    if (chance(80))
      made.host = pick({"client.example.com", "Bastion.Example.COM", "h1", "10.1.2.3"});
    if (chance(90)) made.address = address();
    if (chance(70)) made.local_address = address();
    made.local_port = static_cast<std::uint16_t>(std::stoi(pick({"22", "2222", "80", "65535"})));
    if (chance(40)) made.rdomain = pick({"vrf1", "mgmt", "1"});
    made.invalid_user = traits_.grammar == SshdGrammar::since_9_9 && chance(20);
    if (const passwd* entry = ::getpwnam(made.user.c_str()); !made.user.empty() && entry) {
      std::array<gid_t, 256> ids{};
      int count = static_cast<int>(ids.size());
      ::getgrouplist(entry->pw_name, entry->pw_gid, ids.data(), &count);
      for (int i = 0; i < count; ++i) {
        if (const group* g = ::getgrgid(ids.at(static_cast<std::size_t>(i)))) {
          made.groups.emplace_back(g->gr_name);
        }
      }
    }
    return made;
  }

  std::string address() {
    if (chance(5))
      return pick({"not-an-address", "10.1", "::ffff:10.1.2.3", "fe80::1%lo", "1.2.3.4.5"});
    if (chance(60))
      return pick({"10.1.2.3", "10.1.2.4", "192.168.7.9", "127.0.0.1", "203.0.113.255"});
    return pick({"2001:db8::1", "2001:db8:0:1::5", "fe80::1", "::1", "2001:db8:ffff::"});
  }

  std::string network() {
    if (odd()) {
      Words bad{"10.1.2.3/8", "10.0.0.0/33",    "10.0.0.0/",  "/8",
                "::/0/0",     "2001:db8::1/64", "10.0.0.0/-1"};
      if (traits_.long_masks) bad.insert(bad.end(), {"10.0.0.0/129", "10.0.0.0/+8", "::/999"});
      return pick(bad);
    }
    if (chance(50)) {
      return pick({"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.2/31", "192.168.0.0/17",
                   "0.0.0.0/0", "127.0.0.1/32", "203.0.113.252/30"});
    }
    if (chance(50)) {
      return pick({"2001:db8::/32", "2001:db8:0:1::/64", "::/0", "fe80::/10", "::1/128",
                   "2001:db8::/33", "2001:db8:8000::/33", "2001:0DB8::/31"});
    }
    return chance(60) ? address()
                      : pick({"10.1.*", "*:db8:*", "10.1.2.?", "*", "10.1.2", "192.168.*.9"});
  }

  template <class Make>
  std::string list(Make make) {
    std::string out;
    for (int i = 1 + (chance(40) ? below(3) : 0); i > 0; --i) {
      if (chance(20)) out += '!';
      out += make();
      if (i > 1) out += ',';
    }
    // A negation shows only beside something that matches.
    if (out.find('!') != std::string::npos && chance(50)) out += ",*";
    if (odd()) out += pick({",", ",,", ",!", "!"});
    return out;
  }

  std::string criterion() {
    static constexpr std::array kNames{"User",         "Group",     "Host",   "Address",
                                       "LocalAddress", "LocalPort", "RDomain"};
    std::string name = kNames.at(static_cast<std::size_t>(below(kNames.size())));
    std::string value;
    if (name == "User") {
      value = list([&] {
        return pick({"root", "daemon", "nobody", "ghost", "*", "b*", "?oot", "no*y", "bob.x",
                     "ROOT", "a?*"});
      });
    } else if (name == "Group") {
      value = list([&] {
        return pick({"root", "daemon", "nogroup", "bin", "*", "n*", "oracle-a", "oracle-?", "*b",
                     "wheel", "ga?es"});
      });
    } else if (name == "Host") {
      value = list([&] {
        return pick({"*.example.com", "client.*", "h1", "H?", "bastion.example.com", "*", "10.1.*",
                     "*.net"});
      });
    } else if (name == "LocalPort") {
      value = odd() ? pick({"0x16", "65536", "-1", "nosuch", "22,80", " 22", "+22"})
                    : pick({"22", "2222", "ssh", "http", "80", "022"});
    } else if (name == "RDomain") {
      value = list([&] { return pick({"vrf1", "mgmt", "v*", "*", "?"}); });
    } else {
      value = list([&] { return network(); });
    }
    if (traits_.grammar == SshdGrammar::since_9_9 && chance(12)) {
      return pick({"invalid-user", "Invalid-User", "Version OpenSSH_*", "version=OpenSSH_10.*",
                   "Version OpenSSH_9.*,OpenSSH_10.?p1", "Version *,!OpenSSH_10.5*"});
    }
    if (odd()) name = pick({"Usr", "All", "", "#", "Users"});
    return spelled(name) + (chance(75) || odd() ? separator() : " ") + quoted(value);
  }

  std::string match() {
    std::string line = spelled("Match") + separator();
    if (chance(12)) {
      line += spelled("all");
      if (odd()) line += " " + criterion();
      return line + trailer();
    }
    for (int i = 1 + below(chance(40) ? 3 : 1); i > 0; --i)
      line += criterion() + (i > 1 ? " " : "");
    return line + trailer();
  }

  std::string include() {
    std::string line = spelled("Include") + separator();
    for (int i = 1 + (chance(20) ? 1 : 0); i > 0; --i) {
      line += quoted(
          pick({"oracle/*.conf", "oracle/1*.conf", "oracle/10-a.conf", "/etc/ssh/oracle/20-b.conf",
                "oracle/sub/x.conf", "oracle/[23]0-?.conf", "oracle/y", "oracle/none*",
                "/etc/ssh/oracle/sub", "oracle/30-c.conf", "~/x"}));
      if (i > 1) line += ' ';
    }
    if (odd())
      line = "Include" + pick({"", " ", " \"\"", " oracle/missing", " # x", " oracle/sshd_config"});
    return line + trailer();
  }

  std::string time() {
    if (odd()) {
      Words bad{
          "5x",      "-5",   "",    "m",    "5 m",   "1.5",    "2147483648", "99999999999999999999",
          "4w3551w", "0x10", "5m,", "none", "1h-5m", "3550w6d"};
      if (traits_.old_times)
        bad.insert(bad.end(), {"+5", "' 5'", "1s2s", "5 5", "1m+5", "\"5m 3\"", "-0"});
      return pick(bad);
    }
    return pick({"0", "1", "30", "300", "5m", "10M", "1h", "1h30m", "1h30m10", "2d", "1W", "90s",
                 "007", "2147483647", "0s", "1m1h", "15m0s"});
  }

  std::string channel() {
    const std::string type =
        odd() ? pick({"", "a=b", " ", "session"})
              : pick({"session:shell", "session", "session:*", "session*", "*", "global",
                      "direct-tcpip", "session:command", "session:subsystem:sftp", "x11-connection",
                      "agent-*", R"(a\'b)", R"(a\ b)", R"(a\\b)"});
    return type + (odd() ? pick({"", ":", " =", "= "}) : "=") + time();
  }

  std::string directive() {
    if (chance(3)) return "#" + spelled("ClientAliveInterval") + " 5";
    if (chance(2)) return pick({"", " ", "\t#", "\f", "#", "\r"});
    switch (below(6)) {
      case 0:
      case 1: return spelled("ClientAliveInterval") + separator() + quoted(time()) + trailer();
      case 2: {
        const std::string count =
            odd() ? pick({"-1", "x", "", "2147483648", "1.0", "2m", " 3", "+4", "0x2"})
                  : pick({"0", "1", "2", "3", "10", "007"});
        return spelled("ClientAliveCountMax") + separator() + quoted(count) + trailer();
      }
      case 3: return channel_timeout();
      case 4: {
        const std::string value = chance(35) ? spelled("none") : time();
        return spelled("UnusedConnectionTimeout") + separator() + quoted(value) + trailer();
      }
      default: return bystander();
    }
  }

  std::string channel_timeout() {
    std::string line = spelled("ChannelTimeout") + separator();
    if (chance(15)) return line + quoted(spelled("none")) + trailer();
    for (int i = 1 + below(3); i > 0; --i) line += quoted(channel()) + (i > 1 ? " " : "");
    if (odd() && traits_.empty_channels) line += pick({" none", " none none"});
    if (odd() && traits_.empty_channels) line = "ChannelTimeout # only a comment";
    return line + trailer();
  }

  // Directives that are not read: only their quoting counts.
  std::string bystander() {
    const std::string value = pick(
        {"PermitRootLogin no", "X11Forwarding yes", "Banner /etc/issue", "Banner \"/etc/is sue\"",
         "AllowTcpForwarding no", "PermitTTY yes", "ForceCommand echo \"it's\"", "MaxSessions 4",
         "AcceptEnv LANG LC_*", R"(Banner it\'s)", R"(Banner "it\"s")", R"(Banner 'a\\b' # it's)"});
    return value + (odd() ? pick({" # it's", " \"", "'", "\\"}) : "");
  }

  std::string spelled(std::string word) {
    if (chance(70)) return word;
    for (char& c : word) {
      const auto byte = static_cast<unsigned char>(c);
      c = static_cast<char>(chance(50) ? std::toupper(byte) : std::tolower(byte));
    }
    return odd() ? quoted(word) : word;
  }

  std::string separator() {
    if (chance(70)) return " ";
    if (odd()) return pick({"==", " = = ", "\f", "\r", "", " =="});
    return pick({"  ", "\t", "=", " = ", "= ", " =", " \t ", "\t=\t"});
  }

  std::string quoted(const std::string& value) {
    const std::string half = value.substr(0, value.size() / 2);
    const std::string rest = value.substr(value.size() / 2);
    if (odd()) {
      return pick(Words{'\'' + value + '\'', half + '"' + rest + '"', '"' + half + '"' + rest,
                        '"' + value, value + '"', '\'' + value, half + "'" + rest + "'",
                        half + "\\" + rest, value + "\\", '"' + half + "\\\"" + rest + '"',
                        "\\\"" + value, half + "\\ " + rest, '"' + value + "\"x",
                        '\'' + value + "' \"\"", "\"\"" + value, half + "\"'\"" + rest});
    }
    if (chance(12)) return '"' + value + '"';
    return value;
  }

  std::string trailer() {
    if (odd()) {
      return pick({" extra", "#x", " \\", "\\", " \"", " '#'", " \"#\"", "\f", " \f ", "\r", " =",
                   " \"\"", " #\"", "\v", " = x"});
    }
    if (chance(10)) return pick({" # a comment", "  ", "\t", " #", "\t# it is"});
    return {};
  }

  Words lines(int count) {
    Words out;
    for (int i = 0; i < count; ++i) {
      std::string line = chance(28)                                ? match()
                         : chance(include_paths_.empty() ? 2 : 15) ? include()
                                                                   : directive();
      if (chance(20)) line.insert(0, pick({" ", "\t", "    ", "\r"}));
      if (odd() && chance(20)) line.insert(0, pick({"=", "\f", "\"\"", "= "}));
      if (odd()) mutate(line);
      out.push_back(std::move(line));
    }
    return out;
  }

  void mutate(std::string& line) {
    static constexpr std::string_view kLetters = "\"'\\=# \t\r\f!*?,:/05m\xff";
    if (line.empty()) return;
    const auto at = static_cast<std::size_t>(below(static_cast<int>(line.size())));
    const char letter =
        kLetters[static_cast<std::size_t>(below(static_cast<int>(kLetters.size())))];
    switch (below(4)) {
      case 0: line[at] = letter; break;
      case 1: line.erase(at, 1); break;
      case 2: line.insert(at, 1, letter); break;
      default: line.insert(at, 1, '\0'); break;
    }
  }

  std::string option() {
    switch (below(5)) {
      case 0: return spelled("ClientAliveInterval") + "=" + time();
      case 1: return spelled("ClientAliveCountMax") + separator() + pick({"0", "4", "5"});
      case 2: return channel_timeout();
      case 3: return spelled("UnusedConnectionTimeout") + separator() + pick({"none", "7m", "0"});
      default:
        return odd() ? pick({"Match all", "Include x", "", " ", "# x", "ClientAliveInterval"})
                     : " " + directive();
    }
  }

  std::mt19937_64 random_;
  OracleTraits traits_;
  int odd_ = 0;
  SshdConnection connection_;
  Words include_paths_;
};

}  // namespace

OracleCase generate(std::uint64_t seed, const OracleTraits& traits) {
  return Generator(seed, traits).make();
}

}  // namespace idlewarden::test
