"""Three nodes that share one provider key, a mock that writes down when each request came, and callers at each of them. With `cuts` every
node, and the mock, lives in a network namespace of its own."""
import contextlib
import ctypes
import json
import signal
import threading
import time

from harness import BIN, Mock, Process, free_ports, model, provider, wait_for
from nodes import Namespaces, Node

CLONE_NEWNET = 0x40000000


def inside(namespace, work):
    """What `work` gives, done by a thread that sees that namespace's network; on this machine's own where there is none."""
    if not namespace:
        return work()
    out = []

    def enter():
        with open(f"/run/netns/{namespace}") as f:
            if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        out.append(work())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert out, "see the thread's own words above"
    return out[0]


class FarMock(Mock):
    """In a namespace, where the nodes reach it by its address and the test by entering."""

    def __init__(self, directory, namespace, address, **options):
        self.namespace, self.address = namespace, address
        super().__init__(directory, listen="0.0.0.0", through=("ip", "netns", "exec", namespace), **options)

    @property
    def url(self):
        return f"http://{self.address}:{self.port}/v1"

    def listening(self):
        """the mock listens"""
        return inside(self.namespace, super().listening)

    def script(self, *rules):
        return inside(self.namespace, lambda: Mock.script(self, *rules))

    def seen(self):
        return inside(self.namespace, super().seen)

    def stats(self):
        return inside(self.namespace, super().stats)


class Callers(Process):
    """mainstay-load at a node's door: so many requests a second come to it, whatever becomes of them."""

    def __init__(self, directory, node, number, *options):
        self.file = directory / f"callers-{number}.json"
        super().__init__([*node.inside, BIN / "mainstay-load", "--http", f"127.0.0.1:{node.http}", "--quiet", "--json", self.file, *options],
                         directory / f"callers-{number}.log")

    def result(self, seconds=30):
        self.wait(seconds)
        return json.loads(self.file.read_text())


class World:
    """`key`: its limits. `joined`: the nodes know each other. `journal`, `state`: each has one."""

    def __init__(self, directory, key, size=3, cuts=False, joined=True, journal=False, state=False, **sections):
        self.directory, self.ends, self.runs = directory, contextlib.ExitStack(), 0
        with contextlib.ExitStack() as ends:
            self.net = ends.enter_context(contextlib.closing(Namespaces(size + 1))) if cuts else None
            self.mock = FarMock(directory, self.net.names[size], self.net.addresses[size]) if cuts else Mock(directory)
            ends.callback(self.mock.kill)
            addresses = [f"{a}:4300" for a in self.net.addresses[:size]] if cuts else [f"127.0.0.1:{p}" for p in free_ports(size)]
            common = {"providers": [provider("p", self.mock, [{"name": "k", **key}])], "models": [model("smart", "p/m")], **sections}
            self.nodes = []
            for i, own in enumerate(addresses):
                cluster = {"listen": own, "peers": [a for a in addresses if a != own], **({"cleartext": True} if cuts else {})}
                files = {"journal": journal, "state": state}
                own_files = {name: {"path": str(directory / f"{name}-{i}.db")} for name, wanted in files.items() if wanted}
                self.nodes.append(Node(directory / f"n{i}", f"n{i}", cluster if joined else None, namespace=self.net.names[i] if cuts else None, **common, **own_files))
                ends.callback(self.nodes[-1].kill)
            self.ends = ends.pop_all()
        if joined:
            wait_for(self.all_up, 5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ends.close()

    def all_up(self):
        """every node sees every other"""
        return all(r["state"] == "up" for n in self.nodes for r in n.peers().values())

    def callers(self, i, *options):
        self.runs += 1
        started = Callers(self.directory, self.nodes[i], self.runs, *options)
        self.ends.callback(started.kill)
        return started

    # what may happen to a node or a link
    def kill(self, i):
        self.nodes[i].kill()

    def end(self, i):
        assert self.nodes[i].stop() == 0, self.nodes[i].log()

    def start(self, i):
        """The same node at the same doors."""
        node = self.nodes[i]
        Process.__init__(node, node.popen.args, node.log_path)
        wait_for(node.ready, 20)

    def freeze(self, i):
        self.nodes[i].signal(signal.SIGSTOP)

    def thaw(self, i):
        self.nodes[i].signal(signal.SIGCONT)

    def cut(self, i, k):
        self.net.cut(i, k)

    def mend(self, i, k):
        self.net.mend(i, k)

    def go_through(self, schedule, begun):
        """[(seconds after `begun`, what happens, to whom...)], in order. Returns the same with the moments at which each had happened."""
        out = []
        for at, what, *whom in schedule:
            time.sleep(max(0, begun + at - time.monotonic()))
            getattr(self, what)(*whom)
            out.append((time.monotonic() - begun, what, *whom))
        return out

    def clock(self):
        """What to add to time.monotonic() to have the mock's clock."""
        return self.mock.stats()["now"] - time.monotonic()

    def arrivals(self):
        """Of the key's requests at the provider, in seconds since the mock's start, oldest first."""
        return sorted(r["time"] for r in self.mock.seen() if r["key"] == "secret-p-k")
