# SPDX-License-Identifier: Apache-2.0
"""What is run on which kernel with which backend: this file decides it, and the matrix prints it.

Everywhere: the kernel suite, and the installed service restarted, upgraded and unloaded
(guest-restart). Of the e2e suite, which takes half an hour for one kernel and one backend, the default
matrix has the core; all of it is for --vm=all, or for tests/vm/run --all --kernels 6.1."""
import collections
import dataclasses
import fnmatch
import os
import pathlib
import subprocess

KERNELS = ("5.10", "6.1", "6.12", "7.3")
BACKENDS = ("fentry", "kprobe", "sampler")

# What may differ from kernel to kernel and from backend to backend. Patterns of
# gtest cases, without the instance before and the backend behind.
CORE = (
    "HowTo.IdleAtThePromptIsEndedOnTime",  # the end itself: the hang-up, seen by the client
    "Activity.KeysTypedWhileTheProgramDoesNotReadThemCount",
    "OnePersonEach.Keys",                  # what a key is
    "Forgery.AnswersOfTmux",               # terminal replies, which the kernel side tells apart
    "Containers.TerminalsOfOneNumberAreToldApart",
)
# And what may differ from kernel to kernel only, with the first backend there.
CORE_OF_A_KERNEL = (
    "HowToForeground.VimDoesNotKeepItOpen",
    "Forgery.WhatTheOwnerDoesToTheTty",                # touch, TIOCSTI, resizing
    "Activity.OneSessionOfASharedConnectionIsEndedAlone",
    "Accounting.ThreeBytesAreThreeAndKeepalivesNone",  # /proc/PID/io and the socket's own count
    "NoPty.AnIdleCommandIsEndedAndOneInUseIsNot",
    "Killed.AfterTheSigterm",                          # the whole ladder, by two daemons
    "DaemonProgram.KeepsOnlyTheCapabilitiesItUses",
    "Doors.Telnet",                                    # nowhere else: its package brings an inetd
    "Stalled.*",
)


# Never in a guest, not with --vm=all either.
NOT_IN_GUESTS = (
    "Soak.*",        # a quarter of an hour at 20 logins a second: no emulated machine does that
    "Faults*.*",     # the test stands between the daemon and the kernel, where the unit would be
    "KilledAt.*",
    "KilledBeforeTheHangUp.*",
    "Hook.*",        # its programs write where the unit lets nobody; guest-events has them
    "Chaff.*",       # Debian 13's ssh is not there
    "DaemonSet.*",   # nor is the manifest
    "StatusPage.*",  # no browser, no Prometheus, and within the unit no TCP at all
    "Watchers.*",
    "Reachable.*",
    "Hostile.ClientsThatNeverFinish*",
    "WhatIfProgram.AFullDisk*",  # the unit does not see what the test mounts
)


@dataclasses.dataclass(frozen=True)
class Target:
    kernel: str
    backend: str

    def __str__(self):
        return f"{self.kernel} {self.backend}"


@dataclasses.dataclass
class Step:
    """A program, or a script of checks, on one target."""
    kind: str  # "gtest", "script"
    program: pathlib.Path
    backend: str
    cases: list
    alone: bool = False


@dataclasses.dataclass
class Plan:
    steps: dict  # kernel: [Step]
    chosen: collections.Counter  # (Target, suite): cases
    left: collections.Counter    # likewise, those that are left to --vm=all
    excluded: int = 0            # NOT_IN_GUESTS


def cases_of(program, backend):
    """What the program lists for this backend; it is the host's, where it starts faster."""
    listed = subprocess.run([program, "--gtest_list_tests"], capture_output=True, text=True,
                            env=os.environ | {"IDLEWARDEN_BACKEND": backend})
    if listed.returncode != 0:
        raise RuntimeError(f"{program} --gtest_list_tests: {listed.stdout}{listed.stderr}")
    names, suite = [], ""
    for line in listed.stdout.splitlines():
        word = line.split("#")[0].strip()
        if line.startswith("  "):
            names.append(suite + word)
        elif word.endswith("."):
            suite = word
    return [name for name in names if "DISABLED_" not in name]


def plain(case, backend):
    """Without the instance's name and the backend: Backends/HowTo.X/fentry is HowTo.X."""
    suite, _, name = case.partition(".")
    return f"{suite.rpartition('/')[2]}.{name.removesuffix(f'/{backend}')}"


def is_core(case, target, backends):
    patterns = CORE + (CORE_OF_A_KERNEL if target.backend == backends[0] else ())
    return fits(case, target, patterns)


def fits(case, target, patterns):
    return any(fnmatch.fnmatchcase(plain(case, target.backend), pattern) for pattern in patterns)


def unknown_in(cases):
    """Patterns that fit no case: a test was renamed."""
    names = {plain(case, backend) for backend, listed in cases.items() for case in listed}
    return [pattern for pattern in CORE + CORE_OF_A_KERNEL
            if not any(fnmatch.fnmatchcase(name, pattern) for name in names)]


def make(suites, scripts, kernels, backends, everything, only="*"):
    """`suites`: {"kernel": programs, "e2e": programs}; `only`: patterns of cases."""
    plan = Plan({kernel: [] for kernel in kernels}, collections.Counter(), collections.Counter())
    listed = {(program, backend): cases_of(program, backend)
              for programs in suites.values() for program in programs for backend in backends}
    e2e = {backend: [case for program in suites.get("e2e", ())
                     for case in listed[program, backend]] for backend in backends}
    if suites.get("e2e") and (unknown := unknown_in(e2e)):
        raise RuntimeError(f"tests/vm/plan.py: no e2e case is called {', '.join(unknown)}")
    for target in [Target(kernel, backend) for kernel in kernels for backend in backends]:
        steps = plan.steps[target.kernel]
        for script in scripts:
            steps.append(Step("script", script, target.backend, ["(whole)"]))
        for suite, programs in suites.items():
            for program in programs:
                every = [case for case in listed[program, target.backend]
                         if any(fnmatch.fnmatchcase(case, one) for one in only.split(":"))]
                if suite == "kernel" and target.backend != backends[0]:
                    # The others are the same with every backend.
                    every = [case for case in every if case.endswith(f"/{target.backend}")]
                guests = [case for case in every if not fits(case, target, NOT_IN_GUESTS)]
                plan.excluded += len(every) - len(guests)
                every = cases = guests
                if suite == "e2e" and not everything:
                    cases = [case for case in cases if is_core(case, target, backends)]
                plan.chosen[target, suite] += len(cases)
                plan.left[target, suite] += len(every) - len(cases)
                if cases:
                    steps.append(Step("gtest", program, target.backend, cases, suite == "kernel"))
    return plan


def describe(plan):
    targets = list(dict.fromkeys(target for target, _ in plan.chosen))
    lines = []
    for target in targets:
        parts = [f"{suite} {plan.chosen[target, suite]} cases"
                 + (f" of {plan.chosen[target, suite] + plan.left[target, suite]}"
                    if plan.left[target, suite] else "")
                 for of, suite in plan.chosen if of == target]
        lines.append(f"vm plan: {str(target):14} " + ", ".join(parts))
    left = plan.left.total()
    lines.append(f"vm plan: {left} runs of cases are left to --vm=all" if left else
                 "vm plan: everything; nothing is left out")
    if plan.excluded:
        lines.append(f"vm plan: {plan.excluded} runs of cases are not for guests: "
                     + ", ".join(NOT_IN_GUESTS))
    return "\n".join(lines)
