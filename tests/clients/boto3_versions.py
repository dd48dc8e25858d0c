"""Versions, delete markers, conditions, tags and attributes with boto3, as a user writes it. Argument: the endpoint."""

import sys

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3", endpoint_url=sys.argv[1])
bucket = "boto-versions"


def refused(code, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
        return error.response
    raise AssertionError(f"{code} was expected")


s3.create_bucket(Bucket=bucket)
s3.put_object(Bucket=bucket, Key="old", Body=b"null version")
s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"

ids = [s3.put_object(Bucket=bucket, Key="a", Body=f"{n}".encode())["VersionId"] for n in range(5)]
assert len(set(ids)) == 5
for n, version in enumerate(ids):
    got = s3.get_object(Bucket=bucket, Key="a", VersionId=version)
    assert got["Body"].read() == f"{n}".encode() and got["VersionId"] == version
    assert s3.head_object(Bucket=bucket, Key="a", VersionId=version)["ContentLength"] == 1
assert s3.get_object(Bucket=bucket, Key="old")["VersionId"] == "null"

deleted = s3.delete_object(Bucket=bucket, Key="a")
assert deleted["DeleteMarker"] is True
marker = deleted["VersionId"]
refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="a")
refused("405", 405, s3.head_object, Bucket=bucket, Key="a", VersionId=marker)
refused("MethodNotAllowed", 405, s3.get_object, Bucket=bucket, Key="a", VersionId=marker)
refused("NoSuchVersion", 404, s3.get_object, Bucket=bucket, Key="old", VersionId=marker)

page = s3.list_object_versions(Bucket=bucket)
assert [v["VersionId"] for v in page["Versions"] if v["Key"] == "a"] == ids[::-1]
assert [(m["Key"], m["VersionId"], m["IsLatest"]) for m in page["DeleteMarkers"]] == [("a", marker, True)]
assert [v["IsLatest"] for v in page["Versions"]] == [False] * 5 + [True]
assert all(v["Owner"]["ID"] and v["StorageClass"] == "STANDARD" and v["ETag"].startswith('"') for v in page["Versions"])

pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
listed = [v["VersionId"] for p in pages for v in p.get("Versions", []) + p.get("DeleteMarkers", [])]
assert sorted(listed) == sorted(ids + [marker, "null"]), listed

assert s3.delete_object(Bucket=bucket, Key="a", VersionId=marker)["DeleteMarker"] is True
assert s3.get_object(Bucket=bucket, Key="a")["VersionId"] == ids[-1]

# Conditions of writes.
etag = s3.put_object(Bucket=bucket, Key="c", Body=b"1", IfNoneMatch="*")["ETag"]
failed = refused("PreconditionFailed", 412, s3.put_object, Bucket=bucket, Key="c", Body=b"2", IfNoneMatch="*")
assert failed["Error"]["Condition"] == "If-None-Match"
refused("PreconditionFailed", 412, s3.put_object, Bucket=bucket, Key="c", Body=b"2", IfMatch='"other"')
refused("NoSuchKey", 404, s3.put_object, Bucket=bucket, Key="never", Body=b"2", IfMatch=etag)
s3.put_object(Bucket=bucket, Key="c", Body=b"2", IfMatch=etag)
refused("PreconditionFailed", 412, s3.delete_object, Bucket=bucket, Key="c", IfMatch=etag)
s3.delete_object(Bucket=bucket, Key="c", IfMatch="*")
s3.put_object(Bucket=bucket, Key="c", Body=b"3", IfNoneMatch="*")

# Tags.
tags = [{"Key": "colour", "Value": "blue"}, {"Key": "size", "Value": ""}]
s3.put_object(Bucket=bucket, Key="t", Body=b"t", Tagging="colour=blue&size")
assert s3.get_object_tagging(Bucket=bucket, Key="t")["TagSet"] == tags
assert s3.head_object(Bucket=bucket, Key="t")["TagCount"] == 2
version = s3.head_object(Bucket=bucket, Key="t")["VersionId"]
s3.put_object(Bucket=bucket, Key="t", Body=b"t2")
put = s3.put_object_tagging(Bucket=bucket, Key="t", VersionId=version, Tagging={"TagSet": tags[:1]})
assert put["VersionId"] == version
assert s3.get_object_tagging(Bucket=bucket, Key="t", VersionId=version)["TagSet"] == tags[:1]
assert s3.get_object_tagging(Bucket=bucket, Key="t")["TagSet"] == []
s3.delete_object_tagging(Bucket=bucket, Key="t", VersionId=version)
assert s3.get_object_tagging(Bucket=bucket, Key="t", VersionId=version)["TagSet"] == []
eleven = [{"Key": str(n), "Value": "v"} for n in range(11)]
refused("InvalidTag", 400, s3.put_object_tagging, Bucket=bucket, Key="t", Tagging={"TagSet": eleven})

# Attributes.
put = s3.put_object(Bucket=bucket, Key="at", Body=b"attributes", ChecksumAlgorithm="SHA256", StorageClass="STANDARD_IA")
asked = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
attributes = s3.get_object_attributes(Bucket=bucket, Key="at", ObjectAttributes=asked)
assert attributes["ETag"] == put["ETag"].strip('"')
assert attributes["Checksum"] == {"ChecksumSHA256": put["ChecksumSHA256"], "ChecksumType": "FULL_OBJECT"}
assert attributes["StorageClass"] == "STANDARD_IA" and attributes["ObjectSize"] == 10
assert attributes["VersionId"] == put["VersionId"] and "ObjectParts" not in attributes

# Everything goes at once, version by version.
page = s3.list_object_versions(Bucket=bucket)
entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
objects = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
result = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
assert len(result["Deleted"]) == len(objects) and "Errors" not in result, result
assert "Versions" not in s3.list_object_versions(Bucket=bucket)
s3.delete_bucket(Bucket=bucket)
print("all passed")
