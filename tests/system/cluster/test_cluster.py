"""Several nodes as one gateway: they find each other, notice within a second who is killed, frozen or cut off, and are disturbed by nobody
who does not answer or is none of theirs."""
import contextlib
import json
import signal
import socket
import threading
import time

import pytest

from harness import SLOW, Gateway, Mock, free_ports, model, provider, wait_for

NOTICED = 1.0 * SLOW + 0.4  # a second, and what a console and a shared machine take


class Relay:
    """A link that can be cut: while it is, bytes stand still in both directions and new connections hang."""

    def __init__(self, to):
        self.to, self.cut, self.pairs = to, threading.Event(), []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listening.accept()
                threading.Thread(target=self.carry, args=(near,), daemon=True).start()

    def carry(self, near):
        self.wait_while_cut()
        try:
            far = socket.create_connection(("127.0.0.1", self.to), timeout=2)
        except OSError:
            return near.close()
        self.pairs.append((near, far))
        for a, b in ((near, far), (far, near)):
            threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                self.wait_while_cut()
                b.sendall(data)
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def wait_while_cut(self):
        while self.cut.is_set():
            time.sleep(0.005)

    def close(self):
        self.listening.close()
        self.cut.clear()


def config(mock, name, listen, peers, **more):
    cluster = {"listen": f"127.0.0.1:{listen}", "peers": [f"127.0.0.1:{p}" for p in peers], **more}
    return {"node": {"name": name}, "providers": [provider("openai", mock)], "models": [model("smart", ("openai", "gpt"))], "cluster": cluster}


class Cluster:
    def __init__(self, directory, mock, size=3):
        self.ports = free_ports(size)
        self.directory, self.mock, self.nodes = directory, mock, {}
        for i in range(size):
            self.start(i)

    def start(self, i):
        folder = self.directory / f"node-{i}"
        folder.mkdir(exist_ok=True)
        others = [p for k, p in enumerate(self.ports) if k != i]
        self.nodes[i] = Gateway(folder, config(self.mock, f"n{i}", self.ports[i], others))
        return self.nodes[i]

    def states(self, i):
        """Of its peers, by their address's port."""
        rows = self.nodes[i].ctl("nodes")["peers"]
        return {int(r["address"].rsplit(":", 1)[1]): r for r in rows}

    def sees(self, i, k):
        return self.states(i)[self.ports[k]]["state"]

    def all_up(self):
        return all(r["state"] == "up" for i in self.nodes for r in self.states(i).values())

    def stop(self):
        for node in self.nodes.values():
            node.kill()


@pytest.fixture(scope="module")
def mock(tmp_path_factory):
    with contextlib.closing(Mock(tmp_path_factory.mktemp("mock"))) as m:
        yield m


@pytest.fixture
def three(tmp_path, mock):
    cluster = Cluster(tmp_path, mock)
    wait_for(cluster.all_up, 5 * SLOW)
    yield cluster
    cluster.stop()


def test_three_nodes_find_each_other_and_say_who_they_are(three):
    for i in range(3):
        for port, row in three.states(i).items():
            assert row["node"] == f"n{three.ports.index(port)}" and row["version"] and row["losses"] == 0
            assert 0 < row["round_trip_ms"] < 100 * SLOW
            assert row["config"] != "the same", "each has a name of its own, so their files differ"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_who_is_killed_or_frozen_is_missed_within_a_second_and_welcome_again(three, how):
    victim = three.nodes[1]
    begun = time.monotonic()
    victim.signal(how)
    for i in (0, 2):
        wait_for(lambda i=i: three.sees(i, 1) == "unreachable", NOTICED)
    assert time.monotonic() - begun < NOTICED
    assert three.sees(0, 2) == three.sees(2, 0) == "up", "the others have each other"
    if how == signal.SIGKILL:
        victim.wait()
        three.start(1)
    else:
        victim.signal(signal.SIGCONT)
    wait_for(three.all_up, 2.5 * SLOW)


def test_one_that_answers_nothing_holds_up_nobody(tmp_path, mock):
    with socket.socket() as silent:  # its backlog is full: who connects waits for ever
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        fill = [socket.socket() for _ in range(4)]
        for s in fill:
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                s.connect(silent.getsockname())
        hole = silent.getsockname()[1]
        a, b = free_ports(2)
        nodes = []
        for i, (own, other) in enumerate(((a, b), (b, a))):
            folder = tmp_path / f"node-{i}"
            folder.mkdir()
            nodes.append(Gateway(folder, config(mock, f"n{i}", own, [other, hole])))
        rows = lambda: {r["address"]: r for r in nodes[0].ctl("nodes")["peers"]}
        wait_for(lambda: rows()[f"127.0.0.1:{b}"]["state"] == "up", 3 * SLOW)
        for _ in range(20):
            assert rows()[f"127.0.0.1:{b}"]["state"] == "up" and rows()[f"127.0.0.1:{b}"]["round_trip_ms"] < 50 * SLOW
            time.sleep(0.1)
        assert rows()[f"127.0.0.1:{hole}"]["state"] == "away" and rows()[f"127.0.0.1:{b}"]["losses"] == 0
        for node in nodes:
            node.kill()
        for s in fill:
            s.close()


def test_a_node_of_another_cluster_is_refused_and_both_say_why(tmp_path, mock):
    a, b, c = free_ports(3)
    nodes = []
    for i, (own, others) in enumerate(((a, [b]), (b, [a, c]))):
        folder = tmp_path / f"node-{i}"
        folder.mkdir()
        nodes.append(Gateway(folder, config(mock, f"n{i}", own, others)))
    for node, other in ((nodes[0], b), (nodes[1], a)):
        row = lambda: {r["address"]: r for r in node.ctl("nodes")["peers"]}[f"127.0.0.1:{other}"]
        wait_for(lambda: row()["state"] == "refused", 4 * SLOW)
        assert "another cluster" in row()["why"]
    for node in nodes:
        node.kill()


def test_nodes_are_replaced_one_by_one_and_the_others_stay_up(three):
    for i in range(3):
        three.nodes[i].signal(signal.SIGTERM)
        assert three.nodes[i].wait() == 0
        others = [k for k in range(3) if k != i]
        assert three.sees(others[0], others[1]) == "up"
        three.start(i)
        wait_for(three.all_up, 3 * SLOW)
    for i in range(3):
        assert sum(r["losses"] for r in three.states(i).values()) <= 2
