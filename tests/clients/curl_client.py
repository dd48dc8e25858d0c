"""curl, which signs by itself. Argument: the program."""

import sys

from harness import command, suite, witness
from harness.signing import presigned, url
from harness.store import ACCESS_KEY, BUCKET, CA, REGION, SECRET_KEY, choose

PROGRAM = sys.argv[1]
TLS = choose([], ["--cacert", CA], ["--insecure"])


def curl(*arguments):
    # -L: a client that is redirected and does not follow ends with an empty answer and exit code 0.
    flags = ["--silent", "--show-error", "--fail", "-L", *TLS]
    flags += ["--aws-sigv4", f"aws:amz:{REGION}:s3", "--user", f"{ACCESS_KEY}:{SECRET_KEY}"]
    return command.run(PROGRAM, *flags, *arguments, text=False)


class Client:
    def make_bucket(self):
        curl("-X", "PUT", url(BUCKET))

    def put(self, key, content, content_type, metadata):
        # curl before 8 does not send the first of these headers by itself.
        headers = ["x-amz-content-sha256: UNSIGNED-PAYLOAD", f"Content-Type: {content_type or 'a/b'}"]
        headers += [f"x-amz-meta-{name}: {value}" for name, value in (metadata or {}).items()]
        flags = [flag for header in headers for flag in ("-H", header)]
        curl(*flags, "-T", command.upload(content), url(BUCKET, key))

    def get(self, key):
        path = command.download()
        curl("--create-file-mode", "644", "-o", path, url(BUCKET, key))
        return path.read_bytes() if path.exists() else b""

    def range(self, key, first, last):
        return curl("-r", f"{first}-{last}", url(BUCKET, key))

    def head(self, key):
        lines = curl("-I", url(BUCKET, key)).decode().splitlines()
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        metadata = {name.removeprefix("x-amz-meta-"): fields[name] for name in fields if name.startswith("x-amz-meta-")}
        return int(fields["content-length"]), fields["content-type"], metadata

    def refuses_missing(self, key):
        command.fails("404", PROGRAM, "--silent", "--show-error", "--fail", "-L", *TLS, presigned("GET", BUCKET, key))

    def presign(self, key):
        return presigned("GET", BUCKET, key)

    def delete(self, key):
        curl("-X", "DELETE", url(BUCKET, key))


def more():
    path = command.upload(b"by url")
    address = presigned("PUT", BUCKET, "put by url")
    command.run(PROGRAM, "--silent", "--show-error", "--fail", "-L", *TLS, "-T", path, address)
    assert witness.get("put by url").content == b"by url"
    listing = curl(url(BUCKET) + "?list-type=2&prefix=many%2F")
    assert listing.count(b"<Key>") == 13
    print("ok: uploads by URL, listings as XML")


suite.run(Client(), extra=more)
