"""Every actor is killed by an injected fault while requests run: it is restarted, no accepted request is lost, nothing stays reserved."""
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import FAST, Dealer, model, provider, wait_for

ACTORS = ["dispatcher", "request_run", "rate_governor", "key_manager", "breaker/a", "upstream/a", "cache_actor", "metrics_aggregator", "admin", "state_keeper", "journal", "repeats", "flights", "recovery", "alert_bell", "warmer", "tracer", "dashboard", "drills", "audit_keeper", "answer_keeper"]


@pytest.fixture
def gateway_of(start):
    def begin():
        a, b = start.mock("a", latency_ms=20, token_ms=3), start.mock("b")
        return a, start.gateway({
            "providers": [provider("a", a, ({"name": "k1", "concurrency": 8, "monthly_requests": 1000000}, {"name": "k2", "concurrency": 8})), provider("b", b)],
            "models": [model("smart", "a/m", fallbacks=["b/m"])], "retry": FAST, "cache": {"ttl": "1h", "sqlite": {"path": str(a.log_path.with_name("cache.db"))}}, "state": {"path": str(a.log_path.with_name("state.db"))},
            "journal": {"path": str(a.log_path.with_name("journal.db"))}, "privacy": {"audit": {"path": str(a.log_path.with_name("audit.jsonl"))}}})
    return begin


def crash(gateway, actor):
    """Tells it to fail; a run to be told may not be in flight at that moment."""
    wait_for(lambda: "drill" in gateway.ctl("drill", "crash", actor, check=False))


@pytest.mark.parametrize("actor", ACTORS)
def test_an_actor_dies_under_load_and_nobody_is_left_without_an_answer(gateway_of, actor):
    mock, gateway = gateway_of()
    stop, wrong, asked = threading.Event(), [], itertools.count()

    def caller(worker):
        while not stop.is_set():
            i = next(asked)
            question, stream = f"worker {worker} question {i}", i % 2 == 0
            if worker % 2:
                answer = gateway.chat(question, stream, headers={"idempotency-key": f"{worker}-{i}"} if i % 3 else {})
            else:
                with Dealer(gateway.zmq_url) as d:
                    answer = d.chat(question, stream, headers={"durable": True} if i % 3 else {}, request_id=f"{worker}-{i}".encode())
            if not answer.complete(question):
                wrong.append((question, answer))

    with ThreadPoolExecutor(12) as pool:
        workers = [pool.submit(caller, w) for w in range(12)]
        wait_for(lambda: gateway.status()["in_flight"] > 4)
        try:
            for n in range(5):
                crash(gateway, actor)
                if actor == "request_run":  # one that has just answered ends without a successor: then another is told
                    wait_for(lambda: gateway.status()["recovered_runs"] > n or crash(gateway, actor))
                else:
                    wait_for(lambda: gateway.restarts(actor) > n)
        finally:
            stop.set()
        for w in workers:
            w.result()

    assert not wrong, (len(wrong), wrong[:3])
    state = wait_for(gateway.at_rest)
    assert state["accepted"] == state["finished"]
    assert mock.stats()["most_open"] <= 16, "a limit was exceeded because an actor forgot what it had granted"
    wait_for(lambda: mock.stats()["open"] == 0)
    if actor != "request_run":
        row = next(r for r in gateway.ctl("actors")["actors"] if r["name"] == actor)
        assert row["state"] == "up" and "injected fault" in row["last_fault"]
        assert gateway.metric("mainstay_actor_restarts_total", actor=actor) == 5


def test_a_run_that_dies_in_the_middle_of_a_stream_is_continued_as_one_stream(gateway_of):
    mock, gateway = gateway_of()
    with ThreadPoolExecutor(1) as pool:
        mock.script({"token_ms": 20})
        future = pool.submit(gateway.chat, "a long story", True)
        wait_for(lambda: [e for e in mock.seen() if e["stream"]])
        crash(gateway, "request_run")
        answer = future.result()
    assert answer.complete("a long story") and answer.roles() == 1 and len({e["id"] for e in answer.events}) == 1
    wait_for(gateway.at_rest)


def test_states_survive_their_actors_restart(gateway_of):
    mock, gateway = gateway_of()
    gateway.ctl("keys", "a-k1", "disable")
    gateway.ctl("breakers", "b", "open")
    assert gateway.chat("in the cache").complete("in the cache")
    for actor in ("key_manager", "breaker/b", "rate_governor", "cache_actor", "metrics_aggregator", "dispatcher"):
        crash(gateway, actor)
        wait_for(lambda: gateway.restarts(actor) == 1)
    assert next(k for k in gateway.ctl("keys")["keys"] if k["name"] == "a-k1")["state"] == "disabled"
    assert {r["state"] for r in gateway.ctl("breakers")["breakers"] if r["provider"] == "b" and r["circuit"] == "endpoint"} == {"open (forced)"}
    assert gateway.chat("in the cache").source == "cache"
    wait_for(lambda: gateway.metric("mainstay_requests_total", outcome="ok") == 2)


def test_a_restart_storm_ends_with_a_clear_last_word(gateway_of):
    _, gateway = gateway_of()
    for _ in range(200):
        if not gateway.alive() or "error" in gateway.ctl("drill", "crash", "metrics_aggregator", check=False):
            break
    assert gateway.wait() == 4
    assert "giving up" in gateway.log() and "metrics_aggregator" in gateway.log()
