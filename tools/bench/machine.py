"""Where it was measured: what a reader needs to compare numbers of two machines, or two days."""
import os
import pathlib
import platform
import subprocess
import time


def said(command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def context(daemon, nginx):
    return {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cores": len(os.sched_getaffinity(0)), "processor": processor(),
            "kernel": platform.release(), "load_before": os.getloadavg()[0], "mainstay": said([daemon, "--version"]).split()[-1], "nginx": said([nginx, "-v"]).rpartition("/")[2]}


def line(context):
    return (f"{context['time']}: {context['cores']} cores ({context['processor']}), Linux {context['kernel']}, load {context['load_before']:.2f} "
            f"before; mainstay {context['mainstay']}, nginx {context['nginx']}")


def stolen():
    """CPU time that the machine's host took, and all of it, in ticks."""
    ticks = [int(n) for n in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return ticks[7], sum(ticks)
