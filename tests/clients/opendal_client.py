"""Apache OpenDAL. It has no switch to skip the verification of certificates."""

import os

from harness import samples, suite, witness
from harness.store import BUCKET, CA, ENDPOINT, choose, needs

os.environ.update(choose({}, {"SSL_CERT_FILE": CA or ""}, {}))

import opendal

store = opendal.Operator(
    "s3",
    bucket=BUCKET,
    endpoint=ENDPOINT,
    region="us-east-1",
    access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
    secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
)


class Client:
    def put(self, key, content, content_type, metadata):
        store.write(key, content, content_type=content_type or "a/b", user_metadata=metadata or {})

    def get(self, key):
        return bytes(store.read(key))

    def head(self, key):
        said = store.stat(key)
        return said.content_length, said.content_type, said.user_metadata

    def range(self, key, first, last):
        with store.open(key, "rb") as file:
            file.seek(first)
            return bytes(file.read(last - first + 1))

    def list(self, prefix):
        return [entry.path for entry in store.scan(prefix) if not entry.path.endswith("/")]

    def refuses_missing(self, key):
        try:
            store.read(key)
        except opendal.exceptions.NotFound:
            return
        raise AssertionError("no error")

    def delete(self, key):
        store.delete(key)


def more():
    if needs("copy"):
        witness.put("from", b"copied")
        store.copy("from", "copied")
        assert witness.get("copied").content == b"copied"
        print("ok: copy")


# It takes `a//b` for `a/b`.
suite.run(Client(), odd_keys=[key for key in samples.ODD_KEYS if "//" not in key], extra=more)
