//! The files of the repository, as the tests read them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use serde_yaml_ng::Value;

/// A path within the repository.
pub(crate) fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(relative)
}

/// A file's text.
pub(crate) fn read(relative: &str) -> String {
    let path = path(relative);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names, without their ending, of the files in a folder that end so; sorted.
pub(crate) fn names(folder: &str, ending: &str) -> Vec<String> {
    let files = fs::read_dir(path(folder))
        .expect("the folder is there")
        .map(|file| file.expect("it can be read").file_name());
    let mut names: Vec<_> =
        files.filter_map(|name| Some(name.to_str()?.strip_suffix(ending)?.to_owned())).collect();
    names.sort();
    names
}

/// Every YAML file of a folder, read.
pub(crate) fn yaml<T: DeserializeOwned>(folder: &str) -> Vec<T> {
    let files = names(folder, ".yml").into_iter();
    files.map(|name| yaml_file(&format!("{folder}/{name}.yml"))).collect()
}

/// One YAML file, read, with what is merged in put in place.
pub(crate) fn yaml_file<T: DeserializeOwned>(file: &str) -> T {
    let read = serde_yaml_ng::from_str(&read(file)).and_then(|mut value: Value| {
        value.apply_merge()?;
        serde_yaml_ng::from_value(value)
    });
    read.unwrap_or_else(|error| panic!("{file}: {error}"))
}
