"""Writes checkpoints of random weights: `config.json` and one `model.safetensors`."""

import json
from pathlib import Path

import numpy

from formats import Stored

BLOCK = 1 << 22
BYTES = {"BF16": 2, "F16": 2, "F32": 4, "F8_E4M3": 1, "F8_E8M0": 1, "I8": 1, "I32": 4, "I64": 8, "U8": 1}


class Random:
    """Numbers that no prefetcher and no compressor can guess, made once and handed out in turn."""

    def __init__(self, seed: int):
        generator = numpy.random.default_rng(seed)
        self.values = generator.standard_normal(BLOCK, dtype=numpy.float32)
        self.bits = generator.integers(0, 256, 4 * BLOCK, dtype=numpy.uint8)
        # Codes of e4m3 whose exponent has its highest bit, unless that is 15: there are NaNs among those.
        self.e4m3 = numpy.where((self.bits & 0x78) == 0x78, self.bits ^ 0x08, self.bits)

    def bfloat16(self, count: int, deviation: float) -> numpy.ndarray:
        block = (self.values * numpy.float32(deviation)).view(numpy.uint32) >> 16
        return numpy.resize(block.astype("<u2"), count)

    def stored(self, tensor: Stored) -> numpy.ndarray:
        """The bytes of a tensor."""
        count = int(numpy.prod(tensor.shape))
        match tensor.fill:
            case "bits":
                return numpy.resize(self.bits, count * BYTES[tensor.dtype])
            case "e4m3":
                return numpy.resize(self.e4m3, count)
            case "constant":
                return numpy.full(count, constant(tensor))
            case "exponent":
                return numpy.full(count, exponent(tensor.value))
            case "groups":
                return (numpy.arange(count) // int(tensor.value)).astype("<i4")
            case "shape":
                return numpy.array(divmod(int(tensor.value), 2 ** 32), dtype="<i8")
        raise ValueError(f"{tensor.fill} is unknown")


def exponent(value: float) -> numpy.uint8:
    """The nearest power of two as e8m0."""
    return numpy.uint8(round(float(numpy.log2(value))) + 127)


def constant(tensor: Stored):
    match tensor.dtype:
        case "F32":
            return numpy.float32(tensor.value)
        case "F16":
            return numpy.float16(tensor.value)
        case "BF16":
            return numpy.uint16(numpy.float32(tensor.value).view(numpy.uint32) >> 16)
        case "F8_E8M0":
            return exponent(tensor.value)
        case "I32":
            return numpy.int32(tensor.value)
    raise ValueError(f"no constants of {tensor.dtype}")


def deviation(name: str, shape: tuple[int, ...]) -> float:
    """So wide that activations keep their size from layer to layer."""
    return 1.0 if len(shape) == 1 else shape[-1] ** -0.5


def write(directory: Path, configuration: dict, tensors: dict[str, tuple[int, ...] | Stored], seed: int = 1):
    """`tensors`: name to shape, of bfloat16, or to what is stored otherwise."""
    directory.mkdir(parents=True, exist_ok=True)
    header, offset = {}, 0
    for name, tensor in tensors.items():
        dtype, shape = (tensor.dtype, tensor.shape) if isinstance(tensor, Stored) else ("BF16", tensor)
        size = BYTES[dtype] * int(numpy.prod(shape))
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = Random(seed)
    with open(directory / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, tensor in tensors.items():
            if isinstance(tensor, Stored):
                random.stored(tensor).tofile(file)
            else:
                random.bfloat16(int(numpy.prod(tensor)), deviation(name, tensor)).tofile(file)
    (directory / "config.json").write_text(json.dumps(configuration, indent=1) + "\n")
