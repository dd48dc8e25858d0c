//! PostObject: the upload of a browser's form (<https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>).
//! `reader` takes the form apart as it arrives, `form` says what its fields ask for, `policy` and `credential` whether
//! its sender may.

pub mod credential;
pub mod form;
pub mod policy;
pub mod reader;
pub mod success;
