"""The page about costs: its numbers are those that the console says, it needs nothing but itself, and everybody can read it."""
import json
import pathlib
import re
import subprocess

from harness import BIN, FAST, SLOW, install_from_npm, model, provider, wait_for

PAGE = pathlib.Path(__file__).parent / "page"
PRICES = {"m": {"input_cost_per_token": 1e-3, "output_cost_per_token": 2e-3}}
EVIL = "</script><img src=x onerror=document.title='owned'>"


def report(gateway, *words):
    return subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", "report", *map(str, words)], capture_output=True, text=True, timeout=60 * SLOW)


def house(start, tmp_path):
    (tmp_path / "prices.json").write_text(json.dumps(PRICES))
    a, b = start.mock("a"), start.mock("b")
    g = start.gateway({"providers": [provider("a", a), provider("b", b)], "models": [model("smart", "a/m", fallbacks=["b/m"]), model("frail", "a/m")],
                       "retry": {**FAST, "max_retries": 0}, "prices": str(tmp_path / "prices.json"), "cache": {"ttl": "1h", "stale": "0ms"}, "breaker": {"failure_threshold": 100},
                       "clients": [{"name": EVIL, "key": "evil-key-0123456789"}], "recovery": {"probe": "600s"}})
    ask = lambda question, name="smart": g.chat(question, model=name, headers={"x-api-key": "evil-key-0123456789"})
    for i in range(3):
        assert ask(f"question {i}").status == 200
    assert ask("question 0").source == "cache"
    a.script({"status": 500})
    assert ask("rescued").source == "fallback"
    assert ask("lost", "frail").status >= 500
    assert ask("a fault of the caller's own", "nobody").status == 404
    wait_for(lambda: g.ctl("cost")["lost"] == 1)
    return g


def test_its_numbers_are_those_of_the_console(start, tmp_path):
    g = house(start, tmp_path)
    cost = g.ctl("cost", "--by", "client")
    assert (cost["answered"], cost["rescued"], cost["lost"], cost["saved_calls"]) == (5, 1, 1, 1) and cost["usd"] > 0 < cost["saved_usd"]
    file = tmp_path / "report.html"
    done = report(g, file, "--days", "2", "--value-per-call", "0.5")
    assert done.returncode == 0 and str(file) in done.stdout, done.stderr
    text = file.read_text()
    data = json.loads(re.search(r"const data = (.*);\n", text)[1])
    assert data["hour"]["usd"] == cost["usd"] and data["client"]["costs"][0]["client"] == EVIL
    assert (data["days"], data["value_per_call"], data["node"]) == (2, 0.5, "test")
    assert EVIL not in text and text.count("<script>") == 3
    assert report(g, file).returncode == 0  # a page may be written anew
    other = tmp_path / "mine.txt"
    other.write_text("mine")
    done = report(g, other)
    assert done.returncode == 2 and other.read_text() == "mine" and "is no page" in done.stderr
    assert report(g, tmp_path / "no" / "such" / "folder.html").returncode == 2
    assert report(g, file, "--days", "99").returncode == 1
    assert report(g).returncode != 0


def test_it_draws_itself_and_everybody_can_read_it(start, tmp_path, driver):
    install_from_npm(PAGE)
    g = house(start, tmp_path)
    file = tmp_path / "report.html"
    assert report(g, file, "--value-per-call", "0.5").returncode == 0
    driver.get_log("browser")
    for scheme in ("light", "dark"):
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": False})
        driver.get(f"file://{file}")
        wait_for(lambda: driver.execute_script("return document.documentElement.dataset.drawn"))
        driver.execute_script((PAGE / "node_modules/axe-core/axe.min.js").read_text())
        found = driver.execute_async_script("axe.run().then(r => arguments[0](r.violations), e => arguments[0](String(e)))")
        assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found] == [], scheme
        assert driver.execute_script("return document.documentElement.scrollWidth") == 360
    text = driver.execute_script("return document.body.innerText")
    assert "1 rescued requests × $0.50" in text and "client " + EVIL in text and "owned" not in driver.title
    before = driver.execute_script("return document.getElementById('return').textContent")
    driver.execute_script("const v = document.getElementById('value'); v.value = 100; v.dispatchEvent(new Event('input'));")
    assert driver.execute_script("return document.getElementById('return').textContent") != before
    points = driver.execute_script("return ['cost', 'saved', 'requests', 'tokens', 'model', 'client', 'provider'].map(id => Chart.getChart(id).data.datasets.flatMap(d => d.data).filter(n => n > 0).length)")
    assert all(points), points
    assert driver.get_log("browser") == []
