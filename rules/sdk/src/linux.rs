// SPDX-License-Identifier: Apache-2.0
//! Numbers of the Linux system call interface that rules compare with. The same on x86-64 and arm64.

pub const O_WRONLY: u64 = 1;
pub const O_RDWR: u64 = 2;
pub const O_CREAT: u64 = 0o100;
pub const O_TRUNC: u64 = 0o1000;
pub const O_APPEND: u64 = 0o2000;
pub const O_PATH: u64 = 0o10000000;
pub const O_TMPFILE: u64 = 0o20000000;

pub const S_ISUID: u64 = 0o4000;
pub const S_ISGID: u64 = 0o2000;
pub const S_IXGRP: u64 = 0o10;

pub const AF_INET: u64 = 2;
pub const AF_INET6: u64 = 10;

pub const PTRACE_TRACEME: u64 = 0;
pub const PTRACE_POKETEXT: u64 = 4;
pub const PTRACE_POKEDATA: u64 = 5;
pub const PTRACE_POKEUSER: u64 = 6;
pub const PTRACE_SETREGS: u64 = 13;
pub const PTRACE_SETFPREGS: u64 = 15;
pub const PTRACE_ATTACH: u64 = 16;
pub const PTRACE_SETREGSET: u64 = 0x4205;
pub const PTRACE_SEIZE: u64 = 0x4206;

pub const BPF_PROG_LOAD: u64 = 5;

/// Whether these open flags ask for writing.
pub const fn is_write(flags: u64) -> bool {
    flags & (O_WRONLY | O_RDWR) != 0 && flags & O_PATH == 0
}

/// Whether these open flags ask for the content (O_PATH does not).
pub const fn is_access(flags: u64) -> bool {
    flags & O_PATH == 0
}
