"""s5cmd. Argument: the program."""

import json
import sys

from harness import command, samples, suite, witness
from harness.store import BUCKET, CA, ENDPOINT, choose, needs

PROGRAM = sys.argv[1]
S3 = f"s3://{BUCKET}"


def s5cmd(*arguments, text=True):
    flags = ["--endpoint-url", ENDPOINT] + choose([], [], ["--no-verify-ssl"])
    environment = choose({}, {"SSL_CERT_FILE": CA}, {})
    return command.run(PROGRAM, *flags, *arguments, environment=environment, text=text)


class Client:
    def make_bucket(self):
        s5cmd("mb", S3)

    def put(self, key, content, content_type, metadata):
        flags = [flag for name, value in (metadata or {}).items() for flag in ("--metadata", f"{name}={value}")]
        s5cmd("cp", "--content-type", content_type or "a/b", *flags, command.upload(content), f"{S3}/{key}")

    def get(self, key):
        path = command.download()
        s5cmd("cp", "--raw", f"{S3}/{key}", path)
        return path.read_bytes()

    def head(self, key):
        said = json.loads(s5cmd("--json", "head", f"{S3}/{key}"))
        return said.get("size", 0), said["content_type"], said["metadata"]

    def list(self, prefix):
        lines = s5cmd("--json", "ls", f"{S3}/{prefix}*").splitlines()
        return [json.loads(line)["key"].removeprefix(f"{S3}/") for line in lines]

    def refuses_missing(self, key):
        try:
            s5cmd("cat", f"{S3}/{key}")
        except command.Failed as failed:
            assert "not found" in str(failed), failed
        else:
            raise AssertionError("no error")

    def presign(self, key):
        return s5cmd("presign", f"{S3}/{key}").strip()

    def delete(self, key):
        s5cmd("rm", "--raw", f"{S3}/{key}")

    def delete_all(self, keys):
        s5cmd("rm", f"{S3}/*")


def more():
    assert s5cmd("cat", f"{S3}/many/dir 0/00\u00fc", text=False) == b"x"
    up = command.tree("up")
    s5cmd("sync", f"{up}/", f"{S3}/tree/")
    assert {key: witness.get(f"tree/{key}").content for key in command.contents(up)} == command.contents(up)
    down = command.DIRECTORY / "down"
    s5cmd("sync", f"{S3}/tree/*", f"{down}/")
    assert command.contents(down) == command.contents(up)
    print("ok: cat, sync up and down")
    if needs("copy"):
        s5cmd("mv", f"{S3}/tree/one", f"{S3}/moved")
        assert witness.get("moved").content == (up / "one").read_bytes() and witness.get("tree/one") is None
        print("ok: mv")
    if needs("multipart"):
        content = samples.content(60 * 1024 * 1024)
        s5cmd("cp", command.upload(content), f"{S3}/parts")
        assert witness.get("parts").content == content
        print("ok: an upload in parts")


# It refuses to upload to a name with a glob character.
suite.run(Client(), odd_keys=[key for key in samples.ODD_KEYS if "*" not in key], extra=more)
