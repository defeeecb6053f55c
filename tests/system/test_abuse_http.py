"""Strangers at the HTTP door: each gets a clear error, nothing goes upstream, and whoever asks beside them is served."""
import contextlib
import json
import socket
import threading
import time

import pytest

from harness import FAST, SLOW, Beside, Gateway, Mock, http_json, model, provider, resident_mib, wait_for

KEY = "key-of-the-app-0123"
ME = {"authorization": f"Bearer {KEY}"}
AUTH = f"Host: h\r\nAuthorization: Bearer {KEY}\r\n".encode()
CHAT = b"POST /v1/chat/completions HTTP/1.1\r\n" + AUTH
BODY = b'{"model":"smart","messages":[{"role":"user","content":"smuggled"}]}'
WHOLE = CHAT + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
MiB = 1 << 20


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One mock, one gateway, one client with a key."""
    where = tmp_path_factory.mktemp("abuse")
    mock = Mock(where, "a")
    config = {"providers": [provider("a", mock)], "models": [model("smart", "a/m"), model("gpt-*", "a")], "retry": FAST,
              "clients": [{"name": "app", "key": KEY}]}
    gateway = Gateway(where, config)
    yield mock, gateway
    try:
        assert gateway.stop() == 0
        assert "Sanitizer" not in gateway.log() and "runtime error:" not in gateway.log(), gateway.log()
    finally:
        gateway.kill()
        mock.kill()


@contextlib.contextmanager
def unharmed(world, upstream=()):
    """Around an attack: nothing of it goes upstream (but questions that begin like `upstream`), others are served beside it, nothing stays behind."""
    mock, gateway = world
    mock.reset()
    with Beside(gateway, headers=ME):
        yield gateway
    strange = [r["text"] for r in mock.seen() if not r["text"].startswith(("healthy", *upstream))]
    assert strange == []
    wait_for(gateway.at_rest)


class Raw:
    """A connection that sends any bytes."""

    def __init__(self, gateway, *pieces, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60 * SLOW)
        self.socket.connect(("127.0.0.1", gateway.http))
        for piece in pieces:
            self.send(piece)

    def send(self, data):
        """False: the other side has closed."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def rest(self):
        """Everything up to the end of the connection."""
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := self.socket.recv(65536):
                got += piece
        self.socket.close()
        return got

    def close(self):
        self.socket.close()


def split(response):
    head, _, body = response.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:]), body


def assert_refused(response, status, code=None):
    """One whole answer, an OpenAI-shaped error, and the connection's end."""
    assert response, "closed without a word"
    got, headers, body = split(response)
    assert got == status, response
    assert headers["connection"] == "close" and int(headers["content-length"]) == len(body), response
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"]
    assert headers["x-request-id"] and headers["x-should-retry"] == "false"
    assert code is None or error["code"] == code


def chat_error(gateway, body, headers=ME, status=400):
    got, labels, answer = http_json(gateway.http, "POST", "/v1/chat/completions", body, headers)
    assert got == status, answer
    assert set(answer["error"]) == {"message", "type", "param", "code"} and answer["error"]["message"], answer
    assert labels["x-should-retry"] == "false" and labels["x-request-id"]
    return answer["error"]


# --- bodies ---

def saying(content):
    return b'{"model":"smart","messages":[{"role":"user","content":' + content + b"}]}"


def with_member(member):
    return b'{"model":"smart","messages":[{"role":"user","content":"x"}],' + member + b"}"


BROKEN = {
    "empty": (b"", "invalid_json"), "blank": (b" \r\n ", "invalid_json"), "cut_in_a_name": (BODY[:5], "invalid_json"),
    "cut_in_a_string": (BODY[:-8], "invalid_json"), "cut_before_the_end": (BODY[:-1], "invalid_json"),
    "a_second_document": (BODY + BODY, "invalid_json"), "a_comma_too_many": (BODY[:-1] + b",}", "invalid_json"),
    "a_comment": (b"/* */" + BODY, "invalid_json"), "single_quotes": (BODY.replace(b'"', b"'"), "invalid_json"),
    "nan": (with_member(b'"temperature":NaN'), "invalid_json"), "a_leading_zero": (with_member(b'"seed":007'), "invalid_json"),
    "a_raw_newline": (saying(b'"a\nb"'), "invalid_json"), "a_wrong_escape": (saying(b'"\\x41"'), "invalid_json"),
    "utf_16": (BODY.decode().encode("utf-16-le"), None), "a_byte_order_mark": (b"\xef\xbb\xbf" + BODY, "invalid_json"),
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + BODY, "invalid_json"),
    "not_utf_8": (saying(b'"\xff"'), "invalid_utf8"), "overlong_utf_8": (saying(b'"\xc0\xaf"'), "invalid_utf8"),
    "half_a_character": (saying(b'"\xe2\x82"'), "invalid_utf8"), "a_surrogate_in_utf_8": (saying(b'"\xed\xa0\x80"'), "invalid_utf8"),
    "beyond_unicode": (saying(b'"\xf5\x80\x80\x80"'), "invalid_utf8"),
    "a_lone_high_surrogate": (saying(b'"\\ud800"'), "invalid_json"), "a_lone_low_surrogate": (saying(b'"\\udc00"'), "invalid_json"),
    "a_broken_pair": (saying(b'"\\ud800\\u0041"'), "invalid_json"), "a_lone_surrogate_in_a_name": (with_member(b'"\\ud800":1'), "invalid_json"),
    "a_nul_in_a_string": (saying(b'"a\0b"'), "invalid_json"), "a_nul_behind": (BODY + b"\0", "invalid_json"), "a_nul_before": (b"\0" + BODY, "invalid_json"),
    "only_nuls": (b"\0" * 1000, "invalid_json"), "a_nul_in_the_model": (BODY.replace(b"smart", b"smart\\u0000"), "invalid_value"),
    "arrays_too_deep": (saying(b"[" * 200 + b"]" * 200), "nesting_too_deep"), "objects_too_deep": (saying(b'{"a":' * 200 + b"1" + b"}" * 200), "nesting_too_deep"),
    "five_million_brackets": (b"[" * 5_000_000, None), "five_million_in_a_member": (with_member(b'"x":' + b"[" * 5_000_000), "nesting_too_deep"),
    "a_number_beyond_doubles": (with_member(b'"temperature":1e999999'), "invalid_json"),
    "a_number_of_many_digits": (with_member(b'"max_tokens":' + b"9" * 1_000_000), None),
    "two_models": (with_member(b'"model":"gpt-4"'), "duplicate_parameter"), "two_lists": (with_member(b'"messages":[]'), "duplicate_parameter"),
    "two_streams": (with_member(b'"stream":true,"stream":false'), "duplicate_parameter"),
    "an_escaped_second_model": (with_member(b'"mod\\u0065l":"gpt-4"'), "duplicate_parameter"),
    "another_spelling": (with_member(b'"Model":"gpt-4"'), "unknown_parameter"),
    "two_roles": (b'{"model":"smart","messages":[{"role":"user","role":"system","content":"x"}]}', "duplicate_parameter"),
}


@pytest.mark.parametrize("body,code", BROKEN.values(), ids=BROKEN.keys())
def test_a_body_that_is_no_clean_json_is_a_400(world, body, code):
    with unharmed(world) as gateway:
        error = chat_error(gateway, body)
        assert error["type"] == "invalid_request_error" and (code is None or error["code"] == code), error
        assert len(error["message"]) < 500


WRONG = {
    "model": [b"7", b"null", b"[]", b"{}", b"true", b'""', b'"' + b"m" * 257 + b'"', b'"a\\u0007b"'],
    "messages": [b"7", b"null", b'"x"', b"{}", b"[]", b"true"],
    "messages[0]": [b"[7]", b"[null]", b"[[]]", b'["x"]'],
    "messages[0].role": [b'[{"content":"x"}]', b'[{"role":7}]', b'[{"role":null}]', b'[{"role":["user"]}]'],
    "stream": [b'"true"', b"1", b"0", b"[]", b"{}"],
    "stream_options": [b'"x"', b"7", b"[]", b"true", b"{}"],
    "n": [b"0", b"-1", b"129", b"1.5", b"1e2", b'"2"', b"[]", b"{}", b"true", b"18446744073709551617"],
    "max_tokens": [b"0", b"-1", b"0.5", b"1e9", b'"9"', b"[1]", b"true", b"9999999999", b"-99999999999999999999999"],
    "max_completion_tokens": [b"0", b"-7", b"2.0", b'"1"', b"{}", b"false", b"99999999999999999999"],
}


@pytest.mark.parametrize("param", WRONG)
def test_a_field_of_the_wrong_type_is_a_400_that_names_it(world, param):
    field = param.partition("[")[0]
    with unharmed(world) as gateway:
        for value in WRONG[param]:
            members = {"model": b'"smart"', "messages": b'[{"role":"user","content":"x"}]', field: value}
            error = chat_error(gateway, b"{" + b",".join(b'"%s":%s' % (k.encode(), v) for k, v in members.items()) + b"}")
            assert error["param"] == param, (value[:40], error)
        if param == "stream_options":
            usage = with_member(b'"stream":true,"stream_options":{"include_usage":"yes"}')
            assert chat_error(gateway, usage)["param"] == "stream_options.include_usage"


@pytest.mark.parametrize("body", [b"[]", b"7", b'"x"', b"null", b"true", b"{}", b'{"model":"smart"}', b'{"messages":[]}'])
def test_a_body_that_is_no_request_is_a_400(world, body):
    with unharmed(world) as gateway:
        chat_error(gateway, body)


@pytest.mark.parametrize("name", ["nope", "SMART", "smart ", "gpt", "../smart", "x" * 256, "模型"])
def test_an_unknown_model_is_a_404_that_names_the_known_ones(world, name):
    with unharmed(world) as gateway:
        error = chat_error(gateway, {"model": name, "messages": [{"role": "user", "content": "x"}]}, status=404)
        assert error["code"] == "model_not_found" and error["param"] == "model"
        assert error["message"].endswith("smart, gpt-*")
        assert not [series for series in gateway.metrics() if name in series.replace('model="smart"', "").replace('model="gpt-*"', "")]


# --- sizes ---

@pytest.mark.parametrize("more", [b"", b"Expect: 100-continue\r\n"], ids=["", "expecting_100"])
def test_100_mb_announced_are_refused_before_a_byte_of_them(world, more):
    with unharmed(world) as gateway:
        assert_refused(Raw(gateway, CHAT + more + b"Content-Length: 100000000\r\n\r\n").rest(), 413, "body_too_large")
        assert_refused(Raw(gateway, CHAT + more + b"Content-Length: 999999999999999999\r\n\r\n").rest(), 413, "body_too_large")
        assert_refused(Raw(gateway, CHAT + more + b"Content-Length: 18446744073709551616\r\n\r\n").rest(), 400, "bad_framing")


def test_100_mb_in_chunks_are_refused_at_the_limit(world):
    with unharmed(world) as gateway:
        before = resident_mib(gateway)
        callers = [Raw(gateway, CHAT + b"Transfer-Encoding: chunked\r\n\r\n") for _ in range(2)]
        chunk = b"100000\r\n" + b" " * MiB + b"\r\n"
        for _ in range(32):
            for caller in callers:
                assert caller.send(chunk)
        for caller in callers:
            caller.send(b"1\r\n")  # the limit is reached: the size of the next chunk is enough
            assert_refused(caller.rest(), 413, "body_too_large")
        wait_for(lambda: resident_mib(gateway) < before + 150 * SLOW, 20)


def test_one_who_sends_100_mb_before_reading_still_reads_the_refusal_or_is_cut_off(world):
    with unharmed(world) as gateway:
        before = resident_mib(gateway)
        eager = Raw(gateway, CHAT + b"Content-Length: 100000000\r\n\r\n")
        sent = 0
        while sent < 100 and eager.send(b" " * MiB):
            sent += 1
        answer = eager.rest()
        if answer:
            assert_refused(answer, 413, "body_too_large")
        else:
            assert sent < 100
        assert resident_mib(gateway) < before + 100 * SLOW


def test_large_bodies_that_stall_make_room_for_others(world):
    with unharmed(world) as gateway:
        before, most = resident_mib(gateway), b" " * (30 * MiB)
        stalled = [Raw(gateway, CHAT + b"Content-Length: %d\r\n\r\n" % (31 * MiB), most) for _ in range(30)]
        for s in stalled[:10]:  # sixteen times 32 MiB have room: the longest stalled have to go
            assert_refused(s.rest(), 503, "overloaded")
        assert resident_mib(gateway) < before + 640 * SLOW
        large = json.dumps({"model": "smart", "messages": [{"role": "user", "content": "healthy and large"}]}).encode() + b" " * (20 * MiB)
        assert http_json(gateway.http, "POST", "/v1/chat/completions", large, ME)[0] == 200
        for s in stalled[10:]:
            s.close()


# --- framing ---

def chunked(coding, body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY), version=b"1.1", more=b""):
    return CHAT.replace(b"1.1", version) + more + coding + b"\r\n" + body


LENGTH = b"Content-Length: %d\r\n" % len(BODY)
FRAMING = {
    "length_then_coding": (400, chunked(b"Transfer-Encoding: chunked\r\n", more=LENGTH)),
    "coding_then_length": (400, chunked(b"Transfer-Encoding: chunked\r\n" + LENGTH)),
    "two_equal_lengths": (400, CHAT + LENGTH + LENGTH + b"\r\n" + BODY), "two_lengths": (400, CHAT + LENGTH + b"Content-Length: 5\r\n\r\n" + BODY),
    "a_list_of_lengths": (400, CHAT + b"Content-Length: 67, 5\r\n\r\n" + BODY), "a_signed_length": (400, CHAT + b"Content-Length: +67\r\n\r\n" + BODY),
    "a_negative_length": (400, CHAT + b"Content-Length: -1\r\n\r\n"), "a_hex_length": (400, CHAT + b"Content-Length: 0x43\r\n\r\n" + BODY),
    "an_empty_length": (400, CHAT + b"Content-Length:\r\n\r\n" + BODY), "a_split_length": (400, CHAT + b"Content-Length: 6 7\r\n\r\n" + BODY),
    "gzip_chunked": (501, chunked(b"Transfer-Encoding: gzip, chunked\r\n")), "chunked_gzip": (501, chunked(b"Transfer-Encoding: chunked, gzip\r\n")),
    "chunked_twice": (501, chunked(b"Transfer-Encoding: chunked, chunked\r\n")), "identity": (501, chunked(b"Transfer-Encoding: identity\r\n")),
    "two_codings": (501, chunked(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")), "xchunked": (501, chunked(b"Transfer-Encoding: xchunked\r\n")),
    "a_hidden_coding": (400, chunked(b"Transfer-Encoding: \x0bchunked\r\n")), "a_space_before_the_colon": (400, chunked(b"Transfer-Encoding : chunked\r\n")),
    "http_1_0_chunked": (400, chunked(b"Transfer-Encoding: chunked\r\n", version=b"1.0")),
    "bare_lf": (400, WHOLE.replace(b"\r\n", b"\n")), "one_bare_lf": (400, WHOLE.replace(b"Host: h\r\n", b"Host: h\n")),
    "bare_cr": (400, WHOLE.replace(b"Host: h\r\n", b"Host: h\r")), "obs_fold": (400, WHOLE.replace(b"Host: h\r\n", b"Host: h\r\nX: a\r\n b\r\n")),
    "a_folded_coding": (400, CHAT + LENGTH + b"X: a\r\n\tTransfer-Encoding: chunked\r\n\r\n" + BODY), "a_nul_in_a_header": (400, WHOLE.replace(b"Host: h\r\n", b"Host: h\r\nX: a\0b\r\n")),
    "no_host": (400, WHOLE.replace(b"Host: h\r\n", b"")), "two_hosts": (400, WHOLE.replace(b"Host: h\r\n", b"Host: h\r\nHost: i\r\n")),
    "no_version": (400, WHOLE.replace(b" HTTP/1.1", b"")), "http_2": (505, WHOLE.replace(b"HTTP/1.1", b"HTTP/2.0")), "tls": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n" * 9),
    "noise": (400, bytes(range(256)) * 4), "another_expectation": (417, CHAT + LENGTH + b"Expect: tea\r\n\r\n" + BODY),
    "a_chunk_size_of_words": (400, chunked(b"Transfer-Encoding: chunked\r\n", b"many\r\n")), "a_signed_chunk_size": (400, chunked(b"Transfer-Encoding: chunked\r\n", b"+5\r\nhello")),
    "a_chunk_too_short": (400, chunked(b"Transfer-Encoding: chunked\r\n", b"2\r\nhello\r\n0\r\n\r\n")), "a_chunk_with_bare_lf": (400, chunked(b"Transfer-Encoding: chunked\r\n", b"5\nhello\n")),
    "an_endless_chunk_size": (400, chunked(b"Transfer-Encoding: chunked\r\n", b"0" * 100000)), "an_endless_extension": (431, chunked(b"Transfer-Encoding: chunked\r\n", b"5;" + b"a" * 100000)),
    "endless_trailers": (431, chunked(b"Transfer-Encoding: chunked\r\n", b"0\r\n" + b"a: b\r\n" * 20000)),
    "101_headers": (431, WHOLE.replace(b"Host: h\r\n", b"Host: h\r\n" + b"a: b\r\n" * 101)), "a_long_header": (431, CHAT + b"X: " + b"x" * 40000 + b"\r\n\r\n"),
    "an_endless_header": (431, CHAT + b"X: " + b"x" * MiB), "a_header_flood": (431, CHAT + b"a: b\r\n" * 100000), "a_long_target": (414, b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\n" + AUTH + b"\r\n"),
    "an_endless_target": (414, b"GET /" + b"a" * MiB), "an_endless_method": (414, b"A" * MiB),
}


@pytest.mark.parametrize("status,sent", FRAMING.values(), ids=FRAMING.keys())
def test_what_could_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read(world, status, sent):
    with unharmed(world) as gateway:
        at_once = Raw(gateway, sent + WHOLE)
        assert_refused(at_once.rest(), status)
        half = len(sent) // 2
        assert_refused(Raw(gateway, sent[:half], sent[half:] + WHOLE).rest(), status)


# --- whom, what, how ---

@pytest.mark.parametrize("headers", [
    {}, {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {KEY}x"}, {"authorization": f"Bearer {KEY[:-1]}"}, {"authorization": "Bearer "},
    {"authorization": f"Basic {KEY}"}, {"authorization": KEY}, {"x-api-key": "wrong"}, {"x-api-key": ""}, {"authorization": "Bearer " + "k" * 20000},
], ids=range(10))
def test_a_wrong_key_is_a_401(world, headers):
    with unharmed(world) as gateway:
        error = chat_error(gateway, BODY, headers, 401)
        assert error["code"] == "invalid_api_key" and KEY not in error["message"]
        assert http_json(gateway.http, "GET", "/v1/models", headers=headers)[0] == 401
        head = "".join(f"{k}: {v}\r\n" for k, v in headers.items()).encode()
        big = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n" + head + b"Content-Length: 30000000\r\n\r\n"
        assert_refused(Raw(gateway, big).rest(), 401)  # without the body being awaited


@pytest.mark.parametrize("name,values", [
    ("x-mainstay-priority", ["urgent", "HIGH", "", "high, low"]),
    ("x-mainstay-deadline-ms", ["0", "-1", "1.5", "1e3", "soon", "", "86400001", "99999999999999999999999", "5 s"]),
    ("x-mainstay-cache", ["maybe", "", "USE"]),
])
def test_a_wrong_header_value_is_a_400_that_names_the_header(world, name, values):
    with unharmed(world) as gateway:
        for value in values:
            error = chat_error(gateway, BODY, {**ME, name: value})
            assert (error["code"], error["param"]) == ("invalid_header", name)


def test_other_paths_and_methods_are_a_404_and_a_405(world):
    with unharmed(world) as gateway:
        for path in ("/", "/v1", "/v1/chat", "/v1/chat/completions/", "//v1/chat/completions", "/v1/../v1/chat/completions", "/v1/chat%2fcompletions",
                     "/V1/CHAT/COMPLETIONS", "/mock/script", "/metrics", "/v1/models/nope", "/v1/models/smart/"):
            status, _, body = http_json(gateway.http, "GET", path, headers=ME)
            assert status == 404 and set(body["error"]) == {"message", "type", "param", "code"}, path
        for method in ("GET", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "BREW"):
            status, headers, body = http_json(gateway.http, method, "/v1/chat/completions", headers=ME)
            assert (status, headers["allow"], body["error"]["code"]) == (405, "POST", "method_not_allowed"), method
        assert_refused(Raw(gateway, b"CONNECT h:80 HTTP/1.1\r\n" + AUTH + b"\r\n").rest(), 400)


# --- those who are slow, and those who are many ---

def test_slow_senders_are_cut_off_in_time_and_hold_up_nobody(world):
    with unharmed(world) as gateway:
        began = time.monotonic()
        heads = [Raw(gateway, b"POST /v1/chat/completions HTTP/1.1\r\n") for _ in range(100)]
        silent = [Raw(gateway) for _ in range(100)]
        bodies = [Raw(gateway, CHAT + b"Content-Length: 100000\r\n\r\n{") for _ in range(50)]
        bodies += [Raw(gateway, CHAT + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n") for _ in range(50)]
        over = threading.Event()

        def trickle():
            while not over.wait(0.5):
                for s in heads:
                    s.send(b"x: y\r\n")
                for s in bodies[:50]:
                    s.send(b" ")
                for s in bodies[50:]:
                    s.send(b"1\r\n \r\n")

        slow = threading.Thread(target=trickle)
        slow.start()
        try:
            for s in heads:
                assert_refused(s.rest(), 408, "request_timeout")
            assert [s.rest() for s in silent] == [b""] * 100
            assert 9 < time.monotonic() - began < 30 * SLOW  # every head had its 10 s, and no more for the lines it sent
        finally:
            over.set()
            slow.join()
        for s in bodies:  # theirs are still within their time; leaving ends them
            s.close()


def test_idle_connections_take_no_descriptor_that_others_need(world, tmp_path):
    mock, _ = world
    gateway = Gateway(tmp_path, {"providers": [provider("a", mock)], "models": [model("smart", "a/m")]}, through=["prlimit", "--nofile=400:400"])
    try:
        early = Raw(gateway, WHOLE)
        assert early.socket.recv(65536).startswith(b"HTTP/1.1 200 ")
        idle = [Raw(gateway) for _ in range(600)]  # 200 get in, the others wait outside
        early.send(WHOLE)  # needs a connection upstream
        assert early.socket.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert gateway.at_rest() and gateway.ready() and gateway.metrics()
        for s in idle:
            s.close()
        assert gateway.chat("after them").complete("after them")
    finally:
        assert gateway.stop() == 0


def test_readers_who_stop_are_not_buffered_for(world):
    mock, gateway = world
    with unharmed(world, upstream=["stalled"]):
        mock.script({"text": "stalled*", "words": 200000})
        try:
            before = resident_mib(gateway)
            body = json.dumps({"model": "smart", "stream": True, "messages": [{"role": "user", "content": "stalled reader"}]}).encode()
            ask = CHAT + b"Content-Length: %d\r\n\r\n" % len(body) + body
            stalled = [Raw(gateway, ask, receive_buffer=4096) for _ in range(8)]
            assert all(s.socket.recv(1000).startswith(b"HTTP/1.1 200 ") for s in stalled)
            state = {}

            def provider_is_held_back():
                """nothing more is taken from the provider"""
                last = state.get("tokens")
                state["tokens"] = [r["tokens"] for r in mock.seen() if r["text"] == "stalled reader"]
                return state["tokens"] == last

            wait_for(provider_is_held_back, 30, every=0.5)
            of_them = [r for r in mock.seen() if r["text"] == "stalled reader"]
            assert len(of_them) == 8 and all(r["outcome"] == "open" for r in of_them)
            assert resident_mib(gateway) < before + 40 * SLOW  # the whole answers would be 280 MiB
            for s in stalled:
                s.close()
            wait_for(lambda: all(r["outcome"] == "client_left" for r in mock.seen() if r["text"] == "stalled reader"))
        finally:
            mock.script()


def test_a_flood_of_pipelined_requests_is_answered_in_order_and_one_never_read_is_held_back(world):
    ask = b"GET /v1/models/%s HTTP/1.1\r\n" + AUTH + b"\r\n"
    with unharmed(world) as gateway:
        before = resident_mib(gateway)
        flood = Raw(gateway)
        names = [b"smart" if i % 3 else b"n%d" % i for i in range(3000)]
        sender = threading.Thread(target=flood.send, args=(b"".join(ask % n for n in names[:-1]) + (ask % names[-1]).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),))
        sender.start()
        answers = flood.rest()
        sender.join()
        assert [int(s) for s in _statuses(answers)] == [200 if n == b"smart" else 404 for n in names]

        deaf = Raw(gateway, receive_buffer=4096)
        deaf.socket.setblocking(False)
        sent, silence = 0, time.monotonic()
        while time.monotonic() - silence < 1:
            try:
                sent += deaf.socket.send((ask % b"smart") * 500)
                silence = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
            assert sent < 64 * MiB, "whoever never reads is read for ever"
        assert resident_mib(gateway) < before + 40 * SLOW
        deaf.close()


def test_a_broken_request_in_a_pipeline_ends_it_behind_the_answers_before_it(world):
    with unharmed(world, upstream=["first"]) as gateway:
        first = WHOLE.replace(b"smuggled", b"first in")
        answers = Raw(gateway, first + FRAMING["coding_then_length"][1] + WHOLE).rest()
        assert [int(s) for s in _statuses(answers)] == [200, 400]


def _statuses(answers):
    while answers:
        status, headers, body = split(answers)
        yield status
        answers = body[int(headers["content-length"]):]
