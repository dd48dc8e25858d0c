//! The table. A description is the documentation of its setting, everywhere.

use super::{
    Applies::{self, Fixed, Live, Restart},
    Kind::{self, Boolean, Domains, Filter, Host, Integer, NumberOr, OneOf, Path, Seconds, Size},
    Setting, names,
};
use crate::limits::{
    CORE_COUNT_MAX, HTTP_BUFFER_BYTES_MAX, HTTP_BUFFER_BYTES_MIN, NODE_MEMORY_BYTES_MAX, NODE_MEMORY_BYTES_MIN,
    SCRUB_INTERVAL_S_MAX,
};

const CHECKSUM_TYPES: Kind = OneOf(&["none", "xxhash", "md5", "crc32c", "sha256", "sha512"]);

const fn setting(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    (applies, flag): (Applies, Option<&'static str>),
    description: &'static str,
) -> Setting {
    Setting {
        name,
        kind,
        default,
        applies,
        flag,
        description,
    }
}

/// All settings, those of one table of the file together.
pub const SETTINGS: &[Setting] = &[
    setting(
        names::NET_HOST,
        Host { may_be_empty: false },
        "127.0.0.1",
        (Restart, Some("--host")),
        "The address to listen on: an IP address or a name of this machine. 0.0.0.0 is all of its addresses; then \
         net.advertise says what clients are redirected to.",
    ),
    setting(
        names::NET_PORT,
        Integer { least: 0, most: 65535 },
        "51080",
        (Restart, Some("--port")),
        "The gateway's port, for S3 and for the API under /v1; the cores' ports follow it. 0 picks free ones at every start \
         and prints them.",
    ),
    setting(
        names::NET_ADVERTISE,
        Host { may_be_empty: true },
        "",
        (Restart, Some("--advertise")),
        "The host name or address that clients are redirected to. Empty: net.host, and no redirects at all when that is a \
         wildcard such as 0.0.0.0.",
    ),
    setting(
        names::NET_DOMAIN,
        Domains,
        "localhost",
        (Restart, Some("--domain")),
        "Domains below which hosts are buckets, as in http://BUCKET.NAME:PORT/KEY. Such hosts must resolve to the store.",
    ),
    setting(
        names::NET_WEBSITE_PORT,
        NumberOr {
            word: "off",
            least: 0,
            most: 65535,
        },
        "off",
        (Restart, Some("--website-port")),
        "A port where buckets with a website configuration are web sites, for everyone, as http://BUCKET.NAME:PORT/ below \
         each net.domain. 0 picks a free one at every start and prints it.",
    ),
    setting(
        names::SERVER_CRT,
        Path,
        "",
        (Restart, Some("--tls-cert")),
        "The certificate to serve HTTPS with: a PEM file, with those that signed it behind it. Empty: the store's own, \
         control/tls/cert.pem in the first data directory, which the first start with HTTPS makes. SIGHUP reads the file \
         again.",
    ),
    setting(
        names::SERVER_KEY,
        Path,
        "",
        (Restart, Some("--tls-key")),
        "The key of net.http.server_crt: a PEM file without a passphrase. Set both or neither.",
    ),
    setting(
        names::WRITE_BUFFER_SIZE,
        Size {
            least: HTTP_BUFFER_BYTES_MIN,
            most: HTTP_BUFFER_BYTES_MAX,
        },
        "65536",
        (Live, None),
        "Bytes of object data that the gateway holds of one answer at a time, where it stands between client and core. When \
         very many requests are under way, their buffers are smaller. It acts for requests that come after the change.",
    ),
    setting(
        names::READ_BUFFER_SIZE,
        Size {
            least: HTTP_BUFFER_BYTES_MIN,
            most: HTTP_BUFFER_BYTES_MAX,
        },
        "65536",
        (Live, None),
        "Bytes of object data that the gateway holds of one upload at a time, where it stands between client and core; with \
         HTTPS at most 64 KiB come at a time. When very many requests are under way, their buffers are smaller. It acts for requests that come after the change.",
    ),
    setting(
        names::USE_HTTPS,
        Boolean,
        "false",
        (Restart, Some("--tls")),
        "HTTPS, and nothing else, on every port of gateway and cores, with net.http.server_crt.",
    ),
    setting(
        names::SKIP_VERIFY,
        Boolean,
        "false",
        (Fixed, None),
        "the processes of a store always verify each other: they accept exactly the certificate they are configured with.",
    ),
    setting(
        names::CHUNKED_TRANSFER,
        Boolean,
        "true",
        (Fixed, None),
        "uploads may always come with Transfer-Encoding: chunked, when x-amz-decoded-content-length says how long they are; \
         answers with object data always have a Content-Length.",
    ),
    setting(
        names::ALLOW_SIGV2,
        Boolean,
        "false",
        (Live, Some("--allow-sigv2")),
        "Take AWS Signature Version 2 as well, for old clients. It is weak: it covers no payload, no host and little of the \
         query, and uses SHA-1.",
    ),
    setting(
        names::ANONYMOUS,
        Boolean,
        "false",
        (Restart, Some("--anonymous")),
        "Verify nothing: everyone may do everything.",
    ),
    setting(
        names::ROUTE_MODE,
        OneOf(&["auto", "handoff", "redirect", "proxy"]),
        "auto",
        (Live, Some("--route")),
        "How requests for object data reach the core that owns the object. auto: on one host the gateway passes the client's \
         connection to the core; with HTTPS, or to another host, it redirects clients known to follow and stands between \
         the rest. handoff: passes connections where it can, never redirects. redirect: always redirects. proxy: always \
         stands between.",
    ),
    setting(
        names::ROUTE_HANDOFF,
        Boolean,
        "true",
        (Live, Some("--no-handoff")),
        "Pass clients' connections to cores on this host. Without it auto redirects or stands between. It never is with \
         HTTPS: a core cannot take a session over.",
    ),
    setting(
        names::REDIRECT_TABLE,
        Path,
        "",
        (Live, Some("--redirect-table")),
        "A TOML file that says which further clients are redirected, or not; its rows come before the built-in ones, which \
         `corelane-gateway --print-redirect-table` prints. Setting it again reads the file again.",
    ),
    setting(
        names::NODE_CORES,
        NumberOr {
            word: "all",
            least: 1,
            most: CORE_COUNT_MAX,
        },
        "all",
        (Restart, Some("--cores")),
        "How many cores serve data, each with a port and a thread of its own.",
    ),
    setting(
        names::NODE_MEMORY_BYTES,
        Size {
            least: NODE_MEMORY_BYTES_MIN,
            most: NODE_MEMORY_BYTES_MAX,
        },
        "536870912",
        (Restart, None),
        "Memory of the cores together: three eighths cache, three eighths for uploads, one for what is being sent, one for \
         the indexes. A core never has less than 16 MiB.",
    ),
    setting(
        names::NODE_DURABILITY,
        OneOf(&["sync", "none"]),
        "sync",
        (Restart, Some("--durability")),
        "When an upload is answered. sync: when it survives a power failure. none: when the operating system has it; what \
         came last is lost with the power.",
    ),
    setting(
        names::SCRUB_INTERVAL_S,
        Seconds {
            least: 0,
            most: SCRUB_INTERVAL_S_MAX,
        },
        "604800",
        (Live, None),
        "Seconds between the starts of two passes in the background that read and verify all objects; 0 turns them off.",
    ),
    setting(
        names::ACCESS_LOG_FILE,
        Path,
        "",
        (Live, Some("--access-log")),
        "Where every request is written down, a line each: a file that gateway and cores append to, - for standard error, \
         or empty for nowhere. SIGHUP has the file opened again.",
    ),
    setting(
        names::ACCESS_LOG_FORMAT,
        OneOf(&["text", "json"]),
        "text",
        (Live, Some("--access-log-format")),
        "How requests are written down: text has fields between spaces, json an object a line.",
    ),
    setting(
        names::LOG_FILTER,
        Filter,
        "info",
        (Live, None),
        "What the log on standard error says: a level, or levels of parts of the program as in \
         info,corelane_gateway=debug.",
    ),
    setting(
        names::LIFECYCLE_DAY_SECONDS,
        Seconds {
            least: 1,
            most: u32::MAX as u64,
        },
        "86400",
        (Live, Some("--lifecycle-day-seconds")),
        "How many seconds a day of a lifecycle rule has: fewer, and rules can be tried out.",
    ),
    setting(
        names::BUCKET_CHECKSUM_TYPE,
        CHECKSUM_TYPES,
        "xxhash",
        (Live, None),
        "checksum.type of buckets made with `corelane bucket create` or through /v1 that do not say otherwise. Buckets that \
         exist keep theirs.",
    ),
    setting(
        names::BUCKET_S3_CHECKSUM_TYPE,
        CHECKSUM_TYPES,
        "md5",
        (Live, None),
        "checksum.type of buckets made through S3. With md5 an ETag is the MD5 of the data, which many S3 clients expect. \
         Buckets that exist keep theirs.",
    ),
    setting(
        names::BUCKET_VALIDATE_WARM_GET,
        Boolean,
        "true",
        (Live, None),
        "checksum.validate_warm_get of new buckets that do not say otherwise: what is read from disk is verified before it is \
         sent. Buckets that exist keep theirs.",
    ),
];
