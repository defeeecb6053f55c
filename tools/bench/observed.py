"""What it costs to be looked at: metrics, traces and the audit against none of them, and a scrape under load."""
import http.server
import threading
import time
import urllib.request

import load
from meters import cpu_seconds
from programs import Daemon, Invalid
from quantity import Quantity

LOAD = {"model": "plain-1k", "connections": 32}


class Collector:
    """Takes spans and throws them away."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                outer.posts += 1
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        outer, self.posts = self, 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Observed:
    name = "observed"
    title = "plain, 1 KB answers, 32 connections: metrics, traces of 1% and the audit, against a daemon without any"
    sections = None
    most_rounds = 100
    quantities = (Quantity("cpu_us", "CPU per request", "µs", "ratio", 1.10, "unobserved"),)

    def prepare(self, stage):
        self.collector = stage.keep(Collector())
        seen = {"tracing": {"endpoint": self.collector.url, "sample": 0.01}, "privacy": {"audit": {"path": str(stage.directory / "audit.jsonl")}}}
        self.sides = [("unobserved", stage.keep(Daemon(stage.directory, stage.mock.port, stage.models, doors=("http",)))),
                      ("mainstay", stage.keep(Daemon(stage.directory, stage.mock.port, stage.models, seen)))]
        for _, daemon in self.sides:
            load.run(stage.directory, daemon.door, seconds=stage.size.warm, **LOAD)

    def round(self, stage, turned):
        out = {}
        for name, daemon in reversed(self.sides) if turned else self.sides:
            before = cpu_seconds(daemon.pids)
            seen = load.run(stage.directory, daemon.door, seconds=2 * stage.size.seconds, **LOAD)
            out[name] = {"cpu_us": (cpu_seconds(daemon.pids) - before) / seen["requests"] * 1e6}
        lines = (stage.directory / "audit.jsonl").read_bytes().count(b"\n")
        if not lines:
            raise Invalid(f"{self.name}: nothing was audited")
        return out


class Scraped:
    name = "scrape"
    title = "the same load while the metrics are scraped: one scrape a second"
    sections = None
    most_rounds = 100
    quantities = (Quantity("percent", "CPU of one core", "%", "own", 1),)
    pause = 0.02  # between scrapes: more of them than anybody asks for, so that their cost stands out

    def prepare(self, stage):
        load.run(stage.directory, stage.mainstay.door, seconds=stage.size.warm, **LOAD)

    def measure(self, stage, scraped):
        daemon, over, scrapes = stage.mainstay, threading.Event(), 0

        def scrape():
            nonlocal scrapes
            while not over.wait(self.pause):
                urllib.request.urlopen(f"http://127.0.0.1:{daemon.metrics}/metrics", timeout=30).read()
                scrapes += 1

        thread = threading.Thread(target=scrape)
        before, began = cpu_seconds(daemon.pids), time.monotonic()
        if scraped:
            thread.start()
        seen = load.run(stage.directory, daemon.door, seconds=2 * stage.size.seconds, **LOAD)
        over.set()
        if scraped:
            thread.join()
        used, took = cpu_seconds(daemon.pids) - before, time.monotonic() - began
        return used / seen["requests"], seen["requests"] / took, scrapes / took

    def round(self, stage, turned):
        first, second = self.measure(stage, turned), self.measure(stage, not turned)
        (alone, _, _), (beside, rate, scrapes) = (second, first) if turned else (first, second)
        return {"mainstay": {"percent": 100 * max(0.0, beside - alone) * rate / max(scrapes, 1e-9)}}
