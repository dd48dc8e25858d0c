//! An authenticated, routed S3 request, as the operations see it.

use crate::{
    auth::Caller,
    gateway::Gateway,
    records::{BucketRecord, BucketState},
};
use proto::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{
        address::Address,
        config::cors_headers::CorsHeaders,
        expected_owner,
        name::{BucketName, ObjectKey, Target},
        operation::Operation,
        query::Query,
    },
};
use std::rc::Rc;

/// See the module.
pub struct Request<'a> {
    /// Its id.
    pub id: &'a str,
    /// The gateway.
    pub gateway: &'a Rc<Gateway>,
    /// The head as received.
    pub head: &'a RequestHead,
    /// Its query.
    pub query: Query,
    /// Where it names its bucket.
    pub address: &'a Address,
    /// What its path names.
    pub target: Target,
    /// What it asks for.
    pub operation: Operation,
    /// Who asks.
    pub caller: Caller,
    /// What the page that asks is granted by the bucket's rules.
    pub cors: Option<CorsHeaders>,
}

impl Request<'_> {
    /// The bucket's name.
    pub fn bucket_name(&self) -> Result<&BucketName, S3Error> {
        self.target.bucket().ok_or_else(|| ErrorCode::InvalidURI.into())
    }
    /// The object's key.
    pub fn key(&self) -> Result<&ObjectKey, S3Error> {
        self.target.key().ok_or_else(|| ErrorCode::InvalidURI.into())
    }
    /// The bucket, if it exists, is in use, the caller may use it, and its `access` allows the operation.
    pub fn bucket(&self) -> Result<Rc<BucketRecord>, S3Error> {
        let bucket = self.bucket_named(self.bucket_name()?.as_str())?;
        self.check_owner(&bucket, expected_owner::OF_BUCKET)?;
        bucket.access.check_operation(self.operation)?;
        Ok(bucket)
    }
    /// Refuses a bucket of another owner than the one the client expects.
    pub fn check_owner(&self, bucket: &BucketRecord, header: &str) -> Result<(), S3Error> {
        expected_owner::check(self.head, &self.query, header, &bucket.owner().id)
    }
    /// The same for a bucket that is named elsewhere: by the source of a copy.
    pub fn bucket_named(&self, name: &str) -> Result<Rc<BucketRecord>, S3Error> {
        let bucket = bucket_in_use(self.gateway, name)?;
        self.authorise(&bucket)?;
        Ok(bucket)
    }
    /// See [`authorise`].
    pub fn authorise(&self, bucket: &BucketRecord) -> Result<(), S3Error> {
        authorise(self.gateway, &self.caller, bucket)
    }
}

/// The bucket of a name, if it is in use.
pub fn bucket_in_use(gateway: &Gateway, name: &str) -> Result<Rc<BucketRecord>, S3Error> {
    let found = gateway.catalog.bucket(name);
    found
        .filter(|bucket| bucket.state == BucketState::Active)
        .ok_or_else(|| no_such_bucket(name))
}

/// Only its owner may use a bucket; with `--anonymous`, everyone.
pub fn authorise(gateway: &Gateway, caller: &Caller, bucket: &BucketRecord) -> Result<(), S3Error> {
    if gateway.anonymous || bucket.owner == caller.user.name {
        Ok(())
    } else {
        Err(ErrorCode::AccessDenied.into())
    }
}

/// 404 with the bucket's name.
pub fn no_such_bucket(name: &str) -> S3Error {
    S3Error::new(ErrorCode::NoSuchBucket).field("BucketName", name)
}
