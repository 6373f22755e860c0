// SPDX-License-Identifier: Apache-2.0
//! Detection rules for sentinel-tui: a rule is one function over one event.
//!
//! ```ignore
//! #![no_std]
//! use sentinel_sdk::*;
//!
//! rule!(check);
//!
//! fn check(event: &Event) -> i32 {
//!     match event.kind() {
//!         Kind::Open(open) if open.path().starts_with(b"/etc/shadow") => 1,
//!         _ => 0,
//!     }
//! }
//! ```
//!
//! `0` is no match, `1..=100` a match and its score, a negative number an error of the rule itself.
//! Fields borrow from the record, so nothing is copied and no allocator is needed.
#![no_std]

mod host;
pub mod linux;
mod memory;
mod process;
mod record;
pub mod text;
#[cfg(target_os = "wasi")]
mod wasi;

pub use host::{log, timestamp, LogLine, Process};
pub use memory::{input, Local, PathBuffer, Plain};
pub use process::{system_program, PerProcess};
pub use record::*;
pub use text::{args, basename, contains};

/// One event, read in place from the record the kernel wrote.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    head: &'a [u8; HEADER_SIZE],
    body: &'a [u8],
}

impl<'a> Event<'a> {
    /// The event in this record; `None` when the record is cut short or its strings reach past its end.
    #[inline]
    pub fn parse(record: &'a [u8]) -> Option<Event<'a>> {
        if record.len() < HEADER_SIZE {
            return None;
        }
        let (head, body) = record.split_at(HEADER_SIZE);
        let event = Event { head: head.try_into().ok()?, body };
        let strings: usize = (0..4).map(|slot| event.string_len(slot)).sum();
        let whole = HEADER_SIZE + strings <= event.len() as usize && event.len() as usize <= record.len();
        whole.then_some(event)
    }

    /// The kind's number, for kinds that are newer than this SDK.
    #[inline]
    pub fn number(&self) -> u16 {
        u16::from_le_bytes(self.bytes(KIND_AT))
    }

    /// The thread's name, without padding. Any program can choose its own: never trust it.
    #[inline]
    pub fn comm(&self) -> &'a [u8] {
        let name = &self.head[COMM_AT..COMM_AT + 16];
        &name[..name.iter().position(|&byte| byte == 0).unwrap_or(16)]
    }

    /// Whether the call succeeded.
    #[inline]
    pub fn succeeded(&self) -> bool {
        self.ret() >= 0
    }

    /// Whether the call was refused for want of a permission (EPERM or EACCES).
    #[inline]
    pub fn denied(&self) -> bool {
        matches!(self.ret(), -1 | -13)
    }

    #[inline]
    pub(crate) fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.head[at..at + N]);
        bytes
    }

    #[inline]
    pub(crate) fn arg(&self, slot: usize) -> u64 {
        u64::from_le_bytes(self.bytes(A_AT + 8 * slot))
    }

    #[inline]
    pub(crate) fn string(&self, slot: usize) -> &'a [u8] {
        let start: usize = (0..slot).map(|before| self.string_len(before)).sum();
        // parse() has checked the sum, so this is never the empty default.
        self.body.get(start..start + self.string_len(slot)).unwrap_or(&[])
    }

    #[inline]
    fn string_len(&self, slot: usize) -> usize {
        u16::from_le_bytes(self.bytes(SLEN_AT + 2 * slot)) as usize
    }
}

/// Exports `check: fn(&Event) -> i32` as this module's rule.
///
/// `rule!(check, config = configure)` also exports `configure: fn(&[u8]) -> i32`, which is called once,
/// before any event, with the JSON of `config:` in rule.yaml; a negative number refuses it.
///
/// `rule!(check, state = STATE)` hands the value of `static STATE: Local<T>` to the next generation when the rule is
/// reloaded. Needs the capability `state`; a `T` of another name starts anew.
#[macro_export]
macro_rules! rule {
    ($check:path) => {
        #[no_mangle]
        pub extern "C" fn sentinel_abi_v1() {}

        #[no_mangle]
        pub extern "C" fn sentinel_alloc(len: usize) -> *mut u8 {
            $crate::input::buffer(len)
        }

        /// # Safety
        /// The host passes what it wrote into the buffer of `sentinel_alloc`.
        #[no_mangle]
        pub unsafe extern "C" fn sentinel_eval(ptr: *const u8, len: usize) -> i32 {
            match $crate::Event::parse(core::slice::from_raw_parts(ptr, len)) {
                Some(event) => $check(&event),
                None => -1,
            }
        }
    };
    ($check:path, state = $state:ident $(, config = $configure:path)?) => {
        $crate::rule!($check $(, config = $configure)?);

        #[no_mangle]
        pub extern "C" fn sentinel_snapshot() -> u64 {
            $state.snapshot()
        }

        /// # Safety
        /// The host passes what another generation's `sentinel_snapshot` gave.
        #[no_mangle]
        pub unsafe extern "C" fn sentinel_restore(ptr: *const u8, len: usize) -> i32 {
            $state.restore(ptr, len)
        }
    };
    ($check:path, config = $configure:path) => {
        $crate::rule!($check);

        /// # Safety
        /// The host passes what it wrote into the buffer of `sentinel_alloc`.
        #[no_mangle]
        pub unsafe extern "C" fn sentinel_config(ptr: *const u8, len: usize) -> i32 {
            $configure(core::slice::from_raw_parts(ptr, len))
        }
    };
}

/// A bug in a rule traps: the host records it and goes on with the next event.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
