"""Trains a small TensorFlow model on TFRecord files that tf.data reads from an S3 bucket, through tensorflow-io.

    pip install tensorflow==2.16.2 tensorflow-io==0.37.1 boto3
    export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... S3_ENDPOINT=http://127.0.0.1:51080/s3
    python examples/tensorflow_training.py

Over https with the store's self-signed certificate, besides:

    export S3_ENDPOINT=https://127.0.0.1:51080/s3
    export S3_CA_FILE=corelane-data/control/tls/cert.pem AWS_CA_BUNDLE=corelane-data/control/tls/cert.pem

S3_ENDPOINT is given with its scheme: tensorflow-io waits forever on one without, S3_USE_HTTPS=0 or not.

It writes a dataset of its own to the bucket `example-tensorflow` first: points in a plane, of two classes, in several files.
It prints the loss of each epoch.
"""

import os

os.environ.setdefault("AWS_REGION", "us-east-1")

import boto3
import tensorflow as tf
import tensorflow_io  # noqa: F401  The file system of s3:// paths registers itself.

BUCKET = os.environ.get("S3_BUCKET", "example-tensorflow")
PREFIX = f"s3://{BUCKET}/train"
FILES, POINTS, BATCH_SIZE, EPOCHS = 8, 256, 64, 5
FEATURES = {"point": tf.io.FixedLenFeature([2], tf.float32), "label": tf.io.FixedLenFeature([1], tf.float32)}


def write_dataset():
    random = tf.random.Generator.from_seed(1)
    for number in range(FILES):
        with tf.io.TFRecordWriter(f"{PREFIX}/{number:04}.tfrecord") as writer:
            for point in random.uniform([POINTS, 2], -1, 1).numpy():
                label = float(point[0] ** 2 + point[1] ** 2 < 0.6)
                features = {
                    "point": tf.train.Feature(float_list=tf.train.FloatList(value=point)),
                    "label": tf.train.Feature(float_list=tf.train.FloatList(value=[label])),
                }
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())


def read_dataset():
    def parse(record):
        example = tf.io.parse_single_example(record, FEATURES)
        return example["point"], example["label"]

    paths = tf.data.Dataset.list_files(f"{PREFIX}/*.tfrecord", seed=1)
    records = tf.data.TFRecordDataset(paths, num_parallel_reads=4)
    return records.map(parse).shuffle(1000, seed=1).batch(BATCH_SIZE).prefetch(2)


def main():
    s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    write_dataset()

    tf.keras.utils.set_random_seed(1)
    model = tf.keras.Sequential([tf.keras.layers.Dense(32, activation="relu"), tf.keras.layers.Dense(1)])
    optimizer = tf.keras.optimizers.Adam(0.02)
    loss_of = tf.keras.losses.BinaryCrossentropy(from_logits=True)
    losses = []
    for epoch in range(EPOCHS):
        total, count = 0.0, 0
        for points, labels in read_dataset():
            with tf.GradientTape() as tape:
                loss = loss_of(labels, model(points))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            total, count = total + float(loss), count + 1
        assert count == FILES * POINTS // BATCH_SIZE, f"{count} batches came from the bucket"
        losses.append(total / count)
        print(f"epoch {epoch + 1}: loss {losses[-1]:.3f}", flush=True)
    assert losses[-1] < losses[0] / 2, "the model learned nothing"
    print("trained", flush=True)


if __name__ == "__main__":
    main()
    # The S3 client of tensorflow-io 0.37 aborts when the interpreter takes it down.
    os._exit(0)
