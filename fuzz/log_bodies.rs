//! What the fuzz targets of the disk format do with their input; `mountpath/tests/fuzz_corpus.rs` calls the same on the
//! committed corpus.

use corelane_mountpath::{batch::BatchHeader, record::Record};

/// A record: what decodes encodes to the same bytes, and never reaches beyond what is there.
pub fn record(data: &[u8]) {
    let Ok((record, taken)) = Record::decode(data) else {
        return;
    };
    let mut encoded = Vec::new();
    record.encode(&mut encoded);
    assert_eq!(taken, encoded.len());
    let again = Record::decode(&encoded);
    assert!(matches!(again, Ok((same, length)) if same == record && length == taken));
}

/// A batch as recovery reads it. The checksum keeps nearly everything out, so records are also tried without it.
pub fn batch(data: &[u8]) {
    let Ok(header) = BatchHeader::decode(data) else {
        return;
    };
    if let Ok(records) = header.records(data) {
        assert_eq!(Some(records.len()), usize::try_from(header.records_length).ok());
    }
    let mut region = data.get(corelane_mountpath::batch::HEADER_BYTES..).unwrap_or_default();
    for _ in 0..header.record_count {
        let Ok((_, taken)) = Record::decode(region) else {
            return;
        };
        assert!(taken > 0);
        region = region.get(taken..).unwrap_or_default();
    }
}
