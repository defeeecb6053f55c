"""The programs of one replay: mock providers that can die and come back, the daemon with a configuration of its own, and the load, of which
nobody may be lost: whoever asked was answered or was told no, rightly and once, and the daemon is at rest afterwards."""
import collections
import itertools
import json
import signal
import subprocess
import time
import urllib.request

from programs import BIN, MOCK, SLOW, Invalid, Program, answers, free_port, wait_until
from load import LOAD

numbers = itertools.count()


class Provider(Program):
    """A mock; `rules` is its script (docs/mock.md)."""

    def __init__(self, directory, name, *rules):
        self.directory, self.name, self.port = directory, name, free_port()
        self.rules = list(rules)
        self.begin()

    def begin(self):
        script = self.directory / f"{self.name}-{self.port}.json"
        script.write_text(json.dumps(self.rules))
        self.start([MOCK, "--listen", f"127.0.0.1:{self.port}", "--name", self.name, "--seed", 1, "--script", script],
                   self.directory / f"{self.name}-{self.port}.log", lambda: answers(f"http://127.0.0.1:{self.port}/mock/stats"))

    def die(self):
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/mock/{path}", timeout=60 * SLOW) as r:
            return json.load(r)

    def asked(self):
        return self.get("stats")["requests"]

    def times_asked(self):
        """How many questions came so many times: {1: …, 2: …}."""
        log = self.get("log")
        by_text = collections.Counter(entry["text"] for entry in (log["requests"] if isinstance(log, dict) else log))
        return collections.Counter(by_text.values())


def provider(mock, keys=({},), **more):
    """Its part of the daemon's configuration. The pool never is what limits; `keys` are their limits."""
    return {"name": mock.name, "base_url": f"http://127.0.0.1:{mock.port}/v1", "pool": {"connections": 2000, "per_host": 2000},
            "keys": [{"name": f"{mock.name}-{n}", "secret": f"secret-{mock.name}-{n}", **k} for n, k in enumerate(keys)], **more}


def model(*targets, fallbacks=()):
    def at(mocks):
        return [{"provider": m.name, "model": "m"} for m in mocks]
    return {"name": "smart", "targets": at(targets), **({"fallbacks": at(fallbacks)} if fallbacks else {})}


class Gateway(Program):
    name = "mainstay"

    def __init__(self, directory, providers, models, **sections):
        self.http, self.admin, self.metrics_port = (free_port() for _ in range(3))
        config = {"node": {"name": "replay"},
                  "doors": {"http": {"listen": f"127.0.0.1:{self.http}"}, "admin": {"listen": f"127.0.0.1:{self.admin}"},
                            "metrics": {"listen": f"127.0.0.1:{self.metrics_port}"}},
                  "providers": providers, "models": [models], **sections}
        file = directory / f"mainstay-{self.http}.yaml"
        file.write_text(json.dumps(config, indent=1))  # JSON is YAML
        self.start([BIN / "mainstayd", "--config", file], directory / f"mainstay-{self.http}.log",
                   lambda: answers(f"http://127.0.0.1:{self.metrics_port}/readyz"))

    def console(self, *words):
        done = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{self.admin}", "--json", *words], capture_output=True, text=True, timeout=60 * SLOW)
        if done.returncode:
            raise Invalid(f"the daemon does not answer {words}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def breaker_states(self, provider_name):
        """Of its circuits, as the metric's numbers: 0 closed, 1 half-open, 2 open."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=20 * SLOW) as r:
            lines = r.read().decode().splitlines()
        return [float(line.rpartition(" ")[2]) for line in lines if line.startswith("mainstay_breaker_state{") and f'provider="{provider_name}"' in line]

    def settle(self):
        """Everybody was answered, and nothing is held for anybody any more."""
        def rests():
            s = self.console("status")
            return s["in_flight"] == s["reservations"] == s["waiting"] == 0 and s["accepted"] == s["finished"]
        wait_until("a daemon at rest after all was answered", rests, 20)


class Load:
    """Under way from the moment it exists. Every answer is judged word by word."""

    def __init__(self, directory, gateway, *options):
        self.file = directory / f"load-{next(numbers)}.json"
        command = [LOAD, "--http", f"127.0.0.1:{gateway.http}", "--verify", "--timeout", f"{int(120 * SLOW)}s", "--seed", 1 + next(numbers), "--quiet",
                   "--json", self.file, *options]
        self.popen = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def outcome(self):
        said, _ = self.popen.communicate()
        try:
            seen = json.loads(self.file.read_text())
        except (OSError, ValueError):
            raise Invalid(f"the load generator failed ({self.popen.returncode}): {said}") from None
        whole = seen["requests"] == seen["started"] == seen["ok"] + sum(seen["errors"].values()) > 0
        told = {kind for kind, n in seen["errors"].items() if n} <= {"status"}  # no connection, no answer, or another's: somebody was lost
        if not whole or not told or seen["unfinished"] or seen["surplus"]:
            raise Invalid(f"somebody was lost: started {seen['started']}, ended {seen['requests']}, answered {seen['ok']}, errors {seen['errors']}, "
                          f"unfinished {seen['unfinished']}, surplus {seen['surplus']}: {seen['complaints']}")
        return Outcome(seen)

    def stop(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()


class Outcome:
    """What callers saw; those of several loads add up."""

    def __init__(self, *seen):
        self.calls = sum(s["requests"] for s in seen)
        self.ok = sum(s["ok"] for s in seen)
        self.failed = self.calls - self.ok
        self.seconds = max(s["seconds"] for s in seen)
        self.sources = sum((collections.Counter(s["sources"]) for s in seen), collections.Counter())
        self.timeline = seen[0]["timeline"]
        self.mean_ms = sum(s["latency_us"]["mean"] * s["ok"] for s in seen if s["ok"]) / max(1, self.ok) / 1000
        self.histogram = collections.Counter()
        for upper, count in (bucket for s in seen for bucket in s["histogram"]):
            self.histogram[upper] += count  # one bound may stand for several narrow buckets
        self.seen = seen

    def __add__(self, other):
        return Outcome(*self.seen, *other.seen)

    @property
    def share(self):
        return self.ok / self.calls

    def quantile_ms(self, q):
        """Of the answers; 0 where there was none."""
        if not self.ok:
            return 0.0
        so_far = 0
        for upper, count in sorted(self.histogram.items()):
            so_far += count
            if so_far >= q * self.ok:
                return upper / 1000
        raise Invalid("the load's histogram does not hold every answer")


class World:
    """What one replay started, ended with it."""

    def __init__(self, directory, tell):
        self.directory, self.tell, self.started = directory, tell, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in reversed(self.started):
            program.stop()

    def keep(self, program):
        self.started.append(program)
        return program

    def mock(self, name, *rules):
        return self.keep(Provider(self.directory, name, *rules))

    def gateway(self, providers, models, **sections):
        return self.keep(Gateway(self.directory, providers, models, **sections))

    def load(self, gateway, *options):
        return self.keep(Load(self.directory, gateway, *options))

    def asked(self, gateway, *options):
        out = self.load(gateway, *options).outcome()
        gateway.settle()
        return out


def ms(value):
    return f"{max(1, round(value))}ms"


def shrunk(factor):
    """The section `retry` as shipped, in a time that runs so many times faster: delays are divided, what is allowed per second is multiplied."""
    return {"base_delay": ms(1000 / factor), "max_delay": ms(60_000 / factor), "failover_wait": ms(3000 / factor), "budget": {"min_per_second": 10 * factor},
            "error_delays": {"rate_limit": ms(2000 / factor), "server_error": ms(5000 / factor), "network_error": ms(1000 / factor)}}
