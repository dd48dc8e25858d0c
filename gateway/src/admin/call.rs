//! A call of the admin API as its handlers see it: routed, and from whom the route lets in.

use super::reply::Reply;
use crate::{
    auth::Caller,
    gateway::Gateway,
    records::BucketRecord,
    request::{authorise, bucket_in_use},
};
use bytes::Bytes;
use proto::{
    error::{ErrorCode, S3Error},
    http::percent,
    s3::{
        name::{BucketName, ObjectKey},
        query::Query,
    },
};
use serde::de::DeserializeOwned;
use std::{future::Future, pin::Pin, rc::Rc};

/// What a handler does.
pub type Answering<'c> = Pin<Box<dyn Future<Output = Result<Reply, S3Error>> + 'c>>;

/// See the module.
pub struct Call<'c> {
    /// The gateway.
    pub gateway: &'c Rc<Gateway>,
    /// Its query.
    pub query: Query,
    /// What stands in its path for the parts in braces, in order, still encoded.
    pub parameters: Vec<&'c str>,
    /// Who calls; `None` where anyone may.
    pub caller: Option<Caller>,
    /// The verified body.
    pub body: Bytes,
}

impl Call<'_> {
    /// Who calls.
    pub fn caller(&self) -> Result<&Caller, S3Error> {
        self.caller.as_ref().ok_or_else(|| ErrorCode::AccessDenied.into())
    }

    /// The path's part in braces with this number, decoded.
    pub fn parameter(&self, number: usize) -> Result<String, S3Error> {
        let raw = self.parameters.get(number).copied();
        raw.and_then(percent::decode)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| {
                let message = "The path is not percent-encoded UTF-8.";
                S3Error::with_message(ErrorCode::InvalidURI, message)
            })
    }

    /// The bucket of the path, if it is in use, and the caller's; all are root's to look after.
    pub fn bucket(&self) -> Result<Rc<BucketRecord>, S3Error> {
        let name = BucketName::parse(&self.parameter(0)?)?;
        let caller = self.caller()?;
        let bucket = bucket_in_use(self.gateway, name.as_str())?;
        if !caller.user.is_root() {
            authorise(self.gateway, caller, &bucket)?;
        }
        Ok(bucket)
    }

    /// The object's key of the path.
    pub fn key(&self) -> Result<ObjectKey, S3Error> {
        ObjectKey::parse(self.parameter(1)?)
    }

    /// The body, which must have every field that is asked for, and none that there is not.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, S3Error> {
        serde_json::from_slice(&self.body)
            .map_err(|error| invalid(format!("The body is not what is asked for: {error}.")))
    }
}

/// 400 InvalidRequest.
pub fn invalid(message: String) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}
