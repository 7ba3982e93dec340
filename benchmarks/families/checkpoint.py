"""Writes checkpoints of random weights: `config.json` and one `model.safetensors` in bfloat16."""

import json
from pathlib import Path

import numpy

BLOCK = 1 << 22


class Random:
    """Numbers that no prefetcher and no compressor can guess, made once and handed out in turn."""

    def __init__(self, seed: int):
        generator = numpy.random.default_rng(seed)
        floats = generator.standard_normal(BLOCK, dtype=numpy.float32)
        self.values = floats

    def bfloat16(self, count: int, deviation: float) -> numpy.ndarray:
        block = (self.values * numpy.float32(deviation)).view(numpy.uint32) >> 16
        return numpy.resize(block.astype("<u2"), count)


def deviation(name: str, shape: tuple[int, ...]) -> float:
    """So wide that activations keep their size from layer to layer."""
    return 1.0 if len(shape) == 1 else shape[-1] ** -0.5


def write(directory: Path, configuration: dict, tensors: dict[str, tuple[int, ...]], seed: int = 1):
    """`tensors`: name to shape."""
    directory.mkdir(parents=True, exist_ok=True)
    header, offset = {}, 0
    for name, shape in tensors.items():
        size = 2 * int(numpy.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = Random(seed)
    with open(directory / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in tensors.items():
            random.bfloat16(int(numpy.prod(shape)), deviation(name, shape)).tofile(file)
    (directory / "config.json").write_text(json.dumps(configuration, indent=1) + "\n")
