import pytest

from harness import Gateway, Mock, Redis


@pytest.fixture
def start(tmp_path):
    """Starts processes that end with the test: start.mock(...), start.redis(), start.gateway(config)."""

    class Start:
        def __init__(self):
            self.all = []

        def keep(self, process):
            self.all.append(process)
            return process

        def mock(self, name="mock", **options):
            return self.keep(Mock(tmp_path, name, **options))

        def redis(self, port=None):
            return self.keep(Redis(tmp_path, port))

        def gateway(self, config, **options):
            return self.keep(Gateway(tmp_path, config, **options))

    started = Start()
    yield started
    faults = []
    for process in reversed(started.all):
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
