"""Several nodes on this machine: on loopback, or each in a network namespace of its own, whose links can be cut without a word."""
import contextlib
import json
import os
import subprocess
import uuid

from harness import BIN, SLOW, Gateway, Mock, free_ports, model, provider, wait_for

NOTICED = 1.0 * SLOW + 0.3   # a second, and what a look through the console takes
RETURNED = 2.0 * SLOW + 0.5


class Nowhere:
    """A provider that is not there."""
    url, name = "http://127.0.0.1:9/v1", "nobody"


class Node(Gateway):
    """A gateway with peers, or alone without a `cluster`. `namespace`: it lives in that one."""

    def __init__(self, directory, name, cluster=None, mock=Nowhere, namespace=None, **sections):
        directory.mkdir(exist_ok=True)
        self.namespace, self.address = namespace, cluster and cluster["listen"]
        self.inside = ("ip", "netns", "exec", namespace) if namespace else ()
        super().__init__(directory, {"node": {"name": name}, "providers": [provider("openai", mock)], "models": [model("smart", "openai/gpt")],
                                     **({"cluster": cluster} if cluster else {}), **sections}, through=self.inside)

    def ready(self):
        """the gateway is ready"""
        if not self.namespace:
            return super().ready()
        assert self.alive(), self.log()
        return self.ctl("status", check=False).get("state") == "ready"

    def ctl(self, *words, check=True):
        tls = self.config.get("tls")
        shown = ["--tls-cert", tls["cert"], "--tls-key", tls["key"], "--tls-ca", tls["ca"]] if tls else []
        done = subprocess.run([*self.inside, BIN / "mainstayctl", "--node", f"127.0.0.1:{self.admin}", *shown, "--json", *words],
                              capture_output=True, text=True, timeout=60 * SLOW)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return {"error": done.stderr} if done.returncode == 2 else json.loads(done.stdout or done.stderr)

    def peers(self):
        """Rows of its peers, by address."""
        return {r["address"]: r for r in self.ctl("nodes").get("peers", [])}

    def sees(self, other):
        return self.peers()[getattr(other, "address", other)]["state"]


class Cluster:
    """Nodes on loopback that know each other. `state`: each has a file for what outlives it. Whoever wants them to differ overrides `settings`."""

    def __init__(self, directory, size=3, mock=Nowhere, state=False, **sections):
        self.directory, self.mock, self.state, self.sections = directory, mock, state, sections
        self.addresses = sorted(f"127.0.0.1:{p}" for p in free_ports(size))  # each dials those after it
        self.nodes = [self.make(i) for i in range(size)]

    def settings(self, i):
        """what that node's configuration says beside its name and its peers"""
        own = {"state": {"path": str(self.directory / f"state-{i}.db")}} if self.state else {}
        return {**self.sections, **own}

    def make(self, i):
        others = [a for k, a in enumerate(self.addresses) if k != i]
        return Node(self.directory / f"n{i}", f"n{i}", {"listen": self.addresses[i], "peers": others}, self.mock, **self.settings(i))

    def start(self, i):
        self.nodes[i] = self.make(i)
        return self.nodes[i]

    def all_up(self):
        """every node sees every other"""
        return all(r["state"] == "up" for n in self.nodes for r in n.peers().values())

    def close(self):
        for n in self.nodes:
            n.kill()


@contextlib.contextmanager
def standing(kind, directory, size=3):
    """A cluster of that kind and its provider, once all nodes see each other."""
    with contextlib.ExitStack() as ends:
        mock = Mock(directory, "p")
        ends.callback(mock.kill)
        cluster = ends.enter_context(contextlib.closing(kind(directory, size, mock)))
        wait_for(cluster.all_up, 3)
        yield cluster


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True)


class Namespaces:
    """So many, each with an address, every two of them linked; torn down at the end."""

    def __init__(self, size=3):
        tag = uuid.uuid4().hex[:6]
        self.names = [f"mst{tag}{i}" for i in range(size)]
        self.addresses = [f"10.77.0.{i + 1}" for i in range(size)]
        for name in self.names:
            self.must("netns", "add", name)
            self.must("-n", name, "link", "set", "lo", "up")
        for i in range(size):
            for k in range(i):
                self.must("-n", self.names[i], "link", "add", f"to{k}", "type", "veth", "peer", "name", f"to{i}", "netns", self.names[k])
                for here, there in ((i, k), (k, i)):
                    self.must("-n", self.names[here], "addr", "add", f"{self.addresses[here]}/32", "dev", f"to{there}")
                    self.must("-n", self.names[here], "link", "set", f"to{there}", "up")
                    self.must("-n", self.names[here], "route", "add", f"{self.addresses[there]}/32", "dev", f"to{there}", "src", self.addresses[here])

    @staticmethod
    def possible():
        name = f"mst{uuid.uuid4().hex[:8]}"
        if os.geteuid() != 0 or ip("netns", "add", name).returncode != 0:
            return False
        linked = ip("-n", name, "link", "add", "to0", "type", "veth", "peer", "name", "to1").returncode == 0
        ip("netns", "del", name)
        return linked

    @staticmethod
    def must(*words):
        done = ip(*words)
        assert done.returncode == 0, (words, done.stderr)

    def cut(self, i, k):
        """What either says to the other goes to nobody, and nobody says so."""
        for here, there in ((i, k), (k, i)):
            self.must("-n", self.names[here], "neigh", "replace", self.addresses[there], "lladdr", "02:00:00:00:00:99", "dev", f"to{there}", "nud", "permanent")

    def mend(self, i, k):
        for here, there in ((i, k), (k, i)):
            self.must("-n", self.names[here], "neigh", "del", self.addresses[there], "dev", f"to{there}")

    def close(self):
        for name in self.names:
            ip("netns", "del", name)
