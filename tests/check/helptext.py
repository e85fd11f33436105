# SPDX-License-Identifier: Apache-2.0
"""What --help of idlewarden says, as data: what the manual and the completions are held against."""
import re
import subprocess


def help_of(program, *words):
    return subprocess.run([program, *words, "--help"], capture_output=True, text=True,
                          check=True).stdout


def commands(program):
    section = help_of(program).partition("Subcommands:\n")[2].partition("\n\n")[0]
    return re.findall(r"^  ([a-z][\w-]*)", section, re.M)


def options(program, command):
    """{"--mode": "audit|enforce", "-h": "", ...}: every spelling, and what stands behind it."""
    found = {}
    for line in help_of(program, command).splitlines():
        entry = re.match(r"  ((?:[A-Z]+,)?-[\w,-]+)(?: ([^\s=]+))?", line)
        if entry:
            for name in entry.group(1).split(","):
                if name.startswith("-"):
                    found[name] = entry.group(2) or ""
    return found
