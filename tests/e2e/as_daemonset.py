#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""as_daemonset.py MANIFEST PROGRAM ARGUMENT...: runs the program as the pod of a DaemonSet would: with
the manifest's hostPath volumes, capabilities and namespaces, a read-only root that has this machine's
/usr as its image and nothing else of the machine, and arguments of its own. What a test shares with it
lies in /tmp. A volume `policy` (a ConfigMap) is the folder $IDLEWARDEN_POLICY_DIR."""
import os
import shlex
import sys

import yaml

manifest, program, *arguments = sys.argv[1:]
with open(manifest) as file:
    pod = next(document for document in yaml.safe_load_all(file)
               if document["kind"] == "DaemonSet")["spec"]["template"]["spec"]
container = pod["containers"][0]
root = "/mnt"
lines = [
    "set -euo pipefail",
    f"mount -t tmpfs image {root}", f"cd {root}",
    "mkdir usr proc sys dev tmp run var root home etc policy",
    "for name in bin sbin lib lib64; do ln -s usr/$name $name; done",
    "mount --bind -o ro /usr usr",
    f"install {shlex.quote(os.path.abspath(program))} idlewarden",
    "mount --rbind /proc proc" if pod.get("hostPID") else "mount -t proc proc proc",
    "mount -t sysfs -o ro sysfs sys",
    "mount -t tmpfs dev dev", "mkdir dev/pts dev/shm",
    "mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts", "ln -s pts/ptmx dev/ptmx",
    "for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done",
    "mount --bind /tmp tmp",
]
volumes = {volume["name"]: volume for volume in pod["volumes"]}
for mount in sorted(container["volumeMounts"], key=lambda mount: mount["mountPath"]):
    volume, target = volumes[mount["name"]], root + mount["mountPath"]
    source = (volume["hostPath"]["path"] if "hostPath" in volume
              else os.environ["IDLEWARDEN_POLICY_DIR"])
    if volume.get("hostPath", {}).get("type") == "DirectoryOrCreate":
        lines.append(f"mkdir -p {source}")
    if not target.startswith(f"{root}/sys/"):
        lines.append(f"mkdir -p {target}")
    lines.append(f"mount --bind {'-o ro ' if mount.get('readOnly') else ''}{source} {target}")
capabilities = ",".join("+" + name.lower() for name in container["securityContext"]["capabilities"]["add"])
lines += [
    "mkdir old", "pivot_root . old", "cd /", "umount -l /old", "rmdir /old",
    "mount -o remount,ro,bind /",
    "exec setpriv --bounding-set=-all," + capabilities + " --inh-caps=-all," + capabilities +
    " --ambient-caps=-all /idlewarden " + " ".join(map(shlex.quote, arguments)),
]
namespaces = ["--mount", "--propagation", "private", "--ipc", "--uts", "--cgroup"]
if not pod.get("hostNetwork"):
    namespaces.append("--net")
if not pod.get("hostPID"):
    namespaces += ["--pid", "--fork"]
os.execvp("unshare", ["unshare", *namespaces, "bash", "-c", "\n".join(lines)])
