//! Files that a run writes: each has one writer, and is nothing that the run reads.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::AsFd as _,
        unix::fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};

use crate::{args::RunArgs, failure::Failure};

/// The text that stands for standard output, where a path could stand.
pub(crate) const STDOUT: &str = "-";

/// The text that stands for it behind `--log`, where it is the shape alone.
pub(crate) const LOG_STDOUT: &str = "json";

/// Refuses two flags that name one file, however each spells it.
pub(crate) fn check(args: &RunArgs) -> Result<(), Failure> {
    let mut known: Vec<(Place, &str, &str)> = Vec::new();
    if let Some(spec) = args.target.as_deref().filter(|target| Path::new(target).is_file()) {
        known.extend(place(spec).map(|place| (place, "the spec", spec)));
    }
    for (flag, path, shown) in outputs(args) {
        let Some(place) = place(path) else { continue };
        // The same text twice behind one flag is told where exporters are opened.
        let other = known.iter().find(|(other, by, text)| *other == place && (*by, *text) != (flag, shown));
        if let Some((_, by, text)) = other {
            let what = if path == STDOUT { "standard output".to_owned() } else { format!("'{path}'") };
            return Err(Failure::Usage(format!(
                "{flag}: {what} is also that of {by} {text}: name a file of its own"
            )));
        }
        known.push((place, flag, shown));
    }
    Ok(())
}

/// Every flag that writes, its path, and the whole of what it was given.
fn outputs(args: &RunArgs) -> Vec<(&'static str, &str, &str)> {
    let otlp = args.otlp.iter().filter_map(|text| {
        let path = if text == STDOUT { STDOUT } else { text.strip_prefix("file:")? };
        Some(("--otlp", path, text.as_str()))
    });
    let log = args.log.iter().filter_map(|text| {
        let path = if text == LOG_STDOUT { STDOUT } else { text.strip_prefix("json:")? };
        Some(("--log", path, text.as_str()))
    });
    let results = args.results.as_deref().and_then(Path::to_str).map(|path| ("--results", path, path));
    otlp.chain(log).chain(results).collect()
}

/// A file, so that two paths to it are equal.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// By its device and its number there.
    Known(u64, u64),
    /// One that does not exist yet, by its folder and its name.
    New(PathBuf),
    Stdout,
}

/// The place that a path leads to; `None` for a device, such as `/dev/null`, which takes any number of writers, and for
/// a path that leads nowhere.
fn place(path: &str) -> Option<Place> {
    if path == STDOUT {
        let stdout = io::stdout().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
        return Some(stdout.ok().and_then(|about| known(&about)).unwrap_or(Place::Stdout));
    }
    match fs::metadata(path) {
        Ok(about) => known(&about),
        Err(_) => {
            let path = Path::new(path);
            Some(Place::New(fs::canonicalize(folder(path)).ok()?.join(path.file_name()?)))
        }
    }
}

/// The folder that a file is in, or is to be in.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

fn known(about: &fs::Metadata) -> Option<Place> {
    (!about.file_type().is_char_device()).then(|| Place::Known(about.dev(), about.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::args::run_args;

    /// The refusal of these arguments, or nothing, with `DIR` for a folder that has the file `a` and a link to it.
    fn refusal(folder: &Path, args: &str) -> String {
        let args = args.replace("DIR", folder.to_str().unwrap());
        check(&run_args(args.split(' '))).map_or_else(|failure| failure.to_string(), |()| String::new())
    }

    #[test]
    fn a_file_has_one_writer_however_it_is_spelt() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "").unwrap();
        fs::write(folder.path().join("plan.json"), "{}").unwrap();
        symlink(folder.path().join("a"), folder.path().join("link")).unwrap();
        for (args, flag) in [
            ("--otlp file:DIR/a --log json:DIR/a", "--log"),
            ("--otlp file:DIR/a --otlp file:DIR/./a", "--otlp"),
            ("--otlp file:DIR/a --results DIR/link", "--results"),
            ("--otlp file:DIR/new --log json:DIR/./new", "--log"),
            ("--log json:DIR/new --log json:DIR/../DIR_NAME/new", "--log"),
            ("--log json --results -", "--results"),
            ("--otlp file:DIR/a --results DIR/a", "--results"),
            ("--otlp - --results -", "--results"),
            ("DIR/plan.json --results DIR/plan.json", "--results"),
        ] {
            let name = folder.path().file_name().unwrap().to_str().unwrap();
            let refused = refusal(folder.path(), &args.replace("DIR_NAME", name));
            assert!(
                refused.starts_with(&format!("{flag}: ")) && refused.contains(" is also that of "),
                "{args}: {refused}"
            );
            assert!(refused.ends_with(": name a file of its own"), "{args}: {refused}");
        }
        for args in [
            "--otlp file:DIR/a --log json:DIR/b --results DIR/r",
            "--otlp file:/dev/null --log json:/dev/null --results /dev/null",
            "DIR/plan.json --otlp - --results DIR/r",
        ] {
            assert_eq!(refusal(folder.path(), args), "", "{args}");
        }
    }
}
