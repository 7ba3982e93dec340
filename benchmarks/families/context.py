"""What a token costs far into a sequence: measured by `clusterbench context`, drawn as context.svg."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import escape

import checkpoint
import shapes

FAMILIES = ("deepseek_v4", "qwen3_5_moe", "qwen3_moe")
CONTEXTS = [1024 << step for step in range(7)]

WIDTH, HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 720, 70, 360
STYLE = """
    .title { fill: #1f2328; font-weight: 600; font-size: 16px }
    .small { fill: #57606a; font-size: 12px }
    .grid { stroke: #57606a; stroke-width: 0.5; stroke-dasharray: 2 4 }
    .line { fill: none; stroke-width: 2.5 }
    .a { stroke: #3273b8 } .b { stroke: #b35900 } .c { stroke: #57606a }
    @media (prefers-color-scheme: dark) {
      .title { fill: #f0f3f6 }
      .small { fill: #b7bdc8 }
      .grid { stroke: #9198a1 }
      .a { stroke: #6cb0f5 } .b { stroke: #f0a45d } .c { stroke: #9198a1 }
    }"""


def measure(programs: Path, models: Path) -> dict:
    results = {}
    for name in FAMILIES:
        directory = models / name
        model, configuration, tensors = shapes.ALL[name]()
        # Room for the tokens that are timed behind the longest context.
        configuration["max_position_embeddings"] = 2 * CONTEXTS[-1]
        checkpoint.write(directory, configuration, tensors)
        command = [
            programs / "clusterbench", "context", "--model", directory, "--json", "--contexts",
            ",".join(map(str, CONTEXTS))]
        try:
            found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["results"]
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"clusterbench failed for {name}:\n{error.stderr[-2000:]}")
        finally:
            shutil.rmtree(directory)
        results[name] = {"model": model, "layers": configuration["num_hidden_layers"], "contexts": found}
        print(name, [round(each["milliseconds"], 1) for each in found], file=sys.stderr)
    return results


def table(results: dict) -> list[str]:
    lines = [
        "| family | layers of | " + " | ".join(f"{each:,}" for each in CONTEXTS) + " | cache per layer, at the last |",
        "|---|---|" + "---|" * (len(CONTEXTS) + 1)]
    for name, one in results.get("context", {}).items():
        found = one["contexts"]
        first, last = found[0]["milliseconds"], found[-1]
        cells = [f"{each['milliseconds']:.1f} ms ({each['milliseconds'] / first:.2f})" for each in found]
        kept = (last["growingBytes"] + last["stateBytes"]) / one["layers"] / 1e6
        lines.append(f"| `{name}` | {one['model']} | " + " | ".join(cells) + f" | {kept:.0f} MB |")
    return lines


def picture(results: dict) -> str:
    """Milliseconds of a token by those after the shortest context; both axes double from line to line."""
    curves = {
        name: [each["milliseconds"] / one["contexts"][0]["milliseconds"] for each in one["contexts"]]
        for name, one in results["context"].items()}
    top = max(1, math.ceil(math.log2(max(max(curve) for curve in curves.values()))))

    def x_of(index: int) -> float:
        return LEFT + (RIGHT - LEFT) * index / (len(CONTEXTS) - 1)

    def y_of(ratio: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * max(0.0, math.log2(ratio)) / top

    def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "small") -> str:
        return f'  <text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'

    drawn = [
        text(20, 28, "A token after a longer context, by one after 1,024 tokens", kind="title"),
        text(20, 48, "layer shapes of the published models, fewer layers; both axes double from line to line")]
    for power in range(top + 1):
        y = y_of(2 ** power)
        drawn.append(f'  <line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}"/>')
        drawn.append(text(LEFT - 8, y + 4, f"{2 ** power}×", "end"))
    for index, context in enumerate(CONTEXTS):
        drawn.append(text(x_of(index), BOTTOM + 20, f"{context // 1024}k", "middle"))
    # Names that would lie on each other are moved apart.
    place = BOTTOM + 40.0
    for kind, (name, curve) in sorted(zip("abc", curves.items()), key=lambda each: each[1][1][-1]):
        points = " ".join(f"{x_of(index):.1f},{y_of(ratio):.1f}" for index, ratio in enumerate(curve))
        drawn.append(f'  <polyline class="line {kind}" points="{points}"/>')
        place = min(y_of(curve[-1]) + 4, place - 16)
        words = f"{results['context'][name]['model']}: {curve[-1]:.2f}×"
        drawn.append(text(RIGHT + 10, place, words))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title"',
        "     font-family=\"system-ui, -apple-system, 'Segoe UI', sans-serif\" font-size=\"14\">",
        '  <title id="title">Time of a token by the length of the context before it</title>',
        f"  <style>{STYLE}\n  </style>", *drawn, "</svg>", ""])
