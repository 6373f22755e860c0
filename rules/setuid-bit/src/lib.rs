// SPDX-License-Identifier: Apache-2.0
//! A file is made to run with its owner's or group's rights.
#![no_std]
use sentinel_sdk::{linux::*, *};

rule!(check);

/// Processes of a package manager, which sets these bits as the packages say.
static INSTALLERS: Local<PerProcess<bool, 1024>> = Local::new(PerProcess::new(false));

fn check(event: &Event) -> i32 {
    INSTALLERS.with(|installers| {
        let mode = match event.kind() {
            Kind::Chmod(chmod) => chmod.mode(),
            Kind::Open(open) if open.flags() & (O_CREAT | O_TMPFILE) != 0 => open.mode(),
            _ => {
                installers.follow(event, |exec| is_installer(system_program(exec.exe())));
                return 0;
            }
        };
        (event.succeeded() && gives_rights(mode) && !installers.get(event)) as i32
    })
}

/// The setgid bit without the group's x bit is the old mandatory locking, not a right.
fn gives_rights(mode: u64) -> bool {
    mode & S_ISUID != 0 || mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP
}

/// systemd-tmpfiles and -journald set the group bit on folders in /var/log and /run.
fn is_installer(program: &[u8]) -> bool {
    matches!(program, b"dpkg" | b"dpkg-deb" | b"dpkg-statoverride" | b"rpm" | b"systemd-tmpfiles" | b"systemd-journald")
}
