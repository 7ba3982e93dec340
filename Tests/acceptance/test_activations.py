"""How activations meet weights in blocks is a setting of the cluster: the same bits on any number of workers with
either, and rounding them to 8 bits hardly moves what the model says."""

import json
import sys

import pytest

from support import gguf_files
from support.processes import ROOT, executable, run
from test_gguf import BUNDLED, answers

sys.path.insert(0, str(ROOT / "cluster" / "models" / "train"))

import compare  # noqa: E402
import score  # noqa: E402

DIVERGENCE_MAX = 1e-3
TEXT_TOKENS = 384
QUESTIONS_PER_TASK = 20


def setting(activations: str) -> list[str]:
    """Options of `clusterctl up`."""
    return ["--coordinator-activations", activations]


@pytest.fixture(scope="module", params=["Q8_0", "Q4_0"])
def quantised(request, tmp_path_factory):
    """The bundled model in blocks."""
    return gguf_files.convert(BUNDLED, tmp_path_factory.mktemp(request.param) / "model.gguf", request.param)


def test_any_cut_gives_the_same_bits(start_cluster, quantised):
    """Workers are started alike: they follow the coordinator."""
    found = {}
    for activations in ("int8", "f32"):
        alone = start_cluster(model=quantised, workers=0, options=setting(activations))
        found[activations] = answers(alone)
        for cluster in (alone, start_cluster(model=quantised, workers=3, options=setting(activations))):
            assert cluster.status()["model"]["activations"] == activations
            with cluster.client() as client:
                assert client.get("/cluster").json()["model"]["activations"] == activations
            table = run([executable("clusterctl"), "status", "--state", str(cluster.state)])
            assert table.returncode == 0 and f"activations in {activations}," in table.stdout
            log = (cluster.state / "logs" / "coordinator.log").read_text()
            assert f"activations={activations}" in next(line for line in log.splitlines() if "engine started" in line)
            assert answers(cluster) == found[activations]
    assert found["int8"] != found["f32"], "logprobs are the same whatever is rounded"


def test_rounding_hardly_moves_predictions(start_cluster, quantised):
    """All probabilities of the next token, everywhere in a text that the model wrote itself."""
    cluster = start_cluster(model=quantised, workers=0, options=setting("f32"))
    text = cluster.complete(
        prompt=[2], temperature=1, seed=7, top_k=0, max_tokens=TEXT_TOKENS, ignore_eos=True, return_token_ids=True)
    tokens = text["choices"][0]["token_ids"]
    assert len(tokens) == TEXT_TOKENS
    command = [executable("clusterbench"), "accuracy", "--json", "--model", str(quantised), "--activations"]
    divergence = {}
    for activations in ("f32", "int8"):
        result = run([*command, activations], text=json.dumps(tokens))
        assert result.returncode == 0, result.stderr
        report = json.loads(result.stdout)
        assert report["tokens"] == TEXT_TOKENS
        divergence[activations] = report["divergenceMean"]
    assert divergence["f32"] == 0
    assert 0 < divergence["int8"] <= DIVERGENCE_MAX


def test_greedy_answers_stay(start_cluster, quantised):
    """The questions that the model has never seen."""
    urls = tuple(
        start_cluster(model=quantised, workers=0, options=setting(activations)).url for activations in ("f32", "int8"))
    found = compare.differences(urls, score.questions(QUESTIONS_PER_TASK, seed=0))
    assert not any(found.values()), found
