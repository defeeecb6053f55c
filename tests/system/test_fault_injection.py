"""Every system call that can fail does so at random under load (tests/support/faulty.cpp), and nothing else happens than errors for those
whom it concerns: the daemon goes on, everybody is answered in time, and afterwards all is as before."""
import collections
import json
import mmap
import os
import struct
import subprocess
import threading
import time

import pytest
import zmq

from harness import BIN, FAST, SLOW, Dealer, model, provider, wait_for

DOORS, OUTGOING, FILES, DESCRIPTORS = 1, 2, 4, 8
CALLERS = 4  # of each sort
QUICK = {"failure_threshold": 5, "recovery_timeout": "200ms"}
LONG = 20 if os.environ.get("MAINSTAY_FULL") == "1" else 3  # seconds of faults
OVER = 20  # seconds: no call takes longer, whatever fails


class Faults:
    """The page that is shared with the daemon."""

    def __init__(self, path):
        path.write_bytes(bytes(mmap.PAGESIZE))
        self.path, self.file = path, open(path, "r+b")
        self.page = mmap.mmap(self.file.fileno(), mmap.PAGESIZE)

    def begin(self, which, of_a_million):
        self.page[:8] = struct.pack("=II", of_a_million, which)

    def end(self):
        self.page[:8] = bytes(8)

    def failed(self):
        """calls that failed, of each kind"""
        return dict(zip((DOORS, OUTGOING, FILES, DESCRIPTORS), struct.unpack("=4I", self.page[8:24])))


class Load:
    """Callers at both doors, whole answers and streams, durable requests among them, as long as it goes on."""

    def __init__(self, gateway, name):
        self.gateway, self.name = gateway, name
        self.over, self.lock = threading.Event(), threading.Lock()
        self.answers, self.lost, self.accepted, self.late = [], [], [], []
        sorts = [self.http_whole, self.http_stream, self.zmq_whole, self.zmq_stream, self.zmq_durable]
        self.threads = [threading.Thread(target=self.go_on, args=(sort, i)) for sort in sorts for i in range(CALLERS)]

    def go_on(self, sort, caller):
        i = 0
        while not self.over.is_set():
            i += 1
            question, began = f"{self.name} {sort.__name__} {caller} {i}", time.monotonic()
            try:
                answer = sort(question)
                with self.lock:
                    self.answers.append((question, answer))
            except (OSError, zmq.Again, json.JSONDecodeError) as e:  # its connection ended
                with self.lock:
                    self.lost.append((question, e))
            except Exception as e:
                if not type(e).__module__.startswith("http"):
                    raise
                with self.lock:
                    self.lost.append((question, e))
            if time.monotonic() - began > OVER * SLOW:
                self.late.append((question, time.monotonic() - began))

    def http_whole(self, question):
        return self.gateway.chat(question, timeout=OVER)

    def http_stream(self, question):
        return self.gateway.chat(question, stream=True, timeout=OVER)

    def zmq_whole(self, question, stream=False):
        with Dealer(self.gateway.zmq_url, timeout=OVER if self.name != "everything" else 2) as d:
            return d.chat(question, stream=stream)

    def zmq_stream(self, question):
        return self.zmq_whole(question, stream=True)

    def zmq_durable(self, question):
        with Dealer(self.gateway.zmq_url, timeout=OVER if self.name != "everything" else 2) as d:
            name = question.encode()
            d.send(name, b"chat", {"model": "smart", "messages": [{"role": "user", "content": question}]}, {"durable": True})
            _, kind, labels, body = d.receive()
            if kind == "accepted":
                with self.lock:
                    self.accepted.append(name)
                return d.answer()
            return labels["status"], body

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join(2 * OVER * SLOW)
        assert not any(t.is_alive() for t in self.threads), "a caller hangs"


def status_of(answer):
    return answer[0] if isinstance(answer, tuple) else answer.status


@pytest.fixture
def world(start, tmp_path):
    faults = Faults(tmp_path / "faults")
    a, b, redis = start.mock("a"), start.mock("b"), start.redis()
    gateway = start.gateway(
        {"providers": [provider("a", a, breaker=QUICK), provider("b", b, breaker=QUICK)], "models": [model("smart", "a/m", "b/m")],
         "retry": {**FAST, "max_retries": 3}, "deadline": "5s",
         "cache": {"ttl": "1h", "redis": {"url": redis.url}, "sqlite": {"path": str(tmp_path / "cache.db")}},
         "journal": {"path": str(tmp_path / "journal.db")}, "state": {"path": str(tmp_path / "state.db")},
         "privacy": {"audit": {"path": str(tmp_path / "audit.jsonl")}}},
        env={"LD_PRELOAD": str(BIN / "libmainstay-faulty.so"), "MAINSTAY_FAULTS": str(faults.path)})
    return gateway, faults, tmp_path, {a.port, b.port}


def descriptors(gateway, providers):
    """what it holds, by sort: connections to providers, which it keeps for the next request, and everything else"""
    to_provider = set()
    for line in open("/proc/net/tcp").read().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].rpartition(":")[2], 16) in providers:
            to_provider.add(f"socket:[{fields[9]}]")
    kept, others = 0, collections.Counter()
    for fd in os.listdir(f"/proc/{gateway.pid}/fd"):
        try:
            target = os.readlink(f"/proc/{gateway.pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if target in to_provider:
            kept += 1
        else:
            others[target.partition(":")[0]] += 1
    return kept, others


def test_whatever_fails_everybody_is_answered_and_afterwards_all_is_as_before(world):
    gateway, faults, folder, providers = world
    with Load(gateway, "before") as before:
        time.sleep(0.7)
    assert not before.lost and all(status_of(a) == 200 for _, a in before.answers), before.lost
    wait_for(gateway.at_rest)
    held = descriptors(gateway, providers)[1]

    # Providers, Redis and the disk fail: each caller has an answer, and be it an error.
    faults.begin(OUTGOING | FILES, 20_000)
    with Load(gateway, "beneath") as beneath:
        time.sleep(LONG)
    assert gateway.alive(), gateway.log()[-4000:]
    assert not beneath.lost and not beneath.late, (beneath.lost, beneath.late)
    assert sum(status_of(a) == 200 for _, a in beneath.answers) > len(beneath.answers) / 2

    # And the doors themselves, and what new descriptors need: now a caller's connection may end too.
    faults.begin(DOORS | OUTGOING | FILES | DESCRIPTORS, 10_000)
    with Load(gateway, "everything") as everything:
        time.sleep(LONG)
    assert gateway.alive(), gateway.log()[-4000:]
    assert everything.answers and not everything.late, everything.late
    faults.end()
    print("failed:", faults.failed(), "answers:", len(beneath.answers), len(everything.answers), "connections lost:", len(everything.lost))
    assert all(count > 20 for count in faults.failed().values()), faults.failed()

    def all_is_well():
        """a request at each door succeeds"""
        with Dealer(gateway.zmq_url) as d:
            return gateway.chat("after?").status == 200 and d.chat("after??").status == 200
    wait_for(all_is_well)
    with Load(gateway, "after") as after:
        time.sleep(0.7)
    assert not after.lost and all(status_of(a) == 200 for _, a in after.answers), (after.lost, [a for _, a in after.answers if status_of(a) != 200][:3])
    wait_for(gateway.at_rest)
    give_back = time.monotonic() + 10 * SLOW
    while (leaked := descriptors(gateway, providers)[1] - held) and time.monotonic() < give_back:
        time.sleep(0.05)
    assert not leaked, leaked
    assert descriptors(gateway, providers)[0] <= 2 * len(after.threads)

    # What was accepted as durable has its answer.
    with Dealer(gateway.zmq_url) as d:
        for name in (beneath.accepted + everything.accepted)[-50:]:
            d.send(name, b"collect", b"")
            got, kind, labels, body = d.receive()
            if kind == "accepted":
                got, kind, labels, body = d.receive()
            assert got == name and labels["status"] != 404, (name, kind, labels, body)
    gateway.stop()
    done = subprocess.run([BIN / "mainstayctl", "--json", "audit", "verify", folder / "audit.jsonl"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
