//! From a request head to an answer: the gateway's own operations here, object data on to its core.

use crate::{
    access_log::{self, Noted, Outcome},
    admin,
    answer::{self, Answer},
    auth,
    body::Body,
    connection::{Connection, Next, Served},
    cors,
    gateway::Gateway,
    limits::BODY_PROGRESS_TIME,
    proxy, registration, relay_ticket,
    request::Request,
    route::Way,
    s3::{self, post_object},
    website,
};
use proto::{
    auth::ticket,
    cluster::message::REGISTER_PATH,
    error::{ErrorCode, S3Error},
    http::head::{Method, RequestHead},
    s3::{address::Address, config::cors_headers::CorsHeaders, operation::Operation, query::Query},
};
use std::rc::Rc;

/// Serves one request.
pub async fn dispatch(gateway: &Rc<Gateway>, connection: &mut Connection, head: &RequestHead) -> Next {
    let address = gateway.address(head);
    // Of a bucket with its own host every path is a key.
    if !connection.is_website && address == Ok(Address::Path) && admin::is_admin_path(head.raw_path()) {
        return Next::Admin;
    }
    if connection.served == 0 && !connection.is_website {
        relay_ticket::take(gateway, connection, head);
    }
    connection.operation = None;
    connection.noted = Noted::new(gateway);
    let id = gateway.request_ids.next();
    let mut body = Body::new(head);
    let cors = cors::granted(gateway, head, &address);
    let context = (id.as_str(), cors.as_ref());
    let served = match connection.is_website {
        true => Ok(website::serve(gateway, connection, head, &address, &mut body, context).await),
        false => serve(gateway, connection, head, &address, &mut body, context).await,
    };
    let answer = match served {
        Ok(Served::Relayed(relayed)) => {
            gateway
                .requests
                .count(connection.operation, relayed.status, Some(Way::Proxy));
            let outcome = Outcome {
                status: relayed.status,
                way: Some(Way::Proxy),
                request_id: &id,
            };
            access_log::record(gateway, connection, head, &address, outcome);
            return relayed.next;
        }
        Ok(Served::Passed) => {
            gateway.requests.count(connection.operation, 0, Some(Way::Handoff));
            return Next::Passed;
        }
        Ok(Served::Answer(answer)) => answer,
        Err(error) => {
            // The path names bucket and key; the query may hold a signature or a ticket and is left out.
            tracing::debug!(
                request_id = id,
                method = head.method_name(),
                code = error.code.as_str(),
                "refused"
            );
            let target = address
                .as_ref()
                .ok()
                .and_then(|address| address.target(head.raw_path()).ok());
            let resource = target
                .as_ref()
                .map_or_else(|| head.raw_path().to_owned(), answer::resource);
            Answer::error(&error, &resource, &id)
        }
    };
    let answer = answer.cors(cors.as_ref());
    let way = (answer.status() == ErrorCode::TemporaryRedirect.status()).then_some(Way::Redirect);
    gateway.requests.count(connection.operation, answer.status(), way);
    let next = respond(gateway, connection, head, &mut body, &answer, &id).await;
    let outcome = Outcome {
        status: answer.status(),
        way,
        request_id: &id,
    };
    access_log::record(gateway, connection, head, &address, outcome);
    next
}

async fn respond(
    gateway: &Gateway,
    connection: &mut Connection,
    head: &RequestHead,
    body: &mut Body,
    answer: &Answer,
    id: &str,
) -> Next {
    let framing_allows = body.is_complete() || body.is_worth_draining();
    let keep_alive = framing_allows && head.keep_alive() && !gateway.draining.get();
    tracing::debug!(
        request_id = id,
        method = head.method_name(),
        status = answer.status(),
        "answered"
    );
    let bytes = answer.encode(id, &gateway.date.now(), head.method() == Method::Head, keep_alive);
    if connection
        .stream
        .writer
        .write_all(bytes, BODY_PROGRESS_TIME)
        .await
        .0
        .is_err()
    {
        return Next::Close;
    }
    connection.noted.sent_bytes = answer.body_bytes(head.method() == Method::Head);
    match keep_alive {
        true if body.is_complete() || body.discard(connection).await => Next::KeepAlive,
        true => Next::Close,
        false if body.is_complete() && connection.buffer.is_empty() => Next::Close,
        false => Next::Linger,
    }
}

async fn serve(
    gateway: &Rc<Gateway>,
    connection: &mut Connection,
    head: &RequestHead,
    address: &Result<Address, S3Error>,
    body: &mut Body,
    (id, cors): (&str, Option<&CorsHeaders>),
) -> Result<Served, S3Error> {
    let address = address.as_ref().map_err(S3Error::clone)?;
    if *address == Address::Path && head.raw_path() == REGISTER_PATH {
        connection.operation = Some("Register");
        return registration::serve(gateway, connection, head, body)
            .await
            .map(Served::Answer);
    }
    match head.method() {
        Method::Other => return Err(ErrorCode::MethodNotAllowed.into()),
        Method::Options => {
            connection.operation = Some(s3::preflight::NAME);
            return s3::preflight::serve(gateway, head, address).map(Served::Answer);
        }
        _ => {}
    }
    if let Some(sealed) = ticket::find(head.raw_query()) {
        return proxy::with_ticket(gateway, connection, head, body, sealed)
            .await
            .map(Served::Relayed);
    }
    let query = Query::parse(head.raw_query())?;
    if post_object::is_asked_for(head, address, &query) {
        // What proves who sends a form is in the form.
        connection.operation = Some(Operation::PostObject.name());
        let incoming = post_object::Incoming { id, head, address };
        return post_object::serve(gateway, connection, body, incoming, query)
            .await
            .map(Served::Answer);
    }
    let caller = auth::authenticate(gateway, head, address, &query)?;
    connection.noted.caller(&caller);
    let target = address.target(head.raw_path())?;
    let operation = Operation::parse(head, &target, &query)?;
    address.allows(head.raw_path(), operation)?;
    connection.operation = Some(operation.name());
    let request = Request {
        id,
        gateway,
        head,
        query,
        address,
        target,
        operation,
        caller,
        cors: cors.cloned(),
    };
    tracing::debug!(
        request_id = id,
        operation = operation.name(),
        resource = answer::resource(&request.target),
        user = request.caller.user.name,
        "request"
    );
    operate(&request, connection, body).await
}

async fn operate(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Served, S3Error> {
    Ok(match request.operation {
        Operation::ListBuckets => s3::list_buckets::serve(request)?.into(),
        Operation::CreateBucket => s3::create_bucket::serve(request, connection, body).await?.into(),
        Operation::HeadBucket => s3::head_bucket::serve(request)?.into(),
        Operation::DeleteBucket => s3::delete_bucket::serve(request).await?.into(),
        Operation::BucketLocation => s3::bucket_location::serve(request)?.into(),
        Operation::BucketRead(subresource) => s3::subresource::read(request, subresource)?.into(),
        Operation::BucketWrite(subresource) => s3::subresource::write(request, connection, body, subresource)
            .await?
            .into(),
        Operation::BucketDelete(subresource) => s3::subresource::delete(request, subresource).await?.into(),
        Operation::PostObject => return Err(ErrorCode::NotImplemented.into()),
        Operation::ObjectRead(subresource) => s3::subresource::serve_object(request, subresource).await?.into(),
        Operation::ListObjects => s3::list_objects::serve_v1(request).await?.into(),
        Operation::ListObjectsV2 => s3::list_objects::serve_v2(request).await?.into(),
        Operation::ListMultipartUploads => s3::list_multipart_uploads::serve(request).await?.into(),
        Operation::ListObjectVersions => s3::list_object_versions::serve(request).await?.into(),
        Operation::DeleteObjects => s3::delete_objects::serve(request, connection, body).await?.into(),
        Operation::PutObject
        | Operation::GetObject
        | Operation::HeadObject
        | Operation::DeleteObject
        | Operation::CopyObject
        | Operation::GetObjectAttributes
        | Operation::GetObjectTagging
        | Operation::PutObjectTagging
        | Operation::DeleteObjectTagging
        | Operation::CreateMultipartUpload
        | Operation::UploadPart
        | Operation::UploadPartCopy
        | Operation::CompleteMultipartUpload
        | Operation::AbortMultipartUpload
        | Operation::ListParts => s3::object::serve(request, connection, body).await?,
    })
}
