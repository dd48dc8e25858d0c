"""Listing with boto3's paginators. Argument: the endpoint."""

import sys

import boto3

s3 = boto3.client("s3", endpoint_url=sys.argv[1])
bucket = "pages"
s3.create_bucket(Bucket=bucket)
keys = sorted([f"dir-{number % 7}/key {number:03} ü" for number in range(120)] + ["top", "a+b", "a&b", "\x01"])
for key in keys:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())

for operation in ["list_objects", "list_objects_v2"]:
    paginator = s3.get_paginator(operation)
    for page_size in [1, 7, 1000]:
        settings = {"PageSize": page_size}
        pages = list(paginator.paginate(Bucket=bucket, PaginationConfig=settings))
        found = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        assert found == keys, (operation, page_size)
        pages = list(paginator.paginate(Bucket=bucket, Delimiter="/", PaginationConfig=settings))
        found = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        assert found == [key for key in keys if "/" not in key], (operation, page_size)
        prefixes = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        assert prefixes == [f"dir-{number}/" for number in range(7)], (operation, page_size)
    pages = list(paginator.paginate(Bucket=bucket, Prefix="dir-3/"))
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == [k for k in keys if k.startswith("dir-3/")]

answer = s3.list_objects_v2(Bucket=bucket, StartAfter="dir-6/", FetchOwner=True, MaxKeys=3)
assert answer["KeyCount"] == 3 and answer["IsTruncated"] and answer["Contents"][0]["Key"] > "dir-6/"
assert len(answer["Contents"][0]["Owner"]["ID"]) == 64

for number in range(5):
    s3.create_bucket(Bucket=f"more-{number}")
pages = list(s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 2}))
assert len(pages) == 3, pages
names = [entry["Name"] for page in pages for entry in page["Buckets"]]
assert names == [f"more-{number}" for number in range(5)] + [bucket], names
names = [entry["Name"] for entry in s3.list_buckets(Prefix="more-")["Buckets"]]
assert names == [f"more-{number}" for number in range(5)], names
print("all passed")
