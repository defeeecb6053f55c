"""What it costs to be one of several nodes. Three on loopback, on the same mock; where a lone node is the other side, it has the same limits."""
import contextlib
import json
import signal
import subprocess

import load
from meters import cpu_seconds
from programs import BIN, Daemon, Invalid, free_port, wait_until
from quantity import Quantity
from sizes import SHORT

MODEL = "plain-1k"
MOST = {"rpm": 100_000_000, "tpm": 1_000_000_000_000, "concurrency": 100_000}


def providers(stage, limits, name="mock-key", **more):
    return [{"name": "mock", "base_url": f"http://127.0.0.1:{stage.mock.port}/v1", "pool": {"connections": 8192, "per_host": 8192},
             "timeouts": {"idle": "600s", "first_byte": "600s", "total": "600s"}, "keys": [{"name": "first", "secret": name, **limits}], **more}]


class Cluster:
    """`sections`: of each node's configuration, by its number."""

    def __init__(self, stage, sections, size=3):
        addresses = [f"127.0.0.1:{free_port()}" for _ in range(size)]
        self.nodes = [stage.keep(Daemon(stage.directory, stage.mock.port, stage.models, {
            "node": {"name": f"n{i}"}, "cluster": {"listen": own, "peers": [a for a in addresses if a != own]}, **sections(i)})) for i, own in enumerate(addresses)]
        self.wait_until_up()

    def wait_until_up(self):
        wait_until("nodes that see each other", lambda: all(p["state"] == "up" for n in self.nodes for p in self.peers(n)), 10)

    @staticmethod
    def peers(node):
        done = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{node.admin}", "--json", "nodes"], capture_output=True, text=True)
        return json.loads(done.stdout)["peers"] if done.returncode == 0 else [{"state": "unknown"}]

    @contextlib.contextmanager
    def frozen(self, i):
        self.nodes[i].popen.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.nodes[i].popen.send_signal(signal.SIGCONT)
            self.wait_until_up()


def at_once(stage, sides, seconds, rate):
    """What each of `sides` (daemons by name) answered, `rate` requests a second each: at the same time, so that what the machine does
    meanwhile falls on all."""
    with contextlib.ExitStack() as ends:
        loads = {}
        for name, daemon in sides.items():
            loads[name] = load.Load(stage.directory, daemon.door, MODEL, seconds=seconds, rate=rate, connections=200)
            ends.callback(loads[name].stop)
        return {name: one.report() for name, one in loads.items()}


class Paced:
    """The CPU of a request at one node of three, against another way to do the same; the node's limit by the second is `limit` requests."""
    sections = None
    most_rounds = 100

    def __init__(self, size, name, what, limit, other, other_limit, target):
        self.rate = 200 if size is SHORT else 750
        self.name, self.other = name, other
        self.limit, self.other_limit = round(limit * self.rate), round(other_limit * self.rate)
        self.title = f"plain, 1 KB answers, {self.rate} a second at one node of three, of a key's {self.limit}{what}"
        self.quantities = (Quantity("cpu_us", "CPU per request", "µs", "ratio", target, other),)

    def prepare(self, stage):
        def limited(limit):
            return {"providers": providers(stage, {"rps": limit})}
        alone = self.other == "alone"
        other = stage.keep(Daemon(stage.directory, stage.mock.port, stage.models, limited(self.other_limit))) if alone else \
            Cluster(stage, lambda _: limited(self.other_limit)).nodes[0]
        self.sides = {self.other: other, "mainstay": Cluster(stage, lambda _: limited(self.limit)).nodes[0]}
        at_once(stage, self.sides, stage.size.warm, self.rate)

    def round(self, stage, turned):
        before = {name: cpu_seconds(daemon.pids) for name, daemon in self.sides.items()}
        seen = at_once(stage, self.sides, 2 * stage.size.seconds, self.rate)
        return {name: {"cpu_us": (cpu_seconds(daemon.pids) - before[name]) / seen[name]["requests"] * 1e6,
                       "p50_us": seen[name]["latency_us"]["p50"], "p99_us": seen[name]["latency_us"]["p99"]} for name, daemon in self.sides.items()}


class Forwarded:
    """A node that has no room hands its requests on at once; the same requests at the node that does them."""
    name = "forward"
    title = "plain, 1 KB answers, 1 connection at a full node, done by a peer: added to asking that peer"
    sections = None
    most_rounds = 100
    quantities = (Quantity("p50_us", "median latency", "µs", "added", 400),)
    room = 2  # requests in flight at the full node: its queue and its pool

    def prepare(self, stage):
        stage.models["never"] = {"latency_ms": 600_000}

        def sections(i):
            if i:
                return {"providers": providers(stage, MOST, "peers-key")}
            return {"providers": providers(stage, MOST, "full-nodes-key", pool={"connections": 1, "per_host": 1}), "queue": {"capacity": 1}}

        self.cluster = Cluster(stage, sections, 2)
        self.full, self.peer = self.cluster.nodes
        self.blocking = stage.keep(load.Load(stage.directory, self.full.door, "never", connections=self.room, seconds=600))
        wait_until("a full node", lambda: self.in_flight() == self.room)
        for daemon in (self.full, self.peer):
            load.run(stage.directory, daemon.door, MODEL, seconds=stage.size.warm)

    def in_flight(self):
        done = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{self.full.admin}", "--json", "status"], capture_output=True, text=True)
        return json.loads(done.stdout)["in_flight"]

    def round(self, stage, turned):
        out, sides = {}, [("direct", self.peer), ("mainstay", self.full)]
        for name, daemon in reversed(sides) if turned else sides:
            seen = load.run(stage.directory, daemon.door, MODEL, seconds=stage.size.seconds)
            out[name] = {"p50_us": seen["latency_us"]["p50"], "p99_us": seen["latency_us"]["p99"]}
        if stage.mock.stats()["keys"].get("full-nodes-key", {}).get("requests", 0) > self.room:
            raise Invalid(f"{self.name}: the full node asked the provider itself")
        return out


class Frozen:
    """Own requests of a node, from the moment on at which a peer is stopped; meanwhile the same at another cluster, which is well.
    The two take turns to have the stopped peer."""
    sections = None
    most_rounds = 100

    def __init__(self, size, name, share, what, target):
        self.name = name
        self.limit = 400 if size is SHORT else 3000
        self.rate = round(share * self.limit)
        self.title = f"plain, 1 KB answers, {self.rate} a second at one node of three, of a key's {self.limit} ({what}): a peer frozen, against all healthy"
        self.quantities = (Quantity("p99_us", "99th percentile of latency", "µs", "ratio", target, "healthy"),
                           Quantity("p50_us", "median latency", "µs", "ratio", None, "healthy"))

    def prepare(self, stage):
        self.clusters = [Cluster(stage, lambda _: {"providers": providers(stage, {"rps": self.limit})}) for _ in range(2)]
        at_once(stage, {i: cluster.nodes[0] for i, cluster in enumerate(self.clusters)}, stage.size.warm, self.rate)

    def round(self, stage, turned):
        hurt, well = reversed(self.clusters) if turned else self.clusters
        with hurt.frozen(2):
            seen = at_once(stage, {"mainstay": hurt.nodes[0], "healthy": well.nodes[0]}, 2 * stage.size.seconds, self.rate)
        return {name: {"p50_us": one["latency_us"]["p50"], "p99_us": one["latency_us"]["p99"]} for name, one in seen.items()}


def scenarios(size):
    return [Paced(size, "lease", ", so that it borrows all the time: against a node whose own share is enough", 2, "own", 200, 1.05),
            Paced(size, "joined", ", its own share is enough: against a node alone", 200, "alone", 200, None), Forwarded(),
            Frozen(size, "frozen", 1 / 6, "its own share is enough", 1.2),
            Frozen(size, "frozen-borrowing", 0.45, "it has to borrow", None)]
