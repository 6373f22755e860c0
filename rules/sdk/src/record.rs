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
            _ => Kind::Unknown,
        }
    }
}

/// An event by kind. `Unknown` is a kind that is newer than this SDK.
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
    Unknown,
}

/// `exec`: its fields are described in bpf/README.md.
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

/// `exec_failed`: its fields are described in bpf/README.md.
#[derive(Clone, Copy)]
pub struct ExecFailed<'a>(pub Event<'a>);

impl<'a> ExecFailed<'a> {
    #[inline]
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `fork`: its fields are described in bpf/README.md.
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

/// `exit`: its fields are described in bpf/README.md.
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

/// `open`: its fields are described in bpf/README.md.
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
    pub fn path(&self) -> &'a [u8] {
        self.0.string(0)
    }
}

/// `unlink`: its fields are described in bpf/README.md.
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

/// `rename`: its fields are described in bpf/README.md.
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

/// `chmod`: its fields are described in bpf/README.md.
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

/// `connect`: its fields are described in bpf/README.md.
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

/// `bind`: its fields are described in bpf/README.md.
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

/// `accept`: its fields are described in bpf/README.md.
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

/// `ptrace`: its fields are described in bpf/README.md.
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

/// `setuid`: its fields are described in bpf/README.md.
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

/// `memfd_create`: its fields are described in bpf/README.md.
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

/// `mount`: its fields are described in bpf/README.md.
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

/// `init_module`: its fields are described in bpf/README.md.
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

/// `bpf`: its fields are described in bpf/README.md.
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

/// `kill`: its fields are described in bpf/README.md.
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

/// `dup`: its fields are described in bpf/README.md.
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
