"""minio-py. It takes no endpoint with a path: S3 is served at the root, too."""

import io
import os
from datetime import timedelta

import urllib3
from harness import samples, suite, witness
from harness.store import ACCESS_KEY, BUCKET, CA, HOST, HTTPS, SECRET_KEY, choose, needs
from minio import Minio
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
os.environ.update(choose({}, {"SSL_CERT_FILE": CA or ""}, {}))
s3 = Minio(
    HOST, access_key=ACCESS_KEY, secret_key=SECRET_KEY, region=None, secure=HTTPS, cert_check=choose(True, True, False)
)
#: Larger than what is put, so that nothing goes up in parts.
PART = 64 * 1024 * 1024


class Client:
    def make_bucket(self):
        s3.make_bucket(BUCKET)
        assert s3.bucket_exists(BUCKET)

    def put(self, key, content, content_type, metadata):
        kind = content_type or "a/b"
        s3.put_object(BUCKET, key, io.BytesIO(content), len(content), content_type=kind, metadata=metadata, part_size=PART)

    def get(self, key):
        return self._read(s3.get_object(BUCKET, key))

    def range(self, key, first, last):
        return self._read(s3.get_object(BUCKET, key, offset=first, length=last - first + 1))

    def _read(self, answer):
        with answer:
            return answer.read()

    def head(self, key):
        said = s3.stat_object(BUCKET, key)
        metadata = {name.lower().removeprefix("x-amz-meta-"): value for name, value in said.metadata.items()}
        return said.size, said.content_type, {name: metadata[name] for name in samples.METADATA if name in metadata}

    def list(self, prefix):
        return [entry.object_name for entry in s3.list_objects(BUCKET, prefix, recursive=True)]

    def refuses_missing(self, key):
        try:
            s3.get_object(BUCKET, key)
        except S3Error as error:
            assert error.code == "NoSuchKey", error
        else:
            raise AssertionError("no error")

    def presign(self, key):
        return s3.presigned_get_object(BUCKET, key, expires=timedelta(minutes=5))

    def delete(self, key):
        s3.remove_object(BUCKET, key)

    def delete_all(self, keys):
        assert list(s3.remove_objects(BUCKET, [DeleteObject(key) for key in keys])) == []


def more():
    url = s3.presigned_put_object(BUCKET, "put by url", expires=timedelta(minutes=5))
    assert witness.open_url(url, "PUT", b"content")[0] == 200
    assert witness.get("put by url").content == b"content"
    print("ok: presigned uploads")
    if needs("copy"):
        s3.copy_object(BUCKET, "copied", CopySource(BUCKET, "put by url"))
        assert witness.get("copied").content == b"content"
        print("ok: copy_object")
    if needs("multipart"):
        content = samples.content(12 * 1024 * 1024)
        s3.put_object(BUCKET, "parts", io.BytesIO(content), len(content), part_size=5 * 1024 * 1024)
        assert witness.get("parts").content == content
        print("ok: an upload in parts")


suite.run(Client(), extra=more)
