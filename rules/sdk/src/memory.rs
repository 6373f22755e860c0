// SPDX-License-Identifier: Apache-2.0
//! Memory without an allocator: the input buffer, a rule's own state, a scratch path.

use core::cell::{Cell, UnsafeCell};

use crate::record::{FLAG_USER_PTR, MAX_PATH, MAX_RECORD};
use crate::Event;

/// A static that a rule may change. Sound because a rule runs on one thread and its functions are never re-entered.
#[repr(C)]
pub struct Local<T> {
    layout: Cell<u64>, // before the value, so that both can be handed over as one
    value: UnsafeCell<T>,
}

unsafe impl<T> Sync for Local<T> {}

impl<T> Local<T> {
    pub const fn new(value: T) -> Local<T> {
        Local { layout: Cell::new(0), value: UnsafeCell::new(value) }
    }

    /// Runs `use_it` with the value. Must not be nested for the same static.
    #[inline]
    pub fn with<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> R {
        use_it(unsafe { &mut *self.value.get() })
    }
}

/// Types whose bytes are all there is to a value, and whose every pattern of bytes is one.
///
/// # Safety
/// No pointers, no references, no `bool`, no enums.
pub unsafe trait Plain: 'static {}

macro_rules! plain {
    ($($number:ty)*) => { $(unsafe impl Plain for $number {})* };
}
plain!(u8 u16 u32 u64 i8 i16 i32 i64 usize isize);
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

impl<T: Plain> Local<T> {
    /// What `sentinel_snapshot` gives: where the state is, and how long.
    pub fn snapshot(&'static self) -> u64 {
        self.layout.set(Self::layout());
        (core::mem::size_of::<Self>() as u64) << 32 | self as *const Self as u64
    }

    /// Takes over what another generation of the rule gave; -1 when that was of another type or size.
    ///
    /// # Safety
    /// `state` must be what `snapshot` gave, `len` bytes of it.
    pub unsafe fn restore(&'static self, state: *const u8, len: usize) -> i32 {
        let other = state.cast::<Self>();
        if len != core::mem::size_of::<Self>() || (*other).layout.get() != Self::layout() {
            return -1;
        }
        core::ptr::copy_nonoverlapping((*other).value.get(), self.value.get(), 1);
        0
    }

    /// A number that another type has not (FNV-1a of its name).
    fn layout() -> u64 {
        core::any::type_name::<T>()
            .bytes()
            .fold(0xcbf29ce484222325, |hash, byte| (hash ^ byte as u64).wrapping_mul(0x100000001b3))
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

unsafe impl Plain for PathBuffer {}

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
