"""Both doors as callers see them: labels, frames, errors, limits, leaving."""
import json
import socket

import pytest
import zmq

from harness import FAST, Dealer, expected_text, http_json, model, provider, wait_for


@pytest.fixture
def world(start):
    mock = start.mock("a", keep_bodies=100)
    config = {"providers": [provider("a", mock)], "models": [model("smart", "a/big-model"), model("gpt-*", "a")], "retry": FAST}
    return mock, start.gateway(config), start


def test_a_plain_answer_carries_its_labels_and_the_providers_bytes(world):
    mock, gateway, _ = world
    answer = gateway.chat("hello there")
    assert answer.complete("hello there")
    h = answer.headers
    assert h["x-request-id"].startswith("req_")
    assert (h["x-mainstay-source"], h["x-mainstay-provider"], h["x-mainstay-model"]) == ("primary", "a", "big-model")
    assert h["x-mainstay-attempts"] == "1" and h["x-mainstay-degraded"] == "false" and h["x-mainstay-latency-ms"].isdigit()
    assert answer.body["model"] == "big-model" and answer.body["usage"]["completion_tokens"] == 60


def test_a_stream_is_server_sent_events_with_done_and_usage_only_for_who_asked(world):
    _, gateway, _ = world
    answer = gateway.chat("hello stream", stream=True)
    assert answer.complete("hello stream") and answer.roles() == 1
    assert not any(e.get("usage") for e in answer.events)
    asked = gateway.chat("hello stream", stream=True, stream_options={"include_usage": True})
    assert asked.events[-1]["choices"] == [] and asked.events[-1]["usage"]["completion_tokens"] == 60


def test_unknown_fields_reach_the_provider_untouched_and_only_the_model_name_changes(world):
    mock, gateway, _ = world
    sent = b'{ "zeta":[1.50,{"a":null}],"model" : "smart","messages":[{"role":"user","content":"caf\\u00e9 \\ud83d\\ude00"}],   "x_custom":"y" }'
    assert http_json(gateway.http, "POST", "/v1/chat/completions", sent)[0] == 200
    bodies = http_json(mock.port, "GET", "/mock/bodies?n=1")[2]
    body = (bodies["bodies"] if isinstance(bodies, dict) else bodies)[-1]["body"]
    assert body == sent.decode().replace('"smart"', '"big-model"')


def test_a_pattern_passes_the_callers_model_name_on(world):
    mock, gateway, _ = world
    assert gateway.chat("hi", model="gpt-99-preview").status == 200
    assert mock.seen()[-1]["model"] == "gpt-99-preview"
    assert not [k for k in gateway.metrics() if "gpt-99" in k], "a caller's word became a label"


def test_the_list_of_models(world):
    _, gateway, _ = world
    status, _, body = http_json(gateway.http, "GET", "/v1/models")
    assert status == 200 and [m["id"] for m in body["data"]] == ["smart", "gpt-*"]
    assert http_json(gateway.http, "GET", "/v1/models/smart")[2]["id"] == "smart"
    assert http_json(gateway.http, "GET", "/v1/models/nope")[0] == 404
    # Anthropic's SDK asks the same path, and says which words it understands.
    words = {"anthropic-version": "2023-06-01"}
    status, _, body = http_json(gateway.http, "GET", "/v1/models", headers=words)
    assert status == 200 and [(m["type"], m["id"], m["display_name"]) for m in body["data"]] == [
        ("model", "smart", "smart"), ("model", "gpt-*", "gpt-*")]
    assert (body["has_more"], body["first_id"], body["last_id"]) == (False, "smart", "gpt-*")
    assert http_json(gateway.http, "GET", "/v1/models/smart", headers=words)[2]["type"] == "model"
    status, _, body = http_json(gateway.http, "GET", "/v1/models/nope", headers=words)
    assert (status, body["type"], body["error"]["type"]) == (404, "error", "not_found_error")


@pytest.mark.parametrize("body,status,param", [
    (b"{", 400, None), (b"[]", 400, None), (b'{"model":"smart"}', 400, "messages"), (b'{"model":7,"messages":[]}', 400, "model"),
    (b'{"model":"smart","messages":[{"role":"user","content":"\xff"}]}', 400, None),
    (b'{"model":"nope","messages":[{"role":"user","content":"x"}]}', 404, "model"),
    (b'{"model":"smart","messages":' + b"[" * 5000 + b"]" * 5000 + b"}", 400, None),
])
def test_bad_bodies_get_a_clear_error_through_both_doors_and_nothing_goes_upstream(world, body, status, param):
    mock, gateway, _ = world
    got, headers, error = http_json(gateway.http, "POST", "/v1/chat/completions", body)
    assert got == status and set(error["error"]) == {"message", "type", "param", "code"} and error["error"]["message"]
    assert headers["x-should-retry"] == "false"
    if param:
        assert error["error"]["param"] == param
    with Dealer(gateway.zmq_url) as d:
        d.send(b"bad", b"chat", body)
        request_id, kind, frame, said = d.receive()
        assert (request_id, kind, frame["status"]) == (b"bad", "error", status) and said["error"]["message"]
    assert mock.seen() == []
    assert gateway.chat("beside it").complete("beside it")


def test_a_404_names_the_known_models(world):
    _, gateway, _ = world
    assert "smart" in gateway.chat("x", model="nope").error["message"]


def test_message_queue_frames(world):
    _, gateway, _ = world
    with Dealer(gateway.zmq_url) as d:
        plain = d.chat("over zmq", request_id=b"r-1")
        assert plain.complete("over zmq") and plain.headers["x-mainstay-source"] == "primary" and plain.headers["status"] == 200
        stream = d.chat("over zmq stream", stream=True)
        assert stream.complete("over zmq stream")
        assert stream.end[1]["usage"]["completion_tokens"] == 60 and stream.headers["x-mainstay-provider"] == "a"
        d.send(b"v", b"dance", b"{}")
        assert d.receive()[1:3][0] == "error"
        d.send(b"dur", b"chat", json.dumps({"model": "smart", "messages": [{"role": "user", "content": "x"}]}).encode(), {"durable": True})
        _, kind, headers, body = d.receive()
        assert kind == "error" and headers["status"] == 400 and "journal" in body["error"]["message"]


def test_a_req_client_gets_plain_replies_only(world):
    _, gateway, _ = world
    with Dealer(gateway.zmq_url, kind=zmq.REQ) as req:
        assert req.chat("from req").complete("from req")
        refused = req.chat("from req", stream=True)
        assert refused.status == 400 and refused.error["param"] == "stream"
        assert req.chat("again").complete("again")


def test_many_requests_on_one_dealer_come_back_under_their_own_ids(world):
    _, gateway, _ = world
    with Dealer(gateway.zmq_url) as d:
        for i in range(200):
            d.send(b"id%d" % i, b"chat", {"model": "smart", "messages": [{"role": "user", "content": f"q{i}"}]})
        got = {}
        for _ in range(200):
            request_id, kind, _, body = d.receive()
            assert kind == "reply"
            got[request_id] = body["choices"][0]["message"]["content"]
    assert got == {b"id%d" % i: expected_text(f"q{i}") for i in range(200)}


def test_cancel_over_the_message_queue_ends_the_call_upstream_within_a_second(world):
    mock, gateway, _ = world
    mock.script({"fault": "silence"})
    with Dealer(gateway.zmq_url) as d:
        d.send(b"c", b"chat", {"model": "smart", "messages": [{"role": "user", "content": "x"}]})
        wait_for(lambda: mock.stats()["open"] == 1 if "open" in mock.stats() else mock.seen())
        d.send(b"c", b"cancel")
        _, kind, headers, _ = d.receive()
        assert (kind, headers["status"]) == ("error", 499)
        entry = wait_for(lambda: [e for e in mock.seen() if e["outcome"] == "client_left"], 1)[0]
        assert entry["left_at"]
    wait_for(gateway.at_rest)


@pytest.mark.parametrize("phase", ["silence", "stream", "backoff", "queue"])
def test_a_caller_who_hangs_up_is_gone_upstream_within_a_second(world, phase, start):
    mock, gateway, _ = world
    if phase == "queue":
        gateway = start.gateway({"providers": [provider("a", mock, ({"name": "k1", "rpm": 1},))], "models": [model("smart", "a/m")]})
        assert gateway.chat("uses the only slot of the minute").status == 200
    mock.script({"silence": {"fault": "silence"}, "stream": {"token_ms": 100}, "queue": {"fault": "none"},
                 "backoff": {"status": 429, "retry_after": "20"}}[phase])
    seen = len(mock.seen())
    body = json.dumps({"model": "smart", "stream": True, "messages": [{"role": "user", "content": "x"}]}).encode()
    with socket.create_connection(("127.0.0.1", gateway.http)) as s:
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        if phase == "stream":
            assert s.recv(100)
        elif phase != "queue":
            wait_for(lambda: len(mock.seen()) > seen)
        wait_for(lambda: gateway.status()["in_flight"] == 1)
    wait_for(gateway.at_rest, 1.5)
    if phase in ("silence", "stream"):
        wait_for(lambda: mock.seen()[-1]["outcome"] == "client_left", 1)
    wait_for(lambda: gateway.metric("mainstay_requests_total", outcome="cancelled") == 1)


def test_a_killed_message_queue_client_is_noticed(world):
    mock, gateway, _ = world
    mock.script({"fault": "silence"})
    d = Dealer(gateway.zmq_url)
    d.send(b"gone", b"chat", {"model": "smart", "messages": [{"role": "user", "content": "x"}]})
    wait_for(lambda: gateway.status()["in_flight"] == 1)
    d.socket.close()
    wait_for(gateway.at_rest, 2)


def test_a_deadline_is_kept_and_named(world):
    mock, gateway, _ = world
    mock.script({"fault": "silence"})
    answer = gateway.chat("x", headers={"x-mainstay-deadline-ms": "300"})
    assert answer.status == 504 and answer.error["code"] == "deadline" and "a/big-model" in answer.error["message"]
    assert int(answer.headers["x-mainstay-latency-ms"]) < 2000
    assert gateway.chat("x", headers={"x-mainstay-deadline-ms": "soon"}).status == 400
    wait_for(gateway.at_rest)


def test_clients_have_keys_models_and_limits(world):
    mock, _, start = world
    gateway = start.gateway({
        "clients": [{"name": "app", "key": "app-key-0123456789", "models": ["smart"], "rpm": 2}, {"name": "other", "key": "other-key-0123456789"}],
        "providers": [provider("a", mock)], "models": [model("smart", "a/m"), model("secret-model", "a/m")]})
    assert gateway.chat("x").status == 401
    assert gateway.chat("x", headers={"authorization": "Bearer wrong"}).status == 401
    key = {"authorization": "Bearer app-key-0123456789"}
    assert gateway.chat("x", headers=key, model="secret-model").status == 404
    first = gateway.chat("one", headers=key)
    assert first.status == 200 and first.headers["x-ratelimit-limit-requests"] == "2"
    with Dealer(gateway.zmq_url) as d:
        assert d.chat("two", headers=key).status == 200
        limited = d.chat("three", headers=key)
    assert limited.status == 429 and int(limited.headers["retry-after"]) > 50
    again = gateway.chat("four", headers={"x-api-key": "app-key-0123456789"})
    assert again.status == 429 and again.headers["x-ratelimit-remaining-requests"] == "0"
    assert gateway.chat("x", headers={"x-api-key": "other-key-0123456789"}, model="secret-model").status == 200
    with Dealer(gateway.zmq_url) as d:
        assert d.chat("x").status == 401
    assert len(mock.seen()) == 3


def test_a_slow_reader_of_a_long_stream_holds_the_provider_back_and_still_gets_everything(world):
    mock, gateway, _ = world
    mock.script({"stream": True, "words": 200000})
    body = json.dumps({"model": "smart", "stream": True, "messages": [{"role": "user", "content": "long"}]}).encode()
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.connect(("127.0.0.1", gateway.http))
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        got = s.recv(1000)
        # What is under way is bounded: the provider cannot get rid of its 34 MB while nobody reads.
        assert gateway.chat("beside it").complete("beside it")
        assert [e["outcome"] for e in mock.seen() if e["stream"]] == ["open"]
        chunks = [got]
        while True:
            piece = s.recv(1 << 16)
            if not piece:
                break
            chunks.append(piece)
    whole = b"".join(chunks)
    assert whole.count(b'"delta":{"content":') == 200000 and b"data: [DONE]" in whole
    wait_for(gateway.at_rest)
