//! A core's port: accepts connections, takes each through its requests, ends in order. A request without a ticket
//! takes its whole connection to a gateway.

use crate::{
    admission::{Admission, admit},
    connection::{After, Connection},
    core::Core,
    deadline::Deadline,
    dispatch,
    limits::{DRAIN_TIMEOUT, HEAD_TIMEOUT, SWEEP_INTERVAL},
    recv::{self, HeadOutcome, Inbox},
    relay,
    rt::{self, Listener, Stream},
    stats::Kind,
};
use std::{rc::Rc, time::Instant};

/// Serves a port until the node stops, then lets requests in flight finish.
pub async fn run(core: Rc<Core>, listener: Listener) {
    rt::spawn(accept(Rc::clone(&core), listener));
    let mut stop_by = None;
    loop {
        rt::sleep(SWEEP_INTERVAL).await;
        core.sweep();
        if core.is_stopping() {
            let stop_by = *stop_by.get_or_insert_with(|| Instant::now() + DRAIN_TIMEOUT);
            if core.connection_count() == 0 || Instant::now() >= stop_by {
                return;
            }
        }
    }
}

async fn accept(core: Rc<Core>, listener: Listener) {
    loop {
        match listener.accept().await {
            Ok(_) if core.is_stopping() => return,
            Ok(mut stream) => {
                let Some(counted) = core.count_connection() else {
                    continue;
                };
                stream.count_into(&core.counters.traffic);
                if let Some(tls) = &core.tls
                    && let Err(error) = stream.begin_tls(tls)
                {
                    tracing::warn!(%error, "TLS cannot begin");
                    continue;
                }
                let deadline = core.deadlines.add(stream.number(), HEAD_TIMEOUT);
                let core = Rc::clone(&core);
                rt::spawn(async move {
                    serve(&core, stream, deadline).await;
                    drop(counted);
                });
            }
            Err(error) => {
                // Out of descriptors: the connections that end give some back.
                tracing::warn!(%error, "a connection could not be accepted");
                rt::sleep(SWEEP_INTERVAL).await;
            }
        }
    }
}

/// Serves a connection to its end.
async fn serve(core: &Rc<Core>, stream: Stream, deadline: Rc<Deadline>) {
    let mut connection = Connection {
        core,
        stream,
        inbox: Inbox::default(),
        deadline,
    };
    if let Err(error) = connection.stream.handshake().await {
        return connection.handshake_failed(&error).await;
    }
    let mut first = true;
    loop {
        let outcome = recv::head(
            &mut connection.inbox,
            &mut connection.stream,
            &connection.deadline,
            first,
        )
        .await;
        first = false;
        let after = match outcome {
            HeadOutcome::Closed => After::Close,
            HeadOutcome::Bad(error) => {
                connection.answer_bad_head(error).await;
                After::Close
            }
            HeadOutcome::Head(head) => match admit(core, &head) {
                Ok(Admission::NoTicket) => return relay::run(connection, head).await,
                Ok(Admission::Granted(ticket, query)) => {
                    dispatch::perform(&mut connection, &head, *ticket, &query).await
                }
                Err(error) => {
                    let exchange = connection.exchange_for(&head, Kind::Refused);
                    connection.refuse(&head, exchange, &error).await
                }
            },
        };
        if after == After::Close {
            break;
        }
    }
    connection.stream.finish();
}
