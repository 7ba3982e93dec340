"""From measured rounds to the rows of the table: no processes, no files.

A round is what one pass over both programs gave: `{"Q4_K": {"peer": {…}, "colony": {…}}, …}` with the measurements of
peer.py and colony.py. Each ratio is made within a round, because the machine changes between rounds.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

GIGA = 1e9

# Sequences that generate together through a cluster on this machine.
CLUSTER_SEQUENCES = 8


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
    """One line of the table. A share is of the read ceiling, of one process without workers, or for memory the multiple
    of file and cache: `share_of` says which."""

    name: str
    unit: str
    peer: Spread | None
    colony: Spread | None
    ratio: Spread | None
    peer_share: Spread | None = None
    colony_share: Spread | None = None
    share_of: str = "of the read ceiling"
    ratio_least: float | None = None
    share_least: float | None = None
    share_greatest: float | None = None
    value_greatest: float | None = None

    @property
    def target(self) -> str:
        parts = []
        if self.ratio_least is not None:
            parts.append(f"≥ {self.ratio_least:g}×")
        if self.share_least is not None:
            parts.append(f"≥ {self.share_least:.0%} {self.share_of}".replace("%", " %"))
        if self.share_greatest is not None:
            parts.append(f"≤ {self.share_greatest:g} × {self.share_of}")
        if self.value_greatest is not None:
            parts.append(f"≤ {self.value_greatest:g} {self.unit}")
        return ", ".join(parts)

    @property
    def is_met(self) -> bool | None:
        """Whether the medians reach the target; None without a target, or without what it speaks of."""
        if not self.target:
            return None
        wanted = [
            (self.ratio_least, self.ratio, 1), (self.share_least, self.colony_share, 1),
            (self.share_greatest, self.colony_share, -1), (self.value_greatest, self.colony, -1),
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


def quotients(rounds: list[dict], quant: str, above: tuple[str, Value], below: tuple[str, Value]) -> list[float]:
    """One value by another of the same round; each is told as who measured it, and which it is."""
    pairs = (tuple(value(each.get(quant, {}).get(who, {})) for who, value in (above, below)) for each in rounds)
    return [first / second for first, second in pairs if first is not None and second]


def ratios(rounds: list[dict], quant: str, value: Value) -> list[float]:
    """Colony's value by the peer's of the same round."""
    return quotients(rounds, quant, ("colony", value), ("peer", value))


def ceiling_shares(rounds: list[dict], quant: str, who: str, bytes_per_token: float) -> list[float]:
    """What decoding one sequence reads, by what a plain loop reads in the same round (Colony's loop runs just before
    and after its decoding, minutes from the peer's); the bytes are those of the file for both, however a program stores
    them."""
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

    made = row(rounds, quant, f"memory at most, {quant}", "GB", gigabytes, share_greatest=1.05, share_of="(file + cache)")
    wanted = (models[quant]["fileBytes"] + models[quant]["keyValueBytes"]) / GIGA
    made.peer_share = Spread.of([each / wanted for each in collected(rounds, quant, "peer", gigabytes)])
    made.colony_share = Spread.of([each / wanted for each in collected(rounds, quant, "colony", gigabytes)])
    return made


def cluster_row(rounds: list[dict], quant: str, count: int) -> Row:
    """`count` sequences together through a gateway and workers on this machine, beside the peer's one process; the
    share is that of our own one process, in turn with the cluster."""
    cluster, peer = ("colony", path("cluster", "tokensPerSecond")), ("peer", path("decode", str(count)))
    share = path("cluster", "shareOfOneProcess")
    return Row(
        f"decode, {quant}, {count} together, 3 workers here", "tokens/s", Spread.of(collected(rounds, quant, *peer)),
        Spread.of(collected(rounds, quant, *cluster)), Spread.of(quotients(rounds, quant, cluster, peer)),
        colony_share=Spread.of(collected(rounds, quant, "colony", share)), share_of="of one process", share_least=0.85)


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
        found.append(cluster_row(rounds, "Q4_K", CLUSTER_SEQUENCES))
    found += [memory_row(rounds, models, quant) for quant in models]
    for quant in models:
        kinds = {
            "cold": ("file not in memory", None), "warm": ("file in the page cache", None),
            "packed": ("packed by an earlier start, in the page cache", 1.0),
            "packedCold": ("packed by an earlier start, not in memory", None)}
        for kind, (meaning, greatest) in kinds.items():
            name = f"start, {quant}, {meaning}"
            ready = path("start", kind, "readySeconds")
            found.append(row(rounds, quant, f"{name}: ready", "s", ready, value_greatest=greatest))
            tokens = f"{name}: {settings['tokens']} tokens done"
            found.append(row(rounds, quant, tokens, "s", path("start", kind, "tokensSeconds")))
    return [each for each in found if each.peer or each.colony]


def number(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 1 else f"{value:.2f}"


def cell(each: Row, spread: Spread | None, share: Spread | None) -> str:
    if spread is None:
        return "–"
    text = f"{number(spread.median)} {each.unit}"
    if share is None:
        return text
    is_multiple = each.share_greatest is not None
    return text + (f" ({share.median:.2f} ×)" if is_multiple else f" ({100 * share.median:.0f} % {each.share_of})")


def table(found: list[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| | llama.cpp | Colony | ratio: median (min–max) | target | met |", "|---|---|---|---|---|---|"]
    for each in found:
        ratio = each.ratio
        lines.append("| " + " | ".join([
            each.name,
            cell(each, each.peer, each.peer_share),
            cell(each, each.colony, each.colony_share),
            f"{ratio.median:.2f}× ({ratio.least:.2f}–{ratio.greatest:.2f})" if ratio else "–",
            each.target or "",
            {True: "yes", False: "no", None: ""}[each.is_met],
        ]) + " |")
    return "\n".join(lines) + "\n"
