"""Work moves: what a node has no room for is done by a peer, plain and streamed, and comes home if that peer is lost; nothing is lost on the way."""
import concurrent.futures
import contextlib
import json
import signal
import socket
import time

import pytest

from harness import SLOW, Dealer, http_json, model, provider, wait_for
from nodes import Cluster

MODELS = [model("smart", "openai/gpt"), model("late", "openai/late"), model("slow", "openai/slow"), model("long", "openai/long"), model("held", "openai/held")]
RULES = [{"model": "late", "latency_ms": 1300}, {"model": "slow", "latency_ms": 300}, {"model": "long", "token_ms": 15}, {"model": "held", "token_ms": 250}]


@pytest.fixture
def mock(start):
    mock = start.mock()
    mock.script(*RULES)
    return mock


def nodes_of(directory, mock, size=2, slots=1, **sections):
    pool = {"pool": {"connections": slots, "per_host": slots}}
    sections = {"providers": [provider("openai", mock, **pool)], "models": MODELS, **sections}
    return Cluster(directory, size, mock, **sections)


@pytest.fixture
def two(tmp_path, mock):
    with contextlib.closing(nodes_of(tmp_path, mock)) as cluster:
        wait_for(cluster.all_up, 5)
        for n in cluster.nodes:
            wait_for(lambda n=n: all(r["takes"] == "requests" for r in n.ctl("nodes")["room"]), 3)
        yield cluster


class held:
    """The node's only call is taken, until the block ends, or let_go() before."""

    def __init__(self, node, mock):
        body = json.dumps({"model": "held", "stream": True, "messages": [{"role": "user", "content": "hold on"}]}).encode()
        self.socket = socket.create_connection(("127.0.0.1", node.http))
        self.socket.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        wait_for(lambda: open_calls(mock, "held"), 5)

    def let_go(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.let_go()


def open_calls(mock, model):
    return [r for r in mock.seen() if r["model"] == model and r["outcome"] == "open"]


def all_at_rest(*nodes):
    for n in nodes:
        wait_for(n.at_rest, 5)
        assert all(r["away"] == r["guests"] == 0 for r in n.ctl("nodes")["room"])


@pytest.mark.parametrize("stream", [False, True])
def test_what_waits_here_while_a_peer_has_a_free_call_is_done_there(two, mock, stream):
    a, b = two.nodes
    with held(a, mock):
        begun = time.monotonic()
        answer = a.chat("who has room", stream=stream)
        assert answer.complete("who has room"), answer
        assert time.monotonic() - begun < 2 * SLOW, "nobody waited for the call that is held"
        assert answer.headers["x-mainstay-node"] == "n1"
        assert (answer.source, answer.provider, answer.attempts) == ("primary", "openai", 1)
        assert answer.headers["x-mainstay-degraded"] == "false"
    all_at_rest(a, b)
    assert a.metric("mainstay_moved_total", direction="out", reason="waiting") == 1
    assert b.metric("mainstay_moved_total", direction="in", reason="waiting") == 1
    assert a.metric("mainstay_requests_total") == 2 and b.metric("mainstay_requests_total") == 0, "its own node counts it"
    assert b.metric("mainstay_attempts_total") == 1, "and the one that made the call counts that"
    story = a.ctl("trace", answer.headers["x-request-id"])["story"]
    assert [r["where"] for r in story if r["what"] == "moved"] == ["n1"]


def test_all_that_callers_ask_of_a_node_may_move(two, mock):
    """Both doors, another dialect, embeddings; a provider sees the key by which it knows a repetition."""
    a, b = two.nodes
    with held(a, mock), Dealer(a.zmq_url) as dealer:
        mq = dealer.chat("over the queue", stream=True)
        assert mq.complete("over the queue") and mq.headers["x-mainstay-node"] == mq.end[0]["x-mainstay-node"] == "n1"
        assert mq.end[1]["usage"]["completion_tokens"] == 60, "nobody asked for usage in the stream, and the node knows it all the same"
        ask = {"model": "smart", "max_tokens": 100, "messages": [{"role": "user", "content": "in other words"}]}
        status, headers, body = http_json(a.http, "POST", "/v1/messages", ask)
        assert status == 200 and headers["x-mainstay-node"] == "n1" and body["type"] == "message" and body["usage"]["output_tokens"] == 60
        status, headers, body = http_json(a.http, "POST", "/v1/embeddings", {"model": "smart", "input": ["one", "two"]})
        assert status == 200 and headers["x-mainstay-node"] == "n1" and len(body["data"]) == 2
        named = a.chat("by name", headers={"idempotency-key": "my-own"})
        assert named.complete("by name") and named.headers["x-mainstay-node"] == "n1"
        assert a.chat("by name", headers={"idempotency-key": "my-own"}).body == named.body
    assert [r["idempotency_key"] for r in mock.seen() if r["text"] == "by name"] == ["my-own"]
    all_at_rest(a, b)


def test_equal_requests_share_one_call_that_moves_and_its_answer_is_kept_at_home(tmp_path, mock):
    with contextlib.closing(nodes_of(tmp_path, mock, cache={"ttl": "1h"})) as cluster:
        wait_for(cluster.all_up, 5)
        a, b = cluster.nodes
        wait_for(lambda: all(r["takes"] == "requests" for r in a.ctl("nodes")["room"]), 3)
        with held(a, mock), concurrent.futures.ThreadPoolExecutor(3) as pool:
            answers = [f.result() for f in [pool.submit(a.chat, "the same", True, model="slow") for _ in range(3)]]
            assert all(x.complete("the same") and x.headers["x-mainstay-node"] == "n1" for x in answers), answers
            again = a.chat("the same", model="slow")
            assert again.source == "cache" and again.complete("the same")
        assert len([r for r in mock.seen() if r["model"] == "slow"]) == 1
        all_at_rest(a, b)


def test_a_slow_reader_of_a_stream_that_moved_holds_the_provider_back(two, mock):
    a, b = two.nodes
    mock.script(*RULES, {"model": "gpt", "stream": True, "words": 60000})
    body = json.dumps({"model": "smart", "stream": True, "messages": [{"role": "user", "content": "long"}]}).encode()
    with held(a, mock), socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.connect(("127.0.0.1", a.http))
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        chunks = [s.recv(1000)]
        moved = b.metric("mainstay_moved", direction="in")
        before, sent = 0, 1 << 20
        while sent > before + (64 << 10):  # it has come to rest, but for what nodes always say
            time.sleep(0.1)
            before, sent = sent, b.peers()[a.address]["bytes_out"]
        assert moved == 1 and open_calls(mock, "gpt") and sent < 7 << 20, "the provider cannot get rid of its 10 MB while nobody reads"
        while piece := s.recv(1 << 16):
            chunks.append(piece)
    whole = b"".join(chunks)
    assert whole.count(b'"delta":{"content":') == 60000 and b"data: [DONE]" in whole and b"x-mainstay-node: n1" in whole
    all_at_rest(a, b)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_request_whose_host_is_lost_before_the_first_token_comes_home(two, mock, how):
    a, b = two.nodes
    with held(a, mock) as call, concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(a.chat, "come home", True, model="late")
        wait_for(lambda: open_calls(mock, "late"), 5)
        b.signal(how)
        call.let_go()
        answer = answer.result()
        assert answer.complete("come home"), answer
        assert "x-mainstay-node" not in answer.headers
    story = [r["what"] for r in a.ctl("trace", answer.headers["x-request-id"])["story"]]
    assert story.index("moved") < story.index("came home") < story.index("sent")
    wait_for(a.at_rest, 5)
    assert a.metric("mainstay_moved", direction="out") == 0
    if how == signal.SIGSTOP:  # whatever it went on with is over
        b.signal(signal.SIGCONT)
        all_at_rest(a, b)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_stream_whose_host_is_lost_in_the_middle_goes_on_at_home(two, mock, how):
    a, b = two.nodes
    with held(a, mock) as call, concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(a.chat, "go on", True, model="long")
        wait_for(lambda: any(r["tokens"] > 10 for r in open_calls(mock, "long")) or mock.stats()["tokens_sent"] > 30, 5)
        b.signal(how)
        call.let_go()
        answer = answer.result()
        assert answer.complete("go on"), answer
        assert answer.headers["x-mainstay-node"] == "n1" and answer.comments == ["mainstay continued on openai/long"]
        assert answer.roles() == 1 and len({e["id"] for e in answer.events}) == 1
    wait_for(a.at_rest, 5)
    if how == signal.SIGSTOP:
        b.signal(signal.SIGCONT)
        all_at_rest(a, b)


@pytest.mark.parametrize("where,who", [("home", "guests"), ("host", "guests"), ("home", "cluster"), ("host", "dispatcher"), ("home", "request_run")])
def test_an_actor_that_dies_on_either_side_costs_no_caller_the_answer(two, mock, where, who):
    a, b = two.nodes
    with held(a, mock) as call, concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(a.chat, "go on", True, model="long")
        wait_for(lambda: any(open_calls(mock, "long")), 5)
        call.let_go()
        wait_for(lambda: not open_calls(mock, "held"), 5)
        (a if where == "home" else b).ctl("drill", "crash", who)
        assert answer.result().complete("go on"), answer.result()
    all_at_rest(a, b)


def test_who_is_at_fault_hears_it_from_the_peer_and_who_leaves_ends_it_there(two, mock):
    a, b = two.nodes
    mock.script(*RULES, {"model": "gpt", "text": "wrong*", "status": 400})
    with held(a, mock), concurrent.futures.ThreadPoolExecutor(1) as pool:
        refused = a.chat("wrong in itself")
        assert refused.status == 400 and refused.headers["x-should-retry"] == "false"
        with pytest.raises(TimeoutError):
            pool.submit(a.chat, "nobody waits", True, model="late", timeout=0.8 / SLOW).result()
        wait_for(lambda: not open_calls(mock, "late"), 5)
    all_at_rest(a, b)


def test_a_node_that_drains_hands_over_what_waits_and_every_caller_gets_a_whole_answer(two, mock):
    a, b = two.nodes
    with concurrent.futures.ThreadPoolExecutor(14) as pool:
        with held(b, mock):  # a place in its queue is all that it has
            first = pool.submit(a.chat, "first", True, model="long")
            wait_for(lambda: open_calls(mock, "long"), 5)
            others = [pool.submit(a.chat, f"question {i}", i % 2 == 1) for i in range(12)]
            wait_for(lambda: a.status()["waiting"] == 12, 5)
            a.signal(signal.SIGTERM)
            wait_for(lambda: b.status()["waiting"] == 12, 5)
        assert first.result().complete("first")
        for i, answer in enumerate(others):
            assert answer.result().complete(f"question {i}") and answer.result().headers["x-mainstay-node"] == "n1", answer.result()
    assert a.wait() == 0, a.log()
    wait_for(b.at_rest, 5)
    assert b.metric("mainstay_moved_total", direction="in", reason="draining") == 12


def test_more_than_a_node_may_accept_goes_to_peers_that_have_room_and_the_rest_is_refused(tmp_path, mock):
    few = {"queue": {"capacity": 3}}  # and one that runs
    with contextlib.closing(nodes_of(tmp_path, mock, **few)) as cluster:
        wait_for(cluster.all_up, 5)
        a, b = cluster.nodes
        wait_for(lambda: all(r["takes"] == "requests" for r in a.ctl("nodes")["room"]), 3)
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = [f.result() for f in [pool.submit(a.chat, f"slow {i}", model="slow") for i in range(20)]]
        served = [x for x in answers if x.status == 200]
        assert len(served) >= 6 and any("x-mainstay-node" in x.headers for x in served), answers
        assert all(x.status == 503 and x.error["code"] in ("overloaded", "queue_full") for x in answers if x not in served), answers
        all_at_rest(a, b)
