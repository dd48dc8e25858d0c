"""s3fs, which is also how pandas, Dask and Hugging Face datasets read s3:// URLs."""

from harness import suite, witness
from harness.store import BUCKET, CA, ENDPOINT, choose, needs

import s3fs

files = s3fs.S3FileSystem(endpoint_url=ENDPOINT, client_kwargs=choose({}, {"verify": CA}, {"verify": False}))


class Client:
    def make_bucket(self):
        files.mkdir(BUCKET)

    def put(self, key, content, content_type, metadata):
        # Keyword arguments go to PutObject as they are.
        files.pipe_file(f"{BUCKET}/{key}", content, ContentType=content_type or "a/b", Metadata=metadata or {})

    def get(self, key):
        return files.cat_file(f"{BUCKET}/{key}")

    def head(self, key):
        files.invalidate_cache()
        said = files.info(f"{BUCKET}/{key}", refresh=True)
        return said["size"], said.get("ContentType"), files.metadata(f"{BUCKET}/{key}", refresh=True)

    def range(self, key, first, last):
        return files.cat_file(f"{BUCKET}/{key}", start=first, end=last + 1)

    def list(self, prefix):
        files.invalidate_cache()
        return [path.removeprefix(f"{BUCKET}/") for path in files.find(f"{BUCKET}/{prefix}")]

    def refuses_missing(self, key):
        try:
            files.cat_file(f"{BUCKET}/{key}")
        except FileNotFoundError:
            return
        raise AssertionError("no error")

    def presign(self, key):
        # Its own `sign` presigns with Signature V2 on an endpoint that is not AWS'.
        v4 = s3fs.S3FileSystem(
            endpoint_url=ENDPOINT,
            client_kwargs=choose({}, {"verify": CA}, {"verify": False}),
            config_kwargs={"signature_version": "s3v4"},
        )
        return v4.sign(f"{BUCKET}/{key}", 300)

    def delete(self, key):
        files.rm_file(f"{BUCKET}/{key}")

    def delete_all(self, keys):
        files.rm([f"{BUCKET}/{key}" for key in keys])


def more():
    with files.open(f"{BUCKET}/lines", "wb") as file:
        file.write(b"one\ntwo\n" * 1000)
    with files.open(f"{BUCKET}/lines", "rb", block_size=4096) as file:
        assert sum(1 for _ in file) == 2000
    files.invalidate_cache()
    assert f"{BUCKET}/many/dir 1" in files.ls(f"{BUCKET}/many")
    print("ok: files opened to write and read")
    if needs("copy"):
        files.mv(f"{BUCKET}/lines", f"{BUCKET}/moved")
        assert len(witness.get("moved").content) == 8000
        print("ok: mv")


suite.run(Client(), extra=more)
