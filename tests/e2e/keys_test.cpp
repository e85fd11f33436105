// SPDX-License-Identifier: Apache-2.0
// Whatever a person's terminal sends counts, through a real ssh client, whatever the program on the
// other side makes of it.
#include "e2e/crowd.h"

namespace idlewarden::test {
namespace {

class Keys : public Crowd {};
INSTANTIATE_TEST_SUITE_P(Backends, Keys, testing::ValuesIn(backends()), backend_name);

constexpr const char* kRaw = "stty raw -echo; exec cat >/dev/null";
constexpr const char* kPrompt = "";

struct Person {
  const char* who;
  const char* command;
  std::string keys;
};

class OnePersonEach : public Keys {
 protected:
  void expect_all_active(const std::vector<Person>& people) {
    std::map<std::string, std::string> keys;
    for (const auto& [who, command, bytes] : people) {
      SshLogin& login = log_in(who);
      if (*command != '\0') login.command(command);
      keys[who] = bytes;
    }
    expect_all_active_after(keys);
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, OnePersonEach, testing::ValuesIn(backends()), backend_name);

TEST_P(OnePersonEach, Keys) {
  expect_all_active({
      {"arrow", kPrompt, "\033[A"},
      {"application", kRaw, "\033OA"},
      {"function", kPrompt, "\033[15~"},
      {"shiftf3", kRaw, "\033[1;2R"},  // spelt like a cursor position report
      {"scopgup", kRaw, "\033[I"},     // spelt like the window's getting the focus
      {"escape", "vim.tiny /etc/hostname", "\033"},
      {"nul", kRaw, std::string(1, '\0')},  // Ctrl-Space
      {"interrupt", "sleep 1000", "\003"},
      {"stopped", kRaw, "\023"},
  });
}

TEST_P(OnePersonEach, WhatIsNoSingleKey) {
  const std::string paste(100 * 1024, 'p');
  expect_all_active({
      {"mouse", "vim.tiny /etc/hostname", "\033[<0;10;5M\033[<0;10;5m"},
      {"wheel", "less /etc/services", "\033[<65;10;5M"},
      {"utf8", kPrompt, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
      {"paste", kRaw, paste},
      {"bracketed", kRaw, "\033[200~" + paste + "\033[201~"},
      {"shortpaste", kRaw, "\033[200~rm -rf build\r\033[201~"},
      {"unread", "stty -echo; sleep 1000", "x"},
  });
}

// A person types on while the session's processes are stopped, and before the program reads: the
// keys pile up on the tty, and each counts when it is pressed.
TEST_P(Keys, TypedAheadTheyCountAgainAndAgain) {
  log_in("ahead").command("stty raw -echo; sleep 1000");
  for (int i = 0; i < 2; ++i) expect_all_active_after({{"ahead", std::string(300, 'a')}});
}

}  // namespace
}  // namespace idlewarden::test
