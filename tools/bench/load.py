"""The load: one mainstay-load per measurement, and what it saw. Anything but complete answers with status 200 is Invalid."""
import itertools
import json
import os
import pathlib
import subprocess

from programs import BIN, CLIENT_KEY, SLOW, Invalid

LOAD = pathlib.Path(os.environ.get("MAINSTAY_LOAD", BIN / "mainstay-load"))
numbers = itertools.count()


class Load:
    """Under way from the moment it exists. `door`: (option, address), or those of two doors one after the other."""

    def __init__(self, directory, door, model, connections=1, seconds=None, requests=None, stream=0, prompt_bytes=100, same=False, rate=None, words=None):
        self.report_file = directory / f"load-{next(numbers)}.json"
        pace = ["--connections", connections] + (["--rate", rate] if rate else [])
        command = [LOAD, *door, *pace, "--model", model, "--prompt-bytes", prompt_bytes, "--key", CLIENT_KEY, "--stream", float(stream),
                   "--same" if same else "--unique", "--timeout", f"{int(120 * SLOW)}s", "--quiet", "--seed", 1, "--json", self.report_file]
        command += ["--duration", f"{round(seconds * 1000)}ms"] if seconds else []
        command += ["--requests", requests] if requests else []
        command += ["--verify", "--words", words] if words else []
        self.what = f"{model} through {' '.join(door[1::2])}"
        self.popen = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def report(self):
        """Waits for its end."""
        said, _ = self.popen.communicate()
        try:
            seen = json.loads(self.report_file.read_text())
        except (OSError, ValueError):
            raise Invalid(f"the load generator failed ({self.popen.returncode}) at {self.what}: {said}") from None
        if not seen["requests"] or seen["ok"] != seen["requests"] or seen.get("unfinished") or seen.get("surplus"):
            raise Invalid(f"{self.what}: {seen['ok']} of {seen['requests']} answered completely; errors {seen['errors']}, unfinished "
                          f"{seen.get('unfinished')}, surplus {seen.get('surplus')}, {seen.get('complaints')}")
        return seen

    def stop(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()


def run(*args, **options):
    load = Load(*args, **options)
    try:
        return load.report()
    finally:
        load.stop()
