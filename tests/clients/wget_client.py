"""wget: presigned URLs. Argument: the program."""

import sys

from harness import command, suite
from harness.signing import presigned
from harness.store import BUCKET, CA, choose

PROGRAM = sys.argv[1]


def wget(address, *arguments):
    flags = ["--no-verbose", "--tries=1", *choose([], [f"--ca-certificate={CA}"], ["--no-check-certificate"])]
    return command.run(PROGRAM, *flags, *arguments, address, text=False)


class Client:
    def put(self, key, content, content_type, metadata):
        wget(presigned("PUT", BUCKET, key), "--method=PUT", f"--body-file={command.upload(content)}", "-O", "-")

    sets_metadata = False

    def get(self, key):
        return wget(presigned("GET", BUCKET, key), "-O", "-")

    def refuses_missing(self, key):
        try:
            wget(presigned("GET", BUCKET, key), "-O", "-")
        except command.Failed as failed:
            assert "404" in str(failed), failed
        else:
            raise AssertionError("no error")

    def delete(self, key):
        wget(presigned("DELETE", BUCKET, key), "--method=DELETE", "-O", "-")


def resume():
    """A download that was cut goes on where it stopped."""
    content = suite.samples.content(300 * 1024)
    path = command.download()
    path.write_bytes(content[:100_000])
    wget(presigned("GET", BUCKET, f"sizes/{len(content)}"), "--continue", "-O", path)
    assert path.read_bytes() == content
    print("ok: a download that goes on")


suite.run(Client(), extra=resume)
