"""boto3. Argument: `plain`, or `aistore` to load the patch with which AIStore's users make it follow redirects."""

import sys
import warnings

if sys.argv[1] == "aistore":
    import wrapt  # noqa: F401
    from aistore.botocore_patch import botocore  # noqa: F401

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from harness import command, samples, suite, witness
from harness.store import BUCKET, CA, ENDPOINT, choose, needs

warnings.filterwarnings("ignore", message="Unverified HTTPS request")


def connect(**settings):
    return boto3.client("s3", endpoint_url=ENDPOINT, verify=choose(None, CA, False), config=Config(**settings))


s3 = connect()


class Client:
    def make_bucket(self):
        s3.create_bucket(Bucket=BUCKET)

    def put(self, key, content, content_type, metadata):
        s3.put_object(Bucket=BUCKET, Key=key, Body=content, ContentType=content_type or "a/b", Metadata=metadata or {})

    def get(self, key):
        return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def head(self, key):
        said = s3.head_object(Bucket=BUCKET, Key=key)
        return said["ContentLength"], said["ContentType"], said["Metadata"]

    def range(self, key, first, last):
        return s3.get_object(Bucket=BUCKET, Key=key, Range=f"bytes={first}-{last}")["Body"].read()

    def list(self, prefix):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix, PaginationConfig={"PageSize": 4})
        return [entry["Key"] for page in pages for entry in page["Contents"]]

    def refuses_missing(self, key):
        try:
            s3.get_object(Bucket=BUCKET, Key=key)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchKey", error
        else:
            raise AssertionError("no error")

    def presign(self, key):
        parameters = {"Bucket": BUCKET, "Key": key}
        return connect(signature_version="s3v4").generate_presigned_url("get_object", Params=parameters)

    def delete(self, key):
        s3.delete_object(Bucket=BUCKET, Key=key)

    def delete_all(self, keys):
        answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})
        assert len(answer["Deleted"]) == len(keys) and "Errors" not in answer, answer


def more():
    content = samples.content(6_000_000)
    path = command.upload(content)
    back = command.download()
    whole = TransferConfig(multipart_threshold=1 << 32)
    s3.upload_file(path, BUCKET, "a file", Config=whole)
    assert witness.get("a file").content == content
    ranges = TransferConfig(multipart_threshold=1 << 20, multipart_chunksize=1 << 20)
    s3.download_file(BUCKET, "a file", back, Config=ranges)
    assert back.read_bytes() == content, "ranges were put together differently"
    print("ok: upload_file, download_file in ranges")
    if needs("copy"):
        s3.copy_object(Bucket=BUCKET, Key="a copy", CopySource={"Bucket": BUCKET, "Key": "a file"})
        assert witness.get("a copy").content == content
        print("ok: copy_object")
    if needs("multipart"):
        s3.upload_file(path, BUCKET, "parts", Config=TransferConfig(multipart_threshold=1 << 20))
        assert witness.get("parts").content == content
        print("ok: upload_file in parts")
    if needs("sigv2"):
        url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a file"})
        assert "Signature=" in url and "X-Amz" not in url, url
        assert witness.open_url(url) == (200, content)
        print("ok: presigned URLs by default settings (Signature V2)")


suite.run(Client(), extra=more)
