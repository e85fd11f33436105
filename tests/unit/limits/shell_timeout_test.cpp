// SPDX-License-Identifier: Apache-2.0
#include "limits/shell_timeout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "shell_oracle_trees.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ShellTimeout : public ::testing::Test {
 protected:
  // A distribution's own /etc/profile, the first file of its tree.
  void profile_of(std::string_view tree) {
    const std::size_t begin = tree.find('\n') + 1;
    const std::size_t end = tree.find("\n@/") + 1;
    tree_.file("/etc/profile", std::string(tree.substr(begin, end - begin)));
  }
  void debian() { profile_of(test::kDebian); }
  // Which of two files is read last.
  void expect_order_in_doubt() const {
    const ShellTimeouts timeouts = read();
    ASSERT_THAT(timeouts.in_force, SizeIs(2));
    for (const auto& source : timeouts.in_force) {
      EXPECT_TRUE(source.conditional);
      EXPECT_THAT(source.reason, HasSubstr("is read last is up to the login's locale"));
    }
  }
  void file(const std::string& path, const std::string& text) { tree_.file(path, text); }

  ShellTimeouts read(const std::string& shell = "/bin/bash") const {
    ShellUser user = user_;
    user.shell = shell;
    return shell_timeouts(Root(tree_.path()), user);
  }
  // The limit that holds under no condition; -1: there is none, -2: not exactly one.
  long decided(const std::string& shell = "/bin/bash") const {
    const ShellTimeouts timeouts = read(shell);
    if (timeouts.in_force.empty()) return -1;
    if (timeouts.in_force.size() > 1 || timeouts.in_force[0].conditional) return -2;
    const auto& limit = timeouts.in_force[0].limit;
    return limit ? limit->count() : -1;
  }
  long profile(const std::string& text, const std::string& shell = "/bin/bash") const {
    tree_.file("/etc/profile", text);
    return decided(shell);
  }

  test::TempDir tree_;
  ShellUser user_{.uid = ::getuid(), .home = "/home/u", .shell = {}};
};

TEST_F(ShellTimeout, HowToOnThreeLines) {
  debian();
  file("/etc/bash.bashrc", "TMOUT=300\nreadonly TMOUT\nexport TMOUT\n");
  const ShellTimeouts timeouts = read();
  ASSERT_THAT(timeouts.in_force, SizeIs(1));
  EXPECT_EQ(timeouts.in_force[0].limit, Seconds(300));
  EXPECT_FALSE(timeouts.in_force[0].conditional);
  EXPECT_EQ(timeouts.in_force[0].where, (Where{"/etc/bash.bashrc", 1}));
  EXPECT_EQ(timeouts.in_force[0].text, "TMOUT=300");
  EXPECT_TRUE(timeouts.readonly);
  EXPECT_TRUE(timeouts.exported);
}

TEST_F(ShellTimeout, HowToOnOneLine) {
  debian();
  // So written, bash takes the first word as the environment of `readonly`, and keeps it.
  file("/etc/bash.bashrc", "TMOUT=300 readonly TMOUT export TMOUT\n");
  EXPECT_EQ(decided(), 300);
  file("/etc/bash.bashrc", "TMOUT=300; readonly TMOUT; export TMOUT\n");
  EXPECT_EQ(decided(), 300);
}

// TMOUT is zsh's timer, too: a trap for ALRM runs instead of the logout (zshparam(1)).
TEST_F(ShellTimeout, ATrapForAlarmsInZshIsNoLogout) {
  const std::string zshrc = "/etc/zsh/zshrc";
  for (const std::string text :
       {"TMOUT=1\nTRAPALRM() { zle reset-prompt }\n", "TMOUT=1\nTRAPALRM() {\n  zle x\n}\n",
        "function TRAPALRM { :; }\nTMOUT=1\n", "TMOUT=1\ntrap 'zle reset-prompt' ALRM\n",
        "TMOUT=1\ntrap -- : INT SIGALRM\n", "TMOUT=1\ntrap '' 14\n",
        "TMOUT=1\nautoload -Uz TRAPALRM\n", "TMOUT=1\n[ -n \"$FOO\" ] && trap : ALRM\n",
        "TMOUT=1\ntrap : $SOME\n", "TMOUT=1\nset_it() { trap : ALRM; }\nset_it\n",
        "TMOUT=1\neval \"trap : ALRM $(x)\"\n"}) {
    file(zshrc, text);
    const ShellTimeouts timeouts = read("/bin/zsh");
    EXPECT_THAT(timeouts.in_force, IsEmpty()) << text;
    ASSERT_THAT(timeouts.overruled, SizeIs(1)) << text;
    EXPECT_THAT(timeouts.overruled[0].reason, HasSubstr("a timer in zsh, no logout")) << text;
  }
  for (const std::string text :
       {"TMOUT=600\ntrap : INT\n", "TMOUT=600\ntrap : ALRM\ntrap - ALRM\n",
        "TMOUT=600\nTRAPALRM() { :; }\nunset -f TRAPALRM\n", "TMOUT=600\ntrap : ALRM; trap ALRM\n",
        "TMOUT=600\nTRAPALRM() { :; }; unfunction TRAPALRM\n", "TMOUT=600\n( trap : ALRM )\n",
        "TMOUT=600\nnever() { TRAPALRM() { :; }; }\n", "TMOUT=600\ntrap : ALRM; trap -\n"}) {
    file(zshrc, text);
    EXPECT_EQ(decided("/bin/zsh"), 600) << text;
  }
  // No other shell does so.
  EXPECT_EQ(profile("TMOUT=600\ntrap : ALRM\n"), 600);
}

TEST_F(ShellTimeout, AUsersOwnTrapLoosensNothing) {
  file("/home/u/.zshrc", "TMOUT=1; TRAPALRM() { zle reset-prompt; }\n");
  EXPECT_THAT(read("/bin/zsh").in_force, IsEmpty());
  file("/etc/zsh/zshrc", "TMOUT=600\n");
  EXPECT_EQ(decided("/bin/zsh"), 600);
  // Nor does the system's own timer, which ends nobody.
  file("/etc/zsh/zshrc", "TMOUT=1\ntrap : ALRM\n");
  EXPECT_THAT(read("/bin/zsh").in_force, IsEmpty());
}

TEST_F(ShellTimeout, SecondsAsTheShellTakesThem) {
  for (const auto& [text, seconds] :
       std::initializer_list<std::pair<std::string, long>>{{"600", 600},
                                                           {"0600", 600},
                                                           {"' 600 '", 600},
                                                           {"600s", 600},
                                                           {"0", -1},
                                                           {"-5", -1},
                                                           {"", -1},
                                                           {"never", -1},
                                                           {"5m", -1},
                                                           {"10*60", -1},
                                                           {"$((15*60))", 900},
                                                           {"\"900\"", 900},
                                                           {"3000000000", -1},
                                                           {"600\r", 600},
                                                           {"$[10 * 60]", 600}}) {
    EXPECT_EQ(profile("TMOUT=" + text + "\n"), seconds) << text;
  }
  EXPECT_EQ(profile("TMOUT=10*60\n", "/bin/ksh93"), 600);
}

TEST_F(ShellTimeout, SaysWhatToWriteInstead) {
  profile("TMOUT=5m\n");
  const ShellTimeouts timeouts = read();
  ASSERT_THAT(timeouts.in_force, SizeIs(1));
  EXPECT_FALSE(timeouts.in_force[0].limit);
  EXPECT_THAT(timeouts.in_force[0].reason, HasSubstr("bash would take 5"));
  EXPECT_THAT(timeouts.in_force[0].reason, HasSubstr("write TMOUT=300"));
}

TEST_F(ShellTimeout, NamesWhatOverruled) {
  debian();
  file("/etc/profile.d/a.sh", "TMOUT=900\n");
  file("/etc/profile.d/b.sh", "readonly TMOUT=600\n");
  file("/etc/profile.d/c.sh", "TMOUT=1200\n");
  const ShellTimeouts timeouts = read();
  ASSERT_THAT(timeouts.in_force, SizeIs(1));
  EXPECT_EQ(timeouts.in_force[0].limit, Seconds(600));
  ASSERT_THAT(timeouts.overruled, SizeIs(2));
  EXPECT_EQ(timeouts.overruled[0].reason, "overwritten by /etc/profile.d/b.sh:1");
  EXPECT_EQ(timeouts.overruled[1].reason, "read-only since /etc/profile.d/b.sh:1");
}

TEST_F(ShellTimeout, OrderThatIsTheLocalesIsDoubtful) {
  debian();
  file("/etc/profile.d/tmout.sh", "TMOUT=900\n");
  file("/etc/profile.d/tmout_local.sh", "TMOUT=300\n");
  expect_order_in_doubt();
  EXPECT_EQ(decided("/bin/mksh"), 300) << "it knows no locale";
  file("/etc/profile.d/tmout_local.sh", "A=1\n");
  file("/etc/profile.d/tmout2.sh", "TMOUT=300\n");
  EXPECT_EQ(decided(), -2) << "punctuation counts in C only";
  file("/etc/profile.d/tmout2.sh", "");
  EXPECT_EQ(decided(), 900);
  file("/etc/profile.d/Z.sh", "TMOUT=600\n");
  EXPECT_EQ(decided(), -2) << "capitals come first in C only";
  file("/etc/profile.d/Z.sh", "[ -n \"$TMOUT\" ] || A=2\n");
  EXPECT_EQ(decided(), 900) << "both orders lead to the same";
  file("/etc/profile.d/Z.sh", "");
  file("/etc/profile.d/tmout-local.sh", "TMOUT=300\n");
  file("/etc/profile.d/10-tmout.sh", "TMOUT=200\n");
  EXPECT_EQ(decided(), 900) << "the same order everywhere";
}

TEST_F(ShellTimeout, OrderOfAPatternsFilesIsDoubtfulBesideOtherWords) {
  profile_of(test::kRedHat);
  file("/etc/profile.d/sh.local", "TMOUT=900\n");
  file("/etc/profile.d/tmout.sh", "TMOUT=600\n");
  EXPECT_EQ(decided(), 900) << "it is read last everywhere";
  file("/etc/profile.d/sh.local", "");
  EXPECT_EQ(decided(), 600);
  file("/etc/profile.d/tmout_local.sh", "TMOUT=300\n");
  expect_order_in_doubt();
  profile("for i in /etc/profile.d/*.sh /etc/profile.d/*.sh; do . $i; done\n");
  EXPECT_EQ(decided(), -2) << "also where each is read twice";
}

TEST_F(ShellTimeout, UsersFilesAreTheirsHoweverTheirHomeIsSpelt) {
  file("/etc/profile", "TMOUT=600\n");
  for (const char* home : {"/home/u/", "/home/u/./", "/home//u"}) {
    user_.home = home;
    for (const char* text : {"TMOUT=0\n", "unset TMOUT\n"}) {
      file("/home/u/.bash_profile", text);
      EXPECT_EQ(decided(), 600) << home;
    }
    file("/home/u/.bash_profile", "TMOUT=300\n");
    EXPECT_THAT(read().in_force, SizeIs(2)) << home;
    const std::string own = tree_.path() + "/home/u/.bash_profile";
    ASSERT_EQ(::unlink(own.c_str()), 0);
    ASSERT_EQ(::symlink("/srv/x", own.c_str()), 0);
    file("/srv/x", "TMOUT=300\n");
    EXPECT_EQ(decided(), 600) << home;
    EXPECT_THAT(read().problems, SizeIs(1)) << home;
    ASSERT_EQ(::unlink(own.c_str()), 0);
    // A condition is told what passwd says.
    file("/etc/profile", std::string("TMOUT=600\n[ \"$HOME\" = ") + home + " ] || TMOUT=900\n");
    EXPECT_EQ(decided(), 600) << home;
    file("/etc/profile", "TMOUT=600\n");
  }
}

TEST_F(ShellTimeout, ConditionLeftOpenKeepsBothWays) {
  profile("TMOUT=600\nif grep -q x /etc/y; then TMOUT=300; fi\n");
  const ShellTimeouts timeouts = read();
  ASSERT_THAT(timeouts.in_force, SizeIs(2));
  EXPECT_TRUE(timeouts.in_force[0].conditional);
  EXPECT_TRUE(timeouts.in_force[1].conditional);
}

TEST_F(ShellTimeout, ValueLeftOpenRemovesNothing) {
  profile("TMOUT=600\ngrep -q x /etc/y && TMOUT=$(cat /etc/z)\n");
  const ShellTimeouts timeouts = read();
  ASSERT_THAT(timeouts.in_force, SizeIs(2));
  EXPECT_EQ(timeouts.in_force[0].limit, Seconds(600));
  EXPECT_FALSE(timeouts.in_force[1].limit);
  EXPECT_TRUE(timeouts.in_force[1].conditional);
}

// -2: a condition is left open.
TEST_F(ShellTimeout, ConditionOnTheLoginIsDecidedWhereItIsKnown) {
  struct Case {
    const char* condition;
    long alice;
    long kiosk;
  };
  constexpr Case kCases[] = {
      {"[ \"$USER\" = kiosk ]", -1, 300},
      {"[ \"$LOGNAME\" != alice ]", -1, 300},
      {"[ \"$(id -un)\" = kiosk ]", -1, 300},
      {"[ \"$(whoami)\" = kiosk ]", -1, 300},
      {"[ \"$(logname 2>/dev/null)\" = kiosk ]", -1, 300},
      {"[ `id -g` -eq 100 ]", 300, -1},
      {"[ \"$(id -gn)\" = users ]", 300, -1},
      {"id -nG | grep -qw contractors", -1, 300},
      {"id -nG alice | grep -qw users", 300, -2},
      {"id -Gn \"$USER\" 2>/dev/null | grep -q contractors", 300, 300},
      {"groups | grep -q '^users$'", 300, -1},
      {"groups $USER | grep -qw kiosk", -1, 300},
      {"id -nG | tr ' ' '\\n' | grep -qx contractors", -1, 300},
      {"[[ \" $(id -nG) \" == *\" contractors \"* ]]", -1, 300},
      {"[[ $(groups) =~ contractors ]]", 300, 300},
      {"echo \"$(id -Gn)\" | fgrep -qw contractors", -1, 300},
      {"id -nG | grep -qi CONTRACTORS", -2, -2},
      {"id -nG | grep -q contractors /etc/group", -2, -2},
      {"id -nG >/tmp/x | grep -q contractors", -2, -2},
      {"id -G | grep -qw 100", -2, -2},
      {"id -nG | sed s/x// | grep -qw contractors", -2, -2},
  };
  for (const Case& given : kCases) {
    const std::string text = std::string(given.condition) + " && TMOUT=300\n";
    user_ = {.uid = 1000, .home = "/home/u", .shell = {}, .name = "alice", .gid = 100};
    user_.groups = {"users"};
    // A name that only contains the other one.
    if (text.contains("-q contractors") || text.contains("=~"))
      user_.groups.emplace_back("ex-contractors");
    EXPECT_EQ(profile(text), given.alice) << text;
    user_ = {.uid = 1001, .home = "/home/u", .shell = {}, .name = "kiosk", .gid = 101};
    user_.groups = {"kiosk", "staff", "contractors", "wheel"};
    EXPECT_EQ(profile(text), given.kiosk) << text;
    user_ = {.uid = 1002, .home = "/home/u", .shell = {}};
    EXPECT_EQ(profile(text), -2) << text;
  }
}

TEST_F(ShellTimeout, WhoComesBySshHasItsVariables) {
  for (const std::string name : {"SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"}) {
    const std::string set = "[ -n \"$" + name + "\" ] && TMOUT=300\n";
    user_.login = Login::ssh;
    EXPECT_EQ(profile(set), 300);
    EXPECT_EQ(profile("[ \"$" + name + "\" = /dev/pts/3 ] && TMOUT=300\n"), -2)
        << "its content is not known";
    user_.login = Login::local;
    EXPECT_EQ(profile(set), -1);
    user_.login = Login::unknown;
    EXPECT_EQ(profile(set), -2);
  }
}

TEST_F(ShellTimeout, WhereTheClientComesFromIsKnown) {
  const std::string lan = "case \"$SSH_CONNECTION\" in 10.*) TMOUT=900 ;; *) TMOUT=300 ;; esac\n";
  const std::string first = "[ \"${SSH_CLIENT%% *}\" = 10.0.0.5 ] && TMOUT=300\n";
  user_.login = Login::ssh;
  EXPECT_THAT((profile(lan), read().in_force), SizeIs(2)) << "its address is not known";
  EXPECT_EQ(profile(first), -2);
  user_.address = "10.0.0.5";
  EXPECT_EQ(profile(lan), 900);
  EXPECT_EQ(profile(first), 300);
  EXPECT_EQ(profile("case $SSH_CLIENT in *\" 22\") TMOUT=300 ;; esac\n"), -2) << "its port is not";
  user_.address = "192.168.10.5";
  EXPECT_EQ(profile(lan), 300);
  EXPECT_EQ(profile(first), -1);
  // An interface belongs to it.
  user_.address = "fe80::1";
  EXPECT_EQ(profile("case \"$SSH_CLIENT\" in 'fe80::1 '*) TMOUT=300 ;; esac\n"), -2);
}

TEST_F(ShellTimeout, FunctionThatNothingCallsSetsNothing) {
  const std::string kiosk = "# kiosk_mode: for kiosks\nkiosk_mode() { TMOUT=60; export TMOUT; }\n";
  EXPECT_EQ(profile(kiosk), -1);
  ASSERT_THAT(read().overruled, SizeIs(1));
  EXPECT_EQ(read().overruled[0].reason, "in a function that this login is not seen to call");
  user_.name = "alice";
  EXPECT_EQ(profile(kiosk + "export -f kiosk_mode\n[ $USER = kiosk_mode ] && kiosk_mode\n"), -1);
  EXPECT_EQ(profile(kiosk + "(kiosk_mode)\nTMOUT=900\n"), 900);
  EXPECT_EQ(profile(kiosk + "kiosk_mode\n"), 60);
  EXPECT_EQ(profile(kiosk + "run() { kiosk_mode; }\n"), -1);
  for (const char* unread :
       {"PROMPT_COMMAND=kiosk_mode", "trap 'date; kiosk_mode' USR1", "alias k=kiosk_mode",
        "eval \"$x kiosk_mode\"", "a+=(kiosk_mode)", "for f in $x kiosk_mode; do $f; done",
        "run() { kiosk_mode; }; trap run USR1", "if x; then y 'kiosk_mode' fi\n"}) {
    EXPECT_EQ(profile(kiosk + unread + "\n"), -2) << unread;
  }
  EXPECT_EQ(profile("precmd() { TMOUT=60; }\n"), -1);
  file("/etc/zshenv", "precmd() { TMOUT=60; }\n");
  EXPECT_EQ(decided("/bin/zsh"), -2);
}

// As the package bash-completion does on most hosts: a folder that a variable of the environment
// may name, but that no file sets.
TEST_F(ShellTimeout, FolderFromOutsideIsTheUsualOne) {
  file("/etc/profile",
       "TMOUT=600\nd=${COMPLETIONS:-/etc/completions.d}\n"
       "if [[ -d $d && -x $d ]]; then for i in \"$d\"/*; do . \"$i\"; done; fi\n");
  file("/etc/completions.d/a", "b=1\n");
  ASSERT_THAT(read().in_force, SizeIs(1));
  EXPECT_FALSE(read().in_force[0].conditional);
  file("/etc/completions.d/z", "TMOUT=300\n");
  EXPECT_THAT(read().in_force, SizeIs(2));
  // What a command prints is another matter.
  file("/etc/profile",
       "TMOUT=600\nd=/etc/none.d\na && d=$(b)\nfor i in \"$d\"/*; do . \"$i\"; done\n");
  ASSERT_THAT(read().in_force, SizeIs(2));
  EXPECT_THAT(read().in_force[1].reason, HasSubstr("which file it reads"));
}

TEST_F(ShellTimeout, UsersFilesCanOnlyTighten) {
  file("/etc/profile", "TMOUT=600\n");
  file("/home/u/.profile", "TMOUT=0\nTMOUT=900\nunset TMOUT\n");
  const ShellTimeouts loose = read();
  ASSERT_THAT(loose.in_force, SizeIs(1));
  EXPECT_EQ(loose.in_force[0].limit, Seconds(600));
  EXPECT_THAT(loose.overruled, SizeIs(3));

  file("/home/u/.profile", "TMOUT=300\n");
  const ShellTimeouts strict = read();
  ASSERT_THAT(strict.in_force, SizeIs(2));
  EXPECT_EQ(strict.in_force[1].limit, Seconds(300));
  EXPECT_FALSE(strict.in_force[1].conditional);
}

// bash and tcsh read the first that is there.
TEST_F(ShellTimeout, OfTheUsersFilesNoneIsReadBehindOneThatIsThere) {
  const auto with = [&](const std::string& first, const std::string& shell) {
    const std::string path = tree_.path() + "/home/u/" + first;
    file("/srv/x", "");
    EXPECT_EQ(::symlink("/srv/x", path.c_str()), 0);
    const long seconds = decided(shell);
    EXPECT_EQ(::unlink((tree_.path() + "/srv/x").c_str()), 0);
    EXPECT_EQ(decided(shell), 300) << "a link that leads nowhere";
    EXPECT_EQ(::unlink(path.c_str()), 0);
    EXPECT_EQ(decided(shell), 300);
    return seconds;
  };
  file("/home/u/.profile", "TMOUT=300\n");
  EXPECT_EQ(with(".bash_profile", "/bin/bash"), -1);
  EXPECT_EQ(with(".bash_login", "/bin/bash"), -1);
  file("/home/u/.cshrc", "set autologout=5\n");
  EXPECT_EQ(with(".tcshrc", "/bin/tcsh"), -1);
  ASSERT_EQ(::symlink("/etc/profile/x", (tree_.path() + "/home/u/.bash_profile").c_str()), 0);
  file("/etc/profile", "");
  EXPECT_EQ(decided(), -2) << "bash stops at what is no folder";
  ASSERT_EQ(::unlink((tree_.path() + "/home/u/.bash_profile").c_str()), 0);
  file("/home/u/.bash_profile", std::string(300 << 10, '\n'));
  EXPECT_EQ(decided(), -1) << "larger than what is read";
  ASSERT_EQ(::unlink((tree_.path() + "/home/u/.bash_profile").c_str()), 0);
  if (::geteuid() != 0) return;
  // bash is refused and leaves it at that, tcsh goes on.
  ShellUser user{.uid = 4242, .home = "/home/u", .shell = "/bin/bash", .name = "u"};
  for (const char* name : {".bash_profile", ".tcshrc"}) {
    tree_.file(std::string("/home/u/") + name, "", 0600);
  }
  EXPECT_THAT(shell_timeouts(Root(tree_.path()), user).in_force, IsEmpty());
  user.shell = "/bin/tcsh";
  EXPECT_THAT(shell_timeouts(Root(tree_.path()), user).in_force, SizeIs(1));
}

// What is not known of one leaves the others in doubt.
TEST_F(ShellTimeout, BehindAUsersFileThatMayBeThereNothingIsCertain) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to close a folder to others";
  const ShellUser user{.uid = 4242, .home = "/home/u", .shell = "/bin/bash"};
  file("/etc/profile", "TMOUT=600\n");
  file("/home/u/.profile", "TMOUT=300\n");
  file("/srv/closed/x", "");
  ASSERT_EQ(::chmod((tree_.path() + "/srv/closed").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("/srv/closed/x", (tree_.path() + "/home/u/.bash_profile").c_str()), 0);
  const ShellTimeouts timeouts = shell_timeouts(Root(tree_.path()), user);
  ASSERT_THAT(timeouts.in_force, SizeIs(2));
  EXPECT_FALSE(timeouts.in_force[0].conditional);
  EXPECT_EQ(timeouts.in_force[1].limit, Seconds(300));
  EXPECT_TRUE(timeouts.in_force[1].conditional);
}

// A home that does not answer: nothing in it is asked for, and nothing in it is decided.
TEST_F(ShellTimeout, OfAHomeThatIsSilentNothingIsKnownButItsName) {
  user_.home_is_silent = true;
  tree_.file("/home/u/.no_tmout", "");
  tree_.file("/home/u/.bash_profile", "TMOUT=60\n");
  tree_.file("/home/u/.login", "set autologout=1\n");
  EXPECT_EQ(profile("TMOUT=600\n"), 600);
  EXPECT_EQ(profile("case $HOME in /home/*) ;; *) TMOUT=900 ;; esac\n"), -1);
  EXPECT_EQ(profile("[ \"$HOME\" = /home/u ] && TMOUT=900\n"), 900);
  for (const char* condition :
       {"[ -e ~/.no_tmout ] ||", "[ -e $HOME/none ] ||", "[[ -r ~/.no_tmout ]] &&", "[ -d ~ ] &&",
        ". ~/.site ||", "for i in ~/*; do :; done; [ -n \"$i\" ] &&"}) {
    file("/etc/profile", std::string(condition) + " TMOUT=900\n");
    const ShellTimeouts timeouts = read();
    ASSERT_THAT(timeouts.in_force, SizeIs(1)) << condition;
    EXPECT_EQ(timeouts.in_force[0].limit, Seconds(900)) << condition;
    EXPECT_TRUE(timeouts.in_force[0].conditional) << condition;
    EXPECT_TRUE(timeouts.home_is_silent);
  }
  file("/etc/csh.cshrc", "if (-e ~/.no_tmout) exit\nset autologout=10\n");
  const ShellTimeouts csh = read("/bin/tcsh");
  ASSERT_THAT(csh.in_force, SizeIs(1));
  EXPECT_TRUE(csh.in_force[0].conditional);
}

TEST_F(ShellTimeout, AdministratorsFileThatNothingIsSeenToReadCounts) {
  file("/etc/profile", "PATH=/bin\n");
  file("/etc/bashrc", "TMOUT=300\n");
  const ShellTimeouts timeouts = read();
  ASSERT_THAT(timeouts.in_force, SizeIs(1));
  EXPECT_EQ(timeouts.in_force[0].limit, Seconds(300));
  EXPECT_TRUE(timeouts.in_force[0].conditional);
  EXPECT_THAT(timeouts.in_force[0].reason, HasSubstr("no file that a login reads"));
}

TEST_F(ShellTimeout, EnvironmentFileOfPam) {
  file("/etc/environment", "# x\nPATH=\"/bin\"\nexport TMOUT=\"600\" # ten minutes\n");
  EXPECT_EQ(decided("/bin/bash"), 600);
  EXPECT_EQ(decided("/bin/zsh"), 600);
  file("/etc/profile", "TMOUT=300\n");
  EXPECT_EQ(decided("/bin/bash"), 300);
}

TEST_F(ShellTimeout, ShellsWithoutTimeoutSaySo) {
  file("/etc/profile", "TMOUT=300\n");
  file("/etc/environment", "TMOUT=900\n");
  const ShellTimeouts dash = read("/bin/dash");
  EXPECT_THAT(dash.in_force, IsEmpty());
  ASSERT_THAT(dash.overruled, SizeIs(2));
  EXPECT_EQ(dash.overruled[1].reason, "dash has no TMOUT");
  const ShellTimeouts fish = read("/usr/bin/fish");
  EXPECT_THAT(fish.in_force, IsEmpty());
  ASSERT_THAT(fish.overruled, SizeIs(1));
  EXPECT_EQ(fish.overruled[0].reason, "fish has no TMOUT");
}

TEST_F(ShellTimeout, WhetherBusyboxHeedsItIsNotKnown) {
  file("/etc/profile", "TMOUT=300\n");
  file("/bin/busybox", "");
  ASSERT_EQ(::symlink("busybox", (tree_.path() + "/bin/ash").c_str()), 0);
  ASSERT_EQ(::symlink("busybox", (tree_.path() + "/bin/sh").c_str()), 0);
  for (const char* shell : {"/bin/busybox", "/bin/ash", "/bin/sh"}) {
    const ShellTimeouts timeouts = read(shell);
    ASSERT_THAT(timeouts.in_force, SizeIs(1)) << shell;
    EXPECT_TRUE(timeouts.in_force[0].conditional) << shell;
    EXPECT_THAT(timeouts.in_force[0].reason,
                EndsWith("whether this busybox heeds it is not known"));
  }
}

TEST_F(ShellTimeout, CshIsWhatItsLinkSays) {
  file("/etc/csh.cshrc", "set autologout=10\n");
  EXPECT_THAT(read("/bin/bsd-csh").in_force, IsEmpty());
  EXPECT_EQ(decided("/bin/csh"), -2) << "nobody here knows which";
  file("/bin/bsd-csh", "");
  ASSERT_EQ(::symlink("bsd-csh", (tree_.path() + "/bin/csh").c_str()), 0);
  EXPECT_THAT(read("/bin/csh").in_force, IsEmpty());
  ASSERT_EQ(::unlink((tree_.path() + "/bin/csh").c_str()), 0);
  file("/bin/tcsh", "");
  ASSERT_EQ(::symlink("tcsh", (tree_.path() + "/bin/csh").c_str()), 0);
  EXPECT_EQ(decided("/bin/csh"), 600);
}

TEST_F(ShellTimeout, ArithmeticSetsOnlyWhatIsComputed) {
  user_.uid = 4242;
  EXPECT_EQ(profile("TMOUT=600\n(( UID == 0 && (TMOUT=300) ))\n"), 600);
  EXPECT_EQ(profile("TMOUT=600\n(( UID != 0 || (TMOUT=300) ))\n"), 600);
  EXPECT_EQ(profile("TMOUT=600\n(( UID == 0 ? (TMOUT=300) : (TMOUT=450) ))\n"), 450);
  EXPECT_EQ(profile("TMOUT=600\n(( UID != 0 && (TMOUT=300) ))\n"), 300);
  file("/etc/profile", "TMOUT=600\n(( RANDOM && (TMOUT=300) ))\n");
  for (const auto& source : read().in_force) EXPECT_FALSE(source.limit) << "nobody knows it";
}

TEST_F(ShellTimeout, BreakLeavesAsManyLoopsAsItSays) {
  const std::string head = "for i in 1 2; do for k in 1 2; do TMOUT=$i$k; ";
  EXPECT_EQ(profile(head + "break 2; done; done\n"), 11);
  EXPECT_EQ(profile(head + "break 9; done; done\n"), 11);
  EXPECT_EQ(profile(head + "break; done; done\n"), 21);
  EXPECT_EQ(profile(head + "continue 2; done; TMOUT=5; done\n"), 21);
}

TEST_F(ShellTimeout, LeadingZerosAreOctalWhereTheShellSaysSo) {
  EXPECT_EQ(profile("M=010; TMOUT=$((M*60))\n"), 480);
  file("/etc/zshenv", "M=010; TMOUT=$((M*60))\n");
  EXPECT_EQ(decided("/bin/zsh"), 600);
  EXPECT_EQ(profile("TMOUT=600; [[ 010 -eq 10 ]] && TMOUT=60\n"), 600);
  EXPECT_EQ(profile("TMOUT=600; [ 010 -eq 10 ] && TMOUT=60\n"), 60);
}

TEST_F(ShellTimeout, ShIsWhatItsLinkSays) {
  file("/etc/profile", "TMOUT=300\n");
  ASSERT_THAT(read("/bin/sh").in_force, SizeIs(1));
  EXPECT_TRUE(read("/bin/sh").in_force[0].conditional);
  file("/usr/bin/dash", "");
  ASSERT_EQ(::symlink("usr/bin", (tree_.path() + "/bin").c_str()), 0);
  ASSERT_EQ(::symlink("dash", (tree_.path() + "/usr/bin/sh").c_str()), 0);
  EXPECT_THAT(read("/bin/sh").in_force, IsEmpty());
  ASSERT_EQ(::unlink((tree_.path() + "/usr/bin/sh").c_str()), 0);
  file("/usr/bin/bash", "");
  ASSERT_EQ(::symlink("bash", (tree_.path() + "/usr/bin/sh").c_str()), 0);
  EXPECT_EQ(decided("/bin/sh"), 300);
}

TEST_F(ShellTimeout, CshCountsMinutes) {
  file("/etc/csh.cshrc", "set autologout = 15\n");
  EXPECT_EQ(decided("/bin/tcsh"), 900);
  EXPECT_EQ(read("/bin/tcsh").in_force[0].directive, "autologout");
}

// It leads there both ways, once with its output thrown away.
TEST_F(ShellTimeout, RedHatsFilesForCshAreNoProblem) {
  std::string_view rest = test::kRedHatCsh;
  while (!rest.empty()) {
    const std::size_t begin = rest.find('\n') + 1;
    const std::size_t end = std::min(rest.find("\n@/"), rest.size() - 1) + 1;
    file(std::string(rest.substr(1, begin - 2)), std::string(rest.substr(begin, end - begin)));
    rest.remove_prefix(end);
  }
  tree_.file("/dev/null/x", "");
  file("/etc/profile.d/autologout.csh", "set -r autologout=15\n");
  EXPECT_EQ(decided("/bin/tcsh"), 900);
  EXPECT_THAT(read("/bin/tcsh").problems, IsEmpty());
  EXPECT_THAT(read("/bin/tcsh").files, ::testing::Not(Contains("/dev/null")));
}

// Where a login starts is not known, and it is not where this program does.
TEST_F(ShellTimeout, APatternWithoutItsFolderIsNotKnownInCsh) {
  file("/etc/csh.cshrc",
       "foreach i (x*)\nset autologout=15\nend\nif (`ls x` == \"\") set autologout=15\n");
  EXPECT_EQ(decided("/bin/tcsh"), -2);
}

TEST_F(ShellTimeout, OddFilesOfTheUserAreProblems) {
  file("/etc/profile", "TMOUT=600\n");
  file("/home/u/x", "");
  ASSERT_EQ(::mkfifo((tree_.path() + "/home/u/.bash_profile").c_str(), 0644), 0);
  const ShellTimeouts fifo = read();
  EXPECT_THAT(fifo.problems, SizeIs(1));
  ASSERT_THAT(fifo.in_force, SizeIs(1));
  EXPECT_EQ(fifo.in_force[0].limit, Seconds(600));
  ASSERT_EQ(::unlink((tree_.path() + "/home/u/.bash_profile").c_str()), 0);
  ASSERT_EQ(::symlink("/etc/shadow", (tree_.path() + "/home/u/.bash_profile").c_str()), 0);
  EXPECT_THAT(read().problems, SizeIs(1));
}

TEST_F(ShellTimeout, AUsersFileTellsNothingThatTheUserMayNotKnow) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to close a file to others";
  const auto read_as = [&](const std::string& shell) {
    return shell_timeouts(Root(tree_.path()), {.uid = 4242, .home = "/home/u", .shell = shell});
  };
  tree_.file("/etc/secret", "TMOUT=61\nset autologout=61\n", 0600);
  tree_.file("/root/x", "TMOUT=62\nset autologout=62\n");
  ASSERT_EQ(::chmod((tree_.path() + "/root").c_str(), 0700), 0);
  const std::string own = tree_.path() + "/home/u/.";
  for (const std::string& name :
       {tree_.file("/home/u/.profile", ". /etc/secret\n. /etc/../root/x\n"),
        tree_.file("/home/u/.cshrc", "source /etc/secret\nsource /etc/../root/x\n"),
        tree_.file("/home/u/.zshenv", "ZDOTDIR=/root\n. /etc/secret\n. /root/x\n")}) {
    ASSERT_EQ(::chown(name.c_str(), 4242, 4242), 0);
  }
  for (const char* shell : {"/bin/bash", "/bin/tcsh", "/bin/zsh"}) {
    const auto timeouts = read_as(shell);
    EXPECT_THAT(timeouts.in_force, IsEmpty()) << shell;
    EXPECT_THAT(timeouts.unread, Contains("/etc/secret")) << shell;
    EXPECT_THAT(timeouts.unread, Contains(EndsWith("root/x"))) << shell;
  }
  file("/home/u/.profile", "[ -e /root/x ] && TMOUT=63\n[ -e /root/none ] && TMOUT=64\n");
  ASSERT_EQ(::chown((own + "profile").c_str(), 4242, 4242), 0);
  const auto timeouts = read_as("/bin/bash");
  ASSERT_THAT(timeouts.in_force, SizeIs(2)) << "what is there is not told from what is not";
  for (const auto& source : timeouts.in_force) EXPECT_TRUE(source.conditional);
}

// The daemon may read what the user's own shell skips.
TEST_F(ShellTimeout, WhatTheUsersShellCannotReadSaysNothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to close a file to others";
  debian();
  ShellUser user{.uid = 4242, .home = "/home/u", .shell = "/bin/bash", .name = "u"};
  user.gid = 4242;
  user.groups = {"u", "staff"};
  const auto limit_of = [&](const ShellUser& whose) {
    const ShellTimeouts timeouts = shell_timeouts(Root(tree_.path()), whose);
    EXPECT_THAT(timeouts.problems, IsEmpty());
    if (timeouts.in_force.size() != 1 || timeouts.in_force[0].conditional) return -1L;
    return timeouts.in_force[0].limit.value_or(Seconds(0)).count();
  };
  file("/etc/group", "root:x:0:\nu:x:4242:\nstaff:x:50:u\nadm:x:4:\n");
  const std::string own = tree_.file("/etc/profile.d/tmout.sh", "TMOUT=300\n");
  const auto with = [&](mode_t mode, gid_t group) {
    EXPECT_EQ(::chown(own.c_str(), 0, group), 0);
    EXPECT_EQ(::chmod(own.c_str(), mode), 0);
    return limit_of(user);
  };
  EXPECT_EQ(with(0644, 0), 300);
  EXPECT_EQ(with(0600, 0), -1);
  EXPECT_EQ(with(0640, 4), -1);
  EXPECT_EQ(with(0640, 50), 300);
  EXPECT_EQ(with(0640, 4242), 300);
  EXPECT_EQ(with(0640, 77), 300) << "a group that nobody here knows";
  EXPECT_EQ(with(0604, 50), -1);
  with(0600, 0);
  EXPECT_EQ(limit_of({.uid = 0, .home = "/root", .shell = "/bin/bash", .name = "root"}), 300);
  EXPECT_EQ(limit_of({.uid = 4242, .home = "/home/u", .shell = "/bin/bash"}), 300);
  user.foreign = true;
  EXPECT_EQ(limit_of(user), 300);
  user.foreign = false;
  // What would take the limit away is skipped as well.
  tree_.file("/etc/profile.d/z.sh", "TMOUT=0\n", 0600);
  EXPECT_EQ(with(0644, 0), 300);
  file("/etc/profile", "TMOUT=600\n. /etc/closed/x; [ -e /etc/closed/x ] && TMOUT=0\n");
  file("/etc/closed/x", "TMOUT=0\n");
  ::chmod((tree_.path() + "/etc/closed").c_str(), 0700);
  user.login = Login::ssh;
  ::chmod(own.c_str(), 0600);
  EXPECT_EQ(limit_of(user), 600);
  // PAM reads its own with root's rights.
  file("/etc/profile", "");
  tree_.file("/etc/environment", "TMOUT=900\n", 0600);
  EXPECT_EQ(limit_of(user), 900);
}

TEST_F(ShellTimeout, UsersSourceOfSomebodyElsesFileIsOneOfTheirOwn) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  file("/home/u/.profile", ". /srv/x\n");
  file("/srv/x", "TMOUT=60\n");
  ASSERT_EQ(::chown((tree_.path() + "/srv/x").c_str(), 4242, 4242), 0);
  EXPECT_THAT(read().problems, SizeIs(1));
  EXPECT_THAT(read().in_force, IsEmpty());
}

TEST_F(ShellTimeout, UsersFileByAnotherNameIsTheirs) {
  file("/etc/profile", "TMOUT=600\n. /etc/../home/u/x\n");
  file("/home/u/x", "TMOUT=0\n");
  EXPECT_EQ(decided(), 600);
}

TEST_F(ShellTimeout, ListsWhatItLookedAt) {
  debian();
  const ShellTimeouts timeouts = read();
  for (const char* path :
       {"/etc/profile", "/etc/bash.bashrc", "/etc/bashrc", "/etc/profile.d", "/etc/environment"}) {
    EXPECT_THAT(timeouts.files, ::testing::Contains(path));
  }
  for (const char* path : {"/home/u/.bash_profile", "/home/u/.profile"}) {
    EXPECT_THAT(timeouts.users_files, ::testing::Contains(path));
  }
}

// What a condition asks for is watched, there or not: it decides what a new login gets.
TEST_F(ShellTimeout, ListsWhatItsConditionsAskFor) {
  file("/etc/profile",
       "[ -e /etc/no-timeout ] && return\n[[ -d /etc/site && ! -f /etc/site/x ]] || TMOUT=600\n");
  file("/etc/csh.cshrc", "if (-e /etc/no-timeout) exit\nset autologout=10\n");
  file("/home/u/.bash_profile", "[ -r .quick ] && TMOUT=60\n");
  tree_.file("/etc/site/y", "");
  for (const char* path : {"/etc/no-timeout", "/etc/site", "/etc/site/x"}) {
    EXPECT_THAT(read().files, Contains(path));
  }
  EXPECT_THAT(read().users_files, Contains("/home/u/.quick"));
  EXPECT_THAT(read("/bin/tcsh").files, Contains("/etc/no-timeout"));
  EXPECT_EQ(decided("/bin/tcsh"), 600);
  file("/etc/no-timeout", "");
  EXPECT_EQ(decided("/bin/tcsh"), -1);
  EXPECT_EQ(decided(), -1);
}

// Whoever may write a line there would have the daemon watch, and complain of, any path there is.
TEST_F(ShellTimeout, WhatAUsersFileNamesIsNotTheSystems) {
  file("/etc/profile", ". /etc/site\n");
  file("/etc/site", "TMOUT=900\n");
  file("/srv/taken/x", "");
  file("/home/u/.bash_profile",
       ". /srv/alice\n. /srv/taken\n. /etc/profile.d\nfor i in /opt/*.sh; do . $i; done\n");
  const ShellTimeouts timeouts = read();
  EXPECT_THAT(timeouts.files, ::testing::Contains("/etc/site"));
  for (const char* path : {"/srv/alice", "/srv/taken", "/opt"}) {
    EXPECT_THAT(timeouts.files, ::testing::Not(::testing::Contains(path)));
    EXPECT_THAT(timeouts.users_files, ::testing::Contains(path));
  }
  EXPECT_EQ(timeouts.systems_problems, 0U);
  EXPECT_THAT(timeouts.problems, ::testing::Not(IsEmpty())) << "a folder is no script";
}

}  // namespace
}  // namespace idlewarden
