"""The ratios of the table as a picture: one bar per speed, with its spread and its target."""

from xml.sax.saxutils import escape

from figures import Row, number

WIDTH = 960
LEFT = 310
RIGHT = 720
TOP = 64
LINE = 42
BAR = 18
TICKS_MAX = 8

STYLE = """
    .title { fill: #1f2328; font-weight: 600; font-size: 16px }
    .text { fill: #424a53 }
    .small { fill: #57606a; font-size: 12px }
    .bar { fill: #3273b8 }
    .spread { stroke: #1f2328; stroke-width: 1.5 }
    .peer { stroke: #57606a; stroke-width: 1.5 }
    .target { stroke: #b35900; stroke-width: 2.5 }
    .grid { stroke: #57606a; stroke-width: 0.5; stroke-dasharray: 2 4 }
    @media (prefers-color-scheme: dark) {
      .title { fill: #f0f3f6 }
      .text { fill: #d1d7de }
      .small { fill: #b7bdc8 }
      .bar { fill: #6cb0f5 }
      .spread { stroke: #f0f3f6 }
      .peer { stroke: #9198a1 }
      .target { stroke: #f0a45d }
      .grid { stroke: #9198a1 }
    }"""


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'  <line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def text(kind: str, x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'  <text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def draw_row(row: Row, y: float, x_of) -> list[str]:
    """A bar from nothing to the median, a whisker from the least to the greatest ratio, a tick at the target."""
    middle = y + BAR / 2
    drawn = [text("text", LEFT - 12, middle + 5, row.name, "end")]
    drawn.append(
        f'  <rect class="bar" x="{LEFT}" y="{y:.1f}" width="{x_of(row.ratio.median) - LEFT:.1f}" height="{BAR}"/>')
    drawn.append(line("spread", x_of(row.ratio.least), middle, x_of(row.ratio.greatest), middle))
    for end in (row.ratio.least, row.ratio.greatest):
        drawn.append(line("spread", x_of(end), middle - 4, x_of(end), middle + 4))
    if row.ratio_least is not None:
        drawn.append(line("target", x_of(row.ratio_least), y - 5, x_of(row.ratio_least), y + BAR + 5))
    words = f"{row.ratio.median:.2f}×: {number(row.colony.median)} and {number(row.peer.median)} {row.unit}"
    drawn.append(text("small", RIGHT + 12, middle + 4, words))
    return drawn


def picture(rows: list[Row], caption: str) -> str:
    """An SVG of the rows that are speeds and have a ratio."""
    shown = [row for row in rows if row.unit == "tokens/s" and row.ratio]
    greatest = max([1.0, *(max(row.ratio.greatest, row.ratio_least or 0) for row in shown)])
    last = int(greatest) + 1

    def x_of(ratio: float) -> float:
        return LEFT + (RIGHT - LEFT) * ratio / last

    bottom = TOP + LINE * len(shown)
    height = bottom + 50
    drawn = [text("title", 20, 28, "Colony by llama.cpp, the same file on the same machine")]
    drawn.append(text("small", 20, 46, caption))
    for tick in range(0, last + 1, -(-last // TICKS_MAX)):
        drawn.append(line("grid", x_of(tick), TOP, x_of(tick), bottom))
        drawn.append(text("small", x_of(tick), bottom + 16, f"{tick}×", "middle"))
    drawn.append(line("peer", x_of(1), TOP, x_of(1), bottom))
    for index, row in enumerate(shown):
        drawn += draw_row(row, TOP + LINE * index + (LINE - BAR) / 2, x_of)
    legend = "1× is llama.cpp; whiskers: least and greatest of all rounds; upright bars: targets"
    drawn.append(text("small", 20, height - 10, legend))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title"',
        "     font-family=\"system-ui, -apple-system, 'Segoe UI', sans-serif\" font-size=\"14\">",
        '  <title id="title">Speeds of Colony divided by those of llama.cpp</title>',
        f"  <style>{STYLE}\n  </style>", *drawn, "</svg>", "",
    ])
