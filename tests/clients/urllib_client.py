"""urllib of Python's standard library: presigned URLs."""

import ssl
import urllib.error
import urllib.request

from harness import suite
from harness.signing import presigned, signed_headers, url
from harness.store import BUCKET, CA, choose

CONTEXT = choose(lambda: None, lambda: ssl.create_default_context(cafile=CA), ssl._create_unverified_context)()


def send(method, key, body=None, headers=None):
    address = url(BUCKET, key)
    request = urllib.request.Request(address, data=body, headers=signed_headers(method, address, headers=headers), method=method)
    return urllib.request.urlopen(request, context=CONTEXT)


class Client:
    def put(self, key, content, content_type, metadata):
        headers = {f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()}
        send("PUT", key, content, {**headers, "content-type": content_type or "a/b"}).close()

    def get(self, key):
        with urllib.request.urlopen(presigned("GET", BUCKET, key), context=CONTEXT) as answer:
            return answer.read()

    def range(self, key, first, last):
        with send("GET", key, headers={"range": f"bytes={first}-{last}"}) as answer:
            return answer.read()

    def refuses_missing(self, key):
        try:
            send("GET", key)
        except urllib.error.HTTPError as error:
            assert error.code == 404 and b"NoSuchKey" in error.read()
        else:
            raise AssertionError("no error")


suite.run(Client())
