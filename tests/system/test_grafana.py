"""Grafana's dashboard without a Grafana: its form, and every query of it asked of a real Prometheus that scrapes a loaded daemon in trouble."""
import itertools
import json
import pathlib
import re
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from harness import FAST, Dealer, Process, chat_body, free_port, http_json, model, provider, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOARD = json.loads((ROOT / "config/grafana/mainstay.json").read_text())
PANELS = [p for p in BOARD["panels"] if p["type"] != "row"]
QUERIES = [(p["title"], t["expr"]) for p in PANELS for t in p["targets"]]


def test_the_dashboard_has_a_form_that_grafana_reads():
    assert BOARD["schemaVersion"] == 39 and BOARD["uid"] == "mainstay"
    assert {p["type"] for p in PANELS} <= {"timeseries", "stat", "table", "bargauge"}
    assert len({p["id"] for p in BOARD["panels"]}) == len(BOARD["panels"])
    taken = set()
    for p in BOARD["panels"]:
        at = p["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, f"{p['title']} lies on another panel"
        taken |= cells
    for p in PANELS:
        for place in (p, *p["targets"]):
            assert place["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, "the reader says which Prometheus"
        assert len({t["refId"] for t in p["targets"]}) == len(p["targets"]) > 0
    assert {v["name"]: v["type"] for v in BOARD["templating"]["list"]} == {"datasource": "datasource", "instance": "query"}


def test_it_asks_for_nothing_that_operations_md_does_not_name():
    rows = re.findall(r"^\| `mainstay_[^|]*", (ROOT / "docs/operations.md").read_text(), re.M)
    told = set(re.findall(r"mainstay_\w+", " ".join(rows)))
    asked = {re.sub(r"_(bucket|count|sum)$", "", name) for _, q in QUERIES for name in re.findall(r"mainstay_\w+", q)}
    assert asked and asked <= told, asked - told


@pytest.fixture
def house(start, tmp_path):
    """A daemon to which everything has happened that the dashboard draws."""
    broken = {"failure_threshold": 3, "recovery_timeout": "600s"}
    a, b, redis = start.mock("a"), start.mock("b", token_ms=5), start.redis()
    gateway = start.gateway({
        "providers": [provider("a", a, ({"name": "k", "rpm": 100000, "tpm": 100000000},), breaker=broken), provider("b", b, ({"name": "k", "concurrency": 1},))],
        "models": [model("smart", "a/mock-large", fallbacks=["b/mock-large"]), model("batched", "b/mock-small")], "retry": FAST, "alerts": {}, "recovery": {"probe": "600s"},
        "cache": {"ttl": "1h", "redis": {"url": redis.url}}, "prices": str(ROOT / "config/prices.json"), "journal": {"path": str(tmp_path / "journal.db")}})
    for i in range(20):
        gateway.chat(f"question {i % 15}", stream=i % 3 == 0)
    a.script({"status": 503})
    for i in range(6):
        gateway.chat(f"in trouble {i}")
    with Dealer(gateway.zmq_url) as d:
        for i in range(4):
            d.send(b"%d" % i, b"chat", chat_body(f"together {i}", model="batched"), {"durable": True, "batch": True, "x-mainstay-priority": "low"})
        answered = 0
        while answered < 4:
            answered += d.receive()[1] == "reply"
    gateway.ctl("drill", "crash", "cache_actor")

    def go_on(what):
        """Between two scrapes: one waits for the other, one is streamed, one is retried."""
        b.script({"times": 1, "status": 503})
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda i: gateway.chat(f"{what} {i}", stream=i == 0, headers={"x-mainstay-cache": "off"}), range(2)))
        gateway.chat(what)
    gateway.go_on = go_on
    return gateway


def test_every_query_has_an_answer(house, start, tmp_path):
    port = free_port()
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [
        {"job_name": "mainstay", "static_configs": [{"targets": [f"127.0.0.1:{house.metrics_port}"]}]}]}))
    prometheus = start.keep(Process(["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb", f"--web.listen-address=127.0.0.1:{port}"],
                                    tmp_path / "prometheus.log"))

    def answer(query):
        query = query.replace("$__rate_interval", "30s").replace("$instance", ".*")
        assert "$" not in query, query
        status, _, body = http_json(port, "GET", "/api/v1/query?query=" + urllib.parse.quote(query))
        if status == 503:
            return None  # it is not ready yet
        assert status == 200, body
        return [s for s in body["data"]["result"] if s["value"][1] != "NaN"]

    wait_for(lambda: "Server is ready to receive web requests" in prometheus.log(), 30)
    silent, rounds = QUERIES, itertools.count()

    def all_speak():
        """every query has a sample"""
        nonlocal silent
        house.go_on(f"round {next(rounds)}")
        silent = [(title, q) for title, q in silent if not answer(q)]
        return not silent
    try:
        wait_for(all_speak, 20, every=0.5)
    except AssertionError:
        raise AssertionError(f"no sample: {silent}")
    for title, query in QUERIES:  # and each says so to a reader
        panel = next(p for p in PANELS if p["title"] == title and query in [t["expr"] for t in p["targets"]])
        labels = {k for t in panel["targets"] if t["expr"] == query for k in re.findall(r"\{\{(\w+)\}\}", t["legendFormat"])}
        assert labels <= {k for s in answer(query) for k in s["metric"]}, title
