"""Uploads in parts and copies with boto3, as a user writes them. Argument: the endpoint."""

import hashlib
import io
import os
import sys
import tempfile

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

s3 = boto3.client("s3", endpoint_url=sys.argv[1])
# What SDKs did before they added checksums by themselves.
plain = boto3.client(
    "s3", endpoint_url=sys.argv[1],
    config=Config(request_checksum_calculation="when_required", response_checksum_validation="when_required"),
)
bucket, other = "boto-parts", "boto-copies"
s3.create_bucket(Bucket=bucket)
s3.create_bucket(Bucket=other)
MIB = 1 << 20


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, (code, error)
        return
    raise AssertionError(f"{call} was not refused with {code}")


# The managed transfer: 30 MB up in parts, and down again in ranges.
content = os.urandom(30_000_000)
with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "file")
    with open(path, "wb") as file:
        file.write(content)
    for client in [s3, plain]:
        extra = {"ContentType": "text/x-large", "Metadata": {"colour": "blue"}}
        client.upload_file(path, bucket, "large ü+", ExtraArgs=extra)
        head = client.head_object(Bucket=bucket, Key="large ü+")
        assert head["ContentLength"] == len(content) and head["ContentType"] == "text/x-large", head
        assert head["Metadata"] == {"colour": "blue"} and head["ETag"].endswith('-4"'), head
        client.download_file(bucket, "large ü+", path + ".back")
        with open(path + ".back", "rb") as file:
            assert file.read() == content
    s3.upload_fileobj(io.BytesIO(content), bucket, "streamed", Config=TransferConfig(multipart_threshold=5 * MIB))
    assert s3.get_object(Bucket=bucket, Key="streamed")["Body"].read() == content

# Copies: in one step, and in parts.
s3.copy({"Bucket": bucket, "Key": "large ü+"}, other, "one step")
s3.copy({"Bucket": bucket, "Key": "large ü+"}, other, "parts", Config=TransferConfig(multipart_threshold=8 * MIB))
for key, parts in [("one step", "4"), ("parts", "4")]:
    got = s3.get_object(Bucket=other, Key=key)
    assert got["Body"].read() == content and got["Metadata"] == {"colour": "blue"}, key
copied = s3.copy_object(Bucket=other, Key="one piece", CopySource={"Bucket": bucket, "Key": "large ü+"})
assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(content).hexdigest()}"', copied
assert s3.get_object(Bucket=other, Key="one piece")["Body"].read() == content

# Step by step, with the checksums that boto3 adds and without.
for client in [s3, plain]:
    upload = client.create_multipart_upload(Bucket=bucket, Key="steps")["UploadId"]
    bodies = [os.urandom(5 * MIB), os.urandom(17)]
    parts = []
    for number, body in enumerate(bodies, 1):
        part = client.upload_part(Bucket=bucket, Key="steps", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, **{k: v for k, v in part.items() if k == "ETag" or k.startswith("Checksum")}})
    listed = client.list_parts(Bucket=bucket, Key="steps", UploadId=upload)
    assert [p["Size"] for p in listed["Parts"]] == [len(body) for body in bodies]
    uploads = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [(u["Key"], u["UploadId"]) for u in uploads] == [("steps", upload)], uploads
    refused("InvalidPartOrder", client.complete_multipart_upload, Bucket=bucket, Key="steps", UploadId=upload,
            MultipartUpload={"Parts": parts[::-1]})
    done = client.complete_multipart_upload(
        Bucket=bucket, Key="steps", UploadId=upload, MultipartUpload={"Parts": parts})
    assert done["ETag"].endswith('-2"') and done["Key"] == "steps", done
    assert client.get_object(Bucket=bucket, Key="steps")["Body"].read() == b"".join(bodies)
    for number, body in enumerate(bodies, 1):
        got = client.get_object(Bucket=bucket, Key="steps", PartNumber=number)
        assert got["Body"].read() == body and got["PartsCount"] == 2, number
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)
    upload = client.create_multipart_upload(Bucket=bucket, Key="aborted")["UploadId"]
    client.abort_multipart_upload(Bucket=bucket, Key="aborted", UploadId=upload)
    refused("NoSuchUpload", client.list_parts, Bucket=bucket, Key="aborted", UploadId=upload)

for algorithm, kinds in [("CRC32", ["COMPOSITE", "FULL_OBJECT"]), ("SHA256", ["COMPOSITE"])]:
    for kind in kinds:
        key = f"{algorithm}-{kind}"
        upload = s3.create_multipart_upload(
            Bucket=bucket, Key=key, ChecksumAlgorithm=algorithm, ChecksumType=kind)["UploadId"]
        part = s3.upload_part(
            Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"summed", ChecksumAlgorithm=algorithm)
        done = s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": part["ETag"], f"Checksum{algorithm}": part[f"Checksum{algorithm}"]}]})
        assert done["ChecksumType"] == kind, done
        head = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        assert head[f"Checksum{algorithm}"] == done[f"Checksum{algorithm}"], (head, done)
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"summed"
print("all passed")
