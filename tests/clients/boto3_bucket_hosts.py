"""Virtual-host addressing with boto3. Argument: the endpoint, whose host is an address; the name used is localhost."""

import socket
import sys
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

# Not every resolver knows names below localhost, as RFC 6761 has it.
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve(
    "127.0.0.1" if host.endswith(".localhost") else host, *rest, **more
)

port = urlsplit(sys.argv[1]).port
s3 = boto3.client(
    "s3", endpoint_url=f"http://localhost:{port}", config=Config(s3={"addressing_style": "virtual"})
)
hosts = set()
s3.meta.events.register("before-send.s3", lambda request, **_: hosts.add(urlsplit(request.url).netloc))

bucket = "virtual"
s3.create_bucket(Bucket=bucket)
for key in ["key", "s3/key", "a b/ü", "v1/keys", "dir/"]:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode(), key
    assert s3.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(key.encode())
keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
assert keys == sorted(["key", "s3/key", "a b/ü", "v1/keys", "dir/"], key=str.encode), keys
s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
s3.delete_bucket(Bucket=bucket)
assert f"virtual.localhost:{port}" in hosts, hosts
print("all passed")
