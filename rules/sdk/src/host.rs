// SPDX-License-Identifier: Apache-2.0
//! The two host functions. Using one asks for its capability in rule.yaml: `log` or `clock`.

use core::fmt;

mod sys {
    #[link(wasm_import_module = "host")]
    extern "C" {
        pub fn log_message(ptr: *const u8, len: usize);
        pub fn get_timestamp() -> i64;
    }
}

/// Puts this line beside the alert. Needs the capability `log`.
pub fn log(line: &[u8]) {
    unsafe { sys::log_message(line.as_ptr(), line.len()) }
}

/// The event's own time, nanoseconds since the epoch: a replay gives the same. Needs the capability `clock`.
pub fn timestamp() -> i64 {
    unsafe { sys::get_timestamp() }
}

/// Collects one formatted line of at most 256 bytes; what does not fit is cut.
pub struct LogLine {
    bytes: [u8; 256],
    len: usize,
}

impl LogLine {
    pub const fn new() -> LogLine {
        LogLine { bytes: [0; 256], len: 0 }
    }

    /// Adds these bytes as they are: how to log a path without checking its encoding.
    pub fn push(&mut self, bytes: &[u8]) -> &mut LogLine {
        let taken = bytes.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + taken].copy_from_slice(&bytes[..taken]);
        self.len += taken;
        self
    }

    /// Logs the line.
    pub fn send(&self) {
        log(&self.bytes[..self.len])
    }
}

impl fmt::Write for LogLine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// Logs a formatted line: `log!("{} bytes", n)`. Formatting adds some KB to the module; `log` does not.
#[macro_export]
macro_rules! log {
    ($($part:tt)*) => {{
        let mut line = $crate::LogLine::new();
        // LogLine cuts instead of failing.
        let _ = core::fmt::Write::write_fmt(&mut line, format_args!($($part)*));
        line.send();
    }};
}
