"""What a caller sees when providers limit, break, lie or vanish: plain and streamed, an answer."""
import pytest

from harness import FAST, Dealer, model, provider, wait_for

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture
def two(start):
    """A primary with two keys, a fallback; quick retries."""

    def begin(keys=("k1", "k2"), fallback=True, **more):
        a, b = start.mock("a"), start.mock("b")
        config = {"providers": [provider("a", a, keys, timeouts={"first_byte": "400ms", "idle": "400ms", "total": "5s"}), provider("b", b)],
                  "models": [model("smart", "a/m", fallbacks=["b/n"] if fallback else [])], "retry": FAST, **more}
        return a, b, start.gateway(config)

    return begin


@BOTH
@pytest.mark.parametrize("rule,source,attempts", [
    ({"status": 429, "retry_after": "9", "key": "secret-k1"}, None, None),
    ({"status": 401, "key": "*k1"}, None, None),
    ({"status": 402, "key": "*k1"}, None, None),
    ({"error": "insufficient_quota", "key": "*k1"}, None, None),
    ({"times": 1, "status": 500}, "backup", 2),
    ({"times": 1, "fault": "reset"}, "backup", 2),
    ({"times": 1, "fault": "close"}, "backup", 2),
    ({"status": 503}, "fallback", 5),
    ({"status": 404}, "fallback", 2),
    ({"fault": "silence"}, "fallback", 2),
    ({"fault": "html"}, "fallback", 5),
    ({"fault": "empty"}, "fallback", 5),
    ({"error": "context_length"}, "fallback", 2),
], ids=lambda r: str(r.get("fault") or r.get("error") or r.get("status")) if isinstance(r, dict) else None)
def test_a_failing_primary_is_worked_around(two, rule, source, attempts, stream):
    a, b, gateway = two()
    a.script({**rule, "key": rule["key"].replace("secret-k1", "secret-a-k1")} if "key" in rule else rule)
    for i in range(4 if "key" in rule else 1):
        answer = gateway.chat(f"q {i}", stream)
        assert answer.complete(f"q {i}"), answer
        if source:
            assert (answer.source, answer.attempts) == (source, attempts), answer
            assert answer.headers["x-mainstay-degraded"] == ("true" if source == "fallback" else "false")
        else:
            assert answer.source in ("primary", "backup") and answer.provider == "a"
    wait_for(gateway.at_rest)


@pytest.mark.parametrize("rule", [
    {"fault": "cut", "after": 40}, {"fault": "cut", "after": 40, "rst": True}, {"fault": "stall", "after": 20}, {"fault": "half_json", "event": 30},
    {"fault": "error_in_stream", "after": 10}, {"fault": "error_in_stream", "comments": True}, {"fault": "role_only_then_close"},
    {"fault": "slow_first_token", "delay_ms": 3000}, {"fault": "endless_line", "bytes": 20000000},
], ids=lambda r: r["fault"] + ("-rst" if "rst" in r else "") + ("-after" if "after" in r else ""))
def test_a_broken_stream_is_completed_elsewhere_as_one_stream(two, rule):
    a, b, gateway = two()
    a.script(rule)
    answer = gateway.chat("a broken stream", stream=True)
    assert answer.complete("a broken stream"), answer
    assert answer.roles() == 1 and len({e["id"] for e in answer.events}) == 1 and len({e["model"] for e in answer.events}) == 1
    begun = rule["fault"] in ("cut", "stall", "half_json") or rule.get("after", 0) > 0
    assert [c for c in answer.comments if c.startswith("mainstay continued on b/n")] == (["mainstay continued on b/n"] if begun else [])
    wait_for(gateway.at_rest)


@pytest.mark.parametrize("rule", [{"fault": "junk", "event": 10}, {"fault": "no_done"}, {"fault": "no_done", "close": True}], ids=["junk", "no_done", "no_done_close"])
def test_a_sloppy_stream_is_finished_at_once(two, rule):
    a, b, gateway = two()
    a.script(rule)
    with Dealer(gateway.zmq_url) as d:
        answer = d.chat("sloppy", stream=True)
    assert answer.complete("sloppy") and answer.source == "primary" and answer.end[1]["usage"]["completion_tokens"] == 60
    assert len(b.seen()) == 0
    wait_for(gateway.at_rest)


def test_a_stream_that_cannot_be_completed_ends_in_an_error_without_done(two):
    a, _, gateway = two(fallback=False)
    a.script({"fault": "cut", "after": 10})
    answer = gateway.chat("x", stream=True)
    assert answer.error and not answer.done and len(answer.text.split()) >= 10
    a.script({"fault": "cut", "after": 10})
    with Dealer(gateway.zmq_url) as d:
        assert d.chat("y", stream=True).error
    wait_for(gateway.at_rest)


@BOTH
def test_a_content_refusal_is_told_once_with_the_providers_reason(two, stream):
    a, b, gateway = two()
    a.script({"error": "content_filter"})
    answer = gateway.chat("x", stream)
    assert answer.status == 400 and "policy" in (answer.error["message"] + str(answer.error["code"])).lower()
    assert answer.headers["x-should-retry"] == "false"
    assert (len(a.seen()), len(b.seen())) == (1, 0)


def test_retry_after_is_honoured_not_before(two):
    a, b, gateway = two(keys=("k1",), fallback=False)
    a.script({"times": 1, "status": 429, "retry_after": "1"})
    assert gateway.chat("x").complete("x")
    first, second = (e["time"] for e in a.seen())
    assert 1.0 <= second - first < 1.6
    wait_for(gateway.at_rest)


def test_all_keys_dead_is_a_502_of_its_own_and_never_the_callers_401(two):
    a, b, gateway = two(fallback=False)
    a.script({"status": 401})
    answer = gateway.chat("x")
    assert answer.status == 502 and answer.error["code"] == "no_usable_key" and answer.headers["x-should-retry"] == "false"
    assert len(a.seen()) == 2
    assert gateway.chat("y").status == 502 and len(a.seen()) == 2, "a dead key was asked again"
    assert {k["state"] for k in gateway.ctl("keys")["keys"] if k["name"].startswith("a-")} == {"disabled"}
    a.script()
    gateway.ctl("keys", "a-k1", "enable")
    assert gateway.chat("z").complete("z")


def test_a_limited_key_is_never_asked_more_than_its_limit_and_the_rest_waits_or_moves_on(two):
    a, b, gateway = two(keys=({"name": "k1", "rpm": 5, "concurrency": 2},))
    answers = [gateway.chat(f"q{i}") for i in range(8)]
    assert all(x.complete(f"q{i}") for i, x in enumerate(answers))
    assert [x.source for x in answers] == ["primary"] * 5 + ["fallback"] * 3
    assert answers[-1].headers["x-mainstay-reason"] == "capacity"
    assert len(a.seen()) == 5
    limits = {k["name"]: k for k in gateway.ctl("limits")["keys"]}
    assert limits["a-k1"]["rpm_used_percent"] == 100


def test_concurrency_is_a_bound_and_waiters_are_served_in_turn(two):
    from concurrent.futures import ThreadPoolExecutor
    a, b, gateway = two(keys=({"name": "k1", "concurrency": 2},), fallback=False)
    a.script({"latency_ms": 50})
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda i: gateway.chat(f"q{i}"), range(12)))
    assert all(x.complete(f"q{i}") for i, x in enumerate(answers))
    assert a.stats()["most_open"] == 2
    wait_for(gateway.at_rest)


def test_the_breaker_opens_spares_the_dead_and_lets_it_back_in(two):
    a, b, gateway = two(keys=("k1",), breaker={"failure_threshold": 3, "recovery_timeout": "8s", "success_threshold": 1})
    a.script({"status": 503})
    for i in range(6):
        assert gateway.chat(f"q{i}").complete(f"q{i}")
    asked = len(a.seen())
    assert asked <= 6, "an open breaker spares the provider"
    states = {(r["provider"], r["circuit"]): r["state"] for r in gateway.ctl("breakers")["breakers"]}
    assert states[("a", "m")] in ("open", "half-open")
    a.script()
    n = iter(range(1000))

    def back():
        """the primary answers again"""
        q = f"back {next(n)}"
        answer = gateway.chat(q)
        assert answer.complete(q)
        return answer.source == "primary"

    wait_for(back, 10)


def test_an_operator_opens_and_closes_a_breaker(two):
    a, b, gateway = two()
    gateway.ctl("breakers", "a", "open")
    assert gateway.chat("x").source == "fallback"
    gateway.ctl("breakers", "a", "auto")
    assert gateway.chat("y").source == "primary"
    assert "error" in gateway.ctl("breakers", "nobody", "open", check=False)


def test_a_callers_short_deadline_or_bad_body_never_opens_a_breaker(two):
    a, b, gateway = two(keys=("k1",))
    a.script({"text": "slow*", "latency_ms": 350}, {"text": "bad*", "status": 400})
    for i in range(12):
        assert gateway.chat(f"slow {i}", headers={"x-mainstay-deadline-ms": "30"}).status == 504
        assert gateway.chat(f"bad {i}").status == 400
    assert all(r["state"] == "closed" for r in gateway.ctl("breakers")["breakers"])
    assert all(k["state"] == "healthy" for k in gateway.ctl("keys")["keys"])
    assert gateway.chat("good").source == "primary"


def test_a_dead_host_an_unknown_name_and_a_refused_port_are_told_apart(start):
    b = start.mock("b")
    gateway = start.gateway({
        "providers": [{"name": "nowhere", "base_url": "http://nowhere.invalid/v1", "keys": [{"name": "n1", "secret": "sec-n1"}]},
                      {"name": "closed", "base_url": "http://127.0.0.1:9/v1", "keys": [{"name": "c1", "secret": "sec-c1"}]}, provider("b", b)],
        "models": [model("smart", "nowhere/m", fallbacks=["closed/m", "b/m"])], "retry": FAST})
    assert gateway.chat("x").complete("x")
    wait_for(lambda: gateway.metric("mainstay_attempts_total", provider="nowhere", outcome="dns_failed") >= 1)
    assert gateway.metric("mainstay_attempts_total", provider="closed", outcome="connect_failed") >= 1


def test_secrets_and_prompts_stay_out_of_logs_metrics_and_errors(two):
    a, b, gateway = two(fallback=False)
    a.script({"skip": 1, "status": 401})
    prompt = "canary-prompt-5f1c"
    said = [gateway.chat(prompt), gateway.chat(prompt), gateway.chat(prompt, model="nope")]
    everything = gateway.log() + str(gateway.metrics()) + str([x.error for x in said]) + str(gateway.ctl("keys"))
    for word in (prompt, "secret-a-k1", "secret-k1", "secret-k2"):
        assert word not in everything
