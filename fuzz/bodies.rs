//! What each fuzz target does with its input. The targets call these under libFuzzer; `proto/tests/fuzz_corpus.rs` calls
//! them on the committed corpus, so that every past finding stays a test.

use corelane_proto::{
    auth::{
        body::BodyDecoder,
        chunked::ChunkSigner,
        payload::PayloadDeclaration,
        sigv2::SignatureV2,
        sigv4::{Scope, SigningKey},
        ticket::{self, TicketKey},
        verify::Credential,
    },
    cluster::{
        map::NodeInfo,
        message::{CoreStats, DeleteBatch},
    },
    http::{body::Want, conditional::WriteCondition, head::RequestHead},
    s3::{
        address::Address,
        listing::ListPage,
        name::Target,
        object::ObjectHeaders,
        operation::Operation,
        post::{
            credential::FormCredential,
            form::Fields,
            policy::Policy,
            reader::{FormEvent, FormReader},
        },
        query::Query,
        tagging::{self, TagSet},
        xml_read,
    },
    wire::Decoder,
};

/// Head parsing: the same result whole and in two parts; everything derived from it is total.
pub fn head(data: &[u8]) {
    let whole = RequestHead::parse(data);
    if let Ok(Some((head, length))) = &whole {
        assert!(*length <= data.len());
        let again = RequestHead::parse(&data[..*length]);
        assert!(matches!(again, Ok(Some((_, same))) if same == *length));
        let _ = (
            head.framing(),
            head.keep_alive(),
            head.decoded_length(),
            head.expects_continue(),
        );
        let _ = ObjectHeaders::from_request(head);
        let _ = TagSet::from_request(head);
        let _ = WriteCondition::from_request(head);
        let _ = PayloadDeclaration::from_request(head);
        if let (Ok(target), Ok(query)) = (Target::parse(head.raw_path()), Query::parse(head.raw_query())) {
            let _ = Operation::parse(head, &target, &query);
        }
    }
}

/// XML bodies.
pub fn xml(data: &[u8]) {
    let _ = xml_read::delete_request(data);
    let _ = xml_read::create_bucket_configuration(data);
    if let Ok(tags) = TagSet::from_xml(data) {
        let written = tagging::write(&tags.clone().into_tags());
        assert_eq!(TagSet::from_xml(&written), Ok(tags));
    }
    let _ = TagSet::from_header(data);
}

/// Forms: the same fields and file whole and in two parts; what they ask for is total.
pub fn form(data: &[u8]) {
    let head =
        b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1\r\n\r\n";
    let Ok(Some((head, _))) = RequestHead::parse(head) else {
        return;
    };
    let half = data.len() / 2;
    let read = |pieces: &[&[u8]]| {
        let mut reader = FormReader::new(&head).ok()?;
        let (mut fields, mut file) = (Fields::default(), Vec::new());
        let mut pieces = pieces.iter();
        loop {
            match reader.next_event().ok()? {
                FormEvent::NeedMore => reader.push(pieces.next()?),
                FormEvent::Field { name, value } => fields.add(name, value).ok()?,
                FormEvent::File { filename } => fields.set_filename(&filename),
                FormEvent::Data(bytes) => file.extend_from_slice(&bytes),
                FormEvent::FileEnd => {}
                FormEvent::End => return Some((fields, file)),
            }
        }
    };
    let whole = read(&[data]);
    assert_eq!(whole, read(&[&data[..half], &data[half..]]));
    if let Some((fields, _)) = whole {
        let _ = (fields.key(), fields.success(), fields.headers());
        let _ = FormCredential::from_fields(&fields);
        if let Some(Ok(policy)) = fields.value("policy").map(Policy::parse) {
            let _ = policy.check(&fields, "bucket", 0);
        }
    }
}

/// Signatures: parsing and verification of whatever comes.
pub fn sigv4(data: &[u8]) {
    let Ok(Some((head, _))) = RequestHead::parse(data) else {
        return;
    };
    let Ok(query) = Query::parse(head.raw_query()) else {
        return;
    };
    match Credential::from_request(&head, &query) {
        Ok(Credential::Signed(claim)) => {
            assert!(claim.verify(&head, "a secret nobody has", 1_369_353_600).is_err());
        }
        Ok(Credential::Version2) => {
            let _ = SignatureV2::from_request(&head, &query).map(|claim| {
                let verified = claim.verify(&head, &query, &Address::Path, "a secret nobody has", 1_369_353_600);
                assert!(verified.is_err());
            });
        }
        Ok(Credential::Anonymous) | Err(_) => {}
    }
}

/// aws-chunked bodies behind a head: never more payload than declared, the same verdict for every split.
pub fn aws_chunked(data: &[u8]) {
    let Some((split, data)) = data.split_first() else {
        return;
    };
    let Ok(Some((head, length))) = RequestHead::parse(data) else {
        return;
    };
    let body = &data[length..];
    let whole = decode(&head, body, body.len().max(1));
    let parts = decode(&head, body, usize::from(*split).max(1));
    assert_eq!(whole, parts);
}

fn decode(head: &RequestHead, body: &[u8], step: usize) -> Option<Vec<u8>> {
    let declaration = PayloadDeclaration::from_request(head).ok()?;
    let scope = Scope {
        date: "20130524".into(),
        region: "us-east-1".into(),
        service: "s3".into(),
    };
    let signer = ChunkSigner {
        signing_key: SigningKey::derive("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &scope),
        timestamp: "20130524T000000Z".into(),
        scope,
        seed_signature: [0; 32],
    };
    let mut decoder = BodyDecoder::new(head.framing(), &declaration, Some(signer)).ok()?;
    let (mut payload, mut start, mut end) = (Vec::new(), 0usize, 0usize);
    loop {
        match decoder.want() {
            Want::End => return Some(payload),
            Want::Payload(most) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                if start == end {
                    end = (start + step).min(body.len());
                }
                let count = most.min(end - start);
                if count == 0 {
                    return None;
                }
                decoder.payload(&body[start..start + count]);
                payload.extend_from_slice(&body[start..start + count]);
                start += count;
            }
            Want::Framing => {
                let taken = decoder.framing(&body[start..end]).ok()?;
                start += taken;
                if taken == 0 {
                    if end == body.len() {
                        return None;
                    }
                    end = (end + step).min(body.len());
                }
            }
        }
    }
}

/// Tickets and what else is decoded from the wire encoding.
pub fn ticket(data: &[u8]) {
    let key = TicketKey::from_bytes([7; 32]);
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(key.open(text, 0).is_err());
        let _ = ticket::find(text);
    }
    let _ = NodeInfo::decode(&mut Decoder::new(data));
    let _ = DeleteBatch::decode(&mut Decoder::new(data));
    let _ = CoreStats::decode(&mut Decoder::new(data));
    let _ = ListPage::decode(&mut Decoder::new(data));
    let _ = ObjectHeaders::decode(&mut Decoder::new(data));
}
