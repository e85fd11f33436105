# SPDX-License-Identifier: Apache-2.0
"""What the daemon costs with a number of sessions to look after, and how soon it notices things."""
import json
import math
import random
import re
import statistics
import time

import sessions as made

# Nobody's time is up while the costs are taken; later u0 has 3 s, to be noticed.
POLICY = """mode = "audit"
[sessions]
hosts = ["{host}"]
[[rule]]
name = "soon"
match = {{ users = ["u0"] }}
limit = "1h"
[[rule]]
name = "rest"
limit = "derived"
"""
SETTLE = 5
STATES = {"idle": "all idle", "one_percent_types": "1 % type",
          "all_type": "all type twice a second"}
GOALS = {"rss_mb": 40, "cpu_percent": 1.0, "table_ms": 50, "scrape_ms": 100}


def boot_seconds():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wait_for_event(daemon, known, wanted, timeout=60):
    """How many events there were before, and the moment at which a new one of this kind stood in
    the events file."""
    path = daemon.place / "events"
    until = time.monotonic() + timeout
    with open(path) as file:
        file.seek(known)
        while time.monotonic() < until:
            line = file.readline()
            if line.endswith("\n"):
                if json.loads(line)["event"] == wanted:
                    return boot_seconds()
            else:
                time.sleep(0.002)
    raise SystemExit(f"bench: no event {wanted} within {timeout} s")


def size(daemon):
    return (daemon.place / "events").stat().st_size


def scans(daemon):
    text, _ = daemon.get("/metrics")
    one = {name: float(value) for name, value in re.findall(
        r"^idlewarden_(\w+_seconds_(?:sum|count))(?:\{\})? (\S+)$", text, re.M)}
    return {"count": one["scan_duration_seconds_count"], "scan": one["scan_duration_seconds_sum"],
            "decide": one["decision_duration_seconds_sum"]}


def over(daemon, seconds):
    """What the daemon uses in a while in which nobody asks it anything."""
    time.sleep(SETTLE)
    before = scans(daemon)
    time.sleep(1)
    cpu, wakeups, begun = daemon.cpu_seconds(), daemon.wakeups(), time.monotonic()
    time.sleep(seconds)
    cpu, wakeups = daemon.cpu_seconds() - cpu, daemon.wakeups() - wakeups
    lasted = time.monotonic() - begun
    after = scans(daemon)
    turns = max(1, after["count"] - before["count"])
    return {"seconds": round(lasted, 1), "cpu_seconds_per_minute": round(60 * cpu / lasted, 4),
            "cpu_percent": round(100 * cpu / lasted, 3),
            "wakeups_per_minute": round(60 * wakeups / lasted),
            "scans": int(turns),
            "scan_ms": round(1000 * (after["scan"] - before["scan"]) / turns, 3),
            "decide_ms": round(1000 * (after["decide"] - before["decide"]) / turns, 3),
            "cpu_ms_per_scan": round(1000 * cpu / turns, 3)}


def login_to_listed(hosts, daemon, times):
    took = []
    for _ in range(times):
        known = size(daemon)
        begun = hosts.tell("add") / 1e9
        took.append(wait_for_event(daemon, known, "session_started") - begun)
        time.sleep(2.2)
    return [round(t, 3) for t in took]


def key_to_resumed(hosts, daemon, times):
    """Session 0 is over its limit, is typed in, and is said to be in use again."""
    policy = daemon.place / "policy.toml"
    known = size(daemon)
    policy.write_text(policy.read_text().replace('"1h"', '"3s"'))
    wait_for_event(daemon, known, "config_reloaded")
    time.sleep(SETTLE)  # all of u0's are over it
    took = []
    for _ in range(times):
        time.sleep(random.uniform(0, SETTLE))  # at no certain time between two scans
        known = size(daemon)
        begun = hosts.tell("key 0") / 1e9
        took.append(wait_for_event(daemon, known, "resumed") - begun)
        wait_for_event(daemon, known, "would_terminate")
    return [round(t, 3) for t in took]


def one(build, count, seconds, backend, times=5):
    with made.sessions(build, count, POLICY, backend) as (hosts, daemon):
        full = daemon.wait_for_all(count)
        row = {"sessions": count, "ready_seconds": round(daemon.ready_seconds, 3),
               "full_table_seconds": round(full, 3)}
        time.sleep(15)  # the logins of a moment ago are looked at more than once
        row["idle"] = over(daemon, seconds)
        row["memory_kb"] = daemon.memory_kb()
        table, took = daemon.get("/v1/sessions")
        row |= {"backend": json.loads(table)["backend"], "sessions_json_ms": round(1000 * took, 1)}
        hosts.tell(f"type {max(1, count // 100)}")
        row["one_percent_types"] = over(daemon, seconds)
        hosts.tell(f"type {count}")
        row["all_type"] = over(daemon, seconds)
        hosts.tell("type 0")
        scrapes = [daemon.get("/metrics")[1] for _ in range(times)]
        row["scrape_ms"] = round(1000 * statistics.median(scrapes), 2)
        row["login_to_listed_seconds"] = login_to_listed(hosts, daemon, times)
        row["key_to_resumed_seconds"] = key_to_resumed(hosts, daemon, times)
        row["memory_kb_at_last"] = daemon.memory_kb()
        return row


def show(row):
    memory = row["memory_kb_at_last"]
    print(f"  {row['sessions']} sessions ({row['backend']}): ready after {row['ready_seconds']:.2f} s, full table after {row['full_table_seconds']:.2f} s; "
          f"RSS {row['memory_kb']['rss'] / 1024:.1f} MB, peak {memory['peak'] / 1024:.1f} MB")
    for name, text in STATES.items():
        load = row[name]
        print(f"    {text:24} {load['cpu_seconds_per_minute']:7.3f} s of CPU a minute "
              f"({load['cpu_percent']:.3f} %), {load['wakeups_per_minute']} wakeups a minute, "
              f"{load['cpu_ms_per_scan']:.2f} ms a turn (scan {load['scan_ms']:.2f}, decide "
              f"{load['decide_ms']:.2f})")
    print(f"    scrape {row['scrape_ms']:.1f} ms; login to listed "
          f"{statistics.median(row['login_to_listed_seconds']):.2f} s; key to resumed "
          f"{statistics.median(row['key_to_resumed_seconds']):.2f} s (medians)", flush=True)


def exponent(rows, value):
    """Of the growth between the two largest numbers of sessions: 1 is linear."""
    small, large = sorted(rows, key=lambda row: row["sessions"])[-2:]
    return round(math.log(value(large) / value(small)) /
                 math.log(large["sessions"] / small["sessions"]), 3)


def measure(build, counts, seconds, backend):
    rows = []
    print(f"The daemon over {seconds} s in each state")
    for count in counts:
        rows.append(one(build, count, seconds, backend))
        show(rows[-1])
    result = {"rows": rows, "goals": GOALS}
    if len(rows) > 1:
        result["exponents"] = {
            "turn": exponent(rows, lambda row: row["idle"]["cpu_ms_per_scan"]),
            "full_table": exponent(rows, lambda row: row["full_table_seconds"])}
        print(f"  growth with the number of sessions (exponent, 1 is linear): a turn "
              f"{result['exponents']['turn']}, until the table is full {result['exponents']['full_table']}")
    most = max(rows, key=lambda row: row["sessions"])
    got = {"rss_mb": round(most["memory_kb"]["rss"] / 1024, 1),
           "cpu_percent": max(most[state]["cpu_percent"] for state in STATES),
           "table_ms": most["idle"]["cpu_ms_per_scan"], "scrape_ms": most["scrape_ms"]}
    result["got"] = got
    result["met"] = all(got[name] <= goal for name, goal in GOALS.items())
    for name, goal in GOALS.items():
        print(f"  goal at {most['sessions']}: {name} {got[name]} of at most {goal}: "
              f"{'met' if got[name] <= goal else 'MISSED'}")
    return result
