//! The limits: what the disk and the loopback do without towline. Std only.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Bytes of one append: about what one transition's entry takes.
pub(crate) const APPEND: usize = 300;
/// Bytes of the preallocated file; appends begin again at its start when it is full.
const FILE: u64 = 16 * 1024 * 1024;

/// A preallocated file that is appended to and synced.
#[derive(Debug)]
pub(crate) struct Disk {
    file: File,
    at: u64,
}

impl Disk {
    pub(crate) fn new(dir: &Path) -> Result<Self> {
        let file = File::create(dir.join("raw"))?;
        file.write_all_at(&vec![0; usize::try_from(FILE)?], 0)?;
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    /// One append and one `fdatasync`.
    pub(crate) fn append(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        self.file.write_all_at(&[7; APPEND], self.at)?;
        self.file.sync_data()?;
        self.at = (self.at + APPEND as u64) % (FILE - APPEND as u64);
        Ok(begun.elapsed())
    }
}

/// A TCP connection on the loopback whose other end echoes messages of [`APPEND`] bytes.
#[derive(Debug)]
pub(crate) struct Line(TcpStream);

impl Line {
    pub(crate) fn new() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        let (mut other, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        other.set_nodelay(true)?;
        std::thread::spawn(move || {
            let mut buffer = [0; APPEND];
            // Ends when the bench drops its end.
            while other.read_exact(&mut buffer).is_ok() && other.write_all(&buffer).is_ok() {}
        });
        Ok(Self(stream))
    }

    /// One message there and back.
    pub(crate) fn ping(&mut self) -> Result<Duration> {
        let mut buffer = [7; APPEND];
        let begun = Instant::now();
        self.0.write_all(&buffer)?;
        self.0.read_exact(&mut buffer)?;
        Ok(begun.elapsed())
    }
}

/// How long so many bytes take over the loopback, until the last has been read.
pub(crate) fn transfer(bytes: u64) -> Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut stream = TcpStream::connect(listener.local_addr()?)?;
    let (mut other, _) = listener.accept()?;
    let begun = Instant::now();
    let reader = std::thread::spawn(move || std::io::copy(&mut other, &mut std::io::sink()));
    std::io::copy(&mut std::io::repeat(7).take(bytes), &mut stream)?;
    drop(stream);
    reader
        .join()
        .map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    Ok(begun.elapsed())
}
