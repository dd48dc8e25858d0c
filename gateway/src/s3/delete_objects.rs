//! DeleteObjects: the keys, grouped by the core that owns them, in one message a core, all at the same time.

use crate::{
    answer::Answer, body::Body, cluster::Core, connection::Connection, core_client, list::fanout, request::Request,
};
use proto::{
    auth::{sigv4::sha256, ticket::Grant, xml_body},
    cluster::message::{DELETE_BATCH_PATH, DeleteBatch, DeleteBatchResult},
    error::{ErrorCode, S3Error},
    limits::XML_BODY_BYTES_MAX,
    s3::{
        bucket::{BucketGrant, BucketId},
        name::ObjectKey,
        xml_read,
        xml_write::{self, DeleteOutcome},
    },
    wire::{Decoder, Encoder},
};
use std::rc::Rc;

/// One core's share: its batch, and the position of each key in the request.
struct Share {
    core: Rc<Core>,
    batch: DeleteBatch,
    positions: Vec<usize>,
}

/// Serves it.
pub async fn serve(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    xml_body::require_digest(request.head)?;
    let verified = request.caller.verified.as_ref();
    let bytes = body
        .read(request.gateway, connection, request.head, verified, XML_BODY_BYTES_MAX)
        .await?;
    let wanted = xml_read::delete_request(&bytes)?;
    drop(bytes);
    let mut outcomes: Vec<DeleteOutcome> = Vec::with_capacity(wanted.objects.len());
    let mut shares: Vec<Share> = Vec::new();
    for (position, (key, version)) in wanted.objects.into_iter().enumerate() {
        let placed = place(
            request,
            &mut shares,
            BucketId(bucket.id),
            &key,
            version.as_deref(),
            position,
        );
        outcomes.push(DeleteOutcome {
            key,
            error: placed.err(),
        });
    }
    let grant = bucket.grant();
    let messages = shares.iter().map(|share| delete_share(request, share, &grant));
    let results = fanout::join_all(messages).await;
    for (share, errors) in shares.iter().zip(results) {
        for (&position, error) in share.positions.iter().zip(errors) {
            if let Some(outcome) = outcomes.get_mut(position) {
                outcome.error = error;
            }
        }
    }
    Ok(Answer::xml(xml_write::delete_result(&outcomes, wanted.quiet)))
}

/// Puts a key into its core's share.
fn place(
    request: &Request<'_>,
    shares: &mut Vec<Share>,
    bucket: BucketId,
    key: &str,
    version: Option<&str>,
    position: usize,
) -> Result<(), S3Error> {
    // Nothing is versioned: every object's version is "null".
    if version.is_some_and(|version| version != "null") {
        return Err(ErrorCode::NotImplemented.into());
    }
    let key = ObjectKey::parse(key)?;
    let placement = request.gateway.cluster.owner(bucket, key.as_str())?;
    let known = shares.iter().position(|share| Rc::ptr_eq(&share.core, &placement.core));
    let share = match known.and_then(|index| shares.get_mut(index)) {
        Some(share) => share,
        None => {
            let share = Share {
                core: placement.core,
                batch: DeleteBatch::default(),
                positions: Vec::new(),
            };
            shares.push(share);
            shares.last_mut().ok_or(ErrorCode::InternalError)?
        }
    };
    share.batch.keys.push((placement.shard, key.as_str().to_owned()));
    share.positions.push(position);
    Ok(())
}

/// Sends one share; an unreachable core is an error of each of its keys.
async fn delete_share(request: &Request<'_>, share: &Share, bucket: &BucketGrant) -> Vec<Option<S3Error>> {
    match try_delete_share(request, share, bucket).await {
        Ok(result) => {
            let mut errors: Vec<Option<S3Error>> =
                result.errors.into_iter().map(|code| code.map(S3Error::new)).collect();
            errors.resize(share.positions.len(), Some(ErrorCode::InternalError.into()));
            errors
        }
        Err(error) => vec![Some(error); share.positions.len()],
    }
}

async fn try_delete_share(
    request: &Request<'_>,
    share: &Share,
    bucket: &BucketGrant,
) -> Result<DeleteBatchResult, S3Error> {
    let mut encoder = Encoder::new();
    share.batch.encode(&mut encoder);
    let message = encoder.finish();
    let grant = Grant::DeleteBatch {
        bucket: bucket.clone(),
        body_sha256: sha256(&message),
    };
    let principal = request.caller.principal();
    let answer = core_client::call(
        request.gateway,
        &share.core,
        DELETE_BATCH_PATH,
        principal,
        grant,
        &message,
    )
    .await?;
    let mut decoder = Decoder::new(&answer);
    let result = DeleteBatchResult::decode(&mut decoder).and_then(|result| decoder.finish().map(|()| result));
    result.map_err(|error| {
        tracing::error!(%error, "a core's answer cannot be decoded");
        ErrorCode::InternalError.into()
    })
}
