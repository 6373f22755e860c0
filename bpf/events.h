// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Generated from sentinel_engine/schema.py by `make schema`: do not edit.
#ifndef SENTINEL_EVENTS_H
#define SENTINEL_EVENTS_H

#define RECORD_VERSION 1
#define HEADER_SIZE 144
#define MAX_PATH 4096
#define MAX_ARGV 4096
#define MAX_RECORD 16384
#define KIND_SLOTS 64
#define LAST_KIND 40
#define CALL_SLOTS 544
#define SOCKETCALL_BASE 512
#define EXE_MEMFD 1
#define EXE_DELETED 2

struct event {
	u32 len; // bytes of the whole record, padding included; a multiple of 8
	u16 kind; // event kind, see KINDS
	u8 version; // layout version, RECORD_VERSION
	u8 flags; // RecordFlag bits
	u64 boot_ns; // ns since boot, suspend included (CLOCK_BOOTTIME)
	u64 cpu_seq; // per CPU and ring, 1, 2, 3 …; a gap is a loss
	u32 cpu; // CPU that wrote the record
	u32 tgid; // process id, host pid namespace
	u32 tid; // thread id, host pid namespace
	u32 ppid; // real parent's process id
	u64 leader_start; // ns since boot at which the process started
	u32 uid; // real user id, initial user namespace
	u32 euid; // effective user id
	u32 gid; // real group id
	u32 loginuid; // audit login uid; 0xffffffff when unset
	u64 cgroup; // cgroup v2 id (inode number of its folder)
	u32 mntns; // mount namespace inode number
	u32 pidns; // pid namespace inode number
	s64 ret; // return value of the call; a negative errno when it failed
	char comm[16]; // thread name, NUL padded
	u64 a[4]; // arguments, see KINDS
	u16 slen[4]; // length in bytes of each string, which follow back to back from 144
};

enum record_flag {
	FLAG_TRUNCATED = 1,
	FLAG_FAULT = 2,
	FLAG_USER_PTR = 4,
	FLAG_COMPAT = 8,
	FLAG_SNAPSHOT = 16,
	FLAG_IO_URING = 32,
};

enum event_kind {
	EVENT_EXEC = 1, // a[0] exe_flags, a[1] inode, a[2] caps, a[3] argc, s[0] exe, s[1] argv, s[2] cwd, s[3] tty
	EVENT_EXEC_FAILED = 2, // s[0] path
	EVENT_FORK = 3, // a[0] child_pid, a[1] child_start
	EVENT_EXIT = 4, // a[0] exit_code, a[1] signal
	EVENT_OPEN = 5, // a[0] flags, a[1] mode, a[2] inode, a[3] call, s[0] path
	EVENT_UNLINK = 6, // a[0] flags, s[0] path
	EVENT_RENAME = 7, // a[0] flags, s[0] path, s[1] new_path
	EVENT_CHMOD = 8, // a[0] mode, s[0] path
	EVENT_CONNECT = 9, // a[0] fd, a[1] family, a[2] port, a[3] local_port, s[0] addr
	EVENT_BIND = 10, // a[0] fd, a[1] family, a[2] port, s[0] addr
	EVENT_ACCEPT = 11, // a[0] fd, a[1] family, a[2] port, a[3] local_port, s[0] addr
	EVENT_PTRACE = 12, // a[0] request, a[1] target_pid, a[2] address, a[3] data
	EVENT_SETUID = 13, // a[0] call, a[1] id1, a[2] id2, a[3] id3
	EVENT_MEMFD_CREATE = 14, // a[0] flags, s[0] name
	EVENT_MOUNT = 15, // a[0] flags, s[0] path, s[1] source, s[2] fstype
	EVENT_INIT_MODULE = 16, // a[0] call, a[1] fd, a[2] length, s[0] path, s[1] params
	EVENT_BPF = 17, // a[0] command, a[1] prog_type, s[0] name
	EVENT_KILL = 18, // a[0] target_pid, a[1] signal, a[2] call
	EVENT_DUP = 19, // a[0] old_fd, a[1] new_fd, a[2] family, a[3] port, s[0] addr
	EVENT_LINK = 20, // a[0] flags, s[0] path, s[1] new_path
	EVENT_SYMLINK = 21, // s[0] path, s[1] target
	EVENT_MKDIR = 22, // a[0] mode, s[0] path
	EVENT_CHOWN = 23, // a[0] owner, a[1] group, s[0] path
	EVENT_TRUNCATE = 24, // a[0] length, s[0] path
	EVENT_LISTEN = 25, // a[0] fd, a[1] family, a[2] port, a[3] backlog, s[0] addr
	EVENT_SOCKET = 26, // a[0] fd, a[1] family, a[2] socket_type, a[3] protocol
	EVENT_DNS = 27, // a[0] fd, a[1] family, a[2] port, a[3] query_type, s[0] addr, s[1] name
	EVENT_PROCESS_VM_WRITE = 28, // a[0] target_pid, a[1] address, a[2] length
	EVENT_PIVOT_ROOT = 29, // s[0] path, s[1] put_old
	EVENT_UNSHARE = 30, // a[0] flags
	EVENT_SETNS = 31, // a[0] fd, a[1] flags, a[2] inode
	EVENT_CAPSET = 32, // a[0] effective, a[1] permitted, a[2] inheritable
	EVENT_PRCTL = 33, // a[0] option, a[1] arg2, a[2] arg3, s[0] name
	EVENT_MPROTECT = 34, // a[0] address, a[1] length, a[2] protection
	EVENT_IO_URING_SETUP = 35, // a[0] entries, a[1] flags
	EVENT_IO_URING = 36, // a[0] opcode, a[1] fd
	EVENT_UMOUNT = 37, // a[0] flags, s[0] path
	EVENT_ARGUMENT_RACE = 38, // a[0] during, s[0] path, s[1] before
	EVENT_SUPPRESSED = 39, // a[0] suppressed_kind, a[1] count
	EVENT_CGROUP_MKDIR = 40, // a[0] new_cgroup, s[0] path
};

enum event_ring {
	RING_LIFECYCLE = 0,
	RING_BULK = 1,
	RINGS = 2,
};
#define BULK_KINDS 0x560ff40fe0ULL

enum call_id {
	CALL_execve = 1,
	CALL_execveat = 2,
	CALL_open = 3,
	CALL_creat = 4,
	CALL_openat = 5,
	CALL_openat2 = 6,
	CALL_open_by_handle_at = 7,
	CALL_unlink = 8,
	CALL_rmdir = 9,
	CALL_unlinkat = 10,
	CALL_rename = 11,
	CALL_renameat = 12,
	CALL_renameat2 = 13,
	CALL_link = 14,
	CALL_linkat = 15,
	CALL_symlink = 16,
	CALL_symlinkat = 17,
	CALL_mkdir = 18,
	CALL_mkdirat = 19,
	CALL_chmod = 20,
	CALL_fchmod = 21,
	CALL_fchmodat = 22,
	CALL_fchmodat2 = 23,
	CALL_chown = 24,
	CALL_lchown = 25,
	CALL_fchown = 26,
	CALL_fchownat = 27,
	CALL_truncate = 28,
	CALL_ftruncate = 29,
	CALL_truncate64 = 30,
	CALL_ftruncate64 = 31,
	CALL_connect = 32,
	CALL_bind = 33,
	CALL_accept = 34,
	CALL_accept4 = 35,
	CALL_listen = 36,
	CALL_socket = 37,
	CALL_sendto = 38,
	CALL_sendmsg = 39,
	CALL_sendmmsg = 40,
	CALL_socketcall = 41,
	CALL_ptrace = 42,
	CALL_process_vm_writev = 43,
	CALL_setuid = 44,
	CALL_setgid = 45,
	CALL_setreuid = 46,
	CALL_setregid = 47,
	CALL_setresuid = 48,
	CALL_setresgid = 49,
	CALL_setfsuid = 50,
	CALL_setfsgid = 51,
	CALL_capset = 52,
	CALL_prctl = 53,
	CALL_memfd_create = 54,
	CALL_mprotect = 55,
	CALL_pkey_mprotect = 56,
	CALL_mount = 57,
	CALL_move_mount = 58,
	CALL_umount = 59,
	CALL_umount2 = 60,
	CALL_pivot_root = 61,
	CALL_unshare = 62,
	CALL_setns = 63,
	CALL_init_module = 64,
	CALL_finit_module = 65,
	CALL_bpf = 66,
	CALL_kill = 67,
	CALL_tkill = 68,
	CALL_tgkill = 69,
	CALL_rt_sigqueueinfo = 70,
	CALL_rt_tgsigqueueinfo = 71,
	CALL_pidfd_send_signal = 72,
	CALL_dup = 73,
	CALL_dup2 = 74,
	CALL_dup3 = 75,
	CALL_io_uring_setup = 76,
};

#endif
