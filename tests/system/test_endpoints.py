"""Several ways to one provider: the nearest healthy one is taken, and a fault on the way changes the way before it changes the provider."""
import json
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import FAST, Mock, http_json, model, provider, wait_for
from proxies import HttpProxy, Socks5, TlsFront, certificate

QUICK = {"breaker": {"recovery_timeout": "800ms"}, "timeouts": {"connect": "1s", "first_byte": "500ms", "idle": "500ms", "total": "5s"}}


def endpoints(name, *mocks, **more):
    """A provider with an endpoint per mock, named by it; a tuple has settings of the endpoint's own."""
    out = provider(name, mocks[0][0] if isinstance(mocks[0], tuple) else mocks[0], **{**QUICK, **more})
    del out["base_url"]
    split = [m if isinstance(m, tuple) else (m, {}) for m in mocks]
    out["endpoints"] = [{"name": m.name, "url": m.url, **own} for m, own in split]
    return out


def with_fallback(primary, fallback, **more):
    return {"providers": [primary, provider("b", fallback)], "models": [model("smart", "a/m", fallbacks=["b/n"])], "retry": FAST, **more}


def ways(gateway, command="breakers"):
    """of the provider a"""
    return {w["endpoint"]: w for w in gateway.ctl(command)["ways"] if w["provider"] == "a"}


def asked(*mocks):
    return [len(m.seen()) for m in mocks]


def ask(gateway, count, name="q", stream=False):
    answers = [gateway.chat(f"{name} {i}", stream) for i in range(count)]
    for i, answer in enumerate(answers):
        assert answer.complete(f"{name} {i}"), answer
    return answers


def comes_back(gateway, mock):
    """it is asked again, and healthy"""
    before = len(mock.seen())

    def healthy():
        ask(gateway, 1, "back")
        return len(mock.seen()) > before and ways(gateway)[mock.name]["state"] == "healthy"

    wait_for(healthy)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_the_nearer_endpoint_is_preferred_and_shown(start, stream):
    near, far, b = start.mock("near", latency_ms=5), start.mock("far", latency_ms=80), start.mock("b")
    gateway = start.gateway(with_fallback(endpoints("a", (far, {"region": "us"}), (near, {"region": "eu", "weight": 2})), b))
    answers = ask(gateway, 40, stream=stream)
    assert all(a.attempts == 1 for a in answers)
    n, f, other = asked(near, far, b)
    assert n >= 35 and f >= 1 and n + f == 40 and other == 0
    for command in ("breakers", "pools"):
        shown = ways(gateway, command)
        assert (shown["near"]["region"], shown["near"]["weight"], shown["near"]["state"], shown["near"]["proxy"]) == ("eu", 2, "healthy", "none")
        assert shown["near"]["host"] == f"127.0.0.1:{near.port}" and shown["near"]["calls"] == n
    ms = "first_byte_ms" if stream else "plain_first_byte_ms"
    assert 5 <= shown["near"][ms] < shown["far"][ms] and shown["far"][ms] >= 80
    kind = "stream" if stream else "plain"
    assert gateway.metric("mainstay_endpoint_latency_seconds", provider="a", endpoint="far", kind=kind) >= 0.08
    assert gateway.metric("mainstay_endpoint_state", provider="a", endpoint="near") == 0
    assert gateway.metric("mainstay_endpoint_state", provider="b", endpoint=f"127.0.0.1:{b.port}") == 0
    sent = [e["detail"] for e in gateway.ctl("trace", answers[-1].headers["x-request-id"])["story"] if e["what"] == "sent"]
    assert sent == ["key a-k1, to near"], sent


def test_weights_share_out_the_calls_among_equals(start):
    one, three, b = start.mock("one", latency_ms=30), start.mock("three", latency_ms=30), start.mock("b")
    gateway = start.gateway(with_fallback(endpoints("a", one, (three, {"weight": 3}), pool={"connections": 60, "per_host": 30}), b))
    ask(gateway, 4)
    with ThreadPoolExecutor(8) as pool:
        assert all(a.status == 200 for a in pool.map(lambda i: gateway.chat(f"equal {i}"), range(160)))
    light, heavy, other = asked(one, three, b)
    assert other == 0 and light + heavy == 164 and 1.7 < heavy / light < 6, (light, heavy)


def test_a_killed_endpoint_costs_no_call_no_provider_and_is_back_when_it_returns(start, tmp_path):
    near, far, b = start.mock("near"), start.mock("far", latency_ms=60), start.mock("b")
    gateway = start.gateway(with_fallback(endpoints("a", near, far), b))
    ask(gateway, 10)
    assert asked(near)[0] >= 8
    near.kill()
    answers = ask(gateway, 10, "dead")
    assert all(a.provider == "a" for a in answers)
    assert max(a.attempts for a in answers) == 2 and sum(a.attempts for a in answers) <= 10 + 4  # the first, and trials
    assert asked(b) == [0]
    assert ways(gateway)["near"]["state"] in ("resting", "open") and gateway.metric("mainstay_endpoint_state", endpoint="near") >= 1
    assert gateway.metric("mainstay_breaker_state", provider="a") == 0  # the provider is not out
    near = start.keep(Mock(tmp_path, "near", near.port))
    comes_back(gateway, near)
    before = asked(near)[0]
    ask(gateway, 10, "again")
    assert asked(near)[0] - before >= 8 and asked(b) == [0]


@pytest.mark.parametrize("fallback", [False, True])
def test_a_frozen_endpoint_is_left_and_comes_back(start, fallback):
    near, far, b = start.mock("near"), start.mock("far", latency_ms=60), start.mock("b")
    config = with_fallback(endpoints("a", near, far), b)
    if not fallback:
        del config["models"][0]["fallbacks"]
    gateway = start.gateway(config)
    ask(gateway, 10)
    near.signal(signal.SIGSTOP)
    answers = ask(gateway, 6, "frozen")
    slow = [a for a in answers if a.attempts > 1]
    assert 1 <= len(slow) <= 3, answers  # the first, and trials: the others never met it
    assert {a.provider for a in slow} == {"b" if fallback else "a"}  # silence may be the provider's own: others are asked first
    near.signal(signal.SIGCONT)
    comes_back(gateway, near)


def test_only_when_every_endpoint_is_down_the_next_provider_is_asked(start):
    one, two, b = start.mock("one"), start.mock("two"), start.mock("b")
    gateway = start.gateway(with_fallback(endpoints("a", one, two, breaker={"recovery_timeout": "20s"}), b, retry={**FAST, "max_retries": 0}))
    ask(gateway, 4)
    two.kill()
    assert all(a.provider == "a" for a in ask(gateway, 4, "one is left"))
    assert asked(b) == [0]
    one.kill()
    answers = ask(gateway, 8, "none is left")
    assert all((a.provider, a.source) == ("b", "fallback") for a in answers)
    assert answers[-1].attempts == 1  # the provider's circuit is open: nobody tries in vain
    assert gateway.metric("mainstay_breaker_state", provider="a", model="") == 2
    assert asked(b) == [8]


def test_a_dead_proxy_is_followed_by_the_other_before_any_other_provider(start):
    a, b = start.mock("a"), start.mock("b")
    first, second = start.keep(HttpProxy(user="user:hunter2-secret")), start.keep(HttpProxy(user="user:hunter2-secret"))
    proxies = [f"http://user:hunter2-secret@127.0.0.1:{p.port}" for p in (first, second)]
    gateway = start.gateway(with_fallback({**provider("a", a, **QUICK), "proxies": proxies}, b), log_level="debug")
    ask(gateway, 12)
    assert first.through and second.through and set(first.through) == {f"127.0.0.1:{a.port}"}
    assert len(a.seen()) == len(first.through) + len(second.through) == 12
    first.die()
    answers = ask(gateway, 8, "one proxy")
    assert all(x.provider == "a" for x in answers) and asked(b) == [0]
    first.return_to_life()
    wait_for(lambda: ask(gateway, 1, "back") and len(ways(gateway)) == 2 and all(w["state"] == "healthy" for w in ways(gateway).values()))
    # A proxy that wants another password is no provider's failure.
    first.wants = second.wants = "Basic other"
    answers = ask(gateway, 4, "no entry")
    assert all(x.provider == "b" for x in answers)
    assert "407" in first.through and "407" in second.through
    shown = ways(gateway, "pools")
    assert {w["proxy"] for w in shown.values()} == {f"http://127.0.0.1:{p.port}" for p in (first, second)}
    everything = gateway.log() + json.dumps([gateway.ctl(c) for c in ("breakers", "pools", "actors", "models")]) + http_json(gateway.metrics_port, "GET", "/metrics")[2]
    everything += json.dumps([gateway.ctl("trace", x.headers["x-request-id"]) for x in answers]) + json.dumps([x.body for x in answers])
    assert "hunter2" not in everything


def test_tunnels_through_http_https_and_socks_proxies(start, tmp_path):
    a, b, trusted = start.mock("a"), start.mock("b"), certificate(tmp_path)
    front = start.keep(TlsFront(trusted, a.port))
    http, https = start.keep(HttpProxy()), start.keep(HttpProxy(user="u:p", tls=trusted))
    socks, named = start.keep(Socks5()), start.keep(Socks5(user="u:p"))
    config = with_fallback({**provider("a", a, **QUICK), "base_url": f"https://localhost:{front.port}/v1", "proxies": [
        f"http://127.0.0.1:{http.port}", f"https://u:p@localhost:{https.port}", f"socks5://127.0.0.1:{socks.port}", f"socks5h://u:p@127.0.0.1:{named.port}"]}, b)
    gateway = start.gateway(config, env={"SSL_CERT_FILE": str(trusted)})
    everybody = (http, https, socks, named)
    wait_for(lambda: ask(gateway, 4, "tunnels") and all(p.through for p in everybody))
    assert set(http.through) == set(https.through) == {f"CONNECT localhost:{front.port}"}
    assert set(socks.through) == {("address", "127.0.0.1", front.port)} and set(named.through) == {("name", "localhost", front.port)}
    # Proxies that refuse the tunnel, in the words that proxies have for it, and one that is gone.
    for p, status in ((http, 503), (https, 502)):
        p.refuse = status
        p.die()  # what is open stays open otherwise
        p.return_to_life()
    socks.die()
    answers = ask(gateway, 12, "refused")
    assert all(x.provider == "a" for x in answers) and asked(b) == [0]
    named.die()  # now the others are tried, also one that was too far until then
    wait_for(lambda: ask(gateway, 1, "trial")[0].provider == "b" and "503" in http.through and "502" in https.through)
    http.refuse = 407
    assert all(x.provider == "b" for x in ask(gateway, 4, "nobody"))
