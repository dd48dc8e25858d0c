//! HTTP/1.1 as bytes: heads, body framing, response heads, ranges, dates, percent-encoding.

pub mod body;
pub mod conditional;
pub mod date;
mod fields;
pub mod head;
pub mod percent;
pub mod range;
pub mod response;
