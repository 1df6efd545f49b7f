//! Where results go: to a file, which is replaced whole or not at all, or to anything else, which is opened once.

use std::{
    fs::{self, File, Metadata, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::{Builder, NamedTempFile};

use crate::{
    bounded,
    failure::Failure,
    outputs::{STDOUT, folder},
};

/// The paths that stand for it as well. A file behind them is not replaced, because the summary would go to the old one.
const STDOUT_PATHS: [&str; 4] = [STDOUT, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// The beginnings of paths to what the process has open.
const DESCRIPTORS: [&str; 3] = ["/dev/stderr", "/dev/fd", "/proc"];

/// What a new file may allow; the process's mask takes its part away.
const NEW_FILE: u32 = 0o666;

/// The largest file that is looked at for whether it holds results.
const MAX_RESULTS_BYTES: u64 = 256 << 20;

/// An open destination.
#[derive(Debug)]
pub(crate) enum Destination {
    Stdout,
    /// A file, by the path that was given and the one that its links lead to. It is replaced at the end.
    File(PathBuf, PathBuf),
    /// A pipe, a device or a socket.
    Stream(PathBuf, File),
}

impl Destination {
    /// Makes sure that results can be written to `path`, before anything is sent.
    ///
    /// A pipe is opened when somebody reads it.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if is_stdout(path) {
            return Ok(Destination::Stdout);
        }
        let opened = match fs::metadata(path) {
            Ok(about) if about.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(about) if !about.is_file() || DESCRIPTORS.iter().any(|start| path.starts_with(start)) => {
                let stream = OpenOptions::new().append(true).open(path);
                stream.map(|stream| Destination::Stream(path.to_owned(), stream))
            }
            about => resolve(path).and_then(|file| {
                // Dropped at once, so that a process that is killed leaves nothing behind.
                beside(&file, about.ok().as_ref())?;
                Ok(Destination::File(path.to_owned(), file))
            }),
        };
        opened.map_err(|error| {
            let (path, why) = (path.display(), reason(&error));
            Failure::Usage(format!("--results: '{path}' cannot be written: {why}; choose another file"))
        })
    }

    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self, Destination::Stdout)
    }

    /// Writes all of `text`. A file that cannot be written stays as it was.
    pub(crate) fn write(self, text: &str) -> Result<(), Failure> {
        let (path, written) = match self {
            Destination::Stdout => (PathBuf::from(STDOUT), io::stdout().write_all(text.as_bytes())),
            Destination::Stream(path, mut stream) => (path, stream.write_all(text.as_bytes())),
            Destination::File(path, file) => (path, replace(&file, text)),
        };
        written.map_err(|error| {
            let (path, why) = (path.display(), reason(&error));
            Failure::Defect(format!("--results: '{path}' could not be written, and is as it was: {why}"))
        })
    }
}

pub(crate) fn is_stdout(path: &Path) -> bool {
    STDOUT_PATHS.iter().any(|known| path == Path::new(known))
}

/// The error without the path of the file beside, of which the user knows nothing.
fn reason(error: &io::Error) -> String {
    error.to_string().split(" at path ").next().unwrap_or_default().to_owned()
}

/// Replaces a file by another one beside it, which has reached the disk before.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut file = beside(path, fs::metadata(path).ok().as_ref())?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// An empty file in the same folder, with the permissions of the one that it is to replace.
fn beside(path: &Path, about: Option<&Metadata>) -> io::Result<NamedTempFile> {
    let new = Permissions::from_mode(NEW_FILE);
    let file = Builder::new().prefix(".barewire-results-").permissions(new).tempfile_in(folder(path))?;
    if let Some(about) = about {
        if about.permissions().readonly() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        file.as_file().set_permissions(about.permissions())?;
    }
    Ok(file)
}

/// The path without its links, so that a file is replaced and not a link to it, be it a link to a file that is not there
/// yet. Links in a circle are an error of the system.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
            Ok(link) => resolve(&folder(path).join(link)),
            Err(_) => Ok(path.to_owned()),
        },
        resolved => resolved,
    }
}

/// The results of an earlier run, in the file for those of this one. A script that reads them after a run which could
/// not start must not take them for its own, so they are removed, unless the load begins.
#[derive(Debug, Clone)]
pub(crate) struct Older(Option<PathBuf>);

impl Older {
    pub(crate) fn at(path: Option<&Path>) -> Self {
        Older(path.filter(|path| !is_stdout(path)).map(Path::to_owned))
    }

    /// Removes them. Any other file stays.
    pub(crate) fn remove(&self) {
        if let Some(path) = self.0.as_deref().filter(|path| holds_results(path)) {
            // A file that cannot be removed cannot be written either, which is what the user is told.
            drop(fs::remove_file(path));
        }
    }
}

/// Whether a regular file holds the results of a run.
fn holds_results(path: &Path) -> bool {
    if !fs::metadata(path).is_ok_and(|about| about.is_file()) {
        return false;
    }
    let text = File::open(path).and_then(|file| bounded::read(file, MAX_RESULTS_BYTES));
    let results = text.ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    results.is_some_and(|results| results["run_id"].is_string() && results["status"].is_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_permissions_and_through_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("r.json"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        let destination = Destination::open(&link).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        destination.write("new").unwrap();
        assert_eq!(fs::read_to_string(&link).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_new_file_has_the_permissions_of_any_other_and_nothing_is_there_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let [file, other] = ["r.json", "other"].map(|name| folder.path().join(name));
        let destination = Destination::open(&file).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        destination.write("new").unwrap();
        fs::write(&other, "").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&file), mode(&other));
    }

    #[test]
    fn a_link_to_a_file_that_is_not_there_yet_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("r.json", &link).unwrap();
        Destination::open(&link).unwrap().write("new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(folder.path().join("r.json")).unwrap(), "new");
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_by_the_path_that_was_given() {
        let refused = Destination::open(Path::new("/no/such/r.json")).unwrap_err().to_string();
        assert!(
            refused.starts_with("--results: '/no/such/r.json' cannot be written: No such file"),
            "{refused}"
        );
        assert!(!refused.contains("at path"), "{refused}");
    }

    #[test]
    fn older_results_are_removed_and_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        for (text, stays) in [
            (r#"{"run_id": "a-1", "status": "passed", "requests": 5}"#, false),
            (r#"{"target": "http://h", "users": 1}"#, true),
            ("notes", true),
            ("", true),
        ] {
            let file = folder.path().join("r.json");
            fs::write(&file, text).unwrap();
            Older::at(Some(&file)).remove();
            assert_eq!(file.exists(), stays, "{text}");
        }
        Older::at(Some(Path::new("-"))).remove();
        Older::at(None).remove();
    }
}
