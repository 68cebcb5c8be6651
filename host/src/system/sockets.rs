//! Facts about sockets beyond their input and output.

/// Bytes that the system has taken from this process and the peer's system has not acknowledged; 0 where that is unknown.
#[cfg(target_os = "linux")]
pub(crate) fn unsent_bytes(socket: &impl std::os::fd::AsFd) -> u32 {
    use nix::libc::{TIOCOUTQ, c_int, ioctl};
    use std::os::fd::AsRawFd;
    let socket = socket.as_fd();
    let mut bytes: c_int = 0;
    #[expect(unsafe_code, reason = "the length of the send queue is a system call that no library wraps")]
    // SAFETY: the descriptor is borrowed, so it stays open. The request writes one `c_int` to the address, which is that of
    // a live local variable of this type.
    let result = unsafe { ioctl(socket.as_raw_fd(), TIOCOUTQ, &raw mut bytes) };
    if result == 0 { u32::try_from(bytes).unwrap_or(0) } else { 0 }
}

/// Other systems have other ways, or none.
#[cfg(not(target_os = "linux"))]
pub(crate) fn unsent_bytes<T>(_: &T) -> u32 {
    0
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        os::unix::net::UnixStream,
    };

    #[test]
    fn bytes_that_the_peer_has_not_read_count() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        assert_eq!(unsent_bytes(&near), 0);
        near.write_all(&[0; 1000]).unwrap();
        assert!(unsent_bytes(&near) >= 1000);
        far.read_exact(&mut [0; 1000]).unwrap();
        assert_eq!(unsent_bytes(&near), 0);
    }
}
