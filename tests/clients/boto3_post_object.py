"""Forms as boto3 signs them and requests sends them. Argument: the endpoint."""

import os
import sys
import xml.etree.ElementTree

import boto3
import requests
from botocore.config import Config

endpoint = sys.argv[1]
verify = os.environ.get("AWS_CA_BUNDLE", True)
s3 = boto3.client("s3", endpoint_url=endpoint, config=Config(signature_version="s3v4"))
bucket = "forms"
s3.create_bucket(Bucket=bucket)


def send(post, content, **fields):
    return requests.post(
        post["url"], data={**post["fields"], **fields}, files={"file": ("name.bin", content)}, verify=verify
    )


for size in [0, 11, 100_000, 3_000_000]:
    content = os.urandom(size)
    post = s3.generate_presigned_post(bucket, "dir/${filename}")
    answer = send(post, content)
    assert answer.status_code == 204, answer.text
    stored = s3.get_object(Bucket=bucket, Key="dir/name.bin")
    assert stored["Body"].read() == content
    assert stored["ETag"] == answer.headers["ETag"]

post = s3.generate_presigned_post(
    bucket,
    "key",
    Fields={"Content-Type": "image/png", "success_action_status": "201", "x-amz-meta-color": "red"},
    Conditions=[
        ["starts-with", "$Content-Type", "image/"],
        {"success_action_status": "201"},
        {"x-amz-meta-color": "red"},
        ["content-length-range", 3, 10],
    ],
)
answer = send(post, b"content")
assert answer.status_code == 201, answer.text
root = xml.etree.ElementTree.fromstring(answer.text)
assert (root.tag, root.findtext("Bucket"), root.findtext("Key")) == ("PostResponse", bucket, "key"), answer.text
head = s3.head_object(Bucket=bucket, Key="key")
assert (head["ContentType"], head["Metadata"]) == ("image/png", {"color": "red"}), head
for content, code in [(b"x", "EntityTooSmall"), (b"x" * 11, "EntityTooLarge")]:
    answer = send(post, content)
    assert answer.status_code == 400 and f"<Code>{code}</Code>" in answer.text, answer.text
answer = send(post, b"content", key="another")
assert answer.status_code == 403 and "Policy Condition failed" in answer.text, answer.text
answer = send(post, b"content", acl="private")
assert answer.status_code == 403 and "Extra input fields: acl" in answer.text, answer.text
answer = send(s3.generate_presigned_post(bucket, "key", ExpiresIn=-10), b"content")
assert answer.status_code == 403 and "Policy expired" in answer.text, answer.text
print("all passed")
