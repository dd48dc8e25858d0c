//! Looking up keys in order in a table that has few of them.

use crate::index::{error::DatabaseError, tables::Bytes};
use redb::{ReadableTable, Table, Value};

/// A range of keys known to have no row in a table. Keys are asked for in order, so a table of few rows costs next to nothing.
#[derive(Default)]
pub(super) struct Gap {
    /// From the first to below the second; below nothing: to the end.
    range: Option<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Gap {
    /// What a key's row holds, if it has one.
    pub(super) fn find<V: Value + 'static, T>(
        &mut self,
        table: &Table<'_, Bytes, V>,
        index_key: &[u8],
        take: impl for<'v> FnOnce(V::SelfType<'v>) -> T,
    ) -> Result<Option<T>, DatabaseError> {
        if let Some((from, until)) = &self.range
            && from.as_slice() <= index_key
            && until.as_ref().is_none_or(|until| index_key < until.as_slice())
        {
            return Ok(None);
        }
        let mut rows = table.range::<&[u8]>(index_key..)?;
        let until = match rows.next().transpose()? {
            None => None,
            Some((key, value)) if key.value() == index_key => return Ok(Some(take(value.value()))),
            Some((key, _)) => Some(key.value().to_vec()),
        };
        self.range = Some((index_key.to_vec(), until));
        Ok(None)
    }

    /// A key has a row now.
    pub(super) fn filled(&mut self, index_key: &[u8]) {
        if let Some((from, _)) = &mut self.range
            && from.as_slice() <= index_key
        {
            // The next key after it.
            from.clear();
            from.extend_from_slice(index_key);
            from.push(0);
        }
    }
}
