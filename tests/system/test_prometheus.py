"""Prometheus and Alertmanager, the real ones: they take our files, scrape a loaded daemon, find no fault in its metrics, and ring when it does."""
import pathlib
import subprocess
import urllib.parse

import pytest
import yaml

from harness import FAST, Process, free_ports, http_json, model, provider, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ROOT / "config" / "prometheus"
BROKEN = {"failure_threshold": 2, "recovery_timeout": "600s"}


def run(*command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60, **more)


def test_their_own_tools_take_our_files():
    for command in (("promtool", "check", "config", FILES / "prometheus.yml"), ("promtool", "test", "rules", ROOT / "tests/data/prometheus_rules_test.yml"),
                    ("amtool", "check-config", FILES / "alertmanager.yml")):
        done = run(*command)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def house(start, tmp_path):
    class House:
        def __init__(self):
            self.mock = start.mock("p")
            prices = str(ROOT / "config" / "prices.json")
            self.gateway = start.gateway({
                "providers": [provider("p", self.mock, ({"name": "k", "rpm": 1000, "tpm": 1000000},), breaker=BROKEN)], "models": [model("smart", "p/mock-large")],
                "retry": {**FAST, "max_retries": 0}, "cache": {"ttl": "1h"}, "prices": prices, "alerts": {}, "recovery": {"probe": "600s"}})

        def load(self):
            for i in range(30):
                assert self.gateway.chat(f"question {i % 20}", stream=i % 3 == 0).status == 200
    return House()


def test_a_linter_finds_no_fault_in_what_a_loaded_daemon_says(house):
    house.load()
    status, headers, text = http_json(house.gateway.metrics_port, "GET", "/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    done = run("promtool", "check", "metrics", input=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_prometheus_scrapes_it_and_rings(house, start, tmp_path):
    port, = free_ports(1)
    config = yaml.safe_load((FILES / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{house.gateway.metrics_port}"]}]
    config["alerting"]["alertmanagers"] = []
    config["rule_files"] = [str(FILES / "rules.yml")]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    start.keep(Process(["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb", f"--web.listen-address=127.0.0.1:{port}"],
                       tmp_path / "prometheus.log"))

    def ask(path):
        try:
            return http_json(port, "GET", path)[2]["data"]
        except (OSError, KeyError, TypeError):  # it is not up yet
            return None

    def value(query):
        got = ask("/api/v1/query?query=" + urllib.parse.quote(query))
        return float(got["result"][0]["value"][1]) if got and got["result"] else None

    house.load()
    wait_for(lambda: value("sum(mainstay_requests_total)") == 30, 30)
    for query in ("mainstay_cost_usd_total > 0", "histogram_quantile(0.99, sum by (le) (mainstay_request_seconds_bucket)) > 0", 'up{job="mainstay"} == 1',
                  'mainstay_cache_total{result="hit"} == 10', "mainstay_limit_used_ratio > 0"):
        assert value(query) is not None, query
    house.mock.script({"status": 503})
    for i in range(4):
        house.gateway.chat(f"down {i}", headers={"x-mainstay-deadline-ms": "300"})
    firing = lambda: {a["labels"].get("signal") for a in (ask("/api/v1/alerts") or {"alerts": []})["alerts"] if a["state"] == "firing"}
    wait_for(lambda: "breaker_open" in firing(), 20)
