# SPDX-License-Identifier: Apache-2.0
"""The daemon's CPU time and memory while nothing happens, with a number of sessions to look after.

The sessions are ptys with a sleeping leader, held by a program that the policy calls a host; the
daemon looks at that one's alone, in audit mode, with a limit far away."""
import contextlib
import json
import os
import pathlib
import resource
import subprocess
import tempfile
import time

POLICY = """mode = "audit"
[sessions]
hosts = ["{host}"]
[[rule]]
name = "bench"
limit = "1h"
"""
START_TIMEOUT = 60
SETTLE = 5


@contextlib.contextmanager
def running(command, **options):
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def cpu_seconds(pid):
    """schedstat(1) counts nanoseconds where utime and stime count ticks."""
    return sum(int(path.read_text().split()[0])
               for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def memory_kb(pid):
    wanted = ("Rss:", "Pss:", "Private_Dirty:")
    rows = (line.split() for line in
            pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines())
    return {row[0].rstrip(":").lower(): int(row[1]) for row in rows if row[0] in wanted}


def sessions_seen(binary, socket):
    done = subprocess.run([binary, "sessions", "--socket", socket, "--json"],
                          capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else {"sessions": []}


def wait_for_sessions(binary, socket, count, daemon, log):
    until = time.monotonic() + START_TIMEOUT
    while time.monotonic() < until:
        seen = sessions_seen(binary, socket)
        if len(seen["sessions"]) == count:
            return seen
        if daemon.poll() is not None:
            break
        time.sleep(0.5)
    raise SystemExit(f"bench: the daemon does not see {count} sessions (status "
                     f"{daemon.poll()}):\n{log.read_text()}")


def one(build, count, seconds, backend):
    host_program, binary = build / "tests/bench/bench.host", build / "idlewarden"
    with tempfile.TemporaryDirectory(prefix="idlewarden-bench.") as directory:
        place = pathlib.Path(directory)
        policy, log, socket = place / "policy.toml", place / "log", place / "socket"
        policy.write_text(POLICY.format(host=host_program))
        with running([host_program, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                     text=True) as host, open(log, "w") as output:
            if host.stdout.readline() != "ready\n":
                raise SystemExit("bench: the host program did not start")
            command = [binary, "run", "--config", policy, "--socket", socket, "--pin-dir", "none",
                       "--state-dir", "none", "--metrics-listen", "none", "--backend", backend,
                       "--only-host-pid", str(host.pid)]
            with running(command, stdout=output, stderr=output) as daemon:
                seen = wait_for_sessions(binary, socket, count, daemon, log)
                time.sleep(SETTLE)
                before, started = cpu_seconds(daemon.pid), time.monotonic()
                time.sleep(seconds)
                used, lasted = cpu_seconds(daemon.pid) - before, time.monotonic() - started
                return {"sessions": count, "backend": seen["backend"], "seconds": round(lasted, 1),
                        "cpu_seconds": round(used, 4), "cpu_percent": round(100 * used / lasted, 3),
                        "memory_kb": memory_kb(daemon.pid)}


def measure(build, counts, seconds, backend):
    # Two descriptors a pty, and the host holds them all.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    processes = sum(name.isdigit() for name in os.listdir("/proc"))
    print(f"The daemon over {seconds} idle seconds, {processes} other processes on this machine")
    rows = []
    for count in counts:
        row = one(build, count, seconds, backend)
        rows.append(row)
        print(f"  {row['sessions']:4} sessions ({row['backend']}): {row['cpu_seconds']:.3f} s of CPU "
              f"({row['cpu_percent']:.3f} % of a core), RSS {row['memory_kb']['rss'] / 1024:.1f} MiB "
              f"({row['memory_kb']['private_dirty'] / 1024:.1f} MiB of its own)", flush=True)
    return {"other_processes": processes, "rows": rows}
