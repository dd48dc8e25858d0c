//! Body framing: the same payload, the same end and the same refusal, however the bytes are cut.
#![allow(clippy::unwrap_used)]

use corelane_proto::{
    error::ErrorCode,
    http::{
        body::{HttpFraming, Want},
        head::BodyFraming,
    },
};
use proptest::prelude::{any, prop, prop_assert_eq, proptest};

/// What a body gave: payload, trailers, whether it ended, wire bytes taken; or an error.
type Outcome = Result<(Vec<u8>, Vec<(String, String)>, bool, usize), ErrorCode>;

/// Reads a body from `wire`, of which `cuts` says how many bytes arrive at a time.
fn read(framing: BodyFraming, wire: &[u8], mut cuts: impl Iterator<Item = usize>) -> Outcome {
    let mut body = HttpFraming::new(framing);
    let (mut payload, mut taken, mut received) = (Vec::new(), 0, 0);
    loop {
        match body.want() {
            Want::End => return Ok((payload, body.trailers().to_vec(), true, taken)),
            Want::Payload(most) => {
                assert!(most > 0);
                let count = (received - taken).min(usize::try_from(most).unwrap());
                payload.extend_from_slice(&wire[taken..taken + count]);
                body.payload(count as u64);
                taken += count;
                if count > 0 {
                    continue;
                }
            }
            Want::Framing => {
                let count = body.framing(&wire[taken..received]).map_err(|error| error.code)?;
                taken += count;
                if body.want() != Want::Framing {
                    continue;
                }
            }
        }
        if received == wire.len() {
            return Ok((payload, body.trailers().to_vec(), false, taken));
        }
        received = (received + cuts.next().unwrap_or(1).max(1)).min(wire.len());
    }
}

fn whole(framing: BodyFraming, wire: &[u8]) -> Outcome {
    read(framing, wire, std::iter::repeat(wire.len()))
}

#[test]
fn split_at_every_byte() {
    let wire = b"5;x=\"y\"\r\nhello\r\n00a\r\n, world of\r\n1 \r\ns\r\n0\r\nX-A: 1\r\nx-b:2 \r\n\r\nGET / HTTP/1.1";
    let expected = whole(BodyFraming::Chunked, wire).unwrap();
    assert_eq!(expected.0, b"hello, world ofs");
    assert_eq!(
        expected.1,
        [("x-a".to_owned(), "1".to_owned()), ("x-b".to_owned(), "2".to_owned())]
    );
    assert_eq!((expected.2, expected.3), (true, wire.len() - "GET / HTTP/1.1".len()));
    for cut in 0..wire.len() {
        let cuts = [cut, wire.len() - cut];
        assert_eq!(
            read(BodyFraming::Chunked, wire, cuts.into_iter()),
            Ok(expected.clone()),
            "cut at {cut}"
        );
    }
    assert_eq!(
        read(BodyFraming::Chunked, wire, std::iter::repeat(1)),
        Ok(expected.clone())
    );
    for end in 0..expected.3 {
        let (.., is_ended, _) = whole(BodyFraming::Chunked, &wire[..end]).unwrap();
        assert!(!is_ended, "ended after {end} bytes");
    }
}

#[test]
fn a_length_is_exact() {
    assert_eq!(
        whole(BodyFraming::Length(3), b"abcdef"),
        Ok((b"abc".to_vec(), vec![], true, 3))
    );
    assert_eq!(
        whole(BodyFraming::Length(3), b"ab"),
        Ok((b"ab".to_vec(), vec![], false, 2))
    );
    assert_eq!(whole(BodyFraming::None, b"ab"), Ok((vec![], vec![], true, 0)));
}

proptest! {
    #[test]
    fn chunked_round_trip(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
        extension in "(;[a-z]{1,5}(=[a-z\"]{0,5})?)?",
        trailers in prop::collection::vec(("[a-z-]{1,8}", "[!-~]{0,10}"), 0..3),
        rest in prop::collection::vec(any::<u8>(), 0..10),
        cuts in prop::collection::vec(1usize..20, 0..100),
    ) {
        let mut wire = Vec::new();
        for chunk in &chunks {
            wire.extend_from_slice(format!("{:X}{extension}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(format!("0{extension}\r\n").as_bytes());
        for (name, value) in &trailers {
            wire.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        wire.extend_from_slice(b"\r\n");
        let length = wire.len();
        wire.extend_from_slice(&rest);
        let expected = Ok((chunks.concat(), trailers, true, length));
        prop_assert_eq!(&whole(BodyFraming::Chunked, &wire), &expected);
        prop_assert_eq!(&read(BodyFraming::Chunked, &wire, cuts.into_iter()), &expected);
    }

    /// Whatever arrives: no panic, and the same answer for every cut.
    #[test]
    fn anything(
        wire in prop::collection::vec(prop::sample::select(b"\r\n\r\n0123aF;: \t\0x\xff".to_vec()), 0..60),
        cuts in prop::collection::vec(1usize..8, 0..60),
    ) {
        prop_assert_eq!(
            whole(BodyFraming::Chunked, &wire),
            read(BodyFraming::Chunked, &wire, cuts.into_iter())
        );
    }
}
