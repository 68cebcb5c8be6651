//! One exchange with a client: receive, a call into the guest, its runs, send.

use super::{Worker, answers, connection::ConnectionFlag};
use crate::{
    guest::{Fault, Front, FrontStatus, OutputSlices},
    network::{registry::RegistryEntry, socket::Socket, tls::Scratch},
};
use mio::event::Event;
use std::io::{self, ErrorKind};
use wasmcached_core::boundary::{event::Reason, status::NO_CONNECTION};

/// Offers the front's output to the socket, in one call. Returns the number of bytes, and how many the socket took.
#[inline]
fn offer(
    front: &Front,
    status: FrontStatus,
    socket: &mut Socket,
    scratch: &mut Scratch,
) -> Result<(usize, io::Result<usize>), Fault> {
    if status.slices() {
        return offer_slices(front, socket, scratch);
    }
    let output = front.output()?;
    let sent = if output.is_empty() { Ok(0) } else { socket.send(output, scratch) };
    Ok((output.len(), sent))
}

fn offer_slices(
    front: &Front,
    socket: &mut Socket,
    scratch: &mut Scratch,
) -> Result<(usize, io::Result<usize>), Fault> {
    let mut slices = OutputSlices::default();
    let (count, bytes) = front.output_slices(&mut slices)?;
    Ok((bytes, socket.send_slices(&slices.0[..count], scratch)))
}

impl Worker {
    /// Handles an event of a connection's socket.
    pub(super) fn on_event(&mut self, index: usize, event: &Event) -> Result<(), Fault> {
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        let hung_up = event.is_read_closed() || event.is_error();
        if event.is_readable() || hung_up {
            connection.set(ConnectionFlag::Readable, true);
            if hung_up {
                connection.set(ConnectionFlag::HungUp, true);
            }
        }
        // The socket's own output, of a handshake, is sent by the next receive.
        if event.is_writable() && connection.socket.has_unsent() {
            connection.set(ConnectionFlag::Readable, true);
        }
        if connection.is(ConnectionFlag::Waiting) && (event.is_error() || event.is_write_closed()) {
            // The client has reset its stream. One that has only ended it waits for the answer.
            self.counters().connection_errors.add(1);
            self.close(index)
        } else if connection.is(ConnectionFlag::Writing) {
            if event.is_writable() || event.is_write_closed() || event.is_error() { self.flush(index) } else { Ok(()) }
        } else if connection.is(ConnectionFlag::Queued) {
            Ok(())
        } else {
            self.drive(index)
        }
    }

    /// Gives a connection one turn: the guest's pending work on it, or else one receive.
    #[inline]
    pub(super) fn drive(&mut self, index: usize) -> Result<(), Fault> {
        self.record_events()?;
        self.observe_room()?;
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        if connection.is(ConnectionFlag::Writing) || connection.is(ConnectionFlag::Waiting) {
            return Ok(());
        }
        if connection.is(ConnectionFlag::More) {
            let guest = connection.guest;
            self.read_clock()?;
            let status = self.front.advance(guest, 0, self.now)?;
            return self.apply_status(index, status);
        }
        if !connection.is(ConnectionFlag::Readable) {
            return Ok(());
        }
        let has_own = connection.is(ConnectionFlag::OwnWindow);
        let window = self.front.window(connection.guest, has_own, self.room.is_pressed)?;
        match connection.socket.receive(window, &mut self.scratch) {
            Ok(0) if connection.socket.is_encrypted() => self.close(index),
            // The peer has ended the stream: there is no more input that could reset it.
            Ok(0) => self.drop_because(index, Reason::Normal),
            Ok(received) => {
                // A short receive means an empty socket. Windows sends no new event until a receive has blocked.
                let drained = cfg!(unix)
                    && connection.socket.is_drained(received, window.len())
                    && !connection.is(ConnectionFlag::HungUp);
                connection.set(ConnectionFlag::Readable, !drained);
                let guest = connection.guest;
                // Only now: the process may have been stopped until the request came, and another worker may have served a
                // later second. An item that has expired must not be found.
                self.read_clock()?;
                self.connections[index].note_received(received, self.now);
                self.shared.workers[self.index].bytes_read.add(received as u64);
                let status = self.front.advance(guest, received, self.now)?;
                self.apply_status(index, status)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // If the socket's own output blocks, the input is unknown: the event stays.
                if !connection.socket.has_unsent() {
                    connection.set(ConnectionFlag::Readable, false);
                    connection.set(ConnectionFlag::HungUp, false);
                }
                self.note_ciphertext(index)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.queue(index);
                self.note_ciphertext(index)
            }
            Err(error) => {
                tracing::warn!("{}: receiving: {error}", connection.entry.peer);
                // Errors of TLS have statistics of their own.
                if error.kind() != ErrorKind::InvalidData && connection.socket.handshaking_since().is_none() {
                    self.counters().connection_errors.add(1);
                }
                // After a violation of TLS the stream goes on, and the peer is to read the alert.
                if error.kind() == ErrorKind::InvalidData {
                    return self.close_because(index, Reason::Error);
                }
                self.drop_because(index, Reason::Error)
            }
        }
    }

    /// Notes ciphertext that was received without plaintext: a part of a record, or of a handshake.
    fn note_ciphertext(&mut self, index: usize) -> Result<(), Fault> {
        let bytes = self.connections[index].socket.take_ciphertext_bytes();
        if bytes > 0 {
            self.read_clock()?;
            self.connections[index].note_received(bytes, self.now);
        }
        Ok(())
    }

    /// Acts on the status that a call about this connection returned.
    #[inline]
    fn apply_status(&mut self, index: usize, mut status: FrontStatus) -> Result<(), Fault> {
        while status.runs() {
            self.execute_runs(index)?;
            if self.shared.clock.is_altered() {
                // A run may have moved the clock.
                self.read_clock()?;
            }
            status = self.front.resume(self.now)?;
        }
        self.post_events()?;
        self.publish_counts()?;
        if status.output() {
            return self.send(index, status);
        }
        self.store_status(index, status)
    }

    /// Sends the guest's output, all in one if the socket takes it.
    fn send(&mut self, index: usize, mut status: FrontStatus) -> Result<(), Fault> {
        let counters = &self.shared.workers[self.index];
        let connection = &mut self.connections[index];
        let mut writing = false;
        while status.output() {
            let (bytes, result) = offer(&self.front, status, &mut connection.socket, &mut self.scratch)?;
            if bytes == 0 {
                // The guest has dropped the output since: its status says what follows.
                status = self.front.consume(connection.guest, 0)?;
                writing = false;
                break;
            }
            let sent = match result {
                Ok(sent) => sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::warn!("{}: sending: {error}", connection.entry.peer);
                    counters.connection_errors.add(1);
                    connection.set(ConnectionFlag::Writing, true);
                    return self.drop_because(index, Reason::Error);
                }
            };
            counters.bytes_written.add(sent as u64);
            if sent == bytes && !connection.is(ConnectionFlag::Writing) {
                break;
            }
            status = self.front.consume(connection.guest, sent)?;
            connection.note_flushed(sent, self.now);
            // Without OUTPUT and MORE the guest has dropped the rest, and no event would come for it. With MORE alone it
            // makes the rest again when the socket is writable.
            writing = sent < bytes && (status.output() || status.more());
            // Windows reports a socket as writable only after a send has blocked.
            if writing && (cfg!(unix) || sent == 0) {
                break;
            }
            writing &= status.output();
        }
        connection.set(ConnectionFlag::Writing, writing);
        self.store_status(index, status)
    }

    /// Sends the output that the guest keeps for a connection, once its socket is writable again.
    pub(super) fn flush(&mut self, index: usize) -> Result<(), Fault> {
        // The client has just taken what was sent before.
        self.read_clock()?;
        let guest = self.connections[index].guest;
        self.front.load_output(guest)?;
        self.send(index, FrontStatus::OUTPUT)
    }

    /// Keeps the status between events; closes or queues the connection accordingly.
    #[inline]
    fn store_status(&mut self, index: usize, status: FrontStatus) -> Result<(), Fault> {
        let connection = &mut self.connections[index];
        connection.set(ConnectionFlag::More, status.more());
        connection.set(ConnectionFlag::Partial, status.partial());
        connection.set(ConnectionFlag::OwnWindow, status.own_window());
        connection.publish();
        self.publish_room();
        if status.waiting() {
            self.wait_for_room(index)?;
        }
        let connection = &self.connections[index];
        if connection.is(ConnectionFlag::Writing) {
            // The guest repeats the rest of the status when the output is sent.
            return Ok(());
        }
        if status.close() {
            return self.close(index);
        }
        if status.later() {
            return self.wait_for_later(index);
        }
        let is_ready = connection.is(ConnectionFlag::More) || connection.is(ConnectionFlag::Readable);
        if is_ready && !connection.is(ConnectionFlag::Waiting) {
            self.queue(index);
        }
        Ok(())
    }

    pub(super) fn queue(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if !connection.is(ConnectionFlag::Queued) {
            connection.set(ConnectionFlag::Queued, true);
            self.ready.push_back(index);
        }
    }

    fn close(&mut self, index: usize) -> Result<(), Fault> {
        self.close_because(index, Reason::Normal)
    }

    /// Ends a connection; its client reads everything that was sent.
    pub(super) fn close_because(&mut self, index: usize, reason: Reason) -> Result<(), Fault> {
        let socket = self.forget(index, reason)?;
        self.lingering.add(self.poll.registry(), socket);
        Ok(())
    }

    /// Ends a connection without regard to its client, which is gone or not served yet.
    pub(super) fn drop_because(&mut self, index: usize, reason: Reason) -> Result<(), Fault> {
        self.forget(index, reason).map(drop)
    }

    /// Forgets a connection; returns its socket.
    pub(super) fn forget(&mut self, index: usize, reason: Reason) -> Result<Socket, Fault> {
        let connection = self.connections.remove(index);
        self.counters().replies_cut.add(connection.is(ConnectionFlag::Writing).into());
        let RegistryEntry { peer, descriptor, .. } = &*connection.entry;
        tracing::info!("{peer} closed");
        if connection.is(ConnectionFlag::Watching) {
            self.watchers.retain(|&watching| watching != index);
            self.shared.watching.forget(self.index, connection.guest);
        }
        self.shared.watching.closed(peer, *descriptor, reason);
        self.shared.forget(&connection.entry);
        if connection.is(ConnectionFlag::Waiting) {
            self.leave_room_queue(index);
        }
        self.front.close(connection.guest)?;
        if connection.is(ConnectionFlag::Writing) || connection.is(ConnectionFlag::More) {
            self.tell_shards()?;
        }
        self.publish_room();
        self.publish_counts()?;
        Ok(connection.socket)
    }

    /// Tells the shards that a client needs the rest of a long value no longer.
    #[cold]
    fn tell_shards(&mut self) -> Result<(), Fault> {
        let mut status = self.front.advance(NO_CONNECTION, 0, self.now)?;
        while status.runs() {
            // None of these runs asks the host.
            self.shared.stores.execute_runs(&mut self.front, &mut self.desks, self.now, |_, _, _| Ok(Vec::new()))?;
            status = self.front.resume(self.now)?;
        }
        Ok(())
    }

    /// Executes the runs that a request of this connection made.
    fn execute_runs(&mut self, index: usize) -> Result<(), Fault> {
        self.publish_counts()?;
        let connection = &mut self.connections[index];
        let origin =
            answers::RequestOrigin { entry: &connection.entry, stream: Some(connection.guest), worker: self.index };
        answers::execute_runs(&self.shared, &mut self.front, &mut self.desks, &origin, self.now)?;
        if connection.entry.is_watching() && !connection.is(ConnectionFlag::Watching) {
            connection.set(ConnectionFlag::Watching, true);
            self.watchers.push(index);
        }
        Ok(())
    }
}
