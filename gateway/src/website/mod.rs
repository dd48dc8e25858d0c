//! Buckets as web sites, for everyone, at a port of their own: `bucket.DOMAIN` is the site of a bucket that has a website
//! configuration (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteEndpoints.html>). What a site holds is
//! fetched from its core like any object.

mod fetch;
mod page;

use crate::{
    answer::Answer,
    body::Body,
    connection::{Connection, Served},
    gateway::Gateway,
    records::{BucketRecord, BucketState},
    request::no_such_bucket,
};
use fetch::{Found, Wanted};
use proto::{
    error::{ErrorCode, S3Error},
    http::{
        head::{Method, RequestHead},
        percent,
    },
    s3::{
        address::Address,
        config::{
            cors_headers::CorsHeaders,
            website::{Site, WebsiteConfiguration},
            website_routing::Moved,
        },
        properties::Permission,
    },
};
use std::rc::Rc;

/// As logs and metrics name what is served here.
const OPERATION: &str = "GetWebsiteObject";

/// A request to a site.
struct Visit<'a> {
    gateway: &'a Rc<Gateway>,
    head: &'a RequestHead,
    bucket: Rc<BucketRecord>,
    cors: Option<&'a CorsHeaders>,
    id: &'a str,
}

/// Serves a request. Errors are pages, too.
pub async fn serve(
    gateway: &Rc<Gateway>,
    connection: &mut Connection,
    head: &RequestHead,
    address: &Result<Address, S3Error>,
    body: &mut Body,
    (id, cors): (&str, Option<&CorsHeaders>),
) -> Served {
    connection.operation = Some(OPERATION);
    let served = match visited(gateway, head, address, body) {
        Ok(bucket) => {
            let visit = Visit {
                gateway,
                head,
                bucket,
                cors,
                id,
            };
            visit.serve(connection, address, body).await
        }
        Err(error) => Err(error),
    };
    served.unwrap_or_else(|error| page::error(&error, None, id).into())
}

/// The bucket whose site is asked for.
fn visited(
    gateway: &Gateway,
    head: &RequestHead,
    address: &Result<Address, S3Error>,
    body: &Body,
) -> Result<Rc<BucketRecord>, S3Error> {
    if !matches!(head.method(), Method::Get | Method::Head) {
        return Err(S3Error::new(ErrorCode::MethodNotAllowed)
            .field("Method", head.method_name())
            .field("ResourceType", "OBJECT"));
    }
    // It would reach a core as the next request.
    if !body.is_complete() {
        return Err(ErrorCode::InvalidRequest.into());
    }
    let name = match address {
        Ok(Address::Host(name)) => name.as_str(),
        Ok(Address::Path) => return Err(no_such_bucket(head.header_str("host").unwrap_or_default())),
        Err(error) => return Err(error.clone()),
    };
    let found = gateway.catalog.bucket(name);
    let bucket = found
        .filter(|bucket| bucket.state == BucketState::Active)
        .ok_or_else(|| no_such_bucket(name))?;
    bucket.access.check(Permission::Read)?;
    Ok(bucket)
}

impl Visit<'_> {
    async fn serve(
        &self,
        connection: &mut Connection,
        address: &Result<Address, S3Error>,
        body: &mut Body,
    ) -> Result<Served, S3Error> {
        let target = address.as_ref().map_err(S3Error::clone)?.target(self.head.raw_path())?;
        let key = target.key().map(|key| key.as_str()).unwrap_or_default();
        match &self.bucket.configuration.website {
            None => {
                Err(S3Error::new(ErrorCode::NoSuchWebsiteConfiguration).field("BucketName", self.bucket.name.as_str()))
            }
            Some(WebsiteConfiguration::RedirectAll(all)) => {
                Ok(moved(&all.moved(self.scheme(), self.head.target())).into())
            }
            Some(WebsiteConfiguration::Site(site)) => self.serve_site(connection, body, site, key).await,
        }
    }

    async fn serve_site(
        &self,
        connection: &mut Connection,
        body: &mut Body,
        site: &Site,
        key: &str,
    ) -> Result<Served, S3Error> {
        if let Some(elsewhere) = self.redirect(site, key, None) {
            return Ok(elsewhere);
        }
        let served_key = site.served_key(key);
        let wanted = Wanted::Page(&served_key);
        let error = match fetch::look(self, &wanted).await? {
            Found::Object { redirect: Some(to) } => {
                let to = Moved {
                    status: 301,
                    location: to,
                };
                return Ok(moved(&to).into());
            }
            Found::Object { redirect: None } => return fetch::send(self, connection, body, &wanted).await,
            Found::Nothing(error) => error,
        };
        if error.code == ErrorCode::NoSuchKey && served_key == key && self.is_directory(site, key).await? {
            let directory = Moved {
                status: 302,
                location: format!("/{}/", percent::encode(key.as_bytes(), true)),
            };
            return Ok(moved(&directory).into());
        }
        self.fail(connection, body, site, key, &error).await
    }

    /// Whether a key is the name of a directory that has an index.
    async fn is_directory(&self, site: &Site, key: &str) -> Result<bool, S3Error> {
        let index = site.served_key(&format!("{key}/"));
        let found = fetch::look(self, &Wanted::Error(&index, ErrorCode::NoSuchKey)).await?;
        Ok(matches!(found, Found::Object { .. }))
    }

    /// Answers with a redirect for the error, the site's page for errors, or a page of the store's.
    async fn fail(
        &self,
        connection: &mut Connection,
        body: &mut Body,
        site: &Site,
        key: &str,
        error: &S3Error,
    ) -> Result<Served, S3Error> {
        if let Some(elsewhere) = self.redirect(site, key, Some(error.status())) {
            return Ok(elsewhere);
        }
        let document = site.error_key.as_deref().filter(|_| error.status() < 500);
        let Some(document) = document else {
            return Ok(page::error(error, None, self.id).into());
        };
        let wanted = Wanted::Error(document, error.code);
        match fetch::look(self, &wanted).await? {
            Found::Object { .. } => fetch::send(self, connection, body, &wanted).await,
            Found::Nothing(further) => Ok(page::error(error, Some(&further), self.id).into()),
        }
    }

    /// What the site's rules make of a key, before it is looked for or after it has failed.
    fn redirect(&self, site: &Site, key: &str, error_status: Option<u16>) -> Option<Served> {
        // It is below a domain of this store: that is how the bucket was found.
        let host = self.head.header_str("host").unwrap_or_default();
        let to = site.redirect(key, error_status, self.scheme(), host)?;
        Some(moved(&to).into())
    }

    fn scheme(&self) -> &'static str {
        if self.gateway.tls.is_some() { "https" } else { "http" }
    }
}

fn moved(to: &Moved) -> Answer {
    page::moved(to.status).header("Location", to.location.as_str())
}
