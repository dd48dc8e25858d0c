//! DeleteObjects: the keys, grouped by the core that owns them, in one message a core, all at the same time.

use crate::{
    answer::Answer, body::Body, cluster::Core, connection::Connection, core_client, list::fanout, request::Request,
};
use proto::{
    auth::{sigv4::sha256, ticket::Grant, xml_body},
    cluster::{
        delete_batch::{DeleteBatch, DeleteBatchResult, Deletion},
        message::DELETE_BATCH_PATH,
    },
    error::{ErrorCode, S3Error},
    limits::XML_BODY_BYTES_MAX,
    s3::{
        bucket::{BucketGrant, BucketId},
        name::ObjectKey,
        version::VersionId,
        xml_read::{self, ObjectIdentifier},
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
    for (position, object) in wanted.objects.into_iter().enumerate() {
        let placed = place(request, &mut shares, BucketId(bucket.id), &object, position);
        outcomes.push(DeleteOutcome {
            key: object.key,
            version_id: object.version_id,
            result: placed.map(|()| None),
        });
    }
    let grant = bucket.grant();
    let messages = shares.iter().map(|share| delete_share(request, share, &grant));
    let results = fanout::join_all(messages).await;
    for (share, results) in shares.iter().zip(results) {
        for (&position, result) in share.positions.iter().zip(results) {
            if let Some(outcome) = outcomes.get_mut(position) {
                outcome.result = result;
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
    object: &ObjectIdentifier,
    position: usize,
) -> Result<(), S3Error> {
    let key = ObjectKey::parse(&object.key)?;
    // What never was an id is no version of the key: S3 says so here, and InvalidArgument elsewhere.
    let version = match &object.version_id {
        Some(id) => Some(VersionId::parse(id).map_err(|_| S3Error::new(ErrorCode::NoSuchVersion))?),
        None => None,
    };
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
    share.batch.deletions.push(Deletion {
        shard: placement.shard,
        key: key.as_str().to_owned(),
        version,
        condition: object.condition.clone(),
    });
    share.positions.push(position);
    Ok(())
}

/// Sends one share; an unreachable core is an error of each of its keys.
async fn delete_share(
    request: &Request<'_>,
    share: &Share,
    bucket: &BucketGrant,
) -> Vec<Result<Option<VersionId>, S3Error>> {
    match try_delete_share(request, share, bucket).await {
        Ok(result) => {
            let results = result.results.into_iter();
            let mut results: Vec<_> = results.map(|result| result.map_err(S3Error::new)).collect();
            results.resize(share.positions.len(), Err(ErrorCode::InternalError.into()));
            results
        }
        Err(error) => vec![Err(error); share.positions.len()],
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
