"""The Debian package: what is in it, that what is in it runs, and, with tools/test --full, its whole life on a machine of its own."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from harness import BIN, Process, free_ports, http_json, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ["mainstayctl", "mainstayd", "mainstay-load", "mainstay-mock"]


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    out = tmp_path_factory.mktemp("package")
    run("cpack", "-B", out, cwd=BIN.parent)
    made, = out.glob("*.deb")
    return made


@pytest.fixture(scope="module")
def tree(package, tmp_path_factory):
    """what the package brings, unpacked"""
    out = tmp_path_factory.mktemp("tree")
    run("dpkg-deb", "-R", package, out)
    return out


def test_it_says_what_it_is_and_needs(package):
    fields = dict(re.findall(r"^([\w-]+): (.*)$", run("dpkg-deb", "-f", package), re.M))
    version = re.search(r"project\(mainstay VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert (fields["Package"], fields["Version"]) == ("mainstay", version)
    assert package.name == f"mainstay_{version}_{run('dpkg', '--print-architecture').strip()}.deb"
    needed = {d.split(" ")[0] for d in fields["Depends"].split(", ")}
    assert {"ca-certificates", "libc6", "libcaf-core0.17", "libcurl4", "libssl3", "libsystemd0", "libsqlite3-0"} <= needed
    assert not [n for n in needed if n.endswith("-dev")]
    assert (ROOT / "packaging/debian/changelog").read_text().startswith(f"mainstay ({version}) ")


def test_every_file_has_its_place_and_belongs_to_root(package, tree):
    files = {}
    for line in run("dpkg-deb", "-c", package).splitlines():
        mode, owner, *_, path = line.split(None, 5)
        assert owner == "root/root", line
        files[path.removeprefix(".")] = mode
    assert {p for p, mode in files.items() if mode == "-rwxr-xr-x"} == {f"/usr/bin/{p}" for p in PROGRAMS}
    assert {"/etc/mainstay/mainstay.yaml", "/usr/share/mainstay/prices.json", "/usr/lib/systemd/system/mainstay.service", "/usr/share/doc/mainstay/operations.md",
            "/usr/share/doc/mainstay/copyright", "/usr/share/doc/mainstay/examples/prometheus/rules.yml", "/usr/share/doc/mainstay/examples/grafana/mainstay.json"} <= files.keys()
    assert {p for p in files if p.startswith("/etc/") and not p.endswith("/")} == set((tree / "DEBIAN/conffiles").read_text().split())
    built = str(ROOT).encode()
    assert not [p for p in PROGRAMS if built in (tree / "usr/bin" / p).read_bytes()], "the place where it was built is nobody's concern"


def test_a_linter_finds_no_error(package):
    run("lintian", "--no-cfg", "--fail-on", "error", package)


def settings_of(tree, ports, mock):
    """The environment of a service that was unpacked somewhere, with a fake provider."""
    http, zmq, admin, metrics = ports
    return {"OPENAI_API_KEY": "sk-any", "OPENAI_BASE_URL": mock.url, "MAINSTAY_PRICES": str(tree / "usr/share/mainstay/prices.json"), "MAINSTAY_HTTP": f"127.0.0.1:{http}",
            "MAINSTAY_ZMQ": f"tcp://127.0.0.1:{zmq}", "MAINSTAY_ADMIN": f"127.0.0.1:{admin}", "MAINSTAY_METRICS": f"127.0.0.1:{metrics}"}


def test_what_is_in_it_runs(tree, start, tmp_path):
    mock, ports = start.mock(), free_ports(4)
    config = tree / "etc/mainstay/mainstay.yaml"
    assert "/usr/share/mainstay/prices.json" in config.read_text() and "config/prices.json" not in config.read_text()
    env = {**os.environ, **settings_of(tree, ports, mock)}
    daemon = start.keep(Process([tree / "usr/bin/mainstayd", "--config", config], tmp_path / "daemon.log", env=env))
    wait_for(lambda: "is ready" in daemon.log())
    status, headers, body = http_json(ports[0], "POST", "/v1/chat/completions", {"model": "smart", "messages": [{"role": "user", "content": "from the package"}]})
    assert status == 200 and headers["x-mainstay-provider"] == "openai" and body["choices"][0]["message"]["content"].startswith("echo: from the package")
    assert '"in_flight"' in run(tree / "usr/bin/mainstayctl", "--node", f"127.0.0.1:{ports[2]}", "--json", "status")
    assert float(headers["x-mainstay-attempts"]) == 1 and daemon.stop() == 0


# -- with tools/test --full: a machine of its own, booted with systemd

FULL = pytest.mark.skipif(not os.environ.get("MAINSTAY_FULL") or os.geteuid() != 0, reason="tools/test --full, as root")


class Machine:
    """A minimal Debian that has just booted, without a network of its own: what listens there on loopback is reached from here."""

    def __init__(self, root, log):
        self.nspawn = Process(["systemd-nspawn", "--quiet", "-D", root, "--boot", "--register=no", "--keep-unit", "--console=read-only"], log)
        self.root = root
        self.init = int(wait_for(lambda: pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split() or not self.nspawn.alive())[0])
        wait_for(lambda: self.inside("systemctl", "is-system-running", check=False).strip() in ("running", "degraded"), 60)

    def inside(self, *command, check=True):
        done = subprocess.run(["nsenter", "--target", str(self.init), "--all", "--", *command], capture_output=True, text=True)
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def tell(self, what):
        return self.inside("systemctl", "show", "--value", "-p", what, "mainstay").strip()

    def left(self):
        return self.inside("find", "/", "-xdev", "-name", "*mainstay*", "-not", "-name", "*.deb", "-not", "-path", "/proc/*", "-not", "-path", "/sys/*").split()

    def kill(self):
        self.nspawn.kill()

    def alive(self):
        return self.nspawn.alive()


def bootstrap(target, *options):
    """A minimal Debian, as a folder or as an archive, from wherever this machine has its own packages."""
    places = sorted(set(re.findall(r"(https?://\S+|file:\S+) (\S+)/main ", run("apt-cache", "policy", "libc6"))))
    assert places, "apt knows no source of libc6"
    codename = min((suite for _, suite in places), key=len)
    run("mmdebstrap", "--quiet", "--variant=minbase", "--aptopt=Acquire::Check-Valid-Until false", *options, codename, target,
        *[f"deb {uri} {suite} main" for uri, suite in places])


@pytest.fixture
def machine(package, tmp_path, start):
    root = tmp_path / "root"
    bootstrap(root, "--include=systemd", f"--customize-hook=copy-in {package} /root",
              f'--customize-hook=chroot "$1" apt-get install -y --no-install-recommends /root/{package.name}')
    made = start.keep(Machine(root, tmp_path / "console.log"))
    yield made
    if made.alive():
        made.nspawn.signal(signal.SIGTERM)  # it powers off
        made.nspawn.wait(60)
    made.kill()
    shutil.rmtree(root)


@FULL
def test_a_machine_gets_it_runs_it_has_it_restarted_and_forgets_it(machine, package, start):
    mock, ports = start.mock(), free_ports(4)
    # Enabled, but there is no key yet.
    assert machine.inside("systemctl", "is-enabled", "mainstay").strip() == "enabled"
    assert (machine.tell("ActiveState"), machine.tell("ConditionResult")) == ("inactive", "no")
    env = settings_of(pathlib.Path("/"), ports, mock)
    place = machine.root / "etc/mainstay/env"
    place.touch(0o600)
    place.write_text("".join(f"{k}={v}\n" for k, v in env.items()) + "MAINSTAY_CACHE_FILE=cache.db\n")
    drop_in = machine.root / "etc/systemd/system/mainstay.service.d"
    drop_in.mkdir()
    (drop_in / "short.conf").write_text("[Service]\nWatchdogSec=3\n")
    machine.inside("systemctl", "daemon-reload")

    def ask(question):
        return http_json(ports[0], "POST", "/v1/chat/completions", {"model": "smart", "messages": [{"role": "user", "content": question}]})

    machine.inside("systemctl", "start", "mainstay")
    assert ask("from a service")[0] == 200, "it returned when the doors were open"
    wait_for(lambda: "in flight" in machine.tell("StatusText"))
    pid = machine.tell("MainPID")
    assert machine.inside("stat", "-c", "%u", f"/proc/{pid}").strip() not in ("0", ""), "not root"
    assert machine.inside("ls", "/var/lib/mainstay/").split()[0] == "cache.db"
    machine.inside("systemctl", "reload", "mainstay")
    wait_for(lambda: "reload: configuration" in machine.inside("journalctl", "-u", "mainstay"))
    assert ask("from a service")[1]["x-mainstay-source"] == "cache"

    machine.inside("sh", "-c", f"kill -STOP {pid}")
    wait_for(lambda: machine.tell("MainPID") not in (pid, "0") and machine.tell("ActiveState") == "active", 60)
    assert machine.tell("NRestarts") == "1" and "atchdog" in machine.inside("journalctl", "-u", "mainstay")
    assert ask("after the watchdog")[0] == 200

    machine.inside("systemctl", "stop", "mainstay")
    assert (machine.tell("Result"), machine.tell("ActiveState")) == ("success", "inactive")
    machine.inside("systemctl", "start", "mainstay")
    machine.inside("dpkg", "--remove", "mainstay")
    assert machine.tell("ActiveState") == "inactive" and place.exists()
    machine.inside("dpkg", "-i", f"/root/{package.name}")
    assert ask("and again")[0] == 200, "its settings were there"
    machine.inside("dpkg", "--purge", "mainstay")
    shutil.rmtree(drop_in)
    assert not machine.left(), "nothing is left"
