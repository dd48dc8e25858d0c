"""An independent client: checks what the client under test has done, and uploads for those that cannot yet. It asks not
to be redirected, so that the store's counters tell the tested client's redirects from everything else."""

import re
import urllib.error
import urllib.request
from html import unescape
from types import SimpleNamespace
from urllib.parse import unquote_plus

from harness import signing
from harness.store import BUCKET, tls_context

#: No client the store knows to follow redirects.
AGENT = "corelane-witness"


def _send(method, key=None, parameters=None, headers=None, body=None):
    parameters = parameters or {}
    address = signing.url(BUCKET, key)
    headers = {**(headers or {}), "x-corelane-route": "proxy"}
    headers = signing.signed_headers(method, address, parameters, headers)
    target = address + ("?" + signing.query(parameters) if parameters else "")
    request = urllib.request.Request(target, data=body, headers=headers, method=method)
    request.add_header("User-Agent", AGENT)
    try:
        answer = urllib.request.urlopen(request, context=tls_context())
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return SimpleNamespace(status=answer.status, headers=answer.headers, body=answer.read())


def _expect(answer, *statuses):
    assert answer.status in statuses, (answer.status, answer.body[:1000])
    return answer


def make_bucket():
    """Makes the bucket, or finds it made."""
    _expect(_send("PUT"), 200, 409)


def remove_bucket():
    """Removes the bucket, which must be empty."""
    _expect(_send("DELETE"), 204)


def has_bucket():
    """Whether the bucket is there."""
    return _expect(_send("HEAD"), 200, 404).status == 200


def put(key, content, content_type=None, metadata=None):
    """Uploads an object."""
    headers = {f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()}
    headers["content-type"] = content_type or "application/octet-stream"
    _expect(_send("PUT", key, headers=headers, body=content), 200)


def get(key):
    """The bytes of an object, its content type, and its metadata by name. None where there is no such object."""
    answer = _expect(_send("GET", key), 200, 404)
    if answer.status == 404:
        return None
    names = [name.lower() for name in answer.headers if name.lower().startswith("x-amz-meta-")]
    return SimpleNamespace(
        content=answer.body,
        content_type=answer.headers["content-type"],
        metadata={name.removeprefix("x-amz-meta-"): answer.headers[name] for name in names},
    )


def keys(prefix=""):
    """The keys of the bucket that begin with this, in order."""
    found, token = [], None
    while True:
        parameters = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        if token:
            parameters["continuation-token"] = token
        page = _expect(_send("GET", parameters=parameters), 200).body.decode()
        found += [unquote_plus(unescape(key)) for key in re.findall("<Key>(.*?)</Key>", page)]
        token = re.search("<NextContinuationToken>(.*?)</NextContinuationToken>", page)
        if not token:
            return found
        token = unescape(token[1])


def delete(key):
    """Removes an object."""
    _expect(_send("DELETE", key), 204)


def open_url(address, method="GET", body=None):
    """What a presigned URL answers, after a redirect if it comes to that: status and body."""
    for _ in range(2):
        request = urllib.request.Request(address, data=body, method=method, headers={"User-Agent": AGENT})
        try:
            answer = urllib.request.urlopen(request, context=tls_context())
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            status, content = answer.status, answer.read()
        # urllib follows by itself, but with nothing that has a body.
        if status != 307:
            break
        address = answer.headers["location"]
    return status, content
