//! Standard Webhooks signatures: HMAC-SHA256 over `id.timestamp.body`, in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Allowed length of a secret, in bytes, from the Standard Webhooks specification.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Why a text is not a signing secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookKeyError {
    /// It is not `whsec_` followed by base64.
    #[error("a signing secret must be `whsec_` followed by base64")]
    Shape,
    /// Too short or too long.
    #[error("a signing secret must have 24 to 64 bytes; this one has {0}")]
    Length(usize),
}

/// A signing secret. It is never printed.
#[derive(Clone)]
pub struct WebhookKey(Vec<u8>);

impl std::fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(***)")
    }
}

impl WebhookKey {
    /// Parses `whsec_…`.
    ///
    /// # Errors
    /// When the text has another format or the secret has a wrong length.
    pub fn parse(text: &str) -> Result<Self, WebhookKeyError> {
        let encoded = text.strip_prefix("whsec_").ok_or(WebhookKeyError::Shape)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| WebhookKeyError::Shape)?;
        if !SECRET_BYTES.contains(&bytes.len()) {
            return Err(WebhookKeyError::Length(bytes.len()));
        }
        Ok(Self(bytes))
    }

    fn mac(&self, id: &str, seconds: u64, body: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        Some(mac)
    }

    /// The signature header of a message that is sent at a time.
    pub fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> String {
        // HMAC accepts keys of any length, so this always succeeds.
        let tag = self.mac(id, seconds, body).map(|mac| mac.finalize().into_bytes());
        format!("v1,{}", STANDARD.encode(tag.unwrap_or_default()))
    }

    /// Whether one of the signatures in a header is valid; compares in constant time. The caller checks the
    /// age of the timestamp.
    pub fn verify(&self, id: &str, seconds: u64, body: &[u8], header: &str) -> bool {
        header
            .split(' ')
            .filter_map(|part| part.strip_prefix("v1,"))
            .any(|encoded| {
                let given = STANDARD.decode(encoded).unwrap_or_default();
                self.mac(id, seconds, body)
                    .is_some_and(|mac| mac.verify_slice(&given).is_ok())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of the Standard Webhooks libraries.
    const VECTORS: [(&str, &str, u64, &str, &str); 2] = [
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
    ];

    #[test]
    fn the_published_test_vectors_pass() {
        for (secret, id, at, body, signature) in VECTORS {
            let key = WebhookKey::parse(secret).expect("a secret");
            assert_eq!(key.sign(id, at, body.as_bytes()), signature);
            assert!(key.verify(id, at, body.as_bytes(), &format!("v1,AAAA v1a,x {signature}")));
            assert!(!key.verify(id, at + 1, body.as_bytes(), signature));
            assert!(!key.verify(id, at, b"{}", signature));
        }
    }

    #[test]
    fn a_secret_is_not_printed_and_an_invalid_one_is_an_error() {
        assert_eq!(
            WebhookKey::parse("secret").map(|_| ()),
            Err(WebhookKeyError::Shape)
        );
        assert_eq!(
            WebhookKey::parse("whsec_!").map(|_| ()),
            Err(WebhookKeyError::Shape)
        );
        assert_eq!(
            WebhookKey::parse("whsec_AAAA").map(|_| ()),
            Err(WebhookKeyError::Length(3))
        );
        let key = WebhookKey::parse(VECTORS[0].0).expect("a secret");
        assert_eq!(format!("{key:?}"), "Key(***)");
    }
}
