"""Vectors of texts, through both doors: what is asked for reaches the provider as it was written, and everything that keeps chats alive keeps
them alive too."""
import base64
import struct

import pytest

from harness import FAST, Dealer, http_json, model, provider, wait_for

TEXTS = ["the beacon at the harbour", "the beacon at the harbor", "a recipe for bread"]


@pytest.fixture
def two(start):
    def begin(**more):
        a, b = start.mock("a"), start.mock("b")
        return a, b, start.gateway({"providers": [provider("a", a), provider("b", b)], "retry": FAST,
                                    "models": [model("vectors", "a/e-small", fallbacks=["b/e-small"])], **more})
    return begin


def ask(gateway, body, headers=None):
    return http_json(gateway.http, "POST", "/v1/embeddings", {"model": "vectors", **body}, headers)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b))  # of unit length


def test_several_texts_are_answered_in_one_call_and_in_order(two):
    a, _, gateway = two()
    status, headers, body = ask(gateway, {"input": TEXTS})
    assert status == 200 and [d["index"] for d in body["data"]] == [0, 1, 2], body
    one, near, far = (d["embedding"] for d in body["data"])
    assert cosine(one, near) > 0.5 > cosine(one, far)
    assert (headers["x-mainstay-source"], headers["x-mainstay-provider"], headers["x-mainstay-model"]) == ("primary", "a", "e-small")
    assert len(a.seen()) == 1


def test_base64_is_the_same_as_numbers(two):
    _, _, gateway = two()
    numbers = ask(gateway, {"input": TEXTS[0], "encoding_format": "float"})[2]["data"][0]["embedding"]
    packed = ask(gateway, {"input": TEXTS[0], "encoding_format": "base64"})[2]["data"][0]["embedding"]
    assert struct.unpack(f"<{len(numbers)}f", base64.b64decode(packed)) == pytest.approx(numbers, abs=1e-6)


def test_tokens_in_place_of_texts_reach_the_provider(two):
    _, _, gateway = two()
    status, _, body = ask(gateway, {"input": [[15496, 995], [50256]]})
    assert status == 200 and len(body["data"]) == 2 and body["usage"]["prompt_tokens"] > 0


@pytest.mark.parametrize("rule", [{"status": 503}, {"fault": "reset"}, {"status": 401}, {"fault": "half_json"}, {"fault": "html"}], ids=str)
def test_a_failing_provider_is_worked_around(two, rule):
    a, _, gateway = two()
    a.script({**rule, "path": "*/embeddings"})
    status, headers, body = ask(gateway, {"input": "x"})
    assert status == 200 and headers["x-mainstay-provider"] == "b" and headers["x-mainstay-source"] == "fallback", (status, headers, body)
    wait_for(gateway.at_rest)


@pytest.mark.parametrize("body,param", [({}, "input"), ({"input": []}, "input"), ({"input": {"a": 1}}, "input"), ({"input": ["a", 1]}, "input"),
                                        ({"input": "x", "encoding_format": "hex"}, "encoding_format"), ({"input": "x", "model": "none"}, "model")], ids=str)
def test_a_wrong_body_is_its_callers_to_mend(two, body, param):
    a, _, gateway = two()
    status, headers, answer = ask(gateway, body)
    assert status in (400, 404) and answer["error"]["param"] == param and headers["x-should-retry"] == "false", answer
    assert len(a.seen()) == 0


def test_a_provider_without_embeddings_is_passed_over(start):
    a, b = start.mock("a"), start.mock("b")
    gateway = start.gateway({"providers": [provider("a", a, dialect="anthropic"), provider("b", b)],
                             "models": [model("vectors", "a/claude", fallbacks=["b/e-small"]), model("only", "a/claude")]})
    status, headers, _ = ask(gateway, {"input": "x"})
    assert (status, headers["x-mainstay-provider"], headers["x-mainstay-attempts"]) == (200, "b", "1")
    status, _, body = ask(gateway, {"input": "x", "model": "only"})
    assert status == 400 and body["error"]["code"] == "unsupported_request" and "Anthropic" in body["error"]["message"], body
    assert len(a.seen()) == 0


def test_the_cache_keeps_vectors_apart_from_chats(two):
    a, _, gateway = two(cache={"ttl": "1h"})
    first = ask(gateway, {"input": TEXTS})
    again = ask(gateway, {"input": TEXTS})
    assert first[1]["x-mainstay-source"] == "primary" and again[1]["x-mainstay-source"] == "cache" and again[2] == first[2]
    assert len(a.seen()) == 1


def test_the_message_queue_has_them_too_also_across_a_crash(start, tmp_path):
    a = start.mock("a")
    gateway = start.gateway({"providers": [provider("a", a)], "models": [model("vectors", "a/e-small")], "journal": {"path": str(tmp_path / "j.db")}})
    body = {"model": "vectors", "input": TEXTS}
    with Dealer(gateway.zmq_url) as caller:
        caller.send(b"1", b"embeddings", body)
        assert len(caller.answer().body["data"]) == 3
        a.script({"path": "*/embeddings", "fault": "silence"})
        caller.send(b"2", b"embeddings", body, {"durable": "true"})
        assert caller.receive()[1] == "accepted"
    gateway.kill()
    a.script()
    again = start.gateway({"providers": [provider("a", a)], "models": [model("vectors", "a/e-small")], "journal": {"path": str(tmp_path / "j.db")}})
    with Dealer(again.zmq_url) as caller:
        caller.send(b"2", b"collect")
        answer = caller.answer()
        assert answer.status == 200 and len(answer.body["data"]) == 3, answer


def test_a_client_may_ask_for_its_models_only_and_pays_for_what_it_asked(two):
    _, _, gateway = two(clients=[{"name": "app", "key": "key-of-the-app-16", "models": ["vectors"], "tpm": 60}])
    mine = {"authorization": "Bearer key-of-the-app-16"}
    assert ask(gateway, {"input": "x"})[0] == 401
    assert ask(gateway, {"input": "x", "model": "other"}, mine)[0] == 404
    assert ask(gateway, {"input": "one two three four " * 8}, mine)[0] == 200
    status, headers, _ = ask(gateway, {"input": "one two three four " * 8}, mine)
    assert status == 429 and int(headers["retry-after"]) > 0
