//! What this core and its shards have counted, for a gateway that gathers metrics.

use crate::{
    answer::Exchange,
    connection::{After, Connection},
    stats::core_stats,
};

/// Answers a stats message.
pub async fn run(connection: &mut Connection<'_>, exchange: Exchange) -> After {
    let stats = core_stats(connection.core);
    connection
        .answer_message(&exchange, |encoder| stats.encode(encoder))
        .await
}
