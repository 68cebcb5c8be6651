//! The state of a conversation with a client.

use crate::{boundary::status::NO_CONNECTION, clock::Expiry};

/// A client, as a small number that the front chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionId(pub u32);

impl ConnectionId {
    /// See [`NO_CONNECTION`].
    pub const NONE: Self = Self(NO_CONNECTION);
}

/// The state of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing was received yet: the first byte chooses the protocol.
    #[default]
    Fresh,
    /// Between requests of the text protocol.
    Requests,
    /// Before a login by text.
    Locked,
    /// Between packets of the binary protocol. `locked`: before a login.
    Packets { locked: bool },
    /// In a retrieval, with `remaining` bytes of keys to go, then `ending` bytes of line end. No line end: the line is
    /// longer than the parser looks ahead, and more keys will follow.
    Keys { cas: bool, touch: Option<Expiry>, remaining: u32, ending: u8 },
    /// In the data block of a refused text store.
    Skip(u64),
    /// In the body of a refused packet.
    SkipBody { left: u64, locked: bool },
    /// Between requests of HTTP.
    #[cfg(feature = "http")]
    Http,
    /// Nothing more is read.
    Closing,
}

/// Each pending answer has a [`State`], so the expiry in `Keys` must be small.
const _: () = assert!(size_of::<Option<Expiry>>() <= 8);
