"""requests: signed headers and presigned URLs."""

import requests
import urllib3
from harness import suite, witness
from harness.signing import presigned, presigned_v2, signed_headers, url
from harness.store import BUCKET, CA, choose, needs

urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
session = requests.Session()
# The environment's certificates would count more than what is set here.
session.trust_env = False
session.verify = choose(True, CA, False)


def send(method, key, body=None, headers=None):
    address = url(BUCKET, key)
    signed = signed_headers(method, address, headers=headers)
    answer = session.request(method, address, data=body, headers=signed, allow_redirects=True)
    answer.raise_for_status()
    return answer


class Client:
    def put(self, key, content, content_type, metadata):
        headers = {f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()}
        send("PUT", key, content, {**headers, "content-type": content_type or "a/b"})

    def get(self, key):
        return send("GET", key).content

    def range(self, key, first, last):
        return send("GET", key, headers={"range": f"bytes={first}-{last}"}).content

    def head(self, key):
        said = send("HEAD", key).headers
        metadata = {name.lower().removeprefix("x-amz-meta-"): said[name] for name in said if name.lower().startswith("x-amz-meta-")}
        return int(said["content-length"]), said["content-type"], metadata

    def refuses_missing(self, key):
        answer = session.get(presigned("GET", BUCKET, key))
        assert answer.status_code == 404 and "NoSuchKey" in answer.text, answer.text

    def presign(self, key):
        return presigned("GET", BUCKET, key)

    def delete(self, key):
        send("DELETE", key)


def more():
    answer = session.put(presigned("PUT", BUCKET, "put by url"), data=b"by url")
    assert answer.status_code == 200 and witness.get("put by url").content == b"by url"
    with session.get(presigned("GET", BUCKET, "put by url"), stream=True) as answer:
        assert b"".join(answer.iter_content(3)) == b"by url"
    print("ok: presigned uploads, streams")
    if needs("sigv2"):
        assert session.get(presigned_v2("GET", BUCKET, "put by url")).content == b"by url"
        print("ok: URLs presigned with Signature V2")


suite.run(Client(), extra=more)
