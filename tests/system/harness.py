"""Real parts for the system tests: the daemon, mock providers, Redis, callers through both doors. Every process is our own and ended by its id."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import yaml
import zmq

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
from ports import free_port, free_ports  # noqa: E402

BIN = pathlib.Path(os.environ.get("MAINSTAY_BIN", ROOT / "build/release/bin"))
MOCK = pathlib.Path(os.environ.get("MAINSTAY_MOCK", BIN / "mainstay-mock"))
SLOW = float(os.environ.get("MAINSTAY_SLOW", "1"))  # sanitizers: patience times so much

WORDS = """amber anchor autumn basin beacon birch bridge canyon cedar chalk cinder cliff cloud copper coral
crane dawn delta drift dune ember falcon fern field flint fog forest garnet glade granite harbor
hazel heron hill island ivory juniper lagoon lantern larch maple marsh meadow mist moss oak ocean
orchid pebble pine prairie quartz rain reef ridge river sage shore slate stone thistle tide valley
willow""".split()


def expected_text(question, words=60):
    """What every mock answers to this one user message, or to a conversation: [(role, text)], without a prefill (docs/mock.md)."""
    conversation = [("user", question)] if isinstance(question, str) else question
    mask = (1 << 64) - 1
    h = 0xCBF29CE484222325
    for role, text in conversation:
        for byte in (role + "\n" + text + "\n").encode():
            h = (h ^ byte) * 0x100000001B3 & mask
    last = next((text for role, text in reversed(conversation) if role == "user"), "")
    echoed = [w for w in re.findall(r"[^ \t\n\r\v\f]+", last)[:32] if len(w.encode()) <= 64]
    out, i = (["echo:"] + echoed + ["|"])[:words], 0
    while len(out) < words:
        z = (h + i * 0x9E3779B97F4A7C15) & mask
        z = (z ^ (z >> 29)) * 0xBF58476D1CE4E5B9 & mask
        out.append(WORDS[(z >> 32) % 64])
        i += 1
    return " ".join(out)


def wait_for(what, seconds=10.0, every=0.02):
    """Polls `what` until it is true; its last value otherwise fails the test."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"did not become true in {seconds * SLOW} s: {what.__doc__ or what}; last: {value!r}")
        time.sleep(every)


class Process:
    def __init__(self, command, log, env=None):
        self.log_path = pathlib.Path(log)
        self.log_file = open(log, "ab")
        self.popen = subprocess.Popen([str(c) for c in command], stdout=self.log_file, stderr=self.log_file, env=env)

    @property
    def pid(self):
        return self.popen.pid

    def log(self):
        return self.log_path.read_text(errors="replace")

    def signal(self, number):
        self.popen.send_signal(number)

    def alive(self):
        return self.popen.poll() is None

    def wait(self, seconds=60):
        return self.popen.wait(seconds * SLOW)

    def kill(self):
        if self.alive():
            self.popen.send_signal(signal.SIGCONT)
            self.popen.kill()
        self.popen.wait()
        self.log_file.close()

    def stop(self):
        if self.alive():
            self.popen.send_signal(signal.SIGCONT)
            self.popen.terminate()
            try:
                self.popen.wait(40 * SLOW)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
                raise AssertionError("a process did not end on SIGTERM")
        self.log_file.close()
        return self.popen.returncode


def http_json(port, method, path, body=None, headers=None, timeout=60):
    """status, headers (lower case), parsed body or text"""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout * SLOW)
    try:
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        c.request(method, path, data, {"content-type": "application/json", **(headers or {})})
        r = c.getresponse()
        raw = r.read()
        got = {k.lower(): v for k, v in r.getheaders()}
        if got.get("content-type", "").startswith("application/json"):
            return r.status, got, json.loads(raw)
        return r.status, got, raw.decode()
    finally:
        c.close()


class Mock(Process):
    def __init__(self, directory, name="mock", port=None, listen="127.0.0.1", through=(), **options):
        """`through`: a command that becomes the mock."""
        self.name, self.port = name, port or free_port()
        command = [*through, MOCK, "--listen", f"{listen}:{self.port}", "--name", name]
        for key, value in options.items():
            command += ["--" + key.replace("_", "-")] + ([] if value is True else [value])
        super().__init__(command, pathlib.Path(directory) / f"{name}-{self.port}.log")
        wait_for(self.listening)

    def listening(self):
        """the mock listens"""
        assert self.alive(), self.log()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, *rules):
        status, _, body = http_json(self.port, "PUT", "/mock/script", list(rules))
        assert status == 200, body

    def reset(self):
        http_json(self.port, "POST", "/mock/reset")

    def seen(self):
        """the log of requests"""
        body = http_json(self.port, "GET", "/mock/log")[2]
        return body["requests"] if isinstance(body, dict) else body

    def stats(self):
        return http_json(self.port, "GET", "/mock/stats")[2]


class Redis(Process):
    def __init__(self, directory, port=None):
        self.port = port or free_port()
        super().__init__(["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                          "--dir", directory, "--daemonize", "no"], pathlib.Path(directory) / f"redis-{self.port}.log")
        wait_for(self.pings)

    def pings(self):
        """redis answers"""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                s.sendall(b"PING\r\n")
                return s.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"


class Gateway(Process):
    """mainstayd with a configuration given as a dict; doors are added on free ports."""

    def __init__(self, directory, config, env=None, log_level="info", log_format="text", through=()):
        """`through`: a command that becomes the daemon, such as prlimit."""
        self.directory = pathlib.Path(directory)
        self.http, self.zmq_port, self.admin, self.metrics_port = free_ports(4)
        self.config = {"node": {"name": "test"}, "doors": {
            "http": {"listen": f"127.0.0.1:{self.http}"}, "zmq": {"listen": f"tcp://127.0.0.1:{self.zmq_port}"},
            "admin": {"listen": f"127.0.0.1:{self.admin}"}, "metrics": {"listen": f"127.0.0.1:{self.metrics_port}"}}, **config}
        self.file = self.directory / f"gateway-{self.http}.yaml"
        self.write(self.config)
        super().__init__([*through, BIN / "mainstayd", "--config", self.file, "--log-level", log_level, "--log-format", log_format], self.directory / f"gateway-{self.http}.log",
                         env={**os.environ, **(env or {})})
        wait_for(self.ready, 20)

    def write(self, config):
        self.file.write_text(yaml.safe_dump(config, sort_keys=False))

    def ready(self):
        """the gateway is ready"""
        assert self.alive(), self.log()
        try:
            return http_json(self.metrics_port, "GET", "/readyz")[0] == 200
        except OSError:
            return False

    @property
    def zmq_url(self):
        return f"tcp://127.0.0.1:{self.zmq_port}"

    def ctl(self, *words, check=True):
        done = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{self.admin}", "--json", *words],
                              capture_output=True, text=True, timeout=60 * SLOW)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        if done.returncode == 2:
            return {"error": done.stderr}  # nobody answers there
        return json.loads(done.stdout or done.stderr)

    def status(self):
        return self.ctl("status")

    def at_rest(self):
        """nothing in flight, no reservation, no waiter"""
        s = self.status()
        return s if s["in_flight"] == s["reservations"] == s["waiting"] == 0 else None

    def restarts(self, actor):
        """as the supervisor counts them: the metrics cannot be asked while theirs is started again"""
        return next(r["restarts"] for r in self.ctl("actors")["actors"] if r["name"] == actor)

    def metrics(self):
        """name{labels} -> value"""
        status, _, text = http_json(self.metrics_port, "GET", "/metrics")
        assert status == 200
        out = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                out[name] = float(value)
        return out

    def metric(self, name, **labels):
        """sum of the series of that name whose labels include these"""
        total = 0.0
        for key, value in self.metrics().items():
            base, _, rest = key.partition("{")
            if base == name and all(f'{k}="{v}"' in rest for k, v in labels.items()):
                total += value
        return total

    def chat(self, question, stream=False, headers=None, timeout=60, **fields):
        """An answer over HTTP."""
        body = chat_body(question, stream, **fields)
        c = http.client.HTTPConnection("127.0.0.1", self.http, timeout=timeout * SLOW)
        try:
            c.request("POST", "/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json", **(headers or {})})
            r = c.getresponse()
            got = {k.lower(): v for k, v in r.getheaders()}
            if not got.get("content-type", "").startswith("text/event-stream"):
                return Answer(r.status, got, json.loads(r.read()))
            return read_sse(r, got)
        finally:
            c.close()


class Beside:
    """Healthy callers beside an attack, each request on a connection of its own: at least one while it goes on, and one after it."""

    def __init__(self, gateway, **options):
        self.gateway, self.options = gateway, options
        self.answers, self.slowest, self.over = [], 0.0, threading.Event()
        self.thread = threading.Thread(target=self.go_on)

    def ask(self):
        began, question = time.monotonic(), f"healthy {len(self.answers)}"
        try:
            answer = self.gateway.chat(question, stream=len(self.answers) % 2 == 1, **self.options)
            self.answers.append(answer if not answer.complete(question) else None)
        except Exception as e:  # told by __exit__, in the test's own thread
            self.answers.append(e)
        self.slowest = max(self.slowest, time.monotonic() - began)

    def go_on(self):
        while not self.over.wait(0.01):
            self.ask()

    def __enter__(self):
        self.ask()
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.thread.join()
        self.ask()
        if kind is None:
            assert self.gateway.alive(), self.gateway.log()
            assert not any(self.answers), [a for a in self.answers if a]


def install_from_npm(folder):
    """What package-lock.json there names, unless node_modules holds it already: npm writes its own record of that last."""
    def installed():
        try:
            wanted = json.loads((folder / "package-lock.json").read_text())["packages"]
            present = json.loads((folder / "node_modules/.package-lock.json").read_text())["packages"]
        except (OSError, ValueError, KeyError):
            return False
        def needed(packages):  # what is optional is for other systems
            return {k: v.get("integrity") for k, v in packages.items() if k and not v.get("optional")}
        return needed(wanted) == needed(present)

    if not installed():
        npm = shutil.which("npm")
        assert npm, "npm is needed: apt-get install nodejs npm"
        done = subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0 and installed(), done.stdout + done.stderr


def resident_mib(process):
    """What a process holds in memory."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def chat_body(question, stream=False, model="smart", **fields):
    return {"model": model, "messages": [{"role": "user", "content": question}], **({"stream": True} if stream else {}), **fields}


class Answer:
    """What a caller got: status, labels, the parsed body or the events of a stream."""

    def __init__(self, status, headers, body=None, events=None, done=False, comments=(), end=None):
        self.status, self.headers, self.body, self.events, self.done, self.comments, self.end = status, headers, body, events, done, comments, end

    @property
    def text(self):
        if self.events is None:
            return self.body["choices"][0]["message"]["content"]
        return "".join((c.get("delta") or {}).get("content") or "" for e in self.events for c in e.get("choices") or [] if c["index"] == 0)

    @property
    def error(self):
        if self.events is not None:
            return next((e["error"] for e in self.events if "error" in e), None)
        return (self.body or {}).get("error")

    @property
    def source(self):
        return self.headers.get("x-mainstay-source")

    @property
    def provider(self):
        return self.headers.get("x-mainstay-provider")

    @property
    def attempts(self):
        return int(self.headers.get("x-mainstay-attempts", -1))

    def roles(self):
        return sum("role" in (c.get("delta") or {}) for e in self.events for c in e.get("choices") or [])

    def complete(self, question, words=60):
        return self.status == 200 and not self.error and self.text == expected_text(question, words) and (self.events is None or self.done)

    def __repr__(self):
        return f"Answer({self.status}, {self.headers}, body={self.body}, events={self.events and len(self.events)}, done={self.done}, error={self.error})"


def read_sse(response, headers):
    events, comments, done = [], [], False
    for line in response:
        line = line.rstrip(b"\r\n")
        if line.startswith(b":"):
            comments.append(line[1:].strip().decode())
        elif line == b"data: [DONE]":
            done = True
        elif line.startswith(b"data: "):
            events.append(json.loads(line[6:]))
    return Answer(response.status, headers, events=events, done=done, comments=comments)


class Dealer:
    """A caller at the message-queue door."""
    context = zmq.Context.instance()

    def __init__(self, url, kind=zmq.DEALER, timeout=60):
        self.socket = self.context.socket(kind)
        self.socket.linger = 0
        self.socket.rcvtimeo = int(timeout * SLOW * 1000)
        self.socket.connect(url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, request_id, verb, body=b"", headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.socket.send_multipart([request_id, verb, json.dumps(headers or {}).encode(), data])

    def receive(self):
        """id, kind, headers, body"""
        request_id, kind, headers, body = self.socket.recv_multipart()
        return request_id, kind.decode(), json.loads(headers), json.loads(body) if body else None

    def chat(self, question, stream=False, headers=None, request_id=b"1", **fields):
        self.send(request_id, b"chat", chat_body(question, stream, **fields), headers)
        return self.answer()

    def answer(self):
        events, first = [], None
        while True:
            _, kind, headers, body = self.receive()
            if kind == "chunk":
                first = first or headers
                events.append(body)
            elif kind == "reply":
                return Answer(headers["status"], headers, body)
            elif kind == "accepted":
                continue  # a durable request: the answer follows
            elif kind == "end":
                return Answer(headers.get("status", 200), first or headers, events=events, done=True, end=(headers, body))
            elif kind == "error" and first is None:
                return Answer(headers["status"], headers, body)
            elif kind == "error":
                return Answer(headers["status"], first, events=events + [body])
            else:
                raise AssertionError(f"unexpected kind {kind}")


def provider(name, mock, keys=("k1",), **more):
    """A provider's part of the configuration; keys are names, or dicts with limits."""
    out = []
    for k in keys:
        k = dict(k) if isinstance(k, dict) else {"name": k}
        k["name"] = f"{name}-{k['name']}"
        k.setdefault("secret", "secret-" + k["name"])
        out.append(k)
    return {"name": name, "base_url": mock.url, "keys": out, **more}


def model(name, *targets, fallbacks=(), **more):
    split = [dict(zip(("provider", "model"), t.split("/"))) for t in targets]
    back = [dict(zip(("provider", "model"), f.split("/"))) if "/" in f else f for f in fallbacks]
    return {"name": name, "targets": split, **({"fallbacks": back} if back else {}), **more}


FAST = {"base_delay": "50ms", "error_delays": {"rate_limit": "100ms", "server_error": "50ms", "network_error": "50ms"}}
