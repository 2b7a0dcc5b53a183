//! What this server proves itself with, and what others prove themselves to it with: read anew with everything else that
//! is. Whatever is at fault then leaves what it was before in use.

use std::sync::Arc;

use super::doors::replaced;
use super::front::Papers;
use crate::diagnostic::Diagnostic;
use crate::transport::tls::Certificates;

/// All of it.
#[derive(Default)]
pub(super) struct Credentials {
    /// Of the encrypted doors.
    pub(super) certificates: Option<Arc<Certificates>>,
    /// Of the admin API.
    pub(super) papers: Option<Papers>,
}

impl Credentials {
    /// Reads the files again, and says of which what was before stays in use.
    pub(super) fn refresh(&self) -> Vec<Diagnostic> {
        let own = self.certificates.iter().filter_map(|own| replaced(own.refresh(), "the certificate"));
        own.chain(self.papers.iter().flat_map(Papers::refresh)).collect()
    }
}
