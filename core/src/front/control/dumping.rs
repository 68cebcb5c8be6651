//! Answers whose length clients decide: lists of items, prefixes, sizes and connections. A connection shows them piece by
//! piece. Each piece is bounded work of a shard and bounded memory of the front, and ends the turn of the connection.
//! Between two pieces the connection remembers a place and owns no copy, so a slow reader costs nothing.

#[cfg(feature = "http")]
use super::page_dump::PageDump;
use super::{Administrative, After, ControlReplies, Position, items::ItemsPlace};
#[cfg(feature = "http")]
use crate::boundary::config::Config;
use crate::{
    boundary::{
        host::{Connections, HostRequest, Target},
        rows,
    },
    clock::Time,
    command::{Broadcast, Extent},
    front::barrier::ControlFormat,
    limits,
    protocol::{
        binary,
        control::{Continuation, Control, Dump},
        text::{self, words},
    },
    statistics::{Prefixes, RefusalKind, Refusals, Sizes},
    wire::Reader,
};
use alloc::vec::Vec;

impl Administrative for Continuation {
    fn broadcasts(&self, _position: Position, _time: &Time) -> [Option<Broadcast>; 2] {
        let broadcast = match *self {
            #[cfg(feature = "http")]
            Self::Page(place) => return PageDump::broadcasts(place),
            Self::Items { walk, .. } => Some(Broadcast::Walk(walk)),
            Self::Prefixes(extent) => Some(Broadcast::Prefixes(extent)),
            Self::Sizes(extent) => Some(Broadcast::Sizes(extent)),
            Self::Connections { .. } => None,
        };
        [broadcast, None]
    }

    fn target(&self) -> Target {
        match *self {
            Self::Items { shard, .. } => Target(shard),
            _ => Target::EVERY_SHARD,
        }
    }

    fn host_request(&self, _position: Position) -> Option<HostRequest> {
        Some(match *self {
            Self::Connections { from } => HostRequest::Connections { from },
            #[cfg(feature = "http")]
            Self::Page(_) => HostRequest::Statistics,
            _ => HostRequest::Losses,
        })
    }

    /// [`Dumping::answer`] encodes the piece.
    fn answer(&self, _out: &mut Vec<u8>, _position: Position, _replies: &ControlReplies<'_>) -> After {
        After::Requests
    }
}

/// An answer in pieces, and the place that it has reached.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct Dumping {
    place: Place,
    format: ControlFormat,
    /// [`HostRequest::Losses`] before the first piece.
    losses: u64,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Items(ItemsPlace),
    Prefixes(u64),
    Sizes(u64),
    Connections(u64),
    #[cfg(feature = "http")]
    Page(PageDump),
}

impl Dumping {
    fn new(place: Place) -> Self {
        Self { place, format: ControlFormat::Text, losses: 0 }
    }

    /// Items.
    pub(super) fn items(dump: Dump) -> Self {
        Self::new(Place::Items(ItemsPlace::new(dump)))
    }

    /// Prefixes of keys.
    pub(super) fn prefixes() -> Self {
        Self::new(Place::Prefixes(0))
    }

    /// Sizes of items.
    pub(super) fn sizes() -> Self {
        Self::new(Place::Sizes(0))
    }

    /// Connections.
    pub(super) fn connections() -> Self {
        Self::new(Place::Connections(0))
    }

    /// A page of HTTP.
    #[cfg(feature = "http")]
    pub(super) fn page(page: PageDump) -> Self {
        Self::new(Place::Page(page))
    }

    /// Whether the connection ends with the answer.
    pub(in crate::front) fn closes(&self) -> bool {
        match self.place {
            #[cfg(feature = "http")]
            Place::Page(page) => page.form.closes,
            _ => false,
        }
    }

    /// The same, in the format of the client, after `host` answered [`HostRequest::Losses`].
    pub(in crate::front) fn begun(self, format: ControlFormat, host: &[u8]) -> Self {
        Self { format, losses: losses(host), ..self }
    }

    /// The command for the next piece.
    pub(in crate::front) fn next(&self, shards: u32) -> Control {
        let extent = |from| {
            let is_packet = matches!(self.format, ControlFormat::Packets(_));
            let bytes = if is_packet { limits::DUMP_PACKET_BYTES } else { limits::DUMP_PIECE_BYTES };
            Extent { from, room: bytes / shards }
        };
        Control::Continue(match self.place {
            Place::Items(place) => place.next(),
            Place::Prefixes(from) => Continuation::Prefixes(extent(from)),
            Place::Sizes(from) => Continuation::Sizes(extent(from)),
            Place::Connections(from) => Continuation::Connections { from },
            #[cfg(feature = "http")]
            Place::Page(page) => Continuation::Page(page.place),
        })
    }

    /// Appends a piece. Returns whether it was the last.
    pub(in crate::front) fn answer(
        &mut self,
        out: &mut Vec<u8>,
        piece: &PieceReplies<'_>,
        refusals: &mut Refusals,
    ) -> bool {
        #[cfg(feature = "http")]
        if let Place::Page(page) = &mut self.place {
            let &PieceReplies { config, time, stores: first, second, host, is_lost, .. } = piece;
            return page.answer(out, &ControlReplies { config, time, first, second, host, is_lost }, refusals);
        }
        let is_lost = match self.place {
            Place::Connections(_) => false,
            _ => piece.is_lost || losses(piece.host) != self.losses,
        };
        if is_lost {
            refusals.count(RefusalKind::LostRequest);
            self.refuse(out);
            return true;
        }
        let start = out.len();
        let is_last = match &mut self.place {
            Place::Items(place) => return place.answer(out, piece.stores, piece.shards, piece.time),
            #[cfg(feature = "http")]
            Place::Page(_) => true,
            Place::Prefixes(from) => {
                let (prefixes, next) = Prefixes::merge(piece.stores);
                prefixes.for_each(|(prefix, counts)| text::answer_prefix(out, prefix, &counts));
                *from = next;
                next == rows::END
            }
            Place::Sizes(from) => match Sizes::merge(piece.stores) {
                None => {
                    text::answer_sizes_disabled(out);
                    true
                }
                Some((sizes, next)) => {
                    sizes.into_iter().for_each(|(bytes, count)| text::answer_size(out, bytes, count));
                    *from = next;
                    next == rows::END
                }
            },
            Place::Connections(from) => {
                let mut connections = Connections::decode(piece.host);
                connections.by_ref().for_each(|connection| text::answer_connection(out, &connection));
                // A host that does not proceed has shown everything.
                let is_last = connections.next <= *from || connections.next == Connections::END;
                *from = connections.next;
                is_last
            }
        };
        if is_last {
            out.extend_from_slice(words::END);
        }
        if let ControlFormat::Packets(format) = self.format {
            let whole = matches!(self.place, Place::Prefixes(_)).then_some(&b"detailed"[..]);
            binary::encode_statistics(out, start, format, whole);
            if is_last {
                binary::end_statistics(out, format);
            }
        }
        is_last
    }

    /// Ends the answer, which is not whole, with an error in place of its usual end.
    fn refuse(&self, out: &mut Vec<u8>) {
        match self.format {
            ControlFormat::Text => out.extend_from_slice(words::DUMP_INCOMPLETE),
            ControlFormat::Packets(format) => binary::status(out, format, binary::PacketStatus::Internal),
            ControlFormat::Silent => {}
        }
    }
}

/// The replies that a piece is made of.
pub(in crate::front) struct PieceReplies<'a> {
    /// Those of the shards, one after the other.
    pub(in crate::front) stores: &'a [u8],
    pub(in crate::front) host: &'a [u8],
    /// A shard trapped instead of replying.
    pub(in crate::front) is_lost: bool,
    /// Number of shards.
    pub(in crate::front) shards: u32,
    pub(in crate::front) time: &'a Time,
    #[cfg(feature = "http")]
    pub(in crate::front) config: &'a Config,
    /// Replies of the shards to a second broadcast.
    #[cfg(feature = "http")]
    pub(in crate::front) second: &'a [u8],
}

/// A host that never replaces a store may answer nothing.
fn losses(host: &[u8]) -> u64 {
    Reader(host).u64().unwrap_or(0)
}
