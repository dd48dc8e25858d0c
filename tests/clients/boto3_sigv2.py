"""AWS Signature Version 2 with boto3: whole sessions, and URLs presigned as it does by default on a custom endpoint.
Argument: the endpoint."""

import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config

endpoint = sys.argv[1]
host = endpoint.removesuffix("/s3")
for url, style, bucket in [(endpoint, "path", "two-prefixed"), (host, "path", "two-bare")]:
    s3 = boto3.client("s3", endpoint_url=url, config=Config(signature_version="s3", s3={"addressing_style": style}))
    seen = set()
    s3.meta.events.register("before-send.s3", lambda request, **_: seen.add(request.headers["Authorization"][:4]))
    s3.create_bucket(Bucket=bucket)
    s3.head_bucket(Bucket=bucket)
    assert bucket in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    s3.get_bucket_acl(Bucket=bucket)
    for key in ["key", "a b/ü+%", "dir/"]:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), ContentType="text/x-test", Metadata={"colour": "blue"})
        got = s3.get_object(Bucket=bucket, Key=key, ResponseCacheControl="no-store, private")
        assert got["Body"].read() == key.encode() and got["CacheControl"] == "no-store, private"
        head = s3.head_object(Bucket=bucket, Key=key)
        assert head["ContentType"] == "text/x-test" and head["Metadata"] == {"colour": "blue"}
        assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == []
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert len(listed) == 3, listed
    for name in ["get_bucket_encryption", "get_public_access_block"]:
        try:
            getattr(s3, name)(Bucket=bucket)
        except s3.exceptions.ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 404, error
    assert seen == {b"AWS "} or seen == {"AWS "}, seen

    # No signature version named: this is what boto3 presigns with.
    plain = boto3.client("s3", endpoint_url=url, config=Config(s3={"addressing_style": style}))
    link = plain.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/ü+%"}, ExpiresIn=60)
    assert "AWSAccessKeyId=" in link, link
    assert urllib.request.urlopen(link).read() == "a b/ü+%".encode()
    params = {"Bucket": bucket, "Key": "up", "ContentType": "text/x-up", "Metadata": {"a": "b"}}
    link = plain.generate_presigned_url("put_object", Params=params, ExpiresIn=60)
    put = urllib.request.Request(link, data=b"uploaded", method="PUT", headers={"Content-Type": "text/x-up"})
    assert urllib.request.urlopen(put).status == 200
    up = s3.head_object(Bucket=bucket, Key="up")
    assert up["ContentType"] == "text/x-up" and up["Metadata"] == {"a": "b"}, up
    for change in [lambda link: link.replace("/up?", "/key?"), lambda link: link.replace("=text%2Fx-up", "=text%2Fhtml")]:
        try:
            urllib.request.urlopen(urllib.request.Request(change(link), data=b"other", method="PUT"))
            raise AssertionError("a changed URL works")
        except urllib.error.HTTPError as error:
            assert error.code == 403 and b"SignatureDoesNotMatch" in error.read()
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in [*listed, "up"]]})
    s3.delete_bucket(Bucket=bucket)
print("all passed")
