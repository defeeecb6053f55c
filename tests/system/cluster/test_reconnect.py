"""A node of three is killed under load. Whoever sends durable requests, and goes to the next node with the same id when one does not answer, has
an answer to each in the end; callers of the other nodes notice nothing."""
import threading

import zmq

from harness import SLOW, Dealer, chat_body, expected_text, wait_for
from world import World

PATIENCE = 0.5  # seconds until a node that says nothing is left for the next one


class Reconnecting:
    """Sends durable requests, each to the next node in turn, one after the other."""

    def __init__(self, world, name, over):
        self.world, self.name, self.over = world, name, over
        self.accepted, self.answers, self.moved = [], {}, 0  # (id, node) as often as somebody accepted it; id -> text
        self.thread = threading.Thread(target=self.go_on)
        self.thread.start()

    def go_on(self):
        number = 0
        while not self.over.is_set():
            request_id = f"{self.name}-{number}"
            while request_id not in self.answers and not self.try_at(number + self.moved, request_id):
                self.moved += 1
            number += 1

    def try_at(self, i, request_id):
        """Whether it was answered there."""
        node = i % len(self.world.nodes)
        with Dealer(self.world.nodes[node].zmq_url, timeout=PATIENCE) as dealer:
            dealer.send(request_id.encode(), b"chat", chat_body(request_id), {"durable": True})
            try:
                kind, body = self.next_of(dealer)
                assert kind == "accepted", (kind, body)
                self.accepted.append((request_id, node))
                kind, body = self.next_of(dealer)
            except zmq.Again:
                return False
            assert kind == "reply", (kind, body)
            self.answers[request_id] = body["choices"][0]["message"]["content"]
            return True

    @staticmethod
    def next_of(dealer):
        _, kind, _, body = dealer.receive()
        return kind, body


def collected(node, request_id):
    with Dealer(node.zmq_url, timeout=20) as dealer:
        dealer.send(request_id.encode(), b"collect")
        kind, body = Reconnecting.next_of(dealer)
        if kind == "accepted":
            kind, body = Reconnecting.next_of(dealer)
        return body["choices"][0]["message"]["content"] if kind == "reply" else (kind, body)


def test_a_killed_node_loses_no_durable_request_and_others_callers_notice_nothing(tmp_path):
    over = threading.Event()
    with World(tmp_path, {"rpm": 1_000_000, "concurrency": 1000}, journal=True) as world:
        world.mock.script({"latency_ms": 200})
        beside = [world.callers(i, "--connections", 3, "--duration", "4s", "--verify", "--words", 60, "--timeout", f"{10 * SLOW}s") for i in (1, 2)]
        clients = [Reconnecting(world, f"c{k}", over) for k in range(6)]
        wait_for(lambda: sum(len(c.answers) for c in clients) >= 2 * len(clients), 10)  # load is on

        def unanswered():
            """node 0 has accepted what it has not answered"""
            return {i for c in clients for i, node in list(c.accepted) if node == 0 and i not in c.answers}

        wait_for(unanswered)
        world.kill(0)
        left = unanswered()
        wait_for(lambda: any(c.moved for c in clients), 10)
        world.start(0)
        results = [b.result() for b in beside]
        over.set()
        for c in clients:
            c.thread.join(30 * SLOW)
        assert all(not c.thread.is_alive() for c in clients)
        assert left and any(c.moved for c in clients), "it was killed while it had something to do"
        assert all(r["ok"] == r["requests"] > 20 and not r["errors"] and not r["surplus"] for r in results), [(r["ok"], r["errors"]) for r in results]
        for c in clients:
            assert len(c.answers) > 5 and all(text == expected_text(i) for i, text in c.answers.items())
            assert {i for i, _ in c.accepted} == set(c.answers)
            for request_id, node in c.accepted:  # also where it was accepted first and not answered
                assert collected(world.nodes[node], request_id) == expected_text(request_id)
