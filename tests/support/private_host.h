// SPDX-License-Identifier: Apache-2.0
// A host of the test's own: a private mount namespace in which /etc is a copy, and /run and /home
// are empty. What is written there is gone with the process and never seen outside; processes,
// ptys and the network are the machine's. Needs root. Enter it before any thread is started.
#pragma once

#include <string>
#include <string_view>

namespace idlewarden::test {

// Empty if it can be entered, else why not.
std::string enter_private_host();

// Over the copy of /etc (or in /home, /run): written anew, folders made.
void write_host_file(const std::string& path, std::string_view content);

struct Account {
  std::string name;
  std::string home;
};
// A login account with bash and a home of its own, in this namespace only.
Account add_account(const std::string& name);

}  // namespace idlewarden::test
