# SPDX-License-Identifier: Apache-2.0
"""The section "Measured" of the README, written from tests/bench/results/*.json: no figure in it is
typed by hand."""
import json
import statistics
import textwrap

import peers


def write(results, readme):
    def load(name):
        path = results / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else None

    parts = [part for part in (intro(), table(load("peers")), hot(load("hot-6.1"), load("hot-6.12")),
                               native(load("native")), daemon(load("daemon")),
                               ends({text: load(f"ends-{where}") for where, text in ENDS.items()}),
                               cron(load("cron"))) if part]
    parts = ["\n".join(wrapped(line) for line in part.split("\n")) for part in parts]
    text = readme.read_text()
    begin, end = text.index("## Measured"), text.index("## What is a session")
    readme.write_text(text[:begin] + "\n".join(parts) + "\n" + text[end:])
    return readme


ENDS = {"here-tracepoint": "on this machine, `tracepoint`", "here-sampler": "on this machine, `sampler`",
        "6.1-fentry": "Debian 6.1 under `qemu -icount`, `fentry`"}


def wrapped(line):
    """Prose that a figure has made too long."""
    return line if line.startswith(("|", "!", "#")) else textwrap.fill(line, 105,
                                                                       break_long_words=False,
                                                                       break_on_hyphens=False)


def intro():
    return """## Measured

`scripts/bench` measures all of this anew (`--help` lists the parts; `--keep` keeps the results in
`tests/bench/results`, from which `scripts/bench charts` writes this section). The machine is a virtual
one with two cores, so times are worth their ratios; instructions are exact. What can be counted and not
timed (allocations of an update, system calls of a scan, instructions of the programs) has bounds in the
normal test run.
"""


def table(result):
    if not result:
        return None
    rows, _ = peers.table(result["cells"])
    whole_minutes = [name for name, text in (("autolog", "autolog"), ("cron", "the cron job"))
                     if any(cell["peer"] == name for cell in result["cells"])]
    return f"""`scripts/bench peers`: the same sessions, real ones, in a virtual machine (Debian's {result['kernel']} kernel,
systemd, the `fentry` hook), under idlewarden and under each of its peers. Each cell is what became of
one of them in one run, counted from its last byte. Up to 3 s late passes for right, as the emulated
machine is slow, and up to 0.25 s early, which is how well the last byte is dated. A cell near a bound
may fall otherwise in another run. No limit below a minute is known to {' and '.join(whole_minutes)}.

![What became of the same sessions](tests/bench/results/peers.svg)

{rows}
"""


def hot(result, other):
    if not result:
        return None
    key, screen = result["rows"]["key"], result["rows"]["screen"]
    on_other = f" (6.12: x {other['got']['key_ratio']:.3f})" if other else ""
    screen_on_other = f"; 6.12: x {other['got']['screen_ratio']:.2f}" if other else ""
    ours, floor = screen["idlewarden/fentry"], screen["empty/fentry"]
    return f"""`scripts/bench hot`: instructions of a key's way through a terminal, one byte written to the master and
read from the slave, on Debian's {result['kernel']} kernel under `qemu -icount`: x {key['idlewarden/fentry']['ratio']:.3f} of no hook{on_other},
{result['got']['key_over_floor']} times what an empty program at the same place adds.

![Instructions added to a key's way](tests/bench/results/hot_path.svg)

Output passes the same function twice a line and is let through: a screenful of 25 lines takes {ours['more']:,}
instructions more than its {screen['none']['instructions']:,} (x {ours['ratio']:.2f}{screen_on_other}), of which an empty program would take {floor['more']:,}.
The benchmark's goal for output, x 1.02, is missed and cannot be met at this hook, as the empty program
alone exceeds it. Only the terminal's own way is counted, not what sshd and the network take.
"""


def native(result):
    if not result:
        return None
    call, scans = result["syscall"], result["scans"]
    more = call["with_tracepoint_ns"] - call["getppid_ns"]
    sizes = ", ".join(f"{row['scan_us'] / 1000:.2f} ms with {row['processes']:,}" for row in scans)
    return f"""`scripts/bench native`: the `tracepoint` backend adds {more:.0f} ns to every system call of the host (a
`getppid` takes {call['getppid_ns']:.0f} ns). A scan takes {sizes} processes.
"""


def daemon(result):
    if not result:
        return None
    lines = ["`scripts/bench daemon`: real ptys, session leaders and connections, a quarter as many users, "
             "`sampler`.", "",
             "| sessions | RSS | CPU idle | 1 % type | all type twice a second | a turn | full table | scrape | "
             "login listed | key to `resumed` |", "|---|" + "---|" * 9]
    for row in result["rows"]:
        loads = " | ".join(f"{row[name]['cpu_percent']:.2f} %"
                           for name in ("idle", "one_percent_types", "all_type"))
        lines.append(f"| {row['sessions']:,} | {row['memory_kb']['rss'] / 1024:.0f} MB | {loads} | "
                     f"{row['idle']['cpu_ms_per_scan']:.1f} ms | {row['full_table_seconds']:.1f} s | "
                     f"{row['scrape_ms']:.0f} ms | {statistics.median(row['login_to_listed_seconds']):.2f} s | "
                     f"{statistics.median(row['key_to_resumed_seconds']):.1f} s |")
    if "exponents" in result:
        lines.append(f"\nA turn grows with the sessions to the power {result['exponents']['turn']}.")
    return "\n".join(lines) + "\n"


def ends(results):
    results = {where: result for where, result in results.items() if result}
    if not results:
        return None
    lines = [f"`scripts/bench ends`: {max(result['ends'] for result in results.values()):,} sessions that reach "
             "their limit within half a minute, in ms from the limit until their terminal has let go of "
             "everybody.", "",
             "| where, how | median | p99 | most | goal for p99 | early |", "|---|---|---|---|---|---|"]
    for where, result in results.items():
        late = result["late_ms"]
        met = "met" if late["p99"] <= result["goal_p99_ms"] else "missed"
        lines.append(f"| {where} | {late['p50']:.0f} | {late['p99']:.0f} | {late['max']:.0f} | "
                     f"{result['goal_p99_ms']:,}, {met} | {result['early']} |")
    return "\n".join(lines) + "\n"


def cron(result):
    if not result:
        return None
    check = result["check_ms"]
    return (f"`scripts/bench cron`: one check of the cron job takes {check['who -u']} ms of CPU with `who -u`, "
            f"{check['w']} ms with `w`, at {result['sessions']:,} sessions; a turn of idlewarden "
            f"{result['idlewarden_turn_ms']} ms.\n")
