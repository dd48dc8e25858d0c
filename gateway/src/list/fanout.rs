//! One page of a bucket from the pages of all cores, merged as they come: each core is asked for its even share and
//! some slack, and for more only when its share turns out too small.

use crate::{cluster::Core, core_client, gateway::Gateway, limits::LIST_PAGE_SLACK};
use proto::{
    auth::ticket::Grant,
    cluster::message::LIST_PATH,
    error::{ErrorCode, S3Error},
    s3::{
        bucket::BucketId,
        listing::{ListPage, ListQuery},
        merge::Merger,
    },
    wire::Decoder,
};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

/// The page a query asks for.
pub async fn list(gateway: &Gateway, bucket: BucketId, query: &ListQuery) -> Result<ListPage, S3Error> {
    let cores = gateway.cluster.all_cores()?;
    let mut merger = Merger::new(query.limit, cores.len());
    if merger.need().is_none() {
        return Ok(merger.finish());
    }
    let share = query.limit / cores.len().max(1) + LIST_PAGE_SLACK;
    let first = ListQuery {
        limit: share.min(query.limit),
        ..query.clone()
    };
    let pages = join_all(cores.iter().map(|core| page(gateway, core, bucket, first.clone()))).await;
    for (source, page) in pages.into_iter().enumerate() {
        merger.supply(source, page?);
    }
    while let Some(source) = merger.need() {
        let core = cores.get(source).ok_or(ErrorCode::InternalError)?;
        let refill = ListQuery {
            limit: share.min(merger.room()).max(1),
            ..merger
                .continue_after(source)
                .map_or_else(|| query.clone(), |last| query.continued(last))
        };
        merger.supply(source, page(gateway, core, bucket, refill).await?);
    }
    Ok(merger.finish())
}

/// A page of one core.
async fn page(gateway: &Gateway, core: &Core, bucket: BucketId, query: ListQuery) -> Result<ListPage, S3Error> {
    let principal = gateway.catalog.root().principal();
    let answer = core_client::call(gateway, core, LIST_PATH, principal, Grant::List { bucket, query }, &[]).await?;
    let mut decoder = Decoder::new(&answer);
    let page = ListPage::decode(&mut decoder).and_then(|page| decoder.finish().map(|()| page));
    page.map_err(|error| {
        tracing::error!(core = %core.address, %error, "a core's page cannot be decoded");
        ErrorCode::InternalError.into()
    })
}

/// Runs futures at the same time; their outputs in order.
pub async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Joined<F>> = futures.map(|future| Joined::Running(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut is_pending = false;
        for joined in &mut running {
            if let Joined::Running(future) = joined {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *joined = Joined::Ended(output),
                    Poll::Pending => is_pending = true,
                }
            }
        }
        if is_pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let outputs = running.into_iter().filter_map(|joined| match joined {
        Joined::Ended(output) => Some(output),
        Joined::Running(_) => None,
    });
    outputs.collect()
}

enum Joined<F: Future> {
    Running(Pin<Box<F>>),
    Ended(F::Output),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::join_all;
    use crate::rt;
    use std::time::{Duration, Instant};

    #[test]
    fn joined_futures_run_together_and_keep_their_order() {
        rt::run(async {
            let started = Instant::now();
            let outputs = join_all((0..8u64).map(|n| async move {
                rt::sleep(Duration::from_millis(80 - 10 * n)).await;
                n
            }))
            .await;
            assert_eq!(outputs, [0, 1, 2, 3, 4, 5, 6, 7]);
            assert!(started.elapsed() < Duration::from_millis(300));
        })
        .unwrap();
    }
}
