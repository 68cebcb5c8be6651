//! The list of suites: the client, its channel, and how it is run.

use crate::{
    collectd, examples,
    interpreters::{Language, run_script},
    site::{BINARY, Channel, Report, Site, TEXT},
    statistics, tools,
};

/// Fewest tests of a script, so that no suite shrinks unnoticed.
const SCRIPT_TESTS_MIN: usize = 15;

/// Runs a client program.
type Run = fn(&Site) -> Result<Report, String>;

/// The program of a suite.
#[derive(Clone, Copy, Debug)]
enum Runner {
    Script(Language, &'static str),
    Program(Run),
}

/// A client and its channel.
#[derive(Debug)]
pub(crate) struct Suite {
    /// Name in the table.
    pub(crate) client: &'static str,
    /// How it talks to servers.
    pub(crate) channel: Channel,
    runner: Runner,
}

/// All suites, in the order of the table.
pub(crate) static SUITES: [Suite; 54] = [
    script("pymemcache", TEXT, Language::Python, "pymemcache_suite.py"),
    script("pymemcache", TEXT.tls(), Language::Python, "pymemcache_suite.py"),
    script("pymemcache", TEXT.unix(), Language::Python, "pymemcache_suite.py"),
    script("pylibmc", TEXT, Language::Python, "pylibmc_suite.py"),
    script("pylibmc", TEXT.unix(), Language::Python, "pylibmc_suite.py"),
    script("pylibmc", BINARY, Language::Python, "pylibmc_suite.py"),
    script("pylibmc", BINARY.login(), Language::Python, "pylibmc_suite.py"),
    script("python-binary-memcached", BINARY, Language::Python, "bmemcached_suite.py"),
    script("python-binary-memcached", BINARY.login(), Language::Python, "bmemcached_suite.py"),
    script("python-binary-memcached", BINARY.login().tls(), Language::Python, "bmemcached_suite.py"),
    script("python-binary-memcached", BINARY.unix(), Language::Python, "bmemcached_suite.py"),
    script("emcache", TEXT, Language::Python, "emcache_suite.py"),
    script("emcache", TEXT.login(), Language::Python, "emcache_suite.py"),
    script("emcache", TEXT.tls(), Language::Python, "emcache_suite.py"),
    script("emcache", TEXT.unix(), Language::Python, "emcache_suite.py"),
    script("aiomcache", TEXT, Language::Python, "aiomcache_suite.py"),
    script("aiomcache", TEXT.tls(), Language::Python, "aiomcache_suite.py"),
    script("Django, PyMemcacheCache", TEXT, Language::Python, "django_pymemcache.py"),
    script("Django, PyMemcacheCache", TEXT.unix(), Language::Python, "django_pymemcache.py"),
    script("Django, PyLibMCCache", TEXT, Language::Python, "django_pylibmc.py"),
    script("Django, PyLibMCCache", TEXT.unix(), Language::Python, "django_pylibmc.py"),
    script("Django, PyLibMCCache", BINARY, Language::Python, "django_pylibmc.py"),
    script("Django, PyLibMCCache", BINARY.login(), Language::Python, "django_pylibmc.py"),
    script("Flask-Caching, MemcachedCache", TEXT, Language::Python, "flask_suite.py"),
    script("Flask-Caching, SASLMemcachedCache", BINARY.login(), Language::Python, "flask_suite.py"),
    script("memcached (npm)", TEXT, Language::Node, "memcached.mjs"),
    script("memcache-client (npm)", TEXT, Language::Node, "memcache-client.mjs"),
    script("memcache-client (npm)", TEXT.tls(), Language::Node, "memcache-client.mjs"),
    script("memjs (npm)", BINARY, Language::Node, "memjs.mjs"),
    script("memjs (npm)", BINARY.login(), Language::Node, "memjs.mjs"),
    script("@keyv/memcache (npm)", BINARY, Language::Node, "keyv.mjs"),
    script("@keyv/memcache (npm)", BINARY.login(), Language::Node, "keyv.mjs"),
    script("php-memcached", TEXT, Language::Php, "memcached.php"),
    script("php-memcached", TEXT.unix(), Language::Php, "memcached.php"),
    script("php-memcached", BINARY, Language::Php, "memcached.php"),
    script("php-memcached", BINARY.login(), Language::Php, "memcached.php"),
    script("dalli (Ruby)", BINARY, Language::Ruby, "dalli.rb"),
    script("dalli (Ruby)", BINARY.login(), Language::Ruby, "dalli.rb"),
    script("dalli (Ruby)", BINARY.unix(), Language::Ruby, "dalli.rb"),
    script("Cache::Memcached::Fast (Perl)", TEXT, Language::Perl, "fast.pl"),
    script("Cache::Memcached::Fast (Perl)", TEXT.unix(), Language::Perl, "fast.pl"),
    script("spymemcached (Java)", TEXT, Language::Java, "Spymemcached.java"),
    script("spymemcached (Java)", BINARY, Language::Java, "Spymemcached.java"),
    script("spymemcached (Java)", BINARY.login(), Language::Java, "Spymemcached.java"),
    script("gomemcache (Go)", TEXT, Language::Go, "gomemcache.go"),
    script("gomemcache (Go)", TEXT.unix(), Language::Go, "gomemcache.go"),
    program("memccapable", TEXT, tools::capable),
    program("memccapable", BINARY, tools::capable),
    program("tools of libmemcached", TEXT, tools::all),
    program("tools of libmemcached", BINARY, tools::all),
    program("memcached-tool", TEXT, statistics::memcached_tool),
    program("damemtop", TEXT, statistics::damemtop),
    program("collectd for Prometheus", TEXT, collectd::exporter),
    program("example cache_aside", TEXT, examples::cache_aside),
];

const fn script(client: &'static str, channel: Channel, language: Language, file: &'static str) -> Suite {
    Suite { client, channel, runner: Runner::Script(language, file) }
}

const fn program(client: &'static str, channel: Channel, run: Run) -> Suite {
    Suite { client, channel, runner: Runner::Program(run) }
}

impl Suite {
    /// Whether the client is a Debian package, and is skipped elsewhere.
    pub(crate) fn wants_debian(&self) -> bool {
        match self.runner {
            Runner::Script(language, _) => !matches!(language, Language::Node | Language::Python),
            Runner::Program(_) => self.client.starts_with("collectd") || self.client == "damemtop",
        }
    }

    /// Runs the client.
    ///
    /// # Errors
    /// The failure, with the client's output.
    pub(crate) fn run(&self, site: &Site) -> Result<Report, String> {
        match self.runner {
            Runner::Script(language, file) => {
                let report = run_script(site, language, file)?;
                let count = report.passed.len();
                if count < SCRIPT_TESTS_MIN { Err(format!("only {count} tests ran")) } else { Ok(report) }
            }
            Runner::Program(run) => run(site),
        }
    }
}
