//! Which handler serves a method and path of the admin API, who may call it, and which parameters it knows: one table,
//! which docs/openapi.json is held against.

use super::{
    bucket,
    call::{Answering, Call},
    cluster, config, health, keys, metrics, object, openapi,
};
use proto::{
    error::{ErrorCode, S3Error},
    s3::query::Query,
};

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone, unsigned.
    Anyone,
    /// Whoever has a valid key; the handler looks whose bucket it is.
    Key,
    /// The root user.
    Root,
}

/// An operation of the admin API.
pub struct Route {
    /// Such as `GET`, which serves HEAD as well.
    pub method: &'static str,
    /// With names in braces for parts that vary. `{key}`, at the end, may have slashes in it.
    pub path: &'static str,
    /// Who may call.
    pub access: Access,
    /// The parameters of its query.
    pub query: &'static [&'static str],
    /// What it does.
    pub handler: for<'c> fn(&'c Call<'c>) -> Answering<'c>,
}

/// Of a part of a path that may have slashes.
const REST: &str = "{key}";

/// All of them. Of several that fit a path the first counts.
pub const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/health",
        access: Access::Anyone,
        query: &[],
        handler: |call| Box::pin(async { Ok(health::serve(call.gateway)) }),
    },
    Route {
        method: "GET",
        path: "/v1/openapi.json",
        access: Access::Anyone,
        query: &[],
        handler: |_| Box::pin(async { Ok(openapi::serve()) }),
    },
    Route {
        method: "GET",
        path: "/v1/metrics",
        access: Access::Key,
        query: &[],
        handler: |call| Box::pin(async { Ok(metrics::serve(call.gateway).await) }),
    },
    Route {
        method: "GET",
        path: "/v1/cluster",
        access: Access::Key,
        query: &[],
        handler: |call| Box::pin(async { Ok(cluster::serve(call.gateway).await) }),
    },
    Route {
        method: "GET",
        path: "/v1/config",
        access: Access::Root,
        query: &["prefix"],
        handler: |call| Box::pin(async { Ok(config::show(call).await) }),
    },
    Route {
        method: "PATCH",
        path: "/v1/config",
        access: Access::Root,
        query: &[],
        handler: |call| Box::pin(config::modify(call)),
    },
    Route {
        method: "GET",
        path: "/v1/keys",
        access: Access::Root,
        query: &[],
        handler: |call| Box::pin(async { Ok(keys::list(call.gateway)) }),
    },
    Route {
        method: "POST",
        path: "/v1/keys",
        access: Access::Root,
        query: &[],
        handler: |call| Box::pin(keys::create(call)),
    },
    Route {
        method: "DELETE",
        path: "/v1/keys/{access_key}",
        access: Access::Root,
        query: &[],
        handler: |call| Box::pin(keys::remove(call)),
    },
    Route {
        method: "GET",
        path: "/v1/buckets",
        access: Access::Key,
        query: &[],
        handler: |call| Box::pin(async { bucket::list::serve(call) }),
    },
    Route {
        method: "POST",
        path: "/v1/buckets",
        access: Access::Key,
        query: &[],
        handler: |call| Box::pin(bucket::create::serve(call)),
    },
    Route {
        method: "GET",
        path: "/v1/buckets/{bucket}",
        access: Access::Key,
        query: &[],
        handler: |call| Box::pin(async { bucket::show::serve(call) }),
    },
    Route {
        method: "PATCH",
        path: "/v1/buckets/{bucket}",
        access: Access::Key,
        query: &[],
        handler: |call| Box::pin(bucket::change::serve(call)),
    },
    Route {
        method: "DELETE",
        path: "/v1/buckets/{bucket}",
        access: Access::Key,
        query: &[],
        handler: |call| Box::pin(bucket::remove::serve(call)),
    },
    Route {
        method: "GET",
        path: "/v1/buckets/{bucket}/objects",
        access: Access::Key,
        query: object::list::QUERY,
        handler: |call| Box::pin(object::list::serve(call)),
    },
    Route {
        method: "GET",
        path: "/v1/buckets/{bucket}/objects/{key}",
        access: Access::Key,
        query: object::show::QUERY,
        handler: |call| Box::pin(object::show::serve(call)),
    },
];

/// What a method and path come to.
pub enum Found<'p> {
    /// A route, and what stands in the path for its parts in braces, still encoded.
    Route(&'static Route, Vec<&'p str>),
    /// Other methods are there, as an Allow header names them.
    OtherMethods(String),
    /// Nothing.
    Nothing,
}

/// Finds the route of a request.
pub fn find<'p>(method: &str, raw_path: &'p str) -> Found<'p> {
    let mut others: Vec<&'static str> = Vec::new();
    for route in ROUTES {
        let Some(parameters) = route.parameters(raw_path) else {
            continue;
        };
        if route.method == method || (route.method, method) == ("GET", "HEAD") {
            return Found::Route(route, parameters);
        }
        others.push(route.method);
        if route.method == "GET" {
            others.push("HEAD");
        }
    }
    match others.is_empty() {
        true => Found::Nothing,
        false => Found::OtherMethods(others.join(", ")),
    }
}

impl Route {
    /// What stands in a raw path for the parts in braces; `None`: it is not of this route. A slash at the end says nothing,
    /// but in a key.
    pub fn parameters<'p>(&self, raw_path: &'p str) -> Option<Vec<&'p str>> {
        let mut found = Vec::new();
        let mut rest = match self.path.ends_with(REST) {
            true => raw_path,
            false => raw_path.strip_suffix('/').unwrap_or(raw_path),
        };
        for part in self.path.split('/').skip(1) {
            rest = rest.strip_prefix('/')?;
            if part == REST {
                found.push(rest);
                return (!rest.is_empty()).then_some(found);
            }
            let end = rest.find('/').unwrap_or(rest.len());
            let (given, after) = rest.split_at_checked(end)?;
            match part.starts_with('{') {
                true if given.is_empty() => return None,
                true => found.push(given),
                false if given != part => return None,
                false => {}
            }
            rest = after;
        }
        rest.is_empty().then_some(found)
    }

    /// Refuses parameters of a query that it does not know: a misspelt one would be as if it were not there. Those of a
    /// presigned URL are everywhere.
    pub fn check_query(&self, query: &Query) -> Result<(), S3Error> {
        let is_known = |name: &str| {
            let starts_with_amz = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
            starts_with_amz || self.query.contains(&name)
        };
        let Some((unknown, _)) = query.iter().find(|(name, _)| !is_known(name)) else {
            return Ok(());
        };
        let known = match self.query {
            [] => "It takes none".to_owned(),
            names => format!("It takes {}", names.join(", ")),
        };
        let message = format!(
            "{} {} has no query parameter {unknown:?}. {known}.",
            self.method, self.path
        );
        Err(S3Error::with_message(ErrorCode::InvalidArgument, message))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
