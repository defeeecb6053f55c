"""The programs under measurement, each started here and ended by its id: the mock upstream, nginx as a plain reverse proxy, the daemon."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.request

from meters import process_tree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
from ports import free_port  # noqa: E402

BIN = pathlib.Path(os.environ.get("MAINSTAY_BIN", ROOT / "build" / "release" / "bin"))
MOCK = pathlib.Path(os.environ.get("MAINSTAY_MOCK", BIN / "mainstay-mock"))
SLOW = float(os.environ.get("MAINSTAY_SLOW", "1"))  # sanitizers: patience times so much
CLIENT_KEY = "bench-client-key-of-the-daemon"


class Invalid(Exception):
    """The run says nothing: something was refused, lost, or did not start."""


def wait_until(what, true, seconds=60):
    end = time.monotonic() + seconds * SLOW
    while not true():
        if time.monotonic() > end:
            raise Invalid(f"{what}: not within {seconds * SLOW:.0f} s")
        time.sleep(0.05)


class Program:
    """`door` and `streams`: where plain and streamed requests go, as options of mainstay-load."""
    name = ""

    def start(self, command, log, ready):
        self.log = pathlib.Path(log)
        with open(log, "ab") as out:
            self.popen = subprocess.Popen([str(c) for c in command], stdout=out, stderr=out)
        end = time.monotonic() + 20 * SLOW
        while not ready():
            if self.popen.poll() is not None or time.monotonic() > end:
                self.stop()
                raise Invalid(f"{command[0]} did not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        self.pids = process_tree(self.popen.pid)

    def alive(self):
        return self.popen.poll() is None

    def stop(self):
        if self.alive():
            self.popen.terminate()
            try:
                self.popen.wait(40 * SLOW)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        return self.popen.wait()


def answers(url):
    asked = urllib.request.Request(url, headers={"authorization": f"Bearer {CLIENT_KEY}"})
    try:
        with urllib.request.urlopen(asked, timeout=2 * SLOW) as r:
            return r.status == 200
    except OSError:
        return False


class Mock(Program):
    name = "mock"

    def __init__(self, directory, models, faults=()):
        self.port = free_port()
        self.door = self.streams = ("--http", f"127.0.0.1:{self.port}")
        script = directory / "mock.json"
        script.write_text(json.dumps([{"model": name, **rule} for name, rule in models.items()] + list(faults)))
        self.start([MOCK, "--listen", f"127.0.0.1:{self.port}", "--script", script], directory / "mock.log",
                   lambda: answers(f"http://127.0.0.1:{self.port}/v1/models"))

    def stats(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/mock/stats", timeout=20 * SLOW) as r:
            return json.load(r)


NGINX = """daemon off;
worker_processes 1;
worker_rlimit_nofile 65536;
pid {dir}/nginx.pid;
error_log {dir}/nginx-error.log warn;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  tcp_nodelay on;
  client_max_body_size 32m;
  client_body_buffer_size 256k;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  upstream mock {{
    server 127.0.0.1:{upstream};
    keepalive 4096;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_read_timeout 600s;
  server {{ listen 127.0.0.1:{plain} backlog=4096; location / {{ proxy_pass http://mock; }} }}
  server {{ listen 127.0.0.1:{streams} backlog=4096; location / {{ proxy_pass http://mock; proxy_buffering off; }} }}
}}
"""


def nginx_program():
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not program:
        sys.exit("nginx is missing: tools/install-packages test installs it")
    return program


class Nginx(Program):
    """One worker: this proxy's work is the same on one core or on many, and CPU per request is what is compared."""
    name = "nginx"

    def __init__(self, directory, upstream):
        plain, streams = free_port(), free_port()
        self.door, self.streams = ("--http", f"127.0.0.1:{plain}"), ("--http", f"127.0.0.1:{streams}")
        file = directory / "nginx.conf"
        file.write_text(NGINX.format(dir=directory, plain=plain, streams=streams, upstream=upstream))
        self.start([nginx_program(), "-e", directory / "nginx-error.log", "-c", file], directory / "nginx.log",
                   lambda: answers(f"http://127.0.0.1:{plain}/v1/models"))


class Daemon(Program):
    """The full path: a client's key and limits, two provider keys with limits (far above the load), breaker, metrics; no cache.
    `sections` of the configuration come on top."""
    name = "mainstay"

    def __init__(self, directory, upstream, models, sections=None, doors=("http", "zmq", "admin", "metrics"), dialect="openai"):
        http, zmq, self.admin, self.metrics = (free_port() for _ in range(4))
        self.door = self.streams = ("--http", f"127.0.0.1:{http}")
        self.queue = ("--zmq", f"tcp://127.0.0.1:{zmq}")
        most = {"rpm": 100_000_000, "tpm": 1_000_000_000_000, "concurrency": 100_000}
        config = {
            "node": {"name": "bench"},
            "doors": {name: {"listen": address} for name, address in {
                "http": f"127.0.0.1:{http}", "zmq": f"tcp://127.0.0.1:{zmq}", "admin": f"127.0.0.1:{self.admin}", "metrics": f"127.0.0.1:{self.metrics}"}.items()
                if name in doors},
            "clients": [{"name": "app", "key": CLIENT_KEY, **most}],
            "providers": [{"name": "mock", "dialect": dialect, "base_url": f"http://127.0.0.1:{upstream}/v1", "pool": {"connections": 8192, "per_host": 8192},
                           "timeouts": {"idle": "600s", "first_byte": "600s", "total": "600s"},
                           "keys": [{"name": "first", "secret": "mock-key-1", **most}, {"name": "second", "secret": "mock-key-2", **most}]}],
            "models": [{"name": name, "targets": [{"provider": "mock", "model": name}]} for name in models],
            "deadline": "600s",
            **(sections or {}),
        }
        file = directory / f"mainstay-{http}.yaml"
        file.write_text(json.dumps(config, indent=1))  # JSON is YAML
        self.start([BIN / "mainstayd", "--config", file], directory / f"mainstay-{http}.log",
                   lambda: answers(f"http://127.0.0.1:{self.metrics}/readyz" if "metrics" in doors else f"http://127.0.0.1:{http}/v1/models"))

    def at_rest(self):
        """Nothing in flight, no reservation, no waiter."""
        done = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{self.admin}", "--json", "status"], capture_output=True, text=True, timeout=60 * SLOW)
        if done.returncode:
            raise Invalid(f"the daemon does not say its status: {done.stdout}{done.stderr}")
        status = json.loads(done.stdout)
        return status["in_flight"] == status["reservations"] == status["waiting"] == 0
