// SPDX-License-Identifier: Apache-2.0
#include "report/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

namespace idlewarden {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Memory {
  double all = 0;
  double resident = 0;
};

// proc_pid_statm(5): the first two numbers, in pages.
std::optional<Memory> memory_bytes(const std::string& statm) {
  std::ifstream in(statm);
  Memory pages;
  if (!(in >> pages.all >> pages.resident)) return std::nullopt;
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  return Memory{.all = pages.all * page, .resident = pages.resident * page};
}

std::optional<double> max_fds() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  return static_cast<double>(limit.rlim_cur);
}

std::optional<double> open_fds(const std::string& folder) {
  std::error_code error;
  double n = 0;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    ++n;
  }
  if (error) return std::nullopt;
  return n - 1;  // the one that reads the folder
}

}  // namespace

std::vector<MetricFamily> process_metrics(WallTime wall, BootTime now, const Procfs& procfs) {
  std::vector<MetricFamily> out;
  const auto add = [&](std::string name, std::string help, MetricType type, double value) {
    prometheus::ClientMetric metric;
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    out.push_back({std::move(name), std::move(help), type, {std::move(metric)}});
  };
  const pid_t self = ::getpid();
  add("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
      MetricType::Counter, cpu_seconds());
  if (const auto bytes = memory_bytes(procfs.path(self, "statm"))) {
    add("process_resident_memory_bytes", "Resident memory size in bytes.", MetricType::Gauge,
        bytes->resident);
    add("process_virtual_memory_bytes", "Virtual memory size in bytes.", MetricType::Gauge,
        bytes->all);
  }
  if (const auto fds = open_fds(procfs.path(self, "fd"))) {
    add("process_open_fds", "Number of open file descriptors.", MetricType::Gauge, *fds);
  }
  if (const auto most = max_fds()) {
    add("process_max_fds", "Maximum number of open file descriptors.", MetricType::Gauge, *most);
  }
  if (const auto stat = procfs.stat(self)) {
    const double booted = std::chrono::duration<double>(wall.time_since_epoch()).count() -
                          to_seconds(now.time_since_epoch());
    add("process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
        MetricType::Gauge,
        booted +
            static_cast<double>(stat->start_ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK)));
  }
  return out;
}

}  // namespace idlewarden
