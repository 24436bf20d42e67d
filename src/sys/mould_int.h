/* mould_int.h - fresh ext4 filesystems at once: mkfs is run once a size, and what it wrote is cast into each new disk.
 * Private to sys. THREADS: none; the helper, and nodes while they start. */
#ifndef STOWAGE_SYS_MOULD_INT_H
#define STOWAGE_SYS_MOULD_INT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* mkfs.ext4 -E: fast and sparse, on a disk that holds whatever, and on one that holds zeros, which need not be written
 * again, now or by the kernel later (e2fsprogs 1.47). The filesystem looks the same. */
#define MKFS_SPARSE "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
#define MKFS_ZEROS  MKFS_SPARSE ",assume_storage_prezeroed=1"

#define MKFS_SEED "metadata_csum_seed" /* mkfs.ext4 -O: a mould without it is not used */

struct mould;
/* Of mkfs.ext4 with these options, at most 16; the caller waits. NULL: there is none, for whatever reason. A forked
 * child may cast with its parent's. */
struct mould *mould_new(int64_t bytes, const char *const *options);
void mould_free(struct mould *m);
int64_t mould_bytes(const struct mould *m);
/* Writes the filesystem, with an identity and times of its own, into a file that is a hole of the mould's size. Label:
 * "" = none. */
int mould_cast(const struct mould *m, int fd, const char *label, struct err *e);

/* Those of disks. They live as long as the helper: nothing frees them. */
struct moulds;
struct moulds *moulds_new(void);

enum mould_state {
    MOULD_NONE,  /* there is none for this size: leave the disk blank */
    MOULD_MADE,  /* *out is it */
    MOULD_MAKING /* mkfs runs: ask again when moulds_child_ended() */
};
enum mould_state moulds_find(struct moulds *ms, int64_t bytes, const struct mould **out);
/* True if the child was one of ours. */
bool moulds_child_ended(struct moulds *ms, pid_t pid, int status);

#endif
