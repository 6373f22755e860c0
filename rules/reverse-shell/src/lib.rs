// SPDX-License-Identifier: Apache-2.0
//! A shell whose input and output are a network connection, and command lines that make one.
#![no_std]
use sentinel_sdk::{
    linux::{AF_INET, AF_INET6},
    text::contains_ignoring_case,
    *,
};

rule!(check, state = STATE);

const STDIN: u8 = 1;
const STDOUT: u8 = 2;
const STDERR: u8 = 4;
/// The process runs a shell.
const SHELL: u8 = 8;
/// Already reported, or a descendant of one that was: its own commands are not reported again.
const REPORTED: u8 = 16;

static STATE: Local<PerProcess<u8, 8192>> = Local::new(PerProcess::new(0));

fn check(event: &Event) -> i32 {
    STATE.with(|state| {
        let before = state.get(event);
        let (now, suspicious) = match event.kind() {
            Kind::Exec(exec) => after_exec(&exec, before),
            Kind::Dup(dup) => after_dup(&dup, before),
            _ => {
                state.follow(event, |_| before);
                return 0;
            }
        };
        let report = suspicious && before & REPORTED == 0;
        state.set(event, if report { now | REPORTED } else { now });
        report as i32
    })
}

fn after_exec(exec: &Exec, before: u8) -> (u8, bool) {
    let program = basename(exec.exe());
    let shell = is_shell(program);
    let now = if shell { before | SHELL } else { before & !SHELL };
    let socket_shell = is_remote(before) && (shell || interpreter(program));
    (now, socket_shell || is_reverse_shell(program, exec.argv()))
}

fn after_dup(dup: &Dup, before: u8) -> (u8, bool) {
    if !matches!(dup.family(), AF_INET | AF_INET6) {
        return (before, false);
    }
    let now = before | 1u8.checked_shl(dup.new_fd() as u32).unwrap_or(0) & (STDIN | STDOUT | STDERR);
    // The name is all there is to go by for a process that began before the recording did.
    let shell = before & SHELL != 0 || is_shell(dup.0.comm());
    (now, shell && is_remote(now))
}

/// Input and output are the network. Input alone is what a health check's `</dev/tcp/host/port` does.
fn is_remote(state: u8) -> bool {
    state & STDIN != 0 && state & (STDOUT | STDERR) != 0
}

fn is_shell(program: &[u8]) -> bool {
    matches!(
        program,
        b"sh"
            | b"bash"
            | b"dash"
            | b"zsh"
            | b"ksh"
            | b"ash"
            | b"fish"
            | b"tcsh"
            | b"csh"
            | b"busybox"
            | b"mksh"
            | b"rbash"
    )
}

fn interpreter(program: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] = [b"python", b"perl", b"ruby", b"php", b"lua", b"node", b"nodejs"];
    NAMES.iter().any(|name| program.starts_with(name))
}

fn is_reverse_shell(program: &[u8], argv: &[u8]) -> bool {
    match program {
        b"nc" | b"ncat" | b"netcat" | b"nc.traditional" | b"nc.openbsd" => netcat_runs_shell(argv),
        b"socat" => any(argv, &[b"exec:", b"system:"]) && any(argv, &[b"tcp", b"udp", b"openssl", b"sctp"]),
        _ if is_shell(program) => shell_script(argv) || (program == b"busybox" && netcat_runs_shell(argv)),
        _ if interpreter(program) => inline_code(argv),
        _ => false,
    }
}

/// `-e`, `-c`, `--exec` or `--sh-exec` with a shell.
fn netcat_runs_shell(argv: &[u8]) -> bool {
    let runs = args(argv).skip(1).any(|arg| match arg.strip_prefix(b"--") {
        Some(long) => long.starts_with(b"exec") || long.starts_with(b"sh-exec"),
        None => arg.starts_with(b"-") && arg[1..].iter().any(|flag| matches!(flag, b'e' | b'c')),
    });
    runs && args(argv).skip(1).any(|arg| {
        let command = arg.split(|&byte| byte == b' ' || byte == b'=').find(|word| !word.starts_with(b"--"));
        command.map_or(false, |word| is_shell(basename(word)))
    })
}

/// What a shell is told to run: both directions through /dev/tcp, or a FIFO around netcat.
fn shell_script(argv: &[u8]) -> bool {
    let device = contains(argv, b"/dev/tcp/") || contains(argv, b"/dev/udp/");
    (device && any(argv, &[b"0>&1", b"0<&", b"-i ", b"while read", b"sh <&"]))
        || (contains(argv, b"mkfifo")
            && any(argv, &[b"nc ", b"ncat ", b"telnet ", b"s_client"])
            && any(argv, &[b"sh "]))
}

/// Code on an interpreter's command line that has a socket and starts a shell.
fn inline_code(argv: &[u8]) -> bool {
    args(argv).skip(1).any(|arg| matches!(arg, b"-c" | b"-e" | b"-E" | b"-r" | b"-MIO"))
        && contains_ignoring_case(argv, b"sock")
        && any(
            argv,
            &[b"/bin/sh", b"/bin/bash", b"\"sh\"", b"'sh'", b"\"bash\"", b"'bash'", b"pty.spawn", b"dup2", b"sh -i"],
        )
}

fn any(text: &[u8], needles: &[&[u8]]) -> bool {
    needles.iter().any(|needle| contains_ignoring_case(text, needle))
}
