"""The comparison with llama.cpp: what becomes of the numbers that both programs print."""

import json
import os
import sys
import xml.etree.ElementTree

import pytest

from support.processes import ROOT, run

COMPARE = ROOT / "benchmarks" / "peers" / "compare"
sys.path.insert(0, str(COMPARE.parent))

import figures  # noqa: E402
import measure  # noqa: E402
import picture  # noqa: E402
from colony import model_speeds  # noqa: E402
from peer import batched_speeds, bench_speeds  # noqa: E402

GIGA = 10**9
MODEL = {"fileBytes": 4 * GIGA, "keyValueBytes": 0, "bytesReadPerToken": GIGA // 2, "keyValueBytesPerToken": 24576}
SETTINGS = {"promptTokens": 512, "tokens": 64, "together": [8]}


def measured(speed: float, prompt: float, together: float, gigabytes: float, **more) -> dict:
    return {"decode": {"1": speed, "8": together}, "prompt": prompt, "peakBytes": gigabytes * GIGA, **more}


def rounds() -> list[dict]:
    """The machine is twice as fast in the second round, for both."""
    ours = {"readGigabytesPerSecond": 25}
    return [
        {"Q4_K": {"peer": measured(20, 100, 60, 8), "colony": measured(44, 420, 90, 4.2, **ours)}},
        {"Q4_K": {"peer": measured(40, 200, 120, 8), "colony": measured(92, 800, 216, 4, readGigabytesPerSecond=50)}},
        {"Q4_K": {"peer": measured(20, 100, 60, 8), "colony": measured(46, 400, 90, 4.1, **ours)}},
    ]


def row(name: str, found: list[figures.Row] | None = None) -> figures.Row:
    return next(each for each in found or figures.rows(rounds(), {"Q4_K": MODEL}, SETTINGS) if name in each.name)


def test_ratios_are_made_within_a_round():
    decode = row("decode, Q4_K, 1 sequence")
    assert decode.ratio == figures.Spread(pytest.approx(2.3), pytest.approx(2.2), pytest.approx(2.3))
    assert decode.peer == figures.Spread(20, 20, 40)
    # 46 tokens of half a gigabyte each, by 25 GB/s.
    assert decode.colony_share == figures.Spread(pytest.approx(0.92), pytest.approx(0.88), pytest.approx(0.92))
    assert decode.is_met is True
    assert row("prompt").ratio == figures.Spread(4.0, 4.0, pytest.approx(4.2)) and row("prompt").is_met is True
    assert row("8 sequences").ratio.median == 1.5 and row("8 sequences").is_met is False


def test_memory_is_compared_with_the_file():
    memory = row("memory")
    assert memory.colony_share.median == pytest.approx(1.025) and memory.peer_share.median == 2
    assert memory.is_met is True and memory.target == "≤ 1.05 × (file + cache)"


def test_what_was_not_measured_is_not_claimed():
    alone = [{"Q4_K": {"peer": measured(20, 100, 60, 8)}}]
    found = figures.rows(alone, {"Q4_K": MODEL}, SETTINGS)
    decode = row("decode, Q4_K, 1 sequence", found)
    assert decode.ratio is None and decode.is_met is None and decode.peer_share is None
    assert not [each for each in found if "start" in each.name]
    assert "| 20 tokens/s | – | – | ≥ 2.1×, ≥ 90 % of the read ceiling |  |" in figures.table(found)
    assert figures.rows([], {"Q4_K": MODEL}, SETTINGS) == []


def test_table():
    text = figures.table(figures.rows(rounds(), {"Q4_K": MODEL}, SETTINGS))
    assert "| 46 tokens/s (92 % of the read ceiling) | 2.30× (2.20–2.30) |" in text
    assert "| memory at most, Q4_K | 8 GB (2.00 ×) | 4.1 GB (1.02 ×) |" in text
    assert {line.count("|") for line in text.splitlines()} == {7}


def test_a_cluster_is_compared_with_one_process():
    with_cluster = rounds()
    for each, speed, share in zip(with_cluster, (81, 162, 72), (0.9, 1.8, 0.8)):
        each["Q4_K"]["colony"]["cluster"] = {"tokensPerSecond": speed, "shareOfOneProcess": share}
    found = figures.rows(with_cluster, {"Q4_K": MODEL}, SETTINGS)
    cluster = row("3 workers here", found)
    # What one process did in turn with the cluster counts, not what it did minutes before.
    assert cluster.colony_share == figures.Spread(pytest.approx(0.9), pytest.approx(0.8), pytest.approx(1.8))
    assert cluster.ratio.median == pytest.approx(1.35) and cluster.is_met is True
    assert "| 81 tokens/s (90 % of one process) | 1.35× (1.20–1.35) | ≥ 85 % of one process | yes |" in figures.table(found)


def test_a_start_from_packed_weights_has_a_bound_of_its_own():
    started = rounds()
    for each, seconds in zip(started, (0.5, 0.25, 1.5)):
        each["Q4_K"]["colony"]["start"] = {"packed": {"readySeconds": seconds, "tokensSeconds": seconds + 1}}
    found = figures.rows(started, {"Q4_K": MODEL}, SETTINGS)
    ready = row("in the page cache: ready", found)
    assert ready.colony.median == 0.5 and ready.is_met is True and ready.target == "≤ 1 s"
    assert "| – | 0.50 s | – | ≤ 1 s | yes |" in figures.table(found)


def test_keys_and_values_where_most_are_alive():
    assert figures.key_value_bytes(MODEL, 512, 64, [8], 16) == 640 * 24576
    assert figures.key_value_bytes(MODEL, 512, 64, [], 16) == 576 * 24576


def test_what_the_peer_prints():
    tests = [
        {"n_prompt": 512, "n_gen": 0, "samples_ts": [100.0, 120.0, 121.0]},
        {"n_prompt": 0, "n_gen": 64, "samples_ts": [60.0, 70.0, 71.0]},
    ]
    assert bench_speeds(json.dumps(tests)) == {"prompt": 120.0, "decode": {"1": 70.0}}
    lines = 'some log\n{"pl": 8, "speed_tg": 95.5}\n\n{"pl": 32, "speed_tg": 110.5}\n'
    assert batched_speeds(lines) == {"8": 95.5, "32": 110.5}


def test_what_clusterbench_prints():
    results = [
        {"kind": "prompt", "sequences": 1, "tokens": 512, "tokensPerSecond": 450},
        {"kind": "decode", "sequences": 1, "tokens": 64, "tokensPerSecond": 59, "gigabytesPerSecond": 25},
        {"kind": "decode", "sequences": 8, "tokens": 64, "tokensPerSecond": 130, "gigabytesPerSecond": 24},
    ]
    report = {"readGigabytesPerSecond": 27.5, "instructionSet": "avx512", "results": results}
    expected = {"prompt": 450, "decode": {"1": 59, "8": 130}, "instructionSet": "avx512"}
    assert model_speeds(json.dumps(report)) == {**expected, "readGigabytesPerSecond": 27.5}
    # What was read just before and after decoding counts, not what was read minutes earlier.
    results[1]["readGigabytesPerSecond"] = 26.0
    assert model_speeds(json.dumps(report)) == {**expected, "readGigabytesPerSecond": 26.0}


def test_picture():
    drawn = picture.picture(figures.rows(rounds(), {"Q4_K": MODEL}, SETTINGS), "a < b & c")
    root = xml.etree.ElementTree.fromstring(drawn)
    bars = [each for each in root.iter() if each.get("class") == "bar"]
    targets = [each for each in root.iter() if each.get("class") == "target"]
    assert len(bars) == 3 and len(targets) == 3
    empty = picture.picture([], "")
    assert xml.etree.ElementTree.fromstring(empty) is not None


def test_what_running_a_program_took():
    script = "import sys; kept = b'x' * 2**27; print('one', flush=True); print('two', file=sys.stderr)"
    outcome = measure.run([sys.executable, "-c", script])
    assert outcome.text == "one" and [line.text for line in outcome.errors] == ["two"]
    assert 2**27 < outcome.peak_bytes < 2**28 and 0 <= outcome.others_share <= 1
    assert 0 < outcome.first(outcome.output, "on") <= outcome.seconds
    with pytest.raises(measure.Failed, match="status 3:\nwhy"):
        measure.run([sys.executable, "-c", "import sys; print('why', file=sys.stderr); sys.exit(3)"])


def test_page_cache(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(os.urandom(2**22))
    assert measure.resident_share(file) == 1
    # Some file systems live in memory and forget nothing: all that is promised is an honest answer.
    assert measure.drop_from_cache(file) == (measure.resident_share(file) <= measure.RESIDENT_SHARE_MAX)
    measure.read_into_cache(file)
    assert measure.resident_share(file) == 1


def test_refusals_say_what_to_do(tmp_path):
    result = run([str(COMPARE), "--programs", str(tmp_path)])
    assert result.returncode == 1 and "clusterbench is missing: swift build -c release" in result.stderr
    result = run([str(COMPARE), "--only", "peer", "--file", f"Q4_K={tmp_path}/none.gguf"])
    assert result.returncode == 1 and "no such file" in result.stderr
    result = run([str(COMPARE), "--quants", "Q3_K"])
    assert result.returncode == 2 and "Q4_K, Q8_0" in result.stderr
