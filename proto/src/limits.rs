//! Every limit of the protocol, in one place. Sizes are bytes unless the name says otherwise.

use std::time::Duration;

/// Largest request head (request line and headers). A redirected request carries its key twice
/// (path and ticket), percent-encoded, so this is above S3's own 8 KiB of headers.
pub const REQUEST_HEAD_BYTES_MAX: usize = 32 * 1024;
/// Most header lines in one head.
pub const HEADER_COUNT_MAX: usize = 128;
/// Longest object key, in bytes of UTF-8 (S3: "Creating object key names").
pub const KEY_BYTES_MAX: usize = 1024;
/// Shortest and longest bucket name (S3: "Bucket naming rules").
pub const BUCKET_NAME_BYTES_MIN: usize = 3;
/// Longest bucket name.
pub const BUCKET_NAME_BYTES_MAX: usize = 63;
/// Longest domain name (RFC 1035 section 2.3.4).
pub const DOMAIN_BYTES_MAX: usize = 253;
/// User metadata: sum of the bytes of names (without `x-amz-meta-`) and values.
pub const USER_METADATA_BYTES_MAX: usize = 2 * 1024;
/// Longest `x-amz-website-redirect-location`.
pub const REDIRECT_LOCATION_BYTES_MAX: usize = 2 * 1024;
/// Largest object of a single PUT: 5 GiB.
pub const PUT_OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Fields of a form before its file, with what delimits them (S3: "up to 20 KB").
pub const FORM_FIELDS_BYTES_MAX: usize = 20 * 1024;
/// Longest boundary between a form's parts (RFC 2046 section 5.1.1).
pub const FORM_BOUNDARY_BYTES_MAX: usize = 70;
/// Most parts of a multipart upload (S3: "Amazon S3 multipart upload limits").
pub const PART_COUNT_MAX: usize = 10_000;
/// Most keys in one listing page.
pub const LIST_KEYS_MAX: usize = 1000;
/// Most keys in one DeleteObjects request.
pub const DELETE_KEYS_MAX: usize = 1000;
/// Most tags of an object (S3: "Categorizing your objects using tags").
pub const OBJECT_TAGS_MAX: usize = 10;
/// Longest key of a tag, in units of UTF-16.
pub const TAG_KEY_UNITS_MAX: usize = 128;
/// Longest value of a tag, in units of UTF-16.
pub const TAG_VALUE_UNITS_MAX: usize = 256;
/// Largest XML request body: 1,000 keys of 1,024 bytes, every byte escaped, and their tags.
pub const XML_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Deepest XML element nesting accepted.
pub const XML_DEPTH_MAX: usize = 16;
/// Clock skew allowed between a signature's date and this machine, in seconds.
pub const CLOCK_SKEW_S_MAX: u64 = 15 * 60;
/// Longest life of a presigned URL, in seconds (seven days).
pub const PRESIGNED_EXPIRY_S_MAX: u64 = 7 * 24 * 3600;
/// Life of a ticket, in seconds.
pub const TICKET_LIFE_S: u64 = 300;
/// How long a core trusts a lease after the gateway's last heartbeat was sent, in milliseconds.
pub const LEASE_LIFE_MS: u64 = 1000;
/// How often a gateway sends a heartbeat, in milliseconds.
pub const HEARTBEAT_INTERVAL_MS: u64 = 250;
/// Most access keys in one message about revocations.
pub const REVOCATIONS_PER_MESSAGE_MAX: usize = 256;
/// Largest message between a gateway and a core on the same host: more than a head, what came behind it in the same
/// buffer, a ticket and a lease; and the shard map of the largest cluster.
pub const CHANNEL_MESSAGE_BYTES_MAX: usize = 160 * 1024;
/// Largest sealed ticket, in bytes before base64.
pub const TICKET_BYTES_MAX: usize = 8 * 1024;
/// Longest chunk-size line of HTTP or aws-chunked framing, extensions and signature included.
pub const CHUNK_LINE_BYTES_MAX: usize = 512;
/// Largest trailer section after the last chunk.
pub const TRAILER_BYTES_MAX: usize = 4 * 1024;
/// Payload block covered by one xxh3-64 checksum; also the unit of reading and caching.
pub const BLOCK_BYTES: usize = 128 * 1024;
/// Largest object stored inside the segment log by default; larger ones become blob files.
pub const INLINE_OBJECT_BYTES_MAX: u64 = 256 * 1024;
/// Most shards in a cluster map: a core's and a gateway's cost per request grows with it.
pub const SHARD_COUNT_MAX: usize = 4096;
/// Most pairs of operation and status class a core counts.
pub const REQUEST_COUNTS_MAX: usize = 256;
/// What the access log tells of a User-Agent, in bytes.
pub const LOGGED_USER_AGENT_BYTES_MAX: usize = 256;
/// Lines of the access log that wait to be written; more are dropped. Usually they take 4 MiB, and 70 MiB where every key
/// is as long as keys get.
pub const ACCESS_LOG_LINES_MAX: usize = 16 * 1024;
/// How often they are written: 800,000 lines a second are none too many.
pub const ACCESS_LOG_INTERVAL: Duration = Duration::from_millis(20);
/// How much is written at once, whole lines.
pub const ACCESS_LOG_BATCH_BYTES: usize = 64 * 1024;

/// Highest number of a part (S3: "Amazon S3 multipart upload limits").
pub const PART_NUMBER_MAX: u16 = 10_000;
/// Most parts in one page of ListParts.
pub const LIST_PARTS_MAX: usize = 1000;
/// Least size of a part, but for the last one of an object.
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// Most bytes that one copy takes from its source: 5 GiB.
pub const COPY_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Longest `x-amz-copy-source`: a bucket and a key with every byte escaped, and a version.
pub const COPY_SOURCE_BYTES_MAX: usize = 4 * 1024;
/// Largest list of parts in the body of CompleteMultipartUpload: 10,000 parts with ETags and the longest checksums.
pub const COMPLETE_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest description of a copy's source: its headers, which came in one request head, its tags, and what surrounds them.
pub const SOURCE_OBJECT_BYTES_MAX: usize = 128 * 1024;
/// Most tags read in the description of a copy's source: far more than an object may have.
pub const OBJECT_TAGS_DECODED_MAX: usize = 1024;
/// Most tags of a bucket (S3: "Using cost allocation S3 bucket tags").
pub const BUCKET_TAGS_MAX: usize = 50;
/// Most rules of a CORS configuration.
pub const CORS_RULES_MAX: usize = 100;
/// Largest CORS configuration (S3: "The size of the configuration is limited to 64 KB").
pub const CORS_CONFIGURATION_BYTES_MAX: usize = 64 * 1024;
/// What a CORS rule may expose, in bytes of all its names: they travel in tickets and stand in every answer.
pub const CORS_EXPOSE_BYTES_MAX: usize = 1024;
/// Longest origin that is granted anything: a scheme, a domain and a port are shorter.
pub const ORIGIN_BYTES_MAX: usize = 512;
/// Longest id of a rule in a CORS or lifecycle configuration, in characters.
pub const RULE_ID_CHARS_MAX: usize = 255;
/// Most rules of a lifecycle configuration.
pub const LIFECYCLE_RULES_MAX: usize = 1000;
/// Most noncurrent versions that a lifecycle rule keeps.
pub const NEWER_NONCURRENT_VERSIONS_MAX: u32 = 100;
/// Most expired entries in one message to a core.
pub const EXPIRIES_MAX: usize = 2048;
/// Most routing rules of a website.
pub const ROUTING_RULES_MAX: usize = 50;

/// Smallest `net.http.read_buffer_size` and `net.http.write_buffer_size`, in bytes.
pub const HTTP_BUFFER_BYTES_MIN: u64 = 8 * 1024;
/// Largest of them, in bytes.
pub const HTTP_BUFFER_BYTES_MAX: u64 = 1024 * 1024;
/// Most cores of a node.
pub const CORE_COUNT_MAX: u64 = 1024;
/// Smallest `node.memory_bytes`, in bytes: what one core needs.
pub const NODE_MEMORY_BYTES_MIN: u64 = 16 * 1024 * 1024;
/// Largest of it, in bytes.
pub const NODE_MEMORY_BYTES_MAX: u64 = 1 << 44;
/// Longest `scrub.interval_s`, in seconds: ten years.
pub const SCRUB_INTERVAL_S_MAX: u64 = 3650 * 24 * 3600;
/// Longest text of a setting, in bytes.
pub const SETTING_BYTES_MAX: usize = 8 * 1024;
/// Largest configuration file, in bytes.
pub const CONFIGURATION_BYTES_MAX: usize = 256 * 1024;
/// Most settings in one message to a core.
pub const CONFIGURE_SETTINGS_MAX: usize = 64;
