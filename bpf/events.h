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
#define CALL_SLOTS 512
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
};

enum event_kind {
	EVENT_EXEC = 1, // a[0] exe_flags, a[1] inode, a[2] caps, a[3] argc, s[0] exe, s[1] argv, s[2] cwd, s[3] tty
	EVENT_EXEC_FAILED = 2, // s[0] path
	EVENT_FORK = 3, // a[0] child_pid, a[1] child_start
	EVENT_EXIT = 4, // a[0] exit_code, a[1] signal
	EVENT_OPEN = 5, // a[0] flags, a[1] mode, a[2] inode, s[0] path
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
};

enum event_ring {
	RING_LIFECYCLE = 0,
	RING_BULK = 1,
	RINGS = 2,
};
#define BULK_KINDS 0x40fe0ULL

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
	CALL_chmod = 14,
	CALL_fchmod = 15,
	CALL_fchmodat = 16,
	CALL_fchmodat2 = 17,
	CALL_connect = 18,
	CALL_bind = 19,
	CALL_accept = 20,
	CALL_accept4 = 21,
	CALL_ptrace = 22,
	CALL_setuid = 23,
	CALL_setgid = 24,
	CALL_setreuid = 25,
	CALL_setregid = 26,
	CALL_setresuid = 27,
	CALL_setresgid = 28,
	CALL_setfsuid = 29,
	CALL_setfsgid = 30,
	CALL_memfd_create = 31,
	CALL_mount = 32,
	CALL_move_mount = 33,
	CALL_init_module = 34,
	CALL_finit_module = 35,
	CALL_bpf = 36,
	CALL_kill = 37,
	CALL_tkill = 38,
	CALL_tgkill = 39,
	CALL_dup = 40,
	CALL_dup2 = 41,
	CALL_dup3 = 42,
};

#endif
