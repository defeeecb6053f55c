"""Every target of a model is down: who is answered from where meanwhile, who waits, who looks whether somebody is back, and how gently load returns."""
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import SLOW, Dealer, chat_body, expected_text, model, provider, wait_for

ONCE = {"max_retries": 0}
QUICK = {"failure_threshold": 2, "recovery_timeout": "2s", "ramp": "50ms"}
LONG = {**QUICK, "recovery_timeout": "600s"}  # nobody would try it by itself in this test's life
CANNED = {"canned": {"general": "Back soon."}}
ALERT = {"signal": "all_targets_down", "severity": "critical"}


@pytest.fixture
def house(start, tmp_path):
    class House:
        def __init__(self):
            self.a, self.b = start.mock("a"), start.mock("b")

        def gateway(self, breaker=QUICK, **more):
            self.now = start.gateway({
                "providers": [provider("a", self.a, breaker=breaker), provider("b", self.b, breaker=breaker)],
                "models": [model("smart", "a/m", fallbacks=["b/m"])], "retry": ONCE, "recovery": {"probe": "1s", "ramp": "2s"},
                "journal": {"path": str(tmp_path / "journal.db")}, **more})
            return self.now

        def fail(self, *rules):
            for mock in (self.a, self.b):
                mock.script(*(rules or [{"status": 503}]))

        def heal(self):
            for mock in (self.a, self.b):
                mock.script()

        def again(self, name):
            """the killed one, at its old address"""
            old = getattr(self, name)
            setattr(self, name, start.mock(name, port=old.port))

        def state(self, name="smart"):
            return next(m["state"] for m in self.now.ctl("models")["models"] if m["name"] == name)

        def outage(self):
            return self.now.ctl("models")["outages"][0]

        def is_down(self):
            """every target is down"""
            return self.state().startswith("down")

        def bring_down(self):
            """asks until every circuit is open"""
            def ask():
                self.now.chat("are you there?", headers={"x-mainstay-deadline-ms": "300"})
                return self.is_down()
            wait_for(ask)
            wait_for(self.now.at_rest)

        def alert(self):
            return self.now.metric("mainstay_alert", **ALERT)

        def calls(self):
            return [e for m in (self.a, self.b) for e in m.seen() if e["method"] == "POST"]

        def listings(self):
            return [e for m in (self.a, self.b) for e in m.seen() if e["path"].endswith("/models")]

        def leave_durable(self, count, first=0):
            with Dealer(self.now.zmq_url) as d:
                for i in range(first, first + count):
                    d.send(b"d%d" % i, b"chat", chat_body(f"durable {i}"), {"durable": True})
                accepted = 0
                while accepted < count:
                    accepted += d.receive()[1] == "accepted"  # a caller may be told a canned answer meanwhile

        def collect(self, i):
            with Dealer(self.now.zmq_url) as d:
                while True:
                    d.send(b"d%d" % i, b"collect")
                    while True:
                        _, kind, labels, body = d.receive()
                        if kind != "accepted":
                            break
                    if labels["x-mainstay-source"] not in ("stale", "canned"):  # not what stands in for it meanwhile
                        return labels["status"], body["choices"][0]["message"]["content"]

        def log_lines(self, words):
            return [line for line in self.now.log().splitlines() if words in line]

    return House()


def test_both_providers_are_killed_and_one_comes_back(house):
    gateway = house.gateway(cache={"ttl": "1ms", "stale": "1h"}, degradation=CANNED)
    assert gateway.chat("known").complete("known") and house.alert() == 0
    time.sleep(0.01)  # it is past its life now
    house.a.kill()
    house.b.kill()
    house.bring_down()
    wait_for(lambda: house.alert() == 1)
    assert gateway.status()["models_down"] == 1
    assert len(house.log_lines("every target is down")) == 1

    wait_for(lambda: house.outage()["seconds"] > 1.1)  # counts of before are known by now
    before = house.outage()
    began = time.monotonic()
    for i in range(5):
        old = gateway.chat("known")
        assert (old.status, old.text, old.source, old.headers["x-mainstay-degraded"]) == (200, expected_text("known"), "stale", "true")
        sentence = gateway.chat(f"unknown {i}")
        assert (sentence.status, sentence.text, sentence.source) == (200, "Back soon.", "canned")
    assert time.monotonic() - began < 2 * SLOW, "nobody waits who can be answered from elsewhere"
    house.leave_durable(10)
    wait_for(lambda: house.outage()["parked_now"] == 10)
    wait_for(lambda: house.alert() == 1)
    assert house.is_down()

    house.again("b")
    assert [house.collect(i) for i in range(10)] == [(200, expected_text(f"durable {i}")) for i in range(10)]
    wait_for(lambda: house.alert() == 0)
    wait_for(lambda: house.state() == "up")
    asked = [e["text"] for e in house.b.seen() if e["method"] == "POST" and e["status"] == 200]
    assert sorted(asked) == sorted(f"durable {i}" for i in range(10)), "each once"

    wait_for(lambda: house.log_lines("is up again"))
    report = house.outage()
    assert report["state"] == "over" and report["parked"] == 10 and report["parked_now"] == 0
    assert report["seconds"] >= report["down_seconds"] + 1.9 and report["relapses"] == 0
    # stand-ins for the durable ones' callers are counted too: those were told a sentence, or what the cache had
    assert report["stale"] - before["stale"] == 5 and report["canned"] - before["canned"] >= 5
    assert report["primary"] == report["backup"] == 0 and 2 <= report["fallback"] <= 10, "the ramp may end before the last of them"
    assert report["error"] == before["error"]
    assert len(house.log_lines("every target is down")) == 1 and len(house.log_lines("is up again")) == 1
    assert f"{report['stale']} stale" in house.log_lines("is up again")[0] and "10 durable requests were parked" in house.log_lines("is up again")[0]
    wait_for(gateway.at_rest)


def test_parked_requests_try_as_many_at_a_time_as_a_circuit_lets_through(house):
    house.gateway(breaker={**QUICK, "recovery_timeout": "8s"})
    house.fail()
    house.bring_down()
    house.leave_durable(30)
    wait_for(lambda: house.outage()["parked_now"] >= 28)  # two may be trying
    before, began = len(house.calls()), time.monotonic()
    time.sleep(4)
    tried = len(house.calls()) - before
    # Two at a time and circuit, whose open times grow: about 1, 2 and 4 s; every second the waiting ones may try too.
    most = 4 * (3 + (time.monotonic() - began))
    assert 0 < tried <= most, (tried, most)
    assert house.is_down() and house.outage()["parked"] >= 30
    house.heal()
    for i in range(30):
        assert house.collect(i) == (200, expected_text(f"durable {i}"))
    answered = [e["text"] for e in house.calls() if e["status"] == 200]
    assert sorted(answered) == sorted(f"durable {i}" for i in range(30))


def test_load_returns_gradually(house):
    gateway = house.gateway(recovery={"probe": "200ms", "ramp": "4s"}, models=[model("smart", "a/m")], queue={"capacity": 1000})
    house.fail()
    house.bring_down()
    over = threading.Event()

    def caller(n):
        i, good = 0, 0
        while not over.is_set():
            i += 1
            good += gateway.chat(f"{n} {i}", headers={"x-mainstay-deadline-ms": "20000"}).status == 200
        return good

    with ThreadPoolExecutor(40) as pool:
        callers = [pool.submit(caller, n) for n in range(40)]
        wait_for(lambda: gateway.status()["waiting"] >= 30)
        house.a.script({"latency_ms": 200})
        wait_for(lambda: house.state().startswith("returning"))
        wait_for(lambda: house.state() == "up", 20)
        time.sleep(1)
        over.set()
        assert sum(c.result() for c in callers) > 0
    good = [e for e in house.a.seen() if e["status"] == 200]
    begin = min(e["ended"] for e in good)  # about when the first circuit closed
    served = lambda start, seconds: sum(start <= e["ended"] - begin < start + seconds for e in good) / seconds
    first, middle, full = served(0.1, 0.4), served(1.8, 0.4), served(4.4, 0.6)
    print(f"answers a second: {first:.0f} in the ramp's first tenth, {middle:.0f} in its middle, {full:.0f} after it")
    assert 0 < first < full / 3 and first < middle < full * 0.9, (first, middle, full)


def test_while_nobody_waits_only_the_free_list_of_models_is_asked_for(house):
    gateway = house.gateway(breaker=LONG)
    house.fail()
    house.bring_down()
    bought = len(house.calls())
    wait_for(lambda: len(house.listings()) >= 4)
    assert all(e["status"] == 200 and e["method"] == "GET" for e in house.listings())
    wait_for(lambda: {c["state"] for c in gateway.ctl("breakers")["breakers"] if c["circuit"] == "m"} == {"half-open"})
    wait_for(lambda: house.alert() == 1)
    assert len(house.calls()) == bought and house.is_down()
    house.heal()
    assert gateway.chat("the next one is the trial").status == 200
    assert gateway.chat("and another").status == 200
    wait_for(lambda: house.alert() == 0)


def test_a_provider_that_refuses_its_list_or_is_gone_is_not_tried(house):
    gateway = house.gateway(breaker=LONG)
    house.fail({"status": 503}, {"path": "*/models", "status": 401})
    house.bring_down()
    wait_for(lambda: len(house.listings()) >= 4)
    circuits = lambda: {c["state"] for c in gateway.ctl("breakers")["breakers"] if c["circuit"] == "m"}
    assert circuits() == {"open"} and {e["status"] for e in house.listings()} == {401}
    assert all(k["state"] != "disabled" for k in gateway.ctl("keys")["keys"]), "a list is no verdict on a key"
    house.a.kill()
    time.sleep(1.5)
    assert circuits() == {"open"} and house.is_down()


def test_a_disabled_key_stays_so_and_is_an_outage_when_it_was_the_last(house):
    gateway = house.gateway(models=[model("smart", "a/m")])
    house.a.script({"status": 401})
    assert gateway.chat("who are you?").status == 502
    wait_for(house.is_down)
    wait_for(lambda: house.alert() == 1)
    assert "no usable key" in house.log_lines("every target is down")[0]
    house.a.script()
    time.sleep(2.2)
    assert not house.listings(), "no secret is sent that was refused"
    assert gateway.ctl("keys")["keys"][0]["state"] == "disabled" and house.is_down()
    gateway.ctl("keys", "a-k1", "enable")
    wait_for(lambda: house.alert() == 0)
    assert gateway.chat("and now?").complete("and now?")


def test_who_waits_is_the_trial_and_who_would_wait_in_vain_hears_at_once(house):
    gateway = house.gateway(breaker=LONG, recovery={"probe": "2s", "ramp": "1s"}, models=[model("smart", "a/m")])
    house.fail()
    house.bring_down()
    began = time.monotonic()
    assert gateway.chat("no time", headers={"x-mainstay-deadline-ms": "20000"}).status == 503
    assert time.monotonic() - began < 1 * SLOW, "its circuit opens in minutes"
    house.leave_durable(3)
    asked = len(house.listings())
    house.heal()
    assert [house.collect(i)[0] for i in range(3)] == [200] * 3
    assert len(house.listings()) == asked, "somebody waited"


def test_equal_requests_that_wait_out_an_outage_share_the_call_that_ends_it(house):
    gateway = house.gateway(cache={"ttl": "1h"}, models=[model("smart", "a/m")], breaker={**QUICK, "recovery_timeout": "3s"})
    house.fail()
    house.bring_down()
    with ThreadPoolExecutor(12) as pool:
        callers = [pool.submit(gateway.chat, "the same", headers={"x-mainstay-deadline-ms": "30000"}) for _ in range(12)]
        wait_for(lambda: gateway.ctl("cache")["callers_on_flights"] == 12 and gateway.status()["waiting"] == 1)
        house.heal()
        assert all(c.result().complete("the same") for c in callers)
    assert len([e for e in house.calls() if e["text"] == "the same" and e["status"] == 200]) == 1
    wait_for(gateway.at_rest)


def test_a_crash_and_a_reload_change_nothing(house):
    gateway = house.gateway(degradation=CANNED)
    house.fail()
    house.bring_down()
    house.leave_durable(5)
    wait_for(lambda: house.outage()["parked"] == 5)
    for actor in ("recovery", "rate_governor", "journal", "breaker/a", "metrics_aggregator", "recovery"):
        gateway.ctl("drill", "crash", actor)
        wait_for(lambda: all(a["state"] == "up" for a in gateway.ctl("actors")["actors"]))
    wait_for(lambda: house.alert() == 1)
    assert house.is_down()
    gateway.ctl("reload")
    assert gateway.chat("unknown").source == "canned" and house.is_down()
    house.heal()
    for i in range(5):
        assert house.collect(i) == (200, expected_text(f"durable {i}"))
    wait_for(lambda: house.state() == "up")
    wait_for(lambda: house.alert() == 0)
    assert len(house.log_lines("every target is down")) == 1 and house.outage()["parked"] == 5
    wait_for(gateway.at_rest)


def test_a_model_that_leaves_the_configuration_takes_its_alert_along(house):
    gateway = house.gateway()
    house.fail()
    house.bring_down()
    wait_for(lambda: house.alert() == 1)
    gateway.write({**gateway.config, "models": [model("other", "a/elsewhere")]})
    gateway.ctl("reload")
    wait_for(lambda: house.alert() == 0)
    assert house.state("other") == "up"
    house.heal()
    assert gateway.chat("hello", model="other").complete("hello")


def test_a_drain_leaves_parked_requests_to_the_next_start(house):
    gateway = house.gateway()
    house.fail()
    house.bring_down()
    house.leave_durable(4)
    wait_for(lambda: house.outage()["parked_now"] >= 2)
    assert gateway.stop() == 0
    house.heal()
    house.gateway()
    for i in range(4):
        assert house.collect(i) == (200, expected_text(f"durable {i}"))
