"""TensorFlow's file system for s3:// paths, from tensorflow-io. It reads its settings from the environment when it is
loaded. An endpoint without scheme, with S3_USE_HTTPS=0 for http, makes tensorflow-io 0.37 wait forever: give the scheme."""

import os

from harness import samples, suite, witness
from harness.store import BUCKET, CA, ENDPOINT, choose, needs

os.environ.update({"S3_ENDPOINT": ENDPOINT, "AWS_REGION": "us-east-1", "TF_CPP_MIN_LOG_LEVEL": "3"})
os.environ.update(choose({}, {"S3_CA_FILE": CA or ""}, {"S3_VERIFY_SSL": "0"}))

import tensorflow as tf
import tensorflow_io  # noqa: F401

S3 = f"s3://{BUCKET}"
files = tf.io.gfile


class Client:
    sets_metadata = False

    def put(self, key, content, content_type, metadata):
        with files.GFile(f"{S3}/{key}", "wb") as file:
            file.write(content)

    def get(self, key):
        with files.GFile(f"{S3}/{key}", "rb") as file:
            return file.read()

    def range(self, key, first, last):
        with files.GFile(f"{S3}/{key}", "rb") as file:
            file.seek(first)
            return file.read(last - first + 1)

    def head(self, key):
        return files.stat(f"{S3}/{key}").length, None, None

    def list(self, prefix):
        walked = files.walk(f"{S3}/{prefix.rstrip('/')}")
        return [f"{where}/{name}".removeprefix(f"{S3}/") for where, _, names in walked for name in names]

    def refuses_missing(self, key):
        assert not files.exists(f"{S3}/{key}")
        try:
            files.GFile(f"{S3}/{key}", "rb").read()
        except tf.errors.NotFoundError:
            return
        raise AssertionError("no error")

    def delete(self, key):
        files.remove(f"{S3}/{key}")


def more():
    records = [samples.content(2000, seed=number) for number in range(500)]
    with tf.io.TFRecordWriter(f"{S3}/records/0.tfrecord") as writer:
        for record in records:
            writer.write(record)
    assert len(witness.get("records/0.tfrecord").content) > 500 * 2000
    paths = tf.data.Dataset.list_files(f"{S3}/records/*.tfrecord", shuffle=False)
    read = [record.numpy() for record in tf.data.TFRecordDataset(paths, num_parallel_reads=2)]
    assert read == records
    print("ok: TFRecord files written and read")
    if needs("copy"):
        files.rename(f"{S3}/records/0.tfrecord", f"{S3}/records/1.tfrecord")
        assert files.exists(f"{S3}/records/1.tfrecord") and not files.exists(f"{S3}/records/0.tfrecord")
        print("ok: rename")


# It takes `a//b` for `a/b`.
suite.run(Client(), odd_keys=[key for key in samples.ODD_KEYS if "//" not in key], extra=more)
