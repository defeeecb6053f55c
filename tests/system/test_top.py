"""`mainstayctl top` on a terminal of its own: pyte keeps the screen that it draws."""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time

import pyte
import pytest

from harness import BIN, FAST, Process, model, provider, wait_for

BROKEN = {"failure_threshold": 3, "recovery_timeout": "600s"}


class Terminal:
    def __init__(self, gateway, columns=80, rows=24, term="xterm-256color"):
        self.master, self.slave = pty.openpty()
        self.raw, self.over, self.guard = b"", threading.Event(), threading.Lock()
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.size(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", "top"], stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                        env={**os.environ, "TERM": term, "LANG": "C"}, start_new_session=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def size(self, columns, rows):
        with self.guard:
            fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            self.screen.resize(rows, columns)

    def read(self):
        while not self.over.is_set():
            if not select.select([self.master], [], [], 0.05)[0]:
                continue
            data = os.read(self.master, 65536)
            with self.guard:
                self.raw += data
                self.stream.feed(data)

    def lines(self):
        with self.guard:
            return list(self.screen.display)

    def says(self, words, seconds=10, no=False):
        def said():
            return (words in "\n".join(self.lines())) != no
        said.__doc__ = f"the screen {'no longer ' if no else ''}says {words}"
        try:
            wait_for(said, seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}\n" + "\n".join(self.lines())) from None

    def press(self, key):
        os.write(self.master, key)

    def end(self, key=b"q"):
        """the exit code, and whether the terminal is what it was"""
        began = time.monotonic()
        if key:
            self.press(key)
        code = self.process.wait(10)
        took = time.monotonic() - began
        wait_for(lambda: not select.select([self.master], [], [], 0)[0])
        same = termios.tcgetattr(self.slave) == self.before
        self.close()
        return code, same and self.raw.rstrip().endswith(self.left), took

    left = b"\x1b[?1049l\x1b[23;0;0t\r\x1b[?1l\x1b>"  # xterm's: from the second screen, with the keys as they were

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.over.set()
        if self.reader.is_alive():
            self.reader.join()
            os.close(self.master)
            os.close(self.slave)


@pytest.fixture
def house(start):
    class House:
        def __init__(self):
            self.a, self.b, self.terminals = start.mock("a"), start.mock("b"), []
            self.gateway = start.gateway({
                "providers": [provider("a", self.a, ({"name": "k", "rpm": 1000},), breaker=BROKEN), provider("b", self.b)], "models": [model("smart", "a/m", fallbacks=["b/m"])],
                "retry": {**FAST, "max_retries": 0}, "recovery": {"probe": "600s"}})

        def top(self, *args, **more):
            self.terminals.append(Terminal(self.gateway, *args, **more))
            return self.terminals[-1]

    it = House()
    yield it
    for t in it.terminals:
        t.close()


def test_it_shows_the_node_as_it_is_and_leaves_the_terminal_as_it_was(house):
    for i in range(5):
        assert house.gateway.chat(f"question {i}").status == 200
    top = house.top()
    for words in ("test  ready", "all is well", "ok 100%", "primary 100%", "PROVIDER", "a-k", "rpm", "usable"):
        top.says(words)
    house.a.kill()
    for i in range(4):
        house.gateway.chat(f"other {i}")
    top.says("a is left alone, 3 failures in a row", 3)
    top.says("mainstayctl breakers a auto")
    top.says("fallback")
    top.size(40, 20)
    top.process.send_signal(signal.SIGWINCH)

    def fits():
        """it fills the smaller screen"""
        lines = top.lines()
        return len(lines) == 20 and "a is left alone" in lines[1] and "UTC" in lines[0]
    wait_for(fits)
    assert top.end()[:2] == (0, True), top.raw[-200:]


def test_a_node_that_does_not_answer_is_said_so_and_comes_back(house, start, tmp_path):
    top = house.top()
    top.says("all is well")
    house.gateway.signal(signal.SIGSTOP)
    top.says("no answer for", 6)
    top.says("PROVIDER")  # as it was
    house.gateway.signal(signal.SIGCONT)
    top.says("no answer for", no=True)
    house.gateway.stop()
    top.says("no answer for", 6)
    start.keep(Process([BIN / "mainstayd", "--config", house.gateway.file], tmp_path / "again.log"))
    top.says("no answer for", 20, no=True)
    top.says("ready")
    for arrow in (b"\x1bOA", b"\x1b[A", b"\x1b[99~"):  # begins with an escape, and is none
        top.press(arrow)
    at = top.lines()[0]
    wait_for(lambda: top.lines()[0] != at)  # the clock goes on
    code, same, took = top.end(b"\x1b")
    assert (code, same) == (0, True) and took < 3, top.raw[-200:]


def test_a_signal_leaves_the_terminal_as_it_was_too(house):
    top = house.top()
    top.says("all is well")
    top.process.terminate()
    assert top.end(None)[1]


def test_without_a_terminal_or_as_json_it_is_one_sample(house):
    command = [BIN / "mainstayctl", "--node", f"127.0.0.1:{house.gateway.admin}", "top"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "all is well" in done.stdout and "\x1b" not in done.stdout and "PROVIDER" in done.stdout
    sample = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=30).stdout)
    assert sample["node"] == "test" and [p["name"] for p in sample["providers"]] == ["a", "b"]
    top = house.top(term="no-such-terminal")
    top.says("all is well")
    assert top.process.wait(10) == 0
