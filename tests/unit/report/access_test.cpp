// SPDX-License-Identifier: Apache-2.0
#include "report/access.h"

#include <gtest/gtest.h>

#include "samples.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

const std::string kToken = "0123456789abcdef0123456789abcdef";

class Access : public ::testing::Test {
 protected:
  int status(const Visitor& visitor) const {
    const auto refused = refusal(snapshot_, visitor);
    return refused ? refused->status : 200;
  }
  static Visitor on(const std::string& local, const std::string& peer, const std::string& host) {
    Visitor visitor;
    visitor.local_address = local;
    visitor.peer_address = peer;
    visitor.hosts = {host};
    return visitor;
  }
  void give_token() { snapshot_.token_file = dir_.file("token", kToken + "\n", 0600); }

  test::TempDir dir_;
  Snapshot snapshot_ = test::small_snapshot();
  const Visitor remote_ = on("192.0.2.7", "192.0.2.9", "192.0.2.7:9477");
};

TEST_F(Access, LoopbackIsShownItByItsOwnNames) {
  for (const char* host : {"localhost", "localhost:9477", "LOCALHOST:1", "127.0.0.1",
                           "127.0.0.1:9477", "127.9.9.9:80", "[::1]", "[::1]:9477"}) {
    EXPECT_EQ(status(on("127.0.0.1", "127.0.0.1", host)), 200) << host;
    EXPECT_EQ(status(on("::1", "::1", host)), 200) << host;
    EXPECT_EQ(status(on("::ffff:127.0.0.1", "::ffff:127.0.0.1", host)), 200) << host;
  }
}

TEST_F(Access, AForeignHostIsRefusedOnLoopback) {
  for (const char* host :
       {"", "evil.example", "evil.example:9477", "localhost.evil.example", "127.0.0.1.evil.example",
        "10.0.0.1", "[::2]", "[::1", "[", "0.0.0.0", "0", "127.1", "localhost@evil.example"}) {
    EXPECT_EQ(status(on("127.0.0.1", "127.0.0.1", host)), 421) << host;
  }
  Visitor visitor = on("127.0.0.1", "127.0.0.1", "localhost");
  visitor.hosts.clear();
  EXPECT_EQ(status(visitor), 421);
  visitor.hosts = {"localhost", "evil.example"};
  EXPECT_EQ(status(visitor), 421);
}

TEST_F(Access, ElsewhereNothingIsShownWithoutAToken) {
  EXPECT_EQ(status(remote_), 403);
  EXPECT_EQ(status(on("192.0.2.7", "127.0.0.1", "localhost")), 403);
  EXPECT_EQ(status(on("127.0.0.1", "192.0.2.9", "localhost")), 403);
  EXPECT_EQ(status(on("", "", "localhost")), 403);
  give_token();
  EXPECT_EQ(status(remote_), 401);
}

TEST_F(Access, WhatAProxyPassesOnIsNotFromHere) {
  Visitor visitor = on("127.0.0.1", "127.0.0.1", "localhost");
  visitor.proxied = true;
  EXPECT_EQ(status(visitor), 403);
  give_token();
  EXPECT_EQ(status(visitor), 401);
  visitor.authorization = "Bearer " + kToken;
  EXPECT_EQ(status(visitor), 200);
}

TEST_F(Access, TheTokenOpensItEverywhere) {
  give_token();
  Visitor visitor = remote_;
  for (const char* scheme : {"Bearer ", "bearer ", "BEARER   "}) {
    visitor.authorization = scheme + kToken;
    EXPECT_EQ(status(visitor), 200) << scheme;
  }
  visitor.authorization.clear();
  visitor.token = kToken;
  EXPECT_EQ(status(visitor), 200);
  snapshot_.page = StatusPage::token;
  EXPECT_EQ(status(visitor), 200);
}

TEST_F(Access, AWrongTokenOpensNothing) {
  give_token();
  for (const std::string& wrong :
       {kToken.substr(1), kToken + "0", kToken + kToken, std::string("x"), std::string(1, '\0'),
        "0" + kToken.substr(1, kToken.size() - 2) + "0"}) {
    Visitor visitor = remote_;
    visitor.token = wrong;
    EXPECT_EQ(status(visitor), 401) << wrong;
    visitor.authorization = "Bearer " + wrong;
    EXPECT_EQ(status(visitor), 401) << wrong;
  }
  Visitor visitor = remote_;
  visitor.authorization = "Basic " + kToken;
  EXPECT_EQ(status(visitor), 401);
  visitor.authorization = kToken;
  EXPECT_EQ(status(visitor), 401);
}

TEST_F(Access, WithPageTokenLoopbackNeedsItToo) {
  give_token();
  snapshot_.page = StatusPage::token;
  Visitor visitor = on("127.0.0.1", "127.0.0.1", "localhost");
  EXPECT_EQ(status(visitor), 401);
  visitor.token = kToken;
  EXPECT_EQ(status(visitor), 200);
}

TEST_F(Access, ATokenThatCannotBeReadOpensNothing) {
  Visitor visitor = remote_;
  visitor.token = "short";
  for (const std::string& file :
       {dir_.path() + "/none", dir_.file("empty", ""), dir_.file("short", "short\n"),
        dir_.file("blank", kToken + " " + kToken), dir_.file("long", std::string(257, 'a')),
        dir_.file("huge", std::string(1 << 20, 'a')), dir_.path()}) {
    snapshot_.token_file = file;
    EXPECT_EQ(status(visitor), 401) << file;
    EXPECT_FALSE(read_token(file)) << file;
    // Its absence shuts nobody out who needs none.
    Visitor local = on("127.0.0.1", "127.0.0.1", "localhost");
    local.token = "anything";
    EXPECT_EQ(status(local), 200) << file;
  }
}

TEST_F(Access, ATokenThatEverybodyCanReadIsNone) {
  const std::string file = dir_.file("token", kToken, 0644);
  const auto token = read_token(file);
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().text(), file + ": everybody may read the token (chmod 600 " + file + ")");
}

TEST_F(Access, ANewTokenHoldsAtOnce) {
  give_token();
  Visitor visitor = remote_;
  visitor.token = kToken;
  EXPECT_EQ(status(visitor), 200);
  dir_.file("token", "another-token-of-32-characters..", 0600);
  EXPECT_EQ(status(visitor), 401);
  visitor.token = "another-token-of-32-characters..";
  EXPECT_EQ(status(visitor), 200);
}

TEST(ConstantTime, IsEqualityAllTheSame) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  for (const char* guess : {"", "ab", "abd", "abcabc", "bbc"}) {
    EXPECT_FALSE(equal_in_constant_time(guess, "abc")) << guess;
  }
  EXPECT_FALSE(equal_in_constant_time("", ""));
  EXPECT_FALSE(equal_in_constant_time("a", ""));
}

}  // namespace
}  // namespace idlewarden
