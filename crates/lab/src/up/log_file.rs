//! The log file of a child, which never grows beyond two pieces.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The size at which a piece is full, in bytes.
const PIECE: u64 = 10 * 1024 * 1024;

/// A file that is written to its end; when it is full it becomes `NAME.1` and begins anew.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    written: u64,
}

impl LogFile {
    /// Creates it, empty.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: File::create(path)?, written: 0 })
    }

    /// Adds to it.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.written >= PIECE {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
            self.file = File::create(&self.path)?;
            self.written = 0;
        }
        self.written += bytes.len() as u64;
        self.file.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_piece_is_set_aside_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("order-api.log");
        let mut log = LogFile::create(&path).unwrap();
        let block = vec![b'x'; 1024 * 1024];
        for _ in 0..25 {
            log.append(&block).unwrap();
        }
        let size = |path: &Path| fs::metadata(path).unwrap().len();
        assert_eq!(size(&path.with_extension("log.1")), PIECE);
        assert_eq!(size(&path), 5 * 1024 * 1024);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
