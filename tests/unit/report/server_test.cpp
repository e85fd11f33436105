// SPDX-License-Identifier: Apache-2.0
// The metrics listener, with real sockets and clients that mean no good.
#include "report/server.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "report/front_door.h"
#include "samples.h"
#include "sockets.h"

namespace idlewarden {
namespace {

using namespace std::chrono_literals;
using test::connect_tcp;
using test::get;
using test::is_closed;
using test::read_all;
using test::send_all;
using test::since;
using test::TestClock;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Result<Snapshot> small() {
  return test::small_snapshot();
}

Reporter& reporter() {
  static const auto opened = Reporter::open({}).value();
  return *opened;
}

std::unique_ptr<Server> serve(SnapshotProvider provider = small) {
  auto server = serve_metrics("127.0.0.1:0", std::move(provider), reporter());
  EXPECT_TRUE(server.has_value()) << server.error().text();
  return std::move(*server);
}

int threads_of_this_process() {
  int n = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    ++n;
  }
  return n;
}

TEST(MetricsServer, AnswersItsThreePaths) {
  const auto server = serve();
  EXPECT_THAT(server->address(), StartsWith("127.0.0.1:"));
  EXPECT_THAT(server->address(), Not(EndsWith(":0")));
  const std::string metrics = get(connect_tcp(server->address()), "/metrics");
  EXPECT_THAT(metrics, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(metrics, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(metrics, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(metrics, HasSubstr("\nidlewarden_sessions_overdue 1\n"));
  EXPECT_THAT(get(connect_tcp(server->address()), "/healthz"), EndsWith("\r\n\r\nok\n"));
  EXPECT_THAT(get(connect_tcp(server->address()), "/"), HasSubstr("/metrics"));
}

TEST(MetricsServer, HasNothingElse) {
  const auto server = serve();
  for (const char* target : {"/v1/sessions", "/v1/events", "/../etc/passwd", "//", "*"}) {
    EXPECT_THAT(get(connect_tcp(server->address()), target), StartsWith("HTTP/1.1 404 "));
  }
  const auto post = connect_tcp(server->address());
  send_all(post, "POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(read_all(post, 5s), Not(HasSubstr("idlewarden_")));
}

TEST(MetricsServer, ListensOnIpv6) {
  const auto server = serve_metrics("[::1]:0", small, reporter());
  if (!server && server.error().code == EADDRNOTAVAIL) {
    GTEST_SKIP() << "this machine has no IPv6 loopback: " << server.error().text();
  }
  ASSERT_TRUE(server.has_value()) << server.error().text();
  EXPECT_THAT((*server)->address(), StartsWith("[::1]:"));
}

TEST(MetricsServer, SaysWhatIsWrongWithAnAddress) {
  for (const char* bad : {"", "9477", ":9477", "localhost:9477", "127.0.0.1", "127.0.0.1:",
                          "127.0.0.1:65536", "127.0.0.1:-1", "::1:9477", "[::1]", "127.0.0.1:x"}) {
    const auto server = serve_metrics(bad, small, reporter());
    ASSERT_FALSE(server.has_value()) << bad;
    EXPECT_EQ(server.error().code, 0) << bad;
    EXPECT_THAT(server.error().text(), HasSubstr("write 127.0.0.1:9477, [::1]:9477 or none"));
  }
}

TEST(MetricsServer, SaysThatAPortIsTaken) {
  const auto first = serve();
  const auto second = serve_metrics(first->address(), small, reporter());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, EADDRINUSE);
  const std::string port = first->address().substr(first->address().rfind(':') + 1);
  EXPECT_THAT(second.error().text(), HasSubstr("port " + port + " of 127.0.0.1 is in use"));
  EXPECT_THAT(second.error().text(), HasSubstr("--metrics-listen"));
}

TEST(MetricsServer, TakesItsPortAgainAtOnce) {
  auto server = serve();
  const std::string address = server->address();
  get(connect_tcp(address), "/metrics");
  server.reset();
  EXPECT_TRUE(serve_metrics(address, small, reporter()).has_value());
}

TEST(MetricsServer, SilentClientsDoNotDelayAScrape) {
  const auto server = serve();
  const int threads = threads_of_this_process();
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 64; ++i) silent.push_back(connect_tcp(server->address()));
  const auto start = TestClock::now();
  EXPECT_THAT(get(connect_tcp(server->address()), "/metrics"), HasSubstr("200 OK"));
  EXPECT_LT(since(start), 1500ms);
  EXPECT_LE(threads_of_this_process(), threads + 1);  // the silent ones cost none
  std::this_thread::sleep_for(FrontDoor::kHeadTimeout + 300ms);
  for (const UniqueFd& client : silent) EXPECT_TRUE(is_closed(client));
}

TEST(MetricsServer, AByteAtATimeGetsNobodyMoreThanASecond) {
  const auto server = serve();
  std::vector<UniqueFd> slow;
  for (int i = 0; i < 40; ++i) slow.push_back(connect_tcp(server->address()));
  const std::string request = "GET /metrics HTTP/1.1\r\n";
  const auto start = TestClock::now();
  for (const char c : request) {
    for (const UniqueFd& client : slow) {
      ::send(client.get(), &c, 1, MSG_NOSIGNAL | MSG_DONTWAIT);  // an error when it was dropped
    }
    if (since(start) > 1600ms) break;
    std::this_thread::sleep_for(200ms);
  }
  for (const UniqueFd& client : slow) EXPECT_TRUE(is_closed(client));
  EXPECT_THAT(get(connect_tcp(server->address()), "/metrics"), HasSubstr("200 OK"));
}

TEST(MetricsServer, ARequestMayComeInPieces) {
  const auto server = serve();
  const auto client = connect_tcp(server->address());
  for (const char* piece : {"GE", "T /healthz HT", "TP/1.1\r\nHost: x\r", "\n\r", "\n"}) {
    ASSERT_TRUE(send_all(client, piece));
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_THAT(read_all(client, 5s), EndsWith("ok\n"));
}

TEST(MetricsServer, RefusesAHugeHead) {
  const auto server = serve();
  for (const std::string& head :
       {"GET /" + std::string(1 << 20, 'a'), "GET / HTTP/1.1\r\nX: " + std::string(1 << 20, 'b'),
        std::string(1 << 20, '\n')}) {
    const auto client = connect_tcp(server->address());
    send_all(client, head);
    EXPECT_THAT(read_all(client, 5s), Not(HasSubstr("200 OK")));
    EXPECT_TRUE(is_closed(client));
  }
  EXPECT_THAT(get(connect_tcp(server->address()), "/metrics"), HasSubstr("200 OK"));
}

TEST(MetricsServer, SurvivesNonsense) {
  const auto server = serve();
  const std::string long_ranges = [] {
    std::string out = "bytes=0-";
    while (out.size() < 7000) out += ",0-";
    return out;
  }();
  for (const std::string& request :
       {std::string("\r\n\r\n"), std::string("GET\r\n\r\n"), std::string("\0\0\0\r\n\r\n", 7),
        std::string("GET /%zz%00%ff?%=&&=&a HTTP/1.1\r\n\r\n"),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
        std::string("GET /") + std::string(8000, '/') + " HTTP/1.1\r\n\r\n",
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15)}) {
    const auto client = connect_tcp(server->address());
    send_all(client, request);
    EXPECT_THAT(read_all(client, 5s), Not(HasSubstr("200 OK"))) << request;
  }
  // Many ranges of the same body are one body.
  const auto client = connect_tcp(server->address());
  send_all(client, "GET /metrics HTTP/1.1\r\nRange: " + long_ranges + "\r\n\r\n");
  EXPECT_LT(read_all(client, 5s).size(), 200000U);
  EXPECT_THAT(get(connect_tcp(server->address()), "/metrics"), HasSubstr("200 OK"));
}

TEST(MetricsServer, AnswersManyAtOnce) {
  const auto server = serve();
  std::atomic<int> answered = 0;
  {
    std::vector<std::jthread> scrapers;
    for (int i = 0; i < 8; ++i) {
      scrapers.emplace_back([&] {
        for (int n = 0; n < 25; ++n) {
          const std::string text = get(connect_tcp(server->address()), "/metrics");
          if (text.ends_with("\n") && text.find("process_start_time_seconds") != text.npos) {
            ++answered;
          }
        }
      });
    }
  }
  EXPECT_EQ(answered, 200);
}

TEST(MetricsServer, RefusesWhatIsBeyondTheCapWhileAllAreBeingAnswered) {
  std::atomic<bool> go_on = false;
  const auto server = serve([&]() -> Result<Snapshot> {
    while (!go_on) std::this_thread::sleep_for(5ms);
    return test::small_snapshot();
  });
  std::vector<UniqueFd> clients;
  for (std::size_t i = 0; i < FrontDoor::kMaxConnections; ++i) {
    clients.push_back(connect_tcp(server->address()));
    send_all(clients.back(), "GET /metrics HTTP/1.1\r\n\r\n");
  }
  std::this_thread::sleep_for(300ms);
  EXPECT_THAT(read_all(connect_tcp(server->address()), 2s), HasSubstr("503"));
  go_on = true;
  for (const UniqueFd& client : clients) EXPECT_THAT(read_all(client, 5s), HasSubstr("200 OK"));
}

// Never reads, and with small segments and a small buffer, so that the server's is small, too.
UniqueFd connect_deaf(const std::string& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int least = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
  const int small_segment = 536;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_MAXSEG, &small_segment, sizeof small_segment);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  return fd;
}

TEST(MetricsServer, ClientsThatDoNotReadKeepNobodyOut) {
  Snapshot big = test::empty_snapshot();
  big.per_session_metrics = true;
  for (int i = 0; i < 1000; ++i) big.sessions.push_back(test::row_of(big, {.leader = i + 1}));
  std::atomic<std::size_t> asked = 0;
  const auto server = serve([&]() -> Result<Snapshot> {
    return ++asked <= FrontDoor::kMaxConnections ? big : test::small_snapshot();
  });
  std::vector<UniqueFd> deaf;
  for (std::size_t i = 0; i < FrontDoor::kMaxConnections; ++i) {
    deaf.push_back(connect_deaf(server->address()));
    send_all(deaf.back(), "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  while (asked < FrontDoor::kMaxConnections) std::this_thread::sleep_for(5ms);
  EXPECT_THAT(get(connect_tcp(server->address()), "/healthz"), HasSubstr("503"))
      << "the answers fit into the buffers, so nothing is proven";
  const auto start = TestClock::now();
  std::string answer;
  while (answer.find("200 OK") == std::string::npos && since(start) < 10s) {
    std::this_thread::sleep_for(50ms);
    answer = get(connect_tcp(server->address()), "/healthz");
  }
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_LT(since(start), 3s);
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(get(connect_tcp(server->address()), "/healthz"), HasSubstr("200 OK"));
  }
}

TEST(MetricsServer, TurnsAProvidersErrorInto503) {
  const auto server = serve(
      []() -> Result<Snapshot> { return fail("the daemon's loop did not answer within 2 s"); });
  for (const char* target : {"/metrics", "/healthz"}) {
    const std::string answer = get(connect_tcp(server->address()), target);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(answer, EndsWith("the daemon's loop did not answer within 2 s\n"));
  }
}

TEST(MetricsServer, TurnsAnExceptionInto500) {
  const auto server = serve([]() -> Result<Snapshot> { throw std::bad_alloc(); });
  EXPECT_THAT(get(connect_tcp(server->address()), "/metrics"), StartsWith("HTTP/1.1 500 "));
}

TEST(MetricsServer, AClientThatGoesAwayCostsNothing) {
  Snapshot big = test::empty_snapshot();
  big.per_session_metrics = true;
  for (int i = 0; i < 1000; ++i) big.sessions.push_back(test::row_of(big, {.leader = i + 1}));
  const auto server = serve([&]() -> Result<Snapshot> { return big; });
  ::signal(SIGPIPE, SIG_DFL);  // the library has it ignored; nothing may depend on that
  for (int i = 0; i < 20; ++i) {
    const auto client = connect_tcp(server->address());
    const linger abort{1, 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    send_all(client, "GET /metrics HTTP/1.1\r\n\r\n");
  }
  EXPECT_THAT(get(connect_tcp(server->address()), "/metrics"), HasSubstr("200 OK"));
}

TEST(MetricsServer, StopsAtOnceWithClientsOfEveryKind) {
  auto server = serve();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(connect_tcp(server->address()));
  for (int i = 0; i < 5; ++i) send_all(clients[static_cast<std::size_t>(i)], "GET /metr");
  std::this_thread::sleep_for(50ms);
  const auto start = TestClock::now();
  server.reset();
  EXPECT_LT(since(start), 500ms);
}

TEST(MetricsServer, StopsWhileAClientDoesNotRead) {
  Snapshot big = test::empty_snapshot();
  big.per_session_metrics = true;
  for (int i = 0; i < 1000; ++i) big.sessions.push_back(test::row_of(big, {.leader = i + 1}));
  auto server = serve([&]() -> Result<Snapshot> { return big; });
  // Many requests on many connections, none of which is read; the socket buffers take what they
  // can.
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(connect_tcp(server->address()));
    const int tiny = 1;
    ::setsockopt(clients.back().get(), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny);
    send_all(clients.back(), "GET /metrics HTTP/1.1\r\n\r\n");
  }
  std::this_thread::sleep_for(300ms);
  const auto start = TestClock::now();
  server.reset();
  EXPECT_LT(since(start), 2s);
}

}  // namespace
}  // namespace idlewarden
