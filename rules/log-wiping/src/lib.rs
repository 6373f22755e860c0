// SPDX-License-Identifier: Apache-2.0
//! Deleting, moving away or emptying logs, login records and shell histories.
#![no_std]
use sentinel_sdk::{linux::*, *};

rule!(check);

struct State {
    rotators: PerProcess<bool, 1024>,
    old: PathBuffer,
    new: PathBuffer,
}

static STATE: Local<State> =
    Local::new(State { rotators: PerProcess::new(false), old: PathBuffer::new(), new: PathBuffer::new() });

fn check(event: &Event) -> i32 {
    STATE.with(|state| {
        let wiped = match event.kind() {
            Kind::Open(open) => is_write(open.flags()) && wipes(state.old.clean(event, open.path()), open.flags()),
            Kind::Truncate(truncate) => is_record(state.old.clean(event, truncate.path())),
            Kind::Unlink(unlink) => is_record(state.old.clean(event, unlink.path())),
            Kind::Rename(rename) => {
                let old = state.old.clean(event, rename.path());
                let new = state.new.clean(event, rename.new_path());
                // app.log -> app.log.1 is a rotation; a shell replaces its history by .bash_history-123.tmp or the like.
                let rotated = new.starts_with(old) || is_archived_journal(new);
                (is_record(old) && !rotated) || (is_history(new) && !old.starts_with(new))
            }
            _ => {
                state.rotators.follow(event, |exec| is_rotator(system_program(exec.exe())));
                return 0;
            }
        };
        (wiped && event.succeeded() && !state.rotators.get(event)) as i32
    })
}

/// Whether opening this path for writing with these flags loses what it held.
fn wipes(path: &[u8], flags: u64) -> bool {
    if flags & O_TRUNC != 0 {
        return is_record(path);
    }
    // Log daemons append; truncate(1) and tools that cut single lines out open these without O_APPEND.
    let appended = matches!(
        path.strip_prefix(b"/var/log/"),
        Some(b"auth.log" | b"secure" | b"syslog" | b"messages" | b"kern.log" | b"audit/audit.log")
    );
    appended && flags & O_APPEND == 0
}

fn is_record(path: &[u8]) -> bool {
    match path.strip_prefix(b"/var/log/") {
        Some(log) => !is_rotated(log) && !is_archived_journal(path),
        None => {
            matches!(path, b"/run/utmp" | b"/var/run/utmp" | b"/var/log" | b"/var/lib/wtmpdb/wtmp.db")
                || is_history(path)
        }
    }
}

fn is_history(path: &[u8]) -> bool {
    matches!(
        basename(path),
        b".bash_history"
            | b".zsh_history"
            | b".zhistory"
            | b".ash_history"
            | b".ksh_history"
            | b".sh_history"
            | b".python_history"
            | b".mysql_history"
            | b".psql_history"
            | b"fish_history"
    )
}

/// `syslog.1`, `app.log.3.gz`, `dpkg.log-20260101`: what each rotation deletes in the end.
fn is_rotated(log: &[u8]) -> bool {
    let packed = [&b".gz"[..], b".xz", b".bz2", b".zst"].iter().any(|suffix| log.ends_with(suffix));
    let stem = log.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(log, |last| &log[..=last]);
    packed || (stem.len() < log.len() && (stem.ends_with(b".") || stem.ends_with(b"-")))
}

/// journald, which mostly runs since before we watch, vacuums files with an @ itself; the active ones have none.
fn is_archived_journal(path: &[u8]) -> bool {
    path.starts_with(b"/var/log/journal/") && path.contains(&b'@')
}

fn is_rotator(program: &[u8]) -> bool {
    matches!(program, b"logrotate" | b"systemd-journald" | b"savelog" | b"dpkg" | b"rpm" | b"rsyslogd")
}
