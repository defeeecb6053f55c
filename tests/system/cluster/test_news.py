"""What one node finds of a provider's circuits and keys its peers know at once, also who comes later; it is advice: it ages, it gives way to what a node
finds itself, and a key's is believed only where its secret is the same."""
import contextlib
import threading

import pytest

from harness import FAST, Mock, model, provider, wait_for
from nodes import NOTICED, Cluster, Nowhere


class House:
    def __init__(self, directory):
        self.a, self.b = Mock(directory, "a"), Mock(directory, "b")
        self.cluster = None
        self.directory = directory

    def start(self, size=2, recovery="60s", of_node=lambda i: {}, keys=("k1",)):
        """Every model call goes to provider a, and to b if that fails; two failures open a circuit for a sixteenth of `recovery`, or longer."""
        self.sections = lambda i: {
            "providers": [provider("a", of_node(i).get("mock", self.a), of_node(i).get("keys", keys)), provider("b", self.b)],
            "models": [model("smart", "a/m", fallbacks=["b/m"])], "retry": {**FAST, "max_retries": 0},
            "breaker": {"failure_threshold": 2, "recovery_timeout": recovery}, **of_node(i).get("sections", {})}
        house = self

        class Mine(Cluster):
            def settings(self, i):
                return house.sections(i)

        (self.directory / "nodes").mkdir()
        self.cluster = Mine(self.directory / "nodes", size)
        wait_for(self.cluster.all_up, 3)
        return self.cluster.nodes

    def close(self):
        if self.cluster:
            self.cluster.close()
        self.a.kill()
        self.b.kill()


@pytest.fixture
def house(tmp_path):
    with contextlib.closing(House(tmp_path)) as house:
        yield house


def circuit(node, name="m"):
    """what that node says of provider a's circuit"""
    return next((r["state"] for r in node.ctl("breakers")["breakers"] if r["provider"] == "a" and r["circuit"] == name), "closed")


def key(node, name="a-k1"):
    return next(k for k in node.ctl("keys")["keys"] if k["name"] == name)


def ask_until(node, there, tries=20):
    for i in range(tries):
        node.chat(f"question {i}", headers={"x-mainstay-cache": "off"})
        if there():
            return
    raise AssertionError(node.ctl("breakers"))


def test_a_circuit_that_one_node_opened_is_open_at_peers_who_never_asked_and_at_who_comes_later(house):
    one, other, late = house.start(3)
    late.kill()
    house.a.script({"status": 503})
    ask_until(one, lambda: circuit(one) == "open")
    wait_for(lambda: circuit(other) == "open (told by n0)", 0.5)
    asked = len(house.a.seen())
    answer = other.chat("never asked before")
    assert answer.status == 200 and answer.provider == "b" and answer.source == "fallback"
    late = house.cluster.start(2)
    wait_for(lambda: circuit(late) == "open (told by n0)", 3)
    assert late.chat("new here").provider == "b"
    assert len(house.a.seen()) == asked, "somebody called a provider that is known to be down"
    assert other.metric("mainstay_peer_advice_total", kind="circuit") >= 1
    assert "says peer" in other.log()
    # what peers said is not told on: it would never end
    assert one.metric("mainstay_peer_advice_total", kind="circuit") == 0


def test_advice_ages_and_a_node_then_tries_for_itself_and_tells_nobody_what_it_only_heard(house):
    one, other = house.start(2, recovery="8s")
    house.a.script({"status": 503})
    ask_until(one, lambda: circuit(one) == "open")
    wait_for(lambda: circuit(other).startswith("open (told"), 0.5)
    one.kill()  # nobody says that it is over
    house.a.script()
    wait_for(lambda: circuit(other) == "half-open (told by n0)", 3)
    assert [other.chat(f"try {i}").provider for i in range(2)] == ["a", "a"]
    assert circuit(other) == "closed"


def test_what_a_dead_peer_said_ends_by_itself_where_nobody_asks_and_so_does_the_outage(house):
    one, idle = house.start(2, recovery="8s", of_node=lambda i: {"sections": {"recovery": {"ramp": "1s"}}})

    def down(node):
        return node.ctl("models")["models"][0]["state"].startswith("down")

    def alert():
        return idle.metric("mainstay_alert", signal="all_targets_down", severity="critical") == 1

    def one_is_down():
        one.chat("question", headers={"x-mainstay-cache": "off", "x-mainstay-deadline-ms": "300"})
        return down(one)
    for mock in house.a, house.b:
        mock.script({"status": 503})
    wait_for(one_is_down)
    wait_for(lambda: down(idle), 1)
    one.kill()
    assert circuit(idle).endswith("(told by n0)")
    wait_for(alert, 4)
    wait_for(lambda: circuit(idle) == "closed", 12)
    wait_for(lambda: not down(idle) and not alert(), 3)
    wait_for(lambda: idle.ctl("models")["outages"][0]["state"] == "over", 3)


def test_what_is_closed_again_is_so_at_once_for_peers(house):
    one, other = house.start(2, recovery="8s")
    house.a.script({"status": 503})
    ask_until(one, lambda: circuit(one) == "open")
    wait_for(lambda: circuit(other).startswith("open (told"), 0.5)
    house.a.script()
    wait_for(lambda: circuit(one) == "half-open", 3)
    ask_until(one, lambda: circuit(one) == "closed")
    wait_for(lambda: circuit(other) == "closed", NOTICED)


def test_a_node_that_is_cut_off_from_a_provider_misleads_nobody_who_reaches_it(house):
    cut, well, idle = house.start(3, recovery="16s", of_node=lambda i: {"mock": Nowhere} if i == 0 else {})
    assert well.chat("before").provider == "a"
    ask_until(cut, lambda: circuit(cut, "endpoint") == "open")
    wait_for(lambda: circuit(idle, "endpoint") == "open (told by n0)", 0.5)
    wait_for(lambda: well.metric("mainstay_peer_advice_total", kind="circuit") >= 1, 2)
    assert circuit(well, "endpoint") == "closed" and well.chat("and after").provider == "a"
    wait_for(lambda: circuit(idle, "endpoint") == "half-open (told by n0)", 4)
    assert idle.chat("finds out").provider == "a"


def test_a_key_that_must_rest_or_is_refused_rests_at_all_who_have_the_same_secret(house):
    other_secret = ({"name": "k1", "secret": "a-secret-of-its-own"}, "k2", "k3")
    one, other, apart = house.start(3, of_node=lambda i: {"keys": other_secret} if i == 2 else {}, keys=("k1", "k2", "k3"))
    house.a.script({"key": "secret-a-k1", "status": 429, "retry_after": "30"}, {"key": "secret-a-k2", "status": 401})
    ask_until(one, lambda: key(one)["state"] == "resting" and key(one, "a-k2")["state"] == "disabled")
    wait_for(lambda: key(other)["state"] == key(other, "a-k2")["state"] == "resting (told by n0)", 0.5)
    assert 20 < key(other)["rests_seconds"] <= 30 and key(other)["why"] == "rate_limited"
    assert 50 < key(other, "a-k2")["rests_seconds"] <= 60 and key(other, "a-k2")["why"] == "auth"
    wait_for(lambda: apart.metric("mainstay_peer_advice_total", kind="other_secret") >= 1, 2)
    assert key(apart)["state"] == "healthy", "another secret of the same name"
    assert key(apart, "a-k2")["state"] == "resting (told by n0)"
    seen = len(house.a.seen())
    for i in range(6):
        assert other.chat(f"with the third {i}").provider == "a"
    assert {r["key"] for r in house.a.seen()[seen:]} == {"secret-a-k3"}
    # an operator's word ends it, at the other nodes too
    one.ctl("keys", "a-k1", "enable")
    wait_for(lambda: key(other)["state"] == "healthy", NOTICED)
    # and secrets do not travel
    for node in house.cluster.nodes:
        assert "secret-a" not in node.log()


def test_who_tells_the_news_dies_and_is_told_again_what_stands(house):
    one, other = house.start(2, recovery="600s")
    house.a.script({"status": 503})
    ask_until(one, lambda: circuit(one) == "open")
    wait_for(lambda: circuit(other).startswith("open (told"), 0.5)
    other.ctl("breakers", "a", "auto")
    wait_for(lambda: circuit(other) == "closed", 0.5)
    for who in "peer_news", "cache_clears":
        drill = threading.Thread(target=one.ctl, args=("drill", "crash", who, "--for", "5m"))
        drill.start()
        wait_for(lambda who=who: next(a["restarts"] for a in one.ctl("actors")["actors"] if a["name"] == who) == 1)
        one.ctl("drill", "stop")
        one.ctl("drill", "stop")  # and no watching
        drill.join()
    other.kill()
    other = house.cluster.start(1)
    wait_for(lambda: circuit(other) == "open (told by n0)", 3)
    assert one.ctl("cache", "clear")["nodes_cleared"][0]["cleared"] == "all tiers"
