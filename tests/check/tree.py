# SPDX-License-Identifier: Apache-2.0
"""What the checks share: the files of a tree, and how a finding is reported."""
import pathlib
import re
import subprocess
import sys


def files(root):
    """The files that belong to the tree, relative to it: git's list, or without git all but builds."""
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True)
    if listed.returncode == 0 and (root / ".git").exists():
        names = [pathlib.PurePath(name) for name in listed.stdout.split("\0") if name]
    else:
        names = [path.relative_to(root) for path in root.rglob("*") if not path.is_dir()]
        names = [name for name in names if ".git" not in name.parts
                 and "__pycache__" not in name.parts and not re.match("build(-|$)", name.parts[0])]
    return sorted(name for name in names if (root / name).is_file())


def text(root, name):
    return (root / name).read_text(errors="replace")


def interpreter(root, name):
    """What a script's first line names: "bash", "sh", "python3", or none."""
    first = text(root, name).partition("\n")[0]
    found = re.match(r"#!\s*(?:/usr/bin/env\s+)?(?:\S*/)?(\w+)", first)
    return found.group(1) if found else None


def without_comments(source):
    """C++ without its comments, line numbers kept."""
    return re.sub(r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*")',
                  lambda found: found.group(1) or re.sub(r"[^\n]", "", found.group(0)),
                  source, flags=re.S)


def without_strings(source):
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', source)


def matches(pattern, source):
    """(line number, match) of each match of `pattern`."""
    for found in re.finditer(pattern, source, re.M):
        yield source.count("\n", 0, found.start()) + 1, found


def main(check):
    """Runs `check(root)`, which yields (file, line, message), over the tree named on the command
    line and leaves with 1 if there was any finding."""
    root = pathlib.Path(sys.argv[1]).resolve()
    findings = list(check(root))
    for name, line, message in findings:
        print(f"{name}:{line}: {message}")
    sys.exit(1 if findings else 0)
