# SPDX-License-Identifier: Apache-2.0
"""idlewarden and its peers over the same sessions, in a virtual machine with systemd and logind, on
a hook (guest_peers.py); and the table of what became of each session."""
import json
import pathlib
import subprocess
import tempfile

import machine
from payload import Payload

HERE = pathlib.Path(__file__).resolve().parent
HEADS = {"idlewarden": "idlewarden", "logind": "logind `StopIdleSessionSec`",
         "ChannelTimeout": "sshd `ChannelTimeout session:*`", "TMOUT": "bash `TMOUT`",
         "ClientAlive": "sshd `ClientAlive*`", "autolog": "autolog",
         "cron": "cron, `who -u`, `pkill`"}
# What passes for "at the limit": the emulated machine is slow, and no administrator minds.
SLACK = 3
# What the script that plays the person may be off by: it is as slow as the machine.
OFF_BY = 0.25


def run(options, wanted):
    machine.require_tools()
    kernel, root = machine.cached("kernel", options.kernel), machine.cached("image")
    autolog = subprocess.run([HERE / "autolog"], stdout=subprocess.PIPE, text=True, check=True)
    out = options.out / "peers"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="idlewarden-bench.") as stage:
        payload = Payload(stage)
        payload.add(options.build / "idlewarden", "/idlewarden/idlewarden")
        payload.add(pathlib.Path(autolog.stdout.strip()), "/idlewarden/autolog")
        payload.add_libraries([options.build / "idlewarden"], machine.files_of(root))
        payload.add(HERE / "guest_peers.py", "/idlewarden/job")
        for program in ("job", "autolog"):
            (payload.stage / "idlewarden" / program).chmod(0o755)
        (payload.stage / "idlewarden/wanted").write_text(" ".join(wanted))
        archive = payload.write(out / "job.cpio")
        boot = machine.run(kernel, [root, archive], out, options.timeout,
                           "rdinit=/sbin/init systemd.unit=rig.target", memory_mb=3072)
        archive.unlink()
    rows = []
    for line in boot.results.read_text(errors="replace").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            print(f"  guest: {line}")
    cells = [row for row in rows if "case" in row]
    if boot.verdict != 0 or not cells:
        raise SystemExit(f"bench: {machine.explain(boot.verdict)}\n{machine.tail(boot.console, 25)}")
    return {"kernel": options.kernel, "seconds": round(boot.seconds), "cells": cells,
            "logs": [row for row in rows if "case" not in row]}


def verdict(cell):
    """One word for the counts, and the text of the cell."""
    if "error" in cell:
        return "unknown", "not observed"
    after, limit = cell["ended_after"], cell["limit"]
    if cell["must"] == "live":
        if after is None:
            return "right", "lives"
        return "wrong", "**killed while typing**"
    if cell.get("other_ended"):
        return "wrong", "**the other one ended too**"
    if after is None:
        return "never", f"never ({cell['watched']} s)"
    late = after - limit
    if late < -OFF_BY:
        return "early", f"{-late:.1f} s early"
    if late <= SLACK:
        return "right", f"ends, +{max(late, 0):.1f} s"
    return "late", f"{late:.0f} s late"


def table(cells):
    """Markdown: a row for each case, a column for each peer."""
    peers = [name for name in HEADS if any(cell["peer"] == name for cell in cells)]
    cases = list(dict.fromkeys(cell["case"] for cell in cells))
    order = {"idle at the prompt": 0}
    cases.sort(key=lambda case: order.get(case, 1))
    found = {(cell["peer"], cell["case"]): cell for cell in cells}
    limits = {name: next(cell["limit"] for cell in cells if cell["peer"] == name) for name in peers}
    lines = ["| session | " + " | ".join(f"{HEADS[name]}, {limits[name]} s" for name in peers) + " |",
             "|---|" + "---|" * len(peers)]
    for case in cases:
        lines.append(f"| {case} | " + " | ".join(
            verdict(found[name, case])[1] if (name, case) in found else "-" for name in peers) + " |")
    rights = {name: sum(verdict(cell)[0] == "right" for cell in cells if cell["peer"] == name)
              for name in peers}
    lines.append("| **right** | " + " | ".join(f"**{rights[name]} of {len(cases)}**"
                                              for name in peers) + " |")
    return "\n".join(lines), rights
