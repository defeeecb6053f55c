"""Callers of other dialects at the HTTP door, by raw HTTP, before a provider of OpenAI's: Anthropic's Messages, OpenAI's Responses and legacy completions."""
import http.client
import json
import pathlib
import shutil
import socket
import subprocess

import pytest

from harness import FAST, SLOW, expected_text, http_json, install_from_npm, model, provider, wait_for

PAIRINGS = pathlib.Path(__file__).parent / "pairings"

TOOL = {"name": "weather", "description": "of a city", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
FUNCTION = {"type": "function", "name": "weather", "parameters": TOOL["input_schema"], "strict": False}
CALL_ME = "Please use the tool for Lisbon"
QUESTION = "hello, café 日本語 😀"


@pytest.fixture(scope="module")
def world(start_module):
    mock = start_module.mock("a", keep_bodies=50)
    gateway = start_module.gateway({"providers": [provider("a", mock), provider("bad", mock), provider("slow", mock)], "retry": FAST, "cache": {"ttl": "1m"},
                             "clients": [{"name": "app", "key": "app-key-0123456789"}, {"name": "few", "key": "few-key-0123456789", "rpm": 1}],
                             "models": [model("smart", "a/big-model"), model("broken", "bad/broken", retry={"max_retries": 0}), model("cut", "bad/cut", retry={"max_retries": 0}),
                                        model("slow", "slow/slow")]})
    mock.script({"model": "broken", "status": 500}, {"model": "cut", "fault": "cut", "after": 5}, {"model": "slow", "stream": True, "token_ms": 30}, {"model": "slow", "stream": False, "latency_ms": 20000})
    return mock, gateway


KEY = {"x-api-key": "app-key-0123456789"}


def ask(gateway, path, body, headers=KEY):
    return http_json(gateway.http, "POST", path, body, headers)


def stream(gateway, path, body, headers=KEY):
    """status and headers, then (type, data) of each event, whether [DONE] came, comments"""
    c = http.client.HTTPConnection("127.0.0.1", gateway.http, timeout=60)
    try:
        c.request("POST", path, json.dumps({**body, "stream": True}).encode(), {"content-type": "application/json", **headers})
        r = c.getresponse()
        raw = r.read().decode()
    finally:
        c.close()
    events, done = [], False
    for block in raw.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields.get("data") == "[DONE]":
            done = True
        elif "data" in fields:
            events.append((fields.get("event"), json.loads(fields["data"])))
    return r.status, {k.lower(): v for k, v in r.getheaders()}, events, done


def messages(question, **more):
    return {"model": "smart", "max_tokens": 1000, "messages": [{"role": "user", "content": question}], **more}


def put_together(events):
    """An Anthropic stream as its clients read it; every rule of its order is checked on the way."""
    assert all(kind == data["type"] for kind, data in events)
    kinds = [k for k, _ in events if k != "ping"]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"] and kinds.count("message_start") == 1
    message, open_block, pieces = dict(events[0][1]["message"]), None, {}
    for kind, data in events[1:]:
        if kind == "content_block_start":
            assert open_block is None and data["index"] == len(message["content"])
            open_block = data["index"]
            message["content"].append(data["content_block"])
        elif kind == "content_block_delta":
            assert data["index"] == open_block
            delta, block = data["delta"], message["content"][open_block]
            if delta["type"] == "text_delta":
                block["text"] += delta["text"]
            elif delta["type"] == "input_json_delta":
                pieces[open_block] = pieces.get(open_block, "") + delta["partial_json"]
        elif kind == "content_block_stop":
            assert data["index"] == open_block
            if open_block in pieces:
                message["content"][open_block]["input"] = json.loads(pieces[open_block])
            open_block = None
        elif kind == "message_delta":
            message.update(data["delta"])
            message["usage"].update(data["usage"])
    assert open_block is None
    return message


def test_messages_plain(world):
    mock, gateway = world
    status, headers, body = ask(gateway, "/v1/messages", messages(QUESTION, system="be kind", stop_sequences=["§"]), {**KEY, "anthropic-version": "2023-06-01", "anthropic-beta": "x"})
    assert status == 200 and body["type"] == "message" and body["role"] == "assistant" and body["stop_reason"] == "end_turn"
    assert body["id"].startswith("msg_") and body["content"][0]["text"].startswith("echo: hello, café 日本語 😀 | ") and body["usage"]["output_tokens"] == 60
    assert headers["x-mainstay-provider"] == "a" and headers["request-id"] == headers["x-request-id"]
    bodies = http_json(mock.port, "GET", "/mock/bodies?n=1")[2]
    sent = json.loads((bodies["bodies"] if isinstance(bodies, dict) else bodies)[-1]["body"])
    assert sent["model"] == "big-model" and sent["messages"][0] == {"role": "system", "content": "be kind"} and sent["stop"] == ["§"]


def test_messages_streamed_say_what_the_plain_ones_say(world):
    _, gateway = world
    question = "streamed " + QUESTION
    status, headers, events, done = stream(gateway, "/v1/messages", messages(question), {**KEY, "x-mainstay-cache": "off"})
    assert status == 200 and headers["content-type"] == "text/event-stream" and not done and headers["request-id"] == headers["x-request-id"]
    message = put_together(events)
    assert message["content"] == [{"type": "text", "text": expected_text(question)}]
    assert message["stop_reason"] == "end_turn" and message["usage"]["output_tokens"] == 60 and message["usage"]["input_tokens"] > 0


@pytest.mark.parametrize("how", ["plain", "streamed"])
def test_messages_with_tools_there_and_back(world, how):
    _, gateway = world
    def answer(body):
        if how == "plain":
            return ask(gateway, "/v1/messages", body)[2]
        return put_together(stream(gateway, "/v1/messages", body)[2])
    first = answer(messages(CALL_ME, tools=[TOOL], tool_choice={"type": "auto"}))
    assert first["stop_reason"] == "tool_use"
    call = first["content"][-1]
    assert call["type"] == "tool_use" and call["name"] == "weather" and call["input"] == {"city": "Lisbon"} and call["id"]
    body = messages(CALL_ME, tools=[TOOL])
    body["messages"] += [{"role": "assistant", "content": first["content"]},
                         {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "rain"}]}]
    second = answer(body)
    assert second["stop_reason"] == "end_turn" and second["content"][0]["text"].startswith("echo: Please use the tool for Lisbon | ")


def test_max_tokens_cut_the_message(world):
    _, gateway = world
    assert ask(gateway, "/v1/messages", messages("cut this", max_tokens=5))[2]["stop_reason"] == "max_tokens"


def test_counted_tokens_are_an_estimate_and_ask_nobody(world):
    mock, gateway = world
    before = mock.stats()["requests"]
    body = messages("how many tokens are these words, about?")
    del body["max_tokens"]
    status, _, counted = ask(gateway, "/v1/messages/count_tokens", body)
    assert status == 200 and set(counted) == {"input_tokens"} and 5 < counted["input_tokens"] < 30
    assert mock.stats()["requests"] == before
    assert ask(gateway, "/v1/messages/count_tokens", {**body, "model": "nope"})[0] == 404


@pytest.mark.parametrize("body,headers,status,kind", [
    (messages("x"), {}, 401, "authentication_error"),
    (messages("x", model="nope"), KEY, 404, "not_found_error"),
    (messages("x", model="broken"), KEY, 502, "api_error"),
    ({"model": "smart", "messages": []}, KEY, 400, "invalid_request_error"),
    ({"model": "smart", "max_tokens": 1, "messages": []}, KEY, 400, "invalid_request_error"),
    (messages("x"), {**KEY, "x-mainstay-cache": "maybe"}, 400, "invalid_request_error"),
])
def test_errors_of_messages_have_anthropics_shape(world, body, headers, status, kind):
    _, gateway = world
    for more in ({}, {"stream": True}):
        got, _, said = ask(gateway, "/v1/messages", {**body, **more}, headers)
        assert got == status and said["type"] == "error" and said["error"]["type"] == kind and said["error"]["message"]


def test_a_client_over_its_limit_hears_so_in_its_dialect(world):
    _, gateway = world
    few = {"authorization": "Bearer few-key-0123456789"}
    assert ask(gateway, "/v1/messages", messages("one"), few)[0] == 200
    status, headers, said = ask(gateway, "/v1/messages", messages("two"), few)
    assert status == 429 and said["error"]["type"] == "rate_limit_error" and headers["retry-after"]


@pytest.mark.parametrize("path,body", [("/v1/messages", messages("x", model="cut")), ("/v1/completions", {"model": "cut", "prompt": "x"}), ("/v1/responses", {"model": "cut", "input": "x"})])
def test_a_stream_that_breaks_ends_in_its_dialects_error(world, path, body):
    _, gateway = world
    status, _, events, done = stream(gateway, path, {**body, "n": 1} if path == "/v1/completions" else body)
    assert status == 200 and not done
    if path == "/v1/messages":
        assert events[-1][0] == "error" and events[-1][1]["error"]["type"] == "api_error"
    elif path == "/v1/completions":
        assert events[-1][0] is None and events[-1][1]["error"]["code"]
    else:
        assert [kind for kind, _ in events[-2:]] == ["error", "response.failed"]
        assert [data["sequence_number"] for _, data in events] == list(range(len(events)))


@pytest.mark.parametrize("path,body", [("/v1/messages", messages("leave", model="slow")), ("/v1/completions", {"model": "slow", "prompt": "leave"}), ("/v1/responses", {"model": "slow", "input": "leave"})])
@pytest.mark.parametrize("how", [False, True])
def test_a_caller_who_leaves_ends_the_call(world, path, body, how):
    mock, gateway = world
    sent = json.dumps({**body, "stream": how}).encode()
    gone = lambda: sum(e["outcome"] == "client_left" for e in mock.seen())
    before = gone()
    with socket.create_connection(("127.0.0.1", gateway.http)) as s:
        s.sendall(b"POST %s HTTP/1.1\r\nhost: x\r\nx-api-key: app-key-0123456789\r\ncontent-length: %d\r\n\r\n" % (path.encode(), len(sent)) + sent)
        if how:
            assert s.recv(1)
        else:
            wait_for(lambda: gateway.status()["in_flight"] > 0)
    wait_for(lambda: gone() > before)
    wait_for(gateway.at_rest)


def test_the_same_idempotency_key_gets_the_first_answer_in_the_same_dialect(world):
    mock, gateway = world
    headers = {**KEY, "idempotency-key": "k-1", "x-mainstay-cache": "off"}
    first = ask(gateway, "/v1/messages", messages("only once"), headers)
    asked = len(mock.seen())
    again = ask(gateway, "/v1/messages", messages("only once"), headers)
    assert again[0] == 200 and again[2] == first[2] and len(mock.seen()) == asked
    assert ask(gateway, "/v1/messages", messages("another"), headers)[2]["type"] == "error"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/v1/completions"])
def test_a_cached_answer_is_told_as_a_stream(world, path):
    mock, gateway = world
    question = f"kept for {path}"
    body = {"/v1/messages": messages(question), "/v1/responses": {"model": "smart", "input": question}, "/v1/completions": {"model": "smart", "prompt": question}}[path]
    assert ask(gateway, path, body)[0] == 200
    asked = len(mock.seen())
    _, headers, events, _ = stream(gateway, path, body)
    assert headers["x-mainstay-source"] == "cache" and len(mock.seen()) == asked
    if path == "/v1/messages":
        message = put_together(events)
        assert message["content"][0]["text"] == expected_text(question) and message["usage"]["output_tokens"] == 60
    elif path == "/v1/responses":
        assert events[-1][1]["response"]["output"][0]["content"][0]["text"] == expected_text(question)
    else:
        assert "".join(e["choices"][0]["text"] for _, e in events if e["choices"]) == expected_text(question)


# -- legacy completions

def test_completions_plain_and_streamed(world):
    _, gateway = world
    status, _, body = ask(gateway, "/v1/completions", {"model": "smart", "prompt": [QUESTION], "max_tokens": 10, "n": 2})
    assert status == 200 and body["object"] == "text_completion" and [c["index"] for c in body["choices"]] == [0, 1]
    assert body["choices"][0]["finish_reason"] == "length" and body["usage"]["completion_tokens"] == 20
    status, _, events, done = stream(gateway, "/v1/completions", {"model": "smart", "prompt": QUESTION, "stream_options": {"include_usage": True}})
    assert status == 200 and done and all(kind is None and e["object"] == "text_completion" for kind, e in events)
    assert "".join(e["choices"][0]["text"] for _, e in events if e["choices"]) == expected_text(QUESTION)
    assert events[-1][1]["choices"] == [] and events[-1][1]["usage"]["completion_tokens"] == 60


def test_completions_refuse_what_a_chat_cannot_do(world):
    _, gateway = world
    for more, param in (({"echo": True}, "echo"), ({"prompt": ["a", "b"]}, "prompt"), ({"best_of": 3}, "best_of")):
        status, _, said = ask(gateway, "/v1/completions", {"model": "smart", "prompt": "x", **more})
        assert status == 400 and said["error"]["param"] == param


# -- responses

def test_a_response_plain_and_streamed(world):
    _, gateway = world
    status, _, body = ask(gateway, "/v1/responses", {"model": "smart", "input": QUESTION, "max_output_tokens": 1000, "metadata": {"a": "b"}})
    assert status == 200 and body["object"] == "response" and body["status"] == "completed" and body["metadata"] == {"a": "b"} and body["max_output_tokens"] == 1000
    assert body["output"][0]["content"][0]["text"] == expected_text(QUESTION) and body["usage"]["output_tokens"] == 60
    question = "streamed " + QUESTION
    status, _, events, done = stream(gateway, "/v1/responses", {"model": "smart", "input": question})
    assert status == 200 and not done and all(kind == data["type"] for kind, data in events)
    assert [data["sequence_number"] for _, data in events] == list(range(len(events)))
    assert "".join(d["delta"] for k, d in events if k == "response.output_text.delta") == expected_text(question)
    last = events[-1][1]["response"]
    assert events[-1][0] == "response.completed" and last["output"][0]["content"][0]["text"] == expected_text(question) and last["usage"]["output_tokens"] == 60


@pytest.mark.parametrize("how", ["plain", "streamed"])
def test_responses_with_functions_there_and_back(world, how):
    _, gateway = world
    def answer(items):
        body = {"model": "smart", "input": items, "tools": [FUNCTION]}
        if how == "plain":
            return ask(gateway, "/v1/responses", body)[2]
        return stream(gateway, "/v1/responses", body)[2][-1][1]["response"]
    items = [{"role": "user", "content": CALL_ME}]
    first = answer(items)
    call = first["output"][-1]
    assert call["type"] == "function_call" and call["name"] == "weather" and json.loads(call["arguments"]) == {"city": "Lisbon"}
    second = answer([*items, *first["output"], {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}])
    assert second["output"][0]["content"][0]["text"].startswith("echo: Please use the tool for Lisbon | ")


def test_responses_that_would_have_to_be_kept_are_refused_by_name(world):
    _, gateway = world
    for more in ({"store": True}, {"previous_response_id": "resp_1"}, {"background": True}, {"conversation": "c"}):
        status, _, said = ask(gateway, "/v1/responses", {"model": "smart", "input": "x", **more})
        assert status == 400 and said["error"]["param"] == next(iter(more)) and "not kept" in said["error"]["message"]
    for method in ("GET", "DELETE"):
        status, _, said = http_json(gateway.http, method, "/v1/responses/resp_1", headers=KEY)
        assert status == 404 and "not kept" in said["error"]["message"]


def test_paths_and_methods_that_are_not_served(world):
    _, gateway = world
    status, headers, said = http_json(gateway.http, "GET", "/v1/messages", headers=KEY)
    assert status == 405 and headers["allow"] == "POST" and said["type"] == "error"
    status, _, said = http_json(gateway.http, "POST", "/v1/message", {}, KEY)
    assert status == 404 and "POST /v1/messages" in said["error"]["message"]


def test_the_official_sdks_and_their_helpers_work_unchanged(world):
    _, gateway = world
    node = shutil.which("node")
    assert node, "node is needed: apt-get install nodejs npm"
    install_from_npm(PAIRINGS)
    done = subprocess.run([node, PAIRINGS / "dialects_in.mjs", str(gateway.http), "app-key-0123456789"], capture_output=True, text=True, timeout=120 * SLOW)
    print(done.stdout)
    assert done.returncode == 0 and done.stdout.count("ok ") == 10, done.stdout + done.stderr


def test_nothing_is_left_behind(world):
    _, gateway = world
    wait_for(gateway.at_rest)
