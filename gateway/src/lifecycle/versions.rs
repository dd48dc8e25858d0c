//! The versions of a bucket, key by key, as a listing shows them: the newest of a key first.

use proto::{
    cluster::expiry::{Expired, Seen},
    s3::{
        config::{
            lifecycle::LifecycleConfiguration,
            lifecycle_rules::{Candidate, LifecycleClock},
        },
        listing::ListedVersion,
    },
};

/// Where a pass is.
#[derive(Debug, Default)]
pub struct Versions {
    key: Option<Key>,
}

/// The key whose versions are being shown.
#[derive(Debug)]
struct Key {
    name: String,
    newest: Seen,
    newest_is_marker: bool,
    /// When the version before was made: that is when the next one was replaced.
    replaced_unix_ms: u64,
    /// Noncurrent versions met.
    noncurrent: u32,
}

impl Versions {
    /// Takes the next version, and reports what has expired.
    pub fn take(
        &mut self,
        rules: &LifecycleConfiguration,
        clock: LifecycleClock,
        listed: ListedVersion,
        expire: &mut impl FnMut(&str, Expired),
    ) {
        let seen = Seen {
            version: listed.version,
            modified_unix_ms: listed.object.modified_unix_ms,
        };
        let candidate = Candidate {
            key: &listed.object.key,
            size: listed.object.size,
            tags: &listed.tags,
        };
        if self.key.as_ref().is_some_and(|key| key.name != listed.object.key) {
            self.end_key(rules, clock, expire);
        }
        let Some(key) = &mut self.key else {
            // A page may begin within a key whose newest version is gone: the next pass sees what there is.
            if !listed.is_latest {
                return;
            }
            if !listed.is_delete_marker && rules.expires_current(candidate, seen.modified_unix_ms, clock) {
                expire(candidate.key, Expired::Newest(seen));
            }
            self.key = Some(Key {
                name: listed.object.key,
                newest: seen,
                newest_is_marker: listed.is_delete_marker,
                replaced_unix_ms: seen.modified_unix_ms,
                noncurrent: 0,
            });
            return;
        };
        if rules.expires_noncurrent(candidate, key.replaced_unix_ms, key.noncurrent, clock) {
            expire(candidate.key, Expired::Version(listed.version, key.newest));
        }
        key.noncurrent = key.noncurrent.saturating_add(1);
        key.replaced_unix_ms = seen.modified_unix_ms;
    }

    /// All versions of a key have been shown: a delete marker that hides nothing may go.
    pub fn end_key(
        &mut self,
        rules: &LifecycleConfiguration,
        clock: LifecycleClock,
        expire: &mut impl FnMut(&str, Expired),
    ) {
        let Some(key) = self.key.take() else { return };
        let newest = key.newest;
        if key.newest_is_marker
            && key.noncurrent == 0
            && rules.removes_marker(&key.name, newest.modified_unix_ms, clock)
        {
            expire(&key.name, Expired::Version(newest.version, newest));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Versions;
    use proto::{
        cluster::expiry::{Expired, Seen},
        s3::{
            config::{
                lifecycle::{LifecycleConfiguration, TransitionMinimumSize},
                lifecycle_rules::LifecycleClock,
            },
            listing::{ListedObject, ListedVersion},
            version::VersionId,
        },
    };

    fn rules(actions: &str) -> LifecycleConfiguration {
        let body = format!(
            "<LifecycleConfiguration><Rule><ID>r</ID><Filter/><Status>Enabled</Status>{actions}</Rule></LifecycleConfiguration>"
        );
        LifecycleConfiguration::parse(body.as_bytes(), TransitionMinimumSize::default(), String::new).unwrap()
    }

    /// Key, number, time, whether it is a delete marker: the newest of a key first.
    fn expired(actions: &str, now_unix_ms: u64, listed: &[(&str, u64, u64, bool)]) -> Vec<(String, Expired)> {
        let rules = rules(actions);
        let clock = LifecycleClock {
            now_unix_ms,
            day_ms: 10,
        };
        let mut found = Vec::new();
        let mut expire = |key: &str, what| found.push((key.to_owned(), what));
        let mut versions = Versions::default();
        let mut last = "";
        for &(key, number, modified_unix_ms, is_delete_marker) in listed {
            let listed = ListedVersion {
                object: ListedObject {
                    key: key.to_owned(),
                    size: 1,
                    modified_unix_ms,
                    etag: String::new(),
                    checksum: None,
                    storage_class: None,
                    details: None,
                },
                version: VersionId::Number(number),
                is_latest: key != last,
                is_delete_marker,
                tags: Vec::new(),
            };
            versions.take(&rules, clock, listed, &mut expire);
            last = key;
        }
        versions.end_key(&rules, clock, &mut expire);
        found
    }

    fn seen(number: u64, modified_unix_ms: u64) -> Seen {
        Seen {
            version: VersionId::Number(number),
            modified_unix_ms,
        }
    }

    const DAY: &str = "<Expiration><Days>1</Days></Expiration>";
    const NONCURRENT: &str =
        "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>";

    #[test]
    fn current_versions_that_are_old() {
        let listed = [
            ("a", 3, 10, false),
            ("a", 1, 0, false),
            ("b", 4, 20, false),
            ("c", 5, 0, false),
        ];
        assert_eq!(
            expired(DAY, 20, &listed),
            [
                ("a".to_owned(), Expired::Newest(seen(3, 10))),
                ("c".to_owned(), Expired::Newest(seen(5, 0)))
            ]
        );
    }

    #[test]
    fn noncurrent_versions_count_from_their_successor() {
        let listed = [("a", 3, 20, false), ("a", 2, 10, true), ("a", 1, 0, false)];
        assert_eq!(
            expired(NONCURRENT, 20, &listed),
            [("a".to_owned(), Expired::Version(VersionId::Number(1), seen(3, 20)))]
        );
        assert_eq!(expired(NONCURRENT, 30, &listed).len(), 2);
        let keeping = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>";
        assert_eq!(
            expired(keeping, 100, &listed),
            [("a".to_owned(), Expired::Version(VersionId::Number(1), seen(3, 20)))]
        );
    }

    #[test]
    fn delete_markers_that_hide_nothing() {
        let marker = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>";
        let listed = [
            ("a", 3, 20, true),
            ("a", 2, 10, false),
            ("b", 4, 20, true),
            ("c", 5, 20, true),
        ];
        assert_eq!(
            expired(marker, 20, &listed),
            [
                ("b".to_owned(), Expired::Version(VersionId::Number(4), seen(4, 20))),
                ("c".to_owned(), Expired::Version(VersionId::Number(5), seen(5, 20)))
            ]
        );
        // Nor is one deleted again.
        assert_eq!(expired(DAY, 20, &listed), []);
        assert_eq!(expired(DAY, 30, &listed).len(), 2);
    }
}
