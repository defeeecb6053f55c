"""The dashboard in a real browser, and the door it comes through: Debian's Chromium, driven by Selenium, with axe-core's check for accessibility."""
import base64
import http.client
import pathlib
import socket

import pytest
from harness import BIN, FAST, Gateway, Process, http_json, install_from_npm, model, provider, wait_for

PAGE = pathlib.Path(__file__).parent / "page"
TOKEN = "a-token-of-many-characters"
EVIL = "<img src=x onerror=document.title='owned'>"
BROKEN = {"failure_threshold": 3, "recovery_timeout": "600s"}
OPEN = ("/healthz", "/readyz")
GUARDED = ("/", "/dashboard.js", "/dashboard.css", "/chart.js", "/events", "/metrics")


class Page:
    def __init__(self, driver, gateway, width=1280, height=1000, scheme="light"):
        self.driver, self.gateway = driver, gateway
        driver.get_log("browser")  # what another page said
        self.look(width, height, scheme)
        driver.get(f"http://127.0.0.1:{gateway.metrics_port}/")

    def look(self, width, height, scheme):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def js(self, code, *args):
        return self.driver.execute_script(f"return {code}", *args)

    def text(self, name):
        return self.js(f"document.getElementById('{name}').innerText")

    def says(self, name, words, seconds=10):
        def said():
            return words in self.text(name)
        said.__doc__ = f"{name} says {words}"
        wait_for(said, seconds, 0.05)

    def faults(self):
        return [line["message"] for line in self.driver.get_log("browser")]

    def violations(self):
        found = self.driver.execute_async_script("axe.run().then(r => arguments[0](r.violations), e => arguments[0](String(e)))")
        return [(v["id"], [n["html"] + n["failureSummary"] for n in v["nodes"]]) for v in found]

    def plotted(self, chart):
        """how many points of the chart have a value"""
        return self.js(f"Chart.getChart('{chart}').data.datasets.flatMap(d => d.data).filter(p => p.y > 0).length")


@pytest.fixture
def house(start):
    class House:
        def __init__(self):
            self.a, self.b = start.mock("a", latency_ms=20), start.mock("b")
            keys = ({"name": "k", "rpm": 10000, "tpm": 10000000},)
            self.gateway = start.gateway({
                "clients": [{"name": EVIL, "key": "evil-key-0123456789"}, {"name": "shop", "key": "shop-key-0123456789", "rpm": 5000}],
                "providers": [provider("a", self.a, keys, breaker=BROKEN), provider("b", self.b, keys)],
                "models": [model("smart", "a/m", fallbacks=["b/m"])], "retry": {**FAST, "max_retries": 0}, "cache": {"ttl": "1h"}, "recovery": {"probe": "600s"}})

        def ask(self, count, who="shop"):
            for i in range(count):
                assert self.gateway.chat(f"question {i}", headers={"authorization": f"Bearer {who}-key-0123456789"}).status == 200

    return House()


def test_it_renders_and_says_what_is_wrong_when_a_provider_dies(house, driver):
    house.ask(6)
    house.ask(6)
    house.ask(6, "evil")
    page = Page(driver, house.gateway)
    page.says("verdict", "All is well")
    assert page.text("connection") == "live" and "test" in page.text("node")
    for table, words in {"providers": "closed", "keys": "rpm", "clients": EVIL, "models": "smart", "requests": "cache", "cache": "memory", "queue": "Load level", "percentiles": "First token"}.items():
        page.says(table, words)
    wait_for(lambda: page.plotted("sources") and page.plotted("latency"))
    page.says("sources-text", "primary")
    assert page.js("document.querySelectorAll('main img, main [onerror]').length") == 0 and "owned" not in driver.title
    house.a.kill()
    for i in range(4):
        house.gateway.chat(f"other {i}", headers={"authorization": "Bearer shop-key-0123456789"})
    assert "open" in [b["state"] for b in house.gateway.ctl("breakers")["breakers"]]
    page.says("troubles", "mainstayctl breakers a auto", 3)
    assert "Provider a is left alone" in page.text("troubles") and "Something is broken" in page.text("verdict")
    page.says("providers", "endpoint open")
    page.says("requests", "fallback")
    page.says("alerts", "A provider is left alone", 5)
    assert page.faults() == []


def test_everybody_can_read_it_in_light_in_dark_and_on_a_phone(house, driver):
    install_from_npm(PAGE)
    house.ask(6)
    house.gateway.ctl("breakers", "a", "open")
    house.gateway.ctl("keys", "b-k", "disable")
    page = Page(driver, house.gateway)
    page.says("troubles", "held open by hand")
    page.js("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    driver.execute_script((PAGE / "node_modules/axe-core/axe.min.js").read_text())
    for scheme in ("light", "dark"):
        for width in (1280, 360):
            page.look(width, 800, scheme)
            wait_for(lambda: page.js("document.documentElement.dataset.theme") == scheme and page.js("innerWidth") == width)
            assert page.violations() == [], (scheme, width)
            assert page.js("document.documentElement.scrollWidth") == width, (scheme, width)
    for theme in ("light", "dark", "automatic"):
        page.js("document.getElementById('theme').click()")
        assert theme in page.text("theme") and page.js("document.documentElement.dataset.theme") == ("dark" if theme == "automatic" else theme)
    assert page.faults() == []


def test_it_comes_back_when_the_node_does_and_says_so(house, driver, start, tmp_path):
    page = Page(driver, house.gateway)
    page.says("connection", "live")
    before = page.js("document.getElementById('about').innerText")
    house.gateway.ctl("drill", "crash", "dashboard")
    wait_for(lambda: house.gateway.restarts("dashboard") == 1)
    wait_for(lambda: page.text("about") != before)  # the same stream goes on over the actor's death
    assert page.text("connection") == "live" and page.faults() == []
    house.gateway.stop()
    page.says("connection", "connecting again")
    assert "does not answer" in page.text("verdict") and "what is below is from" in page.text("troubles")
    start.keep(Process([BIN / "mainstayd", "--config", house.gateway.file], tmp_path / "again.log"))
    page.says("connection", "live; the node was restarted", 20)
    page.says("verdict", "All is well")


def get(port, path, headers=(), method="GET", host="127.0.0.1"):
    """status and headers; the stream's first ones too"""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in (("host", host), *headers):
            c.putheader(name, value)
        c.endheaders()
        r = c.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}
    finally:
        c.close()


def test_off_loopback_it_asks_for_the_token_and_a_browser_brings_it(start, driver):
    mock = start.mock()

    class Elsewhere(Gateway):
        def write(self, config):
            config["doors"]["metrics"] = {"listen": f"0.0.0.0:{self.metrics_port}", "token": TOKEN, "cleartext": True}
            super().write(config)
    gateway = start.keep(Elsewhere(pathlib.Path(mock.log_path).parent, {"providers": [provider("a", mock)], "models": [model("smart", "a/m")]}))
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    for path in OPEN:
        assert get(gateway.metrics_port, path)[0] == 200
    for path in GUARDED:
        status, headers = get(gateway.metrics_port, path)
        assert status == 401 and headers["www-authenticate"].startswith("Basic "), path
        for wrong in ("Bearer " + TOKEN[:-1], "Bearer " + TOKEN + "x", "Bearer", "Basic " + base64.b64encode(TOKEN.encode()).decode(), "Basic !!!!", "Digest " + TOKEN):
            assert get(gateway.metrics_port, path, [("authorization", wrong)])[0] == 401, (path, wrong)
        for right in ("Bearer " + TOKEN, "basic " + basic):
            assert get(gateway.metrics_port, path, [("authorization", right)], host="gateway.example:9464")[0] == 200, (path, right)
    Page(driver, gateway)  # without a token nothing is there
    assert "live" not in driver.page_source
    driver.get(f"http://anybody:{TOKEN}@127.0.0.1:{gateway.metrics_port}/")
    page = Page(driver, gateway)
    page.says("connection", "live")


def test_a_strangers_name_for_this_machine_is_refused_and_what_is_served_is_guarded(house):
    port = house.gateway.metrics_port
    for path in GUARDED:
        for host in ("stranger.example", f"stranger.example:{port}", "127.0.0.1.stranger.example", "localhost.stranger.example"):
            assert get(port, path, host=host)[0] == 421, (path, host)
        for host in ("127.0.0.1", f"localhost:{port}", f"[::1]:{port}"):
            status, headers = get(port, path, host=host)
            assert status == 200 and headers["x-content-type-options"] == "nosniff", (path, host)
            assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'") and headers["cache-control"] == "no-store"
    assert get(port, "/readyz", host="stranger.example")[0] == 200
    assert get(port, "/", method="POST")[0] == 405 and get(port, "/no-such-file")[0] == 404
    assert get(port, "/chart.js", [("accept-encoding", "gzip, br")])[1]["content-encoding"] == "gzip"
    assert int(get(port, "/chart.js")[1]["content-length"]) > 100000


def test_so_many_look_on_and_no_more_and_whoever_leaves_makes_room(house):
    def look():
        s = socket.create_connection(("127.0.0.1", house.gateway.metrics_port), 30)
        s.sendall(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        return s, s.recv(12)
    viewers = [look() for _ in range(32)]
    assert {head for _, head in viewers} == {b"HTTP/1.1 200"}
    late, head = look()
    late.close()
    assert head == b"HTTP/1.1 503"
    for s, _ in viewers[:5]:
        s.close()

    def taken():
        """there is room again"""
        s, head = look()
        s.close()
        return head == b"HTTP/1.1 200"
    wait_for(taken)
    for s, _ in viewers:
        s.close()
