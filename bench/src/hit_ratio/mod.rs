//! Miss ratios side by side: the exact LRU, this store, real memcached, on the same requests in as much memory.
//!
//! Owns: loads (a trace, and synthetic ones from a seed), their replay against each contender, the table and the pictures
//! made of the outcome. Refuses: time. Requests carry a second of their own, and nothing here measures speed.
//!
//! | file | owns |
//! |---|---|
//! | `request` | a request, and counts of misses
//! | `load` | what a load is, and its requests in order |
//! | `synthetic` | loads from a seed |
//! | `trace` | a load from a file |
//! | `weight` | what an item takes in this store |
//! | `lru` | the exact LRU |
//! | `store` | this store, in process |
//! | `memcached` | memcached over loopback |
//! | `compare` | all of them on one load |
//! | `held` | how many items fit |
//! | `report`, `plot`, `documentation` | what is shown |
//! | `cli` | the command line |

pub mod cli;
pub mod compare;
pub mod documentation;
pub mod held;
pub mod load;
pub mod lru;
pub mod memcached;
pub mod plot;
pub mod report;
pub mod request;
pub mod store;
pub mod synthetic;
pub mod trace;
pub mod weight;
