"""object_store, the Rust crate, through obstore, its Python bindings."""

import os
from datetime import timedelta

from harness import samples, suite, witness
from harness.store import BUCKET, CA, ENDPOINT, choose, needs

# The Rust library reads its certificates once, at its first connection.
os.environ.update(choose({}, {"SSL_CERT_FILE": CA or ""}, {}))

import obstore
from obstore.store import S3Store

store = S3Store(
    BUCKET,
    endpoint=ENDPOINT,
    region="us-east-1",
    client_options={"allow_http": True, **choose({}, {}, {"allow_invalid_certificates": True})},
)


class Client:
    def put(self, key, content, content_type, metadata):
        attributes = {"Content-Type": content_type or "a/b", **(metadata or {})}
        store.put(key, content, attributes=attributes, use_multipart=False)

    def get(self, key):
        return bytes(store.get(key).bytes())

    def head(self, key):
        got = store.get(key, options={"head": True})
        metadata = {name: got.attributes[name] for name in samples.METADATA if name in got.attributes}
        return got.meta["size"], got.attributes["Content-Type"], metadata

    def range(self, key, first, last):
        return bytes(store.get_range(key, start=first, end=last + 1))

    def list(self, prefix):
        return [entry["path"] for page in store.list(prefix, chunk_size=4) for entry in page]

    def refuses_missing(self, key):
        try:
            store.get(key)
        except FileNotFoundError:
            return
        raise AssertionError("no error")

    def presign(self, key):
        return obstore.sign(store, "GET", key, timedelta(minutes=5))

    def delete(self, key):
        store.delete(key)

    def delete_all(self, keys):
        store.delete(keys)


def more():
    ranges = store.get_ranges(f"sizes/{max(samples.SIZES)}", starts=[0, 5000, 70_000], lengths=[10, 20, 30])
    content = samples.content(max(samples.SIZES))
    assert [bytes(part) for part in ranges] == [content[:10], content[5000:5020], content[70_000:70_030]]
    print("ok: several ranges at once")
    if needs("copy"):
        witness.put("from", b"copied")
        store.rename("from", "moved")
        assert witness.get("moved").content == b"copied" and witness.get("from") is None
        print("ok: rename")
    if needs("multipart"):
        content = samples.content(12 * 1024 * 1024)
        store.put("parts", content, use_multipart=True, chunk_size=5 * 1024 * 1024)
        assert witness.get("parts").content == content
        print("ok: an upload in parts")


# Its paths have no empty segments, and it escapes what it holds unsafe in a path segment.
suite.run(Client(), odd_keys=[key for key in samples.ODD_KEYS if "//" not in key], extra=more)
