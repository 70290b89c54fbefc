"""Static files: plain names before they are collected, hashed names after."""

from __future__ import annotations

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command

from registry_site.static import HashedStaticFiles, collect_if_changed


@pytest.fixture
def collected(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path / "static"
    return settings.STATIC_ROOT


def test_names_are_plain_before_anything_was_collected():
    assert staticfiles_storage.url("css/base.css") == "/static/css/base.css"


def test_names_are_hashed_once_collected(collected):
    collect_if_changed()
    url = HashedStaticFiles(location=collected).url("css/base.css")
    assert url != "/static/css/base.css"
    path = collected / url.removeprefix("/static/")
    assert path.is_file()
    assert path.with_name(f"{path.name}.br").is_file()


def test_they_are_collected_again_only_when_one_changed(collected, monkeypatch, settings, tmp_path):
    extra = tmp_path / "extra"
    extra.mkdir()
    settings.STATICFILES_DIRS = [extra]
    (extra / "one.css").write_text("a {}")
    runs = []

    def counted(*args, **options):
        runs.append(args)
        call_command(*args, **options)

    monkeypatch.setattr("registry_site.static.call_command", counted)
    collect_if_changed()
    collect_if_changed()
    assert len(runs) == 1
    (extra / "one.css").write_text("a { color: red }")
    collect_if_changed()
    assert len(runs) == 2
