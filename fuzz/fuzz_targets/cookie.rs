//! Cookies: any bytes are opened or refused, and so is any content under a good seal (an old layout, or a
//! front end gone wrong).
#![no_main]

// The server as a whole is large; its cookie module needs only these few crates.
#[allow(dead_code, unreachable_pub)]
#[path = "../../crates/server/src/cookie.rs"]
mod cookie;

use cookie::{CookieKey, CookieKind};
use libfuzzer_sys::fuzz_target;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

const KEY: [u8; 32] = [7; 32];
const NONCE: [u8; 12] = [9; 12];

/// Seals arbitrary content the way cookies are sealed: version, kind, nonce, content, tag.
fn sealed(kind: CookieKind, content: &[u8]) -> Vec<u8> {
    let header = [cookie::VERSION, kind as u8];
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KEY).expect("32 bytes are a key"));
    let mut body = content.to_vec();
    let nonce = Nonce::assume_unique_for_key(NONCE);
    key.seal_in_place_append_tag(nonce, Aad::from(header), &mut body).expect("short content is sealed");
    [&header, NONCE.as_slice(), &body].concat()
}

fuzz_target!(|data: &[u8]| {
    let key = CookieKey::new(&KEY).expect("32 bytes are a key");
    for kind in [CookieKind::Authorization, CookieKind::Client] {
        assert!(cookie::unseal(&key, kind, data).is_err(), "a seal was forged");
        if let Ok(opened) = cookie::unseal(&key, kind, &sealed(kind, data)) {
            let again = cookie::seal(&key, kind, &opened, NONCE).expect("an opened cookie is within bounds");
            assert_eq!(cookie::unseal(&key, kind, &again), Ok(opened));
        }
    }
});
