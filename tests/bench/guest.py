# SPDX-License-Identifier: Apache-2.0
"""The measurement of ends.py in a virtual machine under qemu -icount: its clock is its instruction
counter, so what happens on the machine below it does not reach its times."""
import json
import pathlib
import tempfile

import hot_path
import machine
from payload import Payload

HERE = pathlib.Path(__file__).resolve().parent
JOB = """#!/bin/bash
ldconfig
mkdir -p /run/idlewarden /tmp
mount -t tmpfs tmpfs /run
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link set lo up
exec python3 /idlewarden/ends.py /idlewarden/build {count} {limit} {spread} {backend} 2>/dev/ttyS0
"""


class Guest:
    def __init__(self, options, kernel):
        self.options, self.kernel = options, kernel

    def ends(self, build, count, limit, spread, backend):
        machine.require_tools()
        kernel, root = machine.cached("kernel", self.kernel), machine.cached("image")
        out = self.options.out / f"ends-{self.kernel}"
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="idlewarden-bench.") as stage:
            payload = Payload(stage)
            programs = ["idlewarden", "tests/bench/bench.host", "tests/bench/bench.leader"]
            for program in programs:
                payload.add(build / program, f"/idlewarden/build/{program}")
            payload.add_libraries([build / "idlewarden"], machine.files_of(root))
            for script in ("ends.py", "sessions.py"):
                payload.add(HERE / script, f"/idlewarden/{script}")
            job = payload.stage / "idlewarden/job"
            job.write_text(JOB.format(count=count, limit=limit, spread=spread, backend=backend))
            job.chmod(0o755)
            archive = payload.write(out / "job.cpio")
            boot = machine.run(kernel, [root, archive], out, self.options.timeout,
                               "rdinit=/usr/local/lib/rig-bare mitigations=off", cpus=1,
                               memory_mb=2048, extra=hot_path.ICOUNT)
            archive.unlink()
        if boot.verdict != 0:
            raise SystemExit(f"bench: {machine.explain(boot.verdict)}\n"
                             f"{boot.results.read_text()[-2000:]}\n{machine.tail(boot.console, 25)}")
        return json.loads(boot.results.read_text()) | {"kernel": self.kernel}
