// SPDX-License-Identifier: Apache-2.0
// sshd_config from the file to the limit of a session.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "limits/sshd_config.h"
#include "support/temp_dir.h"

namespace idlewarden {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kFile = "/etc/ssh/sshd_config";

class SshdLimits : public ::testing::Test {
 protected:
  SshdConfig load(const std::string& content, const std::vector<std::string>& options = {}) {
    tree_.file(kFile, content);
    auto config = SshdConfig::load(Root(tree_.path()), kFile, options);
    EXPECT_TRUE(config) << config.error().text();
    return std::move(*config);
  }
  std::vector<LimitSource> limits(const std::string& content, Kind kind = Kind::ssh,
                                  const std::string& user = "alice") {
    SshdConnection connection;
    connection.user = user;
    return load(content).limits(connection, kind);
  }
  // Of the sources that say something.
  std::vector<Seconds> in_force(const std::string& content, Kind kind = Kind::ssh) {
    std::vector<Seconds> found;
    for (const LimitSource& source : limits(content, kind)) {
      if (source.limit) found.push_back(*source.limit);
    }
    return found;
  }

  test::TempDir tree_;
};

TEST_F(SshdLimits, OfTheUsualGuides) {
  EXPECT_THAT(in_force("ClientAliveInterval 30\nClientAliveCountMax 2\n"),
              ElementsAre(Seconds(60)));
  EXPECT_THAT(in_force("ClientAliveInterval 5m\nClientAliveCountMax 2\n"),
              ElementsAre(Seconds(600)));
  EXPECT_THAT(in_force("ClientAliveInterval 10m\nClientAliveCountMax 0\n"),
              ElementsAre(Seconds(600)));
}

TEST_F(SshdLimits, CarryTheirProvenance) {
  const auto sources =
      limits("# a comment\n\n  ClientAliveInterval 5m  # five\nclientalivecountmax=2\n");
  ASSERT_THAT(sources, SizeIs(2));
  EXPECT_EQ(sources[0].origin, Origin::sshd_config);
  EXPECT_EQ(sources[0].directive, "ClientAliveInterval");
  EXPECT_EQ(sources[0].where, (Where{kFile, 3, 3}));
  EXPECT_EQ(sources[0].text, "ClientAliveInterval 5m  # five");
  EXPECT_EQ(sources[0].limit, Seconds(600));
  EXPECT_EQ(sources[0].reason, "5m x 2");
  EXPECT_FALSE(sources[0].used);
  EXPECT_EQ(sources[1].directive, "ClientAliveCountMax");
  EXPECT_EQ(sources[1].limit, std::nullopt);
  EXPECT_EQ(sources[1].reason, "multiplies ClientAliveInterval of line 3");
}

}  // namespace
}  // namespace idlewarden
