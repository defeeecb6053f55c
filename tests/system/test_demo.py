"""The demo a newcomer sees first: it must end well and show what it promises."""
import os
import pathlib
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
