"""The waiting queue: how much it holds, who goes first, and that nobody waits in vain."""
import collections
import time

import pytest

from harness import SLOW, Dealer, chat_body, model, provider, resident_mib, wait_for

PLAIN_BUILD = SLOW == 1  # sanitizers keep what was freed, and shadow it all


def gateway_with(start, mock, slots, **more):
    return start.gateway({"providers": [provider("p", mock, pool={"connections": slots, "per_host": slots})],
                          "models": [model("smart", "p/m")], **more})


def waiting(gateway):
    return gateway.status()["waiting"]


def receive_all(dealers, count, seconds=60):
    """(dealer's name, id, status, headers), in the order of arrival"""
    out, end = [], time.monotonic() + seconds * SLOW
    while len(out) < count:
        assert time.monotonic() < end, f"{len(out)} of {count} answers"
        idle = True
        for name, d in dealers.items():
            while d.socket.poll(0):
                request_id, _, headers, _ = d.receive()
                out.append((name, request_id, headers["status"], headers))
                idle = False
        if idle:
            time.sleep(0.001)
    return out


@pytest.mark.skipif(not PLAIN_BUILD, reason="memory of a build with sanitizers")
def test_ten_thousand_wait_in_less_than_sixty_megabytes(start):
    mock = start.mock("p", latency_ms=600_000)
    gateway = gateway_with(start, mock, 10, deadline="10m")
    padding = "x" * 400  # half a kilobyte of body each, which is held too
    with Dealer(gateway.zmq_url) as warm:
        warm.send(b"first", b"chat", chat_body("one " + padding))
        wait_for(lambda: gateway.status()["in_flight"] == 1)
        before = resident_mib(gateway)
        with Dealer(gateway.zmq_url) as dealer:
            for i in range(9_999):
                dealer.send(b"%d" % i, b"chat", chat_body(f"question {i} " + padding))
            wait_for(lambda: waiting(gateway) == 9_990, 60)
            used = resident_mib(gateway) - before
            print(f"10,000 requests of half a KB, 9,990 of them waiting: {used:.1f} MiB, {used * 1024 / 10_000:.1f} KiB each")
            assert used < 60
            began = time.monotonic()
            assert gateway.ctl("queue")
            assert time.monotonic() - began < 2, "the console waits as well"
        wait_for(lambda: waiting(gateway) == 0, 30)  # they all left
    wait_for(gateway.at_rest, 30)


def test_no_clients_flood_delays_anothers_trickle(start):
    mock = start.mock("p", latency_ms=20)
    keys = {"greedy": "key-of-greedy", "modest": "key-of-modest"}
    gateway = gateway_with(start, mock, 2, clients=[{"name": n, "key": k} for n, k in keys.items()])
    with Dealer(gateway.zmq_url) as greedy, Dealer(gateway.zmq_url) as modest:
        for i in range(400):
            greedy.send(b"%d" % i, b"chat", chat_body(f"flood {i}"), {"authorization": "Bearer key-of-greedy"})
        wait_for(lambda: waiting(gateway) > 300)
        for i in range(10):
            modest.send(b"%d" % i, b"chat", chat_body(f"trickle {i}"), {"authorization": "Bearer key-of-modest"})
        answers = receive_all({"greedy": greedy, "modest": modest}, 410)
    assert all(status == 200 for _, _, status, _ in answers)
    order = [name for name, *_ in answers]
    first, last = order.index("modest"), len(order) - 1 - order[::-1].index("modest")
    assert last - first <= 40, f"ten requests of the modest one took {last - first} turns"
    wait_for(gateway.at_rest)


def test_levels_share_by_weight_and_nobody_starves(start):
    mock = start.mock("p", latency_ms=10)
    gateway = gateway_with(start, mock, 1)
    with Dealer(gateway.zmq_url) as dealer:
        for i in range(60):
            for level in ("low", "normal", "high"):
                dealer.send(f"{level} {i}".encode(), b"chat", chat_body(f"{level} {i}"), {"x-mainstay-priority": level})
        answers = receive_all({"": dealer}, 180)
    levels = [request_id.split()[0].decode() for _, request_id, *_ in answers]
    early = collections.Counter(levels[20:72])  # the first went before all had come
    assert early["high"] > early["normal"] > early["low"] > 0, early
    wait_for(gateway.at_rest)


def test_who_would_wait_in_vain_is_told_at_once_and_when_to_come_back(start):
    """20 a second get through, and nobody has more than 20 seconds"""
    mock = start.mock("p", latency_ms=100)
    gateway = gateway_with(start, mock, 2)
    began = time.monotonic()
    ends = []  # status, seconds since the request was sent, headers
    with Dealer(gateway.zmq_url) as dealer:
        def send(first, count):
            for i in range(first, first + count):
                dealer.send(b"%d" % i, b"chat", chat_body(f"question {i}"), {"x-mainstay-deadline-ms": "20000"})

        def hear(count):
            since = time.monotonic()
            while len(ends) < count:
                ends.extend((status, time.monotonic() - since, headers) for _, _, status, headers in receive_all({"": dealer}, 1))

        send(0, 1000)  # nobody knows yet how fast it goes: all are let in
        wait_for(lambda: len(mock.seen()) > 120)
        hear(200)
        turned_away = [e for e in ends if e[0] == 429]
        assert len(turned_away) > 50, "those behind 20 seconds of others wait in vain"
        before, asked_at = len(ends), time.monotonic()
        send(1000, 400)
        hear(before + 100)
        assert time.monotonic() - asked_at < 6 * SLOW
        hear(1400)
        took = time.monotonic() - began
    count = collections.Counter(s for s, *_ in ends)
    print(f"{took:.0f} s: {dict(count)}")
    assert count[200] > 250 and count[504] < 100 and count[200] + count[429] + count[504] == 1400, count
    for status, _, headers in ends:
        assert status != 429 or 1 <= int(headers["retry-after"]) <= 120, headers
    wait_for(gateway.at_rest)


def test_a_request_that_waits_is_given_another_model_where_the_queue_is_too_long(start):
    busy, idle = start.mock("p", latency_ms=100), start.mock("q")
    gateway = start.gateway({"providers": [provider("p", busy, pool={"connections": 2, "per_host": 2}), provider("q", idle)],
                             "models": [model("smart", "p/m", fallbacks=["q/m"]), model("slow", "p/m")],
                             "retry": {"failover_wait": "4s"}})
    with Dealer(gateway.zmq_url) as others:
        for i in range(400):
            others.send(b"%d" % i, b"chat", chat_body(f"patient {i}", model="slow"))
        wait_for(lambda: len(busy.seen()) > 110)
        began = time.monotonic()
        answer = gateway.chat("where the queue is short", headers={"x-mainstay-priority": "low"})
        assert answer.complete("where the queue is short") and answer.source in ("primary", "fallback")
        assert time.monotonic() - began < 3 * SLOW
        others.socket.close()
    wait_for(gateway.at_rest, 30)
