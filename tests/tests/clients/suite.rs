//! The list of suites: which client, over what, and how it is run.

use crate::{
    examples,
    interpreters::{Language, run_script},
    statistics, tools,
};
use std::path::PathBuf;

/// The fewest tests of a script: a suite must not shrink without notice.
const SCRIPT_TESTS_MIN: usize = 15;

/// How a client talks to its servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The text protocol over TCP.
    Text,
}

impl Over {
    /// As the table has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
        }
    }
}

/// Whom a suite runs against.
#[derive(Debug)]
pub(crate) struct Site {
    /// The server's program.
    pub(crate) program: PathBuf,
    /// Whether it is memcached itself.
    pub(crate) is_oracle: bool,
    /// How it is talked to.
    pub(crate) over: Over,
}

/// What a client did.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The client's own version.
    pub(crate) version: String,
    /// What passed, by name.
    pub(crate) passed: Vec<String>,
    /// What failed as it does with memcached 1.6.45, by name.
    pub(crate) failed_alike: Vec<String>,
}

/// Runs a client that is no script.
type Run = fn(&Site) -> Result<Report, String>;

/// How a client is run.
#[derive(Clone, Copy, Debug)]
enum Way {
    Script(Language, &'static str),
    Program(Run),
}

/// A client and how it talks.
#[derive(Debug)]
pub(crate) struct Suite {
    /// As the table has it.
    pub(crate) client: &'static str,
    /// What it speaks.
    pub(crate) over: Over,
    way: Way,
}

/// All of them, in the order of the table.
pub(crate) static SUITES: [Suite; SUITES_COUNT] = [
    script("pymemcache", Over::Text, Language::Python, "pymemcache_suite.py"),
    script("pylibmc", Over::Text, Language::Python, "pylibmc_suite.py"),
    script("emcache", Over::Text, Language::Python, "emcache_suite.py"),
    script("aiomcache", Over::Text, Language::Python, "aiomcache_suite.py"),
    script("Django, PyMemcacheCache", Over::Text, Language::Python, "django_pymemcache.py"),
    script("Django, PyLibMCCache", Over::Text, Language::Python, "django_pylibmc.py"),
    script("Flask-Caching, MemcachedCache", Over::Text, Language::Python, "flask_suite.py"),
    script("memcached (npm)", Over::Text, Language::Node, "memcached.mjs"),
    script("memcache-client (npm)", Over::Text, Language::Node, "memcache-client.mjs"),
    script("php-memcached", Over::Text, Language::Php, "memcached.php"),
    script("Cache::Memcached::Fast", Over::Text, Language::Perl, "fast.pl"),
    script("spymemcached", Over::Text, Language::Java, "Spymemcached.java"),
    script("gomemcache", Over::Text, Language::Go, "gomemcache.go"),
    program("memccapable", Over::Text, tools::capable),
    program("tools of libmemcached", Over::Text, tools::all),
    program("memcached-tool", Over::Text, statistics::memcached_tool),
    program("damemtop", Over::Text, statistics::damemtop),
    program("example cache_aside", Over::Text, examples::cache_aside),
];

const SUITES_COUNT: usize = 18;

const fn script(client: &'static str, over: Over, language: Language, file: &'static str) -> Suite {
    Suite { client, over, way: Way::Script(language, file) }
}

const fn program(client: &'static str, over: Over, run: Run) -> Suite {
    Suite { client, over, way: Way::Program(run) }
}

impl Suite {
    /// Whether the client comes as a package of Debian's: elsewhere it is not run.
    pub(crate) fn wants_debian(&self) -> bool {
        match self.way {
            Way::Script(language, _) => !matches!(language, Language::Node | Language::Python),
            Way::Program(_) => self.client == "damemtop",
        }
    }

    /// Has the client do everything.
    ///
    /// # Errors
    /// What went wrong, with the client's output.
    pub(crate) fn run(&self, site: &Site) -> Result<Report, String> {
        match self.way {
            Way::Script(language, file) => {
                let report = run_script(site, language, file)?;
                let count = report.passed.len();
                if count < SCRIPT_TESTS_MIN { Err(format!("only {count} tests ran")) } else { Ok(report) }
            }
            Way::Program(run) => run(site),
        }
    }
}
