//! The laws of the parsers that see bytes before a login: the parser of the one text command, messages of the
//! mechanisms, lists of users. No input panics; a verdict consumes, and does not change when bytes follow.

use proptest::{collection::vec, prelude::*, sample::Index};
use wasmcached_core::{
    authentication::{Exchange, Secrets, Users, split_plain},
    limits,
    protocol::{
        Span, Verdict,
        text::{TextLogin, parse_login},
    },
};

fn soup(words: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let of_words = vec(proptest::sample::select(words), 0..20).prop_map(|words| words.concat());
    prop_oneof![of_words, vec(any::<u8>(), 0..100)]
}

fn commands() -> impl Strategy<Value = Vec<u8>> {
    let whole = (0..40usize, any::<bool>()).prop_map(|(length, ends_well)| {
        let end: &[u8] = if ends_well { b"\r\n" } else { b"x\n" };
        [format!("set k 0 0 {length}\r\n").as_bytes(), &b"user password and more of it to fill the line"[..length], end]
            .concat()
    });
    let words: &[&[u8]] =
        &[b"set ", b"k ", b"0 ", b"0 ", b"3", b"16385", b" ", b"\r\n", b"\n", b"user password", b"\x80"];
    prop_oneof![whole, soup(words)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_command_of_a_login(input in commands(), more in commands(), cut in any::<Index>()) {
        let verdict = parse_login(&input);
        if !matches!(verdict, Verdict::Incomplete { .. }) {
            prop_assert_eq!(parse_login(&[&input[..], &more].concat()), verdict);
        }
        match verdict {
            Verdict::Close => {}
            Verdict::Incomplete { needed } => {
                prop_assert!(needed > input.len());
                let most = limits::LINE_BYTES_MAX.max(input.len()) + limits::LOGIN_TOKEN_BYTES_MAX + 2;
                prop_assert!(needed <= most);
            }
            Verdict::Complete { request, consumed } => {
                prop_assert!(consumed >= limits::LOGIN_LINE_BYTES_MIN && consumed <= input.len());
                let inside = |span: Span| span.start as usize + span.bytes() <= consumed;
                if let TextLogin::Attempt { user, password } = request {
                    prop_assert!(inside(user) && inside(password));
                    prop_assert!(!user.of(&input).contains(&b' '));
                }
                let length = cut.index(consumed);
                let is_incomplete = matches!(parse_login(&input[..length]), Verdict::Incomplete { .. });
                prop_assert!(is_incomplete);
            }
        }
    }

    #[test]
    fn messages_and_lists(
        list in soup(&[b"user:", b"password", b"\n", b"\r\n", b":", b"SCRAM-SHA-256$", b"4096", b"AAAA", b"$", b"="]),
        first in soup(&[b"n,,", b"y,,", b"n=user", b",", b"r=x", b"a=user", b"=2C", b"=3D", b"m=", b"\xff"]),
        last in soup(&[b"c=biws", b",", b"r=x", b"p=", b"AAAA", b"=", b"\0"]),
    ) {
        let secrets = Secrets { common: [1, 2], own: [3, 4, 5, 6] };
        let users = match Users::parse(&list, &secrets) {
            Ok(users) => users,
            #[allow(clippy::default_constructed_unit_structs, reason = "it is one only without the feature")]
            Err(problem) => {
                prop_assert!(problem.line >= 1 && problem.line as usize <= list.iter().filter(|&&byte| byte == b'\n').count() + 1);
                Users::default()
            }
        };
        let _ = split_plain(&first);
        if let Some((exchange, _)) = Exchange::begin(&users, &first, 1) {
            let _ = exchange.finish(&users, &last);
        }
    }
}
