//! The names of the settings.

macro_rules! names {
    ($($constant:ident = $name:literal;)*) => {
        $(#[doc = concat!("`", $name, "`.")] pub const $constant: &str = $name;)*
    };
}

names! {
    NET_HOST = "net.host";
    NET_PORT = "net.port";
    NET_ADVERTISE = "net.advertise";
    NET_DOMAIN = "net.domain";
    NET_WEBSITE_PORT = "net.website_port";
    SERVER_CRT = "net.http.server_crt";
    SERVER_KEY = "net.http.server_key";
    WRITE_BUFFER_SIZE = "net.http.write_buffer_size";
    READ_BUFFER_SIZE = "net.http.read_buffer_size";
    USE_HTTPS = "net.http.use_https";
    SKIP_VERIFY = "net.http.skip_verify";
    CHUNKED_TRANSFER = "net.http.chunked_transfer";
    ALLOW_SIGV2 = "auth.allow_sigv2";
    ANONYMOUS = "auth.anonymous";
    ROUTE_MODE = "route.mode";
    ROUTE_HANDOFF = "route.handoff";
    REDIRECT_TABLE = "route.redirect_table";
    NODE_CORES = "node.cores";
    NODE_MEMORY_BYTES = "node.memory_bytes";
    NODE_DURABILITY = "node.durability";
    SCRUB_INTERVAL_S = "scrub.interval_s";
    ACCESS_LOG_FILE = "access_log.file";
    ACCESS_LOG_FORMAT = "access_log.format";
    LOG_FILTER = "log.filter";
    LIFECYCLE_DAY_SECONDS = "lifecycle.day_seconds";
    BUCKET_CHECKSUM_TYPE = "bucket.checksum_type";
    BUCKET_S3_CHECKSUM_TYPE = "bucket.s3_checksum_type";
    BUCKET_VALIDATE_WARM_GET = "bucket.validate_warm_get";
}
