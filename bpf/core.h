// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What sentinel.bpf.c is built on when it is compiled ahead (`make bpf`), where BCC would bring its own: types,
// helpers, maps, and the kernel's structs. Of each struct only the members that are reached, in any order: a
// member's offset is a CO-RE relocation, which libbpf fills in from the running kernel's BTF.
#ifndef SENTINEL_CORE_H
#define SENTINEL_CORE_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;
#define bool _Bool
#define true 1
#define false 0
#define NULL ((void *)0)

#define SEC(name) __attribute__((section(name), used))

char _license[] SEC("license") = "Dual BSD/GPL";

// ---- helpers, by their fixed numbers -----------------------------------------------------------

#define BPF_RB_NO_WAKEUP 1

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static long (*bpf_tail_call)(void *ctx, void *map, u32 index) = (void *)12;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static u64 (*bpf_get_current_uid_gid)(void) = (void *)15;
static long (*bpf_get_current_comm)(void *to, u32 size) = (void *)16;
static u64 (*bpf_get_current_cgroup_id)(void) = (void *)80;
static u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
static long (*bpf_ringbuf_output)(void *ring, const void *from, u64 size, u64 flags) = (void *)130;

// ---- maps, declared by BCC's names -------------------------------------------------------------

enum map_type {
	MAP_TYPE_HASH = 1,
	MAP_TYPE_ARRAY = 2,
	MAP_TYPE_PROG_ARRAY = 3,
	MAP_TYPE_PERCPU_ARRAY = 6,
	MAP_TYPE_LRU_HASH = 9,
	MAP_TYPE_RINGBUF = 27,
};

#define MAP(map_type, map_name, key_type, value_type, slots) \
	struct {                                             \
		int(*type)[map_type];                        \
		int(*max_entries)[slots];                    \
		key_type *key;                               \
		value_type *value;                           \
	} map_name SEC(".maps")
#define BPF_ARRAY(name, type, slots) MAP(MAP_TYPE_ARRAY, name, u32, type, slots)
#define BPF_PERCPU_ARRAY(name, type, slots) MAP(MAP_TYPE_PERCPU_ARRAY, name, u32, type, slots)
#define BPF_PROG_ARRAY(name, slots) MAP(MAP_TYPE_PROG_ARRAY, name, u32, u32, slots)
#define BPF_HASH(name, key, type, slots) MAP(MAP_TYPE_HASH, name, key, type, slots)
// Of BCC's tables only this one is asked for by its name.
#define BPF_TABLE(lru_hash, key, type, name, slots) MAP(MAP_TYPE_LRU_HASH, name, key, type, slots)
// Its size is set by the loader.
#define BPF_RINGBUF_OUTPUT(name, pages)     \
	struct {                            \
		int(*type)[MAP_TYPE_RINGBUF]; \
	} name SEC(".maps")

// ---- the kernel's structs ----------------------------------------------------------------------

typedef struct {
	u32 val;
} kernel_id; // kuid_t, kgid_t
typedef struct {
	int counter;
} atomic;
typedef struct {
	u64 val;
} kernel_caps;
struct path {
	void *mnt, *dentry;
};
struct ns_common {
	u32 inum;
};
struct cred {
	kernel_id euid;
	kernel_caps cap_inheritable, cap_permitted, cap_effective;
};
struct dentry {
	void *d_parent;
	struct qstr {
		const u8 *name;
	} d_name;
};
struct fdtable {
	u32 max_fds;
	void **fd;
};
struct file {
	void *f_inode, *private_data;
	struct path f_path;
};
struct files_struct {
	void *fdt;
};
struct fs_struct {
	struct path pwd;
};
struct inode {
	u16 i_mode;
	unsigned long i_ino;
	u32 i_nlink;
	void *i_private;
};
struct linux_binprm {
	int argc;
};
struct mm_struct {
	unsigned long arg_start, arg_end;
	void *exe_file;
};
struct mnt_namespace {
	struct ns_common ns;
};
struct vfsmount {
	void *mnt_root;
};
struct mount {
	void *mnt_parent, *mnt_mountpoint;
	struct vfsmount mnt;
};
struct nsproxy {
	void *mnt_ns;
};
struct upid {
	int nr;
	void *ns;
};
struct pid {
	u32 level;
	struct upid numbers[1];
};
struct xarray {
	void *xa_head;
};
struct idr {
	struct xarray idr_rt;
};
struct xa_node {
	u8 shift;
	void *slots[1];
};
struct cgroup_root {
	int hierarchy_id;
};
struct kernfs_node {
	u64 id;
};
struct cgroup {
	void *kn, *root;
};
struct pid_namespace {
	struct idr idr;
	struct ns_common ns;
};
struct signal_struct {
	atomic live;
	void *tty;
};
struct in6_addr {
	u8 bytes[16];
};
struct sock_common {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num, skc_family;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};
struct socket {
	short type;
	void *sk;
};
struct filename {
	const char *name;
};
struct io_cqe {
	int fd;
};
struct io_cmd_data {
	u8 data[1];
};
struct io_kiocb {
	struct io_cmd_data cmd;
	u8 opcode;
	struct io_cqe cqe;
};
struct open_how {
	u64 flags, mode;
};
struct io_open {
	int dfd;
	struct filename *filename;
	struct open_how how;
};
struct io_unlink {
	int dfd, flags;
	struct filename *filename;
};
struct io_mkdir {
	int dfd;
	u16 mode;
	struct filename *filename;
};
struct io_rename {
	int old_dfd, new_dfd, flags;
	struct filename *oldpath, *newpath;
};
struct io_link {
	int old_dfd, new_dfd, flags;
	struct filename *oldpath, *newpath;
};
struct io_connect {
	void *addr;
	int addr_len;
};
struct thread_info {
	unsigned long flags;
	u32 status;
};
struct task_struct {
	struct thread_info thread_info;
	void *cred, *files, *fs, *group_leader, *mm, *nsproxy, *real_parent, *signal, *thread_pid;
	int exit_code, pid, tgid;
	u64 start_boottime;
	kernel_id loginuid;
};
struct tty_struct {
	char name[64];
};
struct pt_regs {
#ifdef ARCH_x86_64
	unsigned long orig_ax, bx, cx, dx, si, di, r8, r10;
#endif
#ifdef ARCH_aarch64
	u64 regs[31], orig_x0;
	s32 syscallno;
#endif
};

#define OFFSET(type, member) __builtin_preserve_field_info(((struct type *)0)->member, 0)
#define EXISTS(type, member) __builtin_preserve_field_info(((struct type *)0)->member, 2)
#define HAS_LOGINUID EXISTS(task_struct, loginuid) // not without CONFIG_AUDIT
// As its operations are laid out since Linux 6.0. Where one is missing, none is looked at.
#define HAS_IO_URING                                                                                         \
	(EXISTS(io_kiocb, cmd) && EXISTS(io_kiocb, cqe.fd) && EXISTS(io_open, filename) &&                   \
	 EXISTS(io_unlink, filename) && EXISTS(io_mkdir, filename) && EXISTS(io_rename, newpath) &&          \
	 EXISTS(io_link, newpath) && EXISTS(io_connect, addr))

// What must hold of the offsets: the verifier leaves out a branch that these constants close, and knows no such call.
static void (*refuse_to_load)(void) = (void *)0xbad;
#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			refuse_to_load(); \
	} while (0)

// Each function that is not static is a program; the loader tells those of other tracepoints theirs.
#pragma clang section text = "tp_btf/sys_exit"

#define OFF_cgroup__kn OFFSET(cgroup, kn)
#define OFF_cgroup__root OFFSET(cgroup, root)
#define OFF_cgroup_root__hierarchy_id OFFSET(cgroup_root, hierarchy_id)
#define OFF_kernfs_node__id OFFSET(kernfs_node, id)
#define OFF_cred__cap_effective OFFSET(cred, cap_effective)
#define OFF_cred__cap_inheritable OFFSET(cred, cap_inheritable)
#define OFF_cred__cap_permitted OFFSET(cred, cap_permitted)
#define OFF_cred__euid OFFSET(cred, euid)
#define OFF_dentry__d_name__name OFFSET(dentry, d_name.name)
#define OFF_dentry__d_parent OFFSET(dentry, d_parent)
#define OFF_fdtable__fd OFFSET(fdtable, fd)
#define OFF_fdtable__max_fds OFFSET(fdtable, max_fds)
#define OFF_file__f_inode OFFSET(file, f_inode)
#define OFF_file__f_path OFFSET(file, f_path)
#define OFF_file__private_data OFFSET(file, private_data)
#define OFF_filename__name OFFSET(filename, name)
#define OFF_files_struct__fdt OFFSET(files_struct, fdt)
#define OFF_fs_struct__pwd OFFSET(fs_struct, pwd)
#define OFF_inode__i_ino OFFSET(inode, i_ino)
#define OFF_inode__i_mode OFFSET(inode, i_mode)
#define OFF_inode__i_nlink OFFSET(inode, i_nlink)
#define OFF_inode__i_private OFFSET(inode, i_private)
#define OFF_io_connect__addr OFFSET(io_connect, addr)
#define OFF_io_connect__addr_len OFFSET(io_connect, addr_len)
#define OFF_io_kiocb__cmd OFFSET(io_kiocb, cmd)
#define OFF_io_kiocb__cqe__fd OFFSET(io_kiocb, cqe.fd)
#define OFF_io_kiocb__opcode OFFSET(io_kiocb, opcode)
#define OFF_io_link__flags OFFSET(io_link, flags)
#define OFF_io_link__new_dfd OFFSET(io_link, new_dfd)
#define OFF_io_link__newpath OFFSET(io_link, newpath)
#define OFF_io_link__old_dfd OFFSET(io_link, old_dfd)
#define OFF_io_link__oldpath OFFSET(io_link, oldpath)
#define OFF_io_mkdir__dfd OFFSET(io_mkdir, dfd)
#define OFF_io_mkdir__filename OFFSET(io_mkdir, filename)
#define OFF_io_mkdir__mode OFFSET(io_mkdir, mode)
#define OFF_io_open__dfd OFFSET(io_open, dfd)
#define OFF_io_open__filename OFFSET(io_open, filename)
#define OFF_io_open__how__flags OFFSET(io_open, how.flags)
#define OFF_io_open__how__mode OFFSET(io_open, how.mode)
#define OFF_io_rename__flags OFFSET(io_rename, flags)
#define OFF_io_rename__new_dfd OFFSET(io_rename, new_dfd)
#define OFF_io_rename__newpath OFFSET(io_rename, newpath)
#define OFF_io_rename__old_dfd OFFSET(io_rename, old_dfd)
#define OFF_io_rename__oldpath OFFSET(io_rename, oldpath)
#define OFF_io_unlink__dfd OFFSET(io_unlink, dfd)
#define OFF_io_unlink__filename OFFSET(io_unlink, filename)
#define OFF_io_unlink__flags OFFSET(io_unlink, flags)
#define OFF_linux_binprm__argc OFFSET(linux_binprm, argc)
#define OFF_mm_struct__arg_end OFFSET(mm_struct, arg_end)
#define OFF_mm_struct__arg_start OFFSET(mm_struct, arg_start)
#define OFF_mm_struct__exe_file OFFSET(mm_struct, exe_file)
#define OFF_mnt_namespace__ns__inum OFFSET(mnt_namespace, ns.inum)
#define OFF_mount__mnt OFFSET(mount, mnt)
#define OFF_mount__mnt_mountpoint OFFSET(mount, mnt_mountpoint)
#define OFF_mount__mnt_parent OFFSET(mount, mnt_parent)
#define OFF_nsproxy__mnt_ns OFFSET(nsproxy, mnt_ns)
#define OFF_pid__level OFFSET(pid, level)
#define OFF_pid__numbers OFFSET(pid, numbers)
#define OFF_pid_namespace__idr__idr_rt__xa_head OFFSET(pid_namespace, idr.idr_rt.xa_head)
#define OFF_pid_namespace__ns__inum OFFSET(pid_namespace, ns.inum)
#define OFF_signal_struct__live OFFSET(signal_struct, live)
#define OFF_signal_struct__tty OFFSET(signal_struct, tty)
#define OFF_sock_common__skc_daddr OFFSET(sock_common, skc_daddr)
#define OFF_sock_common__skc_dport OFFSET(sock_common, skc_dport)
#define OFF_sock_common__skc_family OFFSET(sock_common, skc_family)
#define OFF_sock_common__skc_num OFFSET(sock_common, skc_num)
#define OFF_sock_common__skc_rcv_saddr OFFSET(sock_common, skc_rcv_saddr)
#define OFF_sock_common__skc_v6_daddr OFFSET(sock_common, skc_v6_daddr)
#define OFF_sock_common__skc_v6_rcv_saddr OFFSET(sock_common, skc_v6_rcv_saddr)
#define OFF_socket__sk OFFSET(socket, sk)
#define OFF_socket__type OFFSET(socket, type)
#define OFF_task_struct__cred OFFSET(task_struct, cred)
#define OFF_task_struct__exit_code OFFSET(task_struct, exit_code)
#define OFF_task_struct__files OFFSET(task_struct, files)
#define OFF_task_struct__fs OFFSET(task_struct, fs)
#define OFF_task_struct__group_leader OFFSET(task_struct, group_leader)
#define OFF_task_struct__loginuid OFFSET(task_struct, loginuid)
#define OFF_task_struct__mm OFFSET(task_struct, mm)
#define OFF_task_struct__nsproxy OFFSET(task_struct, nsproxy)
#define OFF_task_struct__pid OFFSET(task_struct, pid)
#define OFF_task_struct__real_parent OFFSET(task_struct, real_parent)
#define OFF_task_struct__signal OFFSET(task_struct, signal)
#define OFF_task_struct__start_boottime OFFSET(task_struct, start_boottime)
#define OFF_task_struct__tgid OFFSET(task_struct, tgid)
#define OFF_task_struct__thread_pid OFFSET(task_struct, thread_pid)
#define OFF_tty_struct__name OFFSET(tty_struct, name)
#define OFF_upid__nr OFFSET(upid, nr)
#define OFF_upid__ns OFFSET(upid, ns)
#define OFF_vfsmount__mnt_root OFFSET(vfsmount, mnt_root)
#define OFF_xa_node__shift OFFSET(xa_node, shift)
#define OFF_xa_node__slots OFFSET(xa_node, slots)
#define OFF_pt_regs__bx OFFSET(pt_regs, bx)
#define OFF_pt_regs__cx OFFSET(pt_regs, cx)
#define OFF_pt_regs__di OFFSET(pt_regs, di)
#define OFF_pt_regs__dx OFFSET(pt_regs, dx)
#define OFF_pt_regs__orig_ax OFFSET(pt_regs, orig_ax)
#define OFF_pt_regs__orig_x0 OFFSET(pt_regs, orig_x0)
#define OFF_pt_regs__r10 OFFSET(pt_regs, r10)
#define OFF_pt_regs__r8 OFFSET(pt_regs, r8)
#define OFF_pt_regs__regs OFFSET(pt_regs, regs)
#define OFF_pt_regs__si OFFSET(pt_regs, si)
#define OFF_pt_regs__syscallno OFFSET(pt_regs, syscallno)
#define OFF_task_struct__thread_info__flags OFFSET(task_struct, thread_info.flags)
#define OFF_task_struct__thread_info__status OFFSET(task_struct, thread_info.status)
#define SIZE_upid __builtin_preserve_type_info(*(struct upid *)0, 1)


#endif
