"""Flights: equal requests at one time share one call to a provider, each under its own name, pace and deadline; whoever leaves leaves alone;
killed actors cost nobody a piece."""
import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import FAST, SLOW, Dealer, chat_body, model, provider, read_sse, wait_for

KEYS = {name: f"key-{name}-0123456789" for name in ("one", "two")}


def config(mock, shared=False, **more):
    return {"providers": [provider("a", mock)], "models": [model("smart", "a/m")], "retry": FAST, "cache": {"ttl": "1h", "shared": shared}, **more}


def flights(gateway):
    c = gateway.ctl("cache")
    return c["flights"], c["callers_on_flights"], c["calls_saved"]


def aboard(gateway, callers):
    """so many callers share one flight"""
    return wait_for(lambda: flights(gateway)[:2] == (1, callers), every=0.01)


def at_rest(gateway, mock):
    wait_for(gateway.at_rest)
    wait_for(lambda: flights(gateway)[:2] == (0, 0))
    wait_for(lambda: mock.stats()["open"] == 0)


class Caller:
    """One request over HTTP whose answer is read when, and as far as, the test wants."""

    def __init__(self, gateway, question, stream=True, headers=None, receive_buffer=None, **fields):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60 * SLOW)
        self.socket.connect(("127.0.0.1", gateway.http))
        body = json.dumps(chat_body(question, stream, **fields)).encode()
        more = "".join(f"{k}: {v}\r\n" for k, v in (headers or {}).items())
        self.socket.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{more}content-length: {len(body)}\r\n\r\n".encode() + body)

    def answer(self):
        r = http.client.HTTPResponse(self.socket)
        r.begin()
        return read_sse(r, {k.lower(): v for k, v in r.getheaders()})

    def leave(self):
        self.socket.close()


@pytest.mark.parametrize("stream", [False, True])
def test_fifty_equal_requests_are_one_call(start, stream):
    mock = start.mock(latency_ms=300, token_ms=5)
    gateway = start.gateway(config(mock))

    def ask(i):
        if i % 2:
            return gateway.chat("same", stream)
        with Dealer(gateway.zmq_url) as d:
            return d.chat("same", stream)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    assert all(a.complete("same") and a.source == "primary" and a.provider == "a" and a.attempts == 1 for a in answers), answers
    assert len({a.headers["x-request-id"] for a in answers}) == 50
    assert all(0 < int(a.headers["x-mainstay-latency-ms"]) < 5000 * SLOW for a in answers)
    assert len(mock.seen()) == 1
    assert gateway.chat("same", stream).source == "cache"
    at_rest(gateway, mock)
    assert flights(gateway) == (0, 0, 49)
    wait_for(lambda: gateway.metric("mainstay_requests_total", outcome="ok") == 51)
    assert gateway.metric("mainstay_cache_total", tier="flight", result="shared") == 49
    assert gateway.metric("mainstay_attempts_total") == 1 and gateway.metric("mainstay_tokens_total", kind="output") == 60
    assert gateway.metric("mainstay_request_seconds_count", source="primary") == 50
    status = gateway.status()
    assert status["accepted"] == status["finished"] == 51


def test_what_gives_other_bytes_or_must_not_be_shared_flies_alone(start):
    mock = start.mock(latency_ms=500)
    gateway = start.gateway(config(mock))
    ways = [{}, {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}, {"headers": {"x-mainstay-cache": "off"}},
            {"headers": {"x-mainstay-cache": "refresh"}}, {"headers": {"idempotency-key": "mine"}}, {"temperature": 0.5}]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda how: gateway.chat("q", **how), ways * 2))
    assert all(a.complete("q") for a in answers), answers
    usages = [a.events[-1].get("usage") for a in answers if a.events]
    assert sum(u is not None for u in usages) == 2
    # shared by both: {}, streamed, streamed with usage, temperature; twice each: off, refresh; the second with that key waits for the first
    assert len(mock.seen()) == 4 + 2 * 2 + 1
    at_rest(gateway, mock)


def test_who_joins_a_running_stream_gets_it_from_the_beginning(start):
    mock = start.mock(token_ms=20)
    gateway = start.gateway(config(mock))
    first = Caller(gateway, "a story")
    wait_for(lambda: mock.stats()["tokens_sent"] > 20)
    late = Caller(gateway, "a story")
    with Dealer(gateway.zmq_url) as d:
        d.send(b"1", b"chat", chat_body("a story", True))
        began = time.monotonic()
        _, kind, _, _ = d.receive()
        assert kind == "chunk" and time.monotonic() - began < 0.5 * SLOW
        answers = [first.answer(), late.answer()]
        assert all(a.complete("a story") and a.roles() == 1 for a in answers), answers
        assert answers[0].events == answers[1].events
        assert d.answer().done
    assert len(mock.seen()) == 1
    at_rest(gateway, mock)


@pytest.mark.parametrize("door", ["http", "zmq"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_first_who_leaves_leaves_alone(start, door, stream):
    mock = start.mock(latency_ms=1500, token_ms=5)
    gateway = start.gateway(config(mock))
    with ThreadPoolExecutor(4) as pool, Dealer(gateway.zmq_url) as d:
        if door == "http":
            leader = Caller(gateway, "q", stream)
        else:
            d.send(b"1", b"chat", chat_body("q", stream))
        aboard(gateway, 1)
        others = [pool.submit(gateway.chat, "q", stream) for _ in range(4)]
        aboard(gateway, 5)
        if door == "http":
            leader.leave()
        else:
            d.send(b"1", b"cancel")
            assert d.receive()[2]["status"] == 499
        aboard(gateway, 4)
        answers = [o.result() for o in others]
    assert all(a.complete("q") for a in answers), answers
    assert [e["outcome"] for e in mock.seen()] == ["finished"]
    at_rest(gateway, mock)
    wait_for(lambda: gateway.metric("mainstay_requests_total", outcome="cancelled") == 1)


@pytest.mark.parametrize("stream", [False, True])
def test_when_the_last_one_leaves_the_call_ends(start, stream):
    mock = start.mock(token_ms=100)
    mock.script({"latency_ms": 30000} if not stream else {"words": 1000})
    gateway = start.gateway(config(mock))
    callers = [Caller(gateway, "q", stream) for _ in range(5)]
    aboard(gateway, 5)
    wait_for(lambda: mock.stats()["open"] == 1)
    for c in callers:
        c.leave()
    left = time.monotonic()
    wait_for(lambda: mock.stats()["client_left"] == 1, every=0.01)
    assert time.monotonic() - left < 1 * SLOW
    at_rest(gateway, mock)
    mock.script()
    assert gateway.chat("q", stream).complete("q")


def test_clients_share_a_call_only_where_they_share_answers(start):
    mock = start.mock(latency_ms=500)
    clients = {"clients": [{"name": n, "key": k} for n, k in KEYS.items()]}
    for shared, calls in ((False, 2), (True, 1)):
        mock.reset()
        gateway = start.gateway(config(mock, shared, **clients))
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda key: gateway.chat("q", headers={"x-api-key": key}), list(KEYS.values()) * 2))
        assert all(a.complete("q") for a in answers)
        assert len(mock.seen()) == calls
        at_rest(gateway, mock)


def test_the_leaders_client_pays_or_the_next_ones(start):
    mock = start.mock(latency_ms=1000)
    clients = {"clients": [{"name": n, "key": k, "tpm": 1000, "concurrency": 10} for n, k in KEYS.items()]}
    gateway = start.gateway(config(mock, True, **clients))
    one, two = ({"x-api-key": k} for k in KEYS.values())
    used = lambda: [round(c["tpm_used_percent"] * 10) for c in gateway.ctl("limits")["clients"]]
    with ThreadPoolExecutor(4) as pool:
        leader = pool.submit(gateway.chat, "first", headers=one)
        aboard(gateway, 1)
        followers = [pool.submit(gateway.chat, "first", headers=two) for _ in range(3)]
        assert all(f.result().complete("first") and "x-ratelimit-limit-tokens" in f.result().headers for f in [leader, *followers])
    at_rest(gateway, mock)
    assert used() == [61, 0]
    with ThreadPoolExecutor(4) as pool:
        leader = Caller(gateway, "second", False, one)
        aboard(gateway, 1)
        followers = [pool.submit(gateway.chat, "second", headers=two) for _ in range(3)]
        aboard(gateway, 4)
        leader.leave()
        assert all(f.result().complete("second") for f in followers)
    at_rest(gateway, mock)
    assert used() == [61, 61]


def test_each_has_its_own_deadline_and_the_call_lives_by_the_latest(start):
    mock = start.mock(latency_ms=2000, token_ms=5)
    gateway = start.gateway(config(mock))
    within = lambda ms: {"x-mainstay-deadline-ms": str(ms)}
    for stream in (False, True):
        with ThreadPoolExecutor(3) as pool:
            short = pool.submit(gateway.chat, "q", stream, headers=within(1000))
            aboard(gateway, 1)
            shorter, longer = pool.submit(gateway.chat, "q", stream, headers=within(800)), pool.submit(gateway.chat, "q", stream, headers=within(30000))
            for late in (short, shorter):
                assert late.result().status == 504 and late.result().error["code"] == "deadline" and late.result().attempts == 1, late.result()
                assert "a/m: no complete answer yet" in late.result().error["message"]
            assert longer.result().complete("q"), longer.result()
        gateway.ctl("cache", "clear")
    assert [e["outcome"] for e in mock.seen()] == ["finished"] * 2
    at_rest(gateway, mock)


def test_a_queue_is_left_in_time_for_whoever_has_more_of_it(start):
    mock = start.mock(latency_ms=1500)
    gateway = start.gateway({**config(mock), "providers": [provider("a", mock, [{"name": "k", "concurrency": 1}])]})
    with ThreadPoolExecutor(3) as pool:
        busy = pool.submit(gateway.chat, "before")
        wait_for(lambda: mock.stats()["open"] == 1)
        short = pool.submit(gateway.chat, "q", headers={"x-mainstay-deadline-ms": "700", "x-mainstay-priority": "low"})
        aboard_two = lambda: flights(gateway)[1] == 2
        wait_for(aboard_two)
        long = pool.submit(gateway.chat, "q", headers={"x-mainstay-priority": "high"})
        wait_for(lambda: [r["waiting"] for r in gateway.ctl("queue")["queue"]] == [1, 0, 0])
        assert short.result().status == 504 and busy.result().complete("before") and long.result().complete("q")
    assert len(mock.seen()) == 2
    at_rest(gateway, mock)


def test_a_failure_is_everybodys_and_each_goes_down_its_own_ladder(start):
    mock = start.mock()
    clients = [{"name": "one", "key": KEYS["one"], "canned": True}, {"name": "two", "key": KEYS["two"], "canned": False}]
    gateway = start.gateway(config(mock, True, clients=clients, degradation={"canned": {"general": "Later, please."}}))
    one, two = ({"x-api-key": k} for k in KEYS.values())
    mock.script({"status": 404, "latency_ms": 500})
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda h: gateway.chat("q", headers=h), [one, two] * 3))
    for canned, failed in zip(answers[::2], answers[1::2]):
        assert canned.source == "canned" and canned.attempts == 1 and canned.headers["x-mainstay-reason"] == "model_missing", canned
        assert failed.status == 502 and failed.attempts == 1 and "a/m: model_missing" in failed.error["message"], failed
    assert len(mock.seen()) == 1
    mock.script({"fault": "cut", "after": 5, "token_ms": 50})
    with ThreadPoolExecutor(6) as pool:
        broken = list(pool.map(lambda h: gateway.chat("q", True, headers=h, n=2), [one, two] * 3))
    assert all(b.error and not b.done and b.source == "primary" for b in broken), broken
    assert len(mock.seen()) == 2
    mock.script()
    assert gateway.chat("q", headers=two).complete("q"), "a flight that failed is not joined"
    at_rest(gateway, mock)


def test_an_answer_that_is_not_kept_is_shared_all_the_same(start):
    mock, b = start.mock(), start.mock("b", latency_ms=300)
    gateway = start.gateway({**config(mock), "providers": [provider("a", mock), provider("b", b)], "models": [model("smart", "a/m", fallbacks=["b/m"])]})
    mock.script({"status": 404})
    with ThreadPoolExecutor(10) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda _: gateway.chat("q"), range(10)))
    assert all(a.source == "fallback" and a.headers["x-mainstay-degraded"] == "true" and a.attempts == 2 for a in answers), answers
    assert time.monotonic() - began < 2 * SLOW and len(b.seen()) == 1
    at_rest(gateway, mock)


@pytest.mark.parametrize("actor", ["flights", "request_run", "dispatcher"])
@pytest.mark.parametrize("stream", [False, True])
def test_whoever_is_killed_in_the_middle_costs_nobody_a_piece(start, actor, stream):
    mock = start.mock(latency_ms=2000, token_ms=20)
    gateway = start.gateway(config(mock))

    def restarts():
        return gateway.restarts(actor) if actor != "request_run" else gateway.status()["recovered_runs"]

    with ThreadPoolExecutor(8) as pool:
        callers = [pool.submit(gateway.chat, "q", stream) for _ in range(4)]
        aboard(gateway, 4)
        gateway.ctl("drill", "crash", actor)
        wait_for(lambda: restarts() == 1, every=0.01)
        callers += [pool.submit(gateway.chat, "q", stream) for _ in range(4)]
        if actor != "request_run":
            aboard(gateway, 8)
        answers = [c.result() for c in callers]
    assert all(a.complete("q") and (not stream or a.roles() == 1) for a in answers), answers
    assert len(mock.seen()) <= (2 if actor == "request_run" else 1)
    at_rest(gateway, mock)
    status = gateway.status()
    assert status["accepted"] == status["finished"] == 8


def test_a_reader_who_stalls_holds_up_nobody(start):
    mock = start.mock()
    mock.script({"words": 60000, "latency_ms": int(1000 * SLOW)})
    gateway = start.gateway(config(mock))
    stalled = Caller(gateway, "q", receive_buffer=4096)
    aboard(gateway, 1)
    with Dealer(gateway.zmq_url) as d:
        d.send(b"1", b"chat", chat_body("q", True))
        reading = Caller(gateway, "q")
        aboard(gateway, 3)
        assert reading.answer().complete("q", 60000)
        assert d.answer().complete("q", 60000)
    assert stalled.answer().complete("q", 60000), "who comes back gets the rest"
    assert len(mock.seen()) == 1
    at_rest(gateway, mock)


def test_a_drain_waits_for_flights_and_one_cut_off_tells_everybody(start):
    mock = start.mock(latency_ms=1000)
    gateway = start.gateway(config(mock))
    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(gateway.chat, "q") for _ in range(4)]
        aboard(gateway, 4)
        gateway.ctl("drain")
        assert all(c.result().complete("q") for c in callers)
    assert gateway.wait() == 0
    mock.script({"fault": "silence"})
    gateway = start.gateway(config(mock, drain="500ms"))
    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(gateway.chat, "q") for _ in range(4)]
        aboard(gateway, 4)
        gateway.ctl("drain")
        assert all(c.result().status == 503 and c.result().error["code"] == "shutting_down" for c in callers)
    assert gateway.wait() == 3
