// SPDX-License-Identifier: Apache-2.0
//! Memory without an allocator: the input buffer, a rule's own state, a scratch path.

use core::cell::UnsafeCell;

use crate::record::{FLAG_USER_PTR, MAX_PATH, MAX_RECORD};
use crate::Event;

/// A static that a rule may change. Sound because a rule runs on one thread and its functions are never re-entered.
pub struct Local<T>(UnsafeCell<T>);

unsafe impl<T> Sync for Local<T> {}

impl<T> Local<T> {
    pub const fn new(value: T) -> Local<T> {
        Local(UnsafeCell::new(value))
    }

    /// Runs `use_it` with the value. Must not be nested for the same static.
    #[inline]
    pub fn with<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> R {
        use_it(unsafe { &mut *self.0.get() })
    }
}

/// Where the host puts the record.
pub mod input {
    use super::*;

    // u64s, because a record is 8-byte aligned.
    static BUFFER: Local<[u64; MAX_RECORD / 8]> = Local::new([0; MAX_RECORD / 8]);

    /// The buffer, or null when `len` bytes do not fit.
    pub fn buffer(len: usize) -> *mut u8 {
        if len > MAX_RECORD {
            return core::ptr::null_mut();
        }
        BUFFER.with(|buffer| buffer.as_mut_ptr().cast())
    }
}

/// Room for one path whose `//`, `/./` and `/../` have been resolved.
pub struct PathBuffer([u8; MAX_PATH]);

impl PathBuffer {
    pub const fn new() -> PathBuffer {
        PathBuffer([0; MAX_PATH])
    }

    /// `path` without `//`, `/./` and `/../`. A path the kernel itself gave is clean already and returned as it is;
    /// one that the program passed (FLAG_USER_PTR) may still lead through symbolic links.
    pub fn clean<'b>(&'b mut self, event: &Event, path: &'b [u8]) -> &'b [u8] {
        if event.flags() & FLAG_USER_PTR == 0 {
            return path;
        }
        let mut len = 0;
        for part in path.split(|&byte| byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => len = self.0[..len].iter().rposition(|&byte| byte == b'/').unwrap_or(0),
                _ => {
                    let end = len + 1 + part.len();
                    if end > MAX_PATH {
                        break;
                    }
                    self.0[len] = b'/';
                    self.0[len + 1..end].copy_from_slice(part);
                    len = end;
                }
            }
        }
        &self.0[..len]
    }
}
