// SPDX-License-Identifier: Apache-2.0
// Whatever a person's terminal sends counts, through a real ssh client, whatever the program on the
// other side makes of it.
#include "e2e/crowd.h"

namespace idlewarden::test {
namespace {

class Keys : public Crowd {};
INSTANTIATE_TEST_SUITE_P(Backends, Keys, testing::ValuesIn(backends()), backend_name);

TEST_P(Keys, AllOfThemAreAPerson) {
  constexpr const char* kRaw = "stty raw -echo; exec cat >/dev/null";
  const std::string paste(100 * 1024, 'p');
  const struct {
    const char* who;
    const char* command;  // empty: the shell's prompt
    std::string keys;
  } people[] = {
      {"arrow", "", "\033[A"},
      {"application", kRaw, "\033OA"},
      {"function", "", "\033[15~"},
      {"shiftf3", kRaw, "\033[1;2R"},  // spelt like a cursor position report
      {"escape", "vim.tiny /etc/hostname", "\033"},
      {"mouse", "vim.tiny /etc/hostname", "\033[<0;10;5M\033[<0;10;5m"},
      {"wheel", "less /etc/services", "\033[<65;10;5M"},
      {"nul", kRaw, std::string(1, '\0')},  // Ctrl-Space
      {"utf8", "", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
      {"paste", kRaw, paste},
      {"bracketed", kRaw, "\033[200~" + paste + "\033[201~"},
      {"shortpaste", kRaw, "\033[200~rm -rf build\r\033[201~"},
      {"unread", "stty -echo; sleep 1000", "x"},
      {"interrupt", "sleep 1000", "\003"},
      {"stopped", kRaw, "\023"},
  };
  std::map<std::string, std::string> keys;
  for (const auto& [who, command, bytes] : people) {
    SshLogin& login = log_in(who);
    if (*command != '\0') login.command(command);
    keys[who] = bytes;
  }
  expect_all_active_after(keys);
}

// A person types on while the session's processes are stopped, and before the program reads: the
// keys pile up on the tty, and each counts when it is pressed.
TEST_P(Keys, TypedAheadTheyCountAgainAndAgain) {
  log_in("ahead").command("stty raw -echo; sleep 1000");
  for (int i = 0; i < 2; ++i) expect_all_active_after({{"ahead", std::string(300, 'a')}});
}

}  // namespace
}  // namespace idlewarden::test
