"""Every code block of the documentation is run, or compared with what the product does.

The blocks of a page run in its order, on an empty registry (the README's on models of the demo),
while `obeya serve` runs. `# … exit status 1` in a block says that a command ends with that status;
all others end with 0. A block of `output` is what the block before it prints; `…` is anything. A
block with a title is a file of that name.
"""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from obeya import RemoteRegistry
from obeya.records import Action
from tests.docs.pages import (
    FENCED,
    ROOT,
    Block,
    all_blocks,
    block,
    blocks_of,
    pages,
    shape,
    text_of,
)
from tests.docs.reader import Reader
from tests.examples import IS_RELEASE
from tests.packaging.commands import Served, run, run_code, signed_in

SCOPES = "read,write,promote,approve,admin"
RUN = {"sh", "console", "python"}
CHECKED = {
    "output": "compared with the output of the block before",
    "yaml": "a file of its page's blocks, or run by test_pipelines.py",
    "json": "compared here, by test_documented_events.py or by test_audit_spec.py",
    "filter": "parsed by test_filters.py",
    "ordering": "parsed by test_filters.py",
    "text": "no code, or quoted by title: test_audit_spec.py, test_quoted_answers.py",
}
# Blocks that are not run, by page and first line: what they need, and the test that does the same.
NOT_RUN = {
    ("README.md", "git clone <this repository> obeya && cd obeya"): (
        "the repository's address, and packages from an index; test_installation.py"
    ),
    ("README.md", "make test"): "it would run this test again",
    ("docs/artifacts.md", "# Amazon S3"): "a bucket; test_artifact_storage.py",
    ("docs/export.md", "obeya export whole --data-dir ./data"): (
        "a PostgreSQL server; test_whole_export.py"
    ),
    ("docs/mlflow.md", "from mlflow import MlflowClient"): (
        "MLflow; tests/mlflow/clients/files_here.py"
    ),
    (
        "docs/mlflow.md",
        "obeya import mlflow --tracking-uri https://mlflow.example.org --dry-run",
    ): "an MLflow server; tests/mlflow/test_import.py",
    ("docs/upgrades.md", "git clone REPOSITORY obeya && cd obeya && git checkout 457acaf"): (
        "the repository's address, and packages from an index; none"
    ),
    ("docs/webhooks.md", "OBEYA_WEBHOOK_NETWORKS=10.20.0.0/16,fd12:3456::/32 obeya serve"): (
        "the server does not end; test_settings.py knows its variables"
    ),
}
# What readers have in their directory.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FILES = {"model/weights.safetensors": "weights", "model/tokenizer/vocabulary.txt": "a\nb\n"}
# Enough of the demo for the tour; `make test-all` loads all of it.
TOUR = None if IS_RELEASE else {"resnet50", "convnext_tiny", "nextvit_base"}
LOAD_DEMO = f"""
import django
django.setup()
from django.utils import timezone
from registry_site.demo.load import load_demo
from registry_site.demo.timm import read_models
models = [model for model in read_models() if {TOUR} is None or model.name in {TOUR}]
load_demo(models=models, now=timezone.now(), progress=lambda models, number: models)
"""


def is_run(block: Block) -> bool:
    return block.language in RUN and (block.page, block.first_line) not in NOT_RUN


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The data directory of an empty registry, to be copied, and a token for it."""
    data = tmp_path_factory.mktemp("empty")
    created = run(data, "token", "create", "--scopes", SCOPES, "--allow-service-approval")
    assert created.returncode == 0, created.stderr
    return data, created.stdout.splitlines()[-1]


@pytest.mark.parametrize("path", [path for path in pages() if any(map(is_run, blocks_of(path)))])
def test_the_blocks_of_a_page_run(path: str, empty: tuple[Path, str], tmp_path: Path) -> None:
    original, token = empty
    data = shutil.copytree(original, tmp_path / "data")
    if path == "README.md":
        run_code(data, LOAD_DEMO)
    server = Served(data, "--workers", "1", OBEYA_WORKER="0")
    try:
        home, link = server.wait_for_urls(2)
        reader = Reader(tmp_path, url=home.rstrip("/"), token=token, secret=SECRET)
        for name, text in FILES.items():
            reader.write(name, text)
        for each in blocks_of(path):
            if each.text.endswith("< record.json") and not (tmp_path / "record.json").exists():
                reader.write("record.json", newest_record(home, link, token))
            if is_run(each) or each.language not in RUN:
                reader.follow(each)
        if check := CHECKS.get(path):
            check(reader)
    finally:
        server.end()


def newest_record(home: str, link: str, token: str) -> str:
    """Download the record of the newest move, as a browser does."""
    event = next(RemoteRegistry(home, token).audit_events(action=Action.STAGE_TRANSITIONED.value))
    url = f"{home}records/{event['chain']}/{event['sequence']}/record.json"
    with signed_in(link).open(url) as answer:
        return answer.read().decode()


def the_manifest_is_as_documented(reader: Reader) -> None:
    documented = json.loads(block("docs/export.md", "json"))
    [file] = reader.directory.glob("backup-*/manifest.json")
    manifest = json.loads(file.read_text())
    manifest["files"] = {name: manifest["files"][name] for name in documented["files"]}
    assert shape(manifest) == shape(documented)


def the_receiver_verifies_what_is_signed(reader: Reader) -> None:
    body = block("docs/webhooks.md", "json")
    at = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", at, body),
    }
    reader.names["receive"](body, headers)
    with pytest.raises(WebhookVerificationError):
        reader.names["receive"](f"{body} ", headers)


CHECKS = {
    "docs/export.md": the_manifest_is_as_documented,
    "docs/webhooks.md": the_receiver_verifies_what_is_signed,
}


def test_every_block_is_run_or_checked() -> None:
    languages = {block.language for page in pages() for block in blocks_of(page)}
    assert languages == RUN | CHECKED.keys()
    assert {b.page for b in all_blocks("json")} == {
        "docs/audit.md",
        "docs/export.md",
        "docs/webhook-events.md",
        "docs/webhooks.md",
    }
    assert {b.page for b in all_blocks("filter", "ordering")} == {"docs/filters.md"}
    assert {b.page for b in all_blocks("yaml") if not b.title} == {"docs/ci.md"}


def test_what_is_not_run_exists() -> None:
    existing = {(block.page, block.first_line) for block in all_blocks(*RUN)}
    assert NOT_RUN.keys() <= existing
    for name in re.findall(r"[\w/]+\.py", " ".join(NOT_RUN.values())):
        assert [*(ROOT / "tests").rglob(Path(name).name)], name


def test_no_block_is_only_indented() -> None:
    """Such a block has no language, so that nothing would run it."""
    for page in pages():
        outside = FENCED.sub("", text_of(page))
        assert not re.findall(r"(?:^|\n)\n {4,}\S.*", outside), page
