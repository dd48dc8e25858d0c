"""polars: Parquet and CSV files read lazily from s3:// URLs."""

import io
import os

from harness import witness
from harness.store import BUCKET, CA, ENDPOINT, WITNESS_PUTS, choose, needs

os.environ.update(choose({}, {"SSL_CERT_FILE": CA or ""}, {}))

import polars

OPTIONS = {"endpoint": ENDPOINT, "region": "us-east-1", "allow_http": "true", **choose({}, {}, {"allow_invalid_certificates": "true"})}
S3 = f"s3://{BUCKET}"


def main():
    witness.make_bucket()
    frame = polars.DataFrame({"number": range(50_000), "text": [f"row {number}" for number in range(50_000)]})
    for part in range(3):
        file = io.BytesIO()
        frame.write_parquet(file, row_group_size=5000)
        witness.put(f"table/{part} \u00fc+.parquet", file.getvalue())
    read = polars.scan_parquet(f"{S3}/table/*.parquet", storage_options=OPTIONS)
    assert read.select(polars.len()).collect().item() == 150_000
    assert read.filter(polars.col("number") == 4711).collect()["text"].to_list() == ["row 4711"] * 3
    assert polars.read_parquet(f"{S3}/table/0 \u00fc+.parquet", storage_options=OPTIONS).equals(frame)
    print("ok: Parquet, one file and many, whole and by predicate")
    file = io.BytesIO()
    frame.write_csv(file)
    witness.put("table.csv", file.getvalue())
    assert polars.scan_csv(f"{S3}/table.csv", storage_options=OPTIONS).collect().equals(frame)
    print("ok: CSV")
    try:
        polars.read_parquet(f"{S3}/never/was.parquet", storage_options=OPTIONS)
    except (FileNotFoundError, OSError, polars.exceptions.ComputeError):
        print("ok: a missing object")
    else:
        raise AssertionError("no error")
    # A small file is one PUT.
    if needs("multipart") and not WITNESS_PUTS:
        frame.lazy().sink_parquet(f"{S3}/written.parquet", storage_options=OPTIONS)
        assert polars.read_parquet(io.BytesIO(witness.get("written.parquet").content)).equals(frame)
        print("ok: sink_parquet")
    for key in witness.keys():
        witness.delete(key)
    witness.remove_bucket()
    print("all passed")


main()
