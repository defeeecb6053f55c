"""OpenAI's own description of its API judges what is answered here: Prism stands between caller and door and says what violates it; the events
of streams, which Prism does not read, are judged by the same schemas."""
import json
import os
import pathlib
import shutil

import jsonschema
import pytest

from harness import FAST, Process, chat_body, free_port, http_json, install_from_npm, model, provider, wait_for

JUDGE = pathlib.Path(__file__).parent / "openapi"
DESCRIPTION = json.loads((JUDGE / "openai.json").read_text())
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object", "properties": {"echo": {"type": "string"}}}}}
DIALECTS = ("openai", "anthropic", "gemini")


def schema(name):
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DESCRIPTION["components"]})


@pytest.fixture(scope="module")
def prism(tmp_path_factory):
    """Starts the judge before a door; what it answers is the door's answer, or 500 with the violations."""
    node = shutil.which("node")
    assert node, "node is needed: apt-get install nodejs npm"
    install_from_npm(JUDGE)
    begun = []

    def begin(door):
        port = free_port()
        command = [node, JUDGE / "node_modules/@stoplight/prism-cli/dist/index.js", "proxy", JUDGE / "openai.json", f"http://127.0.0.1:{door}/v1",
                   "--errors", "--port", port]
        judge = Process(command, tmp_path_factory.mktemp("prism") / "prism.log", env={**os.environ, "NO_COLOR": "1"})
        begun.append(judge)
        wait_for(lambda: "is listening" in judge.log() or not judge.alive(), 60)
        assert judge.alive(), judge.log()
        return port

    yield begin
    for judge in begun:
        judge.kill()


@pytest.fixture(scope="module")
def world(start_module, prism):
    """A model for each dialect that providers speak, one that is limited, one that is down, one with canned answers."""
    mocks = {d: start_module.mock(d) for d in DIALECTS}
    limited, down = start_module.mock("limited"), start_module.mock("down")
    limited.script({"status": 429, "retry_after": "7"})
    down.script({"status": 503}, {"status": 503, "path": "*/embeddings"})
    gateway = start_module.gateway({
        "providers": [provider(d, m, dialect=d, unsupported="drop") for d, m in mocks.items()] + [provider("limited", limited), provider("down", down)],
        "models": [model(d, f"{d}/{d}-model") for d in DIALECTS] + [model("limited", "limited/m"), model("down", "down/m"),
                                                                    model("rescued", "down/m", fallbacks=["gemini/g"])],
        "cache": {"ttl": "1h"}, "retry": {**FAST, "max_retries": 0}, "deadline": "3s"})
    gateway.judge = prism(gateway.http)
    return gateway


def judged(gateway, path, body=None, method="POST"):
    status, headers, answer = http_json(gateway.judge, method, path, body)
    assert "violations" not in (answer or {}) and "sl-violations" not in headers, (status, json.dumps(answer)[:2000], headers.get("sl-violations"))
    return status, headers, answer


PLAIN = {"a question": {}, "a tool that is called": {"question": "use the tool for Paris", "tools": [TOOL]}, "an answer in JSON": {"response_format": SCHEMA},
         "a cap": {"max_tokens": 3}, "sampling": {"temperature": 0.5, "top_p": 0.9, "stop": ["zzz"]}}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("what", PLAIN)
def test_whole_answers_are_as_described(world, dialect, what):
    body = {**PLAIN[what]}
    question = body.pop("question", f"{what} for {dialect}")
    for source in ("primary", "cache"):
        status, headers, answer = judged(world, "/chat/completions", {**chat_body(question), "model": dialect, **body})
        assert (status, headers["x-mainstay-source"], headers["x-mainstay-provider" if source == "primary" else "x-mainstay-source"]) == \
            (200, source, dialect if source == "primary" else source), answer
        schema("CreateChatCompletionResponse").validate(answer)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("what", PLAIN)
def test_every_event_of_a_stream_is_as_described(world, dialect, what):
    body = {**PLAIN[what]}
    question = body.pop("question", f"{what} streamed for {dialect}")
    for _ in range(2):  # the second time out of the cache
        answer = world.chat(question, True, model=dialect, stream_options={"include_usage": True}, **body)
        assert answer.status == 200 and answer.done and not answer.error, answer
        for event in answer.events:
            schema("CreateChatCompletionStreamResponse").validate(event)


def test_errors_are_as_described(world):
    for body, expected in [({"model": "none"}, 404), ({"model": "limited"}, 429), ({"model": "down"}, 503)]:
        status, _, answer = judged(world, "/chat/completions", {**chat_body("an error"), **body})
        assert status == expected, answer
        schema("ErrorResponse").validate(answer)
    assert judged(world, "/models/none", method="GET")[0] == 404


def test_a_fallback_in_another_dialect_is_as_described(world):
    status, headers, _ = judged(world, "/chat/completions", {**chat_body("a rescue"), "model": "rescued"})
    assert (status, headers["x-mainstay-source"], headers["x-mainstay-provider"]) == (200, "fallback", "gemini")


def test_models_are_as_described(world):
    status, _, answer = judged(world, "/models", method="GET")
    assert status == 200 and len(answer["data"]) == 6
    assert judged(world, "/models/openai", method="GET")[0] == 200


@pytest.mark.parametrize("dialect", ["openai", "gemini"])
def test_embeddings_are_as_described(world, dialect):
    status, _, answer = judged(world, "/embeddings", {"model": dialect, "input": ["one", "two"], "encoding_format": "float"})
    assert status == 200 and len(answer["data"]) == 2, answer
    assert judged(world, "/embeddings", {"model": "down", "input": "x"})[0] == 503
