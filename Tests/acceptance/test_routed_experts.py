"""Which experts a token visited: the same however the cluster is cut, one list per token, only for those who ask."""

import collections
import concurrent.futures

import httpx
import openai
import pytest

from support import checkpoints
from support.cluster import EXACT, Cluster
from support.processes import wait_until
from support.streams import Stream

ASK = {"return_routed_experts": True, "return_token_ids": True, "ignore_eos": True}
PATHS = ["/v1/completions", "/v1/chat/completions"]
MESSAGES = [{"role": "user", "content": "which expert reads the prompt?"}]

REQUESTS = [
    {"prompt": checkpoints.prompt_ids(150), "temperature": 0, "max_tokens": 20},
    {"prompt": checkpoints.prompt_ids(1), "temperature": 0, "max_tokens": 5},
    {"prompt": "the gateway sends each token to an expert", "temperature": 1.2, "seed": 3, "n": 3, "max_tokens": 17},
    {"prompt": checkpoints.prompt_ids(40), "temperature": 0.8, "seed": 5, "echo": True, "logprobs": 3},
    {"prompt": [checkpoints.prompt_ids(9), checkpoints.prompt_ids(70)], "temperature": 1.0, "seed": 8},
]


def ask(cluster: Cluster, request: dict, path: str = "/v1/completions") -> dict:
    """The answer to one request that asks for experts."""
    answer = httpx.post(
        cluster.url + path, json={"model": "default", **ASK, **request}, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ask_together(cluster: Cluster) -> list[list]:
    """The choices of all requests, asked at once."""
    with concurrent.futures.ThreadPoolExecutor(len(REQUESTS)) as pool:
        return list(pool.map(lambda request: ask(cluster, request)["choices"], REQUESTS))


def check_shape(choice: dict, model: dict) -> None:
    """One element per token, one list per layer with a router, so many different experts that there are."""
    assert len(choice["routed_experts"]) == len(choice["token_ids"])
    for token in choice["routed_experts"]:
        assert len(token) == len(model["mixtureLayers"])
        for experts in token:
            assert len(experts) == len(set(experts)) == model["expertsPerToken"]
            assert all(0 <= expert < model["experts"] for expert in experts)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The choices that the single-process mode gives, one request at a time."""
    cluster = Cluster(checkpoints.DEFAULT, tmp_path_factory.mktemp("reference") / "state", workers=0)
    try:
        cluster.wait_until_ready()
        answers = [ask(cluster, request)["choices"] for request in REQUESTS]
        assert ask_together(cluster) == answers
        assert cluster.stop() == 0, cluster.process.transcript()
        yield answers
    finally:
        cluster.end()


def test_the_same_experts_with_and_without_workers(cluster, reference):
    model = cluster.status()["model"]
    assert ask_together(cluster) == reference
    for choices in reference:
        for choice in choices:
            check_shape(choice, model)
    tokens = [token for choices in reference for choice in choices for token in choice["routed_experts"]]
    assert len({expert for token in tokens for expert in token[0]}) == model["experts"], "the tokens differ"


def test_the_experts_are_those_of_the_reference(start_cluster):
    """What the family's own code chose, for models with all and with only some layers routed."""
    for checkpoint in checkpoints.all_checkpoints():
        cluster = start_cluster(model=checkpoint, workers=2, options=EXACT)
        config = checkpoints.configuration(checkpoint)
        model = cluster.status()["model"]
        assert model["layers"] == config["num_hidden_layers"]
        counts = [config.get(key) for key in ("num_experts", "num_local_experts", "n_routed_experts")]
        assert model["experts"] in counts
        assert model["expertsPerToken"] == config["num_experts_per_tok"]
        dense = {*(config.get("mlp_only_layers") or []), *range(config.get("first_k_dense_replace", 0))}
        step = config.get("decoder_sparse_step", 1)
        routed = [layer for layer in range(model["layers"]) if layer not in dense and (layer + 1) % step == 0]
        assert model["mixtureLayers"] == routed
        for expected in checkpoints.golden(checkpoint)["answers"]:
            request = {"prompt": expected["prompt"], "max_tokens": len(expected["greedy"]), "temperature": 0}
            choice = ask(cluster, request)["choices"][0]
            assert choice["token_ids"] == expected["greedy"]
            assert choice["routed_experts"] == expected["routed_experts"]
        assert cluster.stop() == 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "options", [{}, {"n": 2}, {"stop": ["e", "expert "]}, {"logprobs": True}, {"skip_special_tokens": False}])
def test_a_stream_adds_up_to_the_whole_answer(cluster, path, options):
    request = {"max_tokens": 30, "temperature": 1.5, "top_k": 0, "top_p": 1.0, "seed": 21, **options}
    request |= {"messages": MESSAGES} if "chat" in path else {"prompt": "the expert "}
    whole = ask(cluster, request, path)
    stream = Stream(cluster.url, {**ASK, **request}, path)
    stream.wait_for_end(60)
    assert stream.is_done and stream.failure is None
    added = collections.defaultdict(list)
    for event in stream.events:
        for choice in event["choices"]:
            added[choice["index"]] += choice["routed_experts"]
    assert len(whole["choices"]) == options.get("n", 1)
    for choice in whole["choices"]:
        assert added[choice["index"]] == choice["routed_experts"]
        check_shape(choice, cluster.status()["model"])
    assert sum(map(len, added.values())) == whole["usage"]["completion_tokens"]


@pytest.mark.parametrize("path", PATHS)
def test_who_does_not_ask_gets_none(cluster, path):
    request = {"max_tokens": 5, "messages": MESSAGES} if "chat" in path else {"max_tokens": 5, "prompt": "a"}
    for more in ({}, {"stream": True}, {"return_routed_experts": False}):
        answer = httpx.post(
            cluster.url + path, json={"model": "default", **request, **more}, timeout=60, trust_env=False)
        assert answer.status_code == 200
        assert "routed_experts" not in answer.text


def test_what_is_no_boolean_is_refused(cluster):
    answer = httpx.post(
        cluster.url + "/v1/completions", json={"prompt": "a", "return_routed_experts": "yes"}, timeout=60,
        trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "return_routed_experts"


def test_clients_that_know_nothing_of_it_can_ask(cluster):
    """`openai` passes on fields that it does not know, both ways."""
    with openai.OpenAI(base_url=f"{cluster.url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        answer = client.chat.completions.create(
            model="default", messages=MESSAGES, max_tokens=4, extra_body={**ASK, "temperature": 0})
    experts = answer.choices[0].model_extra["routed_experts"]
    assert len(experts) == answer.usage.completion_tokens == 4


def test_the_state_counts_what_workers_did(start_cluster):
    """Every computed position visits its experts on the workers: rows, dispatches and time are counted there."""
    # Of its own: counts come with heartbeats, so those of an earlier test may still be under way in a shared one.
    cluster = start_cluster()

    def total(key: str) -> int:
        return sum(node[key] for node in cluster.status()["nodes"] if node["role"] == "worker")

    keys = ("dispatches", "expertRows", "computeMicroseconds")
    assert all(total(key) == 0 for key in keys)
    ask(cluster, {"prompt": checkpoints.prompt_ids(50), "max_tokens": 11, "temperature": 0})
    model = cluster.status()["model"]
    # The last token of an answer is not computed: nothing follows it.
    rows = (50 + 11 - 1) * len(model["mixtureLayers"]) * model["expertsPerToken"]
    # Counts come with heartbeats.
    wait_until(lambda: total("expertRows") >= rows, what="the rows are not counted")
    assert total("expertRows") == rows
    assert all(total(key) > 0 for key in keys)
    phases = cluster.status()["work"]["phaseSeconds"]
    names = {"attention", "combine", "dense", "dispatch", "dispatchWait", "head", "route", "sample"}
    assert set(phases) == names
    assert all(phases[name] > 0 for name in names - {"dense"})
