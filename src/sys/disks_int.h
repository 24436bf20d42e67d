/* disks_int.h - the helper's disks: sparse files, each attached to one node, or shared by several. Private to sys.
 *
 * Texts are borrowed for the call. Errors: BAD_REQUEST for a name or size that cannot be, NOT_FOUND, ALREADY_EXISTS,
 * BUSY while attached or mounted, NO_SPACE, SYS. There is one helper and its disks live as long: nothing frees them.
 * THREADS: none; the helper's loop. */
#ifndef STOWAGE_SYS_DISKS_INT_H
#define STOWAGE_SYS_DISKS_INT_H

#include "base/err.h"
#include "sys/disk_copy_int.h"
#include "sys/grants_int.h"
#include "sys/machine.h"

struct disks;
/* What a disk's filesystem is on its node: an ext4 on a loop device; an ext4 in a file, served by fuse2fs; a directory.
 */
enum disk_kind { DISK_KIND_LOOP, DISK_KIND_SERVED, DISK_KIND_DIRECTORY };
struct disks *disks_new(const char *dir, enum disk_kind kind, struct err *e); /* makes the directory */
int disks_create(struct disks *d, const char *id, int64_t bytes, struct err *e);
/* With a fresh ext4 filesystem, if one is at hand; blank otherwise. 1: one is being made; ask again when
 * disks_child_ended() says that a child of the helper was its maker. */
int disks_create_ext4(struct disks *d, const char *id, int64_t bytes, struct err *e);
bool disks_child_ended(struct disks *d, pid_t pid, int status);
int disks_grow(struct disks *d, const char *id, int64_t bytes, struct err *e);
int disks_remove(struct disks *d, const char *id, struct err *e);
/* Opens what a copy needs; disk_copy_run() does it, in a child of the helper. */
int disks_copy_into(struct disks *d, int take_from, const char *from, const char *to, int64_t bytes,
                    struct disk_copy *out, struct err *e); /* of a file that is no disk, but `from` to the user */
int disks_copy_node(struct disks *d, const char *data_dir, const char *node, pid_t node_pid, const char *to,
                    struct disk_copy *out, struct err *e); /* of what the node has on its own filesystem */
int disks_copy_open(struct disks *d, const char *from, const char *to, int64_t bytes, struct disk_copy *out,
                    struct err *e);
/* The images that are attached now, and their loop devices; a shared one once. Returns how many; *out: the caller
 * frees; the texts are the disks' own, until the next change. */
size_t disks_attached(const struct disks *d, struct grant_disk **out);
const char *disks_dir(const struct disks *d);
/* The file of the disk that the node has there, borrowed; or NULL. */
const char *disks_image(const struct disks *d, const char *node, const char *device);
int disks_info(struct disks *d, const char *id, struct disk_info *out, struct err *e);
/* node_pid: the node's first process as the helper sees it; the device node is made in its /dev. */
int disks_attach(struct disks *d, const char *id, const char *node, pid_t node_pid, const char *device, unsigned how,
                 struct err *e);
/* ERR_BUSY while a filesystem on it is mounted. node_pid 0: the node is gone. When its names on the node cannot be
 * removed it fails, and the disk is still attached. */
int disks_detach(struct disks *d, const char *id, const char *node, pid_t node_pid, struct err *e);
/* Detaches all disks of a node whose processes are dead, mounted or not: the files will not be used again. */
void disks_abandon(struct disks *d, const char *node);
/* May a filesystem be made on this device? Only if the disk holds nothing but zeros, or the last format of a blank disk
 * never came to its end. It counts as begun until disks_format_end(). A device that is no disk: no. One that is a
 * partition of a disk ("/dev/xvdba1") is looked for in its table now, and its device node made. */
enum format { FORMAT_NO, FORMAT_ZEROS /* nothing but zeros */, FORMAT_AGAIN /* half a filesystem */ };
enum format disks_format_begin(struct disks *d, const char *node, pid_t node_pid, const char *device);
/* When it fails the filesystem must not be used: the disk would be formatted again. */
int disks_format_end(struct disks *d, const char *node, const char *device, struct err *e);
/* The node (again) has a /dev: makes the device nodes of what is attached to it. A disk stays attached while its node
 * is down. */
void disks_node_ready(struct disks *d, const char *node, pid_t node_pid);

#endif
