"""A GGUF file is a model like a directory: it answers the same, bit for bit, and what is wrong with it is said."""

import json

import pytest

from support import checkpoints, gguf_files
from support.processes import ROOT, executable, run
from test_bad_input import refused

BUNDLED = ROOT / "cluster" / "models" / "antling"
FUSED = checkpoints.CHECKPOINTS / "qwen3_moe_fused_f16"
COMMON = {"logprobs": 5, "return_token_ids": True, "return_tokens_as_token_ids": True, "ignore_eos": True}
REQUESTS = [
    {"prompt": checkpoints.prompt_ids(33), "temperature": 0, "max_tokens": 20, "echo": True},
    {"prompt": "What is 347 + 285?", "temperature": 0, "max_tokens": 20},
    {"prompt": checkpoints.prompt_ids(7), "temperature": 0.9, "top_p": 0.8, "top_k": 0, "seed": 7, "max_tokens": 20},
]


def answers(cluster) -> list:
    """The choices of every request, numbers as text."""
    return [cluster.complete(**COMMON, **request)["choices"] for request in REQUESTS]


@pytest.mark.parametrize("source, kind", [(BUNDLED, "BF16"), (FUSED, "F16"), (BUNDLED, "F32")])
def test_a_file_answers_as_the_directory(start_cluster, tmp_path, source, kind):
    """Weights are the same numbers in either container, so answers are the same bits, on any number of workers."""
    path = gguf_files.convert(source, tmp_path / "model.gguf", kind)
    expected = answers(start_cluster(model=source, workers=0))
    assert len({json.dumps(answer) for answer in expected}) == len(REQUESTS)
    for workers in (0, 3):
        cluster = start_cluster(model=path, workers=workers)
        assert answers(cluster) == expected
        with cluster.client() as client:
            assert client.get("/v1/models").json()["data"][0]["id"] == "model"
        assert cluster.stop() == 0


def test_a_split_model_is_opened_by_any_part(start_cluster, tmp_path):
    """Three files are one model."""
    first = gguf_files.convert(BUNDLED, tmp_path / "split.gguf", "BF16", tensors_per_file=30)
    parts = sorted(tmp_path.glob("split-*.gguf"))
    assert parts[0] == first and len(parts) == 3
    expected = answers(start_cluster(model=BUNDLED, workers=0))
    assert answers(start_cluster(model=parts[1], workers=2)) == expected


def test_blocks_answer_the_same_on_workers(start_cluster, tmp_path):
    """Weights in blocks of small integers: other answers than those of the directory, but the same however it is cut."""
    path = gguf_files.convert(BUNDLED, tmp_path / "model.gguf", "Q8_0")
    expected = answers(start_cluster(model=path, workers=0))
    assert answers(start_cluster(model=path, workers=3)) == expected


@pytest.mark.parametrize(
    "kind, options, stored",
    [("Q8_0", [], "f16"), ("BF16", [], "f32"), ("Q8_0", ["--coordinator-kv-cache-format", "int8"], "int8")],
)
def test_keys_and_values_are_stored_as_weights_allow(start_cluster, tmp_path, kind, options, stored):
    """Half the memory where weights are rounded anyway, their own bits where they are not, and what was asked for."""
    path = gguf_files.convert(BUNDLED, tmp_path / "model.gguf", kind)
    alone = start_cluster(model=path, workers=0, options=options)
    assert alone.status()["model"]["keyValueFormat"] == stored
    table = run([executable("clusterctl"), "status", "--state", str(alone.state)])
    assert table.returncode == 0 and f" tokens in {stored};" in table.stdout
    assert answers(start_cluster(model=path, workers=2, options=options)) == answers(alone)


def test_text_is_the_directorys(tmp_path):
    """The tokenizer and the chat template of the file are those of the directory."""
    path = gguf_files.convert(BUNDLED, tmp_path / "model.gguf", "BF16")
    text = "What's 12 × 34?\n\n  {\"a\": [1, 2]} <|end|> naïve übermäßig 東京 🙂\t!"
    conversation = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "add_generation_prompt": True})
    for command, standard_input in (("tokenize", text), ("template", conversation)):
        outputs = []
        for model in (BUNDLED, path):
            result = run([executable("clusterctl"), command, "--model", str(model)], text=standard_input)
            assert result.returncode == 0, result.stderr
            outputs.append(result.stdout)
        assert outputs[0] == outputs[1] and outputs[0]


def test_a_chat_ends_where_the_directorys_does(start_cluster, tmp_path):
    """The end token and the template reach the gateway."""
    path = gguf_files.convert(BUNDLED, tmp_path / "model.gguf", "BF16")
    body = {"model": "default", "messages": [{"role": "user", "content": "What is 347 + 285?"}], "temperature": 0}
    choices = []
    for model in (BUNDLED, path):
        with start_cluster(model=model, workers=0).client() as client:
            choices.append(client.post("/v1/chat/completions", json=body).json()["choices"][0])
    assert choices[0] == choices[1] and choices[0]["finish_reason"] == "stop"


@pytest.fixture
def spoilt(tmp_path):
    """A small file to spoil."""
    return gguf_files.convert(checkpoints.DEFAULT, tmp_path / "spoilt.gguf", "BF16")


@pytest.mark.parametrize("workers", [0, 2])
def test_truncated_files(spoilt, workers):
    whole = spoilt.read_bytes()
    spoilt.write_bytes(whole[:-5000])
    refused(spoilt, "spoilt.gguf", "data bytes", workers=workers)
    spoilt.write_bytes(whole[:900])
    refused(spoilt, "spoilt.gguf", "truncated", "900", workers=workers)


def test_other_files(spoilt, tmp_path):
    spoilt.write_bytes(b"PK\3\4" + bytes(100))
    refused(spoilt, "spoilt.gguf", "504b0304")
    refused(checkpoints.DEFAULT / "config.json", "not a GGUF file", state=tmp_path / "state")
    refused(tmp_path / "no.gguf", "no.gguf", "a Hugging Face model directory or a .gguf file")


def test_architectures_that_are_not_supported(tmp_path):
    path = gguf_files.convert(checkpoints.DEFAULT, tmp_path / "other.gguf", "BF16", architecture="dbrx")
    refused(path, "'dbrx'", "qwen3moe")


def test_a_part_that_is_missing(tmp_path):
    gguf_files.convert(checkpoints.DEFAULT, tmp_path / "split.gguf", "BF16", tensors_per_file=20)
    parts = sorted(tmp_path.glob("split-*.gguf"))
    parts[1].unlink()
    refused(parts[0], parts[1].name, parts[0].name, "is missing")


def test_types_that_are_not_known(spoilt):
    """The type is named when the tensor is needed; a file may carry others that are not."""
    data = bytearray(spoilt.read_bytes())
    place = data.index(b"blk.1.attn_q.weight") + len("blk.1.attn_q.weight") + 4 + 2 * 8
    assert data[place : place + 4] == bytes([30, 0, 0, 0])
    data[place] = 18
    spoilt.write_bytes(data)
    refused(spoilt, "blk.1.attn_q.weight", "IQ3_XXS")
