// SPDX-License-Identifier: Apache-2.0
//! What a rule remembers about each process.

use crate::memory::Plain;
use crate::record::{Exec, Kind};
use crate::text::{basename, dirname};
use crate::Event;

#[derive(Clone, Copy)]
struct Slot<T> {
    tgid: u32,
    start: u64,
    value: T,
}

/// A value per process, in `N` fixed slots: when two processes fall on one slot, the later one has it.
///
/// A process is its id and start time, so a reused id never inherits what another process did.
/// `T::default()` is what an unknown process has.
pub struct PerProcess<T, const N: usize> {
    slots: [Slot<T>; N],
    default: T,
}

unsafe impl<T: Plain, const N: usize> Plain for PerProcess<T, N> {}

impl<T: Copy + PartialEq, const N: usize> PerProcess<T, N> {
    pub const fn new(default: T) -> PerProcess<T, N> {
        PerProcess { slots: [Slot { tgid: 0, start: 0, value: default }; N], default }
    }

    /// Keeps the table: `on_exec` says what a process is from the program it begins; a fork inherits; an exit forgets.
    /// Call it with each event; the rule has to subscribe to exec, fork and exit.
    #[inline]
    pub fn follow(&mut self, event: &Event, on_exec: impl FnOnce(&Exec) -> T) {
        match event.kind() {
            Kind::Exec(exec) => self.set(event, on_exec(&exec)),
            Kind::Fork(fork) => self.put(fork.child_pid() as u32, fork.child_start(), self.get(event)),
            Kind::Exit(_) => self.set(event, self.default),
            _ => {}
        }
    }

    /// What is known of the event's process.
    #[inline]
    pub fn get(&self, event: &Event) -> T {
        let slot = &self.slots[Self::place(event.tgid())];
        if slot.tgid == event.tgid() && slot.start == event.leader_start() {
            slot.value
        } else {
            self.default
        }
    }

    /// What is known of the process that now has this id: for a target, of which an event gives no start time.
    #[inline]
    pub fn of(&self, tgid: u32) -> T {
        let slot = &self.slots[Self::place(tgid)];
        if slot.tgid == tgid {
            slot.value
        } else {
            self.default
        }
    }

    /// Remembers `value` for the event's process.
    #[inline]
    pub fn set(&mut self, event: &Event, value: T) {
        self.put(event.tgid(), event.leader_start(), value);
    }

    /// Remembers `value` for any process. The default takes no slot: it only clears the process's own.
    pub fn put(&mut self, tgid: u32, start: u64, value: T) {
        let default = self.default;
        let slot = &mut self.slots[Self::place(tgid)];
        if value != default || (slot.tgid == tgid && slot.start == start) {
            *slot = Slot { tgid, start, value };
        }
    }

    fn place(tgid: u32) -> usize {
        tgid as usize % N
    }
}

/// The name of a program that lies in a folder only root can write on a normal system, such as `sudo` for
/// `/usr/bin/sudo`; empty for any other. The kernel gives `exe`, so unlike `comm` the program cannot choose it.
pub fn system_program(exe: &[u8]) -> &[u8] {
    const FOLDERS: [&[u8]; 8] = [
        b"/usr/bin",
        b"/usr/sbin",
        b"/bin",
        b"/sbin",
        b"/usr/local/bin",
        b"/usr/local/sbin",
        b"/usr/lib/systemd",
        b"/usr/lib/openssh",
    ];
    if FOLDERS.contains(&dirname(exe)) {
        basename(exe)
    } else {
        b""
    }
}
