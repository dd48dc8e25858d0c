//! PostObject: the fields of a browser's form are read here, and what they ask for is checked; the file goes on to the
//! core that owns its key, as the PUT that it amounts to.

use super::form_upload::{Stored, Upload};
use crate::{
    answer::Answer,
    auth,
    body::{Body, Pieces},
    clock::unix_ms,
    connection::Connection,
    gateway::Gateway,
    request::Request,
    ticketing,
};
use proto::{
    auth::object_grant::ObjectGrant,
    digest::checksum::ChecksumAlgorithm,
    error::{ErrorCode, S3Error},
    http::{
        head::{BodyFraming, Method, RequestHead},
        percent,
    },
    limits::{FORM_FIELDS_BYTES_MAX, PUT_OBJECT_BYTES_MAX},
    s3::{
        address::Address,
        bucket::BucketId,
        name::{ObjectKey, Target},
        operation::Operation,
        post::{
            credential::FormCredential,
            form::Fields,
            policy::{LengthRange, Policy},
            reader::{FormEvent, FormReader, wrong_number_of_files},
            success::{self, Success},
        },
        query::Query,
    },
};
use std::rc::Rc;

/// A request that may bring a form.
pub struct Incoming<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its head.
    pub head: &'a RequestHead,
    /// Where it names its bucket.
    pub address: &'a Address,
}

/// Whether a request is a POST of a bucket itself.
pub fn is_asked_for(head: &RequestHead, address: &Address, query: &Query) -> bool {
    head.method() == Method::Post
        && address
            .target(head.raw_path())
            .is_ok_and(|target| Operation::parse(head, &target, query) == Ok(Operation::PostObject))
}

/// Serves it.
pub async fn serve(
    gateway: &Rc<Gateway>,
    connection: &mut Connection,
    body: &mut Body,
    incoming: Incoming<'_>,
    query: Query,
) -> Result<Answer, S3Error> {
    let mut reader = FormReader::new(incoming.head)?;
    if !matches!(body.framing(), BodyFraming::Length(_)) {
        return Err(ErrorCode::MissingContentLength.into());
    }
    let mut pieces = body.pieces(connection).await?;
    let fields = read_fields(connection, &mut reader, &mut pieces).await?;
    let caller = auth::authenticate_form(gateway, FormCredential::from_fields(&fields)?)?;
    connection.noted.caller(&caller);
    let request = Request {
        id: incoming.id,
        gateway,
        head: incoming.head,
        query,
        address: incoming.address,
        target: incoming.address.target(incoming.head.raw_path())?,
        operation: Operation::PostObject,
        caller,
        // Answers get their CORS headers where they are sent.
        cors: None,
    };
    let bucket = request.bucket()?;
    let key = fields.key()?;
    let mut length = LengthRange {
        min: 0,
        max: PUT_OBJECT_BYTES_MAX,
    };
    if let Some(policy) = fields.value("policy") {
        let policy = Policy::parse(policy)?;
        policy.check(&fields, &bucket.name, unix_ms())?;
        if let Some(range) = policy.length() {
            length = LengthRange {
                min: range.min,
                max: range.max.min(length.max),
            };
        }
    }
    let longest = longest_file(&reader, &pieces);
    // What may follow the file is bounded: such a form cannot hold a file that is small enough.
    if longest.saturating_sub(2 * FORM_FIELDS_BYTES_MAX as u64) > length.max {
        return Err(too_large(longest, length));
    }
    let length_max = longest.min(length.max);
    let put = put_head(&bucket.name, &key, &fields)?;
    let object = ObjectGrant::of_form(bucket.grant(), key.as_str(), &put, length_max)?;
    let placement = gateway.cluster.owner(BucketId(bucket.id), key.as_str())?;
    let asked = ticketing::Asked {
        principal: request.caller.principal(),
        head: &put,
        query: &Query::default(),
        proxied: true,
    };
    let ticket = ticketing::for_object(&gateway.ticket_key, &placement, object, asked);
    let mut upload = Upload::begin(gateway, &placement.core, &put, &ticket).await?;
    send_file(connection, &mut reader, &mut pieces, &mut upload, length).await?;
    let stored = upload.finish().await?;
    Ok(answer(&request, &bucket.name, &key, &fields, &stored))
}

/// How many bytes of a file can still come: all but the form's closing.
fn longest_file(reader: &FormReader, pieces: &Pieces<'_>) -> u64 {
    let rest = pieces.left().unwrap_or(0).saturating_add(reader.pending_bytes());
    rest.saturating_sub(reader.closing_bytes())
}

fn too_large(proposed: u64, length: LengthRange) -> S3Error {
    S3Error::new(ErrorCode::EntityTooLarge)
        .field("ProposedSize", proposed.to_string())
        .field("MaxSizeAllowed", length.max.to_string())
}

/// Everything before the file.
async fn read_fields(
    connection: &mut Connection,
    reader: &mut FormReader,
    pieces: &mut Pieces<'_>,
) -> Result<Fields, S3Error> {
    let mut fields = Fields::default();
    loop {
        match reader.next_event()? {
            FormEvent::NeedMore => match pieces.next(connection).await? {
                Some(piece) => reader.push(&piece),
                None => return Err(ErrorCode::MalformedPOSTRequest.into()),
            },
            FormEvent::Field { name, value } => fields.add(name, value)?,
            FormEvent::File { filename } => {
                fields.set_filename(&filename);
                return Ok(fields);
            }
            FormEvent::Data(_) | FormEvent::FileEnd | FormEvent::End => return Err(wrong_number_of_files(0)),
        }
    }
}

/// Sends the file on, and reads the form to its end. What is too large or too small is not completed: the core then has
/// half a request, and stores nothing.
async fn send_file(
    connection: &mut Connection,
    reader: &mut FormReader,
    pieces: &mut Pieces<'_>,
    upload: &mut Upload,
    length: LengthRange,
) -> Result<(), S3Error> {
    let mut sent: u64 = 0;
    loop {
        match reader.next_event()? {
            FormEvent::NeedMore => match pieces.next(connection).await? {
                Some(piece) => reader.push(&piece),
                None => return Err(ErrorCode::MalformedPOSTRequest.into()),
            },
            FormEvent::Data(bytes) => {
                sent = sent.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                if sent > length.max {
                    return Err(too_large(sent.saturating_add(longest_file(reader, pieces)), length));
                }
                upload.send(&bytes).await?;
            }
            FormEvent::FileEnd if sent < length.min => {
                return Err(S3Error::new(ErrorCode::EntityTooSmall)
                    .field("ProposedSize", sent.to_string())
                    .field("MinSizeAllowed", length.min.to_string()));
            }
            FormEvent::FileEnd | FormEvent::Field { .. } | FormEvent::File { .. } => {}
            FormEvent::End => break,
        }
    }
    // What follows the form's end (RFC 2046: to be ignored) is taken, so that the connection can go on.
    if pieces.left().unwrap_or(0) > FORM_FIELDS_BYTES_MAX as u64 {
        return Err(ErrorCode::MalformedPOSTRequest.into());
    }
    while pieces.next(connection).await?.is_some() {}
    Ok(())
}

/// The head of the PUT that the form amounts to.
fn put_head(bucket: &str, key: &ObjectKey, fields: &Fields) -> Result<RequestHead, S3Error> {
    let mut head = format!("PUT /{bucket}/{} HTTP/1.1\r\n", percent::encode(key.as_bytes(), true));
    head.push_str("Host: core\r\nTransfer-Encoding: chunked\r\n");
    for (name, value) in fields.headers()? {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let parsed = RequestHead::parse(head.as_bytes()).map_err(S3Error::from)?;
    let (head, _) = parsed.ok_or(ErrorCode::InternalError)?;
    let target = Target::parse(head.raw_path())?;
    // Refuses what a PutObject would be refused for.
    Operation::parse(&head, &target, &Query::default())?;
    Ok(head)
}

fn answer(request: &Request<'_>, bucket: &str, key: &ObjectKey, fields: &Fields, stored: &Stored) -> Answer {
    let etag = stored.header("etag").unwrap_or_default();
    let bare = etag.trim_matches('"');
    let location = location(request, key);
    let mut answer = match fields.success() {
        Success::Redirect(url) => {
            let location = success::redirect_location(&url, bucket, key.as_str(), bare);
            Answer::empty(303).header("Location", location)
        }
        Success::Status(201) => {
            let document = success::document(&location, bucket, key.as_str(), bare);
            Answer::xml_with_status(201, document).header("Location", location)
        }
        Success::Status(status) => Answer::empty(status).header("Location", location),
    };
    answer = answer.header("ETag", etag);
    let checksums = ChecksumAlgorithm::ALL.map(ChecksumAlgorithm::header);
    for name in checksums.into_iter().chain(["x-amz-checksum-type", "x-amz-version-id"]) {
        if let Some(value) = stored.header(name) {
            answer = answer.header(name, value);
        }
    }
    answer
}

/// Where the object is, as the client named the store.
fn location(request: &Request<'_>, key: &ObjectKey) -> String {
    let scheme = if request.gateway.tls.is_some() { "https" } else { "http" };
    let host = request.head.header_str("host").unwrap_or_default();
    let path = request.head.raw_path().trim_end_matches('/');
    let path = match request.address {
        Address::Path => path,
        Address::Host(_) => "",
    };
    format!("{scheme}://{host}{path}/{}", percent::encode(key.as_bytes(), true))
}
