// SPDX-License-Identifier: Apache-2.0
//! Reading of password hashes, private keys, cloud credentials, and the memory of other processes.
#![no_std]
use sentinel_sdk::{linux::is_access, *};

rule!(check, state = STATE);

/// Which secrets a process opens by duty, as bits.
const LOGIN: u8 = 1;
const SSH: u8 = 2;
const CLOUD: u8 = 4;

struct State {
    duty: PerProcess<u8, 4096>,
    path: PathBuffer,
}

// Tables of numbers, and a buffer.
unsafe impl Plain for State {}

static STATE: Local<State> = Local::new(State { duty: PerProcess::new(0), path: PathBuffer::new() });

fn check(event: &Event) -> i32 {
    STATE.with(|state| match event.kind() {
        Kind::Open(open) if is_access(open.flags()) && (event.succeeded() || event.denied()) => {
            let secret = secret(state.path.clean(event, open.path()), event);
            (secret != 0 && secret & state.duty.get(event) == 0) as i32
        }
        Kind::Open(_) => 0,
        _ => {
            state.duty.follow(event, |exec| duty(system_program(exec.exe()), exec.argv()));
            0
        }
    })
}

/// What kind of secret this path holds: bits of the duty that opens it, 0 for none, 0x80 for one nobody has to open.
fn secret(path: &[u8], event: &Event) -> u8 {
    const NOBODY: u8 = 0x80;
    if let Some(name) = path.strip_prefix(b"/etc/") {
        return match name {
            b"shadow" | b"shadow-" | b"gshadow" | b"gshadow-" | b"sudoers" => LOGIN,
            b"security/opasswd" | b"krb5.keytab" => LOGIN,
            b"kubernetes/admin.conf" => CLOUD,
            _ if name.starts_with(b"sudoers.d/") => LOGIN,
            _ if name.starts_with(b"ssh/ssh_host_") && name.ends_with(b"_key") => SSH,
            _ => 0,
        };
    }
    if let Some(rest) = path.strip_prefix(b"/proc/") {
        let other = text::number(rest).map_or(false, |pid| pid != event.tgid());
        return if other && event.succeeded() && matches!(basename(rest), b"environ" | b"mem") { NOBODY } else { 0 };
    }
    let (folder, name) = (text::dirname(path), basename(path));
    if folder.ends_with(b"/.ssh") {
        let private = name.starts_with(b"id_") && !name.ends_with(b".pub");
        return if private { SSH } else { 0 };
    }
    let cloud = match name {
        b"credentials" => folder.ends_with(b"/.aws"),
        b"config" => folder.ends_with(b"/.kube"),
        b"config.json" => folder.ends_with(b"/.docker"),
        b"credentials.db" | b"application_default_credentials.json" => folder.ends_with(b"/.config/gcloud"),
        b"msal_token_cache.json" => folder.ends_with(b"/.azure"),
        b".git-credentials" | b".netrc" | b".pgpass" => true,
        _ => folder.ends_with(b"/.gnupg/private-keys-v1.d"),
    };
    if cloud {
        CLOUD
    } else {
        0
    }
}

/// What the program of this name, in a system folder, has to open to do its work.
fn duty(program: &[u8], argv: &[u8]) -> u8 {
    match program {
        // Perl's getpwnam looks into shadow too, and debconf asks it in each run of apt.
        b"perl" => match args(argv).skip(1).find(|arg| *arg != b"-w") {
            Some(b"/usr/share/debconf/frontend" | b"/usr/sbin/dpkg-preconfigure") => LOGIN,
            _ => 0,
        },
        b"sudo" | b"su" | b"login" | b"passwd" | b"chage" | b"chpasswd" | b"unix_chkpwd" | b"newgrp" | b"gpasswd" => {
            LOGIN
        }
        b"useradd" | b"usermod" | b"userdel" | b"groupadd" | b"groupmod" | b"groupdel" | b"pwck" | b"grpck" => LOGIN,
        b"visudo" | b"cron" | b"crond" | b"atd" | b"nscd" | b"polkitd" | b"pwconv" | b"grpconv" | b"chfn" | b"chsh" => {
            LOGIN
        }
        b"systemd" | b"systemd-executor" | b"systemd-userdbd" | b"systemd-userwork" | b"systemd-sysusers" => LOGIN,
        b"dpkg" | b"rpm" => LOGIN | SSH,
        b"sshd" | b"sshd-session" | b"sshd-auth" => LOGIN | SSH,
        b"ssh" | b"ssh-add" | b"ssh-keygen" | b"ssh-keysign" => SSH,
        b"kubectl"
        | b"helm"
        | b"k9s"
        | b"aws"
        | b"docker"
        | b"git"
        | b"git-credential-store"
        | b"gpg"
        | b"gpg-agent" => CLOUD,
        b"psql" | b"pg_dump" => CLOUD,
        _ => 0,
    }
}
