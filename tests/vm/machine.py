# SPDX-License-Identifier: Apache-2.0
"""One virtual machine: a kernel, an initramfs, a time limit; its console, its results, its verdict.

Software emulation (TCG), so that it runs wherever tests run. The console is ttyS0, the job's own
output ttyS1; the job's exit status, and one more, comes out by isa-debug-exit, which ends qemu with
2 * n + 1: so 1 is left to a qemu that could not start."""
import dataclasses
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent

# A processor that stands still for half a minute is this machine's, which had none to give.
NO_WATCHDOGS = "nowatchdog rcupdate.rcu_cpu_stall_suppress=1"

# One thread for all processors of a machine: with one each, a qemu before 8.1 translates a page that
# another processor is writing (its deba78709ae8), so that a breakpoint by which the kernel patches
# itself is still hit after it is gone: "Oops: int3". With two machines at a time it is no slower.
ACCEL = "tcg,thread=single"

# Verdicts beside the guest's own exit status, which is at most 125.
NO_VERDICT = 126  # it went away without one: a panic, or a plain power-off
TIMED_OUT = 127


class CannotRun(Exception):
    """What is needed for a virtual machine is not on this machine."""


@dataclasses.dataclass
class Boot:
    verdict: int
    seconds: float
    console: pathlib.Path
    results: pathlib.Path


def require_tools():
    for tool in ("qemu-system-x86_64", "cpio", "xz", "apt-get"):
        if not shutil.which(tool):
            raise CannotRun(f"{tool} is missing (scripts/install-deps vm)")


def cached(script, *arguments):
    """The path that tests/vm/kernel or tests/vm/image prints."""
    done = subprocess.run([HERE / script, *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise CannotRun(f"tests/vm/{script} {' '.join(arguments)} failed (above)")
    return pathlib.Path(done.stdout.strip())


def files_of(root):
    """The files of the image `root`, without the leading slash."""
    return set(root.with_suffix(".files").read_text().splitlines())


def run(kernel, initrds, out, timeout, append="", cpus=2, memory_mb=1024, extra=()):
    """Boots `kernel` with the concatenated `initrds`; console and results are left in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    console, results = out / "console", out / "results"
    for stale in (console, results):
        stale.unlink(missing_ok=True)
    started = time.monotonic()
    with tempfile.NamedTemporaryFile(dir=out, prefix="initrd.") as initrd:
        for part in initrds:
            with open(part, "rb") as source:
                shutil.copyfileobj(source, initrd)
        initrd.flush()
        command = [
            # However this process ends, the machine ends with it.
            "setpriv", "--pdeathsig", "KILL",
            "qemu-system-x86_64", "-accel", ACCEL, "-cpu", "max", "-smp", str(cpus),
            "-m", str(memory_mb), "-display", "none", "-nodefaults", "-no-reboot",
            "-serial", f"file:{console}", "-serial", f"file:{results}",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
            "-kernel", str(kernel), "-initrd", initrd.name,
            "-append", f"console=ttyS0 panic=-1 quiet loglevel=5 {NO_WATCHDOGS} {append}", *extra,
        ]
        machine = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            status = machine.wait(timeout)
            verdict = (status >> 1) - 1 if status > 1 and status & 1 else NO_VERDICT
            if status == 1 or status < 0:
                print(f"vm: qemu itself failed, with status {status}", file=sys.stderr)
        except subprocess.TimeoutExpired:
            verdict = TIMED_OUT
        finally:
            machine.kill()
            machine.wait()
    for made in (console, results):
        made.touch()
    return Boot(verdict, time.monotonic() - started, console, results)


def tail(path, lines):
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


def explain(verdict):
    return {NO_VERDICT: "the guest went away without a verdict",
            TIMED_OUT: "the time limit was reached"}.get(verdict, f"the job ended with {verdict}")
