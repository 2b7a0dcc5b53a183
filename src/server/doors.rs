//! Binds every socket, and keeps the certificate of the encrypted ones fresh.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use super::{Audience, Settings, StartError};
use crate::diagnostic::{Diagnostic, Severity};
use crate::transport::doors::{Carried, Sockets};
use crate::transport::limits::Limits;
use crate::transport::tls::Certificates;
use crate::transport::{quic, stream, udp};

/// Open files that are kept for probes and everything else, of the many that connections could take: one in so many.
const FILES_KEPT_IN: usize = 4;

/// Sockets that are bound, and what greets at the encrypted ones.
pub(super) struct Opening {
    /// `workers` of each address.
    pub(super) udp: Vec<UdpSocket>,
    pub(super) connections: Sockets,
    /// The plain addresses, their ports chosen.
    pub(super) listen: Vec<SocketAddr>,
    /// What is spoken encrypted, and where.
    pub(super) encrypted: Vec<(&'static str, SocketAddr)>,
    pub(super) certificates: Option<Arc<Certificates>>,
}

/// Binds everything that `settings` name. A certificate that is faulty is told to `audience`.
pub(super) fn bind(settings: &Settings, workers: usize, audience: &dyn Audience) -> Result<Opening, StartError> {
    let mut opening = Opening {
        udp: Vec::new(),
        connections: Sockets::default(),
        listen: Vec::new(),
        encrypted: Vec::new(),
        certificates: None,
    };
    let Opening { udp, connections, listen, encrypted, certificates } = &mut opening;
    let refused = |address, protocol| move |error| StartError::Bind { address, protocol, error };
    // TCP first: UDP sockets share their port, so that a second server on it would go unnoticed there.
    for &address in &settings.listen {
        let listener = stream::bind(address).map_err(refused(address, "TCP"))?;
        // Where the port was 0 the system chose one, and UDP takes the same.
        let address = listener.local_addr().map_err(refused(address, "TCP"))?;
        for _ in 0..workers {
            udp.push(udp::bind(address).map_err(refused(address, "UDP"))?);
        }
        connections.plain.push(listener);
        listen.push(address);
    }
    let Some(tls) = &settings.doors.encrypted else { return Ok(opening) };
    let read = Certificates::read(&tls.certificate, &tls.key).map_err(|fault| {
        audience.faults(&[*fault]);
        StartError::Faults { errors: 1 }
    })?;
    *certificates = Some(Arc::new(read));
    for &address in &tls.dot {
        connections.tls.push(stream::bind(address).map_err(refused(address, "TLS"))?);
        encrypted.push(("TLS", address));
    }
    for &address in &tls.doh {
        connections.https.push(stream::bind(address).map_err(refused(address, "HTTPS"))?);
        encrypted.push(("HTTPS", address));
    }
    for &address in tls.doq.iter().chain(tls.doh.iter().filter(|address| !tls.doq.contains(address))) {
        let carried = match (tls.doq.contains(&address), tls.doh.contains(&address)) {
            (true, true) => Carried::Both,
            (true, false) => Carried::Dns,
            (false, _) => Carried::Http3,
        };
        connections.quic.push((quic::bind(address).map_err(refused(address, "QUIC"))?, carried));
        encrypted.push((if carried == Carried::Http3 { "HTTP/3" } else { "QUIC" }, address));
    }
    Ok(opening)
}

/// Reads the certificate again. A faulty one is told to `audience`, and the one before stays.
pub(super) fn refresh(certificates: Option<&Certificates>, audience: &dyn Audience) {
    match certificates.map(Certificates::refresh) {
        None | Some(Ok(false)) => {}
        Some(Ok(true)) => tracing::info!("the certificate was replaced; new connections get it"),
        Some(Err(fault)) => {
            let message = format!("{}; the certificate before stays in use", fault.message);
            audience.faults(&[Diagnostic { severity: Severity::Warning, message, ..*fault }]);
        }
    }
}

/// No more connections than files may be open.
pub(super) fn within(limits: Limits, open_files: io::Result<u64>) -> Limits {
    let files = open_files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    let most = (files - files / FILES_KEPT_IN).max(1);
    if limits.connections > most {
        tracing::info!(
            "only {most} connections at once instead of {}: the system allows {files} open files",
            limits.connections
        );
    }
    Limits { connections: limits.connections.min(most), ..limits }
}
