//! Files that a configuration names: read whole, if they are what they should be.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
};

/// All of the file at `path`; or what is wrong with it, to stand behind its name.
///
/// A file of more than `limit_bytes` is refused, and so is whatever is no file: to open a pipe lasts until somebody
/// writes to it, and a device has no end.
pub(super) fn read(path: &Path, limit_bytes: usize) -> Result<Vec<u8>, String> {
    let unreadable = |error| format!("cannot be read: {error}");
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is no file, but a folder, a pipe or a device".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    // What it says of its length may not be so by now.
    file.take(limit_bytes as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limit_bytes {
        return Err(format!("is longer than {limit_bytes} bytes"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_nothing_else_is() {
        let path = std::env::temp_dir().join(format!("barewire-file-{}", std::process::id()));
        fs::write(&path, "four").unwrap();
        assert_eq!(read(&path, 4), Ok(b"four".to_vec()));
        assert_eq!(read(&path, 3), Err("is longer than 3 bytes".to_owned()));
        // Of a length that no memory has room for.
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read(&path, 3), Err("is longer than 3 bytes".to_owned()));
        fs::remove_file(&path).unwrap();
        assert!(read(&path, 4).unwrap_err().starts_with("cannot be read: "));
    }

    #[test]
    #[cfg(unix)]
    fn what_may_have_no_end_is_not_opened() {
        for path in ["/", "/dev/zero", "/dev/null"] {
            assert_eq!(
                read(Path::new(path), 4),
                Err("is no file, but a folder, a pipe or a device".to_owned())
            );
        }
    }
}
