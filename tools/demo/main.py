"""Starts Mainstay as a newcomer would: the mock providers where there is no real key, the daemon with config/mainstay.yaml,
a first question. With --demo it then breaks one provider after the other and shows what callers notice; with --cluster N
there are so many nodes that know each other. Run by tools/run."""
import atexit
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("MAINSTAY_BIN", ROOT / "build" / "release" / "bin"))
MOCK = pathlib.Path(os.environ.get("MAINSTAY_MOCK", BIN / "mainstay-mock"))
SHOWN = BIN.relative_to(ROOT) if BIN.is_relative_to(ROOT) else BIN  # to a reader
CONFIG = ROOT / "config" / "mainstay.yaml"
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY")
HTTP = os.environ.setdefault("MAINSTAY_HTTP", "127.0.0.1:8080")
ZMQ = os.environ.setdefault("MAINSTAY_ZMQ", "tcp://127.0.0.1:5555")
ADMIN = os.environ.setdefault("MAINSTAY_ADMIN", "127.0.0.1:4242")
METRICS = os.environ.setdefault("MAINSTAY_METRICS", "127.0.0.1:9464")
os.environ.setdefault("MAINSTAY_PRICES", str(ROOT / "config" / "prices.json"))


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(35)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


class Mock:
    """One embedded provider, a process of its own."""

    def __init__(self, name):
        self.name, self.address = name, "127.0.0.1:0"
        self.start()
        os.environ["MAINSTAY_" + name.upper().replace("-", "_") + "_URL"] = self.base + "/v1"

    def start(self):
        """Again at the same address, once it has one."""
        # In a group of its own: after Ctrl-C what runs is finished first, and needs it.
        self.process = subprocess.Popen([MOCK, "--name", self.name, "--listen", self.address], stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)
        atexit.register(stop, self.process)
        self.address = self.process.stdout.readline().split()[-1]
        self.base = "http://" + self.address

    def script(self, rules):
        request = urllib.request.Request(self.base + "/mock/script", json.dumps(rules).encode(), method="PUT")
        urllib.request.urlopen(request, timeout=5).read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Daemon:
    def __init__(self, config, quiet):
        self.config, self.log = config, open(BIN / "mainstayd.log", "w") if quiet else None
        self.start()

    def start(self):
        self.process = subprocess.Popen([BIN / "mainstayd", "--config", self.config], stderr=self.log)
        atexit.register(stop, self.process)
        for _ in range(200):
            if self.process.poll() is not None:
                if self.log:
                    sys.stderr.write(pathlib.Path(self.log.name).read_text())
                sys.exit(f"mainstayd ended with code {self.process.returncode}")
            try:
                urllib.request.urlopen(f"http://{METRICS}/readyz", timeout=1).read()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit("mainstayd did not become ready")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def first_question():
    body = {"model": "smart", "messages": [{"role": "user", "content": "Say hello to a newcomer."}], "max_tokens": 30}
    request = urllib.request.Request(f"http://{HTTP}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = json.load(answer)["choices"][0]["message"]["content"]
            labels = ", ".join(f"{k[11:]}: {v}" for k, v in answer.headers.items() if k.startswith("x-mainstay-"))
    except urllib.error.HTTPError as e:
        sys.exit(f"the first question was answered with {e.code}: {e.read().decode()}")
    print(f"asked:    {body['messages'][0]['content']}\nanswered: {text}\nlabels:   {labels}\n")


def main():
    for s in (signal.SIGINT, signal.SIGTERM):  # also where a shell that started this behind itself had it ignore the first
        signal.signal(s, signal.default_int_handler)
    demo = sys.argv[1:] == ["--demo"]
    mocks = {}
    if demo or not any(os.environ.get(k) for k in KEYS):
        for k in KEYS if demo else ():
            os.environ.pop(k, None)
        mocks = {name: Mock(name) for name in ("mock-a", "mock-b")}
        print("no provider key in use: two mock providers answer" if not demo else "demo: two mock providers, mock-a and its fallback mock-b")
    else:
        print("providers with a key in the environment: " + ", ".join(k.split("_")[0].lower() for k in KEYS if os.environ.get(k)))
    if demo:
        sys.exit(0 if show(mocks) else 1)
    if sys.argv[1:2] == ["--cluster"]:
        import nodes
        return nodes.run(int(sys.argv[2]), CONFIG.read_text(), BIN, SHOWN)
    daemon = Daemon(CONFIG, quiet=False).process
    first_question()
    print(f"Mainstay is up. Point an OpenAI SDK at http://{HTTP}/v1, a ZeroMQ DEALER at {ZMQ};\n"
          f"look inside with {SHOWN}/mainstayctl top, or at http://{METRICS}/; Ctrl-C ends it.")
    try:
        sys.exit(daemon.wait())
    except KeyboardInterrupt:
        print("\nending: what runs is finished first")
        sys.exit(stop(daemon))


def show(mocks):
    """The demo: the shipped configuration, and what its last act needs beside it."""
    from acts import MORE_CONFIG, play
    with tempfile.TemporaryDirectory(prefix="mainstay-demo-") as directory:
        config = pathlib.Path(directory) / "demo.yaml"
        config.write_text(CONFIG.read_text() + MORE_CONFIG.format(journal=json.dumps(f"{directory}/journal.db")))
        daemon = Daemon(config, quiet=True)
        first_question()
        ended_well = play(HTTP, ZMQ, ADMIN, mocks, daemon, BIN)
        return stop(daemon.process) == 0 and ended_well


if __name__ == "__main__":
    main()
