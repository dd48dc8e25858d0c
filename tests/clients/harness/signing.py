"""AWS Signature V4, and V2 for presigned URLs, with nothing but the standard library.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html#RESTAuthenticationQueryStringAuth
"""

import base64
import hashlib
import hmac
import time
from urllib.parse import quote, urlsplit

from harness.store import ACCESS_KEY, ENDPOINT, REGION, SECRET_KEY

UNSIGNED = "UNSIGNED-PAYLOAD"


def url(bucket, key=None):
    """The URL of a bucket, or of an object in it."""
    return f"{ENDPOINT}/{bucket}" + ("" if key is None else "/" + quote(key, safe="/-._~"))


def query(parameters):
    """Parameters as they stand in a URL, and in the canonical request."""
    encoded = sorted((quote(name, safe="-._~"), quote(value, safe="-._~")) for name, value in parameters.items())
    return "&".join(f"{name}={value}" for name, value in encoded)


def _signature(method, address, parameters, headers, payload, moment):
    scope = f"{moment[:8]}/{REGION}/s3/aws4_request"
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    canonical = f"{method}\n{urlsplit(address).path}\n{query(parameters)}\n{lines}\n{names}\n{payload}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = b"AWS4" + SECRET_KEY.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def signed_headers(method, address, parameters=None, headers=None, payload=UNSIGNED):
    """Headers for this request, the given ones (names in lower case) signed among them."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers = {**(headers or {}), "host": urlsplit(address).netloc, "x-amz-date": moment, "x-amz-content-sha256": payload}
    signature = _signature(method, address, parameters or {}, headers, payload, moment)
    credential = f"{ACCESS_KEY}/{moment[:8]}/{REGION}/s3/aws4_request"
    names = ";".join(sorted(headers))
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def presigned(method, bucket, key, seconds=300):
    """A URL that carries its own signature."""
    address = url(bucket, key)
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    parameters = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{ACCESS_KEY}/{moment[:8]}/{REGION}/s3/aws4_request",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    headers = {"host": urlsplit(address).netloc}
    signature = _signature(method, address, parameters, headers, UNSIGNED, moment)
    return f"{address}?{query(parameters)}&X-Amz-Signature={signature}"


def presigned_v2(method, bucket, key, seconds=300):
    """A URL that carries a signature of the old kind."""
    expires = str(int(time.time()) + seconds)
    resource = f"/{bucket}/" + quote(key, safe="/-._~")
    digest = hmac.new(SECRET_KEY.encode(), f"{method}\n\n\n{expires}\n{resource}".encode(), hashlib.sha1).digest()
    signature = base64.b64encode(digest).decode()
    return f"{url(bucket, key)}?" + query({"AWSAccessKeyId": ACCESS_KEY, "Expires": expires, "Signature": signature})
