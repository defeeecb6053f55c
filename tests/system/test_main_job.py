"""The main job: requests through both doors, plain and streamed, while a key is limited, a provider dies and Redis freezes."""
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

from harness import FAST, Dealer, model, provider, wait_for

REQUESTS = 400


def test_every_request_is_answered_once_completely_and_with_its_own_text(start):
    a, b, c = start.mock("a", latency_ms=5, token_ms=2), start.mock("b", latency_ms=5, token_ms=2), start.mock("c", token_ms=1)
    redis = start.redis()
    gateway = start.gateway({
        "providers": [provider("a", a, ("k1", "k2")), provider("b", b), provider("c", c)],
        "models": [model("smart", "a/m", "b/m", fallbacks=["c/m"])],
        "retry": {**FAST, "failover_wait": "500ms"},
        "cache": {"ttl": "1h", "redis": {"url": redis.url}},
    })
    a.script({"key": "secret-a-k1", "skip": 20, "status": 429, "retry_after": "2"})
    answered = []
    lock = threading.Lock()
    half = threading.Event()

    def ask(i):
        question, stream = f"question number {i} of the main job", i % 2 == 0
        if i % 4 < 2:
            answer = gateway.chat(question, stream)
        else:
            with Dealer(gateway.zmq_url) as d:
                answer = d.chat(question, stream)
        with lock:
            answered.append((i, question, answer))
            if len(answered) == REQUESTS // 4:
                half.set()

    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(ask, i) for i in range(REQUESTS)]
        assert half.wait(60)
        redis.signal(signal.SIGSTOP)
        b.kill()  # SIGKILL, with streams under way
        wait_for(lambda: len(answered) > REQUESTS * 3 // 4, 60)
        redis.signal(signal.SIGCONT)
        for f in futures:
            f.result()

    wrong = [(i, answer) for i, question, answer in answered if not answer.complete(question)]
    assert not wrong, wrong[:5]
    assert sorted(i for i, _, _ in answered) == list(range(REQUESTS))
    sources = {answer.source for _, _, answer in answered}
    assert "primary" in sources and sources - {"primary"}, sources
    state = wait_for(gateway.at_rest)
    assert state["accepted"] == state["finished"] == REQUESTS
    wait_for(lambda: gateway.metric("mainstay_requests_total", outcome="ok") == REQUESTS)
    assert gateway.metric("mainstay_attempts_total", provider="a", outcome="rate_limited") >= 1
    assert gateway.metric("mainstay_reservations") == 0
    # Whichever came first: its circuit opened, or its only key rests.
    assert any(row["state"] != "closed" or row["times_opened"] for row in gateway.ctl("breakers")["breakers"] if row["provider"] == "b") \
        or any(row["state"] == "resting" for row in gateway.ctl("keys")["keys"] if row["name"] == "b-k1")
