//! Record data as master files write it.

use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use crate::wire::rtype::Rtype;

/// The class of everything here: IN.
const IN: u16 = 1;

/// The text of `rdata`; as RFC 3597 §5 writes what is not known.
pub(super) fn text(rtype: Rtype, rdata: &[u8]) -> String {
    let length = u16::try_from(rdata.len()).unwrap_or(u16::MAX);
    // A record of the root's, so that it can be read as a whole.
    let mut octets = vec![0];
    for field in [rtype.0, IN, 0, 0, length] {
        octets.extend_from_slice(&field.to_be_bytes());
    }
    octets.extend_from_slice(rdata);
    match Record::read(&mut BinDecoder::new(&octets)) {
        Ok(record) => record.data.to_string(),
        Err(_) => {
            let hex: String = rdata.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("\\# {} {hex}", rdata.len())
        }
    }
}
