// SPDX-License-Identifier: Apache-2.0
//! The host functions. Using one asks for its capability in rule.yaml: `log`, `clock` or `process`.

use core::fmt;

use crate::record::HEADER_SIZE;
use crate::Event;

mod sys {
    #[link(wasm_import_module = "host")]
    extern "C" {
        pub fn log_message(ptr: *const u8, len: usize);
        pub fn get_timestamp() -> i64;
        pub fn get_process(pid: u32, ptr: *mut u8, room: usize) -> i32;
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

/// A process as it was at the time of the event: what it runs, who it is, who its parent is.
///
/// Long strings are cut: the program at 384 bytes, its arguments at 320, the folder at 128.
pub struct Process {
    // u64s, because a record is 8-byte aligned.
    record: [u64; 126],
}

impl Process {
    /// The process with this id, if it is known. Needs the capability `process`.
    pub fn find(pid: u32) -> Option<Process> {
        let mut process = Process { record: [0; 126] };
        let room = core::mem::size_of_val(&process.record);
        let len = unsafe { sys::get_process(pid, process.record.as_mut_ptr().cast(), room) };
        (len > 0).then_some(process)
    }

    /// All its fields, as an exec event: `uid()`, `ppid()`, `comm()`, `leader_start()` …
    pub fn event(&self) -> Event<'_> {
        let bytes = unsafe { core::slice::from_raw_parts(self.record.as_ptr().cast(), 8 * self.record.len()) };
        // The host writes whole records only.
        Event::parse(bytes).unwrap_or(Event { head: &[0; HEADER_SIZE], body: &[] })
    }

    /// The program's path, as the kernel names it; empty when it is not known.
    pub fn exe(&self) -> &[u8] {
        self.event().string(0)
    }

    /// The words it was started with, each ended by NUL; see `args`.
    pub fn argv(&self) -> &[u8] {
        self.event().string(1)
    }

    /// Its parent, if it is known.
    pub fn parent(&self) -> Option<Process> {
        Process::find(self.event().ppid())
    }
}

impl<'a> Event<'a> {
    /// The process that caused this event.
    pub fn process(&self) -> Option<Process> {
        Process::find(self.tgid())
    }

    /// Its parent, the parent's parent and so on: at most 32. Needs the capability `process`.
    pub fn ancestors(&self) -> impl Iterator<Item = Process> {
        core::iter::successors(Process::find(self.ppid()), Process::parent).take(32)
    }
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
