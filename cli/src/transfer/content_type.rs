//! The content type of a file by its name.

use std::path::Path;

/// Extensions with their types (<https://www.iana.org/assignments/media-types>), for what is served from stores of this kind.
const TYPES: &[(&str, &str)] = &[
    ("avif", "image/avif"),
    ("avro", "application/avro"),
    ("bmp", "image/bmp"),
    ("bz2", "application/x-bzip2"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("h5", "application/x-hdf5"),
    ("hdf5", "application/x-hdf5"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ico", "image/vnd.microsoft.icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("jsonl", "application/jsonl"),
    ("m4a", "audio/mp4"),
    ("md", "text/markdown"),
    ("mjs", "text/javascript"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ogg", "audio/ogg"),
    ("parquet", "application/vnd.apache.parquet"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tgz", "application/gzip"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("toml", "application/toml"),
    ("tsv", "text/tab-separated-values"),
    ("txt", "text/plain"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xml", "application/xml"),
    ("xz", "application/x-xz"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zip", "application/zip"),
    ("zst", "application/zstd"),
];

/// What a file's name says; `None`: nothing that is known.
pub fn of_name(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let known = TYPES
        .binary_search_by_key(&extension.as_str(), |(known, _)| known)
        .ok()?;
    TYPES.get(known).map(|(_, content_type)| *content_type)
}

#[cfg(test)]
mod tests {
    use super::{TYPES, of_name};
    use std::path::Path;

    #[test]
    fn names_say_types() {
        assert!(TYPES.is_sorted());
        assert_eq!(of_name(Path::new("a/b.JPG")), Some("image/jpeg"));
        assert_eq!(of_name(Path::new("a.tar.gz")), Some("application/gzip"));
        assert_eq!(of_name(Path::new("README")), None);
        assert_eq!(of_name(Path::new(".txt")), None);
    }
}
