"""s3torchconnector: PyTorch datasets and checkpoints in a bucket. It uploads in parts, however little there is, and has no
switch to skip the verification of certificates."""

import io
import os

from harness import samples, suite, witness
from harness.store import BUCKET, CA, ENDPOINT, choose, needs

os.environ.update(choose({}, {"SSL_CERT_FILE": CA or ""}, {}))

import torch
from s3torchconnector import S3Checkpoint, S3ClientConfig, S3IterableDataset, S3MapDataset, S3ReaderConstructor

S3 = f"s3://{BUCKET}"
OPTIONS = {"region": "us-east-1", "endpoint": ENDPOINT, "s3client_config": S3ClientConfig(force_path_style=True)}


class Client:
    def get(self, key):
        return S3MapDataset.from_objects(f"{S3}/{key}", **OPTIONS)[0].read()

    def range(self, key, first, last):
        ranged = S3ReaderConstructor.range_based()
        reader = S3MapDataset.from_objects(f"{S3}/{key}", reader_constructor=ranged, **OPTIONS)[0]
        reader.seek(first)
        return reader.read(last - first + 1)

    def list(self, prefix):
        return [entry.key for entry in S3IterableDataset.from_prefix(f"{S3}/{prefix}", **OPTIONS)]

    def refuses_missing(self, key):
        try:
            self.get(key)
        except Exception as error:
            assert "NoSuchKey" in str(error) or "404" in str(error) or "not exist" in str(error), error
            return
        raise AssertionError("no error")


def more():
    weights = {"weights": torch.arange(100_000, dtype=torch.float32)}
    file = io.BytesIO()
    torch.save(weights, file)
    witness.put("checkpoint", file.getvalue())
    checkpoint = S3Checkpoint(**OPTIONS)
    with checkpoint.reader(f"{S3}/checkpoint") as reader:
        assert torch.equal(torch.load(reader)["weights"], weights["weights"])
    print("ok: a checkpoint read")
    if needs("multipart"):
        with checkpoint.writer(f"{S3}/written") as writer:
            torch.save(weights, writer)
        assert torch.equal(torch.load(io.BytesIO(witness.get("written").content))["weights"], weights["weights"])
        print("ok: a checkpoint written")


# It reads an empty object as part number 1.
SIZES = samples.SIZES if needs("multipart") else samples.SIZES[1:]
suite.run(Client(), sizes=SIZES, extra=more)
