"""The demo's acts: requests through both doors while a key is limited, a provider dies in the middle of its answers, then all of them, and at
last the node itself; and nobody is left without an answer."""
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import zmq

COLUMNS = ("#", "door", "kind", "answer", "source", "provider", "attempts", "ms")
WIDTHS = (3, 5, 7, 34, 9, 9, 9, 6)
# Beside config/mainstay.yaml: sentences for when nobody can answer, and a file for what must not get lost.
MORE_CONFIG = """
degradation:
  canned:
    general: "We cannot answer right now. Please try again in a few minutes."
    greeting: "Hello! I will be with you in a moment."
    urgent: "We cannot answer right now. If somebody is in danger, call 112."
journal: {{ path: {journal} }}
"""
COLOURS = {"canned": "\033[35m", "accepted": "\033[35m", "primary": "\033[32m", "backup": "\033[33m", "fallback": "\033[33m", "cache": "\033[36m", "FAILED": "\033[31m"}


class Callers:
    """Sends questions and draws one line per answer."""

    def __init__(self, http, mq):
        self.http, self.mq = http, mq
        self.rows, self.lock = [], threading.Lock()
        self.context = zmq.Context()

    def ask(self, question, door, stream):
        number = None
        started = time.monotonic()
        try:
            text, labels = (self.over_http if door == "http" else self.over_zmq)(question, stream)
        except Exception as e:  # a demo shows what went wrong, whatever it was
            text, labels = str(e), {"x-mainstay-source": "FAILED"}
        took = int((time.monotonic() - started) * 1000)
        if not complete(text, question) and labels.get("x-mainstay-source") != "canned":
            labels["x-mainstay-source"] = "FAILED"
        self.note(door, "stream" if stream else "plain", text, labels, took)

    def note(self, door, kind, text, labels, took):
        with self.lock:
            row = (len(self.rows) + 1, door, kind, text[:33], labels.get("x-mainstay-source", ""),
                   labels.get("x-mainstay-provider", "-"), labels.get("x-mainstay-attempts", "-"), took)
            self.rows.append(row)
            draw(row)

    def durable(self, verb, name, question=None):
        """`chat`: until it is accepted, which means that it is on disk. `collect`: until its answer is there."""
        started = time.monotonic()
        socket = self.context.socket(zmq.DEALER)
        socket.linger = 0
        socket.rcvtimeo = 60000
        socket.connect(self.mq)
        try:
            body = self.body(question, False) if verb == "chat" else b""
            socket.send_multipart([name.encode(), verb.encode(), b'{"durable": true}' if verb == "chat" else b"{}", body])
            kind = b"accepted"
            while kind == b"accepted":
                _, kind, headers, body = socket.recv_multipart()
                if kind == b"accepted" and verb == "chat":
                    return self.note("zmq", "durable", question, {"x-mainstay-source": "accepted"}, int((time.monotonic() - started) * 1000))
            labels = json.loads(headers)
            text = json.loads(body)["choices"][0]["message"]["content"] if kind == b"reply" else body.decode()
            if not complete(text, question):
                labels["x-mainstay-source"] = "FAILED"
            self.note("zmq", "collect", text, labels, int((time.monotonic() - started) * 1000))
        finally:
            socket.close()

    def body(self, question, stream):
        return json.dumps({"model": "smart", "stream": stream, "messages": [{"role": "user", "content": question}]}).encode()

    def over_http(self, question, stream):
        request = urllib.request.Request(f"http://{self.http}/v1/chat/completions", self.body(question, stream), {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                labels = dict(answer.headers.items())
                if not stream:
                    return json.load(answer)["choices"][0]["message"]["content"], labels
                text = ""
                for line in answer:
                    if line.startswith(b"data: ") and line.strip() != b"data: [DONE]":
                        text += delta(line[6:])
                return text, labels
        except urllib.error.HTTPError as e:
            raise RuntimeError(json.load(e)["error"]["message"]) from None

    def over_zmq(self, question, stream):
        socket = self.context.socket(zmq.DEALER)
        socket.linger = 0
        socket.rcvtimeo = 60000
        socket.connect(self.mq)
        try:
            socket.send_multipart([b"q", b"chat", b"{}", self.body(question, stream)])
            text, labels = "", {}
            while True:
                _, kind, headers, body = socket.recv_multipart()
                if kind == b"chunk":
                    labels = labels or json.loads(headers)
                    text += delta(body)
                    continue
                if kind == b"error":
                    raise RuntimeError(json.loads(body)["error"]["message"])
                labels.update(json.loads(headers))
                if kind == b"reply":
                    text = json.loads(body)["choices"][0]["message"]["content"]
                return text, labels
        finally:
            socket.close()


def complete(text, question):
    return text.startswith("echo: " + question) and len(text.split()) == 60


def delta(data):
    choices = json.loads(data).get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""


def draw(row):
    cells = [f"{str(c):<{w}}" for c, w in zip(row, WIDTHS)]
    if sys.stdout.isatty() and row[4] in COLOURS:
        cells[4] = COLOURS[row[4]] + cells[4] + "\033[0m"
    print(" ".join(cells), flush=True)


def act(*title):
    print("\n-- " + "\n   ".join(title))
    draw(COLUMNS)


def play(http, mq, admin, mocks, daemon, binaries):
    callers = Callers(http, mq)
    ways = [("http", False), ("http", True), ("zmq", False), ("zmq", True)]

    act("Act 1: all is well")
    for door, stream in ways:
        callers.ask(f"act one by {door} {'stream' if stream else 'plain'}", door, stream)

    act("Act 2: the provider limits mock-a's first key (429): the backup key answers")
    mocks["mock-a"].script([{"key": "mock-a-key-1", "status": 429, "retry_after": "30"}])
    for door, stream in ways * 2:
        callers.ask(f"act two by {door} number {len(callers.rows)}", door, stream)

    act("Act 3: mock-a is killed in the middle of its answers: mock-b finishes them")
    mocks["mock-a"].script([{"token_ms": 20}])
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(callers.ask, f"act three number {i}", *ways[i % 4]) for i in range(8)]
        time.sleep(0.6)  # half of an answer's time
        mocks["mock-a"].kill()
        for f in futures:
            f.result()

    act("Act 4: mock-a stays dead: its breaker is open, nobody waits for it; an equal question comes from the cache")
    for door, stream in ways:
        callers.ask(f"act four by {door} {'stream' if stream else 'plain'}", door, stream)
    callers.ask("act one by http plain", "http", False)
    callers.ask("act one by http plain", "zmq", True)

    print("\n-- What the node says: mainstayctl breakers")
    subprocess.run([binaries / "mainstayctl", "--node", admin, "breakers"], check=False)

    act("Act 5: mock-b dies too, nobody is left: what was asked before comes from the cache, the rest gets a sentence that says so,",
        "and durable requests are on disk before they are accepted")
    mocks["mock-b"].kill()
    callers.ask("act one by http plain", "http", False)
    for question, way in zip(("Hello!", "Can you tell me more about act five?", "URGENT: is anybody there?"), ways):
        callers.ask(question, *way)
    durable = {f"durable-{i}": f"act five, durable number {i}" for i in range(1, 5)}
    for name, question in durable.items():
        callers.durable("chat", name, question)

    act("Act 6: the node is killed (SIGKILL) and started again, and the providers come back: every durable request has its answer")
    daemon.kill()
    for mock in mocks.values():
        mock.start()
    daemon.start()
    for name, question in durable.items():
        callers.durable("collect", name, question)

    print("\n-- What the node says: mainstayctl journal")
    subprocess.run([binaries / "mainstayctl", "--node", admin, "journal"], check=False)
    return summary(callers.rows)


def summary(rows):
    by_source = {}
    for r in rows:
        by_source[r[4]] = by_source.get(r[4], 0) + 1
    accepted, canned, failed = (by_source.pop(s, 0) for s in ("accepted", "canned", "FAILED"))
    collected = sum(r[2] == "collect" and r[4] != "FAILED" for r in rows)
    questions = len(rows) - accepted
    print(f"\n{questions} questions, {questions - canned - failed} answered completely ({', '.join(f'{n} {s}' for s, n in by_source.items())}), "
          f"{canned} with a sentence that says so while nobody could, {collected} of {accepted} durable ones collected after the kill")
    well = failed == 0 and collected == accepted
    print("One key was limited, every provider was killed, and then the node itself; "
          + ("no caller was left without an answer." if well else "SOME CALLERS WERE LEFT WITHOUT AN ANSWER."))
    return well
