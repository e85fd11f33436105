# SPDX-License-Identifier: Apache-2.0
"""What one check of the cron job costs that people write instead: `who -u` or `w`, the idle column,
pkill. The sessions are real (bench.host); a utmp of their own names them."""
import resource
import struct
import subprocess
import tempfile
import pathlib
import time

import sessions as made

POLICY = """mode = "audit"
[sessions]
hosts = ["{host}"]
"""
# utmp(5): type, pid, line, id, user, host, exit, session, time, address, unused.
RECORD = struct.Struct("<hxxi32s4s32s256shhiii4i20x")
USER_PROCESS = 7
WAYS = {"who -u": "who -u | awk '$5 != \".\" { print $2 }'",
        "w": "w -h -s | awk '{ print $2, $4 }'"}


def utmp(place, ttys):
    path = place / "utmp"
    now = int(time.time())
    path.write_bytes(b"".join(
        RECORD.pack(USER_PROCESS, pid, tty.encode(), tty[-4:].encode(), user.encode(), b"127.0.0.1",
                    0, 0, 0, now, 0, 0, 0, 0, 0) for tty, pid, user in ttys))
    return path


def one(command, rounds):
    used = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        lines = subprocess.run(command, shell=True, stdout=subprocess.PIPE, check=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(used), len(lines.splitlines())


def measure(build, count, rounds=5):
    import json
    with made.sessions(build, count, POLICY, "auto") as (_, daemon), \
            tempfile.TemporaryDirectory() as directory:
        daemon.wait_for_all(count)
        listed = json.loads(daemon.get("/v1/sessions")[0])["sessions"]
        file = utmp(pathlib.Path(directory),
                    [(row["tty"], row["host_pid"], row["user"]) for row in listed])
        target = pathlib.Path("/run/utmp")
        target.touch()
        subprocess.run(["mount", "--bind", file, target], check=True)
        try:
            rows = {}
            for name, command in WAYS.items():
                seconds, lines = one(command, rounds)
                if name == "w" and lines != count:
                    raise SystemExit(f"bench: {name} lists {lines} of {count} sessions")
                rows[name] = round(1000 * seconds, 2)
        finally:
            subprocess.run(["umount", target], check=True)
        time.sleep(5)
        from daemon_cost import over
        load = over(daemon, 30)
        return {"sessions": count, "check_ms": rows, "idlewarden_turn_ms": load["cpu_ms_per_scan"]}


def show(result):
    ways = ", ".join(f"{name} {ms} ms" for name, ms in result["check_ms"].items())
    print(f"CPU of one check of {result['sessions']} sessions: {ways} (once a minute, to a minute); "
          f"a turn of idlewarden {result['idlewarden_turn_ms']} ms")
