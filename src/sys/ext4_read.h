/* ext4_read.h - what is in an ext4 image, read by ourselves: nothing is mounted and no kernel trusts it.
 *
 * For images of filesystems that nobody writes to and that e2fsck has put in order (its journal is not read). What a
 * broken or hostile image says is bounded: it may be refused as CORRUPT, or tell nonsense, no more. Source: the
 * kernel's Documentation/filesystems/ext4. THREADS: any; one reader, one thread at a time. */
#ifndef STOWAGE_SYS_EXT4_READ_H
#define STOWAGE_SYS_EXT4_READ_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct ext4;
/* fd: borrowed while the reader lives. UNSUPPORTED: it is no ext4. */
int ext4_open(int fd, struct ext4 **out, struct err *e);
void ext4_close(struct ext4 *x); /* NULL is fine */

/* Files and directories there are, and the bytes in use. */
void ext4_use(const struct ext4 *x, int64_t *out_files, int64_t *out_bytes);

struct ext4_file {
    char *path; /* owned: "deep/file" */
    uint32_t inode, uid, gid;
    uint16_t mode; /* as st_mode */
    uint64_t size;
    struct timespec mtime;
};
struct ext4_files {
    struct ext4_file *rows; /* by path */
    size_t len;
    bool cut; /* there are more */
};
void ext4_files_release(struct ext4_files *f); /* zeroed is fine */
#define _auto_ext4_files_ __attribute__((cleanup(ext4_files_release)))
/* Everything below the root but lost+found, at most so many. */
int ext4_list(struct ext4 *x, size_t most, struct ext4_files *out, struct err *e);

/* Do two files of the same size hold the same bytes? What cannot be read differs. */
bool ext4_same_bytes(struct ext4 *a, uint32_t inode_a, struct ext4 *b, uint32_t inode_b);

#endif
