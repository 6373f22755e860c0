// SPDX-License-Identifier: Apache-2.0
//! One example for each kind of event. `make schema` copies them into the documentation of `Kind`.
#![no_std]
use sentinel_sdk::{linux::*, *};

rule!(check);

fn check(event: &Event) -> i32 {
    match event.kind() {
        // A program runs that has no name: a memfd, or a file that is deleted already.
        Kind::Exec(exec) if exec.exe_flags() & (EXE_MEMFD | EXE_DELETED) != 0 => 1,
        // A program of the administrator's is refused.
        Kind::ExecFailed(failed) if event.denied() && failed.path().starts_with(b"/usr/sbin/") => 1,
        // nginx begins a process more than a minute after the host's start.
        Kind::Fork(fork) if event.comm() == b"nginx" && fork.child_start() > 60_000_000_000 => 1,
        // A program crashes (SIGSEGV).
        Kind::Exit(exit) if exit.signal() == 11 => 1,
        // A file of the boot loader is opened for writing.
        Kind::Open(open) if is_write(open.flags()) && open.path().starts_with(b"/boot/") => 1,
        // A log is deleted.
        Kind::Unlink(unlink) if unlink.path().starts_with(b"/var/log/") => 1,
        // Another file takes the place of the list of users.
        Kind::Rename(rename) if rename.new_path() == b"/etc/passwd" => 1,
        // A file is made to run with its owner's rights.
        Kind::Chmod(chmod) if chmod.mode() & S_ISUID != 0 => 1,
        // The cloud's metadata service is asked for credentials.
        Kind::Connect(connect) if connect.addr() == [169, 254, 169, 254] && connect.port() == 80 => 1,
        // A program takes port 4444.
        Kind::Bind(bind) if bind.port() == 4444 => 1,
        // Somebody outside of 10.0.0.0/8 reaches the SSH server over IPv4.
        Kind::Accept(accept)
            if accept.local_port() == 22 && accept.family() == AF_INET && !accept.addr().starts_with(&[10]) =>
        {
            1
        }
        // A debugger takes hold of another process.
        Kind::Ptrace(ptrace) if ptrace.request() == PTRACE_ATTACH && ptrace.target_pid() != event.ppid() as u64 => 1,
        // A program calls setuid(0) and may.
        Kind::Setuid(setuid) if setuid.call() == 0 && setuid.id1() == 0 && event.succeeded() => 1,
        // A file without a place in any folder is made, and not even named.
        Kind::MemfdCreate(memfd) if memfd.name().is_empty() => 1,
        // A file system is mounted that a program serves.
        Kind::Mount(mount) if mount.fstype().starts_with(b"fuse") => 1,
        // A kernel module comes from a folder where everybody can write.
        Kind::InitModule(module) if module.path().starts_with(b"/tmp/") => 1,
        // An eBPF program of type kprobe (2) is loaded.
        Kind::Bpf(bpf) if bpf.command() == BPF_PROG_LOAD && bpf.prog_type() == 2 => 1,
        // kill(-1, SIGKILL): every process that the caller may.
        Kind::Kill(kill) if kill.target_pid() as i32 == -1 && kill.signal() == 9 => 1,
        // A socket to port 4444 becomes the standard input.
        Kind::Dup(dup) if dup.new_fd() == 0 && dup.port() == 4444 => 1,
        // The password hashes get a second name.
        Kind::Link(link) if link.path() == b"/etc/shadow" => 1,
        // A shell's history leads to nowhere.
        Kind::Symlink(link) if link.target() == b"/dev/null" && link.path().ends_with(b"_history") => 1,
        // A folder is named so as to be overlooked.
        Kind::Mkdir(mkdir) if basename(mkdir.path()) == b"..." => 1,
        // A file in /tmp is given to root.
        Kind::Chown(chown) if chown.owner() == 0 && chown.path().starts_with(b"/tmp/") => 1,
        // A log is emptied.
        Kind::Truncate(truncate) if truncate.length() == 0 && truncate.path().starts_with(b"/var/log/") => 1,
        // Root listens on a port that anybody could have taken.
        Kind::Listen(listen) if listen.port() >= 1024 && event.euid() == 0 => 1,
        // A packet socket (AF_PACKET is 17): a sniffer, or a DHCP client.
        Kind::Socket(socket) if socket.family() == 17 => 1,
        // A hidden service is looked up.
        Kind::Dns(dns) if dns.name().ends_with(b".onion") => 1,
        // A process writes into another one's memory.
        Kind::ProcessVmWrite(write) if write.target_pid() != event.tgid() as u64 => 1,
        // The root of the file system is moved into /tmp.
        Kind::PivotRoot(pivot) if pivot.path().starts_with(b"/tmp/") => 1,
        // A user makes a user namespace (CLONE_NEWUSER), to be root inside.
        Kind::Unshare(unshare) if unshare.flags() & 0x1000_0000 != 0 && event.uid() != 0 => 1,
        // A process enters another mount namespace (CLONE_NEWNS).
        Kind::Setns(setns) if setns.flags() & 0x2_0000 != 0 => 1,
        // A thread gives itself CAP_SYS_ADMIN (21).
        Kind::Capset(capset) if capset.effective() & 1 << 21 != 0 => 1,
        // A thread takes the name of one of the kernel's (PR_SET_NAME is 15).
        Kind::Prctl(prctl) if prctl.option() == 15 && prctl.name().starts_with(b"kworker") => 1,
        // Memory becomes writable and executable at once.
        Kind::Mprotect(mprotect) if mprotect.protection() & 7 == 7 => 1,
        // An io_uring that a thread of the kernel polls (IORING_SETUP_SQPOLL).
        Kind::IoUringSetup(setup) if setup.flags() & 2 != 0 => 1,
        // A connection is accepted without a call (IORING_OP_ACCEPT).
        Kind::IoUring(io_uring) if io_uring.opcode() == 13 => 1,
        // What lies below the logs comes to light.
        Kind::Umount(umount) if umount.path() == b"/var/log" => 1,
        // A path in /etc was another one when its call began.
        Kind::ArgumentRace(race) if race.path().starts_with(b"/etc/") => 1,
        // A process hides in its own noise.
        Kind::Suppressed(suppressed) if suppressed.count() >= 100_000 => 1,
        // Docker begins a container.
        Kind::CgroupMkdir(cgroup) if contains(cgroup.path(), b"/docker") => 1,
        _ => 0,
    }
}
