"""Reader of safetensors files, with the checks of the reference library.

The format: 8 bytes, the length of the header as an unsigned little-endian number; the header, a
JSON object; the tensors (https://huggingface.co/docs/safetensors/index#format).
"""

from __future__ import annotations

import json
import math
from typing import Any

from obeya.artifacts.reading import NotInspected, Report, Source, TooLarge

HEADER_MAX = 16 * 1024 * 1024
TENSORS_SHOWN = 1_000
_LENGTH_MAX = 100_000_000
_METADATA = "__metadata__"
_SHOWN = 250
_DIMENSIONS_MAX = 64
_BITS = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8,
    "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip


def is_safetensors(head: bytes) -> bool:
    """Return whether a file begins like the format: a plausible length, and a JSON object."""
    return 2 <= int.from_bytes(head[:8], "little") <= _LENGTH_MAX and head[8:9] == b"{"


def read_safetensors(source: Source, report: Report) -> None:
    """Report the content of the header.

    ``{"tensors": [{"name", "dtype", "shape"}...], "tensor_count", "parameters", "metadata"}``: the
    first 1,000 tensors in the order of the file, the number of elements of all tensors, and the
    texts that the writer added.

    Raises:
        NotInspected: the reference library would refuse it.
    """
    report.format = "safetensors"
    length = int.from_bytes(source.read_at(0, 8), "little")
    if length > HEADER_MAX:
        raise TooLarge("the header of the safetensors file")
    try:
        if length > source.size - 8:
            raise ValueError("the file is shorter than its header says")
        header = json.loads(
            source.read_at(8, length).decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_unsigned,
        )
        report.details["safetensors"] = _described(header, source.size - 8 - length)
    except (ValueError, RecursionError) as error:
        # Errors of the JSON and UTF-8 decoders quote the file.
        is_own = type(error) is ValueError
        reason = error if is_own else "its header is not valid JSON"
        raise NotInspected(f"not valid safetensors: {reason}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("its header has the same name twice")
    return found


def _unsigned(text: str) -> int:
    if text.startswith("-"):
        raise ValueError("its header contains a negative number")
    return int(text)


def _no_constant(text: str) -> None:
    raise ValueError(f"its header contains {text}")


def _described(header: dict[str, Any], data_size: int) -> dict[str, Any]:
    metadata = header.pop(_METADATA, None)
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict) or any(type(text) is not str for text in metadata.values()):
        raise ValueError("its metadata is not a mapping of texts")
    tensors = sorted(
        ((*_tensor(name, told), name) for name, told in header.items()), key=lambda row: row[:2]
    )
    end = 0
    for begin, stop, _, _, name in tensors:
        if begin != end:
            word = "overlaps the tensor before it" if begin < end else "does not follow the others"
            raise ValueError(f"the tensor “{name[:64]}” {word}")
        end = stop
    if end != data_size:
        raise ValueError(f"its tensors have {end:,} bytes and the file {data_size:,}")
    return {
        "tensors": [
            {"name": name[:_SHOWN], "dtype": dtype, "shape": shape}
            for _, _, dtype, shape, name in tensors[:TENSORS_SHOWN]
        ],
        "tensor_count": len(tensors),
        "parameters": sum(math.prod(shape) for _, _, _, shape, _ in tensors),
        "metadata": {key[:_SHOWN]: text[:1_000] for key, text in list(metadata.items())[:50]},
    }


def _tensor(name: str, stated: Any) -> tuple[int, int, str, list[int]]:
    """Return begin, end, type and shape of a tensor, whose size must follow from the last two."""
    problem = ValueError(f"the tensor “{name[:64]}” has no valid type, shape and offsets")
    if not isinstance(stated, dict):
        raise problem
    dtype = stated.get("dtype")
    shape, offsets = _sizes(stated.get("shape")), _sizes(stated.get("data_offsets"))
    if not isinstance(dtype, str) or shape is None or offsets is None:
        raise problem
    if len(shape) > _DIMENSIONS_MAX:
        raise ValueError(f"the tensor “{name[:64]}” has more than {_DIMENSIONS_MAX} dimensions")
    if dtype not in _BITS or len(offsets) != 2:
        raise problem
    bits = math.prod(shape) * _BITS[dtype]
    begin, end = offsets
    if bits % 8 or begin > end or end - begin != bits // 8 or bits >= 2**63:
        raise ValueError(
            f"the tensor “{name[:64]}” has {end - begin:,} bytes, which is not its type and shape"
        )
    return begin, end, dtype, shape


def _sizes(found: Any) -> list[int] | None:
    """Return a list of whole numbers, None if it is not one."""
    if not isinstance(found, list):
        return None
    return found if all(type(each) is int and 0 <= each < 2**63 for each in found) else None
