//! Datagram sockets among the connections of a front. Each input is one datagram, answered by one series of datagrams;
//! nothing is kept from one to the next. [`frame`] has the format on the wire.

pub(super) mod frame;

use super::{ConnectionId, ConnectionStatus, Front, Source, connection::Connection, state::State};
use crate::{
    boundary::config::{Authentication, Binding},
    limits,
    statistics::RefusalKind,
};
use frame::DatagramState;

impl Front {
    /// Opens a datagram socket; `verified`: the source addresses of its datagrams are known to be true.
    pub fn open_datagrams(&mut self, verified: bool) -> ConnectionId {
        let mut connection = Connection::new(State::Fresh);
        connection.datagrams = Some(DatagramState::new(verified));
        ConnectionId(self.connections.insert(connection) as u32)
    }

    /// The protocols of datagrams: there is no HTTP among them.
    fn datagram_binding(&self) -> Binding {
        if self.config.binding == Binding::Http { Binding::Auto } else { self.config.binding }
    }

    /// If the input is a datagram, takes its header off and drops everything of the datagram before it.
    pub(super) fn begin_datagram(&mut self) {
        if !self.takes_datagrams() {
            return;
        }
        let (first_state, most) = (self.first_state(self.datagram_binding()), self.datagram_reply_bytes_max());
        let Some(connection) = self.connections.get_mut(self.inbound.connection) else { return };
        let Some(datagrams) = &mut connection.datagrams else { return };
        let Source::Window(bytes) = self.inbound.source else { return };
        // Datagrams have no logins.
        if datagrams.accept(&self.inbound.window[..bytes]) && self.config.authentication == Authentication::None {
            self.inbound.cursor = limits::DATAGRAM_HEADER_BYTES;
        } else {
            self.inbound.source = Source::Window(0);
            self.refusals.count(RefusalKind::Datagram);
        }
        // One series answers all requests of a datagram, so they are answered in one turn. A byte above the limit shows
        // that the answer is too large.
        self.requests_left = u32::MAX / 2;
        self.commands_left = u32::MAX;
        self.output_bytes_high = datagrams.reply_bytes_max(self.config.udp_amplification, most) + 1;
        connection.state = first_state;
        connection.dumping = None;
        connection.forget_repeated_reads();
        let before = connection.held_bytes();
        connection.forget_output();
        self.budget.change(before, connection.held_bytes());
    }

    /// [`Front::park`] for a datagram: turns the output into datagrams, and drops the rest of the input.
    pub(super) fn park_datagram(&mut self) -> ConnectionStatus {
        let mut most = self.datagram_reply_bytes_max();
        let Some(connection) = self.connections.get_mut(self.inbound.connection) else {
            return ConnectionStatus::default();
        };
        if connection.dumping.take().is_some() {
            // An answer that takes more pieces than a turn has is too large, whatever there is of it.
            self.output.push(0);
            most = 0;
        }
        let Some(datagrams) = connection.datagrams else { return ConnectionStatus::default() };
        let speaks_text = !matches!(connection.state, State::Packets { .. } | State::SkipBody { .. });
        let framed = datagrams.frame(&self.output, self.config.udp_amplification, most, speaks_text);
        if !self.output.is_empty() && !frame::carries(&framed, &self.output) {
            self.refusals.count(RefusalKind::Datagram);
        }
        self.output.clear();
        self.inbound.forget();
        let before = connection.held_bytes();
        connection.keep_output(framed);
        self.budget.change(before, connection.held_bytes());
        connection.status = ConnectionStatus::default();
        connection.status.with(ConnectionStatus::OUTPUT, connection.has_output())
    }

    fn datagram_reply_bytes_max(&self) -> usize {
        self.config.store.item_bytes_max as usize + limits::DATAGRAM_REPLY_EXTRA_BYTES
    }

    /// Whether the connection at hand is a datagram socket.
    #[inline]
    pub(super) fn takes_datagrams(&self) -> bool {
        self.connections.get(self.inbound.connection).is_some_and(|connection| connection.datagrams.is_some())
    }
}
