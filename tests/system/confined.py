"""Becomes a command under what a unit file forbids: confined.py UNIT COMMAND... It takes the unit's system calls, address families, writable
code and capabilities from itself as systemd would, so that a test sees what the daemon needs without a running systemd."""
import errno
import os
import re
import shutil
import subprocess
import sys

import seccomp

PROT_WRITE, PROT_EXEC = 2, 4


def settings(unit):
    """key -> its values, in order"""
    out = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", open(unit).read(), re.M):
        out.setdefault(key, []).append(value)
    return out


def call_sets():
    """@name -> system calls, sets within sets resolved"""
    sets, current = {}, None
    for line in subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout.splitlines():
        word = re.sub(r"\x1b\[[0-9;]*m", "", line).strip()
        if line and not line.startswith(" ") and word.startswith("@"):
            current = sets.setdefault(word, [])
        elif current is not None and word and not word.startswith("#"):
            current.append(word)

    def resolve(word):
        return set().union(*map(resolve, sets[word])) if word.startswith("@") else {word}
    return resolve


def load(default, rules):
    f = seccomp.SyscallFilter(defaction=default)
    for action, call, *args in rules:
        if seccomp.resolve_syscall(seccomp.Arch(), call) >= 0:  # the sets name other architectures' calls too
            f.add_rule(action, call, *args)
    f.load()


def confine(unit):
    said, resolve, refused = settings(unit), call_sets(), seccomp.ERRNO(getattr(errno, settings(unit)["SystemCallErrorNumber"][0]))
    families = said["RestrictAddressFamilies"][0].split()
    known = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
    load(seccomp.ALLOW, [(refused, "socket", seccomp.Arg(0, seccomp.EQ, n)) for n in range(46) if n not in {known[f] for f in families}])
    if said["MemoryDenyWriteExecute"] == ["yes"]:
        both = PROT_WRITE | PROT_EXEC
        load(seccomp.ALLOW, [(refused, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, both, both)), (refused, "mprotect", seccomp.Arg(2, seccomp.MASKED_EQ, PROT_EXEC, PROT_EXEC))])
    allowed = resolve("@default")
    for words in said["SystemCallFilter"]:
        calls = set().union(*map(resolve, words.lstrip("~").split()))
        allowed = allowed - calls if words.startswith("~") else allowed | calls
    load(refused, [(seccomp.ALLOW, call) for call in sorted(allowed)])


if __name__ == "__main__":
    unit, *command = sys.argv[1:]
    confine(unit)  # which also sees to it that no privilege comes back (no_new_privs)
    os.execv(shutil.which(command[0]), command)
