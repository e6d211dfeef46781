//! A buffer's place and size, as a program's configuration file has them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The capacity when none is configured, in events.
const CAPACITY: usize = 10_000;

/// Where a buffer is and how much it holds. Both fields are optional when deserialised.
///
/// # Examples
///
/// ```
/// let config: forebay::BufferConfig = serde_json::from_str(r#"{ "capacity": 500 }"#).unwrap();
/// assert_eq!(config.capacity, 500);
/// assert_eq!(config.path, forebay::BufferConfig::default().path);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BufferConfig {
    /// The buffer's directory. Default: `forebay/events.buffer` in the user's data directory
    /// (`$XDG_DATA_HOME` or `~/.local/share`, `~/Library/Application Support` on macOS,
    /// `%APPDATA%` on Windows); `events.buffer` in the working directory where there is none.
    pub path: PathBuf,
    /// How many events may wait before the oldest is dropped. Default: 10 000.
    pub capacity: usize,
}

impl Default for BufferConfig {
    fn default() -> Self {
        let file = "events.buffer";
        let path = data_directory().map_or_else(
            || PathBuf::from(file),
            |data| data.join("forebay").join(file),
        );
        Self {
            path,
            capacity: CAPACITY,
        }
    }
}

fn data_directory() -> Option<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    if cfg!(windows) {
        set("APPDATA")
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library").join("Application Support"))
    } else {
        set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local").join("share")))
    }
}
