"""Reader of the header of a safetensors file.

The format: 8 bytes, the length of the header as an unsigned little-endian number; the header, a
JSON object; the tensors (https://huggingface.co/docs/safetensors/index#format).
"""

from __future__ import annotations

import json
import math
from typing import Any, BinaryIO

HEADER_MAX = 16 * 1024 * 1024
TENSORS_SHOWN = 1_000
_METADATA = "__metadata__"
_NAME_SHOWN = 250
_DIMENSIONS_MAX = 32


def read_safetensors(file: BinaryIO, size: int) -> dict[str, Any] | None:
    """Return the content of the header, None if the file does not have the format.

    ``{"tensors": [{"name", "dtype", "shape"}...], "tensor_count", "parameters", "metadata"}``: the
    first 1,000 tensors in the order of the file, the number of elements of all tensors, and the
    texts that the writer added.
    """
    if size < 10:
        return None
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(size - 8, HEADER_MAX):
        return None
    text = file.read(length)
    if not text.startswith(b"{"):
        return None
    try:
        header = json.loads(text)
        return _described(header, size - 8 - length)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, AttributeError):
        return None


def _described(header: dict[str, Any], data_size: int) -> dict[str, Any] | None:
    metadata = header.pop(_METADATA, {})
    tensors = []
    parameters = 0
    for name, tensor in header.items():
        shape = [int(dimension) for dimension in tensor["shape"]]
        begin, end = (int(offset) for offset in tensor["data_offsets"])
        if not 0 <= begin <= end <= data_size or len(shape) > _DIMENSIONS_MAX:
            return None
        if any(not 0 <= dimension < 2**63 for dimension in shape):
            return None
        parameters += math.prod(shape)
        tensors.append((begin, name, str(tensor["dtype"])[:16], shape))
    if parameters >= 2**63:
        return None
    tensors.sort(key=lambda row: row[:2])
    return {
        "tensors": [
            {"name": name[:_NAME_SHOWN], "dtype": dtype, "shape": shape}
            for _, name, dtype, shape in tensors[:TENSORS_SHOWN]
        ],
        "tensor_count": len(tensors),
        "parameters": parameters,
        "metadata": {
            str(key)[:_NAME_SHOWN]: str(value)[:1_000] for key, value in list(metadata.items())[:50]
        },
    }
