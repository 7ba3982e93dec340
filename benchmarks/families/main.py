"""Which families are exact, and how fast each is: see README.md."""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import checkpoint
import context
import exactness
import formats
import shapes

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
FIXTURES = REPOSITORY / "Tests" / "Fixtures" / "checkpoints"
PAGE = REPOSITORY / "docs" / "MODELS.md"
REFERENCE = "qwen3_moe"
PROMPT_TOKENS, TOKENS = 512, 64


def main():
    a = arguments()
    results_file = HERE / "results.json"
    results = json.loads(results_file.read_text()) if results_file.exists() else {"exactness": {}, "speed": {}}
    if a.what in ("exactness", "all"):
        results["exactness"] = exactness_results(a)
    if a.what in ("speed", "all"):
        results["speed"] = speed_results(a)
    if a.what in ("context", "all"):
        results["context"] = context.measure(a.programs, a.models)
        (HERE / "context.svg").write_text(context.picture(results))
    results_file.write_text(json.dumps(results, indent=1) + "\n")
    for name, lines in (
            ("exactness", exactness_table(results)), ("speed", speed_table(results)),
            ("context", context.table(results))):
        replace(name, lines)
        print("\n".join(lines), end="\n\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/families/run", description=__doc__)
    parser.add_argument("what", choices=("exactness", "speed", "context", "all"), nargs="?", default="all")
    parser.add_argument("--rounds", type=int, default=3, help="times that each speed is measured (default %(default)s)")
    parser.add_argument("--only", metavar="FAMILY", help="measure the speed of one family, beside the reference's")
    parser.add_argument(
        "--programs", type=Path, default=REPOSITORY / ".build" / "release", metavar="DIRECTORY",
        help="where clusterctl and clusterbench are")
    parser.add_argument(
        "--models", type=Path, default=REPOSITORY / ".build-families", metavar="DIRECTORY",
        help="where files of random weights are written, up to 4 GB at a time")
    return parser.parse_args()


def exactness_results(a: argparse.Namespace) -> dict:
    results = {}
    for fixture in sorted(path.parent for path in FIXTURES.glob("*/golden.json")):
        with tempfile.TemporaryDirectory() as directory:
            agreement = exactness.measure(a.programs, fixture, Path(directory))
        results[fixture.name] = {"family": family(fixture), "weights": weights(fixture)} | asdict(agreement)
        print(fixture.name, agreement, file=sys.stderr)
    return results


def family(fixture: Path) -> str:
    return json.loads((fixture / "config.json").read_text())["model_type"]


def weights(fixture: Path) -> str:
    """How the weights are stored: by the quantisation that the configuration names, or by the type of most of them."""
    configuration = json.loads((fixture / "config.json").read_text())
    quantisation = configuration.get("quantization_config") or configuration.get("text_config", {}).get(
        "quantization_config")
    if quantisation:
        bits = quantisation.get("bits")
        return quantisation["quant_method"] + (f", {bits} bits" if bits else "")
    sizes = {}
    for file in fixture.glob("*.safetensors"):
        with open(file, "rb") as opened:
            header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
        for name, tensor in header.items():
            if name != "__metadata__":
                begin, end = tensor["data_offsets"]
                sizes[tensor["dtype"]] = sizes.get(tensor["dtype"], 0) + end - begin
    return max(sizes, key=sizes.get)


def speed_results(a: argparse.Namespace) -> dict:
    """By family and form of the weights, those of the reference first."""
    pairs = [
        (family, form) for family in [REFERENCE, *(name for name in shapes.ALL if name != REFERENCE)]
        if a.only in (None, family) or family == REFERENCE for form in ["bf16", *formats.OF_FAMILY[family]]]
    rounds = {pair: [] for pair in pairs}
    for index in range(a.rounds):
        for pair in pairs:
            rounds[pair].append(measured(a, *pair))
            print(f"round {index + 1} of {a.rounds}: {pair} {rounds[pair][-1]}", file=sys.stderr)
    return {
        f"{family}, {form}": {
            "family": family, "weights": form, "model": shapes.ALL[family]()[0], "rounds": found}
        for (family, form), found in rounds.items()}


def measured(a: argparse.Namespace, family: str, form: str) -> dict:
    """One file is there at a time: each is as large as the memory of a small machine allows."""
    directory = a.models / family
    _, configuration, tensors = shapes.ALL[family]()
    checkpoint.write(directory, *formats.ALL[form].applied(configuration, tensors))
    try:
        command = [
            a.programs / "clusterbench", "model", "--model", directory, "-p", str(PROMPT_TOKENS), "-n", str(TOKENS),
            "-b", "1", "--rounds", "3", "--json"]
        results = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["results"]
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"clusterbench failed for {family} in {form}:\n{error.stderr[-2000:]}")
    finally:
        shutil.rmtree(directory)
    prompt, decode = (next(each for each in results if each["kind"] == kind) for kind in ("prompt", "decode"))
    return {
        "promptTokensPerSecond": prompt["tokensPerSecond"], "decodeTokensPerSecond": decode["tokensPerSecond"],
        "gigabytesPerToken": decode["gigabytesPerSecond"] / decode["tokensPerSecond"],
        "readGigabytesPerSecond": decode["readGigabytesPerSecond"]}


def exactness_table(results: dict) -> list[str]:
    lines = [
        "| family | weights | worst difference of a logprob | greedy answers | positions | 0 and 3 workers |",
        "|---|---|---|---|---|---|"]
    for name, one in sorted(results["exactness"].items(), key=lambda item: (item[1]["family"], item[0])):
        lines.append(
            f"| `{one['family']}` | {one['weights']} | {one['worst']:.1e} | {one['greedy']} of {one['answers']} | "
            f"{one['positions']} | {'the same bits' if one['same_with_workers'] else '**different**'} |")
    return lines


def speed_table(results: dict) -> list[str]:
    lines = [
        "| family | layers of | weights | active bytes | decode | of the read ceiling | per active byte, of "
        f"`{REFERENCE}`'s | prompt of {PROMPT_TOKENS} | per active byte, of `{REFERENCE}`'s |",
        "|---|---|---|---|---|---|---|---|---|"]
    for one in results["speed"].values():
        reference = results["speed"].get(f"{REFERENCE}, {one['weights']}", {}).get("rounds", [])
        lines.append(speed_line(one, reference))
    return lines


def speed_line(one: dict, reference: list[dict]) -> str:
    rounds = one["rounds"]

    def median(value) -> float:
        return statistics.median(value(each) for each in rounds)

    def compared(key: str) -> str:
        if not reference:
            return "–"
        shares = [
            each[key] * each["gigabytesPerToken"] / (beside[key] * beside["gigabytesPerToken"])
            for each, beside in zip(rounds, reference)]
        return f"{statistics.median(shares):.0%} ({min(shares):.0%} to {max(shares):.0%})"

    ceiling = median(
        lambda each: each["decodeTokensPerSecond"] * each["gigabytesPerToken"] / each["readGigabytesPerSecond"])
    return (
        f"| `{one['family']}` | {one['model']} | {one['weights']} | "
        f"{median(lambda each: each['gigabytesPerToken']):.2f} GB | "
        f"{median(lambda each: each['decodeTokensPerSecond']):.1f} tokens/s | {ceiling:.0%} | "
        f"{compared('decodeTokensPerSecond')} | "
        f"{median(lambda each: each['promptTokensPerSecond']):.0f} tokens/s | {compared('promptTokensPerSecond')} |")


def replace(name: str, lines: list[str]):
    """Puts a table where the page has room for it."""
    begin, end = f"<!-- {name}: written by benchmarks/families/run -->", f"<!-- end of {name} -->"
    text = PAGE.read_text()
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    PAGE.write_text(f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}")


if __name__ == "__main__":
    main()
