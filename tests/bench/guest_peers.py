#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""In the guest: the same sessions under idlewarden and under each of its peers, and what became of
them. One JSON line for each session.

Every peer has an sshd of its own, or users of its own where it looks at the whole host; a session
is real: an ssh client on a pty of this script, which plays the person and the terminal. Its clock
starts with the last byte that this script sends."""
import contextlib
import copy
import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time

LIMIT = 20
MINUTE = 60  # autolog and the cron job know no shorter one
CLIENT = ["ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
          "LogLevel=ERROR", "-o", "KexAlgorithms=curve25519-sha256", "-i", "/root/key"]
POSITION, ANSWER = b"\x1b[6n", b"\x1b[24;1R"
print_lock = threading.Lock()
logins = threading.Semaphore(2)  # a key exchange takes the emulated processor seconds


def say(record):
    with print_lock:
        sys.stdout.write(json.dumps(record) + "\n")
        sys.stdout.flush()


class Client:
    """A program on a pty, and the person and the terminal at the other end of it."""

    def __init__(self, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm", LANG="C.UTF-8", PATH="/usr/sbin:/usr/bin:/sbin:/bin")
            os.execvp(argv[0], argv)
        self.seen, self.ended, self.last_input = b"", None, time.monotonic()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                break
            self.seen = (self.seen + data)[-65536:]
            if POSITION in data:
                with contextlib.suppress(OSError):
                    os.write(self.fd, ANSWER * data.count(POSITION))
        self.ended = time.monotonic()

    def end_with(self, pid):
        """The session is over when this process is."""
        stat = pathlib.Path(f"/proc/{pid}/stat")
        with contextlib.suppress(OSError):
            while stat.read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.05)
        self.ended = self.ended or time.monotonic()

    def wait_for(self, pattern, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.ended:
            if re.search(pattern, self.seen):
                return
            time.sleep(0.1)
        raise RuntimeError(f"no {pattern!r} in {self.seen[-300:]!r}")

    def type(self, data):
        self.seen = b""
        os.write(self.fd, data)
        self.last_input = time.monotonic()

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class Peer:
    def __init__(self, name, port, user="alice", limit=LIMIT, watch=None, config="",
                 one_user_a_case=False):
        self.name, self.port, self.user, self.limit = name, port, user, limit
        self.one_user_a_case = one_user_a_case
        self.watch = watch or 3 * limit
        self.config = config
        self.sshd = None

    def serve(self):
        file = pathlib.Path(f"/root/sshd_{self.port}")
        file.write_text(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey /root/host\n"
                        f"MaxStartups 100\nSubsystem sftp internal-sftp\n{self.config}")
        self.sshd = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", file], stderr=subprocess.DEVNULL)

    def of_case(self, case):
        """Itself, or for a user of the case's own."""
        one = copy.copy(self)
        if self.one_user_a_case:
            one.user += str(list(CASES).index(case))
        return one

    def target(self):
        return ["-p", str(self.port), f"{self.user}@127.0.0.1"]

    def login(self, *options):
        with logins:
            client = Client([*CLIENT, "-tt", *options, *self.target()])
            client.wait_for(rb"\$ $", 120)
        return client


def at_prompt(peer):
    client = peer.login()
    client.type(b"\r")
    return client


def running(command, shows=None):
    def start(peer):
        client = peer.login()
        client.type(command.encode() + b"\r")
        client.wait_for(shows or rb"\n", 60)
        return client
    return start


def in_sftp(peer):
    with logins:
        client = Client(["sftp", *CLIENT[1:], "-P", str(peer.port), f"{peer.user}@127.0.0.1"])
        client.wait_for(rb"sftp> ", 120)
    client.type(b"pwd\r")
    client.wait_for(rb"Remote working", 60)
    # sftp itself notices nothing before it wants something: its ssh does.
    children = pathlib.Path(f"/proc/{client.pid}/task/{client.pid}/children").read_text().split()
    threading.Thread(target=client.end_with, args=(int(children[0]),), daemon=True).start()
    return client


def tunnel(peer):
    with logins:
        client = Client([*CLIENT, "-v", "-N", *peer.target()])
        client.wait_for(rb"Entering interactive session|pledge", 120)
    client.last_input = time.monotonic()
    return client


def types(client, what):
    def go():
        while not client.ended:
            with contextlib.suppress(OSError):
                os.write(client.fd, what)
                client.last_input = time.monotonic()
            time.sleep(3)
    threading.Thread(target=go, daemon=True).start()


def mux(peer):
    socket = f"/root/mux-{peer.port}-{peer.name.replace(' ', '-')}"
    busy = peer.login("-M", "-S", socket)
    types(busy, b"\r")
    idle = peer.login("-S", socket)
    idle.type(b"\r")
    idle.other = busy
    return idle


def person_typing(peer):
    client = peer.login()
    types(client, b"x")
    return client


# What has to happen to it, and how it begins.
CASES = {
    "idle at the prompt": ("end", at_prompt),
    "in vim": ("end", running("vim.tiny", rb"~")),
    "in top": ("end", running("top -d 2", rb"PID")),
    "a loop that prints": ("end", running("while :; do date; sleep 1; done", rb"20\d\d")),
    "sftp, idle": ("end", in_sftp),
    "ssh -N": ("end", tunnel),
    "the idle one of two on a ControlMaster": ("end", mux),
    "in tmux": ("end", running("tmux -L $$ -f /dev/null new", rb"\[\d+\]|0:bash")),
    "touches its terminal": ("end", running("while sleep 3; do touch -a $(tty); done & echo go",
                                            rb"go")),
    "asks where the cursor is": ("end", running(
        r"stty -echo; while :; do printf '\033[6n'; sleep 1; done", rb"6n|\x1b\[6n")),
    "types a long line, no Enter": ("live", person_typing),
}


def observe(peer, name):
    fate, start = CASES[name]
    record = {"peer": peer.name, "case": name, "limit": peer.limit, "must": fate,
              "watched": peer.watch}
    client = None
    try:
        client = start(peer.of_case(name))
        until = time.monotonic() + peer.watch
        while time.monotonic() < until and not client.ended:
            time.sleep(0.05)
        record["ended_after"] = round(client.ended - client.last_input, 2) if client.ended else None
        if hasattr(client, "other"):
            record["other_ended"] = client.other.ended is not None
            client.other.close()
    except Exception as error:  # a cell without an observation says so
        record["error"] = repr(error)
    if client:
        client.close()
    say(record)


def idlewarden(peer):
    policy = pathlib.Path("/root/policy.toml")
    policy.write_text(f'mode = "enforce"\nwarn = "5s"\n[[rule]]\nname = "all"\nlimit = "{LIMIT}s"\n')
    log = open("/root/idlewarden.log", "w")
    process = subprocess.Popen(
        ["/idlewarden/idlewarden", "run", "--config", policy, "--socket", "/run/iw.sock",
         "--pin-dir", "none", "--state-dir", "none", "--metrics-listen", "none",
         "--events-file", "/root/events", "--only-host-pid", str(peer.sshd.pid)],
        stdout=log, stderr=log)
    for _ in range(600):
        if subprocess.run(["/idlewarden/idlewarden", "sessions", "--socket", "/run/iw.sock"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            return process
        time.sleep(0.1)
    raise RuntimeError(pathlib.Path("/root/idlewarden.log").read_text())


def logind(_):
    folder = pathlib.Path("/etc/systemd/logind.conf.d")
    folder.mkdir(exist_ok=True)
    (folder / "idle.conf").write_text(f"[Login]\nStopIdleSessionSec={LIMIT}s\n")
    subprocess.run(["systemctl", "restart", "systemd-logind"], check=True)


def autolog(peer):
    """Of all terminals of a user it knows the least idle one."""
    pathlib.Path("/etc/autolog.conf").write_text(
        f"name=root idle=-1\nname={peer.user}.* idle=1 grace=10 nomail warn\nnolostkill\n")
    os.makedirs("/var/lib/autolog", exist_ok=True)
    # -d: in the foreground, and it says what it does.
    return subprocess.Popen(["/idlewarden/autolog", "-d"], stdin=subprocess.DEVNULL,
                            stdout=open("/root/autolog.log", "w"), stderr=subprocess.STDOUT)


def cron(peer):
    """Every minute, whoever has no "." in the idle column of `who -u`."""
    job = (f"who -u | awk '$1 == \"{peer.user}\" && $5 != \".\" {{ print $2 }}' | "
           "while read tty; do pkill -KILL -t $tty; done")

    def go():
        while True:
            time.sleep(60)
            subprocess.run(job, shell=True, stderr=subprocess.DEVNULL)
    threading.Thread(target=go, daemon=True).start()


UTMP = "UsePAM no\n"
PEERS = {
    "idlewarden": (Peer("idlewarden", 2201, config=UTMP), idlewarden),
    "logind": (Peer("logind", 2202, config="UsePAM yes\n", user="dora"), logind),
    "ChannelTimeout": (Peer("ChannelTimeout", 2203,
                            config=UTMP + f"ChannelTimeout session:*={LIMIT}s\n"), None),
    "TMOUT": (Peer("TMOUT", 2204, config=UTMP + f"SetEnv TMOUT={LIMIT}\n"), None),
    "ClientAlive": (Peer("ClientAlive", 2205, config=UTMP +
                         f"ClientAliveInterval {LIMIT // 2}\nClientAliveCountMax 2\n"), None),
    "autolog": (Peer("autolog", 2206, user="bob", limit=MINUTE, watch=480, config=UTMP,
                     one_user_a_case=True), autolog),
    "cron": (Peer("cron", 2207, user="carol", limit=MINUTE, watch=240, config=UTMP), cron),
}


def prepare():
    subprocess.run(["ldconfig"], check=True)
    for key in ("key", "host"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"/root/{key}"],
                       check=True)
    os.makedirs("/run/sshd", exist_ok=True)
    for user in ("alice", "carol", "dora", *(f"bob{i}" for i in range(len(CASES)))):
        subprocess.run(["useradd", "-m", "-s", "/bin/bash", "-p", "*", user],
                       stderr=subprocess.DEVNULL)
        folder = pathlib.Path(f"/home/{user}/.ssh")
        folder.mkdir(exist_ok=True)
        (folder / "authorized_keys").write_text(pathlib.Path("/root/key.pub").read_text())
        subprocess.run(["chown", "-R", f"{user}:", f"/home/{user}"], check=True)


def main():
    wanted = pathlib.Path("/idlewarden/wanted").read_text().split()
    prepare()
    threads = []
    for name in wanted:
        peer, start = PEERS[name]
        peer.serve()
        time.sleep(0.5)
        if start:
            start(peer)
        threads += [threading.Thread(target=observe, args=(peer, case)) for case in CASES]
    for thread in threads:
        thread.start()
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    log = pathlib.Path("/root/autolog.log")
    say({"autolog": log.read_text(errors="replace").splitlines()[-40:] if log.exists() else []})
    say({"events": pathlib.Path("/root/events").read_text().splitlines()[-200:]
         if os.path.exists("/root/events") else []})
    return 0


try:
    status = main()
finally:
    sys.stdout.flush()
os._exit(status)
