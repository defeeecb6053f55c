"""What strangers may send to the message-queue door: a clear error for them, nothing upstream, nobody else harmed, memory bounded."""
import json
import os
import pathlib
import random
import socket
import struct
import threading
import time

import pytest
import zmq

from harness import SLOW, Dealer, Gateway, Mock, chat_body, model, provider, wait_for

MIB = 1 << 20
SANITIZED = "sanitize" in os.environ.get("MAINSTAY_BIN", "")  # their bookkeeping is not the daemon's memory


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    directory = tmp_path_factory.mktemp("door")
    mock = Mock(directory, "a")
    gateway = Gateway(directory, {"providers": [provider("a", mock, ({"name": "k", "concurrency": 16},))], "models": [model("smart", "a/m")]})
    gateway.mock = mock
    yield gateway
    assert gateway.alive(), gateway.log()
    code = gateway.stop()
    mock.kill()
    assert code == 0 and "Sanitizer" not in gateway.log() and "runtime error:" not in gateway.log(), gateway.log()[-4000:]


@pytest.fixture(autouse=True)
def others_unharmed(door):
    """Somebody else asks all the while and gets the right answers; when all have stopped, nothing is left over (not before: whoever asks is
    in flight)."""
    stop, wrong, asked = threading.Event(), [], [0]

    def ask():
        with Dealer(door.zmq_url) as d:
            while not stop.is_set():
                question = f"honest question {asked[0]}"
                answer = d.chat(question, stream=asked[0] % 2 == 0, request_id=b"honest-%d" % asked[0])
                asked[0] += 1
                if not answer.complete(question):
                    wrong.append(answer)

    caller = threading.Thread(target=ask)
    caller.start()
    wait_for(lambda: asked[0] > 0)
    before = asked[0]
    yield
    wait_for(lambda: asked[0] > before)
    stop.set()
    caller.join()
    assert not wrong, wrong[:3]
    wait_for(door.at_rest, 60)
    assert door.alive()


def upstream(door):
    return sum("honest" not in (r.get("text") or "") for r in door.mock.seen())


def resident(door):
    return int(pathlib.Path(f"/proc/{door.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def raw(door, receive_buffer=None):
    """A connection that speaks ZMTP 3.0 by hand, after its handshake as a DEALER."""
    s = socket.socket()
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.settimeout(20)
    s.connect(("127.0.0.1", door.zmq_port))
    s.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31))
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
    s.sendall(bytes([4, len(ready)]) + ready)
    return s


def frame(content, more):
    return struct.pack(">BQ", 2 | more, len(content)) + content


def message(*frames):
    return b"".join(frame(f, i + 1 < len(frames)) for i, f in enumerate(frames))


def drain(dealer):
    """Everything that was answered before a question of ours that nothing precedes: cancelling what does not exist."""
    dealer.send(b"the end", b"cancel")
    replies = []
    while True:
        reply = dealer.socket.recv_multipart()
        if reply[:1] == [b"the end"]:
            return replies
        replies.append(reply)


def test_random_frames_get_at_most_one_error_each_and_reach_nobody(door):
    before, draw = upstream(door), random.Random(4242)
    with Dealer(door.zmq_url) as d:
        for _ in range(400):
            frames = [draw.randbytes(draw.choice([0, 1, 7, 64, 129, 1000])) for _ in range(draw.randint(1, 20))]
            if draw.random() < 0.3:
                frames[0] = b""
            if draw.random() < 0.3 and len(frames) > 1:
                frames[1] = b"chat"
            d.socket.send_multipart(frames)
        replies = drain(d)
    assert 0 < len(replies) <= 400
    assert all(b"error" in r for r in replies), replies[:3]
    assert upstream(door) == before


GOOD = json.dumps(chat_body("not to be asked")).encode()


@pytest.mark.parametrize("frames, status", [
    ([b"", b"chat", b"{}", GOOD], 400),
    ([b"i" * 129, b"chat", b"{}", GOOD], 400),
    ([b"1", b"", b"{}", GOOD], 400),
    ([b"1", b"sing", b"{}", GOOD], 400),
    ([b"1", b"\xff\x00chat", b"{}", GOOD], 400),
    ([b"1", b"chat", b"{", GOOD], 400),
    ([b"1", b"chat", b"[]", GOOD], 400),
    ([b"1", b"chat", b'{"x-mainstay-priority": "urgent"}', GOOD], 400),
    ([b"1", b"chat", b"{" * 5000, GOOD], 400),
    ([b"1", b"chat", b"{}"], 400),
    ([b"1", b"chat", b"{}", GOOD, b"more"], 400),
    ([b"1", b"chat", b"{}", b""], 400),
    ([b"1", b"chat", b"{}", b"\xff\xfe"], 400),
    ([b"1", b"chat", b"{}", GOOD[:-3]], 400),
    ([b"1", b"chat", b"{}", b"[" * 100000], 400),
    ([b"1", b"chat", b"{}", json.dumps(chat_body("x", model="nobody")).encode()], 404),
    ([b"nobody", b"cancel", b"{}", b""], 404),
], ids=lambda v: str(v)[:40] if isinstance(v, int) else "")
def test_a_wrong_message_gets_one_clear_error(door, frames, status):
    before = upstream(door)
    with Dealer(door.zmq_url) as d:
        d.socket.send_multipart(frames)
        _, kind, headers, body = d.socket.recv_multipart()[-4:]  # behind an empty frame what asked is a REQ socket
        assert drain(d) == []
    assert kind == b"error" and json.loads(headers)["status"] == status
    assert json.loads(body)["error"]["message"]
    assert upstream(door) == before


def test_an_id_in_use_is_refused_and_its_first_request_goes_on(door):
    door.mock.script({"text": "slow*", "latency_ms": 400})
    with Dealer(door.zmq_url) as d:
        d.send(b"1", b"chat", chat_body("slow one"))
        d.send(b"1", b"chat", chat_body("slow two"))
        first, second = d.receive(), d.receive()
    assert (first[1], first[2]["status"]) == ("error", 409)
    assert (second[1], second[2]["status"]) == ("reply", 200)
    door.mock.script()


def test_a_frame_of_a_hundred_megabytes_is_refused_without_being_kept(door):
    before, resting = upstream(door), resident(door)
    s = raw(door)
    try:
        for part in (frame(b"1", 1), frame(b"chat", 1), frame(b"{}", 1), struct.pack(">BQ", 2, 100 * MIB)):
            s.sendall(part)
        for _ in range(100):
            s.sendall(bytes(MIB))
    except OSError:
        pass  # cut off: that is an answer too
    s.close()
    assert upstream(door) == before
    assert SANITIZED or resident(door) < resting + 64 * MIB


def test_a_message_without_an_end_is_cut_off(door):
    resting, s = resident(door), raw(door)
    piece = b"".join(frame(bytes(1000), 1) for _ in range(1000))
    with pytest.raises(OSError):
        for _ in range(300):
            s.sendall(piece)
    s.close()
    assert SANITIZED or resident(door) < resting + 64 * MIB


def test_a_message_of_empty_frames_without_an_end_gets_its_error(door):
    """Two bytes each: what holds them holds far more."""
    before, resting, s = upstream(door), resident(door), raw(door)
    s.sendall(frame(b"endless", 1))
    try:
        for _ in range(50):
            s.sendall(b"\x01\x00" * MIB)
    except OSError:
        pass  # nobody listens any more
    s.close()
    assert SANITIZED or resident(door) < resting + 64 * MIB
    s = raw(door)
    s.sendall(frame(b"endless", 1) + b"\x01\x00" * 2000)
    got = b""
    while piece := s.recv(65536):
        got += piece
    s.close()
    assert b"endless" in got and b'"code":"malformed"' in got and b'"status":400' in got
    assert upstream(door) == before


def test_a_client_that_never_reads_costs_little_memory(door):
    resting, s = resident(door), raw(door, receive_buffer=4096)
    s.settimeout(2)
    sent = 0
    try:
        for _ in range(60):
            s.sendall(message(b"1", b"sing", b"{}", b"x" * 100) * 1000)
            sent += 1
    except OSError:
        pass  # nothing more is read from it, or it was cut off
    assert sent > 0
    assert SANITIZED or resident(door) < resting + 64 * MIB
    s.close()


@pytest.mark.parametrize("what", [message(b"1", b"sing", b"{}", b"x" * 100), bytes([4, 7]) + b"\x04PING\0\0"], ids=["nonsense", "pings"])
def test_many_clients_that_never_read_share_what_may_wait(door, what):
    """8 MiB each would be 480."""
    resting, floods = resident(door), [raw(door, receive_buffer=4096) for _ in range(60)]
    block, stuck = what * 1000, [0] * len(floods)
    for s in floods:
        s.setblocking(False)
    end = time.monotonic() + 20 * SLOW
    while min(stuck) < 5 and time.monotonic() < end:  # nothing more is taken from anybody
        for i, s in enumerate(floods):
            try:
                s.send(block)
                stuck[i] = 0
            except BlockingIOError:
                stuck[i] += 1
            except OSError:
                stuck[i] = 5  # cut off
        time.sleep(0.02)
    assert SANITIZED or resident(door) < resting + 256 * MIB
    for s in floods:
        s.close()


def test_connections_opened_and_never_used_take_nothing_that_others_need(door, tmp_path):
    """A hundred get in, the others wait outside; whoever does not say hello has to go."""
    gateway = Gateway(tmp_path, {"providers": [provider("a", door.mock)], "models": [model("smart", "a/m")]}, through=["prlimit", "--nofile=400:400"])
    try:
        idle = [socket.create_connection(("127.0.0.1", gateway.zmq_port), 60 * SLOW) for _ in range(300)]
        assert gateway.chat("honest over HTTP").complete("honest over HTTP")
        assert gateway.ready() and gateway.metrics() and gateway.at_rest()
        for s in idle[100:]:
            s.close()
        with Dealer(gateway.zmq_url) as d:
            assert d.chat("honest and patient").complete("honest and patient")
        for s in idle[:100]:
            while s.recv(1000):  # our greeting, and the end
                pass
            s.close()
    finally:
        assert gateway.stop() == 0


def test_clients_that_vanish_in_the_middle_of_a_flood_leave_nothing_behind(door):
    for round in range(5):
        dealers = [Dealer(door.zmq_url) for _ in range(8)]
        for n, d in enumerate(dealers):
            for i in range(50):
                d.send(b"%d" % i, b"chat", chat_body(f"flood {round} {n} {i}", stream=i % 2 == 0))
        dealers[0].receive()
        for d in dealers:
            d.socket.close()


def test_connections_that_are_reset_in_every_state_harm_nobody(door):
    flood = message(b"1", b"sing", b"{}", b"x" * 1000) * 200
    for i in range(150):
        s = raw(door) if i % 3 else socket.create_connection(("127.0.0.1", door.zmq_port))
        try:
            s.sendall(flood[: 1 + i * 1300 % len(flood)] if i % 3 else os.urandom(i + 1))
        except OSError:
            pass
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()


@pytest.mark.parametrize("bytes_", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" + bytes(8) + b"\x7f\x03\x00PLAIN" + bytes(48), b"\x01\x00", b"\xff" * 64, bytes(64)],
                         ids=["http", "plain", "zmtp 1", "ones", "zeros"])
def test_other_protocols_are_not_answered_for_ever(door, bytes_):
    s = socket.create_connection(("127.0.0.1", door.zmq_port), 20)
    s.settimeout(30)
    s.sendall(bytes_)
    got = b""
    try:
        while piece := s.recv(4096):  # until it is closed, at the latest by the handshake's time limit
            got += piece
    except ConnectionResetError:
        pass
    assert len(got) < 1000
    s.close()
