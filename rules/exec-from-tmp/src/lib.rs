// SPDX-License-Identifier: Apache-2.0
//! Running a program or a script from a folder everyone can write, from memory, or from a deleted file.
#![no_std]
use sentinel_sdk::*;

rule!(check);

/// Whether the process was started as a container runtime, which continues from a memfd copy of itself.
static RUNTIMES: Local<PerProcess<bool, 1024>> = Local::new(PerProcess::new(false));

fn check(event: &Event) -> i32 {
    RUNTIMES.with(|runtimes| {
        let was_runtime = runtimes.get(event);
        runtimes.follow(event, |exec| matches!(system_program(exec.exe()), b"runc" | b"crun"));
        match event.kind() {
            Kind::Exec(exec) => is_suspicious(&exec, was_runtime) as i32,
            _ => 0,
        }
    })
}

fn is_suspicious(exec: &Exec, was_runtime: bool) -> bool {
    if exec.exe_flags() & EXE_MEMFD != 0 {
        return !was_runtime;
    }
    exec.exe_flags() & EXE_DELETED != 0 || is_shared(exec.exe()) || is_shared_script(exec)
}

/// A folder in which any user may create files, or what lies in one.
fn is_shared(path: &[u8]) -> bool {
    const FOLDERS: [&[u8]; 5] = [b"/tmp", b"/var/tmp", b"/dev/shm", b"/run/shm", b"/dev/mqueue"];
    let lies_in =
        |folder: &&[u8]| path.strip_prefix(*folder).map_or(false, |rest| matches!(rest.first(), None | Some(b'/')));
    FOLDERS.iter().any(lies_in)
}

/// An interpreter whose script, the first argument that is no option, lies in such a folder.
fn is_shared_script(exec: &Exec) -> bool {
    let code_flags = code_flags(basename(exec.exe()));
    if code_flags.is_empty() {
        return false;
    }
    for arg in args(exec.argv()).skip(1) {
        match arg {
            [b'-', b'-', ..] => {}
            [b'-', flags @ ..] if flags.iter().any(|flag| code_flags.contains(flag)) => return false,
            [b'-', ..] => {}
            [b'/', ..] => return is_shared(arg),
            _ => return is_shared(exec.cwd()),
        }
    }
    false
}

/// The flags after which an interpreter runs something else than a script file; empty for what is no interpreter.
fn code_flags(program: &[u8]) -> &'static [u8] {
    const FAMILIES: [(&[u8], &[u8]); 6] =
        [(b"python", b"cm"), (b"perl", b"eE"), (b"ruby", b"e"), (b"php", b"r"), (b"lua", b"e"), (b"node", b"ep")];
    if matches!(program, b"sh" | b"bash" | b"dash" | b"zsh" | b"ksh" | b"busybox") {
        return b"c";
    }
    FAMILIES.iter().find(|(family, _)| program.starts_with(family)).map_or(b"", |(_, flags)| flags)
}
