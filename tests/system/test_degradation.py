"""When nobody can answer, or the conversation is too long: what a caller gets instead of an error, and how it is labelled."""
import pytest

from harness import FAST, Dealer, model, provider, wait_for

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
