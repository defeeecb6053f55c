"""The fake provider as Google's: what it refuses, that a translator must get right (docs/mock.md). Its answers are judged by Google's SDK in
test_pairings.py."""
import json

import pytest

from harness import expected_text, http_json

MODEL, THIRD = "gemini-2.5-flash", "gemini-3-pro-preview"
ASK = {"role": "user", "parts": [{"text": "Hello"}]}
CALL = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
SIGNED = {"role": "model", "parts": [{**CALL["parts"][0], "thoughtSignature": "c2ln"}]}
RESULT = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "x"}}}]}
TOOLS = [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}]


@pytest.fixture(scope="module")
def mock(start_module):
    return start_module.mock("google", require_key=True)


def ask(mock, body, model=MODEL, key="k"):
    return http_json(mock.port, "POST", f"/v1beta/models/{model}:generateContent", {"contents": [ASK], **body}, {"x-goog-api-key": key} if key else {})


REFUSED = {
    "an unknown member": ({"foo": 1}, "Unknown name \"foo\""),
    "one of OpenAI's": ({"generationConfig": {"max_tokens": 1}}, "Unknown name \"max_tokens\""),
    "nobody speaks": ({"contents": []}, "contents is not specified"),
    "a turn without parts": ({"contents": [{"role": "user", "parts": []}]}, "parts must not be empty"),
    "an unknown role": ({"contents": [{"role": "assistant", "parts": ASK["parts"]}]}, "valid role"),
    "a part of two kinds": ({"contents": [{"role": "user", "parts": [{"text": "a", "fileData": {"fileUri": "b"}}]}]}, "one initialized field"),
    "a call without a result": ({"contents": [ASK, CALL, ASK]}, "number of function response parts"),
    "a call at the end": ({"contents": [ASK, CALL]}, "followed by a function response"),
    "a result without a call": ({"contents": [ASK, RESULT]}, "comes immediately after a function call turn"),
    "a result that is no object": ({"contents": [ASK, CALL, {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": "x"}}]}]}, "Struct"),
    "JSON beside tools": ({"tools": TOOLS, "generationConfig": {"responseMimeType": "application/json"}}, "is unsupported"),
    "two schemas of one function": ({"tools": [{"functionDeclarations": [{"name": "f", "parameters": {}, "parametersJsonSchema": {}}]}]}, "mutually exclusive"),
    "allowed names in the wrong mode": ({"tools": TOOLS, "toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["f"]}}}, "may only be set"),
    "six stop sequences": ({"generationConfig": {"stopSequences": list("abcdef")}}, "at most 5"),
    "a level below gemini-3": ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}, "not supported"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_google_refuses_is_refused(mock, what):
    body, words = REFUSED[what]
    status, _, answer = ask(mock, body)
    assert status == 400 and answer["error"]["status"] == "INVALID_ARGUMENT" and words in answer["error"]["message"]


def test_calls_of_gemini_3_must_bring_their_signatures_back(mock):
    assert ask(mock, {"contents": [ASK, CALL, RESULT]})[0] == 200
    status, _, answer = ask(mock, {"contents": [ASK, CALL, RESULT]}, THIRD)
    assert status == 400 and "thought_signature" in answer["error"]["message"]
    assert ask(mock, {"contents": [ASK, SIGNED, RESULT]}, THIRD)[0] == 200


def test_the_text_is_that_of_the_conversation(mock):
    status, _, answer = ask(mock, {"contents": [{"role": "user", "parts": [{"text": "Hello 漢字"}]}]})
    assert status == 200 and answer["candidates"][0]["content"]["parts"][0]["text"] == expected_text("Hello 漢字")
    assert answer["candidates"][0]["finishReason"] == "STOP" and answer["usageMetadata"]["candidatesTokenCount"] == 60


def test_without_a_key_and_over_a_limit_it_answers_as_google_does(mock):
    status, _, answer = ask(mock, {}, key="")
    assert status == 403 and answer["error"]["status"] == "PERMISSION_DENIED"
    assert http_json(mock.port, "POST", f"/v1beta/models/{MODEL}:generateContent?key=k", {"contents": [ASK]})[0] == 200
    mock.script({"limits": {"rpm": 1}})
    assert ask(mock, {})[0] == 200
    status, headers, answer = ask(mock, {})
    kinds = {d["@type"].rsplit(".", 1)[1]: d for d in answer["error"]["details"]}
    assert status == 429 and "PerMinute" in kinds["QuotaFailure"]["violations"][0]["quotaId"] and kinds["RetryInfo"]["retryDelay"].endswith("s")
    assert not any(name.startswith("x-ratelimit-") for name in headers)
    mock.script()


def test_a_stream_ends_with_its_body_and_nothing_else(mock):
    body = {"contents": [ASK], "generationConfig": {"maxOutputTokens": 3}}
    status, headers, text = http_json(mock.port, "POST", f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse", body, {"x-goog-api-key": "k"})
    events = [json.loads(e.removeprefix("data: ")) for e in text.split("\r\n\r\n") if e]
    assert status == 200 and headers["content-type"].startswith("text/event-stream") and len(events) == 4
    assert [e["candidates"][0].get("finishReason") for e in events] == [None, None, None, "MAX_TOKENS"]
    assert all(e["usageMetadata"]["promptTokenCount"] == 1 for e in events) and "[DONE]" not in text
