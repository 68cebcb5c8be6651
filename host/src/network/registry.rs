//! All sockets of the server, for `stats conns`.
//!
//! A lock is taken only when a connection opens or closes. State that changes with each event is atomic and written by the
//! connection's worker.

use super::address::Address;
use parking_lot::Mutex;
use slab::Slab;
use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU32, Ordering},
};
use wasmcached_core::{
    boundary::host::{ConnectionRecord, ConnectionState, Connections},
    limits::CONNECTIONS_PIECE_MAX,
};

/// A connection in the registry.
#[derive(Debug)]
pub(crate) struct RegistryEntry {
    pub(crate) descriptor: u32,
    pub(crate) peer: Address,
    listener: u32,
    /// When the last input was received, of TLS any byte.
    active_s: AtomicU32,
    state: AtomicU8,
    key: AtomicU32,
}

impl RegistryEntry {
    /// Records input at `now`.
    #[inline]
    pub(crate) fn touch(&self, now: u32) {
        // Usually it is the same second: then the cache line stays clean.
        if self.active_s.load(Ordering::Relaxed) != now {
            self.active_s.store(now, Ordering::Relaxed);
        }
    }

    /// Changes the state.
    #[inline]
    pub(crate) fn set_state(&self, state: ConnectionState) {
        if self.state.load(Ordering::Relaxed) != state as u8 {
            self.state.store(state as u8, Ordering::Relaxed);
        }
    }

    /// Whether the connection watches.
    pub(crate) fn is_watching(&self) -> bool {
        self.state.load(Ordering::Relaxed) == ConnectionState::Watching as u8
    }

    /// Seconds since the last input.
    pub(crate) fn idle_s(&self, now: u32) -> u32 {
        now.saturating_sub(self.active_s.load(Ordering::Relaxed))
    }

    fn state(&self) -> ConnectionState {
        let state = self.state.load(Ordering::Relaxed);
        [ConnectionState::Reading, ConnectionState::Writing, ConnectionState::Parsing, ConnectionState::Watching]
            .into_iter()
            .find(|candidate| *candidate as u8 == state)
            .unwrap_or(ConnectionState::Waiting)
    }
}

/// All listeners and connections.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    listeners: Mutex<Vec<(u32, Address)>>,
    connections: Mutex<Slab<Arc<RegistryEntry>>>,
}

impl Registry {
    /// Adds a listener; returns its number.
    pub(crate) fn add_listener(&self, descriptor: u32, address: Address) -> u32 {
        let mut listeners = self.listeners.lock();
        listeners.push((descriptor, address));
        listeners.len() as u32 - 1
    }

    /// Adds a UDP socket; its entry stands for all of its peers.
    pub(crate) fn add_datagrams(&self, descriptor: u32, address: Address, now: u32) -> Arc<RegistryEntry> {
        self.add_listener(descriptor, address.clone());
        Arc::new(RegistryEntry {
            descriptor,
            peer: address,
            listener: u32::MAX,
            active_s: AtomicU32::new(now),
            state: AtomicU8::new(ConnectionState::Datagrams as u8),
            key: AtomicU32::new(u32::MAX),
        })
    }

    /// Adds a connection that `listener` accepted.
    pub(crate) fn add(&self, descriptor: u32, peer: Address, listener: u32, now: u32) -> Arc<RegistryEntry> {
        let entry = Arc::new(RegistryEntry {
            descriptor,
            peer,
            listener,
            active_s: AtomicU32::new(now),
            state: AtomicU8::new(ConnectionState::Waiting as u8),
            key: AtomicU32::new(0),
        });
        let key = self.connections.lock().insert(Arc::clone(&entry));
        entry.key.store(key as u32, Ordering::Relaxed);
        entry
    }

    /// Removes a connection.
    pub(crate) fn remove(&self, entry: &RegistryEntry) {
        let mut connections = self.connections.lock();
        connections.try_remove(entry.key.load(Ordering::Relaxed) as usize);
        // The table shrinks after a peak of connections.
        if connections.capacity() > 1024 && connections.len() < connections.capacity() / 4 {
            connections.shrink_to_fit();
        }
    }

    /// Open connections.
    pub(crate) fn count(&self) -> usize {
        self.connections.lock().len()
    }

    /// Capacity of the table of connections.
    pub(crate) fn capacity(&self) -> usize {
        self.connections.lock().capacity()
    }

    /// Some sockets from position `from` on, for the connection `requester`: first the listeners, then the connections
    /// by their keys. See [`Connections`].
    pub(crate) fn records(&self, requester: &RegistryEntry, from: u64, now: u32) -> Vec<u8> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let listeners = self.listeners.lock();
        let listening = listeners.iter().map(|(descriptor, address)| ConnectionRecord {
            descriptor: *descriptor,
            state: match address {
                Address::Udp(_) => ConnectionState::Datagrams,
                _ => ConnectionState::Listening,
            },
            idle_s: 0,
            address: address.to_string(),
            listen_address: String::new(),
        });
        let entries = self.connections.lock();
        let keys = from.saturating_sub(listeners.len())..entries.capacity();
        // One more than is shown: its position is that of the next piece.
        let mut connected: Vec<_> = keys
            .filter_map(|key| Some((key, entries.get(key)?)))
            .take(CONNECTIONS_PIECE_MAX + 1)
            .map(|(key, entry)| (key, Arc::clone(entry)))
            .collect();
        drop(entries);
        let next = if connected.len() > CONNECTIONS_PIECE_MAX { connected.pop() } else { None };
        let next = next.map_or(Connections::END, |(key, _)| (listeners.len() + key) as u64);
        let connected = connected.iter().map(|(_, entry)| ConnectionRecord {
            descriptor: entry.descriptor,
            state: if std::ptr::eq(&raw const **entry, requester) { ConnectionState::Parsing } else { entry.state() },
            idle_s: entry.idle_s(now),
            address: entry.peer.to_string(),
            listen_address: listeners.get(entry.listener as usize).map_or_else(String::new, |l| l.1.to_string()),
        });
        Connections::encode(next, listening.skip(from).chain(connected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_name_listeners_and_connections() {
        let registry = Registry::default();
        let address = |text: &str| Address::Tcp(text.parse().unwrap());
        let listener = registry.add_listener(5, address("127.0.0.1:11211"));
        let requester = registry.add(9, address("127.0.0.1:40000"), listener, 100);
        let other = registry.add(10, address("[::1]:40001"), listener, 100);
        other.set_state(ConnectionState::Writing);
        other.touch(103);
        let bytes = registry.records(&requester, 0, 105);
        let connections = Connections::decode(&bytes);
        assert_eq!(connections.next, Connections::END);
        let records: Vec<_> = connections.collect();
        assert_eq!(records.len(), 3);
        assert_eq!(
            (records[0].state, records[0].address.as_str()),
            (ConnectionState::Listening, "tcp:127.0.0.1:11211")
        );
        assert_eq!((records[1].state, records[1].idle_s), (ConnectionState::Parsing, 5));
        assert_eq!((records[2].state, records[2].idle_s), (ConnectionState::Writing, 2));
        assert_eq!(records[2].address, "tcp6:[::1]:40001");
        registry.remove(&other);
        registry.remove(&other);
        assert_eq!(registry.count(), 1);
    }

    #[test]
    fn many_connections_are_listed_in_pieces() {
        let registry = Registry::default();
        let address = |text: &str| Address::Tcp(text.parse().unwrap());
        let listener = registry.add_listener(5, address("127.0.0.1:11211"));
        registry.add_listener(6, address("127.0.0.1:11212"));
        let entries: Vec<_> =
            (0..1000).map(|number| registry.add(10 + number, address("127.0.0.1:40000"), listener, 0)).collect();
        // Holes, and a piece that ends exactly at the last connection.
        entries.iter().step_by(3).for_each(|entry| registry.remove(entry));
        let left: Vec<u32> =
            entries.iter().map(|entry| entry.descriptor).filter(|number| (number - 10) % 3 != 0).collect();
        for count in [left.len(), CONNECTIONS_PIECE_MAX + 1, CONNECTIONS_PIECE_MAX, 0] {
            let kept = &left[..count];
            entries.iter().filter(|entry| !kept.contains(&entry.descriptor)).for_each(|entry| registry.remove(entry));
            let (mut from, mut listed, mut pieces) = (0, Vec::new(), 0);
            while from != Connections::END {
                let bytes = registry.records(&entries[0], from, 0);
                let mut connections = Connections::decode(&bytes);
                let before = listed.len();
                listed.extend(connections.by_ref().map(|record| record.descriptor));
                assert!(listed.len() - before <= CONNECTIONS_PIECE_MAX + 2);
                assert!(connections.next > from);
                from = connections.next;
                pieces += 1;
            }
            assert_eq!(listed, [&[5, 6], kept].concat());
            assert_eq!(pieces, count.div_ceil(CONNECTIONS_PIECE_MAX).max(1), "{count} connections");
        }
    }
}
