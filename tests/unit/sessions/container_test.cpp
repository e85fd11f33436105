// SPDX-License-Identifier: Apache-2.0
#include "sessions/container.h"

#include <gtest/gtest.h>

#include "made_proc.h"

namespace idlewarden {
namespace {

using test::MadeProc;

constexpr pid_t kProcess = 5'000'010;
const std::string kId = "4f2ab8c01d3e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8";
const std::string kShort = "4f2ab8c01d3e";

TEST(ContainerName, OfEveryManager) {
  EXPECT_EQ(container_name("/system.slice/docker-" + kId + ".scope"), kShort);
  EXPECT_EQ(container_name("/docker/" + kId), kShort);
  EXPECT_EQ(container_name("/docker/" + kId + "/system.slice/ssh.service"), kShort);
  EXPECT_EQ(container_name("/machine.slice/libpod-" + kId + ".scope/container"), kShort);
  EXPECT_EQ(container_name("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" +
                           kId + ".scope"),
            kShort);
  EXPECT_EQ(container_name("/kubepods.slice/kubepods-burstable.slice/"
                           "kubepods-burstable-pod8d5c.slice/cri-containerd-" +
                           kId + ".scope"),
            kShort);
  EXPECT_EQ(container_name("/kubepods/besteffort/pod8d5c/" + kId), kShort);
  EXPECT_EQ(container_name("/kubepods.slice/kubepods-pod1.slice/crio-" + kId + ".scope"), kShort);
  EXPECT_EQ(container_name("/lxc.payload.web/system.slice/ssh.service"), "web");
  EXPECT_EQ(container_name("/lxc/web/init.scope"), "web");
  EXPECT_EQ(container_name("/machine.slice/systemd-nspawn@web\\x2d1.service/payload"), "web-1");
  EXPECT_EQ(container_name("/machine.slice/machine-web.scope/payload/user.slice/session-3.scope"),
            "web");
}

TEST(ContainerName, TheInnermostOfNestedOnes) {
  EXPECT_EQ(container_name("/lxc.payload.outer/system.slice/docker-" + kId + ".scope"), kShort);
}

TEST(ContainerName, NoneOnTheHost) {
  for (const char* path :
       {"/", "", "/user.slice/user-1000.slice/session-3.scope", "/system.slice/docker.service",
        "/system.slice/machine-.scope", "/machine.slice", "/lxc.payload.", "/init.scope"}) {
    EXPECT_EQ(container_name(path), "") << path;
  }
}

struct ContainerOf : testing::Test {
  ContainerOf() {
    proc.add({.pid = kProcess});
    proc.link(::getpid(), "ns/pid", "pid:[1]");
    proc.link(kProcess, "ns/pid", "pid:[2]");
  }
  std::string of_cgroup(const std::string& text) {
    proc.file(kProcess, "cgroup", text);
    return container_of(proc.procfs(), kProcess);
  }
  MadeProc proc;
};

TEST_F(ContainerOf, TheNameElseThePathElseTheNamespace) {
  EXPECT_EQ(of_cgroup("0::/lxc.payload.web\n"), "web");
  EXPECT_EQ(of_cgroup("0::/user.slice/user-0.slice/session-4.scope\n"),
            "/user.slice/user-0.slice/session-4.scope");
  EXPECT_EQ(of_cgroup("0::/\n"), "pid:[2]");
}

TEST_F(ContainerOf, OnHostsWithTheFirstHierarchies) {
  EXPECT_EQ(of_cgroup("12:cpu:/x\n1:name=systemd:/lxc/web\n0::/\n"), "web");
  EXPECT_EQ(of_cgroup("12:cpu:/lxc/no\n1:name=systemd:/lxc/web:1\n"), "web:1");
}

TEST_F(ContainerOf, NoneInOurPidNamespaceWhateverTheCgroupSays) {
  proc.link(kProcess, "ns/pid", "pid:[1]");
  EXPECT_EQ(of_cgroup("0::/lxc.payload.web\n"), "");
}

TEST_F(ContainerOf, RootOfAnotherUserNamespaceIsNotRoot) {
  proc.link(::getpid(), "ns/user", "user:[1]");
  EXPECT_FALSE(shares_user_namespace(proc.procfs(), kProcess));
  proc.link(kProcess, "ns/user", "user:[2]");
  EXPECT_FALSE(shares_user_namespace(proc.procfs(), kProcess));
  proc.link(kProcess, "ns/user", "user:[1]");
  EXPECT_TRUE(shares_user_namespace(proc.procfs(), kProcess));
}

}  // namespace
}  // namespace idlewarden
