"""Trains a small PyTorch model on images that several DataLoader workers read from an S3 bucket.

    pip install torch boto3
    export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... S3_ENDPOINT=http://127.0.0.1:51080/s3
    python examples/pytorch_training.py

Over https with the store's self-signed certificate, besides:

    export S3_ENDPOINT=https://127.0.0.1:51080/s3 AWS_CA_BUNDLE=corelane-data/control/tls/cert.pem

It uploads a dataset of its own to the bucket `example-pytorch` first: images of 16 x 16 pixels, each with a bright line
that lies or stands, one object a batch, as training sets of small files are packed. It prints the loss of each epoch.
"""

import io
import os

import boto3
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

ENDPOINT = os.environ["S3_ENDPOINT"]
BUCKET = os.environ.get("S3_BUCKET", "example-pytorch")
PREFIX = "train/"
BATCHES, BATCH_SIZE, EPOCHS, WORKERS = 16, 64, 4, 2


def connect():
    return boto3.client("s3", endpoint_url=ENDPOINT, region_name="us-east-1")


def upload_dataset(s3):
    torch.manual_seed(1)
    for number in range(BATCHES):
        labels = torch.randint(2, (BATCH_SIZE,))
        images = torch.rand(BATCH_SIZE, 1, 16, 16)
        for image, label in zip(images, labels, strict=True):
            at = int(torch.randint(16, ()))
            if label == 0:
                image[0, at, :] += 1
            else:
                image[0, :, at] += 1
        file = io.BytesIO()
        torch.save({"images": images, "labels": labels}, file)
        s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}{number:04}.pt", Body=file.getvalue())


class BucketBatches(IterableDataset):
    """The batches below a prefix, each read by one worker."""

    def __iter__(self):
        # A client is made in each worker: connections do not survive a fork.
        s3 = connect()
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        for key in keys[first::step]:
            content = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            batch = torch.load(io.BytesIO(content))
            yield batch["images"], batch["labels"]


def main():
    s3 = connect()
    s3.create_bucket(Bucket=BUCKET)
    upload_dataset(s3)

    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(8 * 16, 2)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss_of = nn.CrossEntropyLoss()
    loader = DataLoader(BucketBatches(), batch_size=None, num_workers=WORKERS)
    losses = []
    for epoch in range(EPOCHS):
        total, count = 0.0, 0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_of(model(images), labels)
            loss.backward()
            optimizer.step()
            total, count = total + float(loss.detach()), count + 1
        assert count == BATCHES, f"{count} of {BATCHES} batches came from the bucket"
        losses.append(total / count)
        print(f"epoch {epoch + 1}: loss {losses[-1]:.3f}", flush=True)
    assert losses[-1] < losses[0] / 2, "the model learned nothing"

    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    s3.put_object(Bucket=BUCKET, Key="model.pt", Body=file.getvalue())
    print(f"trained: the model is s3://{BUCKET}/model.pt")


if __name__ == "__main__":
    main()
