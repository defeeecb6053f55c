"""Alerts: what begins and ends them, what the console shows, and what the webhook hears although it fails at first."""
import hashlib
import hmac
import http.server
import json
import threading
import time

import pytest

from harness import Dealer, FAST, chat_body, model, provider, wait_for

SECRET = "a-secret-of-the-webhook"
EAGER = {"for": "1s", "min_requests": 5}


class Hook:
    """A webhook: what it heard, and what it answers."""

    def __init__(self):
        heard, hook = [], self
        self.heard, self.status = heard, 204

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                heard.append((hook.status, dict(self.headers.items()), body))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alerts"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def taken(self):
        return [json.loads(body) for status, _, body in self.heard if status == 204]

    def said(self, signal, severity, state):
        return any((a["signal"], a["severity"], a["state"]) == (signal, severity, state) for a in self.taken())


@pytest.fixture
def hook():
    h = Hook()
    yield h
    h.server.shutdown()
    h.server.server_close()


@pytest.fixture
def house(start, hook):
    class House:
        def __init__(self):
            self.mock = start.mock("p")

        def gateway(self, alerts, **more):
            self.now = start.gateway({"providers": [provider("p", self.mock)], "models": [model("smart", "p/m")], "retry": {**FAST, "max_retries": 0},
                                      "breaker": {"failure_threshold": 1000}, **({"alerts": alerts} if alerts is not None else {}), **more})
            return self.now

        def on(self, signal, severity):
            return next(a for a in self.now.ctl("alerts")["alerts"] if (a["signal"], a["severity"]) == (signal, severity))["state"] == "firing"

        def gauge(self, signal, severity):
            return self.now.metric("mainstay_alert", signal=signal, severity=severity)

        def ask(self, count, status):
            for i in range(count):
                assert self.now.chat(f"{status} {i} {time.monotonic()}").status == status
    return House()


def test_a_rate_that_falls_rings_and_ends_when_it_is_well_again(house, hook):
    gateway = house.gateway({**EAGER, "success_rate": {"warning": 0.98, "critical": 0.5}, "server_error": {"warning": 0.3},
                             "webhook": hook.url, "webhook_secret": SECRET})
    house.ask(4, 200)
    house.mock.script({"status": 500})
    house.ask(3, 502)
    wait_for(lambda: house.gauge("success_rate", "warning") == 1)
    assert house.on("success_rate", "warning") and not house.on("success_rate", "critical")
    wait_for(lambda: house.gauge("server_error", "warning") == 1)
    shown = gateway.ctl("alerts")
    assert shown["requests"] == 7 and shown["success_percent"] == pytest.approx(100 * 4 / 7, abs=0.1) and shown["calls"] == 7
    wait_for(lambda: hook.said("success_rate", "warning", "firing") and hook.said("server_error", "warning", "firing"))
    house.mock.script()
    for _ in range(20):
        house.ask(50, 200)
        if not house.on("success_rate", "warning"):
            break
    wait_for(lambda: hook.said("success_rate", "warning", "resolved"), 20)
    assert house.gauge("success_rate", "warning") == 0
    lines = [line for line in gateway.log().splitlines() if "alert success_rate" in line]
    assert len(lines) == 2 and "began" in lines[0] and "ended" in lines[1]

    _, headers, body = hook.heard[0]
    headers = {k.lower(): v for k, v in headers.items()}
    signed = hmac.new(SECRET.encode(), headers["x-mainstay-timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["x-mainstay-signature"] == "sha256=" + signed and abs(time.time() - int(headers["x-mainstay-timestamp"])) < 60
    first = json.loads(body)
    assert first["node"] and 0 <= first["value"] <= 1 and first["time"].endswith("Z")
    assert SECRET not in gateway.log() and hook.url not in gateway.log()


def test_a_callers_own_faults_and_few_requests_ring_nothing(house):
    gateway = house.gateway({**EAGER, "for": "0ms"})
    house.mock.script({"text": "wrong*", "status": 400}, {"status": 500})
    for i in range(30):
        assert gateway.chat(f"wrong {i}").status == 400
    house.ask(4, 502)  # one less than say something
    wait_for(lambda: gateway.ctl("alerts")["requests"] == 4)
    time.sleep(2.2)  # two judgements
    assert not house.on("success_rate", "warning")
    house.ask(1, 502)
    wait_for(lambda: house.on("success_rate", "critical"))


def test_a_webhook_that_fails_hears_everything_later_in_its_order(house, hook):
    gateway = house.gateway({**EAGER, "for": "0ms", "webhook": hook.url})
    hook.status = 500
    house.mock.script({"status": 500})
    house.ask(6, 502)
    wait_for(lambda: len(hook.heard) >= 2)
    gateway.ctl("drill", "crash", "alert_bell")
    assert gateway.ctl("alerts")["webhook_waiting"] >= 1 and not hook.taken()
    hook.status = 204
    wait_for(lambda: hook.said("success_rate", "critical", "firing"), 20)
    wait_for(lambda: gateway.ctl("alerts")["webhook_waiting"] == 0)
    assert "x-mainstay-signature" not in {k.lower() for _, headers, _ in hook.heard for k in headers}
    assert len(hook.taken()) == len({json.dumps(a, sort_keys=True) for a in hook.taken()}), "each once"


def test_states_ring_without_the_section_but_tell_nobody(house, start):
    gateway = house.gateway(None, breaker={"failure_threshold": 2, "recovery_timeout": "600s"}, recovery={"probe": "1s", "ramp": "1s"})
    assert house.gauge("breaker_open", "warning") == 0
    house.mock.script({"path": "*/models", "status": 401}, {"status": 503})  # nobody is to try it again meanwhile
    for i in range(4):
        gateway.chat(f"q {i}", headers={"x-mainstay-deadline-ms": "300"})
    wait_for(lambda: house.on("breaker_open", "warning") and house.on("all_targets_down", "critical"))
    assert house.gauge("breaker_open", "warning") == 1 and "webhook_waiting" not in gateway.ctl("alerts")
    signals = {a["signal"] for a in gateway.ctl("alerts")["alerts"]}
    assert signals == {"all_targets_down", "audit_failing", "breaker_open", "budget", "forecast_high", "journal_full", "redis_down"}
    house.mock.script()

    def heals():
        gateway.chat(f"well? {time.monotonic()}", headers={"x-mainstay-deadline-ms": "2000"})
        return not house.on("breaker_open", "warning") and not house.on("all_targets_down", "critical")
    wait_for(heals, 20)


def test_a_reload_changes_thresholds_and_a_crash_forgets_nothing(house):
    gateway = house.gateway({**EAGER, "for": "0ms"})
    house.mock.script({"status": 500})
    house.ask(6, 502)
    wait_for(lambda: house.on("success_rate", "critical"))
    gateway.ctl("drill", "crash", "metrics_aggregator")
    wait_for(lambda: house.on("success_rate", "critical"))
    config = gateway.config
    config["alerts"]["success_rate"] = {"warning": 0.1}
    config["alerts"]["server_error"] = {"critical": 0.5}
    gateway.write(config)
    gateway.ctl("reload")
    signals = {(a["signal"], a["severity"]) for a in gateway.ctl("alerts")["alerts"]}
    assert ("success_rate", "critical") not in signals and ("server_error", "critical") in signals
    wait_for(lambda: house.on("success_rate", "warning") and house.on("server_error", "critical"))


def test_a_journal_that_fills_up_rings(house, tmp_path):
    gateway = house.gateway({}, journal={"path": str(tmp_path / "j.db"), "entries": 10})
    with Dealer(gateway.zmq_url) as d:
        for i in range(8):
            d.send(b"d%d" % i, b"chat", chat_body(f"durable {i}"), {"durable": True})
        wait_for(lambda: house.gauge("journal_full", "warning") == 1)
        assert house.gauge("journal_full", "critical") == 0
        for i in range(8, 10):
            d.send(b"d%d" % i, b"chat", chat_body(f"durable {i}"), {"durable": True})
        wait_for(lambda: house.gauge("journal_full", "critical") == 1)
