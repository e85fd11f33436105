# SPDX-License-Identifier: Apache-2.0
"""What the hook costs in instructions: a Debian kernel under qemu -icount (hot_path.cpp)."""
import json
import tempfile

import machine
from payload import Payload

GOALS = {"key_ratio": 1.03, "key_over_floor": 2.5, "screen_ratio": 1.02}
# One virtual CPU whose clock is its instruction counter: shift=0 makes a nanosecond an instruction.
ICOUNT = ["-icount", "shift=0,sleep=off"]
JOB = """#!/bin/bash
ldconfig
exec /idlewarden/hot_path --benchmark_format=json 2>/dev/ttyS0
"""
NAMES = {"none": "no hook", "empty/fentry": "an empty program there (the floor)",
         "idlewarden/fentry/unwatched": "idlewarden, of a tty that it does not watch",
         "idlewarden/fentry": "idlewarden",
         "both_ends/fentry": "tty_write + tty_read and a hash",
         "empty/kprobe": "an empty kprobe there",
         "idlewarden/kprobe/unwatched": "idlewarden by kprobe, of another tty",
         "idlewarden/kprobe": "idlewarden by kprobe",
         "both_ends/kprobe": "tty_write + tty_read and a hash, kprobes (bcc)"}


def run(options, version):
    machine.require_tools()
    program = options.build / "tests/bench/bench.hot_path"
    kernel, root = machine.cached("kernel", version), machine.cached("image")
    out = options.out / f"hot-{version}"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="idlewarden-bench.") as stage:
        payload = Payload(stage)
        payload.add(program, "/idlewarden/hot_path")
        payload.add_libraries([program], machine.files_of(root))
        job = payload.stage / "idlewarden/job"
        job.write_text(JOB)
        job.chmod(0o755)
        archive = payload.write(out / "job.cpio")
        boot = machine.run(kernel, [root, archive], out, options.timeout,
                           "rdinit=/usr/local/lib/rig-bare mitigations=off", cpus=1,
                           extra=ICOUNT)
        archive.unlink()
    if boot.verdict != 0:
        raise SystemExit(f"bench: {machine.explain(boot.verdict)}\n{machine.tail(boot.console, 25)}")
    return judge(version, json.loads(boot.results.read_text())["benchmarks"])


def judge(version, runs):
    lowest, errors = {"key": {}, "screen": {}}, {}
    for one in runs:
        if one.get("run_type") != "iteration":
            continue
        what, _, name = one["run_name"].split("/iterations:")[0].partition("/")
        if one.get("error_occurred"):
            errors[f"{what}/{name}"] = one["error_message"]
        else:
            lowest[what][name] = min(one["real_time"], lowest[what].get(name, float("inf")))
    rows = {what: {name: {"instructions": round(count), "more": round(count - found["none"]),
                          "ratio": round(count / found["none"], 4)}
                   for name, count in found.items()} for what, found in lowest.items()}
    key, screen = rows["key"], rows["screen"]
    got = {"key_ratio": key["idlewarden/fentry"]["ratio"],
           "key_over_floor": round(key["idlewarden/fentry"]["more"] / key["empty/fentry"]["more"], 2),
           "screen_ratio": screen["idlewarden/fentry"]["ratio"]}
    met = not errors and all(got[name] <= goal for name, goal in GOALS.items())
    return {"kernel": version, "rows": rows, "errors": errors, "goals": GOALS, "got": got,
            "met": met}


def show(result):
    for what, text in (("key", "A key's round trip (1 byte to the master, read from the slave)"),
                       ("screen", "A screenful of output (25 lines of 80, to the slave, read from "
                                  "the master), not counted")):
        print(f"{text} on Debian {result['kernel']}, instructions")
        for name, row in result["rows"][what].items():
            print(f"  {NAMES[name]:50} {row['instructions']:7}  +{row['more']:<6} x {row['ratio']:.3f}")
    for name, error in result["errors"].items():
        print(f"  {name}: {error}")
    for name, goal in GOALS.items():
        print(f"  goal: {name} {result['got'][name]} of at most {goal}: "
              f"{'met' if result['got'][name] <= goal else 'MISSED'}")
