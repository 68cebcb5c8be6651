//! Clients over TLS.

use crate::{
    certificates::{Authority, Identity},
    common::{Client, PATIENCE},
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, crypto::ring,
    pki_types::ServerName, version,
};
use std::{
    io::BufReader,
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

/// A client that sends and receives lines over TLS.
pub(crate) type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

/// The versions of ordinary clients.
pub(crate) const EVERY_VERSION: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

/// The configuration of a client.
pub(crate) fn configuration(
    root: &Authority,
    shown: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.certificate()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match shown {
        Some(identity) => builder.with_client_auth_cert(vec![identity.certificate()], identity.key()).unwrap(),
        None => builder.with_no_client_auth(),
    }
}

/// A connection with TLS.
pub(crate) fn stream(
    address: SocketAddr,
    configuration: &Arc<ClientConfig>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::clone(configuration), name).unwrap(), socket)
}

/// The same, for lines.
pub(crate) fn connect(address: SocketAddr, configuration: &Arc<ClientConfig>) -> TlsClient {
    Client(BufReader::new(stream(address, configuration)))
}
