// SPDX-License-Identifier: Apache-2.0
// Generated from sentinel_engine/schema.py by `make schema`: do not edit.
use crate::Event;

pub const HEADER_SIZE: usize = 144;
pub const MAX_PATH: usize = 4096;
pub const MAX_RECORD: usize = 16384;
pub const FLAG_TRUNCATED: u8 = 1;
pub const FLAG_FAULT: u8 = 2;
pub const FLAG_USER_PTR: u8 = 4;
pub const FLAG_COMPAT: u8 = 8;
pub const FLAG_SNAPSHOT: u8 = 16;
pub const FLAG_IO_URING: u8 = 32;
pub const EXE_MEMFD: u64 = 1;
pub const EXE_DELETED: u64 = 2;
pub(crate) const KIND_AT: usize = 4;
pub(crate) const COMM_AT: usize = 88;
pub(crate) const A_AT: usize = 104;
pub(crate) const SLEN_AT: usize = 136;

impl<'a> Event<'a> {
    /// Bytes of the whole record, padding included; a multiple of 8.
    #[inline]
    pub fn len(&self) -> u32 {
        u32::from_le_bytes(self.bytes(0))
    }
    /// Layout version, RECORD_VERSION.
    #[inline]
    pub fn version(&self) -> u8 {
        u8::from_le_bytes(self.bytes(6))
    }
    /// RecordFlag bits.
    #[inline]
    pub fn flags(&self) -> u8 {
        u8::from_le_bytes(self.bytes(7))
    }
    /// Ns since boot, suspend included (CLOCK_BOOTTIME).
    #[inline]
    pub fn boot_ns(&self) -> u64 {
        u64::from_le_bytes(self.bytes(8))
    }
    /// Per CPU and ring, 1, 2, 3 …; a gap is a loss.
    #[inline]
    pub fn cpu_seq(&self) -> u64 {
        u64::from_le_bytes(self.bytes(16))
    }
    /// CPU that wrote the record.
    #[inline]
    pub fn cpu(&self) -> u32 {
        u32::from_le_bytes(self.bytes(24))
    }
    /// Process id, host pid namespace.
    #[inline]
    pub fn tgid(&self) -> u32 {
        u32::from_le_bytes(self.bytes(28))
    }
    /// Thread id, host pid namespace.
    #[inline]
    pub fn tid(&self) -> u32 {
        u32::from_le_bytes(self.bytes(32))
    }
    /// Real parent's process id.
    #[inline]
    pub fn ppid(&self) -> u32 {
        u32::from_le_bytes(self.bytes(36))
    }
    /// Ns since boot at which the process started.
    #[inline]
    pub fn leader_start(&self) -> u64 {
        u64::from_le_bytes(self.bytes(40))
    }
    /// Real user id, initial user namespace.
    #[inline]
    pub fn uid(&self) -> u32 {
        u32::from_le_bytes(self.bytes(48))
    }
    /// Effective user id.
    #[inline]
    pub fn euid(&self) -> u32 {
        u32::from_le_bytes(self.bytes(52))
    }
    /// Real group id.
    #[inline]
    pub fn gid(&self) -> u32 {
        u32::from_le_bytes(self.bytes(56))
    }
    /// Audit login uid; 0xffffffff when unset.
    #[inline]
    pub fn loginuid(&self) -> u32 {
        u32::from_le_bytes(self.bytes(60))
    }
    /// Cgroup v2 id (inode number of its folder).
    #[inline]
    pub fn cgroup(&self) -> u64 {
        u64::from_le_bytes(self.bytes(64))
    }
    /// Mount namespace inode number.
    #[inline]
    pub fn mntns(&self) -> u32 {
        u32::from_le_bytes(self.bytes(72))
    }
    /// Pid namespace inode number.
    #[inline]
    pub fn pidns(&self) -> u32 {
        u32::from_le_bytes(self.bytes(76))
    }
    /// Return value of the call; a negative errno when it failed.
    #[inline]
    pub fn ret(&self) -> i64 {
        i64::from_le_bytes(self.bytes(80))
    }
    /// What happened, with the fields that this kind of event has.
    #[inline]
    pub fn kind(&self) -> Kind<'a> {
        match self.number() {
            1 => Kind::Exec(Exec(*self)),
            2 => Kind::ExecFailed(ExecFailed(*self)),
            3 => Kind::Fork(Fork(*self)),
            4 => Kind::Exit(Exit(*self)),
            5 => Kind::Open(Open(*self)),
            6 => Kind::Unlink(Unlink(*self)),
            7 => Kind::Rename(Rename(*self)),
            8 => Kind::Chmod(Chmod(*self)),
            9 => Kind::Connect(Connect(*self)),
            10 => Kind::Bind(Bind(*self)),
            11 => Kind::Accept(Accept(*self)),
            12 => Kind::Ptrace(Ptrace(*self)),
            13 => Kind::Setuid(Setuid(*self)),
            14 => Kind::MemfdCreate(MemfdCreate(*self)),
            15 => Kind::Mount(Mount(*self)),
            16 => Kind::InitModule(InitModule(*self)),
            17 => Kind::Bpf(Bpf(*self)),
            18 => Kind::Kill(Kill(*self)),
            19 => Kind::Dup(Dup(*self)),
            20 => Kind::Link(Link(*self)),
            21 => Kind::Symlink(Symlink(*self)),
            22 => Kind::Mkdir(Mkdir(*self)),
            23 => Kind::Chown(Chown(*self)),
            24 => Kind::Truncate(Truncate(*self)),
            25 => Kind::Listen(Listen(*self)),
            26 => Kind::Socket(Socket(*self)),
            27 => Kind::Dns(Dns(*self)),
            28 => Kind::ProcessVmWrite(ProcessVmWrite(*self)),
            29 => Kind::PivotRoot(PivotRoot(*self)),
            30 => Kind::Unshare(Unshare(*self)),
            31 => Kind::Setns(Setns(*self)),
            32 => Kind::Capset(Capset(*self)),
            33 => Kind::Prctl(Prctl(*self)),
            34 => Kind::Mprotect(Mprotect(*self)),
            35 => Kind::IoUringSetup(IoUringSetup(*self)),
            36 => Kind::IoUring(IoUring(*self)),
            37 => Kind::Umount(Umount(*self)),
            38 => Kind::ArgumentRace(ArgumentRace(*self)),
            39 => Kind::Suppressed(Suppressed(*self)),
            40 => Kind::CgroupMkdir(CgroupMkdir(*self)),
            _ => Kind::Unknown,
        }
    }
}

/// An event by kind, each with an example from the rule `sdk/examples/every-kind`. What each field holds:
/// bpf/README.md. `Unknown` is a kind that is newer than this SDK.
#[derive(Clone, Copy)]
pub enum Kind<'a> {
    Exec(Exec<'a>),
    ExecFailed(ExecFailed<'a>),
    Fork(Fork<'a>),
    Exit(Exit<'a>),
    Open(Open<'a>),
    Unlink(Unlink<'a>),
    Rename(Rename<'a>),
    Chmod(Chmod<'a>),
    Connect(Connect<'a>),
    Bind(Bind<'a>),
    Accept(Accept<'a>),
    Ptrace(Ptrace<'a>),
    Setuid(Setuid<'a>),
    MemfdCreate(MemfdCreate<'a>),
    Mount(Mount<'a>),
    InitModule(InitModule<'a>),
    Bpf(Bpf<'a>),
    Kill(Kill<'a>),
    Dup(Dup<'a>),
    Link(Link<'a>),
    Symlink(Symlink<'a>),
    Mkdir(Mkdir<'a>),
    Chown(Chown<'a>),
    Truncate(Truncate<'a>),
    Listen(Listen<'a>),
    Socket(Socket<'a>),
    Dns(Dns<'a>),
    ProcessVmWrite(ProcessVmWrite<'a>),
    PivotRoot(PivotRoot<'a>),
    Unshare(Unshare<'a>),
    Setns(Setns<'a>),
    Capset(Capset<'a>),
    Prctl(Prctl<'a>),
    Mprotect(Mprotect<'a>),
    IoUringSetup(IoUringSetup<'a>),
    IoUring(IoUring<'a>),
    Umount(Umount<'a>),
    ArgumentRace(ArgumentRace<'a>),
    Suppressed(Suppressed<'a>),
    CgroupMkdir(CgroupMkdir<'a>),
    Unknown,
}

/// `exec`. A program runs that has no name: a memfd, or a file that is deleted already.
///
/// ```ignore
/// Kind::Exec(exec) if exec.exe_flags() & (EXE_MEMFD | EXE_DELETED) != 0 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Exec<'a>(pub Event<'a>);

impl<'a> Exec<'a> {
    #[inline]
    pub fn exe_flags(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn inode(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn caps(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn argc(&self) -> u64 {
        self.0.arg(3)
    }
    #[inline]
    pub fn exe(&self) -> &'a [u8] {
        self.0.string(0)
    }
    #[inline]
    pub fn argv(&self) -> &'a [u8] {
        self.0.string(1)
    }
    #[inline]
    pub fn cwd(&self) -> &'a [u8] {
        self.0.string(2)
    }
    #[inline]
    pub fn tty(&self) -> &'a [u8] {
        self.0.string(3)
    }
}

/// `exec_failed`. A program of the administrator's is refused.
///
/// ```ignore
/// Kind::ExecFailed(failed) if event.denied() && failed.path().starts_with(b"/usr/sbin/") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct ExecFailed<'a>(pub Event<'a>);

impl<'a> ExecFailed<'a> {
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `fork`. nginx begins a process more than a minute after the host's start.
///
/// ```ignore
/// Kind::Fork(fork) if event.comm() == b"nginx" && fork.child_start() > 60_000_000_000 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Fork<'a>(pub Event<'a>);

impl<'a> Fork<'a> {
    #[inline]
    pub fn child_pid(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn child_start(&self) -> u64 {
        self.0.arg(1)
    }
}

/// `exit`. A program crashes (SIGSEGV).
///
/// ```ignore
/// Kind::Exit(exit) if exit.signal() == 11 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Exit<'a>(pub Event<'a>);

impl<'a> Exit<'a> {
    #[inline]
    pub fn exit_code(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn signal(&self) -> u64 {
        self.0.arg(1)
    }
}

/// `open`. A file of the boot loader is opened for writing.
///
/// ```ignore
/// Kind::Open(open) if is_write(open.flags()) && open.path().starts_with(b"/boot/") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Open<'a>(pub Event<'a>);

impl<'a> Open<'a> {
    #[inline]
    pub fn flags(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn mode(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn inode(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn call(&self) -> u64 {
        self.0.arg(3)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `unlink`. A log is deleted.
///
/// ```ignore
/// Kind::Unlink(unlink) if unlink.path().starts_with(b"/var/log/") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Unlink<'a>(pub Event<'a>);

impl<'a> Unlink<'a> {
    #[inline]
    pub fn flags(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `rename`. Another file takes the place of the list of users.
///
/// ```ignore
/// Kind::Rename(rename) if rename.new_path() == b"/etc/passwd" => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Rename<'a>(pub Event<'a>);

impl<'a> Rename<'a> {
    #[inline]
    pub fn flags(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
    #[inline]
    pub fn new_path(&self) -> &'a [u8] {
        self.0.string(1)
    }
}

/// `chmod`. A file is made to run with its owner's rights.
///
/// ```ignore
/// Kind::Chmod(chmod) if chmod.mode() & S_ISUID != 0 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Chmod<'a>(pub Event<'a>);

impl<'a> Chmod<'a> {
    #[inline]
    pub fn mode(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `connect`. The cloud's metadata service is asked for credentials.
///
/// ```ignore
/// Kind::Connect(connect) if connect.addr() == [169, 254, 169, 254] && connect.port() == 80 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Connect<'a>(pub Event<'a>);

impl<'a> Connect<'a> {
    #[inline]
    pub fn fd(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn family(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn port(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn local_port(&self) -> u64 {
        self.0.arg(3)
    }
    #[inline]
    pub fn addr(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `bind`. A program takes port 4444.
///
/// ```ignore
/// Kind::Bind(bind) if bind.port() == 4444 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Bind<'a>(pub Event<'a>);

impl<'a> Bind<'a> {
    #[inline]
    pub fn fd(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn family(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn port(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn addr(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `accept`. Somebody outside of 10.0.0.0/8 reaches the SSH server over IPv4.
///
/// ```ignore
/// Kind::Accept(accept)
///     if accept.local_port() == 22 && accept.family() == AF_INET && !accept.addr().starts_with(&[10]) =>
/// {
///     1
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Accept<'a>(pub Event<'a>);

impl<'a> Accept<'a> {
    #[inline]
    pub fn fd(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn family(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn port(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn local_port(&self) -> u64 {
        self.0.arg(3)
    }
    #[inline]
    pub fn addr(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `ptrace`. A debugger takes hold of another process.
///
/// ```ignore
/// Kind::Ptrace(ptrace) if ptrace.request() == PTRACE_ATTACH && ptrace.target_pid() != event.ppid() as u64 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Ptrace<'a>(pub Event<'a>);

impl<'a> Ptrace<'a> {
    #[inline]
    pub fn request(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn target_pid(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn address(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn data(&self) -> u64 {
        self.0.arg(3)
    }
}

/// `setuid`. A program calls setuid(0) and may.
///
/// ```ignore
/// Kind::Setuid(setuid) if setuid.call() == 0 && setuid.id1() == 0 && event.succeeded() => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Setuid<'a>(pub Event<'a>);

impl<'a> Setuid<'a> {
    #[inline]
    pub fn call(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn id1(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn id2(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn id3(&self) -> u64 {
        self.0.arg(3)
    }
}

/// `memfd_create`. A file without a place in any folder is made, and not even named.
///
/// ```ignore
/// Kind::MemfdCreate(memfd) if memfd.name().is_empty() => 1,
/// ```
#[derive(Clone, Copy)]
pub struct MemfdCreate<'a>(pub Event<'a>);

impl<'a> MemfdCreate<'a> {
    #[inline]
    pub fn flags(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `mount`. A file system is mounted that a program serves.
///
/// ```ignore
/// Kind::Mount(mount) if mount.fstype().starts_with(b"fuse") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Mount<'a>(pub Event<'a>);

impl<'a> Mount<'a> {
    #[inline]
    pub fn flags(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
    #[inline]
    pub fn source(&self) -> &'a [u8] {
        self.0.string(1)
    }
    #[inline]
    pub fn fstype(&self) -> &'a [u8] {
        self.0.string(2)
    }
}

/// `init_module`. A kernel module comes from a folder where everybody can write.
///
/// ```ignore
/// Kind::InitModule(module) if module.path().starts_with(b"/tmp/") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct InitModule<'a>(pub Event<'a>);

impl<'a> InitModule<'a> {
    #[inline]
    pub fn call(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn fd(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn length(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
    #[inline]
    pub fn params(&self) -> &'a [u8] {
        self.0.string(1)
    }
}

/// `bpf`. An eBPF program of type kprobe (2) is loaded.
///
/// ```ignore
/// Kind::Bpf(bpf) if bpf.command() == BPF_PROG_LOAD && bpf.prog_type() == 2 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Bpf<'a>(pub Event<'a>);

impl<'a> Bpf<'a> {
    #[inline]
    pub fn command(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn prog_type(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `kill`. kill(-1, SIGKILL): every process that the caller may.
///
/// ```ignore
/// Kind::Kill(kill) if kill.target_pid() as i32 == -1 && kill.signal() == 9 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Kill<'a>(pub Event<'a>);

impl<'a> Kill<'a> {
    #[inline]
    pub fn target_pid(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn signal(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn call(&self) -> u64 {
        self.0.arg(2)
    }
}

/// `dup`. A socket to port 4444 becomes the standard input.
///
/// ```ignore
/// Kind::Dup(dup) if dup.new_fd() == 0 && dup.port() == 4444 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Dup<'a>(pub Event<'a>);

impl<'a> Dup<'a> {
    #[inline]
    pub fn old_fd(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn new_fd(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn family(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn port(&self) -> u64 {
        self.0.arg(3)
    }
    #[inline]
    pub fn addr(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `link`. The password hashes get a second name.
///
/// ```ignore
/// Kind::Link(link) if link.path() == b"/etc/shadow" => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Link<'a>(pub Event<'a>);

impl<'a> Link<'a> {
    #[inline]
    pub fn flags(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
    #[inline]
    pub fn new_path(&self) -> &'a [u8] {
        self.0.string(1)
    }
}

/// `symlink`. A shell's history leads to nowhere.
///
/// ```ignore
/// Kind::Symlink(link) if link.target() == b"/dev/null" && link.path().ends_with(b"_history") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Symlink<'a>(pub Event<'a>);

impl<'a> Symlink<'a> {
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
    #[inline]
    pub fn target(&self) -> &'a [u8] {
        self.0.string(1)
    }
}

/// `mkdir`. A folder is named so as to be overlooked.
///
/// ```ignore
/// Kind::Mkdir(mkdir) if basename(mkdir.path()) == b"..." => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Mkdir<'a>(pub Event<'a>);

impl<'a> Mkdir<'a> {
    #[inline]
    pub fn mode(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `chown`. A file in /tmp is given to root.
///
/// ```ignore
/// Kind::Chown(chown) if chown.owner() == 0 && chown.path().starts_with(b"/tmp/") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Chown<'a>(pub Event<'a>);

impl<'a> Chown<'a> {
    #[inline]
    pub fn owner(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn group(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `truncate`. A log is emptied.
///
/// ```ignore
/// Kind::Truncate(truncate) if truncate.length() == 0 && truncate.path().starts_with(b"/var/log/") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Truncate<'a>(pub Event<'a>);

impl<'a> Truncate<'a> {
    #[inline]
    pub fn length(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `listen`. Root listens on a port that anybody could have taken.
///
/// ```ignore
/// Kind::Listen(listen) if listen.port() >= 1024 && event.euid() == 0 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Listen<'a>(pub Event<'a>);

impl<'a> Listen<'a> {
    #[inline]
    pub fn fd(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn family(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn port(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn backlog(&self) -> u64 {
        self.0.arg(3)
    }
    #[inline]
    pub fn addr(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `socket`. A packet socket (AF_PACKET is 17): a sniffer, or a DHCP client.
///
/// ```ignore
/// Kind::Socket(socket) if socket.family() == 17 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Socket<'a>(pub Event<'a>);

impl<'a> Socket<'a> {
    #[inline]
    pub fn fd(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn family(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn socket_type(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn protocol(&self) -> u64 {
        self.0.arg(3)
    }
}

/// `dns`. A hidden service is looked up.
///
/// ```ignore
/// Kind::Dns(dns) if dns.name().ends_with(b".onion") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Dns<'a>(pub Event<'a>);

impl<'a> Dns<'a> {
    #[inline]
    pub fn fd(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn family(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn port(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn query_type(&self) -> u64 {
        self.0.arg(3)
    }
    #[inline]
    pub fn addr(&self) -> &'a [u8] {
        self.0.string(0)
    }
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        self.0.string(1)
    }
}

/// `process_vm_write`. A process writes into another one's memory.
///
/// ```ignore
/// Kind::ProcessVmWrite(write) if write.target_pid() != event.tgid() as u64 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct ProcessVmWrite<'a>(pub Event<'a>);

impl<'a> ProcessVmWrite<'a> {
    #[inline]
    pub fn target_pid(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn address(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn length(&self) -> u64 {
        self.0.arg(2)
    }
}

/// `pivot_root`. The root of the file system is moved into /tmp.
///
/// ```ignore
/// Kind::PivotRoot(pivot) if pivot.path().starts_with(b"/tmp/") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct PivotRoot<'a>(pub Event<'a>);

impl<'a> PivotRoot<'a> {
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
    #[inline]
    pub fn put_old(&self) -> &'a [u8] {
        self.0.string(1)
    }
}

/// `unshare`. A user makes a user namespace (CLONE_NEWUSER), to be root inside.
///
/// ```ignore
/// Kind::Unshare(unshare) if unshare.flags() & 0x1000_0000 != 0 && event.uid() != 0 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Unshare<'a>(pub Event<'a>);

impl<'a> Unshare<'a> {
    #[inline]
    pub fn flags(&self) -> u64 {
        self.0.arg(0)
    }
}

/// `setns`. A process enters another mount namespace (CLONE_NEWNS).
///
/// ```ignore
/// Kind::Setns(setns) if setns.flags() & 0x2_0000 != 0 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Setns<'a>(pub Event<'a>);

impl<'a> Setns<'a> {
    #[inline]
    pub fn fd(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn flags(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn inode(&self) -> u64 {
        self.0.arg(2)
    }
}

/// `capset`. A thread gives itself CAP_SYS_ADMIN (21).
///
/// ```ignore
/// Kind::Capset(capset) if capset.effective() & 1 << 21 != 0 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Capset<'a>(pub Event<'a>);

impl<'a> Capset<'a> {
    #[inline]
    pub fn effective(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn permitted(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn inheritable(&self) -> u64 {
        self.0.arg(2)
    }
}

/// `prctl`. A thread takes the name of one of the kernel's (PR_SET_NAME is 15).
///
/// ```ignore
/// Kind::Prctl(prctl) if prctl.option() == 15 && prctl.name().starts_with(b"kworker") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Prctl<'a>(pub Event<'a>);

impl<'a> Prctl<'a> {
    #[inline]
    pub fn option(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn arg2(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn arg3(&self) -> u64 {
        self.0.arg(2)
    }
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `mprotect`. Memory becomes writable and executable at once.
///
/// ```ignore
/// Kind::Mprotect(mprotect) if mprotect.protection() & 7 == 7 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Mprotect<'a>(pub Event<'a>);

impl<'a> Mprotect<'a> {
    #[inline]
    pub fn address(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn length(&self) -> u64 {
        self.0.arg(1)
    }
    #[inline]
    pub fn protection(&self) -> u64 {
        self.0.arg(2)
    }
}

/// `io_uring_setup`. An io_uring that a thread of the kernel polls (IORING_SETUP_SQPOLL).
///
/// ```ignore
/// Kind::IoUringSetup(setup) if setup.flags() & 2 != 0 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct IoUringSetup<'a>(pub Event<'a>);

impl<'a> IoUringSetup<'a> {
    #[inline]
    pub fn entries(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn flags(&self) -> u64 {
        self.0.arg(1)
    }
}

/// `io_uring`. A connection is accepted without a call (IORING_OP_ACCEPT).
///
/// ```ignore
/// Kind::IoUring(io_uring) if io_uring.opcode() == 13 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct IoUring<'a>(pub Event<'a>);

impl<'a> IoUring<'a> {
    #[inline]
    pub fn opcode(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn fd(&self) -> u64 {
        self.0.arg(1)
    }
}

/// `umount`. What lies below the logs comes to light.
///
/// ```ignore
/// Kind::Umount(umount) if umount.path() == b"/var/log" => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Umount<'a>(pub Event<'a>);

impl<'a> Umount<'a> {
    #[inline]
    pub fn flags(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `argument_race`. A path in /etc was another one when its call began.
///
/// ```ignore
/// Kind::ArgumentRace(race) if race.path().starts_with(b"/etc/") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct ArgumentRace<'a>(pub Event<'a>);

impl<'a> ArgumentRace<'a> {
    #[inline]
    pub fn during(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
    #[inline]
    pub fn before(&self) -> &'a [u8] {
        self.0.string(1)
    }
}

/// `suppressed`. A process hides in its own noise.
///
/// ```ignore
/// Kind::Suppressed(suppressed) if suppressed.count() >= 100_000 => 1,
/// ```
#[derive(Clone, Copy)]
pub struct Suppressed<'a>(pub Event<'a>);

impl<'a> Suppressed<'a> {
    #[inline]
    pub fn suppressed_kind(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn count(&self) -> u64 {
        self.0.arg(1)
    }
}

/// `cgroup_mkdir`. Docker begins a container.
///
/// ```ignore
/// Kind::CgroupMkdir(cgroup) if contains(cgroup.path(), b"/docker") => 1,
/// ```
#[derive(Clone, Copy)]
pub struct CgroupMkdir<'a>(pub Event<'a>);

impl<'a> CgroupMkdir<'a> {
    #[inline]
    pub fn new_cgroup(&self) -> u64 {
        self.0.arg(0)
    }
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
}
