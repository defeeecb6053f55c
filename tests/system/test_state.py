"""What the section `state` keeps outlives the process, however it ends; and whatever is wrong with the file costs nobody a request."""
import json
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
from datetime import datetime, timezone

import pytest

from harness import BIN, FAST, SLOW, Gateway, model, provider, wait_for

LIMIT = 20


@pytest.fixture
def house(start, tmp_path):
    """A mock, and gateways one after the other that keep their state in the same file."""

    class House:
        file = tmp_path / "state.db"

        def __init__(self):
            self.mock = start.mock("p")

        def config(self, **more):
            return {"providers": [provider("p", self.mock, ({"name": "k", "monthly_requests": LIMIT},))], "models": [model("smart", "p/m")],
                    "retry": FAST, "state": {"path": str(self.file)}, **more}

        def gateway(self, **more):
            self.now = start.gateway(self.config(**more))
            return self.now

        def ask(self, count):
            """so many that are answered"""
            for i in range(count):
                answer = self.now.chat(f"question {i}")
                assert answer.complete(f"question {i}"), answer

        def refused(self):
            """the month is used up: the caller hears when the next one begins"""
            answer, now = self.now.chat("one more"), datetime.now(timezone.utc)
            assert answer.status == 429 and answer.error["code"] == "rate_limited", answer
            begin = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=timezone.utc)
            in_seconds = min((begin - now).total_seconds(), 86400)  # nobody is sent away for longer than a day
            assert abs(int(answer.headers["retry-after"]) - in_seconds) < 60
            return True

        def used(self):
            return self.now.ctl("limits")["keys"][0]["month_used"]

        def written(self):
            """What is in the file by now; the daemon has it locked, so a copy is read."""
            copy = tmp_path / "copy.db"
            for suffix in ("", "-wal"):
                shutil.copy(f"{self.file}{suffix}", f"{copy}{suffix}")
            db = sqlite3.connect(copy)
            try:
                return db.execute("SELECT used FROM months WHERE provider = 'p' AND key = 'p-k'").fetchone()
            except sqlite3.Error:
                return None  # copied in the middle of a write
            finally:
                db.close()

        def lines(self, words):
            return [line for line in self.now.log().splitlines() if words in line]

    return House()


def refuses_to_start(house, tmp_path, path):
    """Why, in its words."""
    file = tmp_path / "refused.yaml"
    file.write_text(json.dumps(house.config(state={"path": str(path)}, doors={"http": {"listen": "127.0.0.1:0"}})))
    done = subprocess.run([BIN / "mainstayd", "--config", file, "--log-format", "text"], capture_output=True, text=True, timeout=60 * SLOW)
    assert done.returncode == 2, done.stderr
    said = [line for line in done.stderr.splitlines() if not line.startswith("warning:")]
    assert len(said) == 1 and f"{file}: state.path: {path}: " in said[0], done.stderr
    return said[0].partition(f"state.path: {path}: ")[2]


def test_a_month_goes_on_after_a_clean_restart(house):
    house.gateway()
    house.ask(12)
    assert house.now.stop() == 0
    house.gateway()
    assert house.used() == 12
    house.ask(8)
    assert house.refused()
    assert house.now.stop() == 0
    house.gateway()
    assert house.refused()
    assert len(house.mock.seen()) == LIMIT


def test_a_month_goes_on_after_a_kill(house):
    house.gateway()
    house.ask(12)
    wait_for(lambda: house.written() == (12,))
    house.now.kill()
    house.gateway()
    assert house.used() == 12
    house.ask(8)
    assert house.refused()
    assert len(house.mock.seen()) == LIMIT


def test_what_is_written_is_never_behind_what_stands_still(house):
    """killed again and again a moment after the last answer, in the middle of a month's use"""
    for n in range(1, 5):
        house.gateway()
        before = len(house.mock.seen())
        house.ask(2)
        wait_for(lambda: (house.written() or (0,))[0] >= before + 2)  # covered, perhaps not yet exactly
        house.now.kill()
        assert len(house.mock.seen()) == 2 * n
    house.gateway()
    assert 8 <= house.used() <= LIMIT


def test_a_key_with_another_name_and_another_month_begin_anew(house):
    house.gateway()
    house.ask(3)
    assert house.now.stop() == 0
    with sqlite3.connect(house.file) as db:
        assert db.execute("SELECT provider, key, used FROM months").fetchall() == [("p", "p-k", 3)]
        db.execute("UPDATE months SET year = year - 1")
        db.commit()
    db.close()
    house.gateway()
    assert house.used() == 0
    house.ask(1)
    wait_for(lambda: house.written() == (1,))


def test_a_broken_file_is_moved_aside_and_the_gateway_is_up(house, tmp_path):
    house.file.write_text("no database\n" * 100)
    house.gateway()
    moved = [f for f in tmp_path.glob("state.db.broken-*")]
    assert len(moved) == 1 and moved[0].read_text() == "no database\n" * 100
    assert re.search(r"broken-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ$", moved[0].name)
    assert len(house.lines(str(moved[0]))) == 1 and "file is not a database" in house.lines(str(moved[0]))[0]
    house.ask(2)
    assert house.now.stop() == 0
    house.gateway()
    assert house.used() == 2


def test_a_file_that_another_daemon_has_is_refused_and_that_one_goes_on(house, tmp_path):
    house.gateway()
    house.ask(1)
    assert "locked" in refuses_to_start(house, tmp_path, house.file)
    house.ask(1)
    wait_for(lambda: house.written() == (2,))


def test_a_place_where_no_file_can_be_is_refused_with_the_reason(house, tmp_path):
    assert refuses_to_start(house, tmp_path, tmp_path / "missing" / "state.db") == "No such file or directory"
    (tmp_path / "file").write_text("")
    assert refuses_to_start(house, tmp_path, tmp_path / "file" / "state.db") == "Not a directory"
    assert refuses_to_start(house, tmp_path, tmp_path) == "is not a regular file"
    assert refuses_to_start(house, tmp_path, "/proc/state.db")  # nobody may write there
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE precious (n)")
    db.close()
    assert refuses_to_start(house, tmp_path, tmp_path / "other.db") == "is a database of another program"


def test_a_disk_that_is_full_for_a_while_harms_no_request_and_loses_nothing(house):
    house.gateway()
    house.ask(2)
    wait_for(lambda: house.written() == (2,))
    soft, hard = resource.prlimit(house.now.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(house.now.pid, resource.RLIMIT_FSIZE, (4096, hard))  # not a page fits any more, but a line of the log does
    house.ask(3)
    wait_for(lambda: house.lines("going on without writing it"))
    house.ask(3)
    assert house.written() == (2,)
    resource.prlimit(house.now.pid, resource.RLIMIT_FSIZE, (soft, hard))
    wait_for(lambda: house.lines("is written again"))
    wait_for(lambda: house.written() == (8,))
    assert len(house.lines("going on without writing it")) == len(house.lines("is written again")) == 1
    house.now.kill()
    house.gateway()
    assert house.used() == 8


def test_the_death_of_whoever_counts_or_writes_loses_nothing(house):
    house.gateway()
    asked = 0
    for n in range(1, 4):
        for actor in ("state_keeper", "rate_governor"):
            house.ask(2)
            house.now.ctl("drill", "crash", actor)
            asked += 2
            wait_for(lambda: house.now.restarts(actor) == n)
    wait_for(lambda: house.written() == (asked,))
    house.now.kill()
    house.gateway()
    assert house.used() == asked == 12
    house.ask(1)
    house.now.ctl("drill", "crash", "state_keeper")
    assert house.now.stop() == 0
    house.gateway()
    assert house.used() == 13


def test_another_path_in_a_reload_waits_for_a_restart_and_says_so(house, tmp_path):
    gateway = house.gateway()
    other = tmp_path / "other.db"
    gateway.write({**gateway.config, "state": {"path": str(other)}})
    said = gateway.ctl("reload")["reload"]
    assert "in force" in said and "state.path: takes effect with a restart" in said and str(house.file) in said
    wait_for(lambda: len(house.lines("takes effect with a restart")) == 1)  # the log's own thread writes it
    gateway.write(gateway.config)
    assert "restart" not in gateway.ctl("reload")["reload"]
    house.ask(1)
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0
    assert not other.exists()


def test_without_the_section_nothing_is_written_and_nobody_keeps_anything(house, tmp_path):
    config = house.config()
    del config["state"]
    gateway = Gateway(tmp_path, config)
    try:
        before = sorted(f.name for f in tmp_path.iterdir())
        house.now = gateway
        house.ask(2)
        assert "state_keeper" not in {a["name"] for a in gateway.ctl("actors")["actors"]}
        assert gateway.stop() == 0
        assert sorted(f.name for f in tmp_path.iterdir()) == before
    finally:
        gateway.kill()
