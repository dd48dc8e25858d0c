"""Bucket configurations with boto3. Argument: the endpoint."""

import datetime
import sys

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3", endpoint_url=sys.argv[1])
bucket = "configured"
s3.create_bucket(Bucket=bucket)


def refused(code, call, **arguments):
    try:
        call(Bucket=bucket, **arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise AssertionError(f"{call} was not refused")


def status(answer):
    return answer["ResponseMetadata"]["HTTPStatusCode"]


# Versioning (API_PutBucketVersioning).
assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
for wanted in ["Enabled", "Suspended"]:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": wanted})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == wanted
refused("MalformedXML", s3.put_bucket_versioning, VersioningConfiguration={"Status": "Off"})

# Tags (API_PutBucketTagging).
refused("NoSuchTagSet", s3.get_bucket_tagging)
tags = [{"Key": "team", "Value": "ü"}, {"Key": "cost", "Value": ""}]
assert status(s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})) == 204
assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
refused("InvalidTag", s3.put_bucket_tagging, Tagging={"TagSet": tags + tags})
assert status(s3.delete_bucket_tagging(Bucket=bucket)) == 204
refused("NoSuchTagSet", s3.get_bucket_tagging)

# CORS (API_PutBucketCors).
refused("NoSuchCORSConfiguration", s3.get_bucket_cors)
rules = [
    {
        "ID": "one",
        "AllowedHeaders": ["*"],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedOrigins": ["https://*.example.org"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 600,
    }
]
s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
refused(
    "InvalidRequest",
    s3.put_bucket_cors,
    CORSConfiguration={"CORSRules": [{"AllowedMethods": ["PATCH"], "AllowedOrigins": ["*"]}]},
)
refused("MalformedXML", s3.put_bucket_cors, CORSConfiguration={"CORSRules": []})
assert status(s3.delete_bucket_cors(Bucket=bucket)) == 204

# Lifecycle (API_PutBucketLifecycleConfiguration).
refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration)
rules = [
    {
        "ID": "one",
        "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeGreaterThan": 5}},
        "Status": "Enabled",
        "Expiration": {"Days": 400},
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 3},
    },
    {
        "ID": "two",
        "Filter": {"Prefix": ""},
        "Status": "Disabled",
        "Expiration": {"Date": datetime.datetime(2040, 1, 1, tzinfo=datetime.timezone.utc)},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    },
    {"ID": "three", "Prefix": "legacy", "Status": "Enabled", "Expiration": {"ExpiredObjectDeleteMarker": True}},
]
answer = s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
assert answer["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
answer = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
found = answer["Rules"]
assert [{key: rule[key] for key in sorted(rule)} for rule in found] == [
    {key: rule[key] for key in sorted(rule)} for rule in rules
], found
assert answer["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
days0 = [{"Filter": {"Prefix": ""}, "Status": "Enabled", "Expiration": {"Days": 0}}]
refused("InvalidArgument", s3.put_bucket_lifecycle_configuration, LifecycleConfiguration={"Rules": days0})
s3.delete_bucket_lifecycle(Bucket=bucket)
refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration)

# Website (API_PutBucketWebsite).
refused("NoSuchWebsiteConfiguration", s3.get_bucket_website)
website = {
    "IndexDocument": {"Suffix": "index.html"},
    "ErrorDocument": {"Key": "error.html"},
    "RoutingRules": [
        {
            "Condition": {"HttpErrorCodeReturnedEquals": "404", "KeyPrefixEquals": "a/"},
            "Redirect": {"HostName": "example.org", "HttpRedirectCode": "302", "Protocol": "https", "ReplaceKeyWith": "b"},
        }
    ],
}
s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=website)
answer = s3.get_bucket_website(Bucket=bucket)
assert {key: answer[key] for key in website} == website, answer
refused("InvalidArgument", s3.put_bucket_website, WebsiteConfiguration={"IndexDocument": {"Suffix": "a/b"}})
assert status(s3.delete_bucket_website(Bucket=bucket)) == 204

# Who pays, and what no bucket has.
assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "Requester"
s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
for name in ["analytics", "inventory", "metrics", "intelligent_tiering"]:
    answer = getattr(s3, f"list_bucket_{name}_configurations")(Bucket=bucket)
    assert answer["IsTruncated"] is False, answer
refused("NoSuchConfiguration", s3.get_bucket_metrics_configuration, Id="x")
for name in ["delete_bucket_policy", "delete_bucket_encryption", "delete_public_access_block"]:
    assert status(getattr(s3, name)(Bucket=bucket)) == 204

s3.delete_bucket(Bucket=bucket)
print("all passed")
