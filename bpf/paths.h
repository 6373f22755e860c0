// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Real paths, from the kernel's own objects.
#ifndef SENTINEL_PATHS_H
#define SENTINEL_PATHS_H

#define COMPONENTS 64 // a deeper path keeps its last 64 names and is flagged truncated

// The absolute path of a file as its mount namespace has it. No string that user space could change is read.
// A file that is in no folder (a memfd) is "/" and its name. Returns whether it is such a one.
static __always_inline bool put_path(struct scratch *s, u32 slot, struct place at)
{
	struct {
		void *parent, *mountpoint, *root;
	} m = {};
	struct {
		void *parent;
		u64 hash_len;
		void *name;
	} d;
	s->start = MAX_PATH;
	s->whole = s->loose = false;
	// Neighbours in memory, read at once.
	REQUIRE(OFF_mount__mnt_mountpoint == OFF_mount__mnt_parent + 8);
	REQUIRE(OFF_mount__mnt + OFF_vfsmount__mnt_root == OFF_mount__mnt_parent + 16);
	REQUIRE(OFF_dentry__d_name__name == OFF_dentry__d_parent + 16);
	void *mount = at.mnt - OFF_mount__mnt;
	if (!at.dentry || read_from_kernel(&m, sizeof(m), mount + OFF_mount__mnt_parent))
		return false;
	for (int i = 0; i < COMPONENTS; i++) {
		if (at.dentry == m.root) {
			if (m.parent == mount) {
				s->whole = true;
				break;
			}
			at.dentry = m.mountpoint;
			mount = m.parent;
			if (read_from_kernel(&m, sizeof(m), mount + OFF_mount__mnt_parent))
				break;
			continue;
		}
		if (read_from_kernel(&d, sizeof(d), at.dentry + OFF_dentry__d_parent))
			break;
		u32 size = (d.hash_len >> 32) & (NAME_SIZE - 1);
		u32 start = s->start;
		if (start < size + 1)
			break;
		start = (start - size - 1) & (MAX_PATH - 1);
		s->start = start;
		s->path[start] = '/';
		read_from_kernel(s->path + start + 1, size, d.name);
		if (d.parent == at.dentry) {
			s->loose = s->whole = true;
			break;
		}
		at.dentry = d.parent;
	}
	barrier();
	u32 start = s->start;
	if (!s->whole)
		s->flags |= FLAG_TRUNCATED;
	if (start == MAX_PATH) {
		start--;
		s->path[start] = '/';
	}
	start &= MAX_PATH - 1;
	put_bytes(s, slot, s->path + start, MAX_PATH - start);
	return s->loose;
}

static __always_inline struct place place_of_file(void *file)
{
	struct place at = {};
	read_from_kernel(&at, sizeof(at), file + OFF_file__f_path);
	return at;
}

static __always_inline struct place working_directory(void *task)
{
	struct place at = {};
	void *fs = GET(void *, task, task_struct__fs);
	read_from_kernel(&at, sizeof(at), fs + OFF_fs_struct__pwd);
	return at;
}

static __always_inline void *file_of(int fd)
{
	void *files = GET(void *, current_task(), task_struct__files);
	void *table = GET(void *, files, files_struct__fdt);
	if (fd < 0 || (u32)fd >= GET(u32, table, fdtable__max_fds))
		return NULL;
	void **slots = GET(void **, table, fdtable__fd);
	void *file = NULL;
	read_from_kernel(&file, sizeof(file), slots + (u32)fd);
	return file;
}

#endif
