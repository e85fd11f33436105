// SPDX-License-Identifier: Apache-2.0
// Whatever a user writes into their start-up files, the daemon's reading of them ends soon, takes
// little memory, and leaves the administrator's limit where it is.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <ostream>
#include <string>

#include "limits/shell_timeout.h"
#include "support/temp_dir.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

namespace idlewarden {
namespace {

#ifdef SANITIZED
constexpr double kMaxCpuSeconds = 15;
constexpr long kMaxMegabytes = 4000;
#else
constexpr double kMaxCpuSeconds = 2;
constexpr long kMaxMegabytes = 200;
#endif

struct Hostile {
  const char* name;
  std::string text;
};
void PrintTo(const Hostile& hostile, std::ostream* out) {
  *out << hostile.name;
}

// What this thread has used, so that a busy machine changes nothing.
double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

long peak_megabytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

class ShellBoundsOfMany : public ::testing::Test {
 protected:
  ShellTimeouts read(const std::string& shell) const {
    const double start = cpu_seconds();
    const long memory = peak_megabytes();
    ShellTimeouts timeouts =
        shell_timeouts(Root(tree_.path()), {.uid = ::getuid(), .home = "/home/u", .shell = shell});
    EXPECT_LT(cpu_seconds() - start, kMaxCpuSeconds) << shell;
    EXPECT_LT(peak_megabytes() - memory, kMaxMegabytes) << shell;
    return timeouts;
  }

  test::TempDir tree_;
};
class ShellBounds : public ShellBoundsOfMany, public ::testing::WithParamInterface<Hostile> {};

TEST_P(ShellBounds, EndsSoonAndLoosensNothing) {
  for (const char* file : {"/etc/profile", "/etc/zshenv"}) tree_.file(file, "TMOUT=600\n");
  tree_.file("/etc/csh.cshrc", "set autologout=10\n");
  for (const char* own : {"/.profile", "/.zshrc", "/.kshrc", "/.mkshrc", "/.cshrc"}) {
    tree_.file(std::string("/home/u") + own, GetParam().text);
  }
  for (const char* shell : {"/bin/bash", "/bin/zsh", "/bin/ksh93", "/bin/mksh", "/bin/tcsh"}) {
    bool stays = false;
    for (const LimitSource& source : read(shell).in_force) {
      stays = stays || source.limit == Seconds(600);
    }
    EXPECT_TRUE(stays) << shell;
  }
}

// The same in the administrator's own file: what was found before it went too far still holds.
TEST_P(ShellBounds, KeepsWhatItHadFound) {
  tree_.file("/etc/profile", "TMOUT=600\nreadonly TMOUT\n" + GetParam().text);
  tree_.file("/etc/csh.cshrc", "set -r autologout=10\n" + GetParam().text);
  for (const char* shell : {"/bin/bash", "/bin/tcsh"}) {
    bool stays = false;
    for (const LimitSource& source : read(shell).in_force) {
      stays = stays || source.limit == Seconds(600);
    }
    EXPECT_TRUE(stays) << shell;
  }
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

// `text` with its # counting up.
std::string counted(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) {
    for (char c : text) all += c == '#' ? std::to_string(i) : std::string(1, c);
  }
  return all;
}

// What is kept of many files is paid for once for all of them.
TEST_F(ShellBoundsOfMany, FilesFullOfCommandsTakeLittleMemory) {
  std::string names;
  for (int i = 0; i < 60; ++i) {
    const std::string name = "/home/u/f" + std::to_string(i);
    tree_.file(name, "f" + std::to_string(i) + "() { " + repeated("a;", 129'000) + "}\n");
    names += ". " + name + "\n";
  }
  tree_.file("/etc/profile", "TMOUT=600\n");
  tree_.file("/home/u/.profile", names);
  EXPECT_FALSE(read("/bin/bash").problems.empty());
}

TEST_F(ShellBoundsOfMany, LongChainsOfLinksAreNotFollowed) {
  std::string up;
  for (int i = 0; i < 800; ++i) up += "a/../";
  for (int i = 0; i < 39; ++i) {
    const std::string target = i == 38 ? std::string("a") : up + "l" + std::to_string(i + 1);
    std::filesystem::create_directories(tree_.path() + "/home/u/a");
    ASSERT_EQ(::symlink(target.c_str(), (tree_.path() + "/home/u/l" + std::to_string(i)).c_str()),
              0);
  }
  tree_.file("/home/u/.profile", counted("[ -e ~/l0 ]; [ -e ~/l0/x# ]\n", 8000));
  read("/bin/bash");
}

const std::string kLong = repeated("x", 4000);

INSTANTIATE_TEST_SUITE_P(
    Files, ShellBounds,
    ::testing::Values(
        Hostile{"reads_itself", ". ~/.profile\n"},
        Hostile{"reads_itself_twice", ". ~/.profile; . ~/.profile\n"},
        Hostile{"calls_itself_twice", "f() { f; f; }\nf\n"},
        Hostile{"calls_itself_and_branches", "f() { f; f; f; TMOUT=1; a && TMOUT=$x; }\nf\n"},
        Hostile{"open_quotes", repeated("'\n", 100'000)},
        Hostile{"open_parentheses", repeated("(", 200'000)},
        Hostile{"open_substitutions", repeated("$(", 100'000)},
        Hostile{"open_expansions", repeated("${a:-", 50'000)},
        Hostile{"errors_with_many_names", counted("b#=1\n", 900) + repeated("$(\n", 50'000)},
        Hostile{"many_ifs", repeated("if a;then b=$c;fi\n", 12'000)},
        Hostile{"many_values", repeated("a && TMOUT=1$RANDOM\n", 10'000)},
        Hostile{"many_values_on_a_line", counted("TMOUT=#;", 20'000) + "\n"},
        Hostile{"many_names", counted("a && v#=1\n", 15'000)},
        Hostile{"many_words", "[ $x " + repeated("a ", 100'000) + "]\n"},
        Hostile{"many_expansions", "X=" + repeated("$q", 100'000) + "\n"},
        Hostile{"many_negations", repeated("! ", 100'000)},
        Hostile{"a_long_chain", repeated("a&&", 80'000) + "a\n"},
        Hostile{"long_values", "a=" + kLong + "\n" + counted("b#=$a\n", 900) +
                                   repeated("if a; then\n", 50) + "c=1\n" + repeated("fi\n", 50)},
        Hostile{"long_values_in_many_ways", counted("[ $u ] && a=#" + kLong + "\n", 12) + "b=\"" +
                                                repeated("$a", 2000) + "\"\n"},
        Hostile{"long_pattern", "a=" + kLong + "\nfor i in /etc/*; do case $a in " +
                                    repeated("*x", 1000) + "y) ;; esac; done\n"},
        Hostile{"long_cut", "a=" + repeated("x", 500) + "\nfor i in /etc/*; do b=${a#" +
                                repeated("*x", 200) + "y}; done\n"},
        Hostile{"nested_loops",
                repeated("for i in 1 2 3 4 5 6 7 8 9; do ", 50) + repeated("done;", 50)},
        Hostile{"nested_loops_over_files",
                repeated("for i in /usr/bin/*; do ", 50) + ":;" + repeated("done;", 50)},
        Hostile{"many_files", repeated("for i in /*/*/*/* /*/*/*/*; do . $i; done\n", 100)},
        Hostile{"nested_functions", repeated("for i in 1 2 3; do f() { ", 40)},
        Hostile{"a_big_function_in_loops", repeated("for i in /etc/*; do ", 3) + "f() { " +
                                               repeated("echo a b;", 20'000) + "}" +
                                               repeated("; done", 3) + "\n"},
        Hostile{"arithmetic_parentheses", "TMOUT=$((" + repeated("(", 50'000) + "\n"},
        Hostile{"arithmetic_signs", "TMOUT=$((" + repeated("-", 50'000) + "1))\n"},
        Hostile{"test_parentheses", "[ " + repeated("! ( ", 50'000) + "\n"},
        Hostile{"extended_test_parentheses", "[[ " + repeated("( ", 50'000) + " ]]\n"},
        Hostile{"eval_of_eval", "A='eval $A$A'\neval $A\n"},
        Hostile{"eval_that_doubles", "A='eval $A; eval $A'\neval $A\n"},
        Hostile{"eval_of_itself", "A='. ~/.profile'\neval $A\n"},
        Hostile{"nested_cases", repeated("case a in b) ", 20'000)},
        Hostile{"doubling", "A=x\n" + repeated("A=$A$A\n", 20'000)},
        Hostile{"here_documents", repeated("cat <<EOF\n", 2000)},
        Hostile{"csh_doubling", "set a=x\n" + repeated("set a=$a$a\n", 10'000)},
        Hostile{"csh_expansions", "set a=x\nset b=" + repeated("$a", 100'000) + "\n"},
        Hostile{"csh_loops", repeated("foreach i (a b c)\n", 1000) + repeated("end\n", 1000)},
        Hostile{"csh_loops_over_files",
                repeated("foreach i (/usr/bin/*)\n", 10) + repeated("end\n", 10)},
        Hostile{"csh_whiles", repeated("while (a)\n", 60) + repeated("end\n", 60)},
        Hostile{"csh_jumps", repeated("if (a) goto l\nif (a) goto m\n", 10'000) + "l:\n"},
        Hostile{"csh_modifiers", "set a=/b\nset c=$a" + repeated(":t", 100'000) + "\n"},
        Hostile{"csh_short_ifs", repeated("if (a) ", 5000) + "\n"},
        Hostile{"csh_ifs", repeated("if (a) then\n", 3000)},
        Hostile{"csh_else_ifs",
                "if (a) then\n" + repeated("else if (a) then\n", 10'000) + "endif\n"},
        Hostile{"csh_parentheses", "if " + repeated("( ", 60'000) + repeated(") ", 60'000) + "b\n"},
        Hostile{"csh_negations", "if (" + repeated("!", 200'000) + "$x) set a=1\n"}),
    [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace idlewarden
