"""The daemon from an operator's chair: --check, reload, drain, console, metrics, TLS and HTTP/2 on the way out."""
import json
import os
import pathlib
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import BIN, FAST, SLOW, Process, free_port, http_json, model, provider, wait_for


def config(mock, **more):
    return {"providers": [provider("a", mock)], "models": [model("smart", "a/m")], "retry": FAST, **more}


# -- configuration

def check(tmp_path, text, **env):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    return subprocess.run([BIN / "mainstayd", "--config", file, "--check"], capture_output=True, text=True, env={**os.environ, **env})


GOOD = """
doors: { http: { listen: "127.0.0.1:0" } }
providers:
  - { name: a, base_url: "http://127.0.0.1:1/v1", keys: [ { name: k, secret: "${CHECK_SECRET}" } ] }
models:
  - { name: smart, targets: [ { provider: a, model: m } ] }
"""


def test_check_says_good_or_lists_every_error_with_its_place(tmp_path):
    good = check(tmp_path, GOOD, CHECK_SECRET="hidden-secret-value")
    assert good.returncode == 0, good.stderr
    assert "one provider alone" in good.stderr or "alone" in good.stderr, "a model at one provider alone deserves a warning"
    missing = check(tmp_path, GOOD)
    assert missing.returncode == 2 and "CHECK_SECRET" in missing.stderr and "providers[0].keys[0].secret" in missing.stderr
    bad = check(tmp_path, GOOD.replace("doors:", "dooors:").replace("provider: a", "provider: z") + "deadline: 5\n", CHECK_SECRET="hidden-secret-value")
    assert bad.returncode == 2
    lines = [l for l in bad.stderr.splitlines() if not l.startswith("warning")]
    assert len(lines) >= 3 and all(l.startswith(f"{tmp_path}/c.yaml:") for l in lines), bad.stderr
    assert "hidden-secret-value" not in bad.stderr
    assert check(tmp_path, "").returncode == 2
    assert subprocess.run([BIN / "mainstayd", "--version"], capture_output=True, text=True).stdout.startswith("mainstayd ")


def test_a_door_that_is_taken_is_named_and_ends_the_start(start, tmp_path):
    mock = start.mock()
    gateway = start.gateway(config(mock))
    second = Process([BIN / "mainstayd", "--config", gateway.file], tmp_path / "second.log")
    assert second.wait() not in (0, None)
    assert str(gateway.metrics_port) in second.log()
    second.kill()


def test_sighup_takes_a_new_configuration_and_keeps_the_last_good_one(start):
    mock, other = start.mock("a"), start.mock("other")
    gateway = start.gateway(config(mock))
    assert gateway.chat("x", model="late").status == 404
    with ThreadPoolExecutor(1) as pool:
        mock.script({"token_ms": 20})
        under_way = pool.submit(gateway.chat, "before the reload", True)
        wait_for(lambda: mock.seen() and gateway.status()["in_flight"])
        gateway.write({**gateway.config, "providers": [provider("a", mock, ("k1", "k2")), provider("b", other)],
                       "models": [model("smart", "b/m"), model("late", "b/m")]})
        gateway.signal(signal.SIGHUP)
        wait_for(lambda: gateway.chat("x", model="late").status == 200)
        assert gateway.chat("after").provider == "b"
        answer = under_way.result()
    assert answer.complete("before the reload") and answer.provider == "a", "a run keeps the configuration it began with"
    good = gateway.status()["config"]
    for wrong in ("", "models: [", json.dumps({**gateway.config, "unknown_section": 1})):
        gateway.file.write_text(wrong)
        assert "error" in gateway.ctl("reload", check=False)
        assert gateway.status()["config"] == good and gateway.chat(f"still {len(wrong)}").provider == "b"
    assert "the last good one stays" in gateway.log()
    gateway.write({**gateway.config, "models": [model("smart", "a/m")]})
    assert "in force" in gateway.ctl("reload")["reload"]
    wait_for(lambda: gateway.chat("late", model="late").status == 404)


# -- drain

@pytest.mark.parametrize("how", ["sigterm", "console"])
def test_a_drain_finishes_what_runs_refuses_what_is_new_and_exits_0(start, how):
    mock = start.mock()
    mock.script({"token_ms": 20, "latency_ms": 500})
    gateway = start.gateway(config(mock))
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(gateway.chat, f"q{i}", i % 2 == 0) for i in range(8)]
        wait_for(lambda: gateway.status()["in_flight"] == 8)
        if how == "sigterm":
            gateway.signal(signal.SIGTERM)
        else:
            gateway.ctl("drain")
        wait_for(lambda: http_json(gateway.metrics_port, "GET", "/readyz")[0] == 503)
        assert all(f.result().complete(f"q{i}") for i, f in enumerate(futures))
    assert gateway.wait() == 0
    assert "every accepted request was answered" in gateway.log()


def test_a_drain_cut_off_at_its_limit_exits_3_and_says_what_it_cut(start):
    mock = start.mock()
    mock.script({"fault": "silence"})
    gateway = start.gateway(config(mock, drain="300ms"))
    with ThreadPoolExecutor(2) as pool:
        cut = [pool.submit(gateway.chat, "plain"), pool.submit(gateway.chat, "stream", True)]
        wait_for(lambda: gateway.status()["in_flight"] == 2)
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 3
        for f in cut:
            try:
                assert f.result().status >= 500
            except (OSError, ValueError) as e:  # the connection ended: no caller is left hanging
                assert e
            except Exception as e:
                assert "Remote" in type(e).__name__ or "Incomplete" in type(e).__name__, e
    assert "2 requests were cut off: req_" in gateway.log()


# -- console and metrics

def test_every_command_answers_as_a_table_and_as_json(start):
    mock = start.mock()
    gateway = start.gateway(config(mock, cache={"ttl": "1h"}))
    gateway.chat("one")
    for command in ("status", "actors", "breakers", "keys", "limits", "queue", "pools", "cache", "models", "metrics", "help"):
        assert isinstance(gateway.ctl(command), dict)
        table = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", command], capture_output=True, text=True)
        assert table.returncode == 0 and table.stdout.strip() and not table.stdout.startswith("{")
    wrong = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", "dance"], capture_output=True, text=True)
    assert wrong.returncode == 1 and "dance" in wrong.stderr
    nobody = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{free_port()}", "status"], capture_output=True, text=True)
    assert nobody.returncode == 2 and "cannot reach" in nobody.stderr
    several = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", "--json"], input="status\nkeys\nexit\n", capture_output=True, text=True)
    assert several.returncode == 0 and len([json.loads(l) for l in several.stdout.splitlines()]) == 2
    assert {a["name"] for a in gateway.ctl("actors")["actors"]} >= {
        "dispatcher", "rate_governor", "key_manager", "cache_actor", "metrics_aggregator", "admin", "breaker/a", "upstream/a"}
    assert "secret-" not in str([gateway.ctl(c) for c in ("status", "keys", "limits", "models")])


def test_gauges_of_what_left_the_configuration_go(start):
    a, b = start.mock("a"), start.mock("b")
    keys = ({"name": "k1", "rpm": 100}, {"name": "k2", "rpm": 100})
    gateway = start.gateway({"providers": [provider("a", a, keys), provider("b", b)], "models": [model("smart", "a/m", fallbacks=["b/m"])]})
    assert gateway.chat("q").status == 200
    told = lambda: {name for name in gateway.metrics() if name.startswith(("mainstay_key_health", "mainstay_limit_used", "mainstay_breaker_state"))}
    wait_for(lambda: any("b-k1" in name for name in told()) and any("a-k2" in name for name in told()))
    before = told()
    config = gateway.config
    config["providers"] = [provider("a", a, keys[:1])]
    config["models"] = [model("smart", "a/m")]
    gateway.write(config)
    gateway.ctl("reload")
    wait_for(lambda: told() and not any(gone in name for name in told() for gone in ("b-k1", "a-k2", 'provider="b"')))
    assert told() < before, "nothing new, and what stayed is still told"


def test_the_metrics_door(start):
    mock = start.mock()
    gateway = start.gateway({**config(mock, cache={"ttl": "1h"}), "providers": [provider("a", mock, ({"name": "k1", "rpm": 1000},))]})
    mock.script({"times": 1, "status": 500})
    for q in ("one", "two", "one"):
        assert gateway.chat(q, stream=q == "two").status == 200
    assert http_json(gateway.metrics_port, "GET", "/healthz")[0] == 200
    assert http_json(gateway.metrics_port, "GET", "/elsewhere")[0] == 404
    wait_for(lambda: gateway.metric("mainstay_requests_total", client="local", model="smart", outcome="ok") == 3)
    m = gateway.metric
    assert m("mainstay_attempts_total", provider="a", model="m", key="a-k1", outcome="ok") == 2
    assert m("mainstay_attempts_total", outcome="server_error") == 1 and m("mainstay_retries_total", reason="server_error") == 1
    assert m("mainstay_request_seconds_count", model="smart", source="cache") == 1
    assert m("mainstay_first_token_seconds_count", provider="a") == 2 and m("mainstay_overhead_seconds_count") == 3
    assert m("mainstay_tokens_total", provider="a", model="m", kind="output") == 120
    assert m("mainstay_cache_total", tier="memory", result="hit") == 1
    assert m("mainstay_breaker_state", provider="a", model="m") == 0 and m("mainstay_key_health", key="a-k1") > 0.8
    text = http_json(gateway.metrics_port, "GET", "/metrics")[2]
    for name in ("mainstay_queue_depth", "mainstay_limit_used_ratio", "mainstay_actor_restarts_total"):
        assert f"# TYPE {name} " in text


# -- TLS and HTTP/2 to the provider

NGINX = """
daemon off; master_process off; pid {d}/nginx.pid; error_log {d}/error.log; events {{}}
http {{ access_log {d}/access.log "x $server_protocol"; client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
  log_format x "$server_protocol"; access_log {d}/access.log x;
  server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {d}/cert.pem; ssl_certificate_key {d}/key.pem;
    location / {{ proxy_pass http://127.0.0.1:{upstream}; proxy_buffering off; proxy_http_version 1.1; }} }} }}
"""


@pytest.fixture
def tls(start, tmp_path):
    mock, port = start.mock(), free_port()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "nginx.conf").write_text(NGINX.format(d=tmp_path, port=port, upstream=mock.port).replace(f'access_log {tmp_path}/access.log "x $server_protocol"; ', ""))
    nginx = pathlib.Path("/usr/sbin/nginx")
    start.keep(Process([nginx, "-c", tmp_path / "nginx.conf", "-p", tmp_path], tmp_path / "nginx.log"))
    wait_for(lambda: (tmp_path / "nginx.pid").exists())
    base = {"providers": [{"name": "a", "base_url": f"https://localhost:{port}/v1", "keys": [{"name": "k", "secret": "s-1"}]}],
            "models": [model("smart", "a/m")], "retry": {**FAST, "max_retries": 0}}
    return base, tmp_path, start, port


def test_providers_are_reached_over_tls_with_http2(tls):
    base, directory, start, _ = tls
    gateway = start.gateway(base, env={"SSL_CERT_FILE": str(directory / "cert.pem")})
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: gateway.chat(f"q{i}", i % 2 == 0), range(40)))
    assert all(a.complete(f"q{i}") for i, a in enumerate(answers))
    wait_for(lambda: (directory / "access.log").read_text().count("HTTP/2.0") == 40)


def test_a_certificate_nobody_vouches_for_and_a_wrong_name_are_refused(tls):
    base, directory, start, port = tls
    stranger = start.gateway(base)
    assert stranger.chat("x").status == 502
    base["providers"][0]["base_url"] = f"https://127.0.0.1:{port}/v1"
    wrong_name = start.gateway(base, env={"SSL_CERT_FILE": str(directory / "cert.pem")})
    assert wrong_name.chat("x").status == 502
    wait_for(lambda: wrong_name.metric("mainstay_attempts_total", outcome="connect_failed") == 1)
