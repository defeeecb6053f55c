"""Durable requests are in the journal of the node that accepted them, and are collected and ended at any node; while that node is away nobody says that there is
no such request, and its file is its own until it returns or is moved."""
import contextlib
import json
import shutil
import signal
import time

import pytest
import zmq

from harness import SLOW, Dealer, Gateway, chat_body, expected_text, model, provider, wait_for
from nodes import NOTICED, RETURNED, Cluster, standing

KEYS = {"one": "one-key-of-sixteen", "two": "two-key-of-sixteen"}
ONE, TWO = ({"authorization": f"Bearer {k}"} for k in KEYS.values())
MAIL = "bob.canary@example.com"
QUICK = {"failure_threshold": 1000, "failure_rate": 1, "min_calls": 10000, "recovery_timeout": "200ms"}


class House(Cluster):
    """Nodes with a journal of their own each, but for the last, which has none."""

    def settings(self, i):
        journal = {"journal": {"path": str(self.directory / f"journal{i}.db")}} if i + 1 < len(self.addresses) else {}
        return {"providers": [provider("p", self.mock, breaker=QUICK)], "models": [model("smart", "p/m")], "retry": {"max_retries": 0, "attempts": 1},
                "clients": [{"name": n, "key": k} for n, k in KEYS.items()], "privacy": {"redact": ["email"]}, **journal}

    def leave_one(self, i, request_id, question):
        """a durable request at that node whose caller is gone once it is accepted"""
        with Dealer(self.nodes[i].zmq_url) as d:
            d.send(request_id, b"chat", chat_body(question), {"durable": True, **ONE})
            got, kind, labels, _ = d.receive()
            assert (got, kind) == (request_id, "accepted"), labels
        return labels["x-request-id"]

    def collect(self, i, request_id, headers=ONE):
        """status, labels, body, whether it had to be waited for"""
        with Dealer(self.nodes[i].zmq_url, timeout=20) as d:
            d.send(request_id, b"collect", b"", headers)
            got, kind, labels, body = d.receive()
            pending = kind == "accepted"
            if pending:
                assert labels["status"] == 202 and body == {"state": "pending"}
                got, kind, labels, body = d.receive()
        assert got == request_id and kind in ("reply", "error")
        return labels["status"], labels, body, pending

    def cancel(self, i, request_id, headers=ONE):
        with Dealer(self.nodes[i].zmq_url, timeout=20) as d:
            d.send(request_id, b"cancel", b"", headers)
            return d.receive()[2:]

    def die(self, i):
        self.nodes[i].kill()
        wait_for(lambda: all(n.sees(self.nodes[i]) == "unreachable" for n in self.nodes if n.alive()), NOTICED)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    with standing(House, tmp_path_factory.mktemp("three")) as cluster:
        yield cluster


@pytest.fixture
def whole(three):
    wait_for(three.all_up, RETURNED)
    yield three
    three.mock.reset()


def text(body):
    return body["choices"][0]["message"]["content"]


@pytest.mark.parametrize("at", [1, 2])
def test_an_answer_is_collected_at_any_node_with_its_labels_and_again(whole, at):
    request_id = b"any \xff id %d" % at
    question = f"{MAIL} asks {at}"
    name = whole.leave_one(0, request_id, question)
    for _ in range(2):
        status, labels, body, _ = whole.collect(at, request_id)
        assert status == 200 and labels["x-request-id"] == name and labels["x-mainstay-source"] == "primary", labels
        assert MAIL in text(body), "the caller's own words are back"
    assert whole.collect(0, request_id)[2] == body, "the same as where it was accepted"
    assert all(MAIL not in json.dumps(e) for e in whole.mock.seen())


def test_who_collects_early_elsewhere_hears_that_it_is_pending_and_then_the_answer(whole):
    whole.mock.script({"latency_ms": int(1000 * SLOW)})
    name = whole.leave_one(0, b"slow", "slow")
    status, labels, body, pending = whole.collect(2, b"slow")
    assert status == 200 and pending and labels["x-request-id"] == name and text(body) == expected_text("slow")


def test_the_deadline_ends_the_wait_elsewhere_and_not_the_request(whole):
    whole.mock.script({"latency_ms": int(1500 * SLOW)})
    whole.leave_one(0, b"late", "late")
    status, _, body, pending = whole.collect(1, b"late", {**ONE, "x-mainstay-deadline-ms": 300})
    assert status == 504 and pending and body["error"]["code"] == "deadline"
    assert whole.collect(1, b"late")[0] == 200


def test_cancel_ends_a_request_at_any_node_for_whoever_waits_anywhere(whole):
    whole.mock.script({"latency_ms": 60000})
    for way in ("elsewhere", "by who collects"):
        request_id = way.encode()
        whole.leave_one(0, request_id, way)
        with Dealer(whole.nodes[1].zmq_url, timeout=20) as waits:
            waits.send(request_id, b"collect", b"", ONE)
            assert waits.receive()[1] == "accepted"
            if way == "elsewhere":
                headers, body = whole.cancel(2, request_id)
                assert headers["status"] == 499 and body["error"]["code"] == "cancelled"
            else:
                waits.send(request_id, b"cancel")
            assert waits.receive()[2]["status"] == 499
        assert whole.collect(0, request_id)[0] == 499, "for good"
        assert whole.cancel(1, request_id)[0]["status"] == 404, "it is over"
    wait_for(lambda: whole.mock.stats()["open"] == 0, 3)


def test_what_nobody_has_and_what_is_another_clients_is_unknown_everywhere(whole):
    whole.leave_one(0, b"mine", "mine")
    assert whole.collect(1, b"mine")[0] == 200
    for i in range(3):
        status, _, body, _ = whole.collect(i, b"mine", TWO)
        assert status == 404 and body["error"]["code"] == "unknown_id"
        assert whole.collect(i, b"nobody's")[0] == 404
        assert whole.cancel(i, b"mine", TWO)[0]["status"] == 404


def test_while_its_node_is_away_a_request_is_not_unknown_and_when_it_is_back_it_is_collected_anywhere(whole):
    whole.mock.script({"latency_ms": 60000})
    whole.leave_one(1, b"kept", "kept")
    with Dealer(whole.nodes[0].zmq_url, timeout=20) as waits:
        waits.send(b"kept", b"collect", b"", ONE)
        assert waits.receive()[1] == "accepted"
        whole.die(1)
        _, kind, labels, body = waits.receive()
        assert (kind, labels["status"], body["error"]["code"]) == ("error", 503, "node_unreachable"), "who waits hears so"
    for i in (0, 2):
        status, labels, body, _ = whole.collect(i, b"kept")
        assert (status, body["error"]["code"], labels["retry-after"]) == (503, "node_unreachable", "1")
        assert whole.addresses[1] in body["error"]["message"]
        assert whole.cancel(i, b"kept")[0]["status"] == 503
    whole.leave_one(0, b"here", "others are served")
    whole.mock.reset()
    whole.start(1)
    wait_for(whole.all_up, RETURNED)
    for i in (0, 2, 1):
        status, _, body, _ = whole.collect(i, b"kept")
        assert status == 200 and text(body) == expected_text("kept")


def test_the_same_id_at_another_node_is_another_request_and_both_are_answered(whole):
    """What a client does whose node died: at least once."""
    whole.mock.script({"latency_ms": 60000})
    first = whole.leave_one(1, b"again", "again")
    whole.die(1)
    whole.mock.reset()
    second = whole.leave_one(0, b"again", "again")
    assert whole.collect(0, b"again")[0] == 200
    whole.start(1)
    wait_for(whole.all_up, RETURNED)
    assert first != second and whole.collect(0, b"again")[1]["x-request-id"] == second and whole.collect(1, b"again")[1]["x-request-id"] == first
    assert len([e for e in whole.mock.seen() if e["text"] == "again"]) >= 2


def test_a_dead_nodes_file_goes_on_wherever_it_is_moved(whole, tmp_path):
    whole.mock.script({"latency_ms": 60000})
    name = whole.leave_one(1, b"moved", "moved")
    whole.die(1)
    whole.mock.reset()
    for part in whole.directory.glob("journal1.db*"):
        shutil.move(part, tmp_path / part.name)
    settings = whole.settings(1)
    with contextlib.ExitStack() as ends:
        heir = Gateway(tmp_path, {**settings, "journal": {"path": str(tmp_path / "journal1.db")}})
        ends.callback(heir.kill)
        with Dealer(heir.zmq_url, timeout=20) as d:
            d.send(b"moved", b"collect", b"", ONE)
            got = d.receive()
            got = d.receive() if got[1] == "accepted" else got
        assert got[2]["status"] == 200 and got[2]["x-request-id"] == name and text(got[3]) == expected_text("moved")
    whole.start(1)


def test_a_large_answer_is_the_same_at_every_node(whole):
    whole.mock.script({"words": 200_000})
    whole.leave_one(0, b"large", "large")
    here = whole.collect(0, b"large")[2]
    assert len(text(here)) > 1_000_000 and whole.collect(1, b"large")[2] == here


def test_a_frozen_node_is_named_and_not_waited_for(whole):
    whole.leave_one(1, b"frozen", "frozen")
    assert whole.collect(0, b"frozen")[0] == 200
    whole.nodes[1].signal(signal.SIGSTOP)
    began = time.monotonic()
    status, _, body, _ = whole.collect(0, b"frozen")
    assert status == 503 and body["error"]["code"] == "node_unreachable" and time.monotonic() - began < NOTICED + 0.5
    whole.nodes[1].signal(signal.SIGCONT)
    wait_for(whole.all_up, RETURNED)
    assert whole.collect(0, b"frozen")[0] == 200


def test_no_durable_request_is_lost_when_its_node_is_killed_under_load(whole):
    """A client that goes on at another node with what was not accepted, and collects everything there in the end."""
    whole.mock.script({"latency_ms": 100})
    ids = [b"load %d" % i for i in range(120)]
    accepted = set()

    def submit(at, those):
        with Dealer(whole.nodes[at].zmq_url, timeout=1) as d:
            for i in those:
                d.send(i, b"chat", chat_body(i.decode()), {"durable": True, **ONE})
            with contextlib.suppress(zmq.Again):
                while not accepted.issuperset(those):
                    got, kind, _, _ = d.receive()
                    if kind == "accepted":
                        accepted.add(got)
                    if at == 1 and len(accepted) == len(those) // 2:
                        whole.nodes[1].kill()
    submit(1, ids)
    here = set(accepted)
    assert len(here) >= len(ids) // 2
    submit(0, [i for i in ids if i not in accepted])
    assert accepted == set(ids)
    whole.mock.reset()
    whole.start(1)
    wait_for(whole.all_up, RETURNED)
    for i in ids:
        status, _, body, _ = whole.collect(2, i)
        assert status == 200 and text(body) == expected_text(i.decode())
