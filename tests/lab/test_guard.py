"""Who may ask, how much, and what comes back."""

import json

import httpx
import pytest

from convscope.errors import UsageError
from convscope.lab.server.guard.access import TOKEN_HEADER, Access, Key
from convscope.lab.server.guard.answers import HEADERS, Failures
from convscope.lab.server.guard.bodies import MAX_BODY
from convscope.lab.server.guard.names import is_local
from convscope.lab.server.serve import listen

from .conftest import run

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
    "[::1]evil.example",
    "[::1]@evil",
    "127.0.0.1:evil",
    "[::1%25evil]",
    "localhost:99999",
    "localhost.",
    "user@localhost",
    "127.0.0.1:80:80",
    "127.0.0.1 evil",
    "١٢٧.٠.٠.١",
]


@pytest.mark.parametrize("host", EVIL)
def test_other_names_are_refused(lab, host):
    answer = lab.client.get("/", headers={"host": host.encode()})
    assert answer.status_code in (400, 403)
    assert not is_local(host)
    assert lab.token not in answer.text


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "127.0.0.2:80", "[::1]:8765", "[::1]"])
def test_loopback_names_are_served(lab, host):
    assert lab.client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:1",
        "https://localhost",
        "https://OWN",
        "OWN",
        "ftp://OWN",
        "http://OWN/",
        "http://OWN, http://OWN",
        "HTTP://OWN",
        "",
    ],
)
def test_other_origins_are_refused(lab, origin):
    answer = lab.post("/api/shapes", QUESTION)
    assert answer.status_code == 200
    origin = origin.replace("OWN", lab.origin.removeprefix("http://"))
    answer = lab.client.post("/api/shapes", json=QUESTION, headers={TOKEN_HEADER: lab.token, "origin": origin})
    assert answer.status_code == 403
    assert "may not use this lab" in answer.json()["error"]


def test_own_origin_is_served(lab):
    headers = {TOKEN_HEADER: lab.token, "origin": lab.origin}
    assert lab.client.post("/api/shapes", json=QUESTION, headers=headers).status_code == 200


@pytest.mark.parametrize("headers", [{}, {TOKEN_HEADER: ""}, {TOKEN_HEADER: "wrong"}, {TOKEN_HEADER: "é".encode()}])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_no_token_no_change(lab, method, headers):
    answer = lab.client.request(method, "/api/shapes", json=QUESTION, headers=headers)
    assert answer.status_code == 403
    assert answer.json() == {
        "error": "the key of this lab is missing or out of date",
        "help": "open the address that the terminal printed, or reload the page",
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


BAD = [
    "",
    "[]",
    "{",
    "NaN",
    '{"net": 1}',
    '{"net": "note", "image": [1, 28], "classes": 10}',
    "[" * 100_000,
    '{"net": "note", "image": [1, NaN, 28], "classes": 10}',
    '{"net": "note", "image": [1, 28, 28], "classes": ' + "9" * 5000 + "}",
]


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


@pytest.mark.parametrize("path", ["/", "/api", "/api/runs", "/api/train", "/files/x", "/favicon.ico"])
def test_without_the_key_nothing_is_answered_to_other_users_of_the_machine(lab, path):
    for headers in ({}, {"cookie": "convscope-1=x"}, {"cookie": f"convscope-1={lab.token}"}):
        answer = httpx.get(lab.origin + path, headers=headers)
        assert answer.status_code == 403
        assert lab.token not in answer.text
    page = httpx.get(lab.origin + path, headers={"accept": "text/html,*/*"})
    assert page.headers["content-type"].startswith("text/html")
    assert "open the address that the terminal printed" in page.text


def test_the_key_in_the_address_lets_in_and_leaves_a_cookie_for_reading(lab):
    with httpx.Client() as browser:
        page = browser.get(f"{lab.url}/")
        assert page.status_code == 200
        cookie = page.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert browser.get(f"{lab.origin}/api/runs").status_code == 200  # a second tab, without the key
        assert browser.post(f"{lab.origin}/api/shapes", json=QUESTION).status_code == 403
        assert browser.post(f"{lab.url}/api/shapes", json=QUESTION).status_code == 200
        assert browser.get(lab.url).status_code == 200


class Scope(dict):
    """A request."""

    def __init__(self, method="GET", path="/", headers=()):
        super().__init__(
            type="http",
            method=method,
            path=path,
            query_string=b"",
            server=("10.0.0.1", 80),
            headers=[(b"host", b"10.0.0.1"), *headers],
        )


def asked(access, scope):
    """What comes of a request: the status, the path that the application sees, and the cookie that is set."""
    seen, sent = [], []

    async def application(scope, receive, send):
        seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        sent.append(message)

    run(Key(application, access)(scope, None, send))
    return sent[0]["status"], *seen, *(value for name, value in sent[0]["headers"] if name == b"set-cookie")


def test_the_key_is_asked_for_in_address_header_or_cookie():
    access = Access(loopback=False)
    token = access.token.encode()
    cookie = f"convscope-80={access.token}; Path=/; HttpOnly; SameSite=Lax".encode()
    assert asked(access, Scope()) == (403,)
    other = "y" if access.token.endswith("x") else "x"
    assert asked(access, Scope(path=f"/{access.token[:-1]}{other}/")) == (403,)
    assert asked(access, Scope(path=f"/{access.token}/api")) == (200, "/api", cookie)
    assert asked(access, Scope(path=f"/{access.token}")) == (200, "/", cookie)
    assert asked(access, Scope(headers=[(b"cookie", b"a=b; convscope-80=" + token)])) == (200, "/")
    assert asked(access, Scope(headers=[(b"cookie", b"convscope-81=" + token)])) == (403,)
    assert asked(access, Scope("POST", headers=[(b"cookie", b"convscope-80=" + token)])) == (403,)
    assert asked(access, Scope("POST", headers=[(TOKEN_HEADER.encode(), token)])) == (200, "/")
    assert asked(access, Scope("POST", f"/{access.token}/api")) == (200, "/api")


def test_the_ticket_that_the_browser_is_started_with_admits_once():
    """Command lines can be read by every user of the machine."""
    access = Access()
    cookie = f"convscope-80={access.token}".encode()
    assert asked(access, Scope("POST", f"/{access.ticket}/api")) == (403,)
    assert asked(access, Scope(path=f"/{access.ticket}/"))[:2] == (200, "/")
    assert asked(access, Scope(path=f"/{access.ticket}/")) == (403,)
    again = Scope(path=f"/{access.ticket}/", headers=[(b"cookie", cookie)])  # the browser asks twice, or comes back
    assert asked(access, again)[:2] == (200, "/")


def test_our_own_mistakes_show_no_traceback(caplog):
    async def broken(scope, receive, send):
        raise RuntimeError("secret detail")

    answer = httpx.Client(transport=_InProcess(Failures(broken)), base_url="http://127.0.0.1").get("/")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert json.loads(answer.text)["error"].startswith("the lab itself failed")
    assert "secret detail" in caplog.text


class _InProcess(httpx.BaseTransport):
    """httpx's ASGI transport is asynchronous only."""

    def __init__(self, app):
        self.app = app

    def handle_request(self, request):
        async def ask():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
            answer = await transport.handle_async_request(httpx.Request(request.method, request.url))
            return answer.status_code, answer.headers, await answer.aread()

        status, headers, content = run(ask())
        return httpx.Response(status, headers=headers, content=content)


def test_ports_and_addresses():
    first = listen("127.0.0.1", 0)
    taken = first.getsockname()[1]
    with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1, port {taken}: Address already in use"):
        listen("127.0.0.1", taken)
    first.close()
    with pytest.raises(UsageError, match=r"--host must be an IP address, not 'example\.org'"):
        listen("example.org", 0)
