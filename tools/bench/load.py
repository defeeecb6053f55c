"""The load: one generator process per measurement, and what it saw. Anything but complete answers with status 200 is Invalid."""
import json
import pathlib
import shutil
import subprocess

from programs import CLIENT_KEY, SLOW, Invalid

SCRIPT = pathlib.Path(__file__).with_name("wrk.lua")


def prompt(size):
    words = "the lake is calm and the boats are moored before the storm "
    return (words * (size // len(words) + 1))[:size]


def body(model, prompt_bytes, **more):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": prompt(prompt_bytes)}], **more})


def closed_loop(port, directory, model, connections, seconds, prompt_bytes=100):
    """Requests back to back on so many connections. Returns requests, seconds, p50_us, p99_us."""
    program = shutil.which("wrk")
    if not program:
        raise Invalid("wrk is missing")
    file = directory / f"body-{model}-{prompt_bytes}.json"
    file.write_text(body(model, prompt_bytes))
    done = subprocess.run([program, "-t", "1", "-c", str(connections), "-d", str(seconds), "--timeout", "30s", "-s", SCRIPT,
                           f"http://127.0.0.1:{port}/v1/chat/completions", "--", file, CLIENT_KEY],
                          capture_output=True, text=True, timeout=(seconds + 60) * SLOW)
    if done.returncode:
        raise Invalid(f"the load generator failed: {done.stderr or done.stdout}")
    seen = json.loads(done.stdout.splitlines()[-1])
    if seen["errors"] or not seen["requests"]:
        raise Invalid(f"{seen['errors']} of {seen['requests']} requests failed at {connections} connections")
    return seen
