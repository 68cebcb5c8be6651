//! The worker's UDP sockets. Each has its turn beside the connections and takes a bounded number of datagrams, so that a
//! flood of them leaves the other clients their share of the worker.

use super::{Worker, answers};
use crate::{
    guest::Fault,
    limits::{DATAGRAMS_AT_ONCE_BYTES_MAX, DATAGRAMS_AT_ONCE_MAX},
};
use mio::event::Event;
use std::io::ErrorKind;

impl Worker {
    /// Opens the UDP sockets in a new front.
    pub(super) fn open_udp_sockets(&mut self) -> Result<(), Fault> {
        self.udp_sockets.iter_mut().try_for_each(|socket| socket.open_in(&mut self.front))
    }

    /// Handles an event of a UDP socket.
    pub(super) fn on_udp_event(&mut self, number: usize, event: &Event) -> Result<(), Fault> {
        let Some(socket) = self.udp_sockets.get_mut(number) else { return Ok(()) };
        socket.is_readable |= event.is_readable();
        match socket.unsent {
            Some((guest, _)) if event.is_writable() => {
                self.front.load_output(guest)?;
                self.send_datagrams(number)
            }
            _ => Ok(()),
        }
    }

    /// Receives some datagrams and answers each.
    pub(super) fn drive_udp_socket(&mut self, number: usize) -> Result<(), Fault> {
        let mut received_bytes = 0;
        for _ in 0..DATAGRAMS_AT_ONCE_MAX {
            let socket = &mut self.udp_sockets[number];
            if !socket.is_ready() || received_bytes >= DATAGRAMS_AT_ONCE_BYTES_MAX {
                break;
            }
            self.record_events()?;
            let socket = &mut self.udp_sockets[number];
            let (received, guest, peer) = match socket.receive(&mut self.front)? {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    socket.is_readable = false;
                    break;
                }
                // The network reports a failure of an earlier send.
                Err(error) => {
                    tracing::debug!("{}: receiving: {error}", socket.entry.peer);
                    self.counters().datagrams_lost.add(1);
                    continue;
                }
            };
            received_bytes += received;
            self.read_clock()?;
            self.shared.workers[self.index].bytes_read.add(received as u64);
            let mut status = self.front.advance(guest, received, self.now)?;
            while status.runs() {
                self.publish_counts()?;
                let origin =
                    answers::RequestOrigin { entry: &self.udp_sockets[number].entry, stream: None, worker: self.index };
                answers::execute_runs(&self.shared, &mut self.front, &mut self.desks, &origin, self.now)?;
                if self.shared.clock.is_altered() {
                    // A run may have moved the clock.
                    self.read_clock()?;
                }
                status = self.front.resume(self.now)?;
            }
            self.post_events()?;
            self.publish_counts()?;
            if status.output() {
                self.udp_sockets[number].unsent = Some((guest, peer));
                self.send_datagrams(number)?;
            }
        }
        Ok(())
    }

    /// Sends the rest of a reply, one datagram after another. A datagram that the network refuses is lost.
    fn send_datagrams(&mut self, number: usize) -> Result<(), Fault> {
        let socket = &mut self.udp_sockets[number];
        while let Some((guest, peer)) = socket.unsent {
            let output = self.front.output()?;
            let bytes = output.len();
            match socket.send(output, peer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::debug!("{}: sending: {error}", socket.entry.peer);
                    self.shared.workers[self.index].datagrams_lost.add(1);
                }
                Ok(sent) => self.shared.workers[self.index].bytes_written.add(sent as u64),
            }
            if !self.front.consume(guest, bytes)?.output() {
                socket.unsent = None;
            }
        }
        Ok(())
    }
}
