//! Store: the server's identity and secrets: who it is (a GUID that cookies name), the key that seals
//! cookies, and the administrator's token.

use crate::Store;
use crate::error::{During, StoreError, StoredAs};
use crate::folder::{random, secret_file};
use rusqlite::Transaction;
use sluicegate_terms::{Guid, Timestamp};
use std::path::Path;

/// The cookie key's file in the data folder.
const COOKIE_KEY: &str = "cookie.key";

/// The administrator's token's file in the data folder.
pub(crate) const ADMIN_TOKEN: &str = "admin-token";

/// A server's identity and secrets.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) server_id: Guid,
    pub(crate) cookie_key: [u8; 32],
    pub(crate) admin_token: String,
}

impl Keys {
    /// Reads them, making what is missing.
    pub(crate) fn load(
        dir: &Path,
        database: &crate::database::Database,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let fresh = random_guid()?.to_string();
        let server_id = database
            .write(move |tx| first_start(tx, &fresh, now))?
            .parse::<Guid>()
            .stored_as("server identity")?;
        let path = dir.join(COOKIE_KEY);
        let cookie_key = secret_file(&path, || Ok(random::<32>()?.to_vec()))?;
        let cookie_key = cookie_key.try_into().map_err(|wrong: Vec<u8>| StoreError::Corrupt {
            path: path.clone(),
            what: format!("it has {} bytes instead of 32 (without it agents start over once; remove it to get a new one)", wrong.len()),
        })?;
        let path = dir.join(ADMIN_TOKEN);
        let token = secret_file(&path, || Ok(format!("{}\n", hex(&random::<32>()?)).into_bytes()))?;
        let admin_token =
            String::from_utf8(token).ok().map(|t| t.trim().to_owned()).filter(|t| t.len() >= 16);
        let admin_token = admin_token.ok_or_else(|| StoreError::Corrupt {
            path,
            what: "it does not hold a token of at least 16 characters (remove it to get a new one)"
                .to_owned(),
        })?;
        Ok(Self { server_id, cookie_key, admin_token })
    }
}

fn first_start(tx: &Transaction<'_>, fresh: &str, now: Timestamp) -> Result<String, StoreError> {
    tx.execute(
        "INSERT INTO config (name, value, changed_at) VALUES ('server-id', ?1, ?2) ON CONFLICT DO NOTHING",
        (fresh, now.ticks()),
    )
    .during("give the server its identity")?;
    tx.query_row("SELECT value FROM config WHERE name = 'server-id'", [], |row| row.get(0))
        .during("read the server's identity")
}

/// A new random GUID (version 4).
pub(crate) fn random_guid() -> Result<Guid, StoreError> {
    let value = u128::from_be_bytes(random::<16>()?);
    let version = value & !(0xf << 76) | (0x4 << 76);
    Ok(Guid::from_u128(version & !(0x3 << 62) | (0x2 << 62)))
}

/// A number that tells a state from every other, before and after a restore: not below zero, at random.
pub(crate) fn random_mark() -> Result<i64, StoreError> {
    Ok(i64::from_be_bytes(random::<8>()?) & i64::MAX)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

impl Store {
    /// Who this server is; made at the first start and never changed.
    #[must_use]
    pub fn server_id(&self) -> Guid {
        self.shared.keys.server_id
    }

    /// A new random GUID.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn fresh_guid(&self) -> Result<Guid, StoreError> {
        random_guid()
    }

    /// The key that seals cookies, 32 random bytes from a file only the owner may read.
    #[must_use]
    pub fn cookie_key(&self) -> &[u8; 32] {
        &self.shared.keys.cookie_key
    }

    /// The token of the admin API, from a file only the owner may read.
    #[must_use]
    pub fn admin_token(&self) -> &str {
        &self.shared.keys.admin_token
    }
}
