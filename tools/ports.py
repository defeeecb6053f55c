"""Free ports for what tests and benchmarks start, each process's from a lane of its own: between being chosen and being listened at, no other
process is given the same by chance, nor does the kernel give it to a connection."""
import fcntl
import functools
import itertools
import os
import pathlib
import random
import socket
import tempfile

LANES = 64


@functools.cache
def lane():
    """(Ports to come, for ever, and the lock that keeps them for this process.)"""
    below = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    locks = pathlib.Path(tempfile.gettempdir()) / f"mainstay-ports-{os.getuid()}"
    locks.mkdir(exist_ok=True)
    for number in random.sample(range(LANES), LANES):
        lock = open(locks / str(number), "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        own = range(below // 2 + number, below, LANES)
        return itertools.cycle(random.sample(own, len(own))), lock
    raise RuntimeError(f"{LANES} processes hold ports already")


def free_ports(count):
    """So many different ones, none that this process was given lately."""
    ports, _ = lane()
    found = []
    for port in itertools.islice(ports, 4096):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports")


def free_port():
    return free_ports(1)[0]
