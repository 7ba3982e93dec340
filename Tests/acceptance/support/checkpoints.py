"""Model directories: those of the fixtures, and broken or changed copies of them."""

import json
import shutil
import struct
from pathlib import Path

from support.processes import ROOT

CHECKPOINTS = ROOT / "Tests" / "Fixtures" / "checkpoints"
DEFAULT = CHECKPOINTS / "qwen3_moe_bf16"


def all_checkpoints() -> list[Path]:
    """Every checkpoint that has golden answers."""
    return sorted(path.parent for path in CHECKPOINTS.glob("*/golden.json"))


def golden(checkpoint: Path) -> dict:
    """The golden answers of a checkpoint."""
    return json.loads((checkpoint / "golden.json").read_text())


def configuration(checkpoint: Path) -> dict:
    """config.json; of a model that can do more than text, what it says of its text part."""
    config = json.loads((checkpoint / "config.json").read_text())
    return config.get("text_config", config)


def prompt_ids(count: int) -> list[int]:
    """A prompt of `count` valid ids, always the same; none of the special tokens."""
    return [3 + (position * 37 + position // 7) % 300 for position in range(count)]


def copy(target: Path, source: Path = DEFAULT) -> Path:
    """A copy to be changed."""
    shutil.copytree(source, target)
    return target


def change_config(checkpoint: Path, **changes) -> Path:
    """Sets keys of config.json; a value of `...` removes the key."""
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    for key, value in changes.items():
        if value is ...:
            config.pop(key, None)
        else:
            config[key] = value
    path.write_text(json.dumps(config, indent=1))
    return checkpoint


def with_long_context(target: Path) -> Path:
    """A model whose sequences may grow so long that a test has all the time it wants while they do."""
    return change_config(copy(target), max_position_embeddings=32768)


def with_more_experts(target: Path, count: int) -> Path:
    """A model with `count` experts per layer, which are copies of those there are: for tests of memory."""
    copy(target)
    tensors: dict[str, tuple[dict, bytes]] = {}
    for path in weight_files(target):
        data = path.read_bytes()
        base = 8 + struct.unpack("<Q", data[:8])[0]
        for name, entry in read_header(path).items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                tensors[name] = (entry, data[base + begin : base + end])
        path.unlink()
    (target / "model.safetensors.index.json").unlink(missing_ok=True)
    known = json.loads((target / "config.json").read_text())["num_experts"]
    for name, (entry, data) in list(tensors.items()):
        if name.endswith("mlp.gate.weight"):
            tensors[name] = ({**entry, "shape": [count, entry["shape"][1]]}, data * (count // known))
        elif ".experts.0." in name:
            for expert in range(known, count):
                tensors[name.replace(".experts.0.", f".experts.{expert}.")] = (entry, data)
    write_weights(target / "model.safetensors", tensors)
    return change_config(target, num_experts=count)


def write_weights(path: Path, tensors: dict[str, tuple[dict, bytes]]) -> None:
    """Writes a safetensors file."""
    header, offset = {}, 0
    for name, (entry, data) in tensors.items():
        header[name] = {**entry, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, data in tensors.values()))


def weight_files(checkpoint: Path) -> list[Path]:
    """The safetensors files of a checkpoint, in order."""
    return sorted(checkpoint.glob("*.safetensors"))


def read_header(path: Path) -> dict:
    """The header of a safetensors file."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length])


def rewrite_header(path: Path, change) -> None:
    """Lets `change` alter the header of a safetensors file in place; the tensors' bytes stay."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def holder_of(checkpoint: Path, tensor: str) -> Path:
    """The file that holds a tensor."""
    for path in weight_files(checkpoint):
        if tensor in read_header(path):
            return path
    raise AssertionError(f"{checkpoint} has no tensor {tensor}")


def truncate(path: Path, missing_bytes: int) -> None:
    """Cuts bytes off the end of a file."""
    data = path.read_bytes()
    path.write_bytes(data[:-missing_bytes])


def remove_tensor(checkpoint: Path, tensor: str) -> None:
    """Removes a tensor from its file's header and from the index."""
    rewrite_header(holder_of(checkpoint, tensor), lambda header: header.pop(tensor))
    index_path = checkpoint / "model.safetensors.index.json"
    if index_path.exists():
        index = json.loads(index_path.read_text())
        index["weight_map"].pop(tensor)
        index_path.write_text(json.dumps(index))


def reshape_tensor(checkpoint: Path, tensor: str, shape: list[int]) -> None:
    """Lets a header lie about a tensor's shape; the count of elements stays, so only the model can notice."""
    rewrite_header(holder_of(checkpoint, tensor), lambda header: header[tensor].update(shape=shape))
