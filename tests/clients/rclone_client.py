"""rclone. Argument: the program."""

import json
import sys

from harness import command, samples, suite, witness
from harness.store import BUCKET, CA, ENDPOINT, WITNESS_PUTS, choose, needs

PROGRAM = sys.argv[1]
REMOTE = f":s3:{BUCKET}"


FLAGS = ["--config", "/dev/null", "--s3-endpoint", ENDPOINT, "--s3-provider", "Other", "--s3-env-auth", "--retries", "1"]
FLAGS += choose([], ["--ca-cert", CA], ["--no-check-certificate"])


def rclone(*arguments, text=True):
    return command.run(PROGRAM, *FLAGS, *arguments, text=text)


class Client:
    def make_bucket(self):
        rclone("mkdir", REMOTE)

    def put(self, key, content, content_type, metadata):
        fields = {f"X-Amz-Meta-{name}": value for name, value in (metadata or {}).items()}
        fields["Content-Type"] = content_type or "a/b"
        headers = [flag for name, value in fields.items() for flag in ("--header-upload", f"{name}: {value}")]
        rclone("copyto", "--ignore-times", *headers, command.upload(content), f"{REMOTE}/{key}")

    def get(self, key):
        path = command.download()
        rclone("copyto", f"{REMOTE}/{key}", path)
        return path.read_bytes()

    def range(self, key, first, last):
        return rclone("cat", "--offset", first, "--count", last - first + 1, f"{REMOTE}/{key}", text=False)

    def head(self, key):
        (said,) = json.loads(rclone("lsjson", "--metadata", f"{REMOTE}/{key}"))
        metadata = {name: value for name, value in said.get("Metadata", {}).items() if name in samples.METADATA}
        return said["Size"], said["MimeType"], metadata or None

    def list(self, prefix):
        files = json.loads(rclone("lsjson", "--recursive", "--files-only", "--s3-list-chunk", "4", f"{REMOTE}/{prefix}"))
        return [prefix + file["Path"] for file in files]

    def refuses_missing(self, key):
        # A missing object may be an empty directory to rclone, which copies nothing and calls it success.
        path = command.download()
        rclone("copyto", f"{REMOTE}/{key}", path)
        assert not path.exists()
        command.fails("doesn't exist", PROGRAM, *FLAGS, "deletefile", f"{REMOTE}/{key}")

    def presign(self, key):
        return rclone("link", f"{REMOTE}/{key}").strip()

    def delete(self, key):
        rclone("deletefile", f"{REMOTE}/{key}")

    def delete_all(self, keys):
        rclone("delete", REMOTE)


def more():
    up = command.tree("up")
    rclone("sync", up, f"{REMOTE}/tree")
    assert {key: witness.get(f"tree/{key}").content for key in command.contents(up)} == command.contents(up)
    rclone("check", up, f"{REMOTE}/tree")
    down = command.DIRECTORY / "down"
    rclone("sync", f"{REMOTE}/tree", down)
    assert command.contents(down) == command.contents(up)
    (up / "one").unlink()
    rclone("sync", up, f"{REMOTE}/tree")
    assert witness.get("tree/one") is None
    print("ok: sync up and down, check (by MD5)")
    if needs("copy"):
        rclone("moveto", f"{REMOTE}/tree/deep/two words", f"{REMOTE}/moved")
        assert witness.get("moved").content == (up / "deep/two words").read_bytes()
        print("ok: moveto")
    if needs("multipart"):
        content = samples.content(12 * 1024 * 1024)
        rclone("copyto", "--s3-upload-cutoff", "5M", command.upload(content), f"{REMOTE}/parts")
        assert witness.get("parts").content == content
        print("ok: an upload in parts")


# It takes `a//b` for `a/b`.
suite.run(Client(), odd_keys=[key for key in samples.ODD_KEYS if "//" not in key], extra=None if WITNESS_PUTS else more)
