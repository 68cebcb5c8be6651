//! The engine as a native library: one solo instance, or a front with shards.

use crate::{
    embedding::{Embedding, Run, Verbs, configuration},
    target::{Factory, Kind, Target},
};
use wasmcached_core::{boundary::config::Config, engine::Engine, front::ConnectionId};

/// Creates native engines. Zero shards: solo.
#[derive(Debug)]
pub struct NativeFactory {
    /// Shards beside the front.
    pub shards: u32,
}

impl Factory for NativeFactory {
    fn kind(&self) -> Kind {
        Kind::Native
    }

    fn refuses(&self, flags: &[String]) -> Option<String> {
        configuration(flags).err().map(|flag| format!("`{flag}` needs a server"))
    }

    fn start(&self, flags: &[String]) -> Result<Box<dyn Target>, String> {
        let make = |config: &Config, now| {
            let engine = Engine::new(config, now).ok_or("no memory for an engine")?;
            Ok(Box::new(Native(engine)) as Box<dyn Verbs>)
        };
        Ok(Box::new(Embedding::new(flags, self.shards, make)?))
    }
}

struct Native(Engine);

impl Native {
    fn front(&mut self) -> &mut wasmcached_core::front::Front {
        self.0.front().expect("a front or a solo engine")
    }

    fn shard(&mut self) -> &mut wasmcached_core::shard::Shard {
        self.0.shard().expect("a shard or a solo engine")
    }
}

impl Verbs for Native {
    fn open(&mut self, kind: u32) -> u32 {
        self.front().open(kind == 1).0
    }

    fn fill(&mut self, connection: u32, bytes: &[u8]) -> usize {
        let window = self.front().input(ConnectionId(connection));
        let length = window.len().min(bytes.len());
        window[..length].copy_from_slice(&bytes[..length]);
        length
    }

    fn advance(&mut self, connection: u32, received: u32, now: u32) -> u32 {
        self.0.advance(ConnectionId(connection), received as usize, now).0
    }

    fn resume(&mut self, now: u32) -> u32 {
        self.0.resume(now).0
    }

    fn output(&mut self, connection: u32) -> Vec<u8> {
        self.front().output(ConnectionId(connection)).to_vec()
    }

    fn consume(&mut self, connection: u32, bytes: u32) -> u32 {
        self.front().consume(ConnectionId(connection), bytes as usize).0
    }

    fn close(&mut self, connection: u32) {
        self.front().close(ConnectionId(connection));
    }

    fn runs(&mut self) -> Vec<Run> {
        let front = self.front();
        let (runs, bytes) = front.runs();
        runs.iter()
            .map(|run| Run {
                target: run.target.0,
                commands: [&bytes[run.start..run.start + run.bytes], front.tail(run)].concat(),
                tail_bytes: run.tail.length,
                count: run.count,
            })
            .collect()
    }

    fn reply(&mut self, run: u32, executed: u32, replies: &[u8]) {
        if let Some(room) = self.front().reply(run as usize, executed, replies.len()) {
            room.copy_from_slice(replies);
        }
    }

    fn execute(&mut self, run: &Run, now: u32, room: u32) -> (u32, Vec<u8>) {
        let mut replies = Vec::new();
        let run_bytes = run.commands.split_at(run.commands.len() - run.tail_bytes as usize);
        let executed = self.shard().execute_batch(run_bytes, run.count, now, room as usize, &mut replies);
        (executed, replies)
    }

    fn sweep(&mut self, now: u32, steps: u32) -> u32 {
        u32::from(self.shard().sweep(now, steps))
    }

    fn users(&mut self, list: &[u8]) -> u32 {
        self.front().set_users(list).map_or_else(|problem| problem.line, |()| 0)
    }

    fn logins(&mut self) -> u64 {
        let (tries, refused) = self.front().logins();
        u64::from(tries) | u64::from(refused) << 32
    }

    fn refusals(&mut self) -> Vec<u32> {
        self.front().refusals().counts().to_vec()
    }

    fn limit(&mut self, bytes: u64) -> u32 {
        u32::from(self.shard().set_limit(bytes))
    }
}
