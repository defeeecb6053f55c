"""When nobody can answer, or the conversation is too long: what a caller gets instead of an error, and how it is labelled."""
import json
import time

import pytest

from harness import FAST, Dealer, http_json, model, provider, wait_for

CANNED = {"general": {"en": "We are back soon.", "de": "Wir sind bald zurück.", "zh": "我们很快回来。"}, "greeting": "Hello! One moment.", "urgent": "Call 123."}
TAKES, REFUSES = {"x-api-key": "takes-canned-answers"}, {"x-api-key": "wants-the-plain-error"}
CLIENTS = [{"name": "takes", "key": TAKES["x-api-key"], "canned": True, "tpm": 100000}, {"name": "refuses", "key": REFUSES["x-api-key"]}]
ONCE = {**FAST, "max_retries": 0}
PATIENT = {"failure_threshold": 1000, "min_calls": 1000}  # what is told here is not the breaker's
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture
def canned(start):
    def begin(mock=None, key="k1", **more):
        a = mock or start.mock("a")
        config = {"clients": CLIENTS, "providers": [provider("a", a, [key], timeouts={"first_byte": "500ms", "idle": "500ms"}, breaker=PATIENT)],
                  "models": [model("smart", "a/m")], "retry": ONCE, "degradation": {"canned": CANNED}, **more}
        return a, start.gateway(config)

    return begin


def is_canned(answer, text, reason):
    assert answer.status == 200 and not answer.error and answer.text == text, answer
    assert answer.events is None or (answer.done and answer.events[-1]["choices"][0]["finish_reason"] == "stop")
    labels = {k: answer.headers.get("x-mainstay-" + k) for k in ("source", "degraded", "reason", "provider")}
    assert labels == {"source": "canned", "degraded": "true", "reason": reason, "provider": None}
    return True


@BOTH
def test_a_client_that_allows_it_gets_a_sentence_at_both_doors_and_the_other_the_error(canned, stream):
    a, gateway = canned()
    a.script({"status": 503})
    for question, text in [("What is the time?", "We are back soon."), ("Wie spät ist es?", "Wir sind bald zurück."), ("现在几点？", "我们很快回来。"),
                           ("Hallo", "Hello! One moment."), ("Hello, this is urgent", "Call 123.")]:
        is_canned(gateway.chat(question, stream, TAKES), text, "overloaded")
    with Dealer(gateway.zmq_url) as d:
        answer = d.chat("Hello", stream, TAKES)
        is_canned(answer, "Hello! One moment.", "overloaded")
        if stream:
            assert answer.end[1]["usage"]["total_tokens"] == 0
        assert d.chat("Hello", stream, REFUSES).status == 503
    assert gateway.chat("Hello", stream, REFUSES).status == 503
    wait_for(gateway.at_rest)
    assert gateway.metric("mainstay_request_seconds_count", source="canned") == 6
    assert gateway.metric("mainstay_requests_total", client="takes", outcome="ok") == 6
    assert gateway.metric("mainstay_requests_total", client="refuses", outcome="overloaded") == 2


def test_whatever_keeps_providers_from_answering_leads_to_the_sentence(canned, start):
    a, gateway = canned(key={"name": "k1", "rpm": 3}, cache={})
    takes = {**TAKES, "x-mainstay-cache": "use"}
    a.script({"fault": "silence"})
    is_canned(gateway.chat("One?", headers=takes), "We are back soon.", "first_byte_timeout")
    is_canned(gateway.chat("Two?", headers={**takes, "x-mainstay-deadline-ms": "300"}), "We are back soon.", "deadline")
    a.reset()
    assert gateway.chat("One?", headers=takes).complete("One?")  # what was canned is not in the cache
    is_canned(gateway.chat("Three?", headers={**takes, "x-mainstay-deadline-ms": "1000"}), "We are back soon.", "rate_limited")
    gateway.ctl("breakers", "a", "open")
    is_canned(gateway.chat("Four?", headers={**takes, "x-mainstay-deadline-ms": "1000"}), "We are back soon.", "overloaded")
    gone = start.mock("gone")
    gone.kill()
    _, gateway = canned(gone)
    answer = gateway.chat("Hi", headers=TAKES)
    is_canned(answer, "Hello! One moment.", "connect_failed")
    assert answer.body["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0} and answer.body["model"] == "smart"
    wait_for(gateway.at_rest)
    clients = {c["name"]: c for c in gateway.ctl("limits")["clients"]}
    assert clients["takes"]["tpm_used_percent"] == 0, clients  # nobody's tokens were spent
    a, gateway = canned()
    a.script({"fault": "silence"})
    is_canned(gateway.chat("Late?", headers={**TAKES, "x-mainstay-deadline-ms": "300"}), "We are back soon.", "deadline")
    wait_for(gateway.at_rest)
    clients = {c["name"]: c for c in gateway.ctl("limits")["clients"]}
    assert clients["takes"]["tpm_used_percent"] == 0, clients  # nor reserved for good


def test_where_a_sentence_would_be_no_answer_the_error_goes_out(canned):
    a, gateway = canned()
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    a.script({"status": 503})
    for fields in ({"tools": [tool]}, {"response_format": {"type": "json_object"}}, {"n": 2}, {"logprobs": True}):
        for stream in (False, True):
            assert gateway.chat("Hello", stream, TAKES, **fields).status == 503, fields
    for wrong in ("content_filter", "context_length"):
        a.script({"error": wrong})
        assert gateway.chat("Hello", headers=TAKES).status == 400
    a.script({"status": 422})
    assert gateway.chat("Hello", headers=TAKES).status == 422
    a.script({"fault": "cut", "after": 40})
    begun = gateway.chat("Hello", True, TAKES)  # a part of the answer is there already
    assert begun.error and not begun.done and begun.source == "primary" and begun.text.startswith("echo: Hello")
    wait_for(gateway.at_rest)


# -- too long


def talk(turns, words=150):
    """A system message, so many turns of about 2 x `words` tokens each, and a question."""
    out = [{"role": "system", "content": "Be brief."}]
    for i in range(turns):
        out += [{"role": "user", "content": f"turn {i} " + "abc " * words}, {"role": "assistant", "content": f"answer {i} " + "xyz " * words}]
    return out + [{"role": "user", "content": "and now?"}]


def sent_to(mock, n=1):
    """The messages of the newest request bodies the mock got, oldest first."""
    bodies = http_json(mock.port, "GET", f"/mock/bodies?n={n}")[2]
    return [json.loads(b["body"])["messages"] for b in (bodies["bodies"] if isinstance(bodies, dict) else bodies)]


def is_shortened(sent, asked):
    assert sent[0] == asked[0] and sent[1]["role"] == "system" and "left out" in sent[1]["content"], sent[:2]
    assert sent[2:] == asked[len(asked) - len(sent) + 2:] and sent[2]["role"] == "user" and len(sent) < len(asked)
    return True


@BOTH
def test_a_conversation_above_the_window_is_sent_without_its_oldest_turns(start, stream):
    a = start.mock("a", keep_bodies=100)
    gateway = start.gateway({"providers": [provider("a", a)], "retry": ONCE, "cache": {},
                             "models": [model("smart", "a/m", context_window=2000, truncate="oldest"), model("whole", "a/m", context_window=2000)]})
    long = talk(20)
    for i in range(2):  # the second time too: what was cut is not kept
        answer = gateway.chat("", stream, messages=long)
        labels = [answer.headers.get("x-mainstay-" + k) for k in ("source", "degraded", "reason")]
        assert answer.status == 200 and labels == ["primary", "true", "truncated"], answer
    sent = sent_to(a)[0]
    assert is_shortened(sent, long) and len(sent) > 8, len(sent)
    whole = gateway.chat("", stream, model="whole", messages=long)
    assert whole.headers["x-mainstay-degraded"] == "false" and sent_to(a)[0] == long
    short = gateway.chat("", stream, messages=talk(2))
    assert short.headers["x-mainstay-degraded"] == "false" and sent_to(a)[0] == talk(2)
    with Dealer(gateway.zmq_url) as d:
        assert d.chat("", stream, messages=long).headers["x-mainstay-reason"] == "truncated"
    wait_for(gateway.at_rest)


def test_a_provider_that_finds_it_too_long_is_asked_a_shorter_question(start):
    a = start.mock("a", keep_bodies=100)
    gateway = start.gateway({"providers": [provider("a", a)], "retry": ONCE,
                             "models": [model("smart", "a/m", truncate="oldest"), model("whole", "a/m")]})
    a.script({"times": 2, "error": "context_length"})
    long = talk(20)
    answer = gateway.chat("", messages=long)
    assert answer.status == 200 and answer.attempts == 3 and answer.headers["x-mainstay-reason"] == "truncated", answer
    first, second, third = sent_to(a, 3)
    assert first == long and is_shortened(second, long) and is_shortened(third, long) and len(third) < len(second)
    assert len({r["idempotency_key"] for r in a.seen()}) == 3  # other questions, other work
    a.script({"error": "context_length"})
    assert gateway.chat("", messages=long).status == 400
    assert gateway.chat("just this", headers={}).status == 400  # there is nothing to leave out
    n = len(a.seen())
    assert gateway.chat("", model="whole", messages=long).status == 400 and len(a.seen()) == n + 1
    wait_for(gateway.at_rest)


def test_shorter_questions_leave_a_call_for_the_fallback_which_gets_the_whole_one(start):
    a, b = start.mock("a", keep_bodies=10), start.mock("b", keep_bodies=10)
    gateway = start.gateway({"providers": [provider("a", a), provider("b", b)], "retry": {**ONCE, "attempts": 3},
                             "models": [model("smart", "a/m", fallbacks=["b/n"], truncate="oldest")]})
    a.script({"error": "context_length"})
    long = talk(20)
    answer = gateway.chat("", messages=long)
    assert answer.status == 200 and answer.source == "fallback" and answer.headers["x-mainstay-reason"] == "context_length", answer
    assert len(a.seen()) == 2 and sent_to(b)[0] == long
    wait_for(gateway.at_rest)


# -- the model ladder


def test_a_model_that_fails_too_often_goes_behind_its_fallback_and_comes_back(start):
    a, b = start.mock("a"), start.mock("b")
    gateway = start.gateway({"providers": [provider("a", a, breaker=PATIENT), provider("b", b, breaker=PATIENT)], "retry": ONCE,
                             "models": [model("smart", "a/m", fallbacks=["b/n"]), model("alone", "a/m")],
                             "degradation": {"model": {"check_interval": "1s", "min_calls": 10, "rebalance_every": 20}}})
    ranks = lambda: {r["target"]: r for r in gateway.ctl("models")["ranked"]}
    a.script({"status": 500, "times": 2})
    for i in range(10):
        assert gateway.chat(f"q {i}").status == 200
    before = ranks()["a/m"]
    assert before["state"] == "degraded" and before["calls"] == 10 and abs(before["success_share"] - 0.8) < 1e-6, before
    # The fallback answers, with a word about why; one request in an interval still goes to the model itself.
    asked_before, began = len(a.seen()), time.monotonic()
    answers = [gateway.chat(f"next {i}") for i in range(10)]
    seconds = time.monotonic() - began
    there = [x for x in answers if x.provider == "b"]
    assert len(a.seen()) - asked_before <= seconds + 1 or seconds > 2.5  # by then it may be itself again
    assert there and {(x.source, x.headers["x-mainstay-degraded"], x.headers["x-mainstay-reason"]) for x in there} == {("fallback", "true", "capacity")}
    assert gateway.chat("nobody else", model="alone").complete("nobody else")  # behind nobody

    def itself_again():
        """the trials bring it back"""
        gateway.chat("trial")
        return ranks()["a/m"]["state"] == "good"

    wait_for(itself_again, 20, every=0.1)
    assert gateway.chat("back").source == "primary"
    assert "model a/m is degraded" in gateway.log() and "model a/m is itself again" in gateway.log()
    wait_for(gateway.at_rest)
