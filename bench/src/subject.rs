//! A server as a benchmark addresses it: how its objects are made, and what requests a load on it sends.

use crate::{
    cell::{BUCKET_PATH, Cell},
    error::Result,
    loadgen::{
        plan::{Order, Plan, Step},
        request::{Method, Pattern, Request},
    },
    server::process::Server,
    session::Session,
};
use std::net::SocketAddr;

/// How clients reach Corelane's cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Route {
    /// To the core, with tickets fetched before: what a client pays that keeps to one core.
    Direct,
    /// Every request first to the gateway, then where its 307 says.
    Redirect,
    /// Through the gateway.
    Proxy,
}

/// A server under test.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// nginx.
    Nginx(&'a Server),
    /// Corelane, by a route.
    Corelane(&'a Server, Route),
}

/// Asks Corelane's gateway for a way, whatever it would choose for this client.
pub const ROUTE_HEADER: &str = "x-corelane-route";

impl<'a> Subject<'a> {
    /// The server itself.
    pub fn server(self) -> &'a Server {
        match self {
            Self::Nginx(server) | Self::Corelane(server, _) => server,
        }
    }

    /// Makes the bucket; to be called once a server.
    pub fn create_bucket(self, pattern: &Pattern) -> Result<()> {
        match self {
            // nginx makes the folder with the first object.
            Self::Nginx(_) => Ok(()),
            Self::Corelane(server, _) => {
                Session::open_with(server.address(), server.tls())?.put(BUCKET_PATH, pattern.payload(0, 0))
            }
        }
    }

    /// Makes the objects a GET cell reads, and reads each back to compare it.
    pub fn create_objects(self, cell: &Cell, pattern: &Pattern) -> Result<()> {
        let mut session = Session::open_with(self.server().address(), self.server().tls())?;
        for index in 0..cell.objects {
            session.put(&cell.path(index), pattern.payload(index, cell.object_bytes))?;
        }
        for index in 0..cell.objects {
            session.check(&cell.path(index), &pattern.payload(index, cell.object_bytes))?;
        }
        Ok(())
    }

    /// Reads back what a PUT cell has written: the first objects, which every window writes.
    pub fn check_written(self, cell: &Cell, pattern: &Pattern) -> Result<()> {
        let mut session = Session::open_with(self.server().address(), self.server().tls())?;
        let written = cell.objects.min(cell.clients);
        (0..written).try_for_each(|index| session.check(&cell.path(index), &pattern.payload(index, cell.object_bytes)))
    }

    /// The load of a cell. Its tickets are good for as long as tickets are.
    pub fn plan(self, cell: &Cell, pattern: &Pattern) -> Result<Plan> {
        let steps = match self {
            Self::Nginx(server) => straight(server.address(), cell, pattern, &[]),
            Self::Corelane(server, Route::Proxy) => {
                straight(server.address(), cell, pattern, &[(ROUTE_HEADER, "proxy")])
            }
            Self::Corelane(server, Route::Redirect) => redirected(server.address(), cell, pattern),
            Self::Corelane(server, Route::Direct) => with_tickets(server, cell, pattern)?,
        };
        let accept: &[u16] = match (self, cell.method) {
            (_, Method::Get) | (Self::Corelane(..), Method::Put | Method::Post) => &[200],
            (Self::Corelane(..), Method::Delete) => &[204],
            (Self::Nginx(_), _) => &[201, 204],
        };
        let answer_bytes = (cell.method == Method::Get).then_some(cell.object_bytes);
        Ok(Plan {
            clients: cell.clients,
            steps,
            order: Order::InTurn,
            tls: self.server().tls(),
            accept,
            answer_bytes,
        })
    }
}

fn straight(address: SocketAddr, cell: &Cell, pattern: &Pattern, headers: &[(&str, &str)]) -> Vec<Step> {
    let authority = address.to_string();
    let step = |index| {
        let payload = cell.payload(index, pattern);
        let request = Request::new(cell.method, &authority, &cell.path(index), headers, payload);
        Step::Straight { address, request }
    };
    (0..cell.objects).map(step).collect()
}

fn redirected(gateway: SocketAddr, cell: &Cell, pattern: &Pattern) -> Vec<Step> {
    let step = |index| {
        let payload = cell.payload(index, pattern);
        Step::Redirected {
            gateway,
            ask: ask(gateway, cell, index),
            method: cell.method,
            payload,
        }
    };
    (0..cell.objects).map(step).collect()
}

fn with_tickets(server: &Server, cell: &Cell, pattern: &Pattern) -> Result<Vec<Step>> {
    let gateway = server.address();
    let mut session = Session::open_with(gateway, server.tls())?;
    let step = |index| {
        let location = session.redirect(&ask(gateway, cell, index))?;
        let request = location.request(cell.method, cell.payload(index, pattern));
        Ok(Step::Straight {
            address: location.address,
            request,
        })
    };
    (0..cell.objects).map(step).collect()
}

/// What the gateway answers with a redirect. A PUT's body is withheld: it belongs to the core.
fn ask(gateway: SocketAddr, cell: &Cell, index: usize) -> Request {
    let (authority, path) = (gateway.to_string(), cell.path(index));
    let headers = [(ROUTE_HEADER, "redirect")];
    match cell.method {
        Method::Put => Request::expecting(&authority, &path, &headers, cell.object_bytes),
        other => Request::new(other, &authority, &path, &headers, None),
    }
}
