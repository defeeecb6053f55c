"""A console of any node speaks to all: commands at another node, sums, one request wherever it ran, a drain that is watched. Who does not answer is named, and never
waited for; orders are in the audit of the node that carries them out; nobody is obeyed who should not be."""
import contextlib
import json
import signal
import subprocess
import threading
import time

import pytest

from authority import Authority
from harness import BIN, SLOW, free_ports, wait_for
from nodes import NOTICED, RETURNED, Cluster, Node, standing

PATIENCE = 2 * SLOW + 1.5  # two seconds, and what a console takes to begin


class House(Cluster):
    """Nodes with an audit of their own each."""

    def settings(self, i):
        return {"privacy": {"audit": {"path": str(self.directory / f"audit{i}.jsonl")}}, **self.sections}

    def changes(self, i):
        """what operators changed at that node, from its audit"""
        lines = (self.directory / f"audit{i}.jsonl").read_text().splitlines()
        return [e for e in map(json.loads, lines) if "change" in e]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with standing(House, tmp_path_factory.mktemp("three")) as cluster:
        yield cluster


@pytest.fixture
def whole(three):
    wait_for(three.all_up, RETURNED)
    yield three
    three.mock.reset()
    wait_for(three.all_up, RETURNED)


def test_any_command_is_asked_at_another_node_by_its_name_or_address(whole):
    a, b = whole.nodes[:2]
    for there in ("n1", b.address):
        assert a.ctl("on", there, "status")["node"] == "n1"
        assert a.ctl("--on", there, "nodes")["nodes"][0]["address"] == b.address
    assert a.ctl("on", "n0", "status")["node"] == "n0", "itself, too"
    assert a.ctl("on", "n1", "no such command", check=False)["error"].startswith("unknown command")
    assert "there is no node n7" in a.ctl("on", "n7", "status", check=False)["error"]
    assert "say: on NODE COMMAND" in a.ctl("on", "n1", check=False)["error"]
    assert a.ctl("on", "n1", "top")["node"] == "n1"
    drawn = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{a.admin}", "on", "n2", "top"], capture_output=True, text=True, timeout=20)
    assert "n2" in drawn.stdout


def test_what_another_node_asks_is_never_passed_on(whole):
    assert "this node asks no other" in whole.nodes[0].ctl("on", "n1", "on", "n2", "status", check=False)["error"]
    assert whole.nodes[0].ctl("on", "n1", "status", "--all")["answered"] == "1 of 1 nodes"


def test_keys_of_clients_do_not_travel_between_nodes(whole):
    for words in (("create", "shop"), ("rotate", "shop")):
        assert "keys do not travel" in whole.nodes[0].ctl("on", "n1", "clients", *words, check=False)["error"]
    assert all(r["client"] != "shop" for r in whole.nodes[1].ctl("clients")["clients"])


def test_all_nodes_figures_and_their_sums(whole):
    before = whole.nodes[0].ctl("status", "--all")
    for i, node in enumerate(whole.nodes):
        for k in range(i + 1):
            assert node.chat(f"sums {i} {k}").status == 200

    def counted():
        """all are counted"""
        now = whole.nodes[1].ctl("status", "--all")
        return now if now["ok"] == before["ok"] + 6 else None
    now = wait_for(counted, 3)
    assert now["answered"] == "3 of 3 nodes" and [r["state"] for r in now["nodes"]] == ["ready"] * 3
    assert {r["node"]: r["address"] for r in now["nodes"]} == {f"n{i}": a for i, a in enumerate(whole.addresses)}
    for column in ("ok", "accepted", "failed", "tokens_today", "in_flight", "waiting"):
        assert now[column] == sum(r[column] for r in now["nodes"]), column
    assert now["tokens_today"] > before["tokens_today"]
    assert now["requests_per_second"] == pytest.approx(sum(r["requests_per_second"] for r in now["nodes"]))
    assert whole.nodes[1].ctl("top", "--all")["answered"] == "3 of 3 nodes"
    drawn = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{whole.nodes[2].admin}", "top", "--all"], capture_output=True, text=True, timeout=20).stdout
    assert "3 of 3 nodes" in drawn and all(f"n{i}" in drawn for i in range(3)), drawn


def test_a_request_is_found_at_whichever_node_it_ran(whole):
    name = whole.nodes[2].chat("where is it").headers["x-request-id"]
    wait_for(lambda: "at_node" not in whole.nodes[2].ctl("trace", name, check=False) and "error" not in whole.nodes[2].ctl("trace", name, check=False), 3)
    found = whole.nodes[0].ctl("trace", name)
    assert found["at_node"] == f"n2 ({whole.addresses[2]})" and found["request"] == name
    assert "no such request" in whole.nodes[0].ctl("trace", "req_nobody", check=False)["error"]


def test_an_order_is_in_the_audit_of_the_node_that_carries_it_out(whole):
    assert whole.nodes[0].ctl("on", "n1", "breakers", "openai", "open")
    whole.nodes[0].ctl("on", "n1", "breakers", "openai", "auto")
    wait_for(lambda: len(whole.changes(1)) == 2, 3)
    assert [(e["who"], e["change"], e["name"], e["outcome"]) for e in whole.changes(1)] == [
        (f"console through {whole.addresses[0]}", "breakers open", "openai", "ok"), (f"console through {whole.addresses[0]}", "breakers auto", "openai", "ok")]
    assert whole.changes(0) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_who_does_not_answer_is_named_and_not_waited_for(whole, how):
    a, victim = whole.nodes[0], whole.nodes[1]
    victim.signal(how)
    began = time.monotonic()
    assert "n1 (" in a.ctl("on", "n1", "status", check=False)["error"]
    assert time.monotonic() - began < PATIENCE
    began = time.monotonic()
    now = a.ctl("status", "--all")
    assert time.monotonic() - began < PATIENCE
    assert now["answered"] == "2 of 3 nodes"
    row = next(r for r in now["nodes"] if r["address"] == victim.address)
    assert row["state"] == "no answer" and row["why"]
    wait_for(lambda: a.sees(victim) == "unreachable", NOTICED)
    assert "is unreachable" in a.ctl("on", "n1", "status", check=False)["error"]
    assert f"n1 ({victim.address})" in a.ctl("trace", "req_nobody", check=False)["error"]
    if how == signal.SIGSTOP:
        return victim.signal(signal.SIGCONT)
    victim.kill()
    whole.start(1)


def test_a_drain_is_begun_and_watched_from_another_node(whole):
    a, b = whole.nodes[0], whole.nodes[1]
    whole.mock.script({"fault": "slow_first_token", "delay_ms": int(1500 * SLOW)})
    held = [threading.Thread(target=b.chat, args=(f"held {i}",)) for i in range(3)]
    for t in held:
        t.start()
    wait_for(lambda: a.ctl("on", "n1", "status")["in_flight"] == 3, 5)
    seen = []
    watch = subprocess.Popen([BIN / "mainstayctl", "--node", f"127.0.0.1:{a.admin}", "--json", "--on", "n1", "drain"], stdout=subprocess.PIPE, text=True)
    while watch.poll() is None:
        row = next(r for r in a.ctl("status", "--all")["nodes"] if r["address"] == b.address)
        seen.append((row["state"], row.get("in_flight")))
    report = json.loads(watch.stdout.read())
    assert watch.returncode == 0 and report["drain"] == "over" and report["node"] == "n1" and 0 < report["seconds"] < 10 * SLOW
    assert ("draining", 3) in seen, seen
    for t in held:
        t.join()
    assert b.wait() == 0, b.log()
    b.kill()
    wait_for(lambda: [e["who"] for e in whole.changes(1) if e["change"] == "drain"] == [f"console through {a.address}"], 3)
    whole.start(1)


class Tuned(Node):
    """Its doors are changed before it reads of them."""

    def __init__(self, tune, *words, **sections):
        self.tune = tune
        super().__init__(*words, **sections)

    def write(self, config):
        self.tune(config["doors"])
        super().write(config)


def test_operators_are_those_of_the_node_they_speak_to_and_a_node_without_a_console_obeys_nobody(tmp_path):
    authority = Authority(tmp_path)
    certificates = {name: {**authority.issue(name), "ca": str(authority.path("pem"))} for name in ("node", "alice", "mallory")}
    a, b = (f"127.0.0.1:{p}" for p in free_ports(2))
    with contextlib.ExitStack() as ends:
        nodes = []
        for name, own, peer, tune in (("a", a, b, lambda doors: doors["admin"].update(clients=["alice"])), ("b", b, a, lambda doors: doors.pop("admin"))):
            nodes.append(Tuned(tune, tmp_path / name, name, {"listen": own, "peers": [peer], "names": ["node"]}, tls=certificates["node"]))
            ends.callback(nodes[-1].kill)

        def ctl(who, *words):
            c = certificates[who]
            return subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{nodes[0].admin}", "--json", "--tls-cert", c["cert"], "--tls-key", c["key"], "--tls-ca", c["ca"],
                                   *words], capture_output=True, text=True, timeout=30)
        wait_for(lambda: "1 of 1 up" in ctl("alice", "status").stdout, 5)
        assert ctl("mallory", "on", "b", "status").returncode == 2, "not let in"
        assert ctl("node", "on", "b", "status").returncode == 2, "a node's certificate opens no console"
        refused = ctl("alice", "on", "b", "status")
        assert refused.returncode == 1 and "its console is closed" in refused.stderr + refused.stdout


def test_words_go_on_between_nodes_that_know_each_other_by_certificates(tmp_path):
    authority = Authority(tmp_path)
    tls = {**authority.issue("node"), "ca": str(authority.path("pem"))}
    with contextlib.closing(House(tmp_path, 2, tls=tls)) as two:
        wait_for(two.all_up, 5)
        assert two.nodes[0].ctl("on", "n1", "status")["node"] == "n1"
        assert two.nodes[1].ctl("status", "--all")["answered"] == "2 of 2 nodes"
        two.nodes[0].ctl("on", "n1", "breakers", "openai", "auto")
        wait_for(lambda: [e["who"] for e in two.changes(1)] == [f"console through {two.addresses[0]}"], 3)
