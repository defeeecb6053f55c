"""The console at a terminal: completion, history and its end; and a script's lines, which are read as they are."""
import os
import pty
import re
import select
import subprocess

import pytest

from harness import BIN, SLOW, model, provider, wait_for

CONFIG = lambda mock: {"providers": [provider("a", mock, ("first", "second"))], "models": [model("smart", "a/m")], "cache": {"ttl": "1h"}}


class Terminal:
    """mainstayctl on a pseudo-terminal"""

    def __init__(self, gateway, home):
        self.master, slave = pty.openpty()
        env = {**os.environ, "HOME": str(home), "TERM": "vt100", "COLUMNS": "200"}
        env.pop("XDG_STATE_HOME", None)
        self.popen = subprocess.Popen([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}"], stdin=slave, stdout=slave, stderr=slave, env=env)
        os.close(slave)
        self.text = ""

    def type(self, keys):
        os.write(self.master, keys.encode())

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            try:
                piece = os.read(self.master, 4096)
            except OSError:  # how a terminal says that nobody writes any more
                return
            self.text += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", piece.decode(errors="replace"))

    def sees(self, words, seconds=10):
        """once; what came before it is forgotten"""
        def seen():
            self.read()
            return words in self.text
        seen.__doc__ = f"{words!r} on the terminal"
        wait_for(seen, seconds)
        self.text = self.text[self.text.index(words) + len(words):]

    def end(self):
        code = self.popen.wait(20 * SLOW)
        os.close(self.master)
        return code


@pytest.fixture
def gateway(start):
    return start.gateway(CONFIG(start.mock("a")))


def test_a_tab_completes_commands_names_and_words(gateway, tmp_path):
    t = Terminal(gateway, tmp_path)
    t.sees("mainstay> ")
    for typed, shown in (("stat\t\n", "in flight"), ("keys a-s\tdis\t\n", "disabled"), ("cost --b\tcl\t\n", "unpriced calls"), ("drill st\t\n", "no drill is under way"),
                         ("drill cr\tcache_\t\n", "crash cache_actor")):
        t.type(typed)
        t.sees(shown)
        t.sees("mainstay> ")
    t.type("exit\n")
    assert t.end() == 0
    assert {k["name"]: k["state"] for k in gateway.ctl("keys")["keys"]} == {"a-first": "healthy", "a-second": "disabled"}


def test_history_outlives_the_console_and_is_its_owners(gateway, tmp_path):
    t = Terminal(gateway, tmp_path)
    t.sees("mainstay> ")
    t.type("queue\n")
    t.sees("reservations")
    t.sees("mainstay> ")
    t.type("\x04")  # Ctrl-D
    assert t.end() == 0
    file = tmp_path / ".local/state/mainstay/history"
    assert "queue" in file.read_text() and file.stat().st_mode & 0o077 == 0
    again = Terminal(gateway, tmp_path)
    again.sees("mainstay> ")
    again.type("\x1b[A")  # up
    again.sees("queue")
    again.type("\n")
    again.sees("reservations")
    again.type("exit\n")
    assert again.end() == 0


def test_a_node_that_goes_is_said_and_the_console_stays(gateway, tmp_path):
    t = Terminal(gateway, tmp_path)
    t.sees("mainstay> ")
    gateway.kill()
    t.type("status\n")
    t.sees("no answer from the node", 30)
    t.sees("mainstay> ")
    t.type("quit\n")
    assert t.end() == 2


def test_a_script_reads_no_prompt_and_has_the_last_commands_code(gateway, tmp_path):
    run = lambda lines: subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}"], input=lines, capture_output=True, text=True, timeout=60,
                                       env={**os.environ, "HOME": str(tmp_path)})
    done = run("queue\n\nnonsense\n")
    assert done.returncode == 1 and "reservations" in done.stdout and "mainstay>" not in done.stdout
    done = run("nonsense\nqueue\nexit\nstatus\n")
    assert done.returncode == 0 and "in flight" not in done.stdout
    assert not (tmp_path / ".local").exists()
