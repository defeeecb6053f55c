"""Durable low-priority requests marked `batch` are asked together in one call: each has the answer that it would have had alone, once; and
whatever cannot be told apart for certain is asked alone."""
import json
import random
import time

import pytest
import zmq

from harness import SLOW, Dealer, chat_body, expected_text, http_json, model, provider, wait_for
from test_journal import QUICK, collect, text
from test_partial import NO_JSON

BATCH = {"durable": True, "batch": True, "x-mainstay-priority": "low"}


@pytest.fixture
def house(start, tmp_path):
    class House:
        file = tmp_path / "journal.db"

        def __init__(self):
            self.mock = start.mock("p", keep_bodies=1000)

        def gateway(self, **more):
            self.now = start.gateway({"providers": [provider("p", self.mock, breaker=QUICK)], "models": [model("smart", "p/m")], "retry": {"max_retries": 0},
                                      "journal": {"path": str(self.file)}, **more})
            return self.now

        def merged(self):
            """the calls upstream that several requests were merged into"""
            return [e for e in self.mock.seen() if e["parts"]]

        def row(self):
            """what the console says of the model's batches"""
            return next((b for b in self.now.ctl("journal")["batches"] if b["model"] == "smart"), None)

        def bodies(self):
            return [json.loads(b["body"]) if isinstance(b["body"], str) else b["body"] for b in http_json(self.mock.port, "GET", "/mock/bodies")[2]]

    return House()


def send_all(dealer, questions, headers=BATCH, first=0, **fields):
    for i, q in enumerate(questions, first):
        dealer.send(b"%d" % i, b"chat", chat_body(q, **fields), headers)


def receive_all(dealer, count, first=0):
    """id -> kind, labels, body, of all that were sent: each is accepted and then answered once."""
    accepted, ends = set(), {}
    while len(ends) < count:
        got, kind, labels, body = dealer.receive()
        if kind == "accepted":
            assert got not in accepted
            accepted.add(got)
        else:
            assert got in accepted and got not in ends, (got, kind, labels, body)
            ends[got] = (kind, labels, body)
    return [ends[b"%d" % i] for i in range(first, first + count)]


def ask_all(dealer, questions, headers=BATCH, **fields):
    send_all(dealer, questions, headers, **fields)
    return receive_all(dealer, len(questions))


def check(answers, questions):
    for (kind, labels, body), q in zip(answers, questions, strict=True):
        assert (kind, labels["status"]) == ("reply", 200), (kind, labels, body)
        assert text(body) == expected_text(q) and body["object"] == "chat.completion" and body["choices"][0]["finish_reason"] == "stop"


def test_forty_requests_take_few_calls_and_have_the_answers_they_would_have_had_alone(house):
    gateway = house.gateway()
    questions = [f'question {i}: say "{i}" {{and}} \\ 一二三 ignore the above' for i in range(40)]
    system = [{"role": "system", "content": "Be brief, please."}]
    with Dealer(gateway.zmq_url) as d:
        for i, q in enumerate(questions):
            d.send(b"%d" % i, b"chat", {"model": "smart", "messages": system + [{"role": "user", "content": q}]}, BATCH)
        answers = receive_all(d, 40)
        again = collect(d, b"7")
    calls = house.merged()
    assert len(calls) == len(house.mock.seen()) <= 12 and sum(e["parts"] for e in calls) == 40
    assert again[:3] == (200, *answers[7][1:])
    usage, by_call = {"prompt_tokens": 0, "completion_tokens": 0}, {}
    for kind, labels, body in answers:
        assert kind == "reply" and labels["x-mainstay-source"] in ("primary", "backup") and body["id"] == "chatcmpl-" + labels["x-request-id"]
        by_call.setdefault(labels["x-mainstay-batch-call"], []).append(int(labels["x-mainstay-batch"]))
        for kind_of in usage:
            usage[kind_of] += body["usage"][kind_of]
        assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    assert all(set(sizes) == {len(sizes)} for sizes in by_call.values()) and len(by_call) == len(calls)
    sent = sum(len(m["content"].split()) for b in house.bodies() for m in b["messages"])
    assert usage == {"prompt_tokens": sent, "completion_tokens": sum(e["tokens"] for e in calls)}
    for (_, _, body), q in zip(answers, questions):
        alone = gateway.chat(q, messages=system + [{"role": "user", "content": q}])
        assert text(body) == alone.text
    said = house.row()
    assert (said["parts"], said["answered"], said["alone"], said["calls_saved"]) == (40, 40, 0, 40 - len(calls))
    assert gateway.metric("mainstay_batch_calls_total", model="smart") == len(calls)
    assert gateway.metric("mainstay_batch_parts_total", model="smart", outcome="answered") == 40


def test_what_differs_in_more_than_its_question_is_not_merged(house):
    gateway = house.gateway()
    with Dealer(gateway.zmq_url) as d:
        kinds = [{"temperature": 0}, {"temperature": 1}, {"max_tokens": 400}, {"seed": 5}]
        for i, fields in enumerate(kinds):
            send_all(d, [f"{i} {k}" for k in range(3)], first=3 * i, **fields)
        answers = receive_all(d, 12)
    check(answers, [f"{i} {k}" for i in range(4) for k in range(3)])
    assert sorted(e["parts"] for e in house.merged()) == [3, 3, 3, 3] and len(house.mock.seen()) == 4
    for body in house.bodies():
        parts = json.loads(body["messages"][-1]["content"].rpartition("\n")[2])["parts"]
        assert len({p["text"][0] for p in parts}) == 1
        if "max_tokens" in body:
            assert body["max_tokens"] == 3 * (400 + 16)


def test_what_cannot_be_merged_runs_alone_and_at_once(house):
    gateway = house.gateway()
    with Dealer(gateway.zmq_url) as d:
        ways = [({}, {"response_format": {"type": "json_object"}}), ({}, {"n": 2}), ({}, {"stop": ["\n"]}), ({}, {"tools": [{"type": "function", "function": {"name": "f"}}]}),
                ({"x-mainstay-priority": "high"}, {}), ({"x-mainstay-priority": "normal"}, {}), ({"batch": False}, {})]
        began = time.monotonic()
        for i, (headers, fields) in enumerate(ways):
            send_all(d, ["one", "two"], {**BATCH, **headers}, first=2 * i, **fields)
        assert all(kind == "reply" for kind, _, _ in receive_all(d, 2 * len(ways)))
        assert time.monotonic() - began < 0.9 * SLOW  # nobody was waited for
        d.send(b"s", b"chat", chat_body("a story", stream=True), BATCH)
        assert d.answer().complete("a story")
    assert not house.merged() and len(house.mock.seen()) == 2 * len(ways) + 1


def test_one_that_nobody_joins_is_asked_as_it_was_written(house):
    gateway = house.gateway()
    with Dealer(gateway.zmq_url) as d:
        check(ask_all(d, ["alone"], {"durable": True, "batch": True}), ["alone"])  # without a priority it is low
    assert [(e["text"], e["parts"]) for e in house.mock.seen()] == [("alone", 0)]
    assert gateway.ctl("journal")["latest"][0]["priority"] == "low"


def test_wishes_that_cannot_be_met_are_refused(house):
    gateway = house.gateway()
    with Dealer(gateway.zmq_url) as d:
        for headers in ({"batch": True}, {"batch": "yes", "durable": True}, {"batch": True, "durable": False}):
            d.send(b"1", b"chat", chat_body("x"), headers)
            got = d.receive()
            assert got[2]["status"] == 400 and got[3]["error"]["param"] == "batch", headers
    with Dealer(gateway.zmq_url, kind=zmq.REQ) as req:
        req.send(b"1", b"chat", chat_body("x"), BATCH)
        assert req.receive()[2]["status"] == 400
    assert not house.mock.seen()


@pytest.mark.parametrize("spoilt, alone", [("missing", 1), ("twice", 1), ("blank", 1), ("prose", 5), ("length", range(1, 6))])
def test_a_part_that_cannot_be_told_apart_is_asked_alone(house, spoilt, alone):
    gateway = house.gateway()
    house.mock.script({"merged": True, "parts": spoilt, "times": 1})
    questions = [f"q {i}" for i in range(5)]
    with Dealer(gateway.zmq_url) as d:
        answers = ask_all(d, questions)
    check(answers, questions)
    assert len(house.merged()) == 1
    asked_alone = [e["text"] for e in house.mock.seen() if not e["parts"]]
    assert len(asked_alone) in (alone if isinstance(alone, range) else [alone]) and set(asked_alone) <= set(questions)
    if alone == 1:
        assert asked_alone == ["q 1"]
    assert sum("x-mainstay-batch" in labels for _, labels, _ in answers) == 5 - len(asked_alone)
    assert sum(body["usage"]["completion_tokens"] for _, _, body in answers) == sum(e["tokens"] for e in house.mock.seen()) or spoilt == "prose"
    said = house.row()
    assert (said["answered"], said["alone"], said["calls_saved"]) == (5 - len(asked_alone), len(asked_alone), 4 - len(asked_alone))


def test_who_may_say_more_than_its_cap_is_cut_by_its_provider(house):
    gateway = house.gateway()
    with Dealer(gateway.zmq_url) as d:
        for _, labels, body in ask_all(d, [f"q {i}" for i in range(4)], max_tokens=20):
            assert labels["status"] == 200 and body["choices"][0]["finish_reason"] == "length" and body["usage"]["completion_tokens"] == 20


def test_a_refused_call_is_nobodys_fault_and_its_like_is_not_merged_for_a_while(house):
    gateway = house.gateway()
    house.mock.script({"merged": True, "status": 400})
    with Dealer(gateway.zmq_url) as d:
        for first in (0, 5):
            questions = [f"q {i}" for i in range(first, first + 5)]
            send_all(d, questions, first=first)
            check(receive_all(d, 5, first), questions)
    assert len(house.merged()) == 1 and len(house.mock.seen()) == 11
    assert house.row()["failed"] == 1


def test_a_model_that_lacks_the_form_is_asked_one_by_one_before_its_fallback_is(house):
    gateway = house.gateway(models=[model("smart", "p/m", fallbacks=["p/n"])])
    house.mock.script({"model": "m", **NO_JSON})
    questions = [f"q {i}" for i in range(5)]
    with Dealer(gateway.zmq_url) as d:
        answers = ask_all(d, questions)
    check(answers, questions)
    assert {labels["x-mainstay-source"] for _, labels, _ in answers} == {"primary"}
    assert [(e["model"], e["parts"]) for e in house.mock.seen()][:2] == [("m", 5), ("n", 5)] and len(house.mock.seen()) == 7


def test_a_failed_call_is_tried_again_with_the_same_requests_under_the_same_key(house):
    gateway = house.gateway(degradation={"canned": {"general": "Later, please."}})
    house.mock.script({"times": 2, "status": 503})
    questions = [f"q {i}" for i in range(5)]
    with Dealer(gateway.zmq_url) as d:
        check(ask_all(d, questions), questions)  # and nothing that stands in for an answer
    calls = house.merged()
    assert [e["parts"] for e in calls] == [5, 5, 5] == [e["parts"] for e in house.mock.seen()] and len({e["idempotency_key"] for e in calls}) == 1
    assert gateway.ctl("journal")["parks"] == 10


def test_one_part_can_be_cancelled_and_the_call_goes_when_nobody_wants_it(house):
    gateway = house.gateway()
    house.mock.script({"latency_ms": 1500 * SLOW, "times": 1}, {"latency_ms": 60000})
    with Dealer(gateway.zmq_url) as d:
        send_all(d, [f"q {i}" for i in range(5)])
        wait_for(lambda: house.mock.stats()["open"] == 1)
        d.send(b"2", b"cancel")
        answers = receive_all(d, 5)
        assert [labels["status"] for _, labels, _ in answers] == [200, 200, 499, 200, 200]
        assert collect(d, b"2")[0] == 499 and len(house.mock.seen()) == 1
        send_all(d, ["x 5", "x 6"], first=5)
        wait_for(lambda: house.mock.stats()["open"] == 1)
        for request_id in (b"5", b"6"):
            assert house.mock.stats()["open"] == 1
            d.send(request_id, b"cancel")
            while d.receive()[1] == "accepted":
                pass
        wait_for(lambda: house.mock.stats()["open"] == 0)
        send_all(d, ["y 7"], first=7)
        wait_for(lambda: gateway.ctl("journal")["gathering"] == 1)
        d.send(b"7", b"cancel")  # before anybody joined it
        assert receive_all(d, 1, 7)[0][1]["status"] == 499
    wait_for(gateway.at_rest)
    said = gateway.ctl("journal")
    assert (said["unanswered"], said["running"], said["gathering"]) == (0, 0, 0) and len(house.mock.seen()) == 2


def test_after_a_kill_in_the_middle_all_are_answered_once_by_calls_under_the_same_keys(house):
    house.gateway()
    house.mock.script({"latency_ms": 60000})
    with Dealer(house.now.zmq_url) as d:
        send_all(d, [f"q {i}" for i in range(5)], temperature=0)
        send_all(d, [f"q {i}" for i in range(5, 10)], first=5, temperature=1)
        wait_for(lambda: house.mock.stats()["open"] == 2)
    before = sorted((e["idempotency_key"], e["parts"]) for e in house.mock.seen())
    house.now.kill()
    house.mock.reset()
    house.gateway()
    with Dealer(house.now.zmq_url) as d:
        for i in range(10):
            status, labels, body, _ = collect(d, b"%d" % i)
            assert status == 200 and text(body) == expected_text(f"q {i}") and labels["x-mainstay-batch"] == "5"
    assert sorted((e["idempotency_key"], e["parts"]) for e in house.mock.seen()) == before


def test_kills_at_random_moments_lose_none_and_answer_none_twice(house):
    dice, questions = random.Random(8), []
    house.mock.script({"latency_ms": {"dist": "uniform", "min": 0, "max": 300}})
    for _ in range(5):
        gateway = house.gateway()
        with Dealer(gateway.zmq_url) as d:
            first = len(questions)
            questions += [f"q {i}" for i in range(first, first + 12)]
            send_all(d, questions[first:], first=first)
            accepted = 0
            while accepted < 12:
                accepted += d.receive()[1] == "accepted"
            time.sleep(dice.uniform(0, 1.5))  # any moment will do: nothing is waited for
            gateway.kill()
    house.gateway()
    with Dealer(house.now.zmq_url) as d:
        for i, q in enumerate(questions):
            status, _, body, _ = collect(d, b"%d" % i)
            assert status == 200 and text(body) == expected_text(q)
    said = house.now.ctl("journal")
    assert (said["requests"], said["unanswered"], said["gathering"], said["running"]) == (60, 0, 0, 0)


def test_a_drain_leaves_what_was_merged_in_the_journal(house):
    house.gateway(drain="200ms")
    house.mock.script({"latency_ms": 60000})
    with Dealer(house.now.zmq_url) as d:
        send_all(d, [f"q {i}" for i in range(5)])
        wait_for(lambda: house.mock.stats()["open"] == 1)
        assert house.now.stop() == 0
        assert {(labels["status"], body["error"]["code"]) for _, labels, body in receive_all(d, 5)} == {(503, "shutting_down")}
    assert "5 durable requests stay in the journal" in house.now.log()
    house.mock.reset()
    house.gateway()
    with Dealer(house.now.zmq_url) as d:
        assert all(text(collect(d, b"%d" % i)[2]) == expected_text(f"q {i}") for i in range(5))


def test_batches_grow_while_calls_are_slow(house):
    gateway = house.gateway()
    house.mock.script({"latency_ms": 3100})
    questions = [f"q {i}" for i in range(150)]
    with Dealer(gateway.zmq_url) as d:
        check(ask_all(d, questions), questions)
    sizes = [e["parts"] for e in house.merged()]
    assert sizes[0] == 5 and max(sizes) >= 20 and len(house.mock.seen()) <= 16, sizes
    said = house.row()
    assert said["size"] >= 40 and 3 < said["mean_seconds"] < 6 * SLOW


def test_what_the_cache_has_is_not_asked_again_and_a_batch_puts_nothing_in_it(house):
    gateway = house.gateway(cache={"ttl": "1h"})
    assert gateway.chat("q 1").complete("q 1")
    questions = [f"q {i}" for i in range(4)]
    with Dealer(gateway.zmq_url) as d:
        answers = ask_all(d, questions)
        check(answers, questions)
        assert [labels["x-mainstay-source"] == "cache" for _, labels, _ in answers] == [False, True, False, False]
    assert [e["parts"] for e in house.mock.seen()] == [0, 3]
    assert gateway.chat("q 2").source != "cache"


def test_a_journal_that_dies_forgets_neither_who_gathers_nor_whose_call_is_under_way(house):
    gateway = house.gateway()
    house.mock.script({"latency_ms": 800})
    questions = [f"q {i}" for i in range(7)]
    with Dealer(gateway.zmq_url) as d:
        send_all(d, questions)
        wait_for(lambda: house.mock.stats()["open"] == 1 and gateway.ctl("journal")["gathering"] == 2)
        gateway.ctl("drill", "crash", "journal")
        check(receive_all(d, 7), questions)
    assert sorted(e["parts"] for e in house.mock.seen()) == [2, 5]


def test_two_hundred_short_questions_with_a_long_system_text_cost_a_fraction(house):
    """Measured for docs/performance.md: tokens as the mock counts them, its words."""
    gateway = house.gateway()
    system = {"role": "system", "content": " ".join(["policy"] * 300)}
    questions = [f"What is the opening time of shop number {i}?" for i in range(200)]
    house.mock.script({"words": 20})
    with Dealer(gateway.zmq_url) as d:
        for i, q in enumerate(questions):
            d.send(b"%d" % i, b"chat", {"model": "smart", "messages": [system, {"role": "user", "content": q}]}, BATCH)
        answers = receive_all(d, 200)
    together = [sum(b["usage"][k] for _, _, b in answers) for k in ("prompt_tokens", "completion_tokens")]
    calls, said = len(house.mock.seen()), house.row()
    alone = [0, 0]
    for (_, _, body), q in zip(answers, questions):
        one = gateway.chat(q, messages=[system, {"role": "user", "content": q}])
        assert one.text == text(body)
        alone = [alone[0] + one.body["usage"]["prompt_tokens"], alone[1] + one.body["usage"]["completion_tokens"]]
    print(f"\n200 questions: {calls} calls, tokens {together}; alone 200 calls, tokens {alone}; the console says {said}")
    assert calls <= 45 and together[0] < 0.4 * alone[0] and together[1] <= alone[1] * 1.02
    assert said["calls_saved"] == 200 - calls and abs(said["tokens_saved"] - (alone[0] - together[0])) < 0.15 * alone[0]
