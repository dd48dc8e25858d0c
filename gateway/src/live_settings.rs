//! The settings that requests look at and that can be changed while the gateway runs.

use crate::{config::RouteMode, limits::RELAY_BUFFER_BYTES, memory::RelayMemory, redirect_table::RedirectTable};
use proto::{
    digest::checksum::ChecksumType,
    s3::properties::BucketProperties,
    settings::{names, values::Layers},
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

/// See the module.
pub struct LiveSettings {
    /// Signature Version 2 is taken, too.
    pub allow_sigv2: Cell<bool>,
    /// How object requests reach their core.
    pub route: Cell<RouteMode>,
    /// How long a day of a lifecycle rule is.
    pub lifecycle_day: Cell<Duration>,
    redirect_table: RefCell<Rc<RedirectTable>>,
    checksum_type: Cell<ChecksumType>,
    s3_checksum_type: Cell<ChecksumType>,
    validate_warm_get: Cell<bool>,
    relay_memory: Rc<RelayMemory>,
}

impl LiveSettings {
    /// As layers say. The error is one line for the operator.
    pub fn new(layers: &Layers) -> Result<Self, String> {
        let table = RedirectTable::load(layers.file_of(names::REDIRECT_TABLE).as_deref())?;
        let settings = Self {
            allow_sigv2: Cell::new(false),
            route: Cell::new(RouteMode::Auto),
            lifecycle_day: Cell::default(),
            redirect_table: RefCell::new(Rc::new(table)),
            checksum_type: Cell::new(ChecksumType::Xxhash),
            s3_checksum_type: Cell::new(ChecksumType::Md5),
            validate_warm_get: Cell::new(true),
            relay_memory: RelayMemory::new(),
        };
        settings.take(layers);
        Ok(settings)
    }

    /// Takes over what layers say, but for the redirect table, which is a file.
    pub fn take(&self, layers: &Layers) {
        self.allow_sigv2.set(layers.is_true(names::ALLOW_SIGV2));
        // Values are checked before they get into a layer: what is not known here stays as it was.
        if let Some(mode) = RouteMode::from_name(layers.text(names::ROUTE_MODE)) {
            self.route.set(mode);
        }
        if let Some(seconds) = layers.number(names::LIFECYCLE_DAY_SECONDS) {
            self.lifecycle_day.set(Duration::from_secs(seconds));
        }
        let checksum_types = [
            (names::BUCKET_CHECKSUM_TYPE, &self.checksum_type),
            (names::BUCKET_S3_CHECKSUM_TYPE, &self.s3_checksum_type),
        ];
        for (name, cell) in checksum_types {
            if let Some(checksum_type) = ChecksumType::from_name(layers.text(name)) {
                cell.set(checksum_type);
            }
        }
        self.validate_warm_get
            .set(layers.is_true(names::BUCKET_VALIDATE_WARM_GET));
        let size = |name| layers.number(name).unwrap_or(RELAY_BUFFER_BYTES);
        self.relay_memory
            .set_sizes(size(names::READ_BUFFER_SIZE), size(names::WRITE_BUFFER_SIZE));
    }

    /// Who is redirected.
    pub fn redirect_table(&self) -> Rc<RedirectTable> {
        Rc::clone(&self.redirect_table.borrow())
    }

    /// From now on this table says who is redirected.
    pub fn set_redirect_table(&self, table: RedirectTable) {
        *self.redirect_table.borrow_mut() = Rc::new(table);
    }

    /// Of a bucket that is made through S3.
    pub fn s3_bucket_properties(&self) -> BucketProperties {
        self.bucket_properties(self.s3_checksum_type.get())
    }

    /// Of a bucket that is made through the API under /v1, unless it says otherwise.
    pub fn native_bucket_properties(&self) -> BucketProperties {
        self.bucket_properties(self.checksum_type.get())
    }

    fn bucket_properties(&self, checksum_type: ChecksumType) -> BucketProperties {
        BucketProperties {
            validate_warm_get: self.validate_warm_get.get(),
            ..BucketProperties::new(checksum_type)
        }
    }

    /// The memory that relays take their buffers from.
    pub fn relay_memory(&self) -> Rc<RelayMemory> {
        Rc::clone(&self.relay_memory)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::LiveSettings;
    use crate::config::RouteMode;
    use proto::{
        digest::checksum::ChecksumType,
        settings::{find, names, values::Layers},
    };
    use std::time::Duration;

    #[test]
    fn values_get_where_they_act() {
        let mut layers = Layers::default();
        let live = LiveSettings::new(&layers).unwrap();
        assert_eq!(live.native_bucket_properties().checksum_type, ChecksumType::Xxhash);
        assert_eq!(live.s3_bucket_properties().checksum_type, ChecksumType::Md5);
        for (name, value) in [
            (names::READ_BUFFER_SIZE, "128KiB"),
            (names::WRITE_BUFFER_SIZE, "16KiB"),
            (names::ROUTE_MODE, "proxy"),
            (names::ALLOW_SIGV2, "true"),
            (names::LIFECYCLE_DAY_SECONDS, "1h"),
            (names::BUCKET_CHECKSUM_TYPE, "crc32c"),
            (names::BUCKET_VALIDATE_WARM_GET, "false"),
        ] {
            let value = find(name).unwrap().parse(value).unwrap();
            layers.file.insert(name.to_owned(), value);
        }
        live.take(&layers);
        let memory = live.relay_memory();
        assert_eq!(memory.take_for_reading().unwrap().bytes.capacity(), 128 * 1024);
        assert_eq!(memory.take_for_writing().unwrap().bytes.capacity(), 16 * 1024);
        assert_eq!(live.route.get(), RouteMode::Proxy);
        assert!(live.allow_sigv2.get());
        assert_eq!(live.lifecycle_day.get(), Duration::from_secs(3600));
        let properties = live.native_bucket_properties();
        assert_eq!(properties.checksum_type, ChecksumType::Crc32c);
        assert!(!properties.validate_warm_get);
    }
}
