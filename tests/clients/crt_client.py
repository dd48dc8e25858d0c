"""The AWS Common Runtime's client as s3torchconnector brings it, without PyTorch. It uploads in parts, however little there
is, and has no switch to skip the verification of certificates."""

import os

from harness import samples, suite, witness
from harness.store import BUCKET, CA, ENDPOINT, choose, needs

os.environ.update(choose({}, {"SSL_CERT_FILE": CA or ""}, {}))

from s3torchconnectorclient import S3Exception
from s3torchconnectorclient._mountpoint_s3_client import MountpointS3Client

s3 = MountpointS3Client("us-east-1", endpoint=ENDPOINT, force_path_style=True)


class Client:
    def get(self, key):
        return b"".join(s3.get_object(BUCKET, key))

    def range(self, key, first, last):
        return b"".join(s3.get_object(BUCKET, key, start=first, end=last + 1))

    def head(self, key):
        return s3.head_object(BUCKET, key).size, None, None

    def list(self, prefix):
        return [entry.key for page in s3.list_objects(BUCKET, prefix, max_keys=4) for entry in page.object_info]

    def refuses_missing(self, key):
        try:
            s3.head_object(BUCKET, key)
        except S3Exception:
            return
        raise AssertionError("no error")

    def delete(self, key):
        s3.delete_object(BUCKET, key)


def more():
    if needs("multipart"):
        stream = s3.put_object(BUCKET, "parts")
        stream.write(b"written")
        stream.close()
        assert witness.get("parts").content == b"written"
        print("ok: uploads")


# It reads an empty object as part number 1.
SIZES = samples.SIZES if needs("multipart") else samples.SIZES[1:]
suite.run(Client(), sizes=SIZES, extra=more)
