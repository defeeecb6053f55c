"""What providers allow is kept: a steady load just below each limit sees no 429, and what is above it waits instead of being refused."""
import contextlib
import http.client
import json
import threading
import time

import pytest

from harness import FAST, chat_body, model, provider, wait_for

# The mock counts to the microsecond when a request arrives. What left with the right distance, and 50 ms more, can arrive with less only if
# this machine stood still for longer than that on the way.
HICCUPS = 2


@pytest.fixture
def one(start):
    """A mock that enforces `limits` (a list of the script's), a gateway that knows `keys`."""

    def begin(limits, *keys, target="m", models=None, script=(), **more):
        mock = start.mock("p")
        rules = [{"limits": entry} for entry in limits] + list(script)
        if rules:
            mock.script(*rules)
        config = {"providers": [provider("p", mock, keys or ("k",), **more)],
                  "models": models or [model("smart", f"p/{target}")], "retry": FAST}
        return mock, start.gateway(config)

    return begin


def refused(mock):
    return sum(e["status"] == 429 for e in mock.seen())


def ask_all(gateway, count, stream=False, **fields):
    """`count` callers at once; every answer."""
    answers = [None] * count

    def ask(i):
        answers[i] = gateway.chat(f"question {i}", stream, timeout=60, **fields)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def all_complete(answers):
    return all(a is not None and a.complete(f"question {i}") for i, a in enumerate(answers))


@contextlib.contextmanager
def waiting(gateway, **fields):
    """One more caller, who is seen to wait in the queue, and then leaves."""
    c = http.client.HTTPConnection("127.0.0.1", gateway.http)
    c.request("POST", "/v1/chat/completions", json.dumps(chat_body("one more", **fields)).encode(), {"content-type": "application/json"})
    wait_for(lambda: gateway.status()["waiting"] == 1)
    yield
    assert gateway.status()["waiting"] == 1
    c.close()
    wait_for(gateway.at_rest)


def limits_of(gateway, key):
    return next(k for k in gateway.ctl("limits")["keys"] if k["name"] == key)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_requests_a_second_are_kept_and_the_rest_waits(one, stream):
    """also while calls take longer than the second they are counted in"""
    mock, gateway = one([{"rps": 8}], {"name": "k", "rps": 8}, script=[{"latency_ms": 1500 if not stream else 0}])
    begun = time.monotonic()
    assert all_complete(ask_all(gateway, 24, stream))
    took = time.monotonic() - begun
    assert took >= 2.0, "faster than eight a second"
    assert refused(mock) <= HICCUPS
    assert mock.stats()["keys"]["secret-p-k"]["most_in_1s"] <= 9
    wait_for(gateway.at_rest)


def test_requests_at_the_same_time_are_kept_and_the_rest_waits(one):
    mock, gateway = one([{"concurrency": 3}], {"name": "k", "concurrency": 3}, script=[{"latency_ms": 60}])
    assert all_complete(ask_all(gateway, 24))
    assert refused(mock) == 0
    assert mock.stats()["keys"]["secret-p-k"]["most_open"] == 3


def test_requests_a_minute_are_kept_and_a_failed_attempt_stays_charged(one):
    mock, gateway = one([{"rpm": 10}], {"name": "k", "rpm": 10}, script=[{"times": 3, "status": 500}])
    assert all_complete(ask_all(gateway, 7))
    with waiting(gateway):
        pass
    assert (len(mock.seen()), refused(mock)) == (10, 0)


def test_tokens_a_minute_are_kept(one):
    mock, gateway = one([{"tpm": 640}], {"name": "k", "tpm": 640})
    assert all_complete(ask_all(gateway, 10, max_tokens=60))
    with waiting(gateway, max_tokens=60):
        pass
    assert refused(mock) == 0


def test_a_burst_borrows_from_the_next_minute(one):
    mock, gateway = one([{"rpm": 10, "burst": 0.2}], {"name": "k", "rpm": 10, "burst": 0.2})
    assert all_complete(ask_all(gateway, 12))
    with waiting(gateway):
        pass
    assert (len(mock.seen()), refused(mock)) == (12, 0)


def test_a_model_has_limits_of_its_own_beside_the_keys(one):
    mock, gateway = one([{"rpm": 2}], {"name": "k", "rpm": 50, "models": {"o1-*": {"rpm": 2}}},
                        models=[model("small", "p/o1-mini"), model("smart", "p/gpt")])
    mock.script({"model": "o1-*", "limits": {"rpm": 2}}, {"model": "gpt", "limits": {"rpm": 50}})
    assert all_complete(ask_all(gateway, 2, model="small"))
    with waiting(gateway, model="small"):
        assert all_complete(ask_all(gateway, 10))
    assert refused(mock) == 0


def test_a_tier_fills_in_the_limits_of_its_models(one):
    mock, gateway = one([{"rpm": 100, "tpm": 75000, "concurrency": 10}], {"name": "k", "tier": 4}, target="o1-mini", script=[{"latency_ms": 100}])
    assert limits_of(gateway, "p-k")["limits"] == "75000 tpm, 10 at once, 500000 a month"
    assert all_complete(ask_all(gateway, 40))
    assert refused(mock) == 0
    assert mock.stats()["keys"]["secret-p-k"]["most_open"] == 10
    assert limits_of(gateway, "p-k")["rpm_used_percent"] == 40.0


def test_a_model_outside_the_tier_is_never_asked_for(one):
    mock, gateway = one([], {"name": "k", "tier": 2}, target="o1")
    answer = gateway.chat("x")
    assert answer.status == 502 and answer.error["code"] == "no_usable_key"
    assert mock.seen() == []


def test_an_address_has_its_cap_an_hour_over_all_keys_and_a_key_its_requests_a_month(one):
    mock, gateway = one([{"rpm": 6, "window_s": 3600, "over_address": True}], "k1", "k2", hourly_requests=6)
    assert all_complete(ask_all(gateway, 6))
    answer = gateway.chat("x")
    assert answer.status == 429 and int(answer.headers["retry-after"]) > 3500
    assert (len(mock.seen()), refused(mock)) == (6, 0)
    assert gateway.ctl("pools")["pools"][0]["hour_used"] == 6


def test_a_keys_month_is_counted_over_all_its_models(one):
    mock, gateway = one([], {"name": "k", "monthly_requests": 4}, models=[model("smart", "p/m"), model("other", "p/n")])
    assert all_complete(ask_all(gateway, 2)) and all_complete(ask_all(gateway, 2, model="other"))
    assert gateway.chat("x").status == 429
    assert len(mock.seen()) == 4 and limits_of(gateway, "p-k")["month_used"] == 4


def test_headers_teach_the_limit_before_any_429(one):
    """a key without limits: from the first answer on, the provider's own limit is kept"""
    mock, gateway = one([{"rpm": 20, "window_s": 3}], "k")
    assert gateway.chat("first").complete("first")
    assert all_complete(ask_all(gateway, 50))
    assert refused(mock) <= HICCUPS
    wait_for(gateway.at_rest)


def test_sixty_a_minute_enforced_as_one_a_second_takes_fifty_five_a_minute_without_a_429(one):
    mock, gateway = one([{"rpm": 60}, {"rps": 1, "silent": True}], {"name": "k", "rpm": 60})
    for i in range(10):
        begun = time.monotonic()
        assert gateway.chat(f"q{i}").complete(f"q{i}")
        time.sleep(max(0, begun + 60 / 55 - time.monotonic()))
    assert refused(mock) <= HICCUPS


def test_a_429_below_the_limit_teaches_a_pace(one):
    """three hundred a minute, enforced as five a second without a word: one wave of 429s, then bunches are spread"""
    mock, gateway = one([{"rps": 5, "silent": True}], {"name": "k", "rpm": 300})
    assert all_complete(ask_all(gateway, 8))
    first_wave = refused(mock)
    assert first_wave >= 1 and limits_of(gateway, "p-k")["paced_per_second"] > 0
    for _ in range(4):
        assert all_complete(ask_all(gateway, 8))
    assert refused(mock) - first_wave <= 2 * HICCUPS
    wait_for(gateway.at_rest)


def test_reservations_settle_to_what_the_provider_counted_however_a_call_ends(one):
    mock, gateway = one([], {"name": "k", "tpm": 1000}, script=[
        {"text": "broken*", "status": 500}, {"text": "forbidden*", "error": "content_filter"},
        {"text": "slow*", "token_ms": 100}])
    used = lambda: round(limits_of(gateway, "p-k")["tpm_used_percent"] * 10)

    answer = gateway.chat("plain", max_tokens=300)
    expected = answer.body["usage"]["total_tokens"]
    wait_for(gateway.at_rest)
    assert used() == expected
    answer = gateway.chat("a stream of words", stream=True, max_tokens=300, stream_options={"include_usage": True})
    expected += next(e["usage"]["total_tokens"] for e in answer.events if e.get("usage"))
    wait_for(gateway.at_rest)
    assert used() == expected
    assert gateway.chat("forbidden", max_tokens=300).status == 400
    assert gateway.chat("broken", max_tokens=300).status >= 500
    wait_for(gateway.at_rest)
    assert used() == expected

    c = http.client.HTTPConnection("127.0.0.1", gateway.http)
    c.request("POST", "/v1/chat/completions", json.dumps(chat_body("slow", True, max_tokens=300)).encode(), {"content-type": "application/json"})
    response = c.getresponse()
    while b"content" not in response.readline():
        pass
    response.close()
    c.close()
    wait_for(gateway.at_rest)
    assert expected < used() < expected + 100, "neither nothing nor the whole reservation"


def test_a_short_deadline_or_a_malformed_body_rests_no_key_and_opens_no_breaker(one):
    mock, gateway = one([], "k", script=[{"text": "slow*", "latency_ms": 2000}])
    for i in range(15):
        assert gateway.chat(f"slow {i}", headers={"x-mainstay-deadline-ms": "100"}).status == 504
        assert gateway.chat("x", messages="no list").status == 400
    assert all(c["state"] == "closed" for c in gateway.ctl("breakers")["breakers"])
    key = gateway.ctl("keys")["keys"][0]
    assert (key["state"], key["health"]) == ("healthy", 1)
    assert gateway.chat("another").complete("another")


def test_a_probe_whose_caller_leaves_does_not_keep_the_breaker_from_closing(one):
    mock, gateway = one([], "k", breaker={"failure_threshold": 2, "recovery_timeout": "2s", "success_threshold": 1},
                        models=[model("smart", "p/m", retry={"max_retries": 0})])
    circuit = lambda: next(c for c in gateway.ctl("breakers")["breakers"] if c["circuit"] == "m")["state"]
    mock.script({"status": 503})
    for i in range(2):
        assert gateway.chat(f"q{i}").status >= 500
    assert circuit() == "open"
    mock.script({"text": "slow*", "latency_ms": 20000})
    wait_for(lambda: circuit() == "half-open")
    c = http.client.HTTPConnection("127.0.0.1", gateway.http)
    c.request("POST", "/v1/chat/completions", json.dumps(chat_body("slow")).encode(), {"content-type": "application/json"})
    wait_for(lambda: any(e["text"] == "slow" for e in mock.seen()))
    c.close()
    wait_for(gateway.at_rest)
    assert circuit() == "half-open"
    assert gateway.chat("healthy").complete("healthy")
    wait_for(lambda: circuit() == "closed")


def test_of_five_keys_with_four_dead_the_fifth_answers_with_one_retry_allowed(one):
    mock, gateway = one([], "k1", "k2", "k3", "k4", "k5", models=[model("smart", "p/m", retry={"max_retries": 1})])
    mock.script({"key": "*k1", "status": 401}, {"key": "*k2", "status": 402}, {"key": "*k3", "status": 403}, {"key": "*k4", "status": 401})
    for i in range(6):
        assert gateway.chat(f"q{i}").complete(f"q{i}")
    assert sum(e["status"] in (401, 402, 403) for e in mock.seen()) == 4, "a dead key was asked again"
    mock.script({"status": 401})
    answer = gateway.chat("all dead")
    assert answer.status == 502 and answer.error["code"] == "no_usable_key"


def test_of_two_429s_in_flight_the_longer_rest_counts(one):
    mock, gateway = one([], "k", script=[
        {"text": "first", "status": 429, "retry_after": "60", "latency_ms": 100},
        {"text": "second", "status": 429, "retry_after": "1", "latency_ms": 300}])
    threads = [threading.Thread(target=gateway.chat, args=(text,), kwargs={"headers": {"x-mainstay-deadline-ms": "1500"}}) for text in ("first", "second")]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert 50 < gateway.ctl("keys")["keys"][0]["rests_seconds"] <= 60
