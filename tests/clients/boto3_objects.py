"""Objects and buckets with boto3, as a user writes it. Argument: the endpoint."""

import hashlib
import io
import os
import sys
import urllib.request

import boto3
from botocore.config import Config

s3 = boto3.client("s3", endpoint_url=sys.argv[1])
bucket = "boto"

assert s3.list_buckets()["Buckets"] == []
s3.create_bucket(Bucket=bucket)
s3.head_bucket(Bucket=bucket)
assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == [bucket]
assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None

for size in [0, 1, 1000, 131073, 262145, 7_000_000]:
    body = os.urandom(size)
    key = f"sizes/{size}"
    put = s3.put_object(
        Bucket=bucket, Key=key, Body=body, ContentType="text/x-test", CacheControl="no-store",
        ContentDisposition="inline", ContentLanguage="de", Metadata={"colour": "blue", "size": str(size)},
    )
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"', put
    got = s3.get_object(Bucket=bucket, Key=key)
    assert got["Body"].read() == body
    for answer in [got, s3.head_object(Bucket=bucket, Key=key)]:
        assert answer["ContentLength"] == size
        assert answer["ContentType"] == "text/x-test"
        assert answer["CacheControl"] == "no-store"
        assert answer["ContentDisposition"] == "inline"
        assert answer["ContentLanguage"] == "de"
        assert answer["Metadata"] == {"colour": "blue", "size": str(size)}
        assert answer["ETag"] == put["ETag"]
    if size > 1000:
        part = s3.get_object(Bucket=bucket, Key=key, Range="bytes=500-999")
        assert part["Body"].read() == body[500:1000]
        assert part["ContentRange"] == f"bytes 500-999/{size}"

for checksum in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
    try:
        s3.put_object(Bucket=bucket, Key=f"sums/{checksum}", Body=b"summed", ChecksumAlgorithm=checksum)
    except Exception as error:
        # Some need the optional C library of the AWS runtime on the client's side.
        assert "botocore[crt]" in str(error), error
        continue
    assert s3.get_object(Bucket=bucket, Key=f"sums/{checksum}")["Body"].read() == b"summed"

for key in ["a", "a/b", "a//b", "dir/", ".", "..", "a/../b", " ", "a b", "+", "%", "%2F", "ü/日本語", "🦀", "?x=y", "#", "&<>\"'", "k" * 1024]:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode(), key
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(key.encode()), key

body = os.urandom(3_000_000)
s3.upload_fileobj(io.BytesIO(body), bucket, "uploaded")
sink = io.BytesIO()
s3.download_fileobj(bucket, "uploaded", sink)
assert sink.getvalue() == body

etag = s3.head_object(Bucket=bucket, Key="uploaded")["ETag"]
assert s3.get_object(Bucket=bucket, Key="uploaded", IfMatch=etag)["ETag"] == etag

signing = boto3.client("s3", endpoint_url=sys.argv[1], config=Config(signature_version="s3v4"))
url = signing.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b"}, ExpiresIn=60)
assert urllib.request.urlopen(url).read() == b"a b"
url = signing.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "by url"}, ExpiresIn=60)
request = urllib.request.Request(url, data=b"put by url", method="PUT", headers={"Content-Type": ""})
assert urllib.request.urlopen(request).status == 200
assert s3.get_object(Bucket=bucket, Key="by url")["Body"].read() == b"put by url"

resource = boto3.resource("s3", endpoint_url=sys.argv[1])
keys = [entry.key for entry in resource.Bucket(bucket).objects.all()]
assert keys == sorted(keys, key=lambda key: key.encode()) and "a//b" in keys
assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == []
assert s3.get_object_acl(Bucket=bucket, Key="a")["Grants"][0]["Permission"] == "FULL_CONTROL"
deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
assert sorted(entry["Key"] for entry in deleted["Deleted"]) == sorted(keys) and "Errors" not in deleted
s3.delete_object(Bucket=bucket, Key="never was")
s3.delete_bucket(Bucket=bucket)
assert s3.list_buckets()["Buckets"] == []
print("all passed")
