"""Nodes that know each other by certificates: whose authority is another, or whose name is not among those that are let in, is refused, and says why."""
import contextlib
import subprocess

import pytest
import yaml

from authority import Authority
from harness import BIN, free_ports, wait_for
from nodes import Cluster, Node


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def tls(authority, name):
    return {**authority.issue(name), "ca": str(authority.path("pem"))}


def shown_by(node, authority):
    """The certificate that its door for peers shows, and those that dial it see."""
    words = ["openssl", "s_client", "-connect", node.address, "-cert", authority.path("pem", "node"), "-key", authority.path("key", "node")]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=30).stdout
    return done[done.index(b"-----BEGIN"):done.index(b"-----END")]


def test_nodes_of_one_authority_are_a_cluster_and_renew_their_certificates(tmp_path, authority):
    with contextlib.closing(Cluster(tmp_path, 2, tls=tls(authority, "node"))) as two:
        wait_for(two.all_up, 3)
        assert "mutual TLS" in two.nodes[0].log()
        before = [shown_by(n, authority) for n in two.nodes]
        authority.issue("node")
        for n in two.nodes:
            n.signal(1)
            wait_for(lambda n=n: "is in force" in n.log(), 3)
        assert all(shown_by(n, authority) != b for n, b in zip(two.nodes, before))
        assert two.all_up() and all(r["losses"] == 0 for n in two.nodes for r in n.peers().values())
        two.nodes[1].kill()
        two.start(1)
        wait_for(two.all_up, 3)


@pytest.mark.parametrize("which", [0, 1])  # who dialled, and who was dialled
def test_names_that_do_not_let_a_peer_in_any_more_end_its_link(tmp_path, authority, which):
    with contextlib.closing(Cluster(tmp_path, 2, tls=tls(authority, "node"))) as two:
        wait_for(two.all_up, 3)
        n = two.nodes[which]
        n.write({**n.config, "cluster": {**n.config["cluster"], "names": ["another"]}})
        n.signal(1)
        for one, other in (two.nodes, two.nodes[::-1]):
            wait_for(lambda one=one, other=other: one.sees(other) == "refused", 5)


def test_a_certificate_of_another_authority_is_refused_and_both_say_so(tmp_path, authority):
    (tmp_path / "elsewhere").mkdir()
    other = Authority(tmp_path / "elsewhere")
    a, b = (f"127.0.0.1:{p}" for p in free_ports(2))
    with contextlib.ExitStack() as ends:
        nodes = []
        for name, own, peer, of in (("a", a, b, authority), ("b", b, a, other)):
            nodes.append(Node(tmp_path / name, name, {"listen": own, "peers": [peer]}, tls=tls(of, "node")))
            ends.callback(nodes[-1].kill)
        for node, peer in ((nodes[0], b), (nodes[1], a)):
            wait_for(lambda node=node, peer=peer: node.sees(peer) == "refused", 5)
            assert "TLS" in node.peers()[peer]["why"], node.peers()


def test_a_node_without_one_of_the_names_is_refused(tmp_path, authority):
    a, b = (f"127.0.0.1:{p}" for p in free_ports(2))
    with contextlib.ExitStack() as ends:
        nodes = []
        for name, own, peer, shown in (("a", a, b, "node"), ("b", b, a, "operator")):
            nodes.append(Node(tmp_path / name, name, {"listen": own, "peers": [peer], "names": ["node"]}, tls=tls(authority, shown)))
            ends.callback(nodes[-1].kill)
        wait_for(lambda: nodes[0].sees(b) == "refused", 5)
        wait_for(lambda: nodes[1].sees(a) == "refused", 5)


def test_certificates_that_cannot_be_read_are_errors_at_the_start(tmp_path, authority):
    good = tls(authority, "node")
    (tmp_path / "bad.pem").write_text("no PEM")
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump({
        "doors": {"http": {"listen": "127.0.0.1:0"}}, "tls": {**good, "ca": str(tmp_path / "bad.pem")},
        "providers": [{"name": "a", "base_url": "http://127.0.0.1:9/v1", "keys": [{"name": "k", "secret": "s"}]}],
        "models": [{"name": "m", "targets": [{"provider": "a", "model": "m"}]}],
        "cluster": {"listen": "127.0.0.1:0", "advertise": "127.0.0.1:2", "peers": ["127.0.0.1:1"]}}))
    for words in (["--check"], []):
        done = subprocess.run([BIN / "mainstayd", "--config", file, *words], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and "tls.ca" in done.stdout + done.stderr, done.stdout + done.stderr
