// SPDX-License-Identifier: Apache-2.0
//! What the compiler calls to move and compare memory. Targets of WASI leave it to their libc, which a rule has not.
//! Plain loops: LLVM does not turn those of memcpy and memset into calls of themselves, nor loops that may overlap.

#[no_mangle]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    let mut at = 0;
    while at < len {
        *to.add(at) = *from.add(at);
        at += 1;
    }
    to
}

#[no_mangle]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if (to as usize) < from as usize {
        return memcpy(to, from, len);
    }
    let mut at = len;
    while at > 0 {
        at -= 1;
        *to.add(at) = *from.add(at);
    }
    to
}

#[no_mangle]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    let mut at = 0;
    while at < len {
        *to.add(at) = byte as u8;
        at += 1;
    }
    to
}

#[no_mangle]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    let mut at = 0;
    while at < len {
        let difference = *left.add(at) as i32 - *right.add(at) as i32;
        if difference != 0 {
            return difference;
        }
        at += 1;
    }
    0
}

#[no_mangle]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    memcmp(left, right, len)
}
