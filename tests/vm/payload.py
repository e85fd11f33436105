# SPDX-License-Identifier: Apache-2.0
"""What a guest gets beside its root: programs, the shared libraries that they need, data files.

Made as a second cpio archive, which the kernel unpacks over the first."""
import os
import pathlib
import shutil
import subprocess


def is_elf(path):
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def libraries(program):
    """The shared libraries that the dynamic linker finds for `program`, by soname."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in listed.splitlines():
        soname, arrow, rest = line.strip().partition(" => ")
        if arrow:
            if rest == "not found":
                raise RuntimeError(f"{program}: {soname} is not found here either")
            found[soname] = pathlib.Path(rest.split(" (")[0])
        elif soname.startswith("/"):  # the dynamic linker itself
            path = pathlib.Path(soname.split(" (")[0])
            found[str(path)] = path
    return found


def add_service(payload, build):
    """The installed service, as cmake --install installs it."""
    subprocess.run(["cmake", "--install", build, "--strip"], check=True, stdout=subprocess.DEVNULL,
                   env=os.environ | {"DESTDIR": str(payload.stage)})


class Payload:
    """A tree that is filled and then written as a cpio archive."""

    def __init__(self, stage):
        self.stage = pathlib.Path(stage)

    def add(self, source, target):
        """Copies a file; `target` is absolute, as the guest sees it. Debug information stays out."""
        place = self.stage / str(target).lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if is_elf(source) and os.access(source, os.X_OK):
            subprocess.run(["strip", "--strip-debug", "-o", place, source], check=True)
        else:
            shutil.copy(source, place)

    def add_tree(self, source, target):
        for path in sorted(source.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                self.add(path, pathlib.PurePath(target) / path.relative_to(source))

    def add_libraries(self, programs, present):
        """Copies to /usr/local/lib what the programs link and the guest has not. `present` is the
        set of the guest's files, without the leading slash."""
        for program in programs:
            for soname, path in libraries(program).items():
                real_place = str(path.parent.resolve() / path.name).lstrip("/")
                if real_place not in present:
                    self.add(path.resolve(), f"/usr/local/lib/{soname}")

    def write(self, archive):
        listed = subprocess.run(["find", ".", "-mindepth", "1", "-print0"], cwd=self.stage,
                                stdout=subprocess.PIPE, check=True).stdout
        with open(archive, "wb") as out:
            subprocess.run(["cpio", "-0", "-o", "-H", "newc", "-R", "0:0", "--quiet"],
                           cwd=self.stage, input=listed, stdout=out, check=True)
        return archive
