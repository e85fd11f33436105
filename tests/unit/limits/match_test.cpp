// SPDX-License-Identifier: Apache-2.0
#include "limits/match.h"

#include <gtest/gtest.h>

namespace idlewarden {
namespace {

Subject alice() {
  Subject subject;
  subject.user = "alice";
  subject.groups = {"users", "wheel"};
  subject.tty = "pts/3";
  subject.address = "10.2.0.7";
  subject.host = "Desk.Example.ORG";
  return subject;
}

std::string why(const Match& match, const Subject& subject = alice()) {
  return mismatch(match, subject, WallTime{});
}

Match of(auto member, std::vector<std::string> list) {
  Match match;
  match.*member = std::move(list);
  return match;
}

TEST(Match, NothingAskedMatchesAll) {
  EXPECT_EQ(why({}), "");
  EXPECT_EQ(why({}, Subject{}), "");
}

TEST(Match, Users) {
  EXPECT_EQ(why(of(&Match::users, {"bob", "al*"})), "");
  EXPECT_EQ(why(of(&Match::users, {"a?ice"})), "");
  EXPECT_EQ(why(of(&Match::users, {"bob"})), "users");
  EXPECT_EQ(why(of(&Match::users, {"Alice"})), "users");
  EXPECT_EQ(why(of(&Match::users, {"*", "!alice"})), "users");
  EXPECT_EQ(why(of(&Match::users, {"!alice", "*"})), "users");
  EXPECT_EQ(why(of(&Match::users, {"*", "!bob"})), "");
}

TEST(Match, GroupsWhereOneNegatedIsEnough) {
  EXPECT_EQ(why(of(&Match::groups, {"wheel"})), "");
  EXPECT_EQ(why(of(&Match::groups, {"whe*"})), "");
  EXPECT_EQ(why(of(&Match::groups, {"staff"})), "groups");
  EXPECT_EQ(why(of(&Match::groups, {"users", "!wheel"})), "groups");
  EXPECT_EQ(why(of(&Match::groups, {"users", "!staff"})), "");
  Subject nobody = alice();
  nobody.groups.clear();
  EXPECT_EQ(why(of(&Match::groups, {"*"}), nobody), "groups");
}

TEST(Match, Addresses) {
  EXPECT_EQ(why(of(&Match::addresses, {"10.0.0.0/8"})), "");
  EXPECT_EQ(why(of(&Match::addresses, {"10.0.0.0/8", "!10.1.0.0/16"})), "");
  EXPECT_EQ(why(of(&Match::addresses, {"10.0.0.0/8", "!10.2.0.0/16"})), "addresses");
  EXPECT_EQ(why(of(&Match::addresses, {"10.2.*"})), "");
  EXPECT_EQ(why(of(&Match::addresses, {"192.168.0.0/16"})), "addresses");
  Subject six = alice();
  six.address = "2001:db8::17";
  EXPECT_EQ(why(of(&Match::addresses, {"2001:db8::/32"}), six), "");
  EXPECT_EQ(why(of(&Match::addresses, {"10.0.0.0/8"}), six), "addresses");
  six.address.clear();  // a console
  EXPECT_EQ(why(of(&Match::addresses, {"*"}), six), "addresses");
}

TEST(Match, AnAddressThatIsNotKnownMayMatch) {
  Match match = of(&Match::addresses, {"10.0.0.0/8"});
  Subject subject = alice();
  subject.address.clear();
  EXPECT_FALSE(undecided(match, subject, WallTime{})) << "it has none";
  subject.address_unknown = true;
  EXPECT_EQ(why(match, subject), "addresses");
  EXPECT_TRUE(undecided(match, subject, WallTime{}));
  match.users = {"bob"};
  EXPECT_FALSE(undecided(match, subject, WallTime{}));
}

// No live connection has a name; that explain is told one is for sshd's files.
TEST(Match, ByTheClientsNameNobody) {
  EXPECT_EQ(why(of(&Match::hosts, {"*.example.org"})), "hosts");
  EXPECT_EQ(why(of(&Match::hosts, {"*"})), "hosts");
}

TEST(Match, TtysKindsHours) {
  EXPECT_EQ(why(of(&Match::ttys, {"pts/*"})), "");
  EXPECT_EQ(why(of(&Match::ttys, {"tty*"})), "ttys");
  Match kinds;
  kinds.kinds = {Kind::console, Kind::ssh};
  EXPECT_EQ(why(kinds), "");
  kinds.kinds = {Kind::ssh_nopty};
  EXPECT_EQ(why(kinds), "kinds");
  Match hours;
  hours.hours = {Hours{}, Hours{}};  // on no day
  EXPECT_EQ(why(hours), "hours");
  for (bool& day : hours.hours[1].days) day = true;
  EXPECT_EQ(why(hours), "");
}

// Its names are those of whoever made it.
TEST(Match, AContainersAccountsAreNotTheHosts) {
  Subject foreign = alice();
  foreign.foreign = true;
  EXPECT_EQ(why(of(&Match::users, {"alice"}), foreign), "users");
  EXPECT_EQ(why(of(&Match::groups, {"*"}), foreign), "groups");
  EXPECT_EQ(why(of(&Match::users, {"*"}), foreign), "");
  EXPECT_EQ(why({}, foreign), "");
}

TEST(Match, AllKeysMustHold) {
  Match match = of(&Match::users, {"alice"});
  match.addresses = {"192.168.0.0/16"};
  EXPECT_EQ(why(match), "addresses");
}

TEST(Match, SeesWhatCannotDecideAnything) {
  EXPECT_TRUE(matches_everything({}));
  EXPECT_TRUE(matches_everything(of(&Match::users, {"*"})));
  EXPECT_FALSE(matches_everything(of(&Match::groups, {"*"})));  // a user may be in none
  EXPECT_FALSE(matches_everything(of(&Match::addresses, {"*"})));
  Match console = of(&Match::addresses, {"*"});
  console.kinds = {Kind::serial, Kind::console};
  EXPECT_TRUE(matches_nothing(console));
  console.kinds = {Kind::serial, Kind::ssh};
  EXPECT_FALSE(matches_nothing(console));
  EXPECT_FALSE(matches_nothing({}));
}

}  // namespace
}  // namespace idlewarden
