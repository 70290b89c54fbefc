"""Files that are made so that an inspection overlooks what they run, or fails."""

from __future__ import annotations

import io
import json
import lzma
import pickle
import tarfile
import zipfile
import zlib

import pytest

from obeya.artifacts import inspection
from obeya.artifacts.findings import FileWarnings, InspectedFile, findings_of, warnings_of
from obeya.artifacts.formats import pickles
from obeya.artifacts.formats.pickles import IMPORTS_SHOWN, find_pickle
from obeya.artifacts.reading import Budget, TooLarge
from tests import model_files as files

CALL = b"cbuiltins\nlen\n(S'abc'\ntR."


def found(content: bytes) -> dict:
    return findings_of(io.BytesIO(content), len(content))


def warnings(contents: dict[str, bytes]) -> FileWarnings:
    return warnings_of(
        InspectedFile(path, len(content), found(content)) for path, content in contents.items()
    )


def tarred(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def stored_by_zlib() -> bytes:
    """Return a zlib stream that is a pickle too: its first block is text, stored as it is."""
    lead = b"hello world text "
    count = 2 + len(lead)
    length = 0x43 | count << 8
    body = (lead + b"0" + CALL).ljust(length)
    sizes = bytes([0x43, count, 0xFF ^ 0x43, 0xFF ^ count])
    check = zlib.adler32(body).to_bytes(4, "big")
    return b"\x28\x91\x88" + sizes + body + b"\x01\0\0\xff\xff" + check


@pytest.mark.parametrize(
    "content", [tarred(CALL.decode(), b"text"), stored_by_zlib()], ids=["tar", "zlib"]
)
def test_a_container_that_is_also_a_pickle_is_one(content):
    assert pickle.loads(content) == 3  # noqa: S301 - made here
    for packed in (content, lzma.compress(content), tarred("inner", content)):
        (problem,) = warnings({"file": packed}).problems
        assert "contains a pickle" in problem
        assert "it imports builtins.len" in problem


def test_both_pickles_of_a_container_that_is_one_are_found():
    content = tarred(CALL.decode(), pickle.dumps(print))
    imports = [each["imports"] for each in found(content)["pickles"]]
    assert imports == [["builtins.len"], ["builtins.print"]]


def tar_that_is_a_zip_archive() -> bytes:
    """Return a tar archive of two safetensors files that is a zip archive of a pickle too.

    The comment in the directory of the zip archive contains the header of the second tar member.
    """
    archive = files.zipped({"model.pkl": pickle.dumps(print)}, stored=True)
    start = archive.index(b"PK\x01\x02")
    local, entry, end = archive[:start], archive[start:-22], bytearray(archive[-22:])
    second = files.safetensors({"a": {"dtype": "U8", "shape": [22], "data_offsets": [0, 22]}}, b"")
    lengths = range(len(local + entry), len(local + entry) + 2 * tarfile.BLOCKSIZE)
    candidates = (
        files.safetensors(raw_header(length), (local + entry).ljust(length)) for length in lengths
    )
    first = next(each for each in candidates if len(each) % tarfile.BLOCKSIZE == 0)
    header = tarfile.TarInfo("b.safetensors")
    header.size = len(second) + len(end)
    between = header.tobuf(tarfile.USTAR_FORMAT) + second
    comment = len(first) - first.index(entry) - len(entry) + len(between)
    directory = entry[:32] + comment.to_bytes(2, "little") + entry[34:]
    end[12:16] = (len(entry) + comment).to_bytes(4, "little")
    lead = tarfile.TarInfo("a.safetensors")
    lead.size = len(first)
    whole = lead.tobuf(tarfile.USTAR_FORMAT) + first.replace(entry, directory) + between + end
    return whole + bytes(-len(whole) % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def raw_header(size: int) -> dict:
    return {"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}


def test_a_tar_archive_that_zip_programs_read_otherwise_does_not_pass():
    content = tar_that_is_a_zip_archive()
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["model.pkl"]
    (problem,) = warnings({"a.tar": content}).problems
    assert problem == "a.tar could not be inspected: the tar archive is a zip archive too."
    inner = files.tarred({"a.npz": files.zipped({"a.txt": b"text"}), "b.txt": b"text"})
    assert warnings({"a.tar": inner}) == FileWarnings()


def test_the_work_for_a_file_is_bounded():
    scans = b"\xff\xd8" + b"\xff\xda\0\x02" * 50_000 + b"\xff\xd9"
    parts = b'{"class_name": [' + b"[]," * 600_000 + b"[]]}"
    names = files.zipped({f"{number}" + "n" * 60_000: b"" for number in range(80)})
    for content in (scans, parts, names):
        assert "too large" in warnings({"file": content}).problems[0]


def test_only_a_file_with_the_member_flavors_is_read_as_an_mlmodel_file():
    text = b"It has many flavors: [\n" + b"- flavors: a\n" * 10
    assert found(text) == {"format": "text"}
    assert found(b"artifact_path: m\nflavors:\n  a: {}\n")["format"] == "MLmodel"


@pytest.mark.parametrize(
    "start",
    [
        b"I3\np" + b"0" * 300 + b"1\n0g1\n0",
        b"I3\np" + b" " * 300 + b"1\n0g1\n0",
        b"I3\np1\n0g" + b"0" * 300 + b"1\n0",
        b"I3\np1\0\n0g1\n0",
        b"h\x050",
    ],
)
def test_an_odd_index_of_the_memo_does_not_hide_a_pickle(start):
    assert "imports builtins.len" in warnings({"file": start + CALL}).problems[0]


@pytest.mark.parametrize("text", [b"hi.", b"he. is", b"july.", b"g1\n."])
def test_text_that_only_gets_from_an_empty_memo_is_no_pickle(text):
    assert warnings({"file": text}) == FileWarnings()


def test_only_so_many_imports_are_kept_and_a_late_one_of_python_counts():
    many = b"".join(b"ca\n%d\n0" % number for number in range(200))
    (finding,) = found(many + b"I1\n.")["pickles"]
    assert finding["imports"] == [f"a.{number}" for number in range(IMPORTS_SHOWN)]
    assert "pickles" in found(many + b"cos\nsystem\n\0")


def test_opcodes_count_as_steps_of_the_budget(monkeypatch):
    monkeypatch.setattr("obeya.artifacts.reading.STEPS_MAX", 20)
    with pytest.raises(TooLarge):
        find_pickle(io.BytesIO(b"N0" * 20 + b"N."), Budget())
    assert pickles.find_pickle(io.BytesIO(CALL), Budget()) is not None


@pytest.mark.parametrize("pack", [zlib.compress, lambda c: lzma.compress(c, lzma.FORMAT_ALONE)])
def test_all_compressed_members_share_one_budget(monkeypatch, pack):
    monkeypatch.setattr("obeya.artifacts.reading.UNPACKED_MAX", 1_000_000)
    packed = pack(b"a" * 400_000)
    one, three = (files.tarred({f"{n}": packed for n in range(count)}) for count in (1, 3))
    assert warnings({"file": one}) == FileWarnings()
    assert "too large (it unpacks to more" in warnings({"file": three}).problems[0]


@pytest.mark.parametrize(
    "text",
    [
        "%TAG !p! tag:yaml.org,2002:\n---\n!p!python/object/apply:builtins.len ['abc']\n",
        "%TAG ! tag:yaml.org,2002:py\n---\n!thon/object/apply:builtins.len ['abc']\n",
        "# text\u2028%TAG ! tag:yaml.org,2002:py\n---\n!thon/object/apply:builtins.len ['abc']\n",
        "!!%70ython/object/apply:builtins.len ['abc']\n",
        "!<tag:yaml.org,2002:%70ython/object/apply:builtins.len> ['abc']\n",
        "!<tag:yaml.org,2002:int> 1\n",
        "a: [b,!!p%79thon/none ]\n",
        "a: !!javax.script.ScriptEngineManager []\n",
        "a: !new:os.system [ls]\n",
        "- &b !apply:os.system [ls]\n",
        "a: !!custom 1\n",
        "a:\n  !new:os.system [ls]\n",
        "---\n!new:os.system [ls]\n",
        "x" * 65_530 + "\na: !new:os.system\n",
    ],
)
def test_tags_of_yaml_other_than_its_own_run_code(text):
    assert "YAML with Python objects" in warnings({"a.yaml": text.encode()}).code[0]


@pytest.mark.parametrize(
    "text",
    [
        "a: !!str 1\nb: !!float '2'\nc: !!set {d}\n- !!int 1\n",
        "> [!NOTE]\n> Great!! 100% of it!\n\n![plot](a%20b.png)\n[![x](y)](z)\n!pip install x\n",
        "<!DOCTYPE html>\n<p>Hello!</p><b>Ça va !</b>\na { color: red !important }\n",
        '{"!": 0, "!!": 1, "a !b": 2, "100%": 3}',
        "! !\n!! !!\nĠ !\n",
        "if a != b and not !c:\n% TAG\n50%TAG 1\n",
    ],
)
def test_exclamation_marks_in_text_are_no_tags(text):
    assert warnings({"a.txt": text.encode()}) == FileWarnings()


@pytest.mark.parametrize(
    "value", ["!!bool x", "!!int ''", "!!timestamp x", "!!float ''", "!!int '_'", "!!binary é"]
)
def test_values_that_yaml_cannot_convert_are_no_mlmodel_file(value):
    (problem,) = warnings({"MLmodel": f"flavors: {{a: {value}}}\n".encode()}).problems
    assert problem == "MLmodel could not be inspected: not a valid MLmodel file."


def test_numbers_and_nulls_of_an_mlmodel_file_are_read_as_they_are_written():
    text = b"flavors: {a: {a_version: 1.10}}\nrun_id: 0x_\nmodel_id: null\nmlflow_version: 1:1\n"
    told = found(text)["mlmodel"]
    assert told["flavors"] == [{"name": "a", "version": "1.10"}]
    assert (told["run_id"], told["model_id"], told["mlflow_version"]) == ("0x_", "", "1:1")


def test_an_unexpected_error_is_logged_and_the_file_does_not_pass(monkeypatch, caplog):
    def failing(*_):
        raise KeyError("x")

    monkeypatch.setattr(inspection, "read_text", failing)
    (problem,) = warnings({"a": b"text"}).problems
    assert problem == "a could not be inspected: the inspection failed."
    assert "KeyError" in caplog.text
    (problem,) = warnings({"a.tar": tarred("b", b"text")}).problems
    assert problem == "a.tar could not be inspected: b: the inspection failed."


def test_an_error_of_the_disk_is_not_a_finding(monkeypatch):
    def failing(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(inspection, "read_text", failing)
    with pytest.raises(OSError, match="Input/output"):
        found(b"text")


def test_tensors_have_at_most_64_dimensions():
    for count, reason in ((64, ""), (65, "has more than 64 dimensions")):
        header = {"a": {"dtype": "U8", "shape": [1] * count, "data_offsets": [0, 1]}}
        text = json.dumps(header).encode()
        problems = warnings({"a": len(text).to_bytes(8, "little") + text + b"x"}).problems
        assert bool(problems) == bool(reason)
        assert reason in "".join(problems)


def test_external_data_that_a_loader_could_unpack_or_unpickle_does_not_pass():
    packed = b"\x28\xb5\x2f\xfd\x20\x01\x09\x00\x00a"
    model = files.onnx_model(external="weights.bin")
    (problem,) = warnings({"m.onnx": model, "weights.bin": packed}).problems
    assert "weights.bin could not be inspected: its format is not recognised (it is" in problem
    model = files.onnx_model(external="weights.pkl.x")
    (problem,) = warnings({"m.onnx": model, "weights.pkl.x": b"\0\0\x80\x3f" * 6}).problems
    assert problem == "weights.pkl.x could not be inspected: its format is not recognised."


@pytest.mark.parametrize("module", ["builtins", "keras.utils"])
def test_only_known_functions_of_keras_are_no_code(module):
    def function(name):
        node = {"module": module, "class_name": "function", "config": name}
        return json.dumps({"activation": node}).encode()

    assert warnings({"config.json": function("relu")}) == FileWarnings()
    for name in ("exec", "get_file"):
        (code,) = warnings({"config.json": function(name)}).code
        assert code == f"config.json runs code when loaded: the function {name}."


@pytest.mark.parametrize("layer", ["TFOpLambda", "TensorFlowOpLayer"])
def test_layers_that_call_any_operation_are_code(layer):
    content = json.dumps({"class_name": layer, "config": {"function": "io.write_file"}}).encode()
    (code,) = warnings({"config.json": content}).code
    assert code == f"config.json runs code when loaded: {layer} layer."
