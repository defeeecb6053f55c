"""The demo a newcomer sees first: it must end well and show what it promises."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess

import pytest

from harness import BIN, SLOW, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]


def own_doors():
    return {**os.environ, "MAINSTAY_BIN": str(BIN), "MAINSTAY_HTTP": f"127.0.0.1:{free_port()}", "MAINSTAY_ZMQ": f"tcp://127.0.0.1:{free_port()}",
            "MAINSTAY_ADMIN": f"127.0.0.1:{free_port()}", "MAINSTAY_METRICS": f"127.0.0.1:{free_port()}", "PYTHONUNBUFFERED": "1"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_what_a_newcomer_started_ends_with_it(how):
    shown = subprocess.Popen(["/usr/bin/python3", ROOT / "tools/demo/main.py"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=own_doors())
    started = []
    try:
        text = read_until(shown, "Ctrl-C ends it")
        started = [int(p) for p in pathlib.Path(f"/proc/{shown.pid}/task/{shown.pid}/children").read_text().split()]
        assert "answered: echo:" in text and len(started) == 3, (text, started)
        shown.send_signal(how)
        assert shown.wait(40 * SLOW) == 0 and gone(started)
    finally:
        end(shown)
        for pid in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def end(shown):
    while shown.poll() is None:
        shown.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            shown.wait(5)


def test_the_demo_answers_every_question(tmp_path):
    done = subprocess.run(["/usr/bin/python3", ROOT / "tools/demo/main.py", "--demo"], capture_output=True, text=True, env=own_doors(), timeout=120 * SLOW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "34 questions, 31 answered completely" in done.stdout and "4 of 4 durable ones collected" in done.stdout, done.stdout
    for source in ("primary", "backup", "fallback", "cache", "canned"):
        assert source in done.stdout


@contextlib.contextmanager
def cluster_shown(count):
    """`tools/run --cluster`, what it said once all nodes are there, and their process ids"""
    env = {**os.environ, "MAINSTAY_BIN": str(BIN), "PYTHONUNBUFFERED": "1"}
    shown = subprocess.Popen(["/usr/bin/python3", ROOT / "tools/demo/main.py", "--cluster", str(count)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
    try:
        text = read_until(shown, "Ctrl-C ends all")
        yield shown, text, [int(p) for p in re.search(r"process ids: ([0-9, ]+)", text)[1].split(",")]
    finally:
        end(shown)


def read_until(shown, words):
    text = ""
    while words not in text:
        line = shown.stdout.readline()
        assert line, text
        text += line
    return text


def gone(pids):
    return not any(pathlib.Path(f"/proc/{p}").exists() for p in pids)


def test_a_cluster_to_look_at_comes_up_and_ends_with_the_one_who_started_it():
    with cluster_shown(3) as (shown, text, pids):
        command = re.search(r"look at them with +(.*)", text)[1].split()
        nodes = subprocess.run([BIN / "mainstayctl", *command[1:]], capture_output=True, text=True, timeout=30 * SLOW)
        assert nodes.returncode == 0 and "beta" in nodes.stdout and "gamma" in nodes.stdout, nodes.stdout + nodes.stderr
        shown.send_signal(signal.SIGINT)
        assert shown.wait(40 * SLOW) == 0
        assert gone(pids)


def test_a_second_ctrl_c_ends_a_cluster_at_once_and_says_so_plainly():
    with cluster_shown(2) as (shown, _, pids):
        os.kill(pids[0], signal.SIGSTOP)  # it would not end by itself
        shown.send_signal(signal.SIGINT)
        read_until(shown, "what runs is finished first")
        shown.send_signal(signal.SIGINT)
        rest = shown.communicate(timeout=10 * SLOW)[0]
        assert (shown.returncode, rest) == (0, "ending at once: what runs is not finished\n")
        assert gone(pids)
