"""What is wrong is refused with one clear line: no crash, no hang, nothing left behind."""

import json
import socket
import time

import pytest

from support import checkpoints
from support.processes import CRASH_WORDS, Process, executable, run, wait_until

TENSOR = "model.layers.1.mlp.experts.3.up_proj.weight"


def refused(model, *words: str, workers: int = 2, state=None, options: tuple[str, ...] = ()) -> str:
    """Starts `up`, expects it to refuse within half a minute with one line that has all the words; gives it back."""
    state = state or (model.parent / "refused-state")
    command = [executable("clusterctl"), "up", "--model", str(model), "--workers", str(workers), "--state", str(state)]
    process = Process(command + ["--listen", "127.0.0.1:0", *options])
    try:
        wait_until(lambda: process.popen.poll() is not None or process.output, 30, process.transcript)
        assert not [line for line in process.output if line.startswith("ready")], f"started\n{process.transcript()}"
        status = process.wait(30)
        left = process.living()
    finally:
        process.end()
    text = "\n".join(process.errors)
    assert status in (1, 2), f"exit status {status}\n{process.transcript()}"
    assert not [word for word in CRASH_WORDS if word in text], text
    assert not left, f"processes are left: {left}"
    lines = [line for line in process.errors if all(word in line for word in words)]
    assert lines, f"no line with {words}\n{process.transcript()}"
    assert len(lines[-1]) < 600
    return lines[-1]


@pytest.fixture
def model(tmp_path):
    """A copy to spoil."""
    return checkpoints.copy(tmp_path / "spoilt")


def test_no_such_model(tmp_path):
    refused(tmp_path / "no-such-model", "no-such-model")


def test_directory_without_a_model(tmp_path):
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "config.json")


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("missing_bytes", [1, 100_000])
def test_truncated_weights(model, workers, missing_bytes):
    path = checkpoints.weight_files(model)[-1]
    checkpoints.truncate(path, missing_bytes)
    refused(model, path.name, workers=workers)


def test_weights_cut_within_the_header(model):
    path = checkpoints.weight_files(model)[0]
    path.write_bytes(path.read_bytes()[:100])
    refused(model, path.name)


def test_lying_header_length(model):
    path = checkpoints.weight_files(model)[0]
    path.write_bytes((2**62).to_bytes(8, "little") + path.read_bytes()[8:])
    refused(model, path.name)


def test_overlapping_tensors(model):
    path = checkpoints.holder_of(model, TENSOR)
    checkpoints.rewrite_header(path, lambda header: header[TENSOR].update(data_offsets=[0, 4096]))
    refused(model, path.name)


@pytest.mark.parametrize("workers", [0, 2])
def test_missing_tensor(model, workers):
    checkpoints.remove_tensor(model, TENSOR)
    refused(model, TENSOR, workers=workers)


def test_missing_file(model):
    path = checkpoints.weight_files(model)[0]
    path.unlink()
    refused(model, path.name)


@pytest.mark.parametrize("workers", [0, 2])
def test_wrong_shape(model, workers):
    checkpoints.reshape_tensor(model, TENSOR, [64, 32])
    line = refused(model, TENSOR, workers=workers)
    assert line.count("32") >= 2 and line.count("64") >= 2, "says which shape was expected and which was found"


def test_unknown_architecture(model):
    checkpoints.change_config(model, model_type="wonder", architectures=["WonderForCausalLM"])
    line = refused(model, "qwen3_moe")
    assert "wonder" in line.lower()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_experts": 16}, ["experts.8."]),
        ({"hidden_size": 128}, ["128", "64"]),
        ({"num_hidden_layers": 4}, ["layers.3."]),
        ({"vocab_size": 400}, ["400", "320"]),
        ({"moe_intermediate_size": 48}, ["48", "32"]),
        ({"num_key_value_heads": 1}, ["k_proj"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_config_contradicts_weights(model, changes, words):
    checkpoints.change_config(model, **changes)
    refused(model, *words)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 0}, {"num_attention_heads": -4}, {"hidden_size": "64"}, {"hidden_size": 10**12},
        {"num_experts_per_tok": 9}, {"num_key_value_heads": 3}, {"vocab_size": ...}, {"rms_norm_eps": "small"},
        {"rope_theta": 0}, {"hidden_act": "relu"}, {"head_dim": 15}, {"mlp_only_layers": "all"},
        {"rope_scaling": "wonder"},
    ],
    ids=lambda changes: "-".join(f"{key}={value}" for key, value in changes.items())[:40],
)
def test_impossible_config(model, changes):
    checkpoints.change_config(model, **changes)
    refused(model, next(iter(changes)))


def test_unknown_scaling_of_positions(model):
    checkpoints.change_config(model, rope_scaling={"rope_type": "wonder", "factor": 2.0})
    line = refused(model, "wonder")
    assert "yarn" in line, "names what is supported"


def test_config_is_not_json(model):
    (model / "config.json").write_text('{"hidden_size": 64,,}')
    refused(model, "config.json", "byte")


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json", "generation_config.json"])
def test_other_file_is_not_json(model, name):
    (model / name).write_text("{")
    refused(model, name)


def test_port_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        started = time.monotonic()
        command = [executable("clusterctl"), "up", "--model", str(checkpoints.DEFAULT), "--workers", "1"]
        process = Process(command + ["--listen", f"127.0.0.1:{port}"])
        try:
            assert process.wait(30) == 1, process.transcript()
            assert not process.living()
        finally:
            process.end()
        assert any(str(port) in line for line in process.errors), process.transcript()
        assert time.monotonic() - started < 20


def test_state_directory_not_writable(tmp_path):
    (tmp_path / "file").write_text("")
    # A directory below a file: not writable for anybody, the superuser included.
    refused(checkpoints.DEFAULT, "file/state", state=tmp_path / "file" / "state")


def test_plan_does_not_fit(tmp_path):
    model = checkpoints.with_more_experts(tmp_path / "large", 128)
    line = refused(model, "worker-1", "worker-2", "worker-3", workers=3, options=("--worker-memory", "1MiB"))
    assert "MiB" in line or "KiB" in line or "bytes" in line, "says how much each of them lacks"


@pytest.mark.parametrize(
    "options",
    [
        ["--workers", "-1"], ["--workers", "many"], ["--listen", "nowhere"], ["--listen", "127.0.0.1:99999"],
        ["--worker-memory", "lots"], ["--worker-isa", "sse9"], ["--no-such-option"], ["extra"],
    ],
    ids=lambda options: "=".join(options),
)
def test_bad_options_are_bad_usage(options, tmp_path):
    command = [executable("clusterctl"), "up", "--model", str(checkpoints.DEFAULT), "--state", str(tmp_path / "state")]
    result = run(command + options, 30)
    assert result.returncode == 2, f"{result.returncode}: {result.stderr}"
    assert options[-1] in result.stderr and not [word for word in CRASH_WORDS if word in result.stderr]


@pytest.mark.parametrize("text", ["", "{", "[1, 2", '{"messages": 5}', json.dumps({"messages": [{"role": 1}]})])
def test_bad_documents_for_template(text):
    result = run([executable("clusterctl"), "template", "--model", str(checkpoints.DEFAULT)], text=text)
    assert result.returncode in (1, 2) and len(result.stderr.strip().splitlines()) == 1, result.stderr


@pytest.mark.parametrize("text", ["", "hello", "[1, 99999]", "[-1]", '["a"]'])
def test_bad_documents_for_decode(text):
    result = run([executable("clusterctl"), "tokenize", "--decode", "--model", str(checkpoints.DEFAULT)], text=text)
    assert result.returncode in (1, 2) and len(result.stderr.strip().splitlines()) == 1, result.stderr
