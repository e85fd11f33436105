# SPDX-License-Identifier: Apache-2.0
"""Thousands of sessions on this machine (host.cpp), and a daemon that watches them and no others.

To be used in a mount namespace of its own (scripts/bench makes one): the users that the sessions
belong to are added to what it sees as /etc/passwd."""
import contextlib
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import time

PTY_MAX = pathlib.Path("/proc/sys/kernel/pty/max")
FIRST_UID = 60000
START_TIMEOUT = 300
SSHD_CONFIG = "ClientAliveInterval 5m\nClientAliveCountMax 6\nMatch User u7*\n  ClientAliveInterval 4m\n"


@contextlib.contextmanager
def running(command, **options):
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def room_for_ptys(count):
    """kernel.pty.max, put back afterwards."""
    before = int(PTY_MAX.read_text())
    wanted = count + 2048  # 1024 of them are for the initial devpts mount alone
    if before >= wanted:
        yield
        return
    PTY_MAX.write_text(str(wanted))
    try:
        yield
    finally:
        PTY_MAX.write_text(str(before))


@contextlib.contextmanager
def accounts(place, users):
    """The users of the sessions, u0, u1, ..., each in a group of its own and in one of ten."""
    numbers = range(users)
    extra = {
        "passwd": [f"u{i}:x:{FIRST_UID + i}:{FIRST_UID + i}::/home/u{i}:/bin/bash" for i in numbers],
        "group": [f"u{i}:x:{FIRST_UID + i}:" for i in numbers] +
                 [f"team{t}:x:{59000 + t}:" + ",".join(f"u{i}" for i in numbers if i % 10 == t)
                  for t in range(10)],
    }
    with contextlib.ExitStack() as undo:
        for name, lines in extra.items():
            real, made = f"/etc/{name}", place / name
            made.write_text(pathlib.Path(real).read_text() + "\n".join(lines) + "\n")
            subprocess.run(["mount", "--bind", made, real], check=True)
            undo.callback(subprocess.run, ["umount", real], check=True)
        yield


class Hosts:
    """bench.host, spoken to."""

    def __init__(self, process):
        self.process = process
        self.listener = int(self.answer().removeprefix("ready "))

    def answer(self):
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit("bench: bench.host went away (above)")
        return line

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return int(self.answer())

    def ends(self, spread):
        """[(number of the session, when it was typed in, when it was gone)], in ns."""
        self.process.stdin.write(f"ends {spread}\n")
        self.process.stdin.flush()
        rows = []
        while (line := self.answer()) != "done":
            rows.append(tuple(int(word) for word in line.split()))
        return rows


class Daemon:
    """idlewarden run over the sessions of one Hosts."""

    def __init__(self, process, place, begun):
        self.process, self.place, self.begun = process, place, begun
        self.ready_seconds = time.monotonic() - begun
        self.pid = process.pid

    def listed(self):
        text, _ = self.get("/metrics")
        return sum(int(float(value)) for value in
                   re.findall(r"^idlewarden_sessions\{.*\} (\S+)$", text, re.M))

    def wait_for_all(self, count):
        """The seconds from its start until it shows them all."""
        until = time.monotonic() + START_TIMEOUT
        while time.monotonic() < until:
            listed = self.listed()
            if listed == count:
                return time.monotonic() - self.begun
            time.sleep(0.1)
        raise SystemExit(f"bench: {listed} of {count} sessions are seen:\n"
                         f"{(self.place / 'log').read_text()[-2000:]}")

    def events(self):
        path = self.place / "events"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def get(self, path):
        """A request of the daemon's own HTTP: the answer, and the seconds until its last byte."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            begun = time.monotonic()
            client.connect(str(self.place / "socket"))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while data := client.recv(1 << 20):
                answer += data
            took = time.monotonic() - begun
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"bench: GET {path}: {head[:200]!r}")
        return body.decode(), took

    def cpu_seconds(self):
        """schedstat counts nanoseconds where utime and stime count ticks."""
        return sum(int(path.read_text().split()[0])
                   for path in pathlib.Path(f"/proc/{self.pid}/task").glob("*/schedstat")) / 1e9

    def wakeups(self):
        return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", path.read_text(), re.M)[1])
                   for path in pathlib.Path(f"/proc/{self.pid}/task").glob("*/status"))

    def memory_kb(self):
        wanted = ("Rss:", "Pss:", "Private_Dirty:")
        rows = (line.split() for line in
                pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines())
        memory = {row[0].rstrip(":").lower(): int(row[1]) for row in rows if row[0] in wanted}
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        memory["peak"] = int(re.search(r"^VmHWM:\s+(\d+)", status, re.M)[1])
        return memory


def wait_until_ready(process, notify, place):
    until = time.monotonic() + START_TIMEOUT
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(TimeoutError):
            if b"READY=1" in notify.recv(4096):
                return
    raise SystemExit(f"bench: the daemon did not start:\n{(place / 'log').read_text()[-2000:]}")


@contextlib.contextmanager
def daemon(build, place, hosts, policy, backend):
    """Yields once the daemon is ready."""
    (place / "policy.toml").write_text(policy)
    command = [build / "idlewarden", "run", "--config", place / "policy.toml",
               "--socket", place / "socket", "--pin-dir", "none", "--state-dir", place / "state",
               "--events-file", place / "events", "--metrics-listen", "none",
               "--backend", backend, "--only-host-pid", str(hosts.listener)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, \
            open(place / "log", "w") as log:
        notify.bind(str(place / "notify"))
        notify.settimeout(1)
        begun = time.monotonic()
        with running(command, stdout=log, stderr=log,
                     env={"NOTIFY_SOCKET": str(place / "notify")}) as process:
            wait_until_ready(process, notify, place)
            yield Daemon(process, place, begun)


@contextlib.contextmanager
def sessions(build, count, policy, backend):
    """`count` sessions of a quarter as many users, and a daemon that watches them."""
    users = max(1, count // 4)
    programs = build / "tests/bench"
    with tempfile.TemporaryDirectory(prefix="idlewarden-bench.") as directory, \
            contextlib.ExitStack() as stack:
        place = pathlib.Path(directory)
        (place / "sshd_config").write_text(SSHD_CONFIG)
        (place / "state").mkdir()
        stack.enter_context(accounts(place, users))
        stack.enter_context(room_for_ptys(count))
        host = stack.enter_context(running(
            [programs / "bench.host", place / "sshd_config", programs / "bench.leader", str(count),
             str(users)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        hosts = Hosts(host)
        watched = stack.enter_context(daemon(
            build, place, hosts, policy.format(host=programs / "bench.host"), backend))
        yield hosts, watched
