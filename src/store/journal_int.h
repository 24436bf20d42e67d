/* journal_int.h - the state on disk. Private to store.
 *
 * THREADS: one caller at a time (the leader of a group commit); journal_bytes() from anywhere. */
#ifndef STOWAGE_STORE_JOURNAL_INT_H
#define STOWAGE_STORE_JOURNAL_INT_H

#include "store/store.h"

struct journal;

struct journal_row {
    int64_t id;
    const char *bucket, *ns, *name;
    uint64_t rv;
    const char *bytes;
    size_t len;
};

/* Errors as store_open(). */
int journal_open(const char *path, struct journal **out_journal, struct err *e);
void journal_close(struct journal *j);
/* Hands every object to `row` (which returns 0, or -1 with `e` filled) and says the last revision used. */
int journal_load(struct journal *j, int (*row)(const struct journal_row *r, void *arg, struct err *e), void *arg,
                 uint64_t *out_revision, struct err *e);
/* Writes a batch in one transaction: all of it or, on error, nothing. mark: NULL = stays as it is. */
int journal_write(struct journal *j, const struct watch_event *ops, size_t count, const char *mark, struct err *e);
/* Moves the log into the file when it has grown enough; reports nothing, because nothing is lost if it cannot. `quiet`:
 * nobody seems to be in a hurry. */
bool journal_checkpoint_due(const struct journal *j, bool quiet);
void journal_checkpoint(struct journal *j);
size_t journal_bytes(const struct journal *j);
const char *journal_cluster_id(const struct journal *j);
/* For tests: the file may not grow beyond so many pages (0: no limit). */
void journal_limit_pages(struct journal *j, unsigned pages);

#endif
