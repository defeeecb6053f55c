"""The demo a newcomer sees first: it must end well and show what it promises."""
import os
import pathlib
import re
import signal
import subprocess

from harness import BIN, SLOW, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_demo_answers_every_question(tmp_path):
    env = {**os.environ, "MAINSTAY_BIN": str(BIN), "MAINSTAY_HTTP": f"127.0.0.1:{free_port()}", "MAINSTAY_ZMQ": f"tcp://127.0.0.1:{free_port()}",
           "MAINSTAY_ADMIN": f"127.0.0.1:{free_port()}", "MAINSTAY_METRICS": f"127.0.0.1:{free_port()}"}
    done = subprocess.run(["/usr/bin/python3", ROOT / "tools/demo/main.py", "--demo"], capture_output=True, text=True, env=env, timeout=120 * SLOW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "34 questions, 31 answered completely" in done.stdout and "4 of 4 durable ones collected" in done.stdout, done.stdout
    for source in ("primary", "backup", "fallback", "cache", "canned"):
        assert source in done.stdout


def test_a_cluster_to_look_at_comes_up_and_ends_with_the_one_who_started_it(tmp_path):
    env = {**os.environ, "MAINSTAY_BIN": str(BIN), "PYTHONUNBUFFERED": "1"}
    shown = subprocess.Popen(["/usr/bin/python3", ROOT / "tools/demo/main.py", "--cluster", "3"], stdout=subprocess.PIPE, text=True, env=env)
    try:
        text = ""
        while "Ctrl-C ends all" not in text:
            line = shown.stdout.readline()
            assert line, text
            text += line
        command = re.search(r"look at them with +(.*)", text)[1].split()
        nodes = subprocess.run([BIN / "mainstayctl", *command[1:]], capture_output=True, text=True, timeout=30 * SLOW)
        assert nodes.returncode == 0 and "beta" in nodes.stdout and "gamma" in nodes.stdout, nodes.stdout + nodes.stderr
        pids = [int(p) for p in re.search(r"process ids: ([0-9, ]+)", text)[1].split(",")]
        shown.send_signal(signal.SIGINT)
        assert shown.wait(40 * SLOW) == 0
        assert not any(pathlib.Path(f"/proc/{p}").exists() for p in pids)
    finally:
        if shown.poll() is None:
            shown.send_signal(signal.SIGINT)
            shown.wait(40 * SLOW)
