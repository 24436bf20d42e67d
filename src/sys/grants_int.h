/* grants_int.h - filesystems on sparse disks are given no more than the machine has. Private to sys; see grants.c.
 * Texts are borrowed for the call. THREADS: none; the helper's loop. */
#ifndef STOWAGE_SYS_GRANTS_INT_H
#define STOWAGE_SYS_GRANTS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What is looked at: filesystems of our own (of nodes, of image layers), what nodes have mounted, the disks attached.
 */
struct grant_node {
    pid_t pid;
    const char *image;  /* of its own filesystem */
    const char *target; /* where that is mounted, as `pid` sees it */
};
struct grant_disk {
    const char *image;
    int loop;
};
struct grant_view {
    const char *dir; /* of the disks: how much room there is, where the reserve is */
    const struct grant_node *nodes;
    size_t node_count;
    const struct grant_disk *disks;
    size_t disk_count;
};

struct grants;
struct grants *grants_new(void);
void grants_free(struct grants *g); /* NULL is fine */
/* Looks at everything, and sets each filesystem's limit. Returns after how many milliseconds to look again. */
int grants_look(struct grants *g, const struct grant_view *v);
/* Did the disk on this loop device want room that was not there, and is there none yet? */
bool grants_starved(const struct grants *g, int loop);
/* A child of the helper ended: perhaps the one that trims. */
void grants_child_end(struct grants *g, pid_t pid);

/* -- the rule, pure -- */
struct grant_share {
    int64_t free;  /* what it believes it has */
    int64_t avail; /* what it may use of that now */
    int64_t owed;  /* given before, and not yet written to the machine's disk */
    bool own;      /* of a node, or of image layers */
    bool active;   /* it grew lately */
    int64_t grant; /* out: what it may use from now; == free: all it believes it has */
};
/* Bytes of room that grants never touch: the store's journal, records, the metadata of what is deleted. */
#define GRANTS_KEPT (INT64_C(64) << 20)
/* Shares `room` out; the sum of all grants and of what is owed is never more than it, but for what each
 * has at the very least (4 MiB; 8 MiB what is our own). Returns
 * what there was to give: <= 0: nothing. */
int64_t grants_share(struct grant_share *s, size_t n, int64_t room);

#endif
