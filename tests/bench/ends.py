# SPDX-License-Identifier: Apache-2.0
"""How long after its limit an idle session is really gone, seen from outside the daemon: a byte is
typed in each of many sessions (bench.host), and the moment is noted at which its terminal has been
hung up and nobody has it open any more. Needs no more than the standard library, so that it runs in
a virtual machine too: ends.py BUILD COUNT LIMIT SPREAD BACKEND prints JSON."""
import json
import pathlib
import sys

POLICY = """mode = "enforce"
warn = "0s"
max_terminations_per_minute = 100000
[sessions]
hosts = ["{{host}}"]
[[rule]]
name = "bench"
limit = "{limit:g}s"
"""
GOALS_MS = {"hook": 100, "sampler": 1100}


def measure(build, count, limit, spread, backend):
    import sessions as made
    with made.sessions(build, count, POLICY.format(limit=limit), backend) as (hosts, daemon):
        daemon.wait_for_all(count)
        seen, _ = daemon.get("/v1/sessions")
        backend = json.loads(seen)["backend"]
        ends = hosts.ends(spread)
        late = sorted((end - key) / 1e6 - 1000 * limit for _, key, end in ends if key)
        before_key = sum(key == 0 for _, key, _ in ends)
        return {"backend": backend, "ends": len(late), "limit_seconds": limit,
                "ended_before_their_key": before_key, "early": sum(ms < 0 for ms in late),
                "late_ms": {name: round(at(late, part), 2) for name, part in
                            (("min", 0), ("p50", .5), ("p90", .9), ("p99", .99), ("max", 1))},
                "all_ms": [round(ms, 2) for ms in late]}


def at(values, part):
    return values[min(len(values) - 1, int(part * len(values)))]


def judge(result):
    goal = GOALS_MS["sampler" if result["backend"] == "sampler" else "hook"]
    result["goal_p99_ms"] = goal
    result["met"] = (result["late_ms"]["p99"] <= goal and result["early"] == 0
                     and result["ended_before_their_key"] == 0)
    return result


def show(result, where):
    late = result["late_ms"]
    print(f"{result['ends']} ends, {where}, {result['backend']}: {late['min']} ms after the limit at "
          f"least, median {late['p50']}, p90 {late['p90']}, p99 {late['p99']}, most {late['max']}; "
          f"early: {result['early']}")
    print(f"  goal: p99 at most {result['goal_p99_ms']} ms, none early: "
          f"{'met' if result['met'] else 'MISSED'}", flush=True)


if __name__ == "__main__":
    build, count, limit, spread, backend = sys.argv[1:]
    print(json.dumps(measure(pathlib.Path(build), int(count), float(limit), float(spread), backend)))
