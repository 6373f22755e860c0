// SPDX-License-Identifier: Apache-2.0
//! Writing where something will be run later: cron, systemd units, authorized keys, preloaded libraries, start-up files.
#![no_std]
use sentinel_sdk::{linux::is_write, *};

rule!(check);

struct State {
    installers: PerProcess<bool, 1024>,
    path: PathBuffer,
}

static STATE: Local<State> = Local::new(State { installers: PerProcess::new(false), path: PathBuffer::new() });

fn check(event: &Event) -> i32 {
    STATE.with(|state| {
        let target = match event.kind() {
            Kind::Open(open) if !is_write(open.flags()) => return 0,
            Kind::Open(open) => open.path(),
            Kind::Rename(rename) => rename.new_path(),
            Kind::Link(link) => link.new_path(),
            Kind::Symlink(symlink) => symlink.path(),
            _ => {
                state.installers.follow(event, |exec| is_installer(system_program(exec.exe())));
                return 0;
            }
        };
        let target = state.path.clean(event, target);
        let planted = runs_later(target) && event.succeeded() && !state.installers.get(event);
        if planted {
            // For a rename or a link the message has the old name.
            log(target);
        }
        planted as i32
    })
}

fn runs_later(path: &[u8]) -> bool {
    const LIBRARIES: [&[u8]; 4] =
        [b"/usr/lib/systemd/system/", b"/usr/lib/systemd/user/", b"/lib/systemd/system/", b"/usr/lib/udev/rules.d/"];
    if let Some(name) = path.strip_prefix(b"/etc/") {
        return in_etc(name);
    }
    path.starts_with(b"/var/spool/cron/") || LIBRARIES.iter().any(|folder| path.starts_with(folder)) || in_home(path)
}

fn in_etc(name: &[u8]) -> bool {
    const FILES: [&[u8]; 9] = [
        b"crontab",
        b"anacrontab",
        b"ld.so.preload",
        b"profile",
        b"bash.bashrc",
        b"bashrc",
        b"zsh/zshrc",
        b"rc.local",
        b"inittab",
    ];
    const FOLDERS: [&[u8]; 13] = [
        b"cron.d/",
        b"cron.hourly/",
        b"cron.daily/",
        b"cron.weekly/",
        b"cron.monthly/",
        b"systemd/system/",
        b"systemd/user/",
        b"init.d/",
        b"profile.d/",
        b"update-motd.d/",
        b"udev/rules.d/",
        b"ld.so.conf.d/",
        b"pam.d/",
    ];
    FILES.contains(&name) || FOLDERS.iter().any(|folder| name.starts_with(folder)) || name.starts_with(b"sudoers.d/")
}

fn in_home(path: &[u8]) -> bool {
    let file = matches!(
        basename(path),
        b".bashrc"
            | b".bash_profile"
            | b".bash_login"
            | b".bash_logout"
            | b".profile"
            | b".zshrc"
            | b".zprofile"
            | b".zshenv"
    );
    file || path.ends_with(b"/.ssh/authorized_keys")
        || path.ends_with(b"/.ssh/authorized_keys2")
        || path.ends_with(b"/.ssh/rc")
        || contains(path, b"/.config/systemd/user/")
        || contains(path, b"/.config/autostart/")
}

/// Package managers, and useradd, which copies /etc/skel.
fn is_installer(program: &[u8]) -> bool {
    matches!(program, b"dpkg" | b"rpm" | b"useradd" | b"adduser")
}
