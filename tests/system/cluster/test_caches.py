"""The caches of a cluster: shared through Redis, cleared everywhere by one order, also at who was frozen or away with a file of answers."""
import contextlib
import signal

import pytest

from harness import FAST, SLOW, Mock, Redis, model, provider, wait_for
from nodes import RETURNED, Cluster


class House:
    def __init__(self, directory, **cache):
        self.mock = Mock(directory)

        class Mine(Cluster):
            def settings(self, i):
                at = directory / f"cache{i}.db" if cache.get("files") else None
                return {"providers": [provider("a", self.mock)], "models": [model("smart", "a/m")], "retry": FAST,
                        "cache": {"ttl": "1h", **({"sqlite": {"path": str(at)}} if at else {}), **cache.get("more", {})}}

        (directory / "nodes").mkdir()
        self.cluster = Mine(directory / "nodes", 3, self.mock)
        self.nodes = self.cluster.nodes
        wait_for(self.cluster.all_up, 3)

    def close(self):
        self.cluster.close()
        self.mock.kill()


def fill(nodes, question):
    for n in nodes:
        assert n.chat(question).status == 200
        assert n.chat(question).source == "cache"


def tier(node, name):
    return next(t for t in node.ctl("cache")["tiers"] if t["tier"] == name)


def cleared(node):
    said = node.ctl("cache", "clear")
    assert said["cleared"] == "all tiers"
    return {r["address"]: r["cleared"] for r in said["nodes_cleared"]}


def test_an_answer_of_one_node_is_a_hit_at_another_through_redis_and_cleared_with_the_rest(tmp_path):
    redis = Redis(tmp_path)
    with contextlib.closing(House(tmp_path, more={"redis": {"url": redis.url}})) as house:
        a, b, c = house.nodes
        for n in house.nodes:
            wait_for(lambda n=n: n.ctl("cache")["redis"] == "up")
        assert a.chat("shared").source == "primary"
        wait_for(lambda: tier(a, "memory")["entries"] == 1)
        assert b.chat("shared").source == "cache" and tier(b, "redis")["hits"] == 1
        assert cleared(b) == {a.address: "all tiers", c.address: "all tiers"}
        assert a.chat("shared").source == "primary" and len(house.mock.seen()) == 2
    redis.kill()


@pytest.fixture
def house(tmp_path):
    with contextlib.closing(House(tmp_path, files=True, more={"similar": {"method": "lexical"}})) as house:
        yield house


def test_one_order_clears_all_tiers_of_all_nodes(house):
    fill(house.nodes, "asked everywhere")
    for n in house.nodes:
        wait_for(lambda n=n: tier(n, "sqlite")["entries"] == 1 and tier(n, "similar")["entries"] == 1)
    assert set(cleared(house.nodes[1]).values()) == {"all tiers"}
    for n in house.nodes:
        assert [tier(n, t)["entries"] for t in ("memory", "sqlite", "similar")] == [0, 0, 0]
        assert n.chat("asked everywhere").source == "primary"


def test_who_is_frozen_or_away_does_it_on_coming_back_and_only_once(house):
    a, frozen, away = house.nodes
    fill(house.nodes, "old")
    wait_for(lambda: tier(away, "sqlite")["entries"] == 1)
    away.stop()
    frozen.signal(signal.SIGSTOP)
    wait_for(lambda: a.sees(away) == a.sees(frozen) == "unreachable", 3)
    assert cleared(a) == {frozen.address: "when it is back", away.address: "when it is back"}
    frozen.signal(signal.SIGCONT)
    wait_for(lambda: tier(frozen, "memory")["entries"] == 0, RETURNED + SLOW)
    assert frozen.chat("old").source == "primary"
    back = house.cluster.start(2)
    wait_for(lambda: "the cache is cleared, as told by peer" in back.log(), RETURNED + SLOW)
    wait_for(lambda: tier(back, "sqlite")["entries"] == 0)
    assert back.chat("old").source == "primary"
    # known to have done it: a node that only restarts keeps what it has
    wait_for(house.cluster.all_up, RETURNED)
    fill([back], "new")
    def written():
        """both answers are in the file, or the first came while that was being cleared"""
        now = tier(back, "sqlite")
        return now["entries"] + now["dropped_writes"] == 2
    wait_for(written)
    back.stop()
    back = house.cluster.start(2)
    wait_for(house.cluster.all_up, RETURNED)
    assert back.chat("new").source == "cache"
