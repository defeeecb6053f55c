"""The image and what stands around it, as far as it can be proved without a container engine: the compose file and everything it mounts, the
Dockerfile's steps against the tree, the image's configuration in a real daemon; with tools/test --full the image itself, by buildah."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from harness import BIN, Process, chat_body, free_ports, http_json, wait_for
from test_package import FULL, bootstrap, package, run  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCKER = ROOT / "packaging/docker"
KEY = "a-key-of-callers-0123"


def compose(*words, **env):
    clean = {k: v for k, v in os.environ.items() if not re.match("MAINSTAY_|OPENAI_|ANTHROPIC_|GEMINI_|GRAFANA_", k)}
    return subprocess.run(["docker-compose", "-f", DOCKER / "compose.yaml", *words], capture_output=True, text=True, env={**clean, **env})


@pytest.fixture(scope="module")
def services():
    done = compose("config", MAINSTAY_CLIENT_KEY=KEY)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]


def mounts(service):
    """place inside -> path here or the volume's name"""
    return {inside: pathlib.Path(outside) if outside.startswith("/") else outside for outside, inside, *_ in (v.split(":") for v in service.get("volumes", ()))}


def test_the_compose_file_is_valid_and_asks_for_the_callers_key(services):
    assert set(services) == {"mainstay", "redis", "prometheus", "grafana"}
    forgotten = compose("config")
    assert forgotten.returncode != 0 and "callers need a key" in forgotten.stderr


def test_what_is_mounted_is_there_and_what_is_published_is_for_this_machine(services):
    for name, service in services.items():
        for inside, outside in mounts(service).items():
            assert isinstance(outside, str) or outside.exists(), f"{name}: {outside}"
        for port in service.get("ports", ()):
            assert str(port).startswith("127.0.0.1:"), f"{name}: {port}"
    build = services["mainstay"]["build"]
    assert pathlib.Path(build["context"]).resolve() == ROOT and (ROOT / build["dockerfile"]).exists()


def test_prometheus_finds_the_node_and_grafana_finds_prometheus(services):
    node = yaml.safe_load((DOCKER / "mainstay.yaml").read_text())
    prometheus = services["prometheus"]
    assert prometheus["network_mode"] == "service:mainstay", "the metrics door is on the node's loopback"
    config = mounts(prometheus)["/etc/prometheus"] / "prometheus.yml"
    assert any(f"--config.file=/etc/prometheus/{config.name}" == word for word in prometheus["command"])
    assert yaml.safe_load(config.read_text())["scrape_configs"][0]["static_configs"] == [{"targets": [node["doors"]["metrics"]["listen"]]}]
    grafana = mounts(services["grafana"])
    source, = yaml.safe_load((grafana["/etc/grafana/provisioning"] / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://mainstay:9090" and "127.0.0.1:9090:9090/tcp" in services["mainstay"]["ports"]
    boards, = yaml.safe_load((grafana["/etc/grafana/provisioning"] / "dashboards/mainstay.yml").read_text())["providers"]
    assert boards["options"]["path"] == "/var/lib/grafana/dashboards" and "/var/lib/grafana/dashboards/mainstay.json" in grafana


def test_the_configuration_reads_what_the_compose_file_passes_on(services):
    used = set(re.findall(r"\$\{(\w+)", (DOCKER / "mainstay.yaml").read_text()))
    assert used == set(services["mainstay"]["environment"]) | {"HOSTNAME"}
    kept = mounts(services["mainstay"])
    assert kept["/etc/mainstay/mainstay.yaml"] == DOCKER / "mainstay.yaml" and kept["/var/lib/mainstay"] == "kept"
    assert services["mainstay"]["environment"]["MAINSTAY_REDIS_URL"].startswith("redis://redis:")


def test_the_images_configuration_is_good_and_callers_need_the_key(start, tmp_path):
    mock, redis = start.mock(), start.redis()
    text = (DOCKER / "mainstay.yaml").read_text().replace("/usr/share/mainstay", str(ROOT / "config"))
    (tmp_path / "mainstay.yaml").write_text(text)
    env = {**os.environ, "MAINSTAY_CLIENT_KEY": KEY, "OPENAI_API_KEY": "sk-any", "OPENAI_BASE_URL": mock.url, "MAINSTAY_REDIS_URL": redis.url}
    done = subprocess.run([BIN / "mainstayd", "--config", tmp_path / "mainstay.yaml", "--check"], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    open_to_all = subprocess.run([BIN / "mainstayd", "--config", tmp_path / "mainstay.yaml", "--check"], capture_output=True, text=True, env={**env, "MAINSTAY_CLIENT_KEY": ""})
    assert open_to_all.returncode == 2 and "clients[0].key: is empty" in open_to_all.stderr

    ports = free_ports(4)
    for given, port in zip(("0.0.0.0:8080", "0.0.0.0:5555", "127.0.0.1:4242", "127.0.0.1:9464"), ports):
        assert given in text
        text = text.replace(given, f"127.0.0.1:{port}")
    (tmp_path / "mainstay.yaml").write_text(text)
    daemon = start.keep(Process(["env", "-C", tmp_path, BIN.resolve() / "mainstayd", "--config", "mainstay.yaml"], tmp_path / "daemon.log", env=env))
    wait_for(lambda: "is ready" in daemon.log())
    ask = lambda headers: http_json(ports[0], "POST", "/v1/chat/completions", chat_body("from a container"), headers)[0]
    assert ask({}) == 401 and ask({"authorization": f"Bearer {KEY}"}) == 200
    healthy = ["--node", f"127.0.0.1:{ports[2]}", "status"]  # as the image's HEALTHCHECK, on another port
    assert subprocess.run([BIN / "mainstayctl", *healthy], capture_output=True).returncode == 0
    assert (tmp_path / "state.db").exists() and (tmp_path / "journal.db").exists()
    assert daemon.stop() == 0
    assert subprocess.run([BIN / "mainstayctl", *healthy], capture_output=True).returncode != 0


def instructions(text):
    """(instruction, its words), lines that go on joined"""
    lines = re.sub(r"\\\n\s*", "", "\n".join(l for l in text.splitlines() if not l.startswith("#"))).splitlines()
    return [tuple(l.split(None, 1)) for l in lines if l.strip()]


def test_the_dockerfile_installs_what_the_project_says_and_runs_without_root():
    steps = instructions((DOCKER / "Dockerfile").read_text())
    stages = [i for i, (word, _) in enumerate(steps) if word == "FROM"]
    assert [steps[i][1].split()[0] for i in stages] == ["debian:12-slim"] * 2
    build, final = steps[stages[0]:stages[1]], steps[stages[1]:]
    assert ("RUN", "tools/install-packages run") in build, "one list of packages"
    named = [w for _, words in steps for part in re.findall(r"apt-get install ([^&]*)", words) for w in part.split() if not w.startswith("-")]
    assert named == ["/package/*.deb"], "and one way to what they need to run"
    for word, words in steps:
        if word == "COPY":
            assert all((ROOT / w).exists() for w in words.split()[:-1]), words
    said = dict(final)
    assert int(said["USER"].split(":")[0]) >= 1000 and "mainstayctl" in said["HEALTHCHECK"]
    assert said["ENTRYPOINT"] == '["mainstayd", "--config", "/etc/mainstay/mainstay.yaml"]'
    doors = yaml.safe_load((DOCKER / "mainstay.yaml").read_text())["doors"]
    assert said["EXPOSE"].split() == [doors[d]["listen"].rpartition(":")[2] for d in ("http", "zmq")]
    assert said["WORKDIR"] == said["VOLUME"] == "/var/lib/mainstay"


@FULL
def test_the_image_is_built_and_its_daemon_takes_its_configuration(package, tmp_path):  # noqa: F811
    def buildah(*words):
        return run("buildah", "--storage-driver", "vfs", "--root", tmp_path / "storage", "--runroot", tmp_path / "run", *words).strip()

    bootstrap(tmp_path / "base.tar")  # nobody pulls images here
    base = buildah("from", "scratch")
    buildah("add", base, tmp_path / "base.tar", "/")
    buildah("commit", base, "docker.io/library/debian:12-slim")
    # The first stage has built the package, as the build did that is under test.
    shutil.copytree(DOCKER, tmp_path / "tree/packaging/docker")
    shutil.copy(package, tmp_path / "tree")
    text = (DOCKER / "Dockerfile").read_text()
    last = text.index("FROM debian:12-slim\n")
    (tmp_path / "tree/Dockerfile").write_text("FROM debian:12-slim AS build\nCOPY *.deb /package/\n" + text[last:])
    buildah("bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "-t", "mainstay", tmp_path / "tree")
    container = buildah("from", "--pull-never", "mainstay")
    inside = lambda *words: buildah("run", "--isolation", "chroot", "--env", f"MAINSTAY_CLIENT_KEY={KEY}", "--env", "OPENAI_API_KEY=sk-any", container, "--", *words)
    assert inside("id", "-u") == "10001"
    assert inside("mainstayd", "--config", "/etc/mainstay/mainstay.yaml", "--check").endswith("good")
    inside("touch", "/var/lib/mainstay/state.db")
    assert inside("sh", "-c", "ls /package/* /var/cache/apt/archives/*.deb /var/lib/apt/lists/* 2>/dev/null | wc -l") == "0", "nothing of how it was made"
