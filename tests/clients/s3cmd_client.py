"""s3cmd. Arguments: the program; then a key of HOSTS: how host and host bucket are given."""

import sys

from harness import command, samples, suite, witness
from harness.store import ACCESS_KEY, BUCKET, CA, HOST, SECRET_KEY, choose, needs

PROGRAM, FORM = sys.argv[1:]
HOSTS = {
    # As `corelane serve` prints it.
    "prefix": (f"{HOST}/s3", f"{HOST}/s3/%(bucket)"),
    "bucket-prefix": (HOST, f"{HOST}/s3/%(bucket)"),
    "root": (HOST, f"{HOST}/%(bucket)"),
}
S3 = f"s3://{BUCKET}"


def s3cmd(*arguments):
    host, host_bucket = HOSTS[FORM]
    flags = [f"--access_key={ACCESS_KEY}", f"--secret_key={SECRET_KEY}", f"--host={host}", f"--host-bucket={host_bucket}"]
    flags += choose(["--no-ssl"], ["--ssl", f"--ca-certs={CA}"], ["--ssl", "--no-check-certificate"])
    flags += ["--region", "us-east-1", "--no-progress"]
    return command.run(PROGRAM, *flags, *arguments)


class Client:
    starts_slowly = True

    def put_files(self, files):
        s3cmd("put", "--recursive", f"{command.files('files', files)}/", f"{S3}/")

    def get_files(self, prefix):
        down = command.DIRECTORY / "files back"
        down.mkdir()
        s3cmd("get", "--recursive", f"{S3}/{prefix}", f"{down}/")
        return {prefix + path: content for path, content in command.contents(down).items()}

    def make_bucket(self):
        s3cmd("mb", S3)
        assert S3 in s3cmd("ls")

    def put(self, key, content, content_type, metadata):
        flags = [f"--add-header=x-amz-meta-{name}: {value}" for name, value in (metadata or {}).items()]
        s3cmd("put", "--mime-type=" + (content_type or "a/b"), *flags, command.upload(content), f"{S3}/{key}")

    def get(self, key):
        path = command.download()
        s3cmd("get", "--force", f"{S3}/{key}", path)
        return path.read_bytes()

    def head(self, key):
        fields = [line.split(":", 1) for line in s3cmd("info", f"{S3}/{key}").splitlines() if ":" in line]
        said = {name.strip(): value.strip() for name, value in fields}
        metadata = {name.removeprefix("x-amz-meta-"): value for name, value in said.items() if name.startswith("x-amz-")}
        return int(said["File size"]), said["MIME type"], metadata

    def list(self, prefix):
        lines = s3cmd("ls", "--recursive", f"{S3}/{prefix}").splitlines()
        return [line.split(f"{S3}/", 1)[1] for line in lines]

    def refuses_missing(self, key):
        try:
            s3cmd("get", f"{S3}/{key}", command.download())
        except command.Failed as failed:
            assert "does not exist" in str(failed), failed
        else:
            raise AssertionError("no error")

    def delete(self, key):
        s3cmd("del", f"{S3}/{key}")

    def delete_all(self, keys):
        s3cmd("del", "--recursive", "--force", S3)


def more():
    assert "us-east-1" in s3cmd("info", S3)
    assert "DIR" in s3cmd("ls", S3)
    up = command.tree("up")
    s3cmd("sync", f"{up}/", f"{S3}/tree/")
    assert {key: witness.get(f"tree/{key}").content for key in command.contents(up)} == command.contents(up)
    assert "upload:" not in s3cmd("sync", f"{up}/", f"{S3}/tree/"), "what is there was uploaded again"
    down = command.DIRECTORY / "down"
    s3cmd("sync", f"{S3}/tree/", f"{down}/")
    assert command.contents(down) == command.contents(up)
    (up / "one").unlink()
    s3cmd("sync", "--delete-removed", f"{up}/", f"{S3}/tree/")
    assert witness.get("tree/one") is None
    s3cmd("del", "--recursive", "--force", f"{S3}/tree/deep/")
    assert witness.keys("tree/") == []
    print("ok: sync up and down, del --recursive")
    if needs("copy"):
        witness.put("from", b"copied", samples.CONTENT_TYPE, samples.METADATA)
        s3cmd("cp", f"{S3}/from", f"{S3}/copy of it")
        s3cmd("mv", f"{S3}/copy of it", f"{S3}/moved")
        moved = witness.get("moved")
        assert moved.content == b"copied" and moved.content_type == samples.CONTENT_TYPE
        assert moved.metadata.items() >= samples.METADATA.items()
        assert witness.get("copy of it") is None
        print("ok: cp, mv")
    if needs("multipart"):
        # Two parts; so is its copy.
        content = samples.content(20_000_000)
        s3cmd("put", command.upload(content), f"{S3}/parts")
        assert witness.get("parts").content == content
        s3cmd("cp", f"{S3}/parts", f"{S3}/parts copied")
        assert witness.get("parts copied").content == content
        back = command.download()
        s3cmd("get", f"{S3}/parts copied", back)
        assert back.read_bytes() == content
        print("ok: put, cp and get in parts")
    if needs("sigv2"):
        witness.put("for a url", b"signed")
        # Without signurl_use_https in its configuration it prints http://; the signature covers neither.
        url = choose("http:", "https:", "https:") + s3cmd("signurl", f"{S3}/for a url", "+300").strip().removeprefix("http:")
        assert witness.open_url(url) == (200, b"signed"), url
        print("ok: signurl")


suite.run(Client(), extra=more)
