//! Output: what the connection at hand sends, and what it keeps when its socket takes less.

use super::{ConnectionId, ConnectionStatus, Front};
use crate::reply::Lender;

impl Front {
    /// The output of `id`; with [`ConnectionStatus::SLICES`] without what is borrowed.
    pub fn output(&self, id: ConnectionId) -> &[u8] {
        match self.connections.get(id.0 as usize) {
            Some(connection) if connection.has_output() => connection.output(),
            Some(_) if self.inbound.connection == id.0 as usize => &self.output,
            _ => &[],
        }
    }

    /// Takes the first `sent` bytes from the output and keeps the rest with the connection. Nothing may be borrowed.
    pub fn consume(&mut self, id: ConnectionId, sent: usize) -> ConnectionStatus {
        self.consume_lent(id, sent, &())
    }

    /// [`Front::consume`] of output that may have borrowed values.
    pub fn consume_lent(&mut self, id: ConnectionId, sent: usize, lender: &dyn Lender) -> ConnectionStatus {
        let is_tight = self.budget.is_tight();
        let Some(connection) = self.connections.get_mut(id.0 as usize) else { return ConnectionStatus::CLOSE };
        let before = connection.held_bytes();
        if connection.has_output() {
            if sent > 0 {
                connection.progress_at = self.context.time.now;
            }
            connection.drop_output(sent);
        } else if self.inbound.connection == id.0 as usize {
            connection.progress_at = self.context.time.now;
            let mut kept = self.output.len() + self.borrowed.bytes();
            let sent = sent.min(kept);
            if let Some(stream) = &mut connection.stream {
                stream.keep();
            }
            if is_tight || !self.borrowed.is_empty() {
                kept = sent + connection.rewind_stream(kept - sent);
            }
            if self.borrowed.is_empty() {
                connection.keep_output(self.output[sent..kept].to_vec());
            } else {
                connection.keep_output(self.borrowed.copy(&self.output, lender, sent..kept));
            }
            self.output.clear();
            self.borrowed.clear();
            connection.status = connection.status.with(ConnectionStatus::MORE, connection.stream.is_some());
        }
        self.budget.change(before, connection.held_bytes());
        connection.status.with(ConnectionStatus::OUTPUT, connection.has_output())
    }
}
