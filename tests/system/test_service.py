"""The daemon as a service: what it tells the service manager, that a stuck one falls silent, and that the unit takes nothing it needs."""
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import FAST, Dealer, model, provider, wait_for

HERE = pathlib.Path(__file__).resolve()
UNIT = HERE.parents[2] / "packaging/systemd/mainstay.service"


class Manager:
    """The end of NOTIFY_SOCKET that systemd would hold."""

    def __init__(self, directory):
        self.path = str(directory / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.news = []

    def hears(self):
        """everything that was said until now"""
        while True:
            try:
                self.news += self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.news

    def heard(self, word):
        return self.hears().count(word)


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path)
    yield made
    made.socket.close()


@pytest.fixture
def house(start, manager):
    def begin(watchdog_ms=600, through=(), **more):
        mock = start.mock()
        env = {"NOTIFY_SOCKET": manager.path, **({"WATCHDOG_USEC": str(watchdog_ms * 1000)} if watchdog_ms else {})}
        return mock, start.gateway({"providers": [provider("a", mock)], "models": [model("smart", "a/m")], "retry": FAST, **more}, env=env, through=through)
    return begin


def test_the_manager_is_told_of_start_reload_and_stop_in_this_order(house, manager):
    mock, gateway = house()
    wait_for(lambda: manager.heard("READY=1") == 1)
    assert gateway.chat("ready means that it answers").status == 200
    gateway.signal(signal.SIGHUP)
    wait_for(lambda: manager.heard("READY=1") == 2)
    gateway.file.write_text("wrong")
    gateway.signal(signal.SIGHUP)
    wait_for(lambda: manager.heard("READY=1") == 3)  # a wrong file changes nothing: it serves as before
    assert gateway.stop() == 0
    words = [w for w in manager.hears() if w.split("=")[0] in ("READY", "RELOADING", "STOPPING")]
    assert words == ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]


def test_signs_of_life_go_on_through_a_long_drain(house, manager):
    mock, gateway = house()
    mock.script({"latency_ms": 1500})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(gateway.chat, "slow")
        wait_for(lambda: manager.heard("STATUS=1 in flight"))
        gateway.signal(signal.SIGTERM)
        wait_for(lambda: manager.heard("STOPPING=1"))
        before = manager.heard("WATCHDOG=1")
        assert answer.result().complete("slow")
        assert gateway.wait() == 0
    assert manager.heard("WATCHDOG=1") >= before + 3


def test_without_a_watchdog_there_are_no_signs_of_life_and_without_a_manager_it_runs_as_ever(house, manager, start):
    mock, gateway = house(watchdog_ms=0)
    wait_for(lambda: manager.heard("READY=1"))
    assert gateway.chat("x").status == 200 and gateway.stop() == 0
    assert not manager.heard("WATCHDOG=1")
    alone = start.gateway({"providers": [provider("a", mock)], "models": [model("smart", "a/m")]}, env={"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "300000"})
    assert alone.chat("x").status == 200 and alone.stop() == 0


# -- a daemon that is stuck

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000


class Frozen:
    """Holds some threads of a process and leaves the others running, as a deadlock or an endless loop would: by ptrace, from the test's own thread."""

    def __init__(self, pid, name):
        tasks = pathlib.Path(f"/proc/{pid}/task")
        self.threads = [int(t.name) for t in tasks.iterdir() if (t / "comm").read_text().strip() == name]
        assert self.threads, [(t / "comm").read_text() for t in tasks.iterdir()]
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long] * 4

    def ptrace(self, request, thread):
        assert self.libc.ptrace(request, thread, 0, 0) == 0, os.strerror(ctypes.get_errno())

    def __enter__(self):
        for t in self.threads:
            self.ptrace(PTRACE_SEIZE, t)
            self.ptrace(PTRACE_INTERRUPT, t)
            os.waitpid(t, WALL)

    def __exit__(self, *_):
        for t in self.threads:
            self.ptrace(PTRACE_DETACH, t)


# The supervisor is a guest of CAF's workers, whose threads CAF 0.17 calls caf.multiplexer too.
@pytest.mark.parametrize("thread", ["mainstay-loop", "caf.multiplexer"], ids=["event loop", "supervisor"])
def test_a_daemon_that_is_stuck_gives_no_sign_of_life(house, manager, thread):
    mock, gateway = house()
    wait_for(lambda: manager.heard("WATCHDOG=1") >= 2)
    with Frozen(gateway.pid, thread):
        time.sleep(0.2)  # a sign that was under way
        before = manager.heard("WATCHDOG=1")
        time.sleep(1.2)  # twice the manager's patience: nothing to wait for, silence is what is expected
        assert manager.heard("WATCHDOG=1") == before, "the manager would never know"
    wait_for(lambda: manager.heard("WATCHDOG=1") > before)
    assert gateway.chat("going on").status == 200


# -- the unit

def test_the_unit_has_no_mistake_and_little_exposure(tmp_path):
    unit = tmp_path / "mainstay.service"  # systemd looks whether the program is there
    unit.write_text(UNIT.read_text().replace("/usr/bin/mainstayd", "/bin/true").replace("Documentation=file:", "Documentation=https:"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=15", unit], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_unit_takes_nothing_from_the_daemon_that_it_needs(house, manager, start, tmp_path):
    redis = start.redis()
    as_nobody = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    mock, gateway = house(through=[*as_nobody, sys.executable, HERE.with_name("confined.py"), UNIT], state={"path": str(tmp_path / "state.db")},
                          journal={"path": str(tmp_path / "journal.db")}, cache={"ttl": "1h", "redis": {"url": redis.url}, "sqlite": {"path": str(tmp_path / "cache.db")}})
    wait_for(lambda: manager.heard("WATCHDOG=1"))
    status = pathlib.Path(f"/proc/{gateway.pid}/status").read_text()
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
    for i in range(20):
        assert gateway.chat(f"question {i}", stream=i % 2 == 0).complete(f"question {i}")
    with Dealer(gateway.zmq_url) as d:
        assert d.chat("on disk first", headers={"durable": True}, request_id=b"d1").complete("on disk first")
    gateway.write({**gateway.config, "providers": [{**provider("a", mock), "base_url": mock.url.replace("127.0.0.1", "localhost")}]})
    gateway.signal(signal.SIGHUP)
    wait_for(lambda: manager.heard("READY=1") == 2)
    assert gateway.chat("a name is looked up").complete("a name is looked up")
    assert gateway.chat("question 1").source == "cache"
    assert gateway.metric("mainstay_redis_up") == 1 and gateway.ctl("actors")["actors"]
    assert gateway.stop() == 0
    assert not any(" error " in line or "not permitted" in line for line in gateway.log().splitlines()), gateway.log()
