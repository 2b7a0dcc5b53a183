//! What the server says of itself in the class CHAOS (RFC 4892): TXT at four names, those that it was told to say.

use super::compose::Composer;
use super::screen::is_any;
use crate::snapshot::Identity;
use crate::wire::header::Rcode;
use crate::wire::rtype::Rtype;

/// Answers for `qname`, in lower case and wire form.
pub(super) fn answer(identity: &Identity, qname: &[u8], qtype: Rtype, composer: &mut Composer<'_, '_>) -> Rcode {
    let text = match qname {
        b"\x07version\x04bind\0" | b"\x07version\x06server\0" => &identity.version,
        b"\x02id\x06server\0" | b"\x08hostname\x04bind\0" => &identity.id,
        _ => &None,
    };
    let Some(text) = text else { return Rcode::Refused };
    composer.authoritative();
    if qtype == Rtype::TXT || is_any(qtype) {
        composer.answer_chaos(text);
    }
    Rcode::NoError
}
