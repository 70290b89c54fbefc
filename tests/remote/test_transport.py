"""The client on an unreliable connection: a real server plays prepared responses."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from obeya import RemoteRegistry
from obeya.documents.problems import problem_document
from obeya.errors import (
    InvalidInput,
    NotFound,
    NotSignedIn,
    RegistryError,
    TooManyRequests,
    Unreachable,
)
from obeya.remote.transport import Timeouts, Transport

Answer = Callable[["Player"], None]


class Player(BaseHTTPRequestHandler):
    """Answers each request with the next prepared response; the last one repeats."""

    answers: list[Answer]
    heard: list[tuple[str, str, dict[str, str], bytes]]

    def _play(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.heard.append((self.command, self.path, dict(self.headers), body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _play  # noqa: N815 - the library's names

    def log_message(self, *_: Any) -> None:
        """Log nothing: the tests look at the requests received."""


def says(
    status: int, document: Any = None, *, kind: str = "application/json", **headers: str
) -> Answer:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()

    def answer(player: Player) -> None:
        player.send_response(status)
        player.send_header("Content-Type", kind)
        player.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            player.send_header(name.replace("_", "-"), value)
        player.end_headers()
        player.wfile.write(content)

    return answer


def hangs_up(player: Player) -> None:
    player.connection.shutdown(socket.SHUT_RDWR)


def breaks_off(player: Player) -> None:
    player.send_response(200)
    player.send_header("Content-Type", "application/json")
    player.send_header("Content-Length", "1000")
    player.end_headers()
    player.wfile.write(b'{"account": ')
    player.wfile.flush()
    player.connection.shutdown(socket.SHUT_RDWR)


def stays_silent(player: Player) -> None:
    threading.Event().wait(1.5)


@pytest.fixture
def played() -> Iterator[Callable[..., tuple[str, list[Any]]]]:
    servers = []

    def start(*answers: Answer) -> tuple[str, list[Any]]:
        heard: list[Any] = []
        handler = type("Played", (Player,), {"answers": list(answers), "heard": heard})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}", heard

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


ME = says(200, {"account": "alice"})


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(played: Any, status: int) -> None:
    url, heard = played(says(status, b"busy", kind="text/plain", Retry_After="0"), ME)
    assert RemoteRegistry(url, "t").me() == {"account": "alice"}
    assert len(heard) == 2


OVER_LIMIT = says(
    429, problem_document(TooManyRequests("Too many.", retry_after=7)), Retry_After="0"
)


def test_over_the_rate_limit_it_waits_and_then_says_how_long_to_wait(played: Any) -> None:
    url, heard = played(OVER_LIMIT)
    with pytest.raises(TooManyRequests, match=r"Too many\.") as caught:
        RemoteRegistry(url, "t", attempts=3).me()
    assert caught.value.retry_after == 7
    assert len(heard) == 3


def test_a_download_is_opened_again(played: Any) -> None:
    content = says(200, b"content", kind="application/octet-stream")
    url, heard = played(OVER_LIMIT, hangs_up, content)
    api = Transport(url, "t", timeouts=Timeouts(), attempts=3)
    with api.chunks("file") as pieces:
        assert b"".join(pieces) == b"content"
    assert len(heard) == 3
    missing, _ = played(says(404, problem_document(NotFound("No.", what="file"))))
    api = Transport(missing, "t", timeouts=Timeouts(), attempts=3)
    with pytest.raises(NotFound), api.chunks("file"):
        pass


@pytest.mark.parametrize("bad", [hangs_up, breaks_off])
def test_a_lost_connection_is_opened_again(played: Any, bad: Answer) -> None:
    url, heard = played(bad, ME)
    assert RemoteRegistry(url, "t").me() == {"account": "alice"}
    assert len(heard) == 2


def test_all_attempts_of_a_post_share_one_idempotency_key(played: Any) -> None:
    made = says(201, {"items": []})
    url, heard = played(hangs_up, says(503, {}), made, made)
    registry = RemoteRegistry(url, "t")
    registry.register_versions([])
    registry.register_versions([])
    keys = [headers["Idempotency-Key"] for _, _, headers, _ in heard]
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_it_gives_up_and_names_the_server(played: Any) -> None:
    url, heard = played(hangs_up)
    with pytest.raises(Unreachable, match=url):
        RemoteRegistry(url, "t", attempts=2).me()
    assert len(heard) == 2


def test_a_silent_server_times_out(played: Any) -> None:
    url, _ = played(stays_silent)
    with pytest.raises(Unreachable):
        RemoteRegistry(url, "t", attempts=1, timeouts=Timeouts(read=0.2)).me()


def test_no_server_is_listening(played: Any) -> None:
    with pytest.raises(Unreachable, match=r"cannot be reached: Connection refused\.$"):
        RemoteRegistry("http://127.0.0.1:9", "t", attempts=1).me()


@pytest.mark.parametrize(
    "answer",
    [
        says(200, b"<html>Welcome</html>", kind="text/html"),
        says(500, b"<html>Oops</html>", kind="text/html"),
        says(200, b"{", kind="application/json"),
        says(404, b"", kind="text/plain"),
    ],
)
def test_a_response_that_is_not_of_a_registry_is_reported(played: Any, answer: Answer) -> None:
    url, _ = played(answer)
    with pytest.raises(Unreachable, match="/api/v1/me"):
        RemoteRegistry(url, "t").me()


def test_no_redirect_leaks_the_token(played: Any) -> None:
    other, heard = played(ME)
    url, _ = played(says(302, {}, Location=f"{other}/api/v1/me"))
    with pytest.raises(Unreachable, match="redirect"):
        RemoteRegistry(url, "secret").me()
    assert heard == []


def test_a_refusal_is_not_retried(played: Any) -> None:
    problem = problem_document(NotFound("None.", what="model"))
    url, heard = played(says(404, problem, kind="application/problem+json"))
    with pytest.raises(NotFound, match=r"None\.") as error:
        RemoteRegistry(url, "t").get_model("churn")
    assert error.value.what == "model"
    assert len(heard) == 1


def test_an_unknown_problem_keeps_its_message(played: Any) -> None:
    url, _ = played(says(418, {"code": "teapot", "detail": "Short and stout."}))
    with pytest.raises(RegistryError, match="Short and stout"):
        RemoteRegistry(url, "t").me()


@pytest.mark.parametrize(
    ("name", "segment"),
    [("a b", "a%20b"), ("ü", "%C3%BC"), ("50%", "50%25"), ("what?", "what%3F"), ("a#b", "a%23b")],
)
def test_names_are_encoded_under_any_prefix(played: Any, name: str, segment: str) -> None:
    url, heard = played(says(204))
    RemoteRegistry(f"{url}/registry/", "t").delete_model(name)
    assert heard[0][:2] == ("DELETE", f"/registry/api/v1/models/{segment}")


def test_the_token_is_only_in_its_header(played: Any) -> None:
    url, heard = played(says(500, b"no", kind="text/plain"))
    registry = RemoteRegistry(url, "secret")
    with pytest.raises(Unreachable) as error:
        registry.me()
    assert heard[0][2]["Authorization"] == "Bearer secret"
    assert "secret" not in f"{registry!r} {error.value!r} {error.value}"


@pytest.mark.parametrize(
    "url", ["", "registry.example.org", "ftp://x", "http://", "http://u:p@x", "http://x?y=1"]
)
def test_an_invalid_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        RemoteRegistry(url, "t")


@pytest.mark.parametrize("end", ["/api/v1", "/api/v1/"])
def test_an_address_with_the_path_of_the_api_is_refused_with_the_right_one(end: str) -> None:
    with pytest.raises(InvalidInput, match=r"Write it like https://x/registry\.$"):
        RemoteRegistry(f"https://x/registry{end}", "t")


def test_a_server_without_https_is_reported(played: Any) -> None:
    url, _ = played(ME)
    with pytest.raises(Unreachable, match=f"If it uses HTTP, write {url}"):
        RemoteRegistry(url.replace("http", "https"), "t", attempts=1).me()


def test_a_missing_token_is_reported_with_how_to_set_it(played: Any) -> None:
    problem = problem_document(NotSignedIn("Send a token in the header."))
    answer = says(401, problem, kind="application/problem+json")
    url, _ = played(answer)
    with pytest.raises(NotSignedIn, match="Set OBEYA_TOKEN"):
        RemoteRegistry(url, "").me()
    with pytest.raises(NotSignedIn, match="in the header"):
        RemoteRegistry(url, "wrong").me()


@pytest.mark.parametrize("token", ["a\nb", "tökén"])
def test_a_token_that_could_break_a_header_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput):
        RemoteRegistry("http://x", token)


def test_the_environment_provides_address_and_token(
    played: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, heard = played(ME)
    monkeypatch.setenv("OBEYA_URL", url)
    monkeypatch.setenv("OBEYA_TOKEN", " secret\n")
    RemoteRegistry().me()
    assert heard[0][2]["Authorization"] == "Bearer secret"


def test_pages_are_joined_until_the_last(played: Any) -> None:
    url, heard = played(
        says(200, {"items": [1, 2], "next": "c1"}), says(200, {"items": [3], "next": None})
    )
    transport = Transport(url, "t", timeouts=Timeouts(), attempts=1)
    assert list(transport.pages("things", q="a b")) == [1, 2, 3]
    assert [path.partition("?")[2] for _, path, _, _ in heard] == [
        "limit=500&q=a+b",
        "limit=500&q=a+b&cursor=c1",
    ]
