//! Clients of HTTP: the token that some pages ask for.

use super::{Barrier, Front};
use crate::{
    limits,
    protocol::{
        control::Control,
        http::{Asked, HttpStatus},
    },
    statistics::RefusalKind,
};
use subtle::ConstantTimeEq;

impl Front {
    /// Sets the token that clients of HTTP must send for statistics; empty: none. Line ends around it do not count.
    ///
    /// # Errors
    /// Why it cannot be one.
    pub fn set_http_token(&mut self, token: &[u8]) -> Result<(), &'static str> {
        let token = token.trim_ascii();
        let is_legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
        if !token.is_empty() {
            if token.len() < limits::HTTP_TOKEN_BYTES_MIN {
                return Err("a token has at least 16 characters");
            }
            if token.len() > limits::HTTP_TOKEN_BYTES_MAX {
                return Err("a token has at most 1024 characters");
            }
            if !token.iter().all(is_legal) {
                return Err("a token is one line of letters, digits and -._~+/=");
            }
        }
        self.http_token = token.to_vec();
        Ok(())
    }

    /// Refuses a request of HTTP that asks for statistics without the token. Whether the server is well is no secret.
    pub(super) fn admit_page(&mut self, barrier: Barrier) -> Barrier {
        let Control::Http(request) = barrier.control else { return barrier };
        let input = self.inbound.bytes(&self.connections);
        // Comparison in constant time: how much of a token is right must not show.
        let is_admitted = !matches!(request.asked, Asked::Page(_))
            || self.http_token.is_empty()
            || bool::from(request.token.of(input).ct_eq(&self.http_token));
        let request = if is_admitted { request } else { request.refused(HttpStatus::Unauthorized) };
        if matches!(request.asked, Asked::Refused(_)) {
            self.refusals.count(RefusalKind::RequestError);
        }
        Barrier { control: Control::Http(request), ..barrier }
    }
}
