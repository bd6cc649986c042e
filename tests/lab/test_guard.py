"""Who may ask, how much, and what comes back."""

import json

import httpx
import pytest

from convscope.errors import UsageError
from convscope.lab.server.guard import HEADERS, MAX_BODY, TOKEN_HEADER, Access, Guard
from convscope.lab.server.serve import listen

QUESTION = {"net": "note", "image": [1, 28, 28], "classes": 10}


def test_every_answer_bears_the_headers(lab):
    for path in ("/", "/api", "/api/openapi.json", "/api/shapes/zoo", "/nowhere"):
        answer = lab.client.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
    assert "unsafe" not in HEADERS["content-security-policy"]


EVIL = [
    "evil.example",
    "evil.example:80",
    "127.0.0.1.evil.example",
    "localhost.evil",
    "10.0.0.1",
    "[::2]:1",
    "0.0.0.0",
    "",
]


@pytest.mark.parametrize("host", EVIL)
def test_other_names_are_refused(lab, host):
    answer = lab.client.get("/", headers={"host": host})
    assert answer.status_code in (400, 403)
    assert lab.token not in answer.text


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "127.0.0.2:80", "[::1]:8765", "[::1]"])
def test_loopback_names_are_served(lab, host):
    assert lab.client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost"])
def test_other_origins_are_refused(lab, origin):
    answer = lab.post("/api/shapes", QUESTION)
    assert answer.status_code == 200
    answer = lab.client.post("/api/shapes", json=QUESTION, headers={TOKEN_HEADER: lab.token, "origin": origin})
    assert answer.status_code == 403
    assert "may not use this lab" in answer.json()["error"]


def test_own_origin_is_served(lab):
    headers = {TOKEN_HEADER: lab.token, "origin": lab.url}
    assert lab.client.post("/api/shapes", json=QUESTION, headers=headers).status_code == 200


@pytest.mark.parametrize("headers", [{}, {TOKEN_HEADER: ""}, {TOKEN_HEADER: "wrong"}, {TOKEN_HEADER: "é".encode()}])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_no_token_no_change(lab, method, headers):
    answer = lab.client.request(method, "/api/shapes", json=QUESTION, headers=headers)
    assert answer.status_code == 403
    assert answer.json() == {
        "error": "the token is missing or out of date",
        "help": "reload the page, or open the lab's full address",
    }


def test_the_page_carries_the_token_and_the_token_changes(lab):
    assert f'content="{lab.token}"' in lab.client.get("/").text
    assert Access().token != Access().token


def test_bodies_are_bounded_whatever_they_claim(lab):
    def pieces():
        for _ in range(MAX_BODY // 65536 + 2):
            yield b" " * 65536

    answer = lab.client.post("/api/shapes", content=pieces(), headers={TOKEN_HEADER: lab.token})  # chunked: no length
    assert answer.status_code == 413
    assert answer.json()["error"] == "the request is larger than 4,194,304 bytes"


BAD = ["", "[]", "{", "NaN", '{"net": 1}', '{"net": "note", "image": [1, 28], "classes": 10}', "[" * 100_000,
       '{"net": "note", "image": [1, NaN, 28], "classes": 10}',
       '{"net": "note", "image": [1, 28, 28], "classes": ' + "9" * 5000 + "}"]  # fmt: skip


@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_bad_bodies_are_4xx(lab, content):
    headers = {TOKEN_HEADER: lab.token, "content-type": "application/json"}
    answer = lab.client.post("/api/shapes", content=content, headers=headers)
    assert 400 <= answer.status_code < 500
    assert set(answer.json()) >= {"error", "help"}


@pytest.mark.parametrize(
    "path", ["/nowhere", "/files/../app.py", "/files/x", "/api/shapes/", "/%00", "/files/%2e%2e/app.py"]
)
def test_what_is_not_there_is_4xx(lab, path):
    answer = lab.client.get(path, follow_redirects=False)
    assert answer.status_code in (404, 405, 307)
    assert "Traceback" not in answer.text


class Scope(dict):
    """A request on a lab that other machines can reach."""

    def __init__(self, method="GET", query="", headers=()):
        super().__init__(type="http", method=method, path="/", query_string=query.encode(), server=("10.0.0.1", 80),
                         headers=[(b"host", b"10.0.0.1"), *headers])  # fmt: skip


def test_beyond_loopback_everything_needs_the_token():
    access = Access(loopback=False)
    guard = Guard(None, access)
    token = access.token.encode()
    assert guard._refusal(Scope()).status_code == 403
    assert guard._refusal(Scope(query="token=wrong")).status_code == 403
    assert guard._refusal(Scope(query=f"token={access.token}")) is None
    assert guard._refusal(Scope(headers=[(b"cookie", b"a=b; convscope-80=" + token)])) is None
    assert guard._refusal(Scope(headers=[(b"cookie", b"convscope-81=" + token)])).status_code == 403
    assert guard._refusal(Scope("POST", headers=[(b"cookie", b"convscope-80=" + token)])).status_code == 403
    assert guard._refusal(Scope("POST", headers=[(TOKEN_HEADER.encode(), token)])) is None


def test_our_own_mistakes_show_no_traceback(caplog):
    async def broken(scope, receive, send):
        raise RuntimeError("secret detail")

    guard = Guard(broken, Access())
    answer = httpx.Client(transport=_InProcess(guard), base_url="http://127.0.0.1").get("/")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert json.loads(answer.text)["error"].startswith("the lab itself failed")
    assert "secret detail" in caplog.text


class _InProcess(httpx.BaseTransport):
    """httpx's ASGI transport is asynchronous only."""

    def __init__(self, app):
        self.app = app

    def handle_request(self, request):
        import asyncio

        async def ask():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
            answer = await transport.handle_async_request(httpx.Request(request.method, request.url))
            return answer.status_code, answer.headers, await answer.aread()

        status, headers, content = asyncio.run(ask())
        return httpx.Response(status, headers=headers, content=content)


def test_ports_and_addresses():
    first = listen("127.0.0.1", 0)
    taken = first.getsockname()[1]
    with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1, port {taken}: Address already in use"):
        listen("127.0.0.1", taken)
    first.close()
    with pytest.raises(UsageError, match=r"--host must be an IP address, not 'example\.org'"):
        listen("example.org", 0)
