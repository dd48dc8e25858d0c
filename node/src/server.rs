//! A core's port: accepts connections, takes each through its requests, ends in order. A request that
//! is not this core's takes its whole connection to whoever serves it.

use crate::{
    admission::{Admission, Admitted, admit},
    arrival::Beginning,
    connection::{After, Connection},
    core::{Core, CountedConnection},
    dispatch,
    limits::{DRAIN_TIMEOUT, HEAD_TIMEOUT, SWEEP_INTERVAL},
    moving,
    recv::{self, HeadOutcome, Inbox},
    rt::{self, Listener, Stream},
    stats::Kind,
};
use proto::http::head::RequestHead;
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
                if let Some(tls) = &core.tls
                    && let Err(error) = stream.begin_tls(tls)
                {
                    tracing::warn!(%error, "TLS cannot begin");
                    continue;
                }
                spawn(&core, counted, stream, Beginning::default());
            }
            Err(error) => {
                // Out of descriptors: the connections that end give some back.
                tracing::warn!(%error, "a connection could not be accepted");
                rt::sleep(SWEEP_INTERVAL).await;
            }
        }
    }
}

/// Serves a connection as a task of its own.
pub fn spawn(core: &Rc<Core>, counted: CountedConnection, mut stream: Stream, beginning: Beginning) {
    stream.count_into(&core.counters.traffic);
    let deadline = core.deadlines.add(stream.number(), HEAD_TIMEOUT);
    let core = Rc::clone(core);
    rt::spawn(async move {
        let connection = Connection {
            core: &core,
            stream,
            inbox: Inbox::holding(beginning.received),
            deadline,
            pass: beginning.pass,
        };
        serve(connection, beginning.admitted).await;
        drop(counted);
    });
}

/// Serves a connection to its end, or to where it is passed on.
async fn serve(mut connection: Connection<'_>, admitted: Option<Box<(RequestHead, Admitted)>>) {
    if let Err(error) = connection.stream.handshake().await {
        return connection.handshake_failed(&error).await;
    }
    let core = connection.core;
    let mut first = admitted.is_none();
    if let Some(admitted) = admitted {
        let (head, admitted) = *admitted;
        if dispatch::perform(&mut connection, &head, admitted).await == After::Close {
            return connection.stream.finish();
        }
    }
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
            HeadOutcome::Head(head) => match admit(core, &head, &mut connection.pass) {
                Ok(Admission::Here(admitted)) => dispatch::perform(&mut connection, &head, admitted).await,
                Ok(Admission::Sibling(owner, admitted)) => {
                    return moving::to_sibling(connection, head, owner, admitted).await;
                }
                Ok(Admission::Gateway) => return moving::to_gateway(connection, head).await,
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
