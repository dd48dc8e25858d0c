"""The AWS command line, version 1 or 2. Argument: the program."""

import json
import sys

from harness import command, samples, suite, witness
from harness.store import BUCKET, CA, ENDPOINT, choose, needs

PROGRAM = sys.argv[1]
S3 = f"s3://{BUCKET}"
CONFIGURATION = command.DIRECTORY / "aws-config"
CONFIGURATION.write_text("[default]\ns3 =\n  addressing_style = path\n")


def aws(*arguments):
    flags = ["--endpoint-url", ENDPOINT] + choose([], ["--ca-bundle", CA], ["--no-verify-ssl"])
    return command.run(PROGRAM, *flags, *arguments, environment={"AWS_CONFIG_FILE": str(CONFIGURATION)})


def api(operation, *arguments):
    text = aws("s3api", operation, "--bucket", BUCKET, "--output", "json", *arguments)
    return json.loads(text) if text.strip() else {}


class Client:
    starts_slowly = True

    def put_files(self, files):
        aws("s3", "cp", "--recursive", command.files("files", files), S3)

    def get_files(self, prefix):
        down = command.DIRECTORY / "files back"
        aws("s3", "cp", "--recursive", f"{S3}/{prefix}", down)
        return {prefix + path: content for path, content in command.contents(down).items()}

    def make_bucket(self):
        aws("s3", "mb", S3)

    def put(self, key, content, content_type, metadata):
        flags = ["--metadata", ",".join(f"{name}={value}" for name, value in metadata.items())] if metadata else []
        aws("s3", "cp", "--content-type", content_type or "a/b", *flags, command.upload(content), f"{S3}/{key}")

    def get(self, key):
        path = command.download()
        aws("s3", "cp", f"{S3}/{key}", path)
        return path.read_bytes()

    def head(self, key):
        said = api("head-object", "--key", key)
        return said["ContentLength"], said["ContentType"], said["Metadata"]

    def range(self, key, first, last):
        path = command.download()
        api("get-object", "--key", key, "--range", f"bytes={first}-{last}", path)
        return path.read_bytes()

    def list(self, prefix):
        return [entry["Key"] for entry in api("list-objects-v2", "--prefix", prefix, "--page-size", "4")["Contents"]]

    def refuses_missing(self, key):
        try:
            aws("s3", "cp", f"{S3}/{key}", command.download())
        except command.Failed as failed:
            assert "404" in str(failed), failed
        else:
            raise AssertionError("no error")

    def presign(self, key):
        # By default this client presigns with Signature V2 on an endpoint that is not AWS'; see `more`.
        CONFIGURATION.write_text(CONFIGURATION.read_text() + "  signature_version = s3v4\n")
        return aws("s3", "presign", f"{S3}/{key}", "--expires-in", "300").strip()

    def delete(self, key):
        aws("s3", "rm", f"{S3}/{key}")

    def delete_all(self, keys):
        aws("s3", "rm", "--recursive", S3)


def more():
    up = command.tree("up")
    aws("s3", "sync", up, f"{S3}/tree")
    assert {key: witness.get(f"tree/{key}").content for key in command.contents(up)} == command.contents(up)
    assert "upload:" not in aws("s3", "sync", up, f"{S3}/tree"), "what is there was uploaded again"
    down = command.DIRECTORY / "down"
    aws("s3", "sync", f"{S3}/tree", down)
    assert command.contents(down) == command.contents(up)
    (up / "one").unlink()
    aws("s3", "sync", "--delete", up, f"{S3}/tree")
    assert witness.get("tree/one") is None
    print("ok: s3 sync")
    deleted = api("delete-objects", "--delete", json.dumps({"Objects": [{"Key": key} for key in witness.keys("tree/")]}))
    assert len(deleted["Deleted"]) == 2 and witness.keys("tree/") == [], deleted
    print("ok: s3api delete-objects")
    if needs("copy"):
        witness.put("from", b"copied", samples.CONTENT_TYPE, samples.METADATA)
        aws("s3", "cp", f"{S3}/from", f"{S3}/copy of it")
        aws("s3", "mv", f"{S3}/copy of it", f"{S3}/moved")
        moved = witness.get("moved")
        assert (moved.content, moved.content_type) == (b"copied", samples.CONTENT_TYPE)
        assert moved.metadata.items() >= samples.METADATA.items() and witness.get("copy of it") is None
        print("ok: s3 cp and mv within the store")
    if needs("multipart"):
        content = samples.content(20 * 1024 * 1024)
        aws("s3", "cp", command.upload(content), f"{S3}/parts")
        assert witness.get("parts").content == content
        # It reads the source's tags before it copies in parts.
        aws("s3", "mv", f"{S3}/parts", f"{S3}/parts moved")
        assert witness.get("parts moved").content == content
        print("ok: an upload and a copy in parts")


suite.run(Client(), extra=more)
