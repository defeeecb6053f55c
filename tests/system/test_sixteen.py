"""The sixteen ways of failing that gateways are compared by, plain and streamed: one key per provider, two retries per target, one fallback
model, a fixed answer of 60 words. Each scenario has a daemon of its own; all run at the same time, for most of their time is waiting.
Times are a fifth of the real ones (30 s timeouts are 6 s) unless MAINSTAY_FULL is set; bounds are generous, for the machine is shared."""
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import SLOW, Gateway, Mock, expected_text, http_json, model, wait_for

SCALE = 1.0 if os.environ.get("MAINSTAY_FULL") else 0.2
SCENARIOS = []


def seconds(real):
    return real * SCALE


def text(real):
    return f"{int(real * SCALE * 1000)}ms"


def patience(real, idle=4.0):
    """How long something that takes `real` seconds may take on a slow machine."""
    return seconds(real) + idle * SLOW


HEDGED = {"hedge_after": text(10)}


class scenario:
    """Registers a check; `primary` and `fallback` are the mocks' rules for it. It runs once plain and once streamed, each with providers of its own."""

    def __init__(self, number, primary=(), fallback=(), kinds=("plain", "stream"), own_mock=False, real_retries=False, provider=None, fallback_model=None, **of_model):
        self.number, self.primary, self.fallback, self.kinds, self.own_mock, self.real_retries = number, primary, fallback, kinds, own_mock, real_retries
        self.provider, self.fallback_model, self.of_model = provider or {}, fallback_model or {}, of_model

    def __call__(self, check):
        self.check, self.name = check, check.__name__
        SCENARIOS.append(self)
        return check

    def path(self, kind):
        return f"/{self.number:02}-{self.name}-{kind}"

    def rules(self, which):
        return [{**rule, "path": self.path(kind) + "/*"} for kind in self.kinds for rule in getattr(self, which)]

    def config(self, primary, fallback):
        timeouts = {"connect": text(5), "first_byte": text(30), "idle": text(30), "total": text(120)}
        provider = lambda name, mock, kind, **more: {"name": name, "base_url": f"http://127.0.0.1:{mock.port}{self.path(kind)}/v1", "timeouts": timeouts,
                                                     "keys": [{"name": name + "-key", "secret": "secret-" + name}], **more}
        retry = {"max_retries": 2} if self.real_retries else {
            "max_retries": 2, "base_delay": text(1), "failover_wait": text(3),
            "error_delays": {"rate_limit": text(2), "server_error": text(5), "network_error": text(1)}}
        providers, models = [], []
        for kind in self.kinds:
            providers += [provider(f"first-{kind}", primary, kind, **{"breaker": {"recovery_timeout": text(30)}, **self.provider}), provider(f"second-{kind}", fallback, kind)]
            models += [model(kind, f"first-{kind}/large", fallbacks=[f"other-{kind}"], **self.of_model),
                       model(f"other-{kind}", f"second-{kind}/small", **self.fallback_model)]
        return {"providers": providers, "models": models, "retry": retry}


class World:
    """One scenario, one way of asking, under way."""

    def __init__(self, what, kind, gateway, primary, fallback):
        self.what, self.kind, self.gateway, self.mocks, self.began = what, kind, gateway, (primary, fallback), time.monotonic()
        self.stream = kind.startswith("stream")

    def ask(self, question="what does the harbor say", **fields):
        if self.stream:
            fields = {"stream_options": {"include_usage": True}, **fields}
        began = time.monotonic()
        answer = self.gateway.chat(question, self.stream, model=self.kind, timeout=200, **fields)
        answer.took, answer.question = time.monotonic() - began, question
        return answer

    def _asked(self, mock):
        return [e for e in mock.seen() if e["path"].startswith(self.what.path(self.kind) + "/")]

    def primary(self):
        return self._asked(self.mocks[0])

    def fallback(self):
        return self._asked(self.mocks[1])

    def bodies(self):
        """What the fallback was sent, in order."""
        numbers = {e["n"] for e in self.fallback()}
        kept = http_json(self.mocks[1].port, "GET", "/mock/bodies")[2]
        return [json.loads(b["body"]) for b in kept if b["n"] in numbers]


def complete(answer, source, attempts=None):
    assert answer.complete(answer.question), answer
    assert answer.source == source, answer
    if attempts is not None:
        assert answer.attempts == attempts, answer
    if answer.events is not None:
        assert answer.roles() == 1 and len({e["id"] for e in answer.events}) == 1 and len({e["model"] for e in answer.events}) == 1, answer


def usage(answer):
    return answer.body["usage"] if answer.events is None else next(e["usage"] for e in reversed(answer.events) if e.get("usage"))


def gaps(entries):
    return [b["time"] - a["time"] for a, b in zip(entries, entries[1:])]


@scenario(1, primary=[{"times": 1, "status": 429, "retry_after": "2"}], real_retries=True)
def limited_once_with_retry_after(w):
    answer = w.ask()
    complete(answer, "backup", 2)
    found = gaps(w.primary())
    assert [g for g in found if 2.0 <= g < 2.0 + 2 * SLOW] and not w.fallback(), found


@scenario(2, primary=[{"status": 429}], kinds=("plain", "stream") + tuple(f"stream{i}" for i in range(8)), real_retries=True)
def limited_always_without_a_header(w):
    complete(w.ask(), "fallback")
    asked = [e["time"] for e in w.primary()]
    assert len([t for t in asked if t - asked[0] < 3.0]) <= 4 and 2 <= len(asked) <= 6
    return gaps(w.primary())


@scenario(3, primary=[{"times": 1, "status": 500}])
def failed_once(w):
    complete(w.ask(), "backup", 2)
    assert len(w.primary()) == 2 and not w.fallback()


@scenario(4, primary=[{"status": 503}])
def unavailable_always(w):
    complete(w.ask(), "fallback")
    assert 1 <= len(w.primary()) <= 6 and len(w.fallback()) == 1


@scenario(5, primary=[{"times": 1, "fault": "reset"}])
def reset_once_before_headers(w):
    complete(w.ask(), "backup", 2)
    assert len(w.primary()) == 2 and not w.fallback()


@scenario(6, primary=[{"fault": "silence"}])
def no_response_at_all(w):
    answer = w.ask()
    complete(answer, "fallback", 2)
    assert seconds(30) * 0.9 <= answer.took < patience(30) and len(w.primary()) == 1


@scenario(7, primary=[{"fault": "slow_first_token", "delay_ms": seconds(20) * 1000}], **HEDGED)
def first_token_after_twenty_seconds(w):
    answer = w.ask()
    complete(answer, "fallback", 2)
    in_time = seconds(15) if SCALE == 1 else seconds(20)  # before the first would have come
    assert seconds(10) * 0.9 <= answer.took < in_time, answer.took
    wait_for(lambda: w.primary()[0]["outcome"] == "client_left")


@scenario(7, primary=[{"fault": "slow_first_token", "delay_ms": seconds(13) * 1000}], fallback=[{"fault": "slow_first_token", "delay_ms": seconds(20) * 1000}],
          **HEDGED)
def a_slow_but_healthy_first_is_not_killed(w):
    complete(w.ask(), "primary", 2)
    assert w.primary()[0]["outcome"] == "finished" and len(w.fallback()) == 1
    wait_for(lambda: w.fallback()[0]["outcome"] == "client_left")


@scenario(8, primary=[{"fault": "cut", "after": 40}], kinds=("stream",))
def cut_in_the_middle(w):
    answer = w.ask(max_tokens=60)
    complete(answer, "primary")
    assert len(w.primary()) == 1 and len(w.fallback()) == 1 and [c for c in answer.comments if c.startswith("mainstay continued on second-stream/small")]
    sent = w.bodies()[0]
    begun = expected_text(answer.question).split()[:40]
    assert sent["messages"][-1]["role"] == "assistant" and sent["messages"][-1]["content"].split() == begun and sent["max_tokens"] == 20
    assert usage(answer)["completion_tokens"] == 60


@scenario(9, primary=[{"fault": "stall", "after": 20}], kinds=("stream",))
def stalled_in_the_middle(w):
    answer = w.ask()
    complete(answer, "primary")
    assert seconds(30) * 0.9 <= answer.took < patience(30) and len(w.primary()) == 1 and len(w.fallback()) == 1
    wait_for(w.gateway.at_rest)


@scenario(10, primary=[{"fault": "junk", "event": 10}], kinds=("stream",))
def a_junk_event(w):
    complete(w.ask(), "primary", 1)


@scenario(11, primary=[{"fault": "no_done"}], kinds=("stream",))
def no_done(w):
    answer = w.ask()
    complete(answer, "primary", 1)
    assert answer.took < 1.5 * SLOW and usage(answer)["completion_tokens"] == 60


@scenario(12, primary=[{"error": "context_length"}])
def the_context_is_too_long(w):
    complete(w.ask(), "fallback", 2)
    assert len(w.primary()) == 1


@scenario(13, primary=[{"error": "content_filter"}])
def the_content_is_refused(w):
    answer = w.ask()
    assert answer.status == 400 and "policy" in (answer.error["message"] + str(answer.error["code"])).lower(), answer
    assert answer.headers["x-should-retry"] == "false" and len(w.primary()) == 1 and not w.fallback()


@scenario(14, primary=[{"fault": "cut", "after": 40}], fallback=[{"last_role": "assistant", "status": 400}], kinds=("stream",))
def the_fallback_refuses_a_prefill(w):
    for _ in range(2):
        answer = w.ask()
        complete(answer, "primary")
        assert usage(answer)["completion_tokens"] >= 60
    assert [e["status"] for e in w.fallback()] == [400, 200, 200], "the refusal is learned once"


@scenario(14, primary=[{"fault": "cut", "after": 40}], fallback=[{"last_role": "assistant", "status": 400}], kinds=("stream",), fallback_model={"prefill": False})
def the_fallback_is_known_to_refuse_a_prefill(w):
    complete(w.ask(), "primary")
    assert [e["status"] for e in w.fallback()] == [200]


@scenario(15, own_mock=True)
def down_for_a_minute(w):
    primary, answers, threads = w.mocks[0], [], []
    began = time.monotonic()
    if w.stream:  # its process is gone
        primary.kill()
    else:
        primary.script({"status": 503})

    def ask(i):
        answers.append((time.monotonic() - began, w.ask(f"question {i}")))

    back, while_down = None, 0
    for i in range(1000):
        now = time.monotonic() - began
        if back is None and now >= seconds(60):
            while_down = len(primary.seen()) if not w.stream else None
            if w.stream:
                primary = Mock(w.gateway.directory, "again", port=primary.port)
            else:
                primary.script()
            back = time.monotonic() - began
        threads.append(threading.Thread(target=ask, args=(i,)))
        threads[-1].start()
        if back is not None and (any(a.source == "primary" for at, a in answers if at >= back) or now > back + patience(60)):
            break
        time.sleep(max(0, (i + 1) * seconds(4) - (time.monotonic() - began)))
    for t in threads:
        t.join()
    if w.stream:
        primary.kill()
    for _, a in answers:
        assert a.complete(a.question), a
    returned = min(at for at, a in answers if a.source == "primary" and at >= back)
    assert returned - back < patience(30, idle=2), f"back after {returned - back} s"
    if while_down is not None:
        assert while_down <= 15, f"{while_down} calls to a provider that is down"


@scenario(16, primary=[{"status": 503}])
def what_a_failed_attempt_costs(w):
    answer = w.ask()
    complete(answer, "fallback")
    name = answer.body["model"] if answer.events is None else answer.events[0]["model"]
    assert name == "small" and answer.headers["x-mainstay-model"] == "small" and usage(answer)["completion_tokens"] == 60
    wait_for(lambda: w.gateway.metric("mainstay_tokens_total", provider=f"second-{w.kind}", kind="output") == 60)
    assert w.gateway.metric("mainstay_tokens_total", provider=f"first-{w.kind}") == 0


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Runs all of it; (scenario, kind) -> future."""
    directory = tmp_path_factory.mktemp("sixteen")
    first, second = Mock(directory, "first", threads=1), Mock(directory, "second", keep_bodies=1000)
    first.script(*[r for s in SCENARIOS for r in s.rules("primary")])
    second.script(*[r for s in SCENARIOS for r in s.rules("fallback")])
    gateways, mocks = [], [first, second]
    pool = ThreadPoolExecutor(128)
    futures = {}
    for s in SCENARIOS:
        for kinds in ([(k,) for k in s.kinds] if s.own_mock else [s.kinds]):
            primary = first
            if s.own_mock:
                primary = Mock(directory, "own")
                mocks.append(primary)
            gateway = Gateway(directory, s.config(primary, second))
            gateways.append(gateway)
            for kind in kinds:
                futures[s.name, kind] = pool.submit(s.check, World(s, kind, gateway, primary, second))
    yield futures
    pool.shutdown()
    codes = [g.stop() for g in gateways]
    for m in mocks:
        m.kill()
    assert set(codes) <= {0}, codes


@pytest.mark.parametrize("name,kind", [(s.name, k) for s in sorted(SCENARIOS, key=lambda s: s.number) for k in s.kinds], ids=lambda v: v)
def test_scenario(verdicts, name, kind):
    verdicts[name, kind].result(300)


def test_retries_of_a_limited_key_are_jittered(verdicts):
    waits = [f.result(300) for (name, _), f in verdicts.items() if name == "limited_always_without_a_header"]
    firsts, seconds_ = [w[0] for w in waits], [w[1] for w in waits if len(w) > 1]
    assert max(firsts) - min(firsts) > 0.1 or max(seconds_) - min(seconds_) > 0.1, waits
