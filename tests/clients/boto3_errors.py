"""The errors of S3 as boto3 sees them. Argument: the endpoint."""

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint = sys.argv[1]
s3 = boto3.client("s3", endpoint_url=endpoint, config=Config(retries={"max_attempts": 1}))


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, (code, error)
        return error.response
    raise AssertionError(f"{call} was not refused with {code}")


refused("NoSuchBucket", s3.list_objects_v2, Bucket="nowhere")
refused("NoSuchBucket", s3.put_object, Bucket="nowhere", Key="k", Body=b"x")
refused("404", s3.head_bucket, Bucket="nowhere")
s3.create_bucket(Bucket="errors")
abroad = boto3.client("s3", endpoint_url=endpoint, region_name="eu-central-1")
constraint = {"LocationConstraint": "eu-central-1"}
refused("BucketAlreadyOwnedByYou", abroad.create_bucket, Bucket="errors", CreateBucketConfiguration=constraint)
refused("NoSuchKey", s3.get_object, Bucket="errors", Key="k")
refused("404", s3.head_object, Bucket="errors", Key="k")
s3.put_object(Bucket="errors", Key="k", Body=b"content")
refused("BucketNotEmpty", s3.delete_bucket, Bucket="errors")
refused("InvalidRange", s3.get_object, Bucket="errors", Key="k", Range="bytes=7-")
refused("PreconditionFailed", s3.get_object, Bucket="errors", Key="k", IfMatch='"other"')
refused("304", s3.get_object, Bucket="errors", Key="k", IfNoneMatch=s3.head_object(Bucket="errors", Key="k")["ETag"])
refused("KeyTooLongError", s3.put_object, Bucket="errors", Key="k" * 1025, Body=b"")
refused("BadDigest", s3.put_object, Bucket="errors", Key="k", Body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket="errors")
refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket="errors")
refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket="errors")
refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket="errors")
refused("NoSuchUpload", s3.abort_multipart_upload, Bucket="errors", Key="k", UploadId="never was")
refused("NoSuchKey", s3.copy_object, Bucket="errors", Key="k2", CopySource="errors/missing")
refused("InvalidRequest", s3.copy_object, Bucket="errors", Key="k", CopySource="errors/k")
refused("NoSuchKey", s3.put_object_tagging, Bucket="errors", Key="missing", Tagging={"TagSet": []})
refused("InvalidTag", s3.put_object_tagging, Bucket="errors", Key="k", Tagging={"TagSet": [{"Key": "aws:k", "Value": ""}]})
refused("NoSuchVersion", s3.get_object, Bucket="errors", Key="k", VersionId="00000000deadbeef")
refused("InvalidArgument", s3.get_object, Bucket="errors", Key="k", VersionId="no id")
refused("NotImplemented", s3.put_bucket_policy, Bucket="errors", Policy="{}")
assert s3.get_object(Bucket="errors", Key="k")["Body"].read() == b"content"

for access, secret, code in [("NOSUCHKEY", "x", "InvalidAccessKeyId"), (None, "wrong", "SignatureDoesNotMatch")]:
    access = access or s3._request_signer._credentials.access_key
    other = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=access, aws_secret_access_key=secret)
    refused(code, other.get_object, Bucket="errors", Key="k")
print("all passed")
