"""What processes use, as the kernel counts it: CPU of all their threads, the ended ones too, and resident memory."""
import os
import pathlib
import time

CPUCLOCK_SCHED = 2  # of a clock id that names another process: its user and system time together, in ns (linux/posix-timers.h)


def process_tree(pid):
    """The process and its children, and theirs."""
    found = [pid]
    for one in found:
        for task in pathlib.Path(f"/proc/{one}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def cpu_seconds(pids):
    """User and system time of these processes. /proc/PID/stat shows the same sum, but in ticks of 10 ms."""
    return sum(time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED) for pid in pids)


def system_share(pids):
    """Which share of it was spent in the kernel."""
    user = system = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        user, system = user + int(fields[11]), system + int(fields[12])
    return system / max(1, user + system)


def resident_bytes(pids):
    return sum(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids) * os.sysconf("SC_PAGE_SIZE")


def open_files(pids):
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
