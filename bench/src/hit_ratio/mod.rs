//! Miss ratios side by side: the exact LRU, this store, real memcached, on the same requests in as much memory.
//!
//! Owns: loads (a trace, and synthetic ones from a seed), their replay against each cache, tables and pictures of the
//! results. Refuses: time. Requests carry their own second, and nothing here measures speed.
//!
//! | file | owns |
//! |---|---|
//! | `request` | a request, and counts of misses
//! | `load` | a load, and its requests in order |
//! | `synthetic` | loads from a seed |
//! | `trace` | a load from a file |
//! | `weight` | bytes of an item in this store |
//! | `lru` | the exact LRU |
//! | `store` | this store, in process |
//! | `memcached` | memcached over loopback |
//! | `compare` | all of them on one load |
//! | `capacity` | how many items fit |
//! | `report`, `plot`, `documentation` | tables, picture and page |
//! | `cli` | the command line |

pub mod capacity;
pub mod cli;
pub mod compare;
pub mod documentation;
pub mod load;
pub mod lru;
pub mod memcached;
pub mod plot;
pub mod report;
pub mod request;
pub mod s3fifo;
pub mod store;
pub mod synthetic;
pub mod trace;
pub mod weight;
