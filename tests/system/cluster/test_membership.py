"""Nodes find each other, notice within a second who is killed, frozen or cut off, welcome back who returns, and are disturbed by nobody who does not
answer or is none of theirs."""
import contextlib
import signal
import socket
import subprocess
import time

import pytest

from harness import BIN, SLOW, free_ports, wait_for
from nodes import NOTICED, RETURNED, Cluster, Namespaces, Node


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with contextlib.closing(Cluster(tmp_path_factory.mktemp("three"))) as cluster:
        wait_for(cluster.all_up, 3)
        yield cluster


@pytest.fixture
def whole(three):
    """All are up before a test and after it."""
    wait_for(three.all_up, RETURNED)
    yield three
    wait_for(three.all_up, RETURNED)


def test_nodes_find_each_other_and_say_who_they_are(whole):
    a = whole.nodes[0]
    for address, row in a.peers().items():
        assert row["node"] == f"n{whole.addresses.index(address)}" and row["version"] and row["why"] == ""
        assert row["config"] == "same", "but for what is each node's own"
        assert row["messages_in"] > 0 and row["messages_out"] > 0 and row["bytes_in"] > 0 and row["bytes_out"] > 0
        wait_for(lambda address=address: 0 < a.peers()[address]["round_trip_ms"] < 100 * SLOW, 2)
        assert a.metric("mainstay_peer_up", peer=address) == 1
        assert 0 < a.metric("mainstay_peer_round_trip_seconds", peer=address) < 0.1 * SLOW
    assert a.ctl("nodes")["nodes"][0]["address"] == a.address
    assert a.status()["peers"] == "2 of 2 up"


@pytest.mark.parametrize("how, which, how_long", [(signal.SIGKILL, 0, 0), (signal.SIGKILL, 2, 0), (signal.SIGSTOP, 2, 0.5), (signal.SIGSTOP, 0, 6)])
def test_who_is_killed_or_frozen_is_missed_within_a_second_and_welcome_again(whole, how, which, how_long):
    victim, others = whole.nodes[which], [n for k, n in enumerate(whole.nodes) if k != which]
    before = [o.peers()[victim.address]["losses"] for o in others]
    each_other, blamed = others[0].peers()[others[1].address]["losses"], [r["losses"] for r in victim.peers().values()]
    begun = time.monotonic()
    victim.signal(how)
    for other in others:
        wait_for(lambda other=other: other.sees(victim) == "unreachable", NOTICED)
    assert time.monotonic() - begun < NOTICED
    assert others[0].sees(others[1]) == others[1].sees(others[0]) == "up"
    assert others[0].peers()[victim.address]["why"]
    if how == signal.SIGSTOP:
        time.sleep(how_long * SLOW)  # longer than a beat or two, or than links are kept
        sent = [o.peers()[victim.address]["messages_out"] for o in others]
        time.sleep(1)
        assert all(o.peers()[victim.address]["messages_out"] - s <= 2 for o, s in zip(others, sent)), "nothing but a beat now and then"
        begun = time.monotonic()
        victim.signal(signal.SIGCONT)
    else:
        victim.wait()
        whole.start(which)
        begun = time.monotonic()
    wait_for(whole.all_up, RETURNED)
    assert time.monotonic() - begun < RETURNED
    assert [o.peers()[victim.address]["losses"] for o in others] == [n + 1 for n in before]
    assert others[0].peers()[others[1].address]["losses"] == each_other
    if how == signal.SIGSTOP:
        assert [r["losses"] - n for r, n in zip(victim.peers().values(), blamed)] == [how_long > 5] * 2, "it lost only links that the others gave up"


def test_links_outlive_the_actor_that_keeps_them(whole):
    a = whole.nodes[0]
    before = {k: r["losses"] for k, r in a.peers().items()}
    a.ctl("drill", "crash", "cluster")
    wait_for(lambda: any(r["name"] == "cluster" and r["restarts"] == 1 for r in a.ctl("actors")["actors"]), 2)
    sent = [r["messages_in"] for r in a.peers().values()]
    wait_for(lambda: all(r["messages_in"] > s for r, s in zip(a.peers().values(), sent)), 2)
    assert {k: r["losses"] for k, r in a.peers().items()} == before and whole.all_up()


def test_nodes_are_replaced_one_by_one_and_the_others_do_not_notice(tmp_path):
    with contextlib.closing(Cluster(tmp_path)) as three:
        wait_for(three.all_up, 3)
        for i in range(3):
            three.nodes[i].signal(signal.SIGTERM)
            assert three.nodes[i].wait() == 0, three.nodes[i].log()
            a, b = (n for k, n in enumerate(three.nodes) if k != i)
            assert a.sees(b) == b.sees(a) == "up"
            three.start(i)
            wait_for(three.all_up, RETURNED)
        losses = [{three.addresses.index(a): r["losses"] for a, r in n.peers().items()} for n in three.nodes]
        assert losses == [{1: 1, 2: 1}, {0: 0, 2: 1}, {0: 0, 1: 0}], "each was missed once by each who was there"


def test_one_that_answers_nothing_holds_up_nobody(tmp_path):
    with socket.socket() as silent, contextlib.ExitStack() as ends:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(4):  # its backlog is full: who connects waits for ever
            s = ends.enter_context(socket.socket())
            s.setblocking(False)
            s.connect_ex(silent.getsockname())
        hole = f"127.0.0.1:{silent.getsockname()[1]}"
        a, b = (f"127.0.0.1:{p}" for p in free_ports(2))
        nodes = []
        for name, own, other in (("a", a, b), ("b", b, a)):
            nodes.append(Node(tmp_path / name, name, {"listen": own, "peers": [other, hole]}))
            ends.callback(nodes[-1].kill)
        wait_for(lambda: nodes[0].sees(b) == nodes[1].sees(a) == "up", 2)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            row = nodes[0].peers()[b]
            assert row["state"] == "up" and row["losses"] == 0 and row["round_trip_ms"] < 50 * SLOW
        assert nodes[0].sees(hole) == "connecting" and nodes[0].peers()[hole]["why"]
        begun = time.monotonic()
        nodes[0].stop()
        assert time.monotonic() - begun < 3 * SLOW, "nor is an end"


def test_a_node_of_another_cluster_is_refused_and_both_say_why(tmp_path):
    a, b, c = (f"127.0.0.1:{p}" for p in free_ports(3))
    with contextlib.ExitStack() as ends:
        nodes = []
        for name, own, others in (("a", a, [b]), ("b", b, [a, c])):
            nodes.append(Node(tmp_path / name, name, {"listen": own, "peers": others}))
            ends.callback(nodes[-1].kill)
        for node, other in ((nodes[0], b), (nodes[1], a)):
            wait_for(lambda node=node, other=other: node.sees(other) == "refused", 3)
            assert "another cluster" in node.peers()[other]["why"]
        said = lambda: sum(n.peers()[other]["messages_out"] for n, other in ((nodes[0], b), (nodes[1], a)))
        first = said()
        wait_for(lambda: said() > first, 8)  # tried again
        assert all(n.log().count("none of ours") == 1 for n in nodes), "once, however often it tries"


def test_whoever_is_no_node_is_told_apart(tmp_path):
    own, = free_ports(1)
    first = Node(tmp_path / "a", "a", {"listen": f"127.0.0.1:{own}", "peers": ["127.0.0.1:1"]})
    try:
        done = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{own}", "--json", "status"], capture_output=True, text=True, timeout=30)
        assert done.returncode != 0, "the nodes' door is no console"
        second = Node(tmp_path / "b", "b", {"listen": f"127.0.0.1:{free_ports(1)[0]}", "peers": [f"127.0.0.1:{first.admin}"]})
        try:  # and the console no node
            wait_for(lambda: second.peers()[f"127.0.0.1:{first.admin}"]["state"] == "refused", 4)
            assert "no node" in second.peers()[f"127.0.0.1:{first.admin}"]["why"]
        finally:
            second.kill()
    finally:
        first.kill()


def test_other_peers_wait_for_a_restart_and_a_new_configuration_is_told_at_once(whole):
    a, b = whole.nodes[0], whole.nodes[1]
    a.write({**a.config, "drain": "7s", "cluster": {**a.config["cluster"], "peers": [*a.config["cluster"]["peers"], "127.0.0.1:1"]}})
    said = a.ctl("reload")
    assert "cluster: takes effect with a restart; until then this node keeps its peers" in str(said), said
    assert len(a.peers()) == 2
    wait_for(lambda: b.peers()[a.address]["config"].startswith("different: "), 2)
    a.write(a.config)
    assert "cluster" not in str(a.ctl("reload"))
    wait_for(lambda: b.peers()[a.address]["config"] == "same", 2)


@pytest.mark.skipif(not Namespaces.possible(), reason="network namespaces need root")
def test_who_is_cut_off_is_missed_within_a_second_and_back_within_two_of_the_mending(tmp_path):
    with contextlib.closing(Namespaces()) as net, contextlib.ExitStack() as ends:
        addresses = [f"{a}:4300" for a in net.addresses]
        nodes = []
        for i, own in enumerate(addresses):
            nodes.append(Node(tmp_path / f"n{i}", f"n{i}", {"listen": own, "peers": [a for a in addresses if a != own], "cleartext": True},
                              namespace=net.names[i]))
            ends.callback(nodes[-1].kill)
        everybody = lambda: all(nodes[i].sees(k) == "up" for i in range(3) for k in addresses if k != addresses[i])
        both = lambda: nodes[0].sees(nodes[1]) == nodes[1].sees(nodes[0]) == "up"
        wait_for(everybody, 3)
        for how_long, back in ((1.5, everybody), (7, both)):  # shorter and longer than links are kept, and then with nobody else there
            net.cut(0, 1)
            begun = time.monotonic()
            for i, k in ((0, 1), (1, 0)):
                wait_for(lambda i=i, k=k: nodes[i].sees(nodes[k]) == "unreachable", NOTICED)
            assert time.monotonic() - begun < NOTICED
            if back == everybody:
                assert all(nodes[i].sees(nodes[k]) == "up" for i, k in ((0, 2), (2, 0), (1, 2), (2, 1)))
            time.sleep(max(0, begun + how_long - time.monotonic()))
            net.mend(0, 1)
            wait_for(back, RETURNED)
            if back == everybody:
                assert nodes[2].peers()[addresses[0]]["losses"] == nodes[2].peers()[addresses[1]]["losses"] == 0
                nodes[2].kill()
