"""tools/run --cluster N: so many nodes on this machine that know each other, with config/mainstay.yaml, doors and files of their own."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

NAMES = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"]
FIRST = {"http": 8080, "zmq": 5555, "admin": 4242, "metrics": 9464, "cluster": 4300}
PATIENCE = 60  # seconds, for all to be there
MORE = """
cluster: {{ listen: {own}, peers: {peers} }}
state: {{ path: {state} }}
"""


def place(first, taken):
    """That port of this machine, or a free one."""
    for port in (first, 0):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            got = s.getsockname()[1]
            if got not in taken:
                taken.add(got)
                return f"127.0.0.1:{got}"
    return place(0, taken)


class Node:
    def __init__(self, name, at, peers, template, directory, program):
        self.name, self.at, self.peers, self.directory = name, at, len(peers), pathlib.Path(directory) / name
        self.directory.mkdir()
        config = self.directory / "mainstay.yaml"
        alpha, own = "node: { name: alpha }", f"node: {{ name: {name} }}"
        if alpha not in template:
            sys.exit(f"the configuration does not say {alpha}: no node could have a name of its own")
        text = template.replace(alpha, own)
        config.write_text(text + MORE.format(own=at["cluster"], peers=json.dumps(peers), state=json.dumps(str(self.directory / "state.db"))))
        env = {**os.environ, "MAINSTAY_HTTP": at["http"], "MAINSTAY_ZMQ": "tcp://" + at["zmq"], "MAINSTAY_ADMIN": at["admin"],
               "MAINSTAY_METRICS": at["metrics"], "MAINSTAY_CACHE_FILE": ""}
        with open(self.directory / "log", "w") as log:
            # In a group of its own: Ctrl-C is for us, who end them in order.
            self.process = subprocess.Popen([program, "--config", config], stderr=log, env=env, start_new_session=True)

    def log(self):
        return (self.directory / "log").read_text()

    def ready(self):
        """And whoever is to be there has been found."""
        if self.process.poll() is not None:
            sys.exit(f"node {self.name} ended with code {self.process.returncode}:\n{self.log()}")
        try:
            urllib.request.urlopen(f"http://{self.at['metrics']}/readyz", timeout=1).read()
            text = urllib.request.urlopen(f"http://{self.at['metrics']}/metrics", timeout=1).read().decode()
            return sum(line.startswith("mainstay_peer_up") and line.endswith(" 1") for line in text.splitlines()) == self.peers
        except OSError:
            return False


def on_signals(act):
    """Ctrl-C, and what a supervisor sends instead."""
    for s in (signal.SIGINT, signal.SIGTERM):
        signal.signal(s, act)


def end_in_order(nodes):
    on_signals(lambda *_: end_at_once(nodes))
    raise KeyboardInterrupt


def end_at_once(nodes):
    """What somebody wants who signals again."""
    os.write(sys.stdout.fileno(), b"ending at once: what runs is not finished\n")  # whatever print is at
    for n in nodes:
        n.process.kill()


def run(count, template, bin, shown):
    """Until a signal comes. `shown`: how the folder of the programs is called to a reader."""
    if count > len(NAMES):
        sys.exit(f"there are names for {len(NAMES)} nodes")
    taken = set()
    doors = [{door: place(port + i, taken) for door, port in FIRST.items()} for i in range(count)]
    nodes = []
    on_signals(lambda *_: end_in_order(nodes))  # from the first node on
    with tempfile.TemporaryDirectory(prefix="mainstay-cluster-") as directory:
        try:
            for name, at in zip(NAMES, doors):
                peers = [d["cluster"] for d in doors if d is not at]
                nodes.append(Node(name, at, peers, template, directory, bin / "mainstayd"))
            end = time.monotonic() + PATIENCE
            while not all(n.ready() for n in nodes):
                if time.monotonic() > end:
                    sys.exit(f"after {PATIENCE} s not every node is ready and has found the others:\n" + "".join(n.log() for n in nodes))
                time.sleep(0.05)
            print(f"{'node':10}{'OpenAI SDK':30}{'message queue':24}{'console':18}{'dashboard':28}peers")
            for n in nodes:
                print(f"{n.name:10}http://{n.at['http'] + '/v1':23}tcp://{n.at['zmq']:18}{n.at['admin']:18}http://{n.at['metrics'] + '/':21}{n.at['cluster']}")
            print(f"\nlook at them with   {shown}/mainstayctl --node {nodes[0].at['admin']} nodes\n"
                  f"their files are in  {directory}; kill one (its process ids: {', '.join(str(n.process.pid) for n in nodes)}) and look again; Ctrl-C ends all.",
                  flush=True)
            while any(n.process.poll() is None for n in nodes):
                time.sleep(0.2)
            sys.exit("every node has ended")
        except KeyboardInterrupt:
            print("\nending: what runs is finished first; Ctrl-C again ends all at once", flush=True)
        finally:
            on_signals(lambda *_: end_at_once(nodes))
            for n in nodes:
                if n.process.poll() is None:
                    n.process.terminate()
            for n in nodes:
                try:
                    n.process.wait(35)
                except subprocess.TimeoutExpired:
                    n.process.kill()
                    n.process.wait()
