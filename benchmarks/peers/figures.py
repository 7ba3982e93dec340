"""From measured rounds to the rows of the table: no processes, no files.

A round is what one pass over both programs gave: `{"Q4_K": {"peer": {…}, "colony": {…}}, …}` with the measurements of
peer.py and colony.py. Each ratio is made within a round, because the machine changes between rounds.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

GIGA = 1e9


@dataclass
class Spread:
    """A median, and between what the values lie."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread | None":
        return cls(statistics.median(values), min(values), max(values)) if values else None


@dataclass
class Row:
    """One line of the table. `share` is that of the read ceiling, or for memory the multiple of file and cache."""

    name: str
    unit: str
    peer: Spread | None
    colony: Spread | None
    ratio: Spread | None
    peer_share: Spread | None = None
    colony_share: Spread | None = None
    ratio_least: float | None = None
    share_least: float | None = None
    share_greatest: float | None = None

    @property
    def target(self) -> str:
        parts = []
        if self.ratio_least is not None:
            parts.append(f"≥ {self.ratio_least:g}×")
        if self.share_least is not None:
            parts.append(f"≥ {self.share_least:.0%} of the read ceiling".replace("%", " %"))
        if self.share_greatest is not None:
            parts.append(f"≤ {self.share_greatest:g} × (file + cache)")
        return ", ".join(parts)

    @property
    def is_met(self) -> bool | None:
        """Whether the medians reach the target; None without a target, or without what it speaks of."""
        if not self.target:
            return None
        wanted = [
            (self.ratio_least, self.ratio, 1), (self.share_least, self.colony_share, 1),
            (self.share_greatest, self.colony_share, -1),
        ]
        known = [(bound, spread, sign) for bound, spread, sign in wanted if bound is not None]
        if any(spread is None for _, spread, _ in known):
            return None
        return all(sign * spread.median >= sign * bound for bound, spread, sign in known)


# A measurement's value, or None if it was not taken.
Value = Callable[[dict], float | None]


def path(*keys: str) -> Value:
    """The value at the end of a path of keys."""

    def value(measured: dict) -> float | None:
        for key in keys:
            if not isinstance(measured, dict) or measured.get(key) is None:
                return None
            measured = measured[key]
        return measured

    return value


def collected(rounds: list[dict], quant: str, who: str, value: Value) -> list[float]:
    found = (value(each.get(quant, {}).get(who, {})) for each in rounds)
    return [each for each in found if each is not None]


def ratios(rounds: list[dict], quant: str, value: Value) -> list[float]:
    """Colony's value by the peer's of the same round."""
    pairs = ((value(each.get(quant, {}).get(who, {})) for who in ("colony", "peer")) for each in rounds)
    return [colony / peer for colony, peer in pairs if colony is not None and peer]


def ceiling_shares(rounds: list[dict], quant: str, who: str, bytes_per_token: float) -> list[float]:
    """What decoding one sequence reads, by what a plain loop reads in the same round; the bytes are those of the file
    for both, however a program stores them."""
    shares = []
    for each in rounds:
        speed = path("decode", "1")(each.get(quant, {}).get(who, {}))
        ceiling = path("readGigabytesPerSecond")(each.get(quant, {}).get("colony", {}))
        if speed is not None and ceiling:
            shares.append(speed * bytes_per_token / GIGA / ceiling)
    return shares


def row(rounds: list[dict], quant: str, name: str, unit: str, value: Value, **targets) -> Row:
    return Row(
        name, unit, Spread.of(collected(rounds, quant, "peer", value)),
        Spread.of(collected(rounds, quant, "colony", value)), Spread.of(ratios(rounds, quant, value)), **targets)


def decode_row(rounds: list[dict], models: dict, quant: str, **targets) -> Row:
    made = row(rounds, quant, f"decode, {quant}, 1 sequence", "tokens/s", path("decode", "1"), **targets)
    read = models[quant]["bytesReadPerToken"]
    made.peer_share = Spread.of(ceiling_shares(rounds, quant, "peer", read))
    made.colony_share = Spread.of(ceiling_shares(rounds, quant, "colony", read))
    return made


def memory_row(rounds: list[dict], models: dict, quant: str) -> Row:
    def gigabytes(measured: dict) -> float | None:
        return measured["peakBytes"] / GIGA if "peakBytes" in measured else None

    made = row(rounds, quant, f"memory at most, {quant}", "GB", gigabytes, share_greatest=1.05)
    wanted = (models[quant]["fileBytes"] + models[quant]["keyValueBytes"]) / GIGA
    made.peer_share = Spread.of([each / wanted for each in collected(rounds, quant, "peer", gigabytes)])
    made.colony_share = Spread.of([each / wanted for each in collected(rounds, quant, "colony", gigabytes)])
    return made


def key_value_bytes(model: dict, prompt: int, tokens: int, together: list[int], prompt_together: int) -> int:
    """What keys and values take at two bytes each, where most of them are alive."""
    alive = max([prompt + tokens, *(count * (prompt_together + tokens) for count in together)])
    return alive * model["keyValueBytesPerToken"]


def rows(rounds: list[dict], models: dict, settings: dict) -> list[Row]:
    """The table, in its order: what was not measured is not in it."""
    found = []
    targets = {"Q4_K": (2.1, 0.90), "Q8_0": (1.6, 0.93)}
    for quant, (ratio, share) in targets.items():
        if quant in models:
            found.append(decode_row(rounds, models, quant, ratio_least=ratio, share_least=share))
    if "Q4_K" in models:
        prompt = f"prompt of {settings['promptTokens']}, Q4_K"
        found.append(row(rounds, "Q4_K", prompt, "tokens/s", path("prompt"), ratio_least=4.0))
        for count in settings["together"]:
            name = f"decode, Q4_K, {count} sequences together"
            target = {8: 1.6, 32: 2.0}.get(count)
            found.append(row(rounds, "Q4_K", name, "tokens/s", path("decode", str(count)), ratio_least=target))
    found += [memory_row(rounds, models, quant) for quant in models]
    for quant in models:
        for kind, meaning in (("cold", "file not in memory"), ("warm", "file in the page cache")):
            name = f"start, {quant}, {meaning}"
            found.append(row(rounds, quant, f"{name}: ready", "s", path("start", kind, "readySeconds")))
            tokens = f"{name}: {settings['tokens']} tokens done"
            found.append(row(rounds, quant, tokens, "s", path("start", kind, "tokensSeconds")))
    return [each for each in found if each.peer or each.colony]


def number(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 1 else f"{value:.2f}"


def cell(spread: Spread | None, unit: str, share: Spread | None, is_ceiling: bool) -> str:
    if spread is None:
        return "–"
    text = f"{number(spread.median)} {unit}"
    if share is None:
        return text
    return text + (f" ({100 * share.median:.0f} % of the ceiling)" if is_ceiling else f" ({share.median:.2f} ×)")


def table(found: list[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| | llama.cpp | Colony | ratio: median (min–max) | target | met |", "|---|---|---|---|---|---|"]
    for each in found:
        is_ceiling = each.share_greatest is None
        ratio = each.ratio
        lines.append("| " + " | ".join([
            each.name,
            cell(each.peer, each.unit, each.peer_share, is_ceiling),
            cell(each.colony, each.unit, each.colony_share, is_ceiling),
            f"{ratio.median:.2f}× ({ratio.least:.2f}–{ratio.greatest:.2f})" if ratio else "–",
            each.target or "",
            {True: "yes", False: "no", None: ""}[each.is_met],
        ]) + " |")
    return "\n".join(lines) + "\n"
