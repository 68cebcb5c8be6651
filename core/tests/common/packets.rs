//! Packets of the binary protocol from a seed: valid ones of every opcode, and broken ones.

use super::{random::Random, requests::Kind, requests::value};

/// One packet, all of it. `known` are uniques to compare with.
pub(crate) fn packet(random: &mut Random, kind: &Kind, known: &dyn Fn(&[u8]) -> Option<u64>) -> Vec<u8> {
    let key = kind.keys[random.within(0..kind.keys.len())].clone();
    let cas = match random.within(0..6) {
        0 => known(&key).unwrap_or(1),
        1 if random.once_in(4) => random.bits(),
        _ => 0,
    };
    if kind.quits && random.once_in(150) {
        return build(random.pick_byte(&[0x07, 0x17]), &[], &[], &[], 0, random);
    }
    if kind.global && random.once_in(20) {
        let group = random.pick(&["", "items", "slabs", "sizes", "settings", "foo"]);
        return match random.within(0..3) {
            0 => build(random.pick_byte(&[0x08, 0x18]), &exptime(random), &[], &[], 0, random),
            1 => build(0x08, &[], &[], &[], 0, random),
            _ => build(0x10, &[], group.as_bytes(), &[], 0, random),
        };
    }
    if kind.broken && random.once_in(12) {
        return broken(random, kind, &key);
    }
    match random.within(0..16) {
        0..5 => build(random.pick_byte(&[0x00, 0x09, 0x0c, 0x0d]), &[], &key, &[], cas, random),
        5..9 => {
            let flags = random.bits() as u32;
            let extras = [flags.to_be_bytes(), exptime(random)].concat();
            let opcode = random.pick_byte(&[0x01, 0x11, 0x01, 0x11, 0x02, 0x12, 0x03, 0x13]);
            build(opcode, &extras, &key, &value(random, kind), cas, random)
        }
        9 => build(random.pick_byte(&[0x0e, 0x0f, 0x19, 0x1a]), &[], &key, &value(random, kind), cas, random),
        10 => build(random.pick_byte(&[0x04, 0x14]), &[], &key, &[], cas, random),
        11..13 => {
            let numbers = [1, 9, 1000, u64::MAX].map(u64::to_be_bytes);
            let (delta, initial) = (numbers[random.within(0..4)], numbers[random.within(0..4)]);
            let exptime = if random.once_in(2) { u32::MAX.to_be_bytes() } else { exptime(random) };
            let extras = [&delta[..], &initial, &exptime].concat();
            build(random.pick_byte(&[0x05, 0x06, 0x15, 0x16]), &extras, &key, &[], cas, random)
        }
        13..15 => build(random.pick_byte(&[0x1c, 0x1d, 0x1e, 0x23, 0x24]), &exptime(random), &key, &[], cas, random),
        _ => build(random.pick_byte(&[0x0a, 0x0b]), &[], &[], &[], 0, random),
    }
}

fn build(opcode: u8, extras: &[u8], key: &[u8], value: &[u8], cas: u64, random: &mut Random) -> Vec<u8> {
    let body = [extras, key, value].concat();
    let mut packet = vec![0x80, opcode];
    packet.extend((key.len() as u16).to_be_bytes());
    packet.extend([extras.len() as u8, 0, 0, 0]);
    packet.extend((body.len() as u32).to_be_bytes());
    packet.extend((random.bits() as u32).to_be_bytes());
    packet.extend(cas.to_be_bytes());
    packet.extend(body);
    packet
}

fn exptime(random: &mut Random) -> [u8; 4] {
    let seconds = [0, 0, 0, 1, 2, 5, 100, 2_592_000, 2_592_001, 1_800_000_050, 1 << 31];
    u32::to_be_bytes(seconds[random.within(0..seconds.len())])
}

/// A packet that is refused; seldom one that ends the connection.
fn broken(random: &mut Random, kind: &Kind, key: &[u8]) -> Vec<u8> {
    let filler = |bytes: usize| vec![b'x'; bytes];
    match random.within(0..12) {
        0 => build(random.pick_byte(&[0x1b, 0x1f, 0x30, 0x60, 0x77, 0xff]), b"ext", key, b"value", 0, random),
        1 => build(random.pick_byte(&[0x20, 0x25]), &[], &[], &[], 0, random),
        2 => build(random.pick_byte(&[0x21, 0x22]), &[], b"PLAIN", b"\0user\0password", 0, random),
        3..6 => {
            let length = kind.item_bytes_max - 59 - key.len() + 1 + random.length(3000);
            let opcode = random.pick_byte(&[0x01, 0x11, 0x02, 0x03]);
            build(opcode, &[0; 8], key, &filler(length), 0, random)
        }
        6 => {
            let length = kind.item_bytes_max - 59 - key.len();
            build(random.pick_byte(&[0x0e, 0x19]), &[], key, &filler(length), 0, random)
        }
        7 => build(0x10, &[], b"detail foo", &[], 0, random),
        _ if !kind.quits || !random.once_in(8) => build(0x77, &[], &[], &[], 0, random),
        // From here on the connection is closed.
        8 => build(random.pick_byte(&[0x00, 0x01, 0x04, 0x05, 0x1c]), &[], &filler(251), &[], 0, random),
        9 => build(random.pick_byte(&[0x01, 0x05, 0x1c, 0x08]), b"123", key, &[], 0, random),
        10 => build(random.pick_byte(&[0x00, 0x04, 0x0a, 0x10]), &[], key, b"value", 0, random),
        _ => {
            let mut packet = build(0x01, &[0; 8], key, b"value", 0, random);
            let at = random.within(0..12);
            packet[at] = random.bits() as u8;
            packet
        }
    }
}
