"""A provider that answers nonsense, too much, nothing or for ever: a fallback answers, or a clear 502 or 504; memory stays bounded and nothing hangs."""
import gzip
import json
import socket
import threading
import time

import pytest

from harness import FAST, SLOW, Beside, Gateway, Mock, chat_body, model, provider, resident_mib, wait_for

MiB = 1 << 20


class Nonsense:
    """A server whose answer to every request is what `play` does with the connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.play, self.requests, self.most_sent, self.paths = None, 0, 0, []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.settimeout(60 * SLOW)
        try:
            with connection, connection.makefile("rb") as incoming:
                while (line := incoming.readline()) and (play := self.play):
                    self.requests += 1
                    self.paths.append(line.split()[1].decode())
                    length = 0
                    while (field := incoming.readline()).strip():
                        if field.lower().startswith(b"content-length:"):
                            length = int(field.split(b":")[1])
                    incoming.read(length)
                    if play(connection, self) != "keep":
                        return
        except OSError:
            pass  # the gateway has hung up

    def count(self, sent):
        self.most_sent = max(self.most_sent, sent)

    def close(self):
        self.listener.close()


# --- what it plays ---

def says(data, then=None):
    def play(connection, _):
        connection.sendall(data)
        if then == "stay":  # until the gateway hangs up
            connection.recv(1)
        return then
    return play


def endless(start, block, bytes_at_most=400 * MiB):
    """For ever, or until the gateway hangs up; how much it took is counted."""
    def play(connection, server):
        connection.sendall(start)
        sent = 0
        try:
            while sent < bytes_at_most:
                connection.sendall(block)
                sent += len(block)
        finally:
            server.count(sent)
    return play


def drip(data, gap):
    def play(connection, _):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(gap)
    return play


def http(status, body=b"", kind="application/json", more="connection: close\r\n", length=None):
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}content-length: {len(body) if length is None else length}\r\n\r\n".encode() + body


def until_close(body, kind="application/json", more=""):
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{more}connection: close\r\n\r\n".encode() + body


def in_chunks(body, kind="application/json"):
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode() + body


def completion(**changes):
    message = {"role": "assistant", "content": "from the strange one"}
    return json.dumps({"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                       "usage": {"prompt_tokens": 1, "completion_tokens": 4, "total_tokens": 5}, **changes}).encode()


SSE = "text/event-stream"
GOOD = completion()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
EVENTS = (b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"hello"}}]}\n\n'
          b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
ROLE = b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'

MALFORMED, BROKEN, LATE = {"malformed"}, {"malformed", "truncated", "reset"}, {"first_byte_timeout", "idle_timeout", "total_timeout"}

# What the provider does, and the codes that the caller may be told where there is no fallback.
BOTH_KINDS = {
    "html": (says(http("200 OK", b"<html>It works!</html>", "text/html")), BROKEN), "nothing_at_all": (says(b""), {"reset"}), "an_empty_body": (says(http("200 OK")), BROKEN),
    "no_content": (says(b"HTTP/1.1 204 No Content\r\n\r\n"), BROKEN), "reset_content": (says(b"HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n"), BROKEN),
    "half_a_head": (says(b"HTTP/1.1 200 OK\r\ncontent-ty"), BROKEN), "half_a_status_line": (says(b"HTTP/1."), BROKEN),
    "half_json": (says(http("200 OK", GOOD[:60])), MALFORMED), "half_json_and_gone": (says(http("200 OK", GOOD[:60], length=len(GOOD))), {"truncated"}),
    "half_json_until_close": (says(until_close(GOOD[:60])), MALFORMED), "a_length_too_short": (says(http("200 OK", GOOD, length=40, more=""), "keep"), MALFORMED),
    "a_length_too_long": (says(http("200 OK", GOOD, length=len(GOOD) + 7)), {"truncated"}),
    "two_lengths": (says(HEAD + b"content-length: %d\r\ncontent-length: 10\r\n\r\n" % len(GOOD) + GOOD), MALFORMED),
    "two_lengths_the_other_way": (says(HEAD + b"content-length: 10\r\ncontent-length: %d\r\n\r\n" % len(GOOD) + GOOD), MALFORMED),
    "a_negative_length": (says(http("200 OK", GOOD, length=-5)), MALFORMED), "a_length_of_words": (says(http("200 OK", GOOD, length="many")), MALFORMED),
    "a_length_beyond_numbers": (says(http("200 OK", GOOD, length="9" * 40)), MALFORMED),
    "noise_before_the_status": (says(b"garbage\r\n" + http("200 OK", GOOD)), MALFORMED), "noise": (says(bytes(range(256)) * 100), MALFORMED),
    "a_body_without_a_head": (says(GOOD), MALFORMED), "no_status": (says(b"HTTP/1.1 OK\r\n\r\n" + GOOD), MALFORMED), "status_999": (says(http("999 What", b"{}")), BROKEN),
    "status_2000": (says(http("2000 OK", GOOD)), MALFORMED), "another_protocol": (says(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", "stay"), MALFORMED),
    "tls": (says(b"\x15\x03\x01\x00\x02\x02\x50"), MALFORMED),
    "endless_interim_heads": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), MALFORMED), "endless_early_hints": (endless(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 1000), MALFORMED),
    "endless_headers": (endless(HEAD, b"x-endless: aaaaaaaaaaaaaaaaaaaaaaa\r\n" * 2000), MALFORMED), "an_endless_header_line": (endless(HEAD + b"x: ", b"a" * 65536), MALFORMED),
    "an_endless_status_line": (endless(b"HTTP/1.1 200 ", b"a" * 65536), MALFORMED), "endless_trailers": (endless(in_chunks(b"5\r\nhello\r\n0\r\n"), b"x: y\r\n" * 10000), BROKEN),
    "a_chunk_size_of_words": (says(in_chunks(b"many\r\n" + GOOD)), MALFORMED), "chunks_cut_off": (says(in_chunks(b"ffff\r\n" + GOOD)), {"truncated"}),
    "chunks_without_an_end": (says(in_chunks(b"5\r\n{\"id\"\r\n")), {"truncated"}), "a_chunk_beyond_numbers": (says(in_chunks(b"f" * 40 + b"\r\n" + GOOD)), BROKEN),
    "compressed_unasked": (says(http("200 OK", gzip.compress(GOOD), more="content-encoding: gzip\r\n")), MALFORMED),
    "compressed_unsaid": (says(http("200 OK", gzip.compress(GOOD))), MALFORMED),
    "no_utf_8": (says(http("200 OK", GOOD.replace(b"strange", b"\xff\xfe"))), MALFORMED), "json_too_deep": (says(http("200 OK", b'{"choices":' + b"[" * 100000)), MALFORMED),
    "an_array": (says(http("200 OK", b"[" + GOOD + b"]")), MALFORMED), "no_choices": (says(http("200 OK", b'{"object":"chat.completion"}')), MALFORMED),
    "choices_of_the_wrong_type": (says(http("200 OK", completion(choices=7))), MALFORMED), "an_empty_list_of_choices": (says(http("200 OK", completion(choices=[]))), MALFORMED),
    "a_choice_of_the_wrong_type": (says(http("200 OK", completion(choices=[7]))), MALFORMED),
    **{f"redirect_{status}": (says(http(f"{status} Elsewhere", more="location: /trap\r\n"), "keep"), MALFORMED) for status in (300, 301, 302, 303, 307, 308)},
}
PLAIN = {
    "a_stream": (says(until_close(EVENTS, SSE)), MALFORMED), "a_stream_called_json": (says(until_close(EVENTS)), MALFORMED),
}
STREAM = {
    "an_endless_line": (endless(until_close(b"data: ", SSE), b"a" * 65536), MALFORMED), "endless_junk": (endless(until_close(b"", SSE), b"data: junk\n\n" * 1000), MALFORMED),
    "endless_role_chunks": (endless(until_close(b"", SSE), ROLE * 100), MALFORMED), "an_endless_event": (endless(until_close(b"", SSE), b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 1000), MALFORMED),
    "an_endless_page": (endless(until_close(b"<html>", "text/html"), b"<p>\n" * 16000), MALFORMED), "endless_blank_lines": (endless(until_close(b"", SSE), b"\n" * 65536), MALFORMED),
    "a_flood_of_comments": (endless(until_close(b"", SSE), b": still here\n\n" * 4000), MALFORMED),
    "only_done": (says(until_close(b"data: [DONE]\n\n", SSE)), BROKEN), "half_an_event": (says(until_close(ROLE[:40], SSE)), BROKEN),
    "events_of_the_wrong_type": (says(until_close(b"data: 7\n\ndata: []\n\ndata: null\n\n", SSE)), BROKEN),
    "events_of_the_wrong_choices": (says(until_close(b'data: {"choices":7}\n\ndata: {"choices":[7]}\n\n', SSE)), BROKEN),
    "nuls": (endless(until_close(b"", SSE), b"\0" * 65536), MALFORMED),
}
SLOW_ONES = {
    "silence": says(b"", "stay"), "silence_after_the_head": says(until_close(b""), "stay"), "silence_in_the_body": says(http("200 OK", GOOD[:60], length=len(GOOD)), "stay"),
    "silence_in_the_head": says(b"HTTP/1.1 200 OK\r\nx:", "stay"), "drips": drip(http("200 OK", b" " * 100000), 0.05), "a_dripping_head": drip(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 10000, 0.05),
    "an_endless_chunk_extension": endless(in_chunks(b"5;"), b"a" * 65536, 1 << 40),
    "endless_comments": drip(until_close(b": still here\n\n" * 10000, SSE), 0.002),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The strange provider twice, patient and quick, each alone and with a sound one behind it."""
    where = tmp_path_factory.mktemp("abuse")
    strange, sound = Nonsense(), Mock(where, "b")
    lenient = {"rest": "1ms", "breaker": {"failure_threshold": 10000, "min_calls": 10000}}
    config = {"providers": [provider("a", strange, **lenient, timeouts={"first_byte": "60s", "idle": "60s", "total": "60s"}), provider("b", sound),
                            provider("q", strange, **lenient, timeouts={"first_byte": "700ms", "idle": "700ms", "total": "1500ms"})],
              "models": [model("alone", "a/m"), model("smart", "a/m", fallbacks=["b/n"]), model("quick-alone", "q/m"), model("quick", "q/m", fallbacks=["b/n"]), model("sound", "b/n")],
              "retry": {**FAST, "max_retries": 0, "budget": {"ratio": 10, "min_per_second": 1000}}}
    gateway = Gateway(where, config)
    yield strange, sound, gateway
    try:
        assert gateway.stop() == 0
        assert "Sanitizer" not in gateway.log() and "runtime error:" not in gateway.log(), gateway.log()
    finally:
        gateway.kill()
        sound.kill()
        strange.close()


def sound_again(world, prefix=""):
    """Four good answers of the strange provider: what came before did not spoil it, and its circuit stays closed for the next."""
    strange, _, gateway = world
    strange.play = says(http("200 OK", GOOD))
    for i in range(4):
        told = gateway.chat(f"are you sound? {i}", model=(prefix + "-" if prefix else "") + "alone")
        assert told.status == 200 and told.text == "from the strange one", told


def endure(world, play, stream, codes, prefix="", statuses=(502,), most_sent=24 * MiB, most_held=100):
    """With a fallback that answers, without one a clear error; others beside it; the provider was asked once each time and its flood was not taken."""
    strange, sound, gateway = world
    sound_again(world, prefix)
    sound.reset()
    strange.play, strange.requests, strange.most_sent, strange.paths = play, 0, 0, []
    before = resident_mib(gateway)
    with Beside(gateway, model="sound"):
        told = gateway.chat("a strange answer", stream, model=(prefix + "-" if prefix else "") + "alone")
        assert told.status in statuses and told.error["code"] in codes, told
        assert set(told.error) == {"message", "type", "param", "code"} and len(told.error["message"]) < 1000
        assert told.headers["x-should-retry"] == "false" and told.headers["x-mainstay-attempts"] == "1"
        helped = gateway.chat("a strange answer", stream, model=prefix or "smart")
        assert helped.complete("a strange answer"), helped
        assert (helped.source, helped.provider, helped.attempts) == ("fallback", "b", 2), helped
    assert set(strange.paths) <= {"/v1/chat/completions"} and strange.requests <= 4
    assert strange.most_sent <= most_sent
    assert resident_mib(gateway) < before + most_held * SLOW
    wait_for(gateway.at_rest)


EITHER = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@EITHER
@pytest.mark.parametrize("play,codes", BOTH_KINDS.values(), ids=BOTH_KINDS.keys())
def test_an_answer_that_is_none_is_answered_elsewhere(world, play, codes, stream):
    endure(world, play, stream, codes)


@pytest.mark.parametrize("play,codes", PLAIN.values(), ids=PLAIN.keys())
def test_a_plain_answer_that_is_none_is_answered_elsewhere(world, play, codes):
    endure(world, play, False, codes)


@pytest.mark.parametrize("play,codes", STREAM.values(), ids=STREAM.keys())
def test_a_stream_that_is_none_is_answered_elsewhere(world, play, codes):
    endure(world, play, True, codes)


def test_an_endless_plain_answer_ends_at_its_limit(world):
    endure(world, endless(until_close(b"{"), b" " * 65536), False, MALFORMED, most_sent=100 * MiB, most_held=200)


@EITHER
@pytest.mark.parametrize("status", [500, 503, 400, 422])
def test_an_endless_error_page_is_judged_by_its_beginning(world, status, stream):
    strange, _, gateway = world
    sound_again(world)
    page = endless(f"HTTP/1.1 {status} Sorry\r\ncontent-type: text/html\r\n\r\n<html>Sorry</html>".encode(), b"<p>\n" * 16000)
    if status >= 500:
        endure(world, page, stream, {"server_error", "overloaded"}, statuses=(502, 503))
        return
    strange.play, strange.most_sent = page, 0
    with Beside(gateway, model="sound"):
        told = gateway.chat("a strange answer", stream, model="alone")
        assert (told.status, told.error["code"]) == (status, "caller_fault") and len(told.error["message"]) <= 2000
        wait_for(lambda: strange.most_sent)
    assert strange.most_sent <= 24 * MiB
    wait_for(gateway.at_rest)


@EITHER
@pytest.mark.parametrize("play", SLOW_ONES.values(), ids=SLOW_ONES.keys())
def test_an_answer_that_does_not_come_is_given_up_in_time(world, play, stream):
    began = time.monotonic()
    endure(world, play, stream, LATE, "quick", statuses=(504,), most_sent=1 << 40)
    assert time.monotonic() - began < 20 * SLOW


def test_a_plain_answer_to_a_stream_is_told_as_one_and_a_drip_in_time_is_an_answer(world):
    strange, _, gateway = world
    strange.play = says(http("200 OK", GOOD, more=""), "keep")
    for _ in range(2):
        told = gateway.chat("tell me", stream=True, model="alone")
        assert (told.status, told.text, told.done, told.error) == (200, "from the strange one", True, None)
    sound_again(world)
    strange.play = drip(http("200 OK", GOOD), 0.001)
    assert gateway.chat("tell me", model="alone").text == "from the strange one"
    strange.play = drip(until_close(EVENTS, SSE), 0.001)
    told = gateway.chat("tell me", stream=True, model="alone")
    assert (told.text, told.done) == ("hello", True)
    wait_for(gateway.at_rest)


def test_what_comes_behind_an_answer_is_never_taken_for_the_next_one(world):
    strange, _, gateway = world
    stray = http("200 OK", completion(choices=[{"index": 0, "message": {"role": "assistant", "content": "stray"}, "finish_reason": "stop"}]))
    strange.play = says(http("200 OK", GOOD, more="") + stray, "keep")
    texts = [gateway.chat(f"q {i}", model="alone").text for i in range(20)]
    assert texts == ["from the strange one"] * 20
    wait_for(gateway.at_rest)
