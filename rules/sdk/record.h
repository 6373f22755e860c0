// SPDX-License-Identifier: Apache-2.0
// Generated from sentinel_engine/schema.py by `make schema`: do not edit.
#ifndef SENTINEL_RECORD_H
#define SENTINEL_RECORD_H

#include <stdint.h>

#define SENTINEL_MAX_PATH 4096
#define SENTINEL_MAX_ARGV 4096
#define SENTINEL_MAX_RECORD 16384

// Bits of `flags`.
#define SENTINEL_FLAG_TRUNCATED 1
#define SENTINEL_FLAG_FAULT 2
#define SENTINEL_FLAG_USER_PTR 4
#define SENTINEL_FLAG_COMPAT 8
#define SENTINEL_FLAG_SNAPSHOT 16
#define SENTINEL_FLAG_IO_URING 32
// Bits of exec's exe_flags.
#define SENTINEL_EXE_MEMFD 1
#define SENTINEL_EXE_DELETED 2

// The values of `kind`.
enum {
	SENTINEL_EXEC = 1,
	SENTINEL_EXEC_FAILED = 2,
	SENTINEL_FORK = 3,
	SENTINEL_EXIT = 4,
	SENTINEL_OPEN = 5,
	SENTINEL_UNLINK = 6,
	SENTINEL_RENAME = 7,
	SENTINEL_CHMOD = 8,
	SENTINEL_CONNECT = 9,
	SENTINEL_BIND = 10,
	SENTINEL_ACCEPT = 11,
	SENTINEL_PTRACE = 12,
	SENTINEL_SETUID = 13,
	SENTINEL_MEMFD_CREATE = 14,
	SENTINEL_MOUNT = 15,
	SENTINEL_INIT_MODULE = 16,
	SENTINEL_BPF = 17,
	SENTINEL_KILL = 18,
	SENTINEL_DUP = 19,
	SENTINEL_LINK = 20,
	SENTINEL_SYMLINK = 21,
	SENTINEL_MKDIR = 22,
	SENTINEL_CHOWN = 23,
	SENTINEL_TRUNCATE = 24,
	SENTINEL_LISTEN = 25,
	SENTINEL_SOCKET = 26,
	SENTINEL_DNS = 27,
	SENTINEL_PROCESS_VM_WRITE = 28,
	SENTINEL_PIVOT_ROOT = 29,
	SENTINEL_UNSHARE = 30,
	SENTINEL_SETNS = 31,
	SENTINEL_CAPSET = 32,
	SENTINEL_PRCTL = 33,
	SENTINEL_MPROTECT = 34,
	SENTINEL_IO_URING_SETUP = 35,
	SENTINEL_IO_URING = 36,
	SENTINEL_UMOUNT = 37,
	SENTINEL_ARGUMENT_RACE = 38,
	SENTINEL_SUPPRESSED = 39,
	SENTINEL_CGROUP_MKDIR = 40,
};

// One event. Its strings lie behind it, and are read with the functions of its kind.
struct sentinel_event {
	uint32_t len; // bytes of the whole record, padding included; a multiple of 8
	uint16_t kind; // event kind, see KINDS
	uint8_t version; // layout version, RECORD_VERSION
	uint8_t flags; // RecordFlag bits
	uint64_t boot_ns; // ns since boot, suspend included (CLOCK_BOOTTIME)
	uint64_t cpu_seq; // per CPU and ring, 1, 2, 3 …; a gap is a loss
	uint32_t cpu; // CPU that wrote the record
	uint32_t tgid; // process id, host pid namespace
	uint32_t tid; // thread id, host pid namespace
	uint32_t ppid; // real parent's process id
	uint64_t leader_start; // ns since boot at which the process started
	uint32_t uid; // real user id, initial user namespace
	uint32_t euid; // effective user id
	uint32_t gid; // real group id
	uint32_t loginuid; // audit login uid; 0xffffffff when unset
	uint64_t cgroup; // cgroup v2 id (inode number of its folder)
	uint32_t mntns; // mount namespace inode number
	uint32_t pidns; // pid namespace inode number
	int64_t ret; // return value of the call; a negative errno when it failed
	char comm[16]; // thread name, NUL padded
	uint64_t a[4]; // arguments, see KINDS
	uint16_t slen[4]; // length in bytes of each string, which follow back to back from 144
};
_Static_assert(sizeof(struct sentinel_event) == 144, "the layout of the record");

// A string of an event: bytes as the kernel gave them, without a zero at the end.
struct sentinel_text {
	const char *at;
	uint32_t len;
};

static inline struct sentinel_text sentinel_string(const struct sentinel_event *event, int slot)
{
	const char *at = (const char *)(event + 1);
	for (int before = 0; before < slot; before++)
		at += event->slen[before];
	return (struct sentinel_text){at, event->slen[slot]};
}

// The fields of each kind. What they hold is in bpf/README.md.

static inline uint64_t sentinel_exec_exe_flags(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_exec_inode(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_exec_caps(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_exec_argc(const struct sentinel_event *event)
{
	return event->a[3];
}

static inline struct sentinel_text sentinel_exec_exe(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline struct sentinel_text sentinel_exec_argv(const struct sentinel_event *event)
{
	return sentinel_string(event, 1);
}

static inline struct sentinel_text sentinel_exec_cwd(const struct sentinel_event *event)
{
	return sentinel_string(event, 2);
}

static inline struct sentinel_text sentinel_exec_tty(const struct sentinel_event *event)
{
	return sentinel_string(event, 3);
}

static inline struct sentinel_text sentinel_exec_failed_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_fork_child_pid(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_fork_child_start(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_exit_exit_code(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_exit_signal(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_open_flags(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_open_mode(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_open_inode(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_open_call(const struct sentinel_event *event)
{
	return event->a[3];
}

static inline struct sentinel_text sentinel_open_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_unlink_flags(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline struct sentinel_text sentinel_unlink_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_rename_flags(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline struct sentinel_text sentinel_rename_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline struct sentinel_text sentinel_rename_new_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 1);
}

static inline uint64_t sentinel_chmod_mode(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline struct sentinel_text sentinel_chmod_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_connect_fd(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_connect_family(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_connect_port(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_connect_local_port(const struct sentinel_event *event)
{
	return event->a[3];
}

static inline struct sentinel_text sentinel_connect_addr(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_bind_fd(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_bind_family(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_bind_port(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline struct sentinel_text sentinel_bind_addr(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_accept_fd(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_accept_family(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_accept_port(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_accept_local_port(const struct sentinel_event *event)
{
	return event->a[3];
}

static inline struct sentinel_text sentinel_accept_addr(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_ptrace_request(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_ptrace_target_pid(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_ptrace_address(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_ptrace_data(const struct sentinel_event *event)
{
	return event->a[3];
}

static inline uint64_t sentinel_setuid_call(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_setuid_id1(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_setuid_id2(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_setuid_id3(const struct sentinel_event *event)
{
	return event->a[3];
}

static inline uint64_t sentinel_memfd_create_flags(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline struct sentinel_text sentinel_memfd_create_name(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_mount_flags(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline struct sentinel_text sentinel_mount_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline struct sentinel_text sentinel_mount_source(const struct sentinel_event *event)
{
	return sentinel_string(event, 1);
}

static inline struct sentinel_text sentinel_mount_fstype(const struct sentinel_event *event)
{
	return sentinel_string(event, 2);
}

static inline uint64_t sentinel_init_module_call(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_init_module_fd(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_init_module_length(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline struct sentinel_text sentinel_init_module_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline struct sentinel_text sentinel_init_module_params(const struct sentinel_event *event)
{
	return sentinel_string(event, 1);
}

static inline uint64_t sentinel_bpf_command(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_bpf_prog_type(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline struct sentinel_text sentinel_bpf_name(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_kill_target_pid(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_kill_signal(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_kill_call(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_dup_old_fd(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_dup_new_fd(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_dup_family(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_dup_port(const struct sentinel_event *event)
{
	return event->a[3];
}

static inline struct sentinel_text sentinel_dup_addr(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_link_flags(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline struct sentinel_text sentinel_link_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline struct sentinel_text sentinel_link_new_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 1);
}

static inline struct sentinel_text sentinel_symlink_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline struct sentinel_text sentinel_symlink_target(const struct sentinel_event *event)
{
	return sentinel_string(event, 1);
}

static inline uint64_t sentinel_mkdir_mode(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline struct sentinel_text sentinel_mkdir_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_chown_owner(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_chown_group(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline struct sentinel_text sentinel_chown_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_truncate_length(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline struct sentinel_text sentinel_truncate_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_listen_fd(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_listen_family(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_listen_port(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_listen_backlog(const struct sentinel_event *event)
{
	return event->a[3];
}

static inline struct sentinel_text sentinel_listen_addr(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_socket_fd(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_socket_family(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_socket_socket_type(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_socket_protocol(const struct sentinel_event *event)
{
	return event->a[3];
}

static inline uint64_t sentinel_dns_fd(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_dns_family(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_dns_port(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_dns_query_type(const struct sentinel_event *event)
{
	return event->a[3];
}

static inline struct sentinel_text sentinel_dns_addr(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline struct sentinel_text sentinel_dns_name(const struct sentinel_event *event)
{
	return sentinel_string(event, 1);
}

static inline uint64_t sentinel_process_vm_write_target_pid(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_process_vm_write_address(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_process_vm_write_length(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline struct sentinel_text sentinel_pivot_root_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline struct sentinel_text sentinel_pivot_root_put_old(const struct sentinel_event *event)
{
	return sentinel_string(event, 1);
}

static inline uint64_t sentinel_unshare_flags(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_setns_fd(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_setns_flags(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_setns_inode(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_capset_effective(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_capset_permitted(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_capset_inheritable(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_prctl_option(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_prctl_arg2(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_prctl_arg3(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline struct sentinel_text sentinel_prctl_name(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_mprotect_address(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_mprotect_length(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_mprotect_protection(const struct sentinel_event *event)
{
	return event->a[2];
}

static inline uint64_t sentinel_io_uring_setup_entries(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_io_uring_setup_flags(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_io_uring_opcode(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_io_uring_fd(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_umount_flags(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline struct sentinel_text sentinel_umount_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline uint64_t sentinel_argument_race_during(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline struct sentinel_text sentinel_argument_race_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

static inline struct sentinel_text sentinel_argument_race_before(const struct sentinel_event *event)
{
	return sentinel_string(event, 1);
}

static inline uint64_t sentinel_suppressed_suppressed_kind(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline uint64_t sentinel_suppressed_count(const struct sentinel_event *event)
{
	return event->a[1];
}

static inline uint64_t sentinel_cgroup_mkdir_new_cgroup(const struct sentinel_event *event)
{
	return event->a[0];
}

static inline struct sentinel_text sentinel_cgroup_mkdir_path(const struct sentinel_event *event)
{
	return sentinel_string(event, 0);
}

#endif
