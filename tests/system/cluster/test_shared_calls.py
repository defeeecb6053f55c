"""Equal requests at several nodes share one call: they meet at the node that flies already, and every node goes on alone where that cannot be."""
import contextlib
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import FAST, SLOW, model, provider, wait_for
from nodes import Cluster
from test_moves import RULES, held, nodes_of


@pytest.fixture
def mock(start):
    return start.mock(latency_ms=1000, token_ms=20)


@pytest.fixture
def three(tmp_path, mock):
    sections = {"providers": [provider("openai", mock)], "models": [model("smart", "openai/gpt")], "retry": FAST, "cache": {"ttl": "1h"}}
    with contextlib.closing(Cluster(tmp_path, 3, mock, **sections)) as cluster:
        wait_for(cluster.all_up, 5)
        for n in cluster.nodes:
            wait_for(lambda n=n: all(r["takes"] == "requests" for r in n.ctl("nodes")["room"]), 3)
        yield cluster



@pytest.mark.parametrize("stream", [False, True])
def test_equal_requests_at_three_nodes_are_one_call(three, mock, stream):
    with ThreadPoolExecutor(12) as pool:
        first = [pool.submit(n.chat, "same", stream) for n in three.nodes for _ in range(2)]
        wait_for(lambda: len(mock.seen()) > 0, 5)
        later = [pool.submit(n.chat, "same", stream) for n in three.nodes for _ in range(2)]
        answers = [f.result() for f in first + later]
    assert all(a.complete("same") for a in answers), answers
    assert len(mock.seen()) == 1, mock.seen()
    for n in three.nodes:
        wait_for(n.at_rest, 5)
        assert n.chat("same", stream).source == "cache"  # each has it
    assert sum(n.metric("mainstay_moved_total", direction="out", reason="shared") for n in three.nodes) == 2


def test_other_questions_stay_where_they_were_asked(three, mock):
    with ThreadPoolExecutor(9) as pool:
        answers = list(pool.map(lambda i: three.nodes[i % 3].chat(f"question {i}"), range(9)))
    assert all(a.status == 200 for a in answers) and len(mock.seen()) == 9
    assert all(n.metric("mainstay_moved_total", direction="out", reason="shared") == 0 for n in three.nodes)


@pytest.mark.parametrize("stream", [False, True])
def test_whoever_shared_a_call_with_a_node_that_dies_goes_on_alone(three, mock, stream):
    a, b, _ = three.nodes
    with ThreadPoolExecutor(2) as pool:
        lost = pool.submit(a.chat, "same", stream)
        wait_for(lambda: len(mock.seen()) == 1, 5)
        shared = pool.submit(b.chat, "same", stream)
        wait_for(lambda: b.metric("mainstay_moved_total", direction="out", reason="shared") == 1, 3)
        a.kill()
        assert shared.result().complete("same"), shared.result()
        with contextlib.suppress(Exception):
            lost.result()
    assert len(mock.seen()) == 2
    wait_for(b.at_rest, 5)


def test_an_owner_that_is_frozen_holds_up_nobody(three, mock):
    a, b, c = three.nodes
    c.signal(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(20) as pool:  # a third of the questions are its
            answers = list(pool.map(lambda i: (a if i % 2 else b).chat(f"question {i}"), range(20)))
        assert all(x.status == 200 for x in answers), answers
        assert max(float(x.headers["x-mainstay-latency-ms"]) for x in answers) < (1000 + 500) * SLOW
    finally:
        c.signal(signal.SIGCONT)


@pytest.mark.parametrize("stream", [False, True])
def test_a_flight_that_moves_to_a_node_that_shares_it_waits_for_nobody(start, tmp_path, stream):
    mock = start.mock()
    mock.script(*RULES)
    with contextlib.closing(nodes_of(tmp_path, mock, cache={"ttl": "1h"})) as two, ThreadPoolExecutor(12) as pool:
        wait_for(two.all_up, 5)
        for n in two.nodes:
            wait_for(lambda n=n: all(r["takes"] == "requests" for r in n.ctl("nodes")["room"]), 3)
        a, b = two.nodes
        with held(b, mock):  # its only call is taken
            both = []
            for i in range(6):  # whoever owns the question
                both += [pool.submit(b.chat, f"same {i}", stream), pool.submit(a.chat, f"same {i}", stream)]
            answers = [f.result(timeout=20 * SLOW) for f in both]
        assert all(x.status == 200 and not x.error for x in answers), answers
