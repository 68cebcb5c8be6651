//! The worker's sockets for datagrams: each gets its turn beside the connections, and takes a few at a time, so that a flood
//! of them leaves the clients over streams their part of the worker.

use super::{Worker, answers};
use crate::{guest::Fault, limits::DATAGRAMS_AT_ONCE_MAX};
use mio::event::Event;
use std::io::ErrorKind;

impl Worker {
    /// Makes a new front know the sockets for datagrams.
    pub(super) fn open_datagrams(&mut self) -> Result<(), Fault> {
        self.datagrams.iter_mut().try_for_each(|datagrams| datagrams.open_in(&mut self.front))
    }

    pub(super) fn on_datagrams(&mut self, number: usize, event: &Event) -> Result<(), Fault> {
        let Some(datagrams) = self.datagrams.get_mut(number) else { return Ok(()) };
        datagrams.is_readable |= event.is_readable();
        match datagrams.unsent {
            Some((guest, _)) if event.is_writable() => {
                self.front.load_output(guest)?;
                self.send_datagrams(number)
            }
            _ => Ok(()),
        }
    }

    /// Takes some datagrams and answers each.
    pub(super) fn drive_datagrams(&mut self, number: usize) -> Result<(), Fault> {
        for _ in 0..DATAGRAMS_AT_ONCE_MAX {
            let datagrams = &mut self.datagrams[number];
            if !datagrams.is_ready() {
                break;
            }
            self.record()?;
            let datagrams = &mut self.datagrams[number];
            let (received, guest, peer) = match datagrams.receive(&mut self.front)? {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    datagrams.is_readable = false;
                    break;
                }
                // What the network says of an earlier answer.
                Err(error) => {
                    tracing::debug!("{}: receiving: {error}", datagrams.entry.peer);
                    continue;
                }
            };
            self.now = self.shared.clock.now();
            self.shared.workers[self.index].bytes_read.add(received as u64);
            let mut status = self.front.advance(guest, received, self.now)?;
            while status.runs() {
                let asker =
                    answers::RequestOrigin { entry: &self.datagrams[number].entry, stream: None, worker: self.index };
                answers::carry(&self.shared, &mut self.front, &asker, self.now)?;
                status = self.front.resume(self.shared.clock.now())?;
            }
            self.report()?;
            if status.output() {
                self.datagrams[number].unsent = Some((guest, peer));
                self.send_datagrams(number)?;
            }
        }
        Ok(())
    }

    /// Sends the rest of an answer, a datagram after the other. What the network refuses is lost, as datagrams may be.
    fn send_datagrams(&mut self, number: usize) -> Result<(), Fault> {
        let datagrams = &mut self.datagrams[number];
        while let Some((guest, peer)) = datagrams.unsent {
            let output = self.front.output()?;
            let bytes = output.len();
            match datagrams.send(output, peer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => tracing::debug!("{}: sending: {error}", datagrams.entry.peer),
                Ok(sent) => self.shared.workers[self.index].bytes_written.add(sent as u64),
            }
            if !self.front.consume(guest, bytes)?.output() {
                datagrams.unsent = None;
            }
        }
        Ok(())
    }
}
