//! Frames on a stream: a length, a flag, a payload.
//!
//! ```text
//! bytes 0..4   length of what follows the flag, u32 little-endian
//! byte  4      0: as it is, 1: zstd
//! bytes 5..    the payload; nothing at all in a keep-alive
//! ```
//!
//! A reader checks the length before it reads and the size before it decompresses, and never allocates memory
//! because a peer claims a length. What a payload means is not known here.

use std::io::{self, Read};

use futures::io::{AsyncRead, AsyncReadExt};
use towline_proto::limits;

/// Bytes in front of every payload.
const HEAD_BYTES: usize = 5;
/// Payloads up to this many bytes are not worth compressing: they fit one packet anyway.
const COMPRESS_OVER_BYTES: usize = 512;
/// The fastest level: a frame is compressed while a peer waits for it.
const ZSTD_LEVEL: i32 = 1;
/// The largest accepted window, as a power of two: [`limits::FRAME_BYTES`]. The library's default would let a
/// dozen bytes request 128 MiB.
const ZSTD_WINDOW_LOG: u32 = 21;

/// Bytes read at once.
const PIECE_BYTES: usize = 8 * 1024;

const RAW: u8 = 0;
const ZSTD: u8 = 1;

/// Why a frame could not be read or made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The stream broke.
    #[error("the stream broke: {0}")]
    Io(#[from] io::Error),
    /// Larger than allowed.
    #[error("a frame of {got} bytes; at most {max} are allowed")]
    TooLarge {
        /// Size in bytes.
        got: usize,
        /// Largest size in bytes.
        max: usize,
    },
    /// A flag byte that this build does not know.
    #[error("unknown frame flag {0}")]
    Flag(u8),
    /// It does not decompress.
    #[error("cannot decompress a frame: {0}")]
    Compression(io::Error),
}

impl FrameError {
    /// Whether the peer violated the protocol, rather than the connection failing.
    pub(crate) const fn is_violation(&self) -> bool {
        match self {
            Self::Io(_) => false,
            Self::TooLarge { .. } | Self::Flag(_) | Self::Compression(_) => true,
        }
    }
}

/// The bytes of a keep-alive, which only shows that the other side is alive.
pub(crate) const KEEP_ALIVE: [u8; HEAD_BYTES] = [0, 0, 0, 0, RAW];

/// Builds a frame, compressed if that makes it smaller.
pub(crate) fn encode(payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    if payload.len() > limits::FRAME_BYTES {
        return Err(FrameError::TooLarge {
            got: payload.len(),
            max: limits::FRAME_BYTES,
        });
    }
    let packed = if payload.len() > COMPRESS_OVER_BYTES {
        let packed = zstd::bulk::compress(payload, ZSTD_LEVEL).map_err(FrameError::Compression)?;
        (packed.len() < payload.len()).then_some(packed)
    } else {
        None
    };
    let (flag, body) = match &packed {
        Some(packed) => (ZSTD, packed.as_slice()),
        None => (RAW, payload),
    };
    let length = u32::try_from(body.len()).map_err(|_| FrameError::TooLarge {
        got: body.len(),
        max: limits::FRAME_BYTES,
    })?;
    let mut frame = Vec::with_capacity(HEAD_BYTES + body.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.push(flag);
    frame.extend_from_slice(body);
    Ok(frame)
}

/// A frame that was read.
#[derive(Debug)]
pub(crate) struct Frame {
    /// What it carries; empty for a keep-alive.
    pub(crate) payload: Vec<u8>,
    /// Its size on the wire in bytes.
    pub(crate) wire_bytes: u64,
}

/// Reads one frame of at most `max` bytes, compressed or not; `None` when the stream ended cleanly.
pub(crate) async fn read<R: AsyncRead + Unpin>(
    stream: &mut R,
    max: usize,
) -> Result<Option<Frame>, FrameError> {
    read_with_progress(stream, max, |_| {}).await
}

/// As [`read`]; `came` is called with the number of payload bytes as they arrive.
pub(crate) async fn read_with_progress<R: AsyncRead + Unpin>(
    stream: &mut R,
    max: usize,
    came: impl Fn(usize),
) -> Result<Option<Frame>, FrameError> {
    let mut head = [0u8; HEAD_BYTES];
    let first = stream.read(&mut head).await?;
    if first == 0 {
        return Ok(None);
    }
    if let Some(rest) = head.get_mut(first..) {
        stream.read_exact(rest).await?;
    }
    let [a, b, c, d, flag] = head;
    let length = u32::from_le_bytes([a, b, c, d]);
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if size > max {
        return Err(FrameError::TooLarge { got: size, max });
    }
    // The buffer grows with the received bytes, not with the claimed length.
    let mut body = Vec::new();
    let mut piece = [0u8; PIECE_BYTES];
    while body.len() < size {
        let room = (size - body.len()).min(PIECE_BYTES);
        let read = stream.read(piece.get_mut(..room).unwrap_or_default()).await?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        body.extend_from_slice(piece.get(..read).unwrap_or_default());
        came(read);
    }
    let payload = match flag {
        RAW => body,
        ZSTD => unpack(&body, max)?,
        other => return Err(FrameError::Flag(other)),
    };
    Ok(Some(Frame {
        payload,
        wire_bytes: u64::from(length) + HEAD_BYTES as u64,
    }))
}

fn unpack(packed: &[u8], max: usize) -> Result<Vec<u8>, FrameError> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(FrameError::Compression)?;
    decoder
        .window_log_max(ZSTD_WINDOW_LOG)
        .map_err(FrameError::Compression)?;
    let mut payload = Vec::new();
    decoder
        .take(max as u64 + 1)
        .read_to_end(&mut payload)
        .map_err(FrameError::Compression)?;
    if payload.len() > max {
        return Err(FrameError::TooLarge {
            got: payload.len(),
            max,
        });
    }
    Ok(payload)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    fn read_all(bytes: &[u8]) -> Result<Option<Frame>, FrameError> {
        block_on(read(&mut &*bytes, limits::FRAME_BYTES))
    }

    #[test]
    fn a_frame_survives_the_line_compressed_or_not() {
        let small = vec![7u8; 100];
        let large = vec![7u8; limits::FRAME_BYTES];
        let mut noise = vec![0u8; 4_096];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        for payload in [small, large, noise] {
            let frame = encode(&payload).unwrap();
            assert!(frame.len() <= payload.len() + HEAD_BYTES);
            assert_eq!(read_all(&frame).unwrap().unwrap().payload, payload);
        }
        assert!(read_all(&KEEP_ALIVE).unwrap().unwrap().payload.is_empty());
        assert!(read_all(&[]).unwrap().is_none());
    }

    #[test]
    fn the_bytes_of_a_frame_are_pinned() {
        assert_eq!(encode(b"abc").unwrap(), [3, 0, 0, 0, 0, b'a', b'b', b'c']);
    }

    #[test]
    fn a_claimed_length_is_refused_before_anything_is_read() {
        let error = read_all(&[255, 255, 255, 255, 0]).unwrap_err();
        assert!(error.is_violation(), "{error}");
        assert!(encode(&vec![0; limits::FRAME_BYTES + 1]).is_err());
    }

    #[test]
    fn a_bomb_is_refused_at_the_bound() {
        let bomb = zstd::bulk::compress(&vec![0u8; limits::FRAME_BYTES + 1], 1).unwrap();
        let mut frame = u32::try_from(bomb.len()).unwrap().to_le_bytes().to_vec();
        frame.push(ZSTD);
        frame.extend_from_slice(&bomb);
        let error = read_all(&frame).unwrap_err();
        assert!(error.is_violation(), "{error}");
    }

    #[test]
    fn garbage_is_the_peers_fault_and_a_cut_is_not() {
        assert!(read_all(&[3, 0, 0, 0, 9, 1, 2, 3]).unwrap_err().is_violation());
        assert!(read_all(&[3, 0, 0, 0, 1, 1, 2, 3]).unwrap_err().is_violation());
        assert!(!read_all(&[3, 0, 0, 0, 0, 1]).unwrap_err().is_violation());
        assert!(!read_all(&[3, 0]).unwrap_err().is_violation());
    }
}
