//! The format of signed messages outside of the log: a version byte, a signature, and a body in MessagePack.
//!
//! The signature covers a domain tag, the version and the exact bytes of the body, so that bytes signed for one
//! purpose are not valid for another. Relies on [`crate::codec`] for the body. Limits on the content are checked by
//! the module that defines it.

use std::sync::Arc;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Serialize, de::DeserializeOwned};

use crate::NodeId;
use crate::codec::{self, DecodeError};

/// The offset of the body, behind the version and the signature.
const BODY_AT: usize = 1 + Signature::BYTE_SIZE;

/// The parameters of one kind of signed message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedFormat {
    /// The domain tag.
    pub(crate) domain: &'static str,
    /// The version byte.
    pub(crate) version: u8,
    /// The largest total size in bytes.
    pub(crate) max: usize,
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureError {
    /// The node is not a valid key.
    Key,
    /// The signature is wrong or missing.
    Signature,
}

impl SignedFormat {
    /// Signs a body.
    pub(crate) fn sign<T: Serialize>(self, body: &T, key: &SigningKey) -> Arc<[u8]> {
        let encoded = codec::encode(body);
        let signature = key.sign(&self.signed(&encoded));
        let mut bytes = Vec::with_capacity(BODY_AT + encoded.len());
        bytes.push(self.version);
        bytes.extend_from_slice(&signature.to_bytes());
        bytes.extend_from_slice(&encoded);
        bytes.into()
    }

    /// Decodes a body without checking the signature.
    ///
    /// # Errors
    /// When it is too large, of another version or not readable.
    pub(crate) fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, DecodeError> {
        if bytes.len() > self.max {
            return Err(DecodeError::TooLarge {
                got: bytes.len(),
                max: self.max,
            });
        }
        let got = *bytes.first().ok_or(DecodeError::Short)?;
        if got != self.version {
            let known = self.version;
            return Err(DecodeError::Version { got, known });
        }
        codec::decode(bytes.get(BODY_AT..).ok_or(DecodeError::Short)?)
    }

    /// Checks the signature of a node over the exact bytes, strictly.
    ///
    /// # Errors
    /// When the node is not a key or did not sign this.
    pub(crate) fn verify(self, bytes: &[u8], node: &NodeId) -> Result<(), SignatureError> {
        let key = VerifyingKey::from_bytes(&node.0).map_err(|_| SignatureError::Key)?;
        let parts = bytes.get(1..BODY_AT).zip(bytes.get(BODY_AT..));
        let (signature, encoded) = parts.ok_or(SignatureError::Signature)?;
        let signature = Signature::from_slice(signature).map_err(|_| SignatureError::Signature)?;
        key.verify_strict(&self.signed(encoded), &signature)
            .map_err(|_| SignatureError::Signature)
    }

    fn signed(self, encoded: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.domain.len() + 1 + encoded.len());
        bytes.extend_from_slice(self.domain.as_bytes());
        bytes.push(self.version);
        bytes.extend_from_slice(encoded);
        bytes
    }
}
