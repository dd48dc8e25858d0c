"""Checksums as boto3 sends and verifies them. Argument: the endpoint."""

import base64
import hashlib
import sys
import zlib

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint = sys.argv[1]
s3 = boto3.client("s3", endpoint_url=endpoint, config=Config(retries={"max_attempts": 1}))
bucket, body = "sums", b"123456789" * 10_000
s3.create_bucket(Bucket=bucket)


def encoded(value):
    return base64.b64encode(value).decode()


values = {
    "CRC32": encoded(zlib.crc32(body).to_bytes(4, "big")),
    "SHA1": encoded(hashlib.sha1(body).digest()),
    "SHA256": encoded(hashlib.sha256(body).digest()),
}
for algorithm, value in values.items():
    field = f"Checksum{algorithm}"
    # boto3 computes it, and the answer names it.
    answer = s3.put_object(Bucket=bucket, Key=algorithm, Body=body, ChecksumAlgorithm=algorithm)
    assert answer[field] == value, answer
    assert answer["ChecksumType"] == "FULL_OBJECT", answer
    # The caller has computed it.
    assert s3.put_object(Bucket=bucket, Key=algorithm, Body=body, **{field: value})[field] == value
    head = s3.head_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")
    assert (head[field], head["ChecksumType"]) == (value, "FULL_OBJECT"), head
    assert field not in s3.head_object(Bucket=bucket, Key=algorithm)
    got = s3.get_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")
    assert got[field] == value and got["Body"].read() == body
    try:
        s3.put_object(Bucket=bucket, Key="wrong", Body=b"other", **{field: value})
        raise AssertionError(f"{algorithm}: a wrong checksum was taken")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "BadDigest", error

# Without any: S3's own default.
plain = boto3.client(
    "s3",
    endpoint_url=endpoint,
    config=Config(request_checksum_calculation="when_required", response_checksum_validation="when_required"),
)
answer = plain.put_object(Bucket=bucket, Key="plain", Body=b"123456789")
assert answer["ChecksumCRC64NVME"] == "rosUhgp5mIg=", answer
assert plain.head_object(Bucket=bucket, Key="plain", ChecksumMode="ENABLED")["ChecksumCRC64NVME"] == "rosUhgp5mIg="

deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "CRC32"}]}, ChecksumAlgorithm="SHA256")
assert [entry["Key"] for entry in deleted["Deleted"]] == ["CRC32"]
print("all passed")
