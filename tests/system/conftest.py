import pytest

from harness import Gateway, Mock, Redis


class Start:
    """Starts processes that end with the test: start.mock(...), start.redis(), start.gateway(config)."""

    def __init__(self, directory):
        self.directory, self.all = directory, []

    def keep(self, process):
        self.all.append(process)
        return process

    def mock(self, name="mock", **options):
        return self.keep(Mock(self.directory, name, **options))

    def redis(self, port=None):
        return self.keep(Redis(self.directory, port))

    def gateway(self, config, **options):
        return self.keep(Gateway(self.directory, config, **options))

    def end(self):
        faults = []
        for process in reversed(self.all):
            if isinstance(process, Gateway) and process.alive():
                code = process.stop()
                if code not in (0, 3):
                    faults.append(f"the gateway ended with {code}")
            else:
                process.kill()
            if isinstance(process, Gateway):
                log = process.log()
                faults += [line for line in log.splitlines() if "Sanitizer" in line or "runtime error:" in line]
                if faults:
                    print(log[-8000:])
        assert not faults, faults


@pytest.fixture
def start(tmp_path):
    started = Start(tmp_path)
    yield started
    started.end()


@pytest.fixture(scope="module")
def start_module(tmp_path_factory):
    """The same for all tests of a file."""
    started = Start(tmp_path_factory.mktemp("world"))
    yield started
    started.end()


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """Debian's Chromium, by Selenium. Imported here, so that the others need neither."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars", "force-color-profile=srgb", "window-size=1280,1000",
                 f"user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument("--" + flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    it = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))  # a path: nothing is downloaded
    yield it
    it.quit()
