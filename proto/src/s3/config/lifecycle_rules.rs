//! What a bucket's lifecycle does to what is in it, without I/O: an entry, the rules and the time make a decision
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>).

use super::lifecycle::{Expiration, LifecycleConfiguration, LifecycleRule, Scope};

/// The time, and how long a day is: 24 hours, unless a test is to see the end of one.
#[derive(Debug, Clone, Copy)]
pub struct LifecycleClock {
    /// Now, in milliseconds since the epoch.
    pub now_unix_ms: u64,
    /// A day, in milliseconds.
    pub day_ms: u64,
}

impl LifecycleClock {
    /// Whether so many days are over since a time: S3 rounds up to the next midnight (UTC).
    fn is_over(self, since_unix_ms: u64, days: u32) -> bool {
        let day_ms = self.day_ms.max(1);
        let end = since_unix_ms.saturating_add(day_ms.saturating_mul(u64::from(days)));
        self.now_unix_ms >= end.checked_next_multiple_of(day_ms).unwrap_or(u64::MAX)
    }
}

/// A version of an object, as a rule's filter looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its key.
    pub key: &'a str,
    /// Bytes; 0 for a delete marker.
    pub size: u64,
    /// Its tags, keys and values.
    pub tags: &'a [(String, String)],
}

impl LifecycleRule {
    /// What keys must begin with.
    pub fn prefix(&self) -> &str {
        match &self.scope {
            Scope::Prefix(prefix) => prefix,
            Scope::Filter(filter) => filter.prefix.as_deref().unwrap_or_default(),
        }
    }

    fn fits(&self, candidate: Candidate<'_>) -> bool {
        if !self.enabled || !candidate.key.starts_with(self.prefix()) {
            return false;
        }
        let Scope::Filter(filter) = &self.scope else {
            return true;
        };
        let has_tag = |tag| candidate.tags.contains(tag);
        filter.size_greater_than.is_none_or(|size| candidate.size > size)
            && filter.size_less_than.is_none_or(|size| candidate.size < size)
            && filter.tags.iter().all(has_tag)
    }
}

impl LifecycleConfiguration {
    /// Whether any rule can do anything.
    pub fn is_active(&self) -> bool {
        self.rules.iter().any(|rule| rule.enabled && rule.acts())
    }
    /// Whether noncurrent versions and delete markers are of interest.
    pub fn looks_at_versions(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.enabled && (rule.noncurrent_expiration.is_some() || rule.expiration.is_some()))
    }
    /// Whether uploads that were not completed are of interest.
    pub fn looks_at_uploads(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.enabled && rule.abort_uploads_days.is_some())
    }

    /// Whether a current version, made at a time, has expired.
    pub fn expires_current(&self, version: Candidate<'_>, made_unix_ms: u64, clock: LifecycleClock) -> bool {
        self.rules
            .iter()
            .filter(|rule| rule.fits(version))
            .any(|rule| match rule.expiration {
                Some(Expiration::Days(days)) => clock.is_over(made_unix_ms, days),
                Some(Expiration::DateUnixMs(at)) => clock.now_unix_ms >= at,
                Some(Expiration::DeleteMarker(_)) | None => false,
            })
    }

    /// Whether a noncurrent version has expired. `replaced_unix_ms`: when the next newer version was made;
    /// `newer_noncurrent`: how many of the key's noncurrent versions are newer.
    pub fn expires_noncurrent(
        &self,
        version: Candidate<'_>,
        replaced_unix_ms: u64,
        newer_noncurrent: u32,
        clock: LifecycleClock,
    ) -> bool {
        let fitting = self.rules.iter().filter(|rule| rule.fits(version));
        fitting.filter_map(|rule| rule.noncurrent_expiration).any(|expiration| {
            clock.is_over(replaced_unix_ms, expiration.days)
                && expiration.newer_versions.is_none_or(|kept| newer_noncurrent >= kept)
        })
    }

    /// Whether a delete marker that is the key's only version goes: at once where a rule says so, and in the time in
    /// which objects expire.
    pub fn removes_marker(&self, key: &str, made_unix_ms: u64, clock: LifecycleClock) -> bool {
        let marker = Candidate {
            key,
            size: 0,
            tags: &[],
        };
        self.rules
            .iter()
            .filter(|rule| rule.fits(marker))
            .any(|rule| match rule.expiration {
                Some(Expiration::DeleteMarker(removes)) => removes,
                Some(Expiration::Days(days)) => clock.is_over(made_unix_ms, days),
                Some(Expiration::DateUnixMs(at)) => clock.now_unix_ms >= at,
                None => false,
            })
    }

    /// Whether an upload has been going on for too long.
    pub fn aborts_upload(&self, key: &str, initiated_unix_ms: u64, clock: LifecycleClock) -> bool {
        let fitting = self
            .rules
            .iter()
            .filter(|rule| rule.enabled && key.starts_with(rule.prefix()));
        fitting
            .filter_map(|rule| rule.abort_uploads_days)
            .any(|days| clock.is_over(initiated_unix_ms, days))
    }
}

impl LifecycleRule {
    fn acts(&self) -> bool {
        self.expiration.is_some() || self.noncurrent_expiration.is_some() || self.abort_uploads_days.is_some()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Candidate, LifecycleClock};
    use crate::s3::config::lifecycle::{
        Expiration, Filter, LifecycleConfiguration, LifecycleRule, NoncurrentExpiration, Scope, TransitionMinimumSize,
    };

    const DAY_MS: u64 = 86_400_000;

    fn rule(prefix: &str) -> LifecycleRule {
        LifecycleRule {
            enabled: true,
            scope: Scope::Prefix(prefix.to_owned()),
            ..LifecycleRule::default()
        }
    }

    fn configuration(rules: Vec<LifecycleRule>) -> LifecycleConfiguration {
        LifecycleConfiguration {
            rules,
            minimum_size: TransitionMinimumSize::default(),
        }
    }

    fn at(now_unix_ms: u64) -> LifecycleClock {
        LifecycleClock {
            now_unix_ms,
            day_ms: DAY_MS,
        }
    }

    fn of(key: &str) -> Candidate<'_> {
        Candidate {
            key,
            size: 10,
            tags: &[],
        }
    }

    #[test]
    fn days_end_at_the_midnight_after_them() {
        let rules = configuration(vec![LifecycleRule {
            expiration: Some(Expiration::Days(1)),
            ..rule("logs/")
        }]);
        let noon = DAY_MS / 2;
        let midnight = 2 * DAY_MS;
        assert!(!rules.expires_current(of("logs/a"), noon, at(noon + DAY_MS)));
        assert!(!rules.expires_current(of("logs/a"), noon, at(midnight - 1)));
        assert!(rules.expires_current(of("logs/a"), noon, at(midnight)));
        assert!(!rules.expires_current(of("other"), noon, at(u64::MAX)));
        // Made at midnight: no more than the days.
        assert!(rules.expires_current(of("logs/a"), DAY_MS, at(2 * DAY_MS)));
        assert!(!rules.expires_current(of("logs/a"), u64::MAX, at(u64::MAX - 1)));
    }

    #[test]
    fn dates_and_disabled_rules() {
        let dated = LifecycleRule {
            expiration: Some(Expiration::DateUnixMs(DAY_MS)),
            ..rule("")
        };
        let rules = configuration(vec![dated.clone()]);
        assert!(!rules.expires_current(of("a"), 0, at(DAY_MS - 1)));
        assert!(rules.expires_current(of("a"), 0, at(DAY_MS)));
        let off = configuration(vec![LifecycleRule {
            enabled: false,
            ..dated
        }]);
        assert!(!off.expires_current(of("a"), 0, at(DAY_MS)));
        assert!(!off.is_active() && rules.is_active());
    }

    #[test]
    fn filters_hold_all_together() {
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let rules = configuration(vec![LifecycleRule {
            scope: Scope::Filter(Filter {
                and: true,
                prefix: Some("p".to_owned()),
                tags: vec![tag("a", "1"), tag("b", "2")],
                size_greater_than: Some(5),
                size_less_than: Some(10),
            }),
            expiration: Some(Expiration::Days(1)),
            ..rule("")
        }]);
        let both = [tag("b", "2"), tag("c", "3"), tag("a", "1")];
        let fits = |key, size, tags: &[(String, String)]| {
            rules.expires_current(Candidate { key, size, tags }, 0, at(10 * DAY_MS))
        };
        assert!(fits("p/x", 6, &both));
        assert!(fits("p/x", 9, &both));
        assert!(!fits("p/x", 5, &both));
        assert!(!fits("p/x", 10, &both));
        assert!(!fits("q", 6, &both));
        assert!(!fits("p", 6, &both[..2]));
        assert!(!fits("p", 6, &[tag("a", "2"), tag("b", "2")]));
        assert!(!fits("p", 6, &[]));
    }

    #[test]
    fn noncurrent_versions_by_age_and_number() {
        let keep = |newer_versions| {
            configuration(vec![LifecycleRule {
                noncurrent_expiration: Some(NoncurrentExpiration {
                    days: 3,
                    newer_versions,
                }),
                ..rule("")
            }])
        };
        let expires = |rules: &LifecycleConfiguration, newer, days| {
            rules.expires_noncurrent(of("k"), 0, newer, at(days * DAY_MS))
        };
        assert!(!expires(&keep(None), 9, 2));
        assert!(expires(&keep(None), 0, 3));
        assert!(!expires(&keep(Some(2)), 1, 3));
        assert!(expires(&keep(Some(2)), 2, 3));
        assert!(!expires(&keep(Some(2)), 2, 2));
    }

    #[test]
    fn lone_markers_and_uploads() {
        let with = |expiration| {
            configuration(vec![LifecycleRule {
                expiration: Some(expiration),
                ..rule("a")
            }])
        };
        assert!(with(Expiration::DeleteMarker(true)).removes_marker("a", 0, at(0)));
        assert!(!with(Expiration::DeleteMarker(true)).removes_marker("b", 0, at(0)));
        assert!(!with(Expiration::DeleteMarker(false)).removes_marker("a", 0, at(u64::MAX)));
        assert!(!with(Expiration::DeleteMarker(true)).expires_current(of("a"), 0, at(u64::MAX)));
        assert!(!with(Expiration::Days(2)).removes_marker("a", 0, at(DAY_MS)));
        assert!(with(Expiration::Days(2)).removes_marker("a", 0, at(2 * DAY_MS)));
        let uploads = configuration(vec![LifecycleRule {
            abort_uploads_days: Some(7),
            ..rule("a")
        }]);
        assert!(uploads.looks_at_uploads() && !uploads.looks_at_versions());
        assert!(!uploads.aborts_upload("a", 1, at(7 * DAY_MS)));
        assert!(uploads.aborts_upload("a", 1, at(8 * DAY_MS)));
        assert!(!uploads.aborts_upload("b", 1, at(8 * DAY_MS)));
    }
}
