//! Which cryptography TLS uses: said once a process, before the first connection.

/// Chooses ring, unless the process has chosen already.
pub(crate) fn install() {
    // The only error is that somebody was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
