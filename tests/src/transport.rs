//! The product over a Unix socket, and over TLS.

use crate::{
    server::{Server, StreamTarget, Wire, is_served, split_http, start_beside},
    target::{Factory, Kind, Target},
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// Transport of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Unix socket.
    #[cfg(unix)]
    Unix,
    /// TLS over TCP.
    Tls,
}

/// Starts servers of the product with this transport.
#[derive(Debug)]
pub struct TransportFactory {
    /// The program.
    pub program: PathBuf,
    /// See [`Transport`].
    pub transport: Transport,
}

impl Factory for TransportFactory {
    fn kind(&self) -> Kind {
        Kind::Server
    }

    fn refuses(&self, _flags: &[String]) -> Option<String> {
        None
    }

    fn start(&self, flags: &[String]) -> Result<Box<dyn Target>, String> {
        let folder = Folder::new()?;
        let target = match self.transport {
            #[cfg(unix)]
            Transport::Unix => unix(&self.program, flags, folder)?,
            Transport::Tls => tls(&self.program, flags, folder)?,
        };
        Ok(Box::new(target))
    }
}

/// A folder that is removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wasmcached-transport-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    fn put(&self, name: &str, text: &str) -> Result<String, String> {
        let path = self.0.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path.display().to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(unix)]
fn unix(program: &Path, flags: &[String], folder: Folder) -> Result<StreamTarget, String> {
    use std::os::unix::net::UnixStream;
    let path = folder.0.join("socket");
    let (is_http, flags) = split_http(flags);
    let page = folder.0.join("page");
    let mut arguments = [&["-s".to_owned(), path.display().to_string()], &flags[..]].concat();
    if is_http {
        arguments.extend(["-l".to_owned(), format!("proto[http]:{}", page.display())]);
    }
    let probe = || UnixStream::connect(&path).is_ok_and(|stream| is_served(stream, &flags));
    // The address is not used.
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::launch(program, &arguments, nowhere, &probe)?;
    let connect = move || match UnixStream::connect(folder.0.join(if is_http { "page" } else { "socket" })) {
        Ok(stream) => Ok(Box::new(stream) as Box<dyn Wire>),
        Err(error) => Err(format!("connect: {error}")),
    };
    Ok(StreamTarget::new(server, Box::new(connect)))
}

fn tls(program: &Path, flags: &[String], folder: Folder) -> Result<StreamTarget, String> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).map_err(|error| error.to_string())?;
    let (chain, key) = (folder.put("chain.pem", &cert.pem())?, folder.put("key.pem", &signing_key.serialize_pem())?);
    let configuration = Arc::new(trusting(cert.der().clone())?);
    let (is_http, flags) = split_http(flags);
    let start = |more: &[String]| {
        Server::on_free_port(&|port| {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let own = ["-Z", "-o", &format!("ssl_chain_cert={chain},ssl_key={key}"), "-l", &address.to_string()];
            let arguments = [&own.map(str::to_owned)[..], &flags, more].concat();
            let probe = || connect_tls(address, &configuration).is_ok_and(|stream| is_served(stream, &flags));
            Server::launch(program, &arguments, address, &probe)
        })
    };
    let (server, address) = if is_http {
        start_beside(&|page| start(&["-l".to_owned(), format!("proto[http]:{page}")]))?
    } else {
        let server = start(&[])?;
        let address = server.address;
        (server, address)
    };
    let connect = move || {
        // The server may reload its certificate.
        let _kept = &folder;
        Ok(Box::new(connect_tls(address, &configuration)?) as Box<dyn Wire>)
    };
    Ok(StreamTarget::new(server, Box::new(connect)))
}

type Encrypted = StreamOwned<ClientConnection, TcpStream>;

fn trusting(certificate: CertificateDer<'static>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).map_err(|error| error.to_string())?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn connect_tls(address: SocketAddr, configuration: &Arc<ClientConfig>) -> Result<Encrypted, String> {
    let described = |error: &dyn std::fmt::Display| format!("connect: {error}");
    let mut socket = TcpStream::connect(address).map_err(|error| described(&error))?;
    socket.set_nodelay(true).map_err(|error| described(&error))?;
    socket.set_read_timeout(Some(Duration::from_secs(15))).map_err(|error| described(&error))?;
    let name = ServerName::try_from("localhost").map_err(|error| described(&error))?;
    let mut connection = ClientConnection::new(Arc::clone(configuration), name).map_err(|error| described(&error))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).map_err(|error| described(&error))?;
    }
    Ok(StreamOwned::new(connection, socket))
}

impl Wire for Encrypted {
    fn set_blocking(&self, blocking: bool) -> std::io::Result<()> {
        self.sock.set_nonblocking(!blocking)
    }

    fn set_timeout(&self, wait: Duration) -> std::io::Result<()> {
        self.sock.set_read_timeout(Some(wait))
    }

    fn has_unsent(&self) -> bool {
        self.conn.wants_write()
    }

    fn end(&mut self) {
        self.conn.send_close_notify();
        let _ = self.conn.write_tls(&mut self.sock);
        let _ = self.sock.shutdown(std::net::Shutdown::Both);
    }
}
