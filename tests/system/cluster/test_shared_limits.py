"""The limits of keys and clients hold over all nodes of a cluster, whoever is asked, killed, frozen or restarted; and one node alone gets nearly
all of a limit that the others do not need. The mock counts what arrives."""
import concurrent.futures
import contextlib
import shutil
import signal
import sqlite3
import time

import pytest

from harness import SLOW, http_json, model, provider, wait_for
from nodes import Cluster

LATE = {"x-mainstay-deadline-ms": "3000"}


@pytest.fixture
def three(start, tmp_path):
    """Three nodes before one mock, whose one key has these limits."""
    with contextlib.ExitStack() as stack:
        def begin(clients=None, state=False, **limits):
            mock = start.mock("p")
            mock.script({"latency_ms": 20})
            more = {"clients": clients} if clients else {}
            cluster = stack.enter_context(contextlib.closing(
                Cluster(tmp_path, providers=[provider("p", mock, [{"name": "k", **limits}])], models=[model("smart", "p/m")], state=state, **more)))
            wait_for(cluster.all_up, 5)
            return mock, cluster.nodes, cluster

        yield begin


class Callers:
    """Threads that ask; every answer's status, by node."""

    def __init__(self):
        self.pool, self.asked = concurrent.futures.ThreadPoolExecutor(96), []

    def ask(self, node, count, headers=LATE, **fields):
        def one(i):
            try:
                return node.chat(f"{node.address} {len(self.asked)} {i}", headers=headers, **fields).status
            except OSError:
                return None  # its node died

        self.asked += [self.pool.submit(one, i) for i in range(count)]

    def answered(self):
        """How many were, once all have ended."""
        return sum(a.result() == 200 for a in self.asked)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.shutdown()


def arrived(mock):
    return len(mock.seen())


def test_a_node_that_alone_is_asked_gets_nearly_all_of_a_keys_minute_and_never_more(three):
    mock, nodes, _ = three(rpm=30)
    with Callers() as callers:
        callers.ask(nodes[0], 40)
        assert callers.answered() >= 27
        callers.ask(nodes[1], 10)
        callers.ask(nodes[2], 10)
        assert 27 <= callers.answered() <= 30
    assert arrived(mock) <= 30
    shares = {q["limit"]: q for q in nodes[0].ctl("limits")["quotas"]}
    mine = shares["key/p-k/rpm"]
    assert mine["of"] == 30 and mine["home"] == 10 and mine["used"] >= 27 and mine["owner"] in [n.address for n in nodes]
    assert nodes[0].metric("mainstay_quota", limit="key/p-k/rpm", part="used") >= 27
    assert sum(n.metric("mainstay_quota", limit="key/p-k/rpm", part="home") for n in nodes) == 30


def test_whoever_is_killed_frozen_or_restarted_no_minute_holds_more_than_the_limit(three):
    mock, nodes, cluster = three(rpm=30)
    with Callers() as callers:
        for n in nodes:
            callers.ask(n, 4)
        assert callers.answered() == 12
        callers.ask(nodes[0], 8)
        wait_for(lambda: arrived(mock) >= 15)
        nodes[0].kill()
        nodes[1].signal(signal.SIGSTOP)
        callers.ask(nodes[1], 10)
        back = cluster.start(0)
        wait_for(back.ready, 5)
        callers.ask(back, 10)
        callers.ask(nodes[2], 10)
        time.sleep(1.5 * SLOW)  # what was lent to the frozen one has ended
        nodes[1].signal(signal.SIGCONT)
        wait_for(cluster.all_up, 5)
        callers.ask(back, 20)
        callers.answered()
    assert 20 <= arrived(mock) <= 30
    assert mock.stats()["keys"]["secret-p-k"]["most_in_60s"] <= 30


def at_once(work, *arguments):
    """It done with each at the same time."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(work, *arguments))


def test_a_whole_cluster_that_is_killed_and_started_again_waits_until_nothing_of_before_can_count(three):
    mock, nodes, cluster = three(rpm=30, state=True)
    with Callers() as callers:
        for n in nodes:
            callers.ask(n, 8)
        assert callers.answered() == 24
        at_once(lambda n: n.kill(), nodes)
        nodes[:] = at_once(cluster.start, range(3))
        wait_for(cluster.all_up, 10)
        for n in nodes:
            callers.ask(n, 5)
        assert callers.answered() == 24
    assert all(q["home"] == 0 for n in nodes for q in n.ctl("limits")["quotas"])
    assert all("did not end in order" in n.log() for n in nodes)
    assert arrived(mock) == 24


def test_a_whole_cluster_that_ends_in_order_and_is_started_again_goes_on_with_what_is_left(three):
    mock, nodes, cluster = three(rpm=30, state=True)
    with Callers() as callers:
        for n in nodes:
            callers.ask(n, 6)
        assert callers.answered() == 18
        assert at_once(lambda n: n.stop(), nodes) == [0] * 3
        nodes[:] = at_once(cluster.start, range(3))
        wait_for(cluster.all_up, 10)
        for n in nodes:
            callers.ask(n, 10)
        assert 18 + 6 <= callers.answered() <= 30
    assert mock.stats()["keys"]["secret-p-k"]["most_in_60s"] <= 30


def test_a_node_that_is_restarted_in_order_has_its_own_share_at_once(three):
    _, nodes, cluster = three(rpm=30, state=True)
    assert nodes[0].stop() == 0
    back = cluster.start(0)
    wait_for(back.ready, 5)
    assert [q["home"] for q in back.ctl("limits")["quotas"]] == [10]


def test_a_node_writes_down_again_and_again_that_it_runs(three, tmp_path):
    _, nodes, _ = three(rpm=30, state=True)

    def note():
        copy = tmp_path / "copy"  # the daemon has it locked
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for file in tmp_path.glob("state-0.db*"):
            shutil.copy(file, copy)
        with contextlib.closing(sqlite3.connect(copy / "state-0.db")) as db:
            return db.execute("SELECT at_ms, ended FROM quota_note").fetchone()

    first, ended = note()
    assert not ended and 0 <= time.time() - first / 1000 < 8 * SLOW
    wait_for(lambda: note()[0] >= first + 9000, 12)
    assert nodes[0].stop() == 0
    assert note()[1] == 1


def test_one_call_at_once_is_one_over_all_nodes(three):
    mock, nodes, _ = three(concurrency=1)
    with Callers() as callers:
        for n in nodes:
            callers.ask(n, 4, headers={"x-mainstay-deadline-ms": "15000"})
        assert callers.answered() == 12
    assert mock.stats()["keys"]["secret-p-k"]["most_open"] == 1


def test_requests_a_second_hold_over_all_nodes_too(three):
    mock, nodes, _ = three(rps=9)
    with Callers() as callers:
        for n in nodes:
            callers.ask(n, 9)
        callers.answered()
    assert mock.stats()["keys"]["secret-p-k"]["most_in_1s"] <= 9


def test_a_client_has_its_limit_once_and_not_once_a_node(three):
    _, nodes, _ = three(clients=[{"name": "app", "key": "app-key", "rpm": 9}])
    mine = {"authorization": "Bearer app-key"}
    said = [nodes[i % 2].chat(f"question {i}", headers=mine).status for i in range(14)]
    assert 8 <= said.count(200) <= 9 and set(said) == {200, 429}, said
    more = [nodes[2].chat(f"one more {i}", headers=mine) for i in range(2)]
    assert (said + [m.status for m in more]).count(200) <= 9
    no = more[-1]
    assert no.status == 429 and no.error["code"] == "client_limit" and int(no.headers["retry-after"]) >= 1


def test_a_node_alone_in_its_cluster_does_not_send_before_it_knows_that_nothing_of_before_counts(start, tmp_path):
    mock = start.mock("p")
    cluster = Cluster(tmp_path, 3, providers=[provider("p", mock, [{"name": "k", "rpm": 30}])], models=[model("smart", "p/m")])
    with contextlib.closing(cluster):
        wait_for(cluster.all_up, 5)
        assert cluster.nodes[0].chat("first").status == 200
        for n in cluster.nodes[1:]:
            n.kill()
        cluster.nodes[0].kill()
        alone = cluster.start(0)
        wait_for(alone.ready, 5)
        assert alone.chat("second", headers=LATE).status != 200
        assert alone.ctl("limits")["quotas"][0]["home"] == 0
    assert arrived(mock) == 1
