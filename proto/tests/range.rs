//! Ranges against a model that marks bytes one by one.
#![allow(clippy::unwrap_used, clippy::panic)]

use corelane_proto::{
    error::ErrorCode,
    http::range::{ByteRange, resolve},
};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

/// The bytes of `0..size` that satisfy a predicate, as a range.
fn marked(size: u64, is_in: impl Fn(u64) -> bool) -> Option<ByteRange> {
    let bytes: Vec<u64> = (0..size).filter(|byte| is_in(*byte)).collect();
    Some(ByteRange {
        start: *bytes.first()?,
        length: bytes.len() as u64,
    })
}

fn check(header: &str, size: u64, expected: Option<ByteRange>) {
    match (resolve(header, size), expected) {
        (Ok(range), Some(_)) => assert_eq!(range, expected, "{header} of {size}"),
        (Err(error), None) => assert_eq!(error.code, ErrorCode::InvalidRange),
        (answer, _) => panic!("{header} of {size}: {answer:?}, expected {expected:?}"),
    }
}

#[test]
fn small_objects_exhaustively() {
    for size in 0..8u64 {
        for first in 0..10u64 {
            check(&format!("bytes={first}-"), size, marked(size, |byte| byte >= first));
            check(
                &format!("bytes=-{first}"),
                size,
                marked(size, |byte| byte + first >= size),
            );
            for last in 0..10u64 {
                let header = format!("bytes={first}-{last}");
                if last < first {
                    assert_eq!(resolve(&header, size).unwrap(), None, "{header}");
                } else {
                    check(&header, size, marked(size, |byte| (first..=last).contains(&byte)));
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn a_range_lies_inside_its_object(first in any::<u64>(), last in any::<u64>(), size in any::<u64>()) {
        for header in [format!("bytes={first}-{last}"), format!("bytes={first}-"), format!("bytes=-{first}")] {
            if let Ok(Some(range)) = resolve(&header, size) {
                prop_assert!(range.length > 0);
                prop_assert!(range.start.checked_add(range.length).unwrap() <= size);
            }
        }
    }

    #[test]
    fn anything_else_serves_the_whole(header in "[bytes=0-9, -]{0,20}", size in 0u64..100) {
        let is_one_range = header.strip_prefix("bytes=").is_some_and(|range| {
            range.split_once('-').is_some_and(|(first, last)| {
                let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
                digits(first) && digits(last) && !(first.is_empty() && last.is_empty())
            })
        });
        if !is_one_range {
            prop_assert_eq!(resolve(&header, size).unwrap(), None);
        }
    }
}
