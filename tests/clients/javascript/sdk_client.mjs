// The AWS SDK for JavaScript, version 3. The harness of the Python scripts explains the environment; the certificate is
// given as NODE_EXTRA_CA_CERTS, which the runtime reads when it starts.
import assert from "node:assert/strict";
import {
  CreateBucketCommand, DeleteBucketCommand, DeleteObjectCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand,
  PutObjectCommand, S3Client, paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { createHash, randomBytes } from "node:crypto";

const Bucket = process.env.CORELANE_BUCKET;
const s3 = new S3Client({ endpoint: process.env.CORELANE_ENDPOINT, forcePathStyle: true, region: "us-east-1" });
const send = (command) => s3.send(command);
const read = async (Key, Range) => {
  const got = await send(new GetObjectCommand({ Bucket, Key, Range }));
  return Buffer.from(await got.Body.transformToByteArray());
};

await send(new CreateBucketCommand({ Bucket }));
for (const size of [0, 1, 4096, 300 * 1024, 5 * 1024 * 1024 + 4321]) {
  const Key = `sizes/${size}`;
  const Body = randomBytes(size);
  await send(new PutObjectCommand({ Bucket, Key, Body: randomBytes(size) }));
  const put = await send(new PutObjectCommand({ Bucket, Key, Body, ContentType: "text/x-test", Metadata: { colour: "blue" } }));
  assert.equal(put.ETag, `"${createHash("md5").update(Body).digest("hex")}"`);
  assert.ok((await read(Key)).equals(Body), `${size} bytes came back differently`);
  const head = await send(new HeadObjectCommand({ Bucket, Key }));
  assert.deepEqual([head.ContentLength, head.ContentType, head.Metadata], [size, "text/x-test", { colour: "blue" }]);
  if (size > 1000) assert.ok((await read(Key, "bytes=999-4000")).equals(Body.subarray(999, 4001)));
}
console.log("ok: 5 sizes, overwrites, metadata, ranges");

const odd = ["a b", "a//b", "a+b", "100%", "50%25", "dir/deep/\u00fc\u00f6", "\u65e5\u672c\u8a9e", "\u{1f980}", "&=;@,$", "(1)'!*", "~tilde-._"];
for (const Key of odd) {
  await send(new PutObjectCommand({ Bucket, Key, Body: `content of ${Key}` }));
  assert.equal((await read(Key)).toString(), `content of ${Key}`);
}
console.log(`ok: ${odd.length} odd keys`);

const keys = [];
for await (const page of paginateListObjectsV2({ client: s3, pageSize: 4 }, { Bucket })) {
  keys.push(...page.Contents.map((entry) => entry.Key));
}
assert.equal(keys.length, odd.length + 5);
assert.ok(odd.every((key) => keys.includes(key)));
console.log("ok: listings");

await assert.rejects(read("never/was"), { name: "NoSuchKey" });
console.log("ok: a missing object");

const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "a+b" }));
assert.equal(await (await fetch(url)).text(), "content of a+b");
const upload = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: "put by url" }));
assert.equal((await fetch(upload, { method: "PUT", body: "by url" })).status, 200);
assert.equal((await read("put by url")).toString(), "by url");
console.log("ok: presigned URLs");

await send(new DeleteObjectCommand({ Bucket, Key: "put by url" }));
await assert.rejects(send(new HeadObjectCommand({ Bucket, Key: "put by url" })), { name: "NotFound" });
const deleted = await send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }));
assert.equal(deleted.Deleted.length, keys.length);
await send(new DeleteBucketCommand({ Bucket }));
console.log("ok: deletes");
console.log("all passed");
