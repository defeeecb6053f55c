"""Durable requests are on disk before they are accepted, have one answer that is handed out again and again, and outlive a SIGKILL;
repeated requests get the first answer."""
import json
import os
import random
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
import zmq

from harness import SLOW, Dealer, chat_body, expected_text, http_json, model, provider, wait_for

FULL = os.environ.get("MAINSTAY_FULL") == "1"
KILLS = 1000 if FULL else 8
ONCE = {"max_retries": 0, "attempts": 1}
QUICK = {"failure_threshold": 1000, "failure_rate": 1, "min_calls": 10000, "recovery_timeout": "200ms"}


@pytest.fixture
def house(start, tmp_path):
    class House:
        file = tmp_path / "journal.db"

        def __init__(self):
            self.mock = start.mock("p")

        def config(self, **more):
            return {"providers": [provider("p", self.mock, breaker=QUICK)], "models": [model("smart", "p/m")], "retry": ONCE,
                    "journal": {"path": str(self.file)}, **more}

        def gateway(self, **more):
            self.now = start.gateway(self.config(**more))
            return self.now

        def upstream(self, question):
            return [e for e in self.mock.seen() if e["text"] == question]

        def journal(self):
            """what the console says of it"""
            return self.now.ctl("journal")

        def collect(self, request_id, headers=None):
            with Dealer(self.now.zmq_url) as d:
                return collect(d, request_id, headers)

        def leave_one(self, request_id, question, **more):
            """a durable request whose caller is gone once it is accepted"""
            with Dealer(self.now.zmq_url) as d:
                durable(d, request_id, question, **more)

    return House()


def durable(dealer, request_id, question, headers=None, **fields):
    """Sends it; returns when it is accepted."""
    dealer.send(request_id, b"chat", chat_body(question, **fields), {"durable": True, **(headers or {})})
    got, kind, labels, body = dealer.receive()
    assert (got, kind, labels["status"], body) == (request_id, "accepted", 202, {"state": "pending"}), (got, kind, labels, body)
    return labels["x-request-id"]


def collect(dealer, request_id, headers=None):
    """The answer, and whether it had to be waited for."""
    dealer.send(request_id, b"collect", b"", headers)
    got, kind, labels, body = dealer.receive()
    pending = kind == "accepted"
    if pending:
        assert body == {"state": "pending"}
        got, kind, labels, body = dealer.receive()
    assert got == request_id and kind in ("reply", "error")
    return labels["status"], labels, body, pending


def text(body):
    return body["choices"][0]["message"]["content"]


def fills_the_disk(process):
    """No file of its may grow any more, until it is called."""
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (8192, hard))
    return lambda: resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_an_accepted_request_is_answered_and_collected_again_and_again(house):
    gateway = house.gateway()
    with Dealer(gateway.zmq_url) as d:
        name = durable(d, b"any \xff id", "first")
        got, kind, labels, body = d.receive()
        assert (got, kind, labels["x-mainstay-source"], labels["x-request-id"]) == (b"any \xff id", "reply", "primary", name)
        assert text(body) == expected_text("first")
        for _ in range(3):
            assert collect(d, b"any \xff id") == (200, labels, body, False)
        d.send(b"any \xff id", b"chat", chat_body("first"), {"durable": True})  # the same again: its answer
        assert d.receive()[3] == body
        d.send(b"any \xff id", b"chat", chat_body("another"), {"durable": True})
        refused = d.receive()
        assert refused[2]["status"] == 422 and refused[3]["error"]["code"] == "id_reused"
        assert collect(d, b"nobody's")[0] == 404
    assert len(house.mock.seen()) == 1
    said = house.journal()
    assert (said["requests"], said["unanswered"], said["stored"], said["running"]) == (1, 0, 1, 0) and said["latest"][0]["state"] == "answered 200"


def test_only_the_client_that_sent_it_may_collect_or_cancel(house):
    keys = {"one": "one-key-of-sixteen", "two": "two-key-of-sixteen"}
    house.gateway(clients=[{"name": n, "key": k} for n, k in keys.items()])
    one, two = ({"authorization": f"Bearer {k}"} for k in keys.values())
    with Dealer(house.now.zmq_url) as d:
        durable(d, b"1", "mine", headers=one)
        assert d.receive()[1] == "reply"
        assert collect(d, b"1", two)[0] == 404
        assert collect(d, b"1")[0] == 401
        d.send(b"1", b"cancel", b"", two)
        assert d.receive()[2]["status"] == 404
        durable(d, b"1", "the same id is another client's own", headers=two)
        assert d.receive()[1] == "reply"
        assert text(collect(d, b"1", one)[2]) == expected_text("mine")


def test_who_collects_early_hears_that_it_is_pending_and_then_the_answer(house):
    house.gateway()
    house.mock.script({"latency_ms": 1000})
    house.leave_one(b"1", "slow")
    status, _, body, pending = house.collect(b"1")
    assert status == 200 and pending and text(body) == expected_text("slow")


def test_a_stream_comes_live_and_is_collected_whole(house):
    gateway = house.gateway()
    with Dealer(gateway.zmq_url) as d:
        durable(d, b"s", "a story", stream=True)
        live = d.answer()
        assert live.complete("a story") and live.end[1]["usage"]["completion_tokens"] == 60
        assert text(collect(d, b"s")[2]) == expected_text("a story")
    house.mock.script({"token_ms": 20})
    house.leave_one(b"t", "left in the middle", stream=True)
    assert text(house.collect(b"t")[2]) == expected_text("left in the middle")
    assert len(house.upstream("left in the middle")) == 1


def test_wishes_that_cannot_be_met_are_refused(house):
    gateway = house.gateway()
    with Dealer(gateway.zmq_url, kind=zmq.REQ) as req:
        for verb, headers in ((b"chat", {"durable": True}), (b"collect", {})):
            req.send(b"1", verb, chat_body("x"), headers)
            assert req.receive()[2]["status"] == 400
    with Dealer(gateway.zmq_url) as d:
        for headers in ({"durable": "yes"}, {"durable": True, "not-before": "tomorrow"}, {"not-before": "2026-01-01T00:00:00Z"}):
            d.send(b"1", b"chat", chat_body("x"), headers)
            assert d.receive()[2]["status"] == 400, headers
        d.send(b"2", b"chat", {"model": "nobody", "messages": [{"role": "user", "content": "x"}]}, {"durable": True})
        assert d.receive()[2]["status"] == 404  # what is wrong is told at once, and nothing is kept
        assert collect(d, b"2")[0] == 404
    assert house.journal()["requests"] == 0 and not house.mock.seen()


def test_cancel_ends_a_durable_request_for_good(house):
    gateway = house.gateway()
    house.mock.script({"latency_ms": 60000})
    with Dealer(gateway.zmq_url) as d:
        durable(d, b"1", "never answered")
        wait_for(lambda: house.mock.stats()["open"] == 1)
        d.send(b"1", b"cancel")
        assert d.receive()[1:3] == ("error", {"status": 499, "x-request-id": d_name(house, b"1")})
        wait_for(lambda: house.mock.stats()["open"] == 0)
        durable(d, b"2", "cancelled by another connection")
        with Dealer(gateway.zmq_url) as other:
            other.send(b"2", b"cancel")
            assert other.receive()[2]["status"] == 499
            other.send(b"2", b"cancel")
            assert other.receive()[2]["status"] == 404  # it is over
        assert d.receive()[2]["status"] == 499
        assert collect(d, b"1")[0] == collect(d, b"2")[0] == 499
    wait_for(gateway.at_rest)
    gateway.kill()
    house.gateway()
    assert house.collect(b"1")[0] == 499 and house.journal()["unanswered"] == 0


def test_a_cancel_holds_whatever_becomes_of_the_journal_actor_meanwhile(house):
    house.gateway()
    house.mock.script({"latency_ms": 60000})
    with Dealer(house.now.zmq_url) as d, ThreadPoolExecutor(1) as pool:
        sent, ends = 0, {}
        for _ in range(10):
            crash = pool.submit(house.now.ctl, "drill", "crash", "journal")
            while not crash.done():
                for _ in range(10):
                    d.send(b"%d" % sent, b"chat", chat_body(f"q {sent}"), {"durable": True})
                    d.send(b"%d" % sent, b"cancel")
                    sent += 1
            while len(ends) < sent:
                got, kind, labels, body = d.receive()
                if kind != "accepted":
                    assert got not in ends and (kind, labels["status"]) == ("error", 499), (got, kind, labels, body)
                    ends[got] = kind
        wait_for(lambda: house.mock.stats()["open"] == 0)
        assert house.journal()["unanswered"] == 0
        assert {collect(d, b"%d" % i)[0] for i in range(sent)} <= {404, 499}
    assert next(a["restarts"] for a in house.now.ctl("actors")["actors"] if a["name"] == "journal") == 10


def d_name(house, request_id):
    return next(r["request"] for r in house.journal()["latest"] if r["id"] == request_id.decode())


def test_the_deadline_ends_the_wait_and_not_the_request(house):
    house.gateway()
    house.mock.script({"latency_ms": 1500})
    with Dealer(house.now.zmq_url) as d:
        durable(d, b"1", "slower than that", headers={"x-mainstay-deadline-ms": 300})
        _, kind, labels, body = d.receive()
        assert (kind, labels["status"], body["error"]["code"]) == ("error", 504, "deadline")
        assert text(collect(d, b"1")[2]) == expected_text("slower than that")
    assert len(house.upstream("slower than that")) == 1


def test_what_waiting_can_help_is_tried_again_and_the_callers_fault_is_an_answer(house):
    house.gateway()
    house.mock.script({"text": "bad*", "status": 400}, {"times": 3, "status": 503})
    with Dealer(house.now.zmq_url) as d:
        durable(d, b"1", "patience")
        _, kind, _, body = d.receive()  # the caller hears nothing of the failures
        assert kind == "reply" and text(body) == expected_text("patience")
        durable(d, b"2", "bad luck")
        assert d.receive()[2]["status"] == 400
        assert collect(d, b"2")[0] == 400
    tries = house.upstream("patience")
    assert len(tries) == 4 and len({e["idempotency_key"] for e in tries}) == 1
    assert len(house.upstream("bad luck")) == 1
    assert house.journal()["parks"] == 3


@pytest.mark.parametrize("stream", [False, True])
def test_a_stand_in_is_for_who_waits_now_and_the_real_answer_is_collected(house, stream):
    house.gateway(degradation={"canned": {"general": "Later, please."}})
    house.mock.script({"times": 1, "status": 503})
    with Dealer(house.now.zmq_url) as d:
        durable(d, b"1", "something else", stream=stream)
        now = d.answer()
        assert now.source == "canned" and now.text == "Later, please."
        status, labels, body, _ = collect(d, b"1")
        assert status == 200 and labels["x-mainstay-source"] in ("primary", "backup") and text(body) == expected_text("something else")
    assert len(house.upstream("something else")) == 2


def test_after_a_kill_what_has_no_answer_runs_again_by_priority_under_its_key(house):
    house.gateway()
    house.mock.script({"latency_ms": 60000})
    with Dealer(house.now.zmq_url) as d:
        for level in ("low", "normal", "high"):
            for i in range(6):
                durable(d, f"{level}{i}".encode(), f"{level} {i}", headers={"x-mainstay-priority": level})
    wait_for(lambda: house.mock.stats()["open"] == 18)
    before = {e["text"]: e["idempotency_key"] for e in house.mock.seen()}
    house.now.kill()
    house.mock.reset()
    house.mock.script({"latency_ms": 100})
    house.gateway()
    for level in ("low", "normal", "high"):
        for i in range(6):
            assert text(house.collect(f"{level}{i}".encode())[2]) == expected_text(f"{level} {i}")
    again = [e for e in house.mock.seen()]
    assert {e["text"]: e["idempotency_key"] for e in again} == before and len(again) == 18
    assert all(e["text"].startswith("high") for e in again[:4])  # four at first
    assert house.mock.stats()["most_open"] <= 16
    assert house.journal()["replayed"] == 18


def test_a_drain_leaves_them_in_the_journal_and_ends_well(house):
    house.gateway(drain="200ms")
    house.mock.script({"text": "fails", "status": 503}, {"text": "runs", "latency_ms": 60000})
    tomorrow = {"not-before": (datetime.now(timezone.utc) + timedelta(days=1)).isoformat()}
    with Dealer(house.now.zmq_url) as d, Dealer(house.now.zmq_url) as collector:
        names = {b"later": durable(d, b"later", "later", headers=tomorrow), b"parked": durable(d, b"parked", "fails"), b"runs": durable(d, b"runs", "runs")}
        collector.send(b"later", b"collect")
        assert collector.receive()[1] == "accepted"
        wait_for(lambda: house.mock.stats()["open"] == 1 and house.journal()["parked"] == 1)
        assert house.now.stop() == 0
        told = [d.receive() for _ in names] + [collector.receive()]
    assert {got for got, *_ in told[:3]} == set(names)
    for got, kind, labels, body in told:
        assert (kind, labels) == ("error", {"status": 503, "retry-after": "1", "x-request-id": names[got]})
        assert body["error"]["code"] == "shutting_down"
    assert "3 durable requests stay in the journal without an answer" in house.now.log()
    assert "every other accepted request was answered" in house.now.log() and "every accepted request" not in house.now.log()
    house.mock.reset()
    house.gateway()
    assert house.journal()["unanswered"] > 0
    assert text(house.collect(b"runs")[2]) == expected_text("runs") and text(house.collect(b"parked")[2]) == expected_text("fails")


def test_a_drain_ends_when_who_still_waits_has_its_answer(house):
    house.gateway()
    house.mock.script({"latency_ms": 200})
    with Dealer(house.now.zmq_url) as d, ThreadPoolExecutor(1) as pool:
        for i in range(20):
            d.send(b"%d" % i, b"chat", chat_body(f"q {i}", stream=i % 2 == 1), {"durable": True})
        wait_for(lambda: house.mock.stats()["open"] == 20)
        ended = pool.submit(house.now.stop)
        ends = {}
        while len(ends) < 20:
            got, kind, labels, body = d.receive()
            if kind not in ("accepted", "chunk"):
                ends[got] = (kind, labels["status"])
        assert all(e == (("reply", "end")[int(i) % 2], 200) for i, e in ends.items()), ends
        assert ended.result() == 0
    assert "drained: every accepted request was answered" in house.now.log()
    house.gateway()
    assert house.journal()["unanswered"] == 0 and all(house.collect(b"%d" % i)[0] == 200 for i in range(20))
    assert len(house.mock.seen()) == 20


def test_not_before_delays_one_also_over_a_restart(house):
    house.gateway()
    begin = datetime.now(timezone.utc) + timedelta(seconds=3)
    with Dealer(house.now.zmq_url) as d:
        durable(d, b"1", "not now", headers={"not-before": begin.isoformat()})
        durable(d, b"2", "at once", headers={"not-before": "2020-01-01T00:00:00+01:00"})
        assert d.receive()[0] == b"2"
        assert not house.upstream("not now")
        house.now.kill()
    house.gateway()
    assert text(house.collect(b"1")[2]) == expected_text("not now")
    assert datetime.now(timezone.utc) >= begin and len(house.upstream("not now")) == 1


def test_retention_ends_and_bounds_hold(house):
    house.gateway(journal={"path": str(house.file), "retention": "2s", "entries": 2})
    with Dealer(house.now.zmq_url) as d:
        for i in (1, 2):
            durable(d, b"%d" % i, f"q {i}")
            assert d.receive()[1] == "reply"
        d.send(b"3", b"chat", chat_body("too many"), {"durable": True})
        _, kind, labels, body = d.receive()
        assert (kind, labels["status"], body["error"]["code"]) == ("error", 503, "journal_full")
        assert collect(d, b"3")[0] == 404
        wait_for(lambda: house.journal()["requests"] == 0)
        assert collect(d, b"1")[0] == 404
        durable(d, b"1", "the id is free again")
        assert d.receive()[1] == "reply"


def test_a_full_disk_is_an_error_to_the_caller_and_others_go_on(house):
    gateway = house.gateway()
    house.leave_one(b"0", "before")
    assert house.collect(b"0")[0] == 200
    empties = fills_the_disk(gateway)
    with Dealer(gateway.zmq_url) as d:
        d.send(b"1", b"chat", chat_body("x"), {"durable": True})
        _, kind, labels, body = d.receive()
        assert (kind, labels["status"], body["error"]["code"]) == ("error", 503, "journal_unavailable")
        assert d.chat("not durable", request_id=b"2").complete("not durable")
        assert collect(d, b"0")[0] == 200 and collect(d, b"1")[0] == 404
    empties()
    wait_for(lambda: "is written again" in gateway.log())
    house.leave_one(b"1", "after")
    assert text(house.collect(b"1")[2]) == expected_text("after")
    assert not house.upstream("x")


def test_under_traffic_too_a_full_disk_accepts_nothing_that_it_does_not_have(house):
    gateway = house.gateway()
    house.leave_one(b"before", "before")
    empties, full, fates = fills_the_disk(gateway), time.monotonic(), {}
    with Dealer(gateway.zmq_url) as d:
        sent = 0
        while not any(kind == "accepted" for kind in fates.values()):
            for _ in range(20):
                d.send(b"%d" % sent, b"chat", chat_body(f"q {sent}"), {"durable": True})
                sent += 1
            while len(fates) < sent:
                got, kind, *_ = d.receive()
                fates.setdefault(got, kind)
            if time.monotonic() - full > 2.5:  # it was tried twice meanwhile
                empties()
    said = house.journal()["requests"]
    accepted = [i for i, kind in fates.items() if kind == "accepted"]
    assert said == 1 + len(accepted) and set(fates.values()) == {"accepted", "error"}, (said, len(accepted))
    for i in accepted:
        assert text(house.collect(i)[2]) == expected_text(f"q {int(i)}")
    refused = [i for i, kind in fates.items() if kind == "error"]
    assert all(house.collect(i)[0] == 404 for i in refused[:: max(1, len(refused) // 50)])


def test_a_crash_of_the_journal_actor_loses_nobody(house):
    house.gateway()
    house.mock.script({"latency_ms": 50})
    with Dealer(house.now.zmq_url) as d:
        for n in range(1, 6):
            for i in range(20):
                d.send(b"%d-%d" % (n, i), b"chat", chat_body(f"q {n} {i}"), {"durable": True})
            house.now.ctl("drill", "crash", "journal")
            kinds = {}
            while sum(k == ["accepted", "reply"] for k in kinds.values()) < 20:
                got, kind, labels, body = d.receive()
                kinds.setdefault(got, []).append(kind)
                assert kind in ("accepted", "reply"), (labels, body)
    assert next(a["restarts"] for a in house.now.ctl("actors")["actors"] if a["name"] == "journal") == 5
    assert len(house.mock.seen()) == 100


def test_a_crash_of_who_knows_the_repeats_loses_nobody(house):
    house.gateway()
    house.mock.script({"latency_ms": 100})
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(house.now.chat, f"q {i % 20}", i % 20 % 3 == 0, headers={"idempotency-key": f"k-{i % 20}"}) for i in range(100)]
        for n in range(1, 6):
            house.now.ctl("drill", "crash", "repeats")
            wait_for(lambda: next(a["restarts"] for a in house.now.ctl("actors")["actors"] if a["name"] == "repeats") == n)
        assert all(f.result().complete(f"q {i % 20}") for i, f in enumerate(asked))
    assert len(house.mock.seen()) == 20


def test_who_has_waited_long_for_the_first_answer_waits_on_after_a_crash(house):
    house.gateway()
    house.mock.script({"latency_ms": 5500})
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(house.now.chat, "slow", headers={"idempotency-key": "k"}) for _ in range(2)]
        wait_for(lambda: house.journal()["repeats_waiting"] == 1)
        time.sleep(5.1)  # longer than anybody waits for a disk
        house.now.ctl("drill", "crash", "repeats")
        assert all(f.result().complete("slow") for f in asked)
    assert len(house.mock.seen()) == 1


@pytest.mark.parametrize("journal", [True, False])
@pytest.mark.parametrize("stream", [False, True])
def test_a_repeated_request_gets_the_first_answer(house, journal, stream):
    gateway = house.gateway(**({} if journal else {"journal": {"path": "${NOT_SET:-}"}}))
    key = {"idempotency-key": "k-1"}
    first = gateway.chat("once", stream, headers=key)
    assert first.complete("once")
    again = gateway.chat("once", stream, headers=key)
    assert again.complete("once") and again.headers["x-request-id"] != first.headers["x-request-id"]
    with Dealer(gateway.zmq_url) as d:
        assert d.chat("once", stream, headers=key).complete("once")
        assert d.chat("other", stream, headers=key).error["code"] == "idempotency_key_reused"
    assert gateway.chat("other", headers=key).status == 422
    assert len(house.mock.seen()) == 1
    gateway.kill()
    house.gateway(**({} if journal else {"journal": {"path": "${NOT_SET:-}"}}))
    assert house.now.chat("once", stream, headers=key).complete("once")
    assert len(house.mock.seen()) == (1 if journal else 2)


def test_a_repeat_waits_for_the_one_in_flight_and_goes_on_if_that_has_no_answer(house):
    gateway = house.gateway()
    house.mock.script({"latency_ms": 500})
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda i: gateway.chat("together", i % 2 == 1, headers={"idempotency-key": "t-%d" % (i % 2)}), range(6)))
    assert all(a.complete("together") for a in answers) and len(house.mock.seen()) == 2
    house.mock.reset()
    house.mock.script({"times": 1, "latency_ms": 300, "status": 503}, {"text": "bad", "status": 400})
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda i: gateway.chat("second try", headers={"idempotency-key": "u"}), range(3)))
    assert sorted(a.status for a in answers) == [200, 200, 503] and len(house.mock.seen()) == 2
    for _ in range(2):
        assert gateway.chat("bad", headers={"idempotency-key": "v"}).status == 400
    assert len(house.mock.seen()) == 3


def test_degraded_answers_are_not_repeated(start, tmp_path):
    a, b = start.mock("a"), start.mock("b")
    gateway = start.gateway({"providers": [provider("a", a, breaker=QUICK), provider("b", b)], "models": [model("smart", "a/m", fallbacks=["b/m"])], "retry": {"max_retries": 0}})
    a.script({"times": 1, "status": 503})
    assert gateway.chat("x", headers={"idempotency-key": "k"}).provider == "b"
    assert gateway.chat("x", headers={"idempotency-key": "k"}).provider == "a"
    assert gateway.chat("x", headers={"idempotency-key": "k"}).provider == "a"
    assert len(a.seen()) == 2


def test_killed_at_random_moments_what_was_accepted_is_answered_once(house):
    """Senders that go on over all kills; in the end every accepted request has one answer, and the store each once."""
    seed = int(os.environ.get("MAINSTAY_SEED", "7"))
    draw = random.Random(seed)
    house.mock.script({"latency_ms": {"dist": "uniform", "min": 0, "max": 30}})
    accepted, refused = {}, []
    for kill in range(KILLS):
        gateway = house.gateway()
        over = threading.Event()

        def send(worker):
            with Dealer(gateway.zmq_url) as d:
                d.socket.rcvtimeo = 100
                i = 0
                while not over.is_set():
                    i += 1
                    name = f"{kill}-{worker}-{i}"
                    d.send(name.encode(), b"chat", chat_body(name, stream=i % 3 == 0), {"durable": True})
                    try:
                        while True:
                            got, kind, labels, body = d.receive()
                            if kind == "accepted":
                                accepted[got] = True
                            elif kind == "error":
                                refused.append((got, labels, body))
                            if got == name.encode() and kind == "accepted":
                                break
                    except zmq.Again:
                        pass

        with ThreadPoolExecutor(4) as pool:
            senders = [pool.submit(send, w) for w in range(4)]
            count = len(accepted)
            wait_for(lambda: len(accepted) > count)
            time.sleep(draw.uniform(0, 0.3))  # a moment nobody can foresee
            gateway.kill()
            over.set()
            for s in senders:
                s.result()
    gateway = house.gateway()
    wait_for(lambda: house.journal()["unanswered"] == 0, 60 + len(accepted) / 300, 0.2)  # the full run leaves some 100,000
    with Dealer(gateway.zmq_url) as d:
        answers, names = {}, list(accepted)
        for part in (names[i:i + 500] for i in range(0, len(names), 500)):
            for request_id in part:
                d.send(request_id, b"collect")
            for _ in part:
                got, kind, labels, body = d.receive()
                assert kind == "reply" and got not in answers, (got, kind, labels, body)
                answers[got] = text(body)
    assert answers == {name: expected_text(name.decode()) for name in accepted}, seed
    assert not [r for r in refused if r[1]["status"] not in (503,)], refused[:3]
    by_key = {}
    for e in house.mock.seen():
        by_key.setdefault(e["text"], set()).add(e["idempotency_key"])
    assert all(len(keys) == 1 for keys in by_key.values())
