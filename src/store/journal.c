/* journal.c - the state on disk, in SQLite.
 *
 * LAYOUT (1)
 *     meta(key, value)                          'layout', 'revision', 'cluster', 'mark' (of the last restore)
 *     objects(id, bucket, ns, name, rv, bytes)  the live objects, one row each
 *
 * `id` is handed out by the store and stays with the object from creation to deletion, so an update is one search by
 * integer key, new objects are appended at the right edge of the table, and no second index is kept: the store in
 * memory knows the names. The last revision is the greatest `rv` of a row or meta 'revision', whichever is greater; the
 * latter is written only with a deletion, the one change that leaves no row behind.
 *
 * DURABILITY. WAL mode: a transaction is a sequence of write() calls at the end of the log, complete when the commit
 * frame is written. What the kernel has taken survives the death of this process at any instant, so no fsync() is
 * needed before an acknowledgement. synchronous=NORMAL syncs at checkpoints only: after a power cut the last seconds
 * may be missing but the file is whole. OFF would be no faster between checkpoints and could leave a damaged file; FULL
 * would pay a disk flush a group for a promise a lab cluster does not make.
 *
 * EXCLUSION. locking_mode=EXCLUSIVE: the first transaction takes the lock and keeps it to the end, a second process
 * gets BUSY. It also keeps the WAL index in memory of ours, so there is no -shm file.
 *
 * When you change the layout, raise LAYOUT and convert older files in layout_check(). */
#include "store/journal_int.h"

#include "base/mem.h"
#include "store/sobj_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYOUT 1
/* Frames (4 KiB each) in the log that make a checkpoint worthwhile in a quiet moment, and in any. No group is written
 * during a checkpoint, and it takes as long as the log is: beyond some thousand frames a longer log costs the same time
 * in all, but in one piece, for which everybody waits. (A log that is written out to the disk as it grows makes them
 * shorter, and everything between them slower.) The log file is then written again from its beginning; only what is
 * beyond WAL_KEEP_BYTES is cut off, because growing a file costs more than overwriting it. */
#define CHECKPOINT_FRAMES     2048
#define CHECKPOINT_FRAMES_MAX 4096
#define WAL_KEEP_BYTES        "25165824"

enum stmt { STMT_BEGIN, STMT_COMMIT, STMT_ROLLBACK, STMT_PUT, STMT_DELETE, STMT_REVISION, STMT_MARK, STMT_MAX };
static const char *const stmt_sql[STMT_MAX] = {
    [STMT_BEGIN] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ROLLBACK] = "ROLLBACK",
    [STMT_PUT] = "REPLACE INTO objects(id, bucket, ns, name, rv, bytes) VALUES(?, ?, ?, ?, ?, ?)",
    [STMT_DELETE] = "DELETE FROM objects WHERE id = ?",
    [STMT_REVISION] = "REPLACE INTO meta(key, value) VALUES('revision', ?)",
    [STMT_MARK] = "REPLACE INTO meta(key, value) VALUES('mark', ?)",
};

struct journal {
    char *path;     /* owned */
    char *wal_path; /* owned */
    sqlite3 *db;
    sqlite3_stmt *stmts[STMT_MAX];
    int frames; /* in the log */
    char cluster[37];
};

/* What SQLite says, in our terms. */
static int journal_err(const struct journal *j, int rc, const char *doing, struct err *e)
{
    const char *text = j->db ? sqlite3_errmsg(j->db) : sqlite3_errstr(rc);
    int sys = j->db ? sqlite3_system_errno(j->db) : 0;
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(e, ERR_BUSY, "%s is in use by another process: one cluster has one server", j->path);
    case SQLITE_FULL:
        return err_sys(e, ENOSPC, "%s %s", doing, j->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(e, ERR_CORRUPT, "%s %s: the file is damaged (%s)", doing, j->path, text);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        if (sys)
            return err_sys(e, sys, "%s %s", doing, j->path);
        break;
    default:
        break;
    }
    return err_set(e, ERR_SYS, "%s %s: %s", doing, j->path, text);
}

static int journal_exec(struct journal *j, const char *sql, const char *doing, struct err *e)
{
    int rc = sqlite3_exec(j->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : journal_err(j, rc, doing, e);
}

static int stmt_run(struct journal *j, enum stmt id)
{
    int rc = sqlite3_step(j->stmts[id]);
    int reset = sqlite3_reset(j->stmts[id]);
    return rc == SQLITE_DONE ? SQLITE_OK : reset ? reset : rc;
}

static int wal_grew(void *arg, sqlite3 *db, const char *name, int frames)
{
    (void)db;
    (void)name;
    ((struct journal *)arg)->frames = frames;
    return SQLITE_OK;
}

/* -- opening -- */

/* An integer, or -1 when there is no such row. */
static int query_int(struct journal *j, const char *sql, int64_t *out, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(j->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW || rc == SQLITE_DONE)
            *out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : -1;
    }
    sqlite3_finalize(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : journal_err(j, rc, "reading", e);
}

static int layout_create(struct journal *j, struct err *e)
{
    static const char tables[] = "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
                                 "CREATE TABLE objects(id INTEGER PRIMARY KEY, bucket TEXT NOT NULL, ns TEXT NOT NULL,"
                                 " name TEXT NOT NULL, rv INTEGER NOT NULL, bytes BLOB NOT NULL);";
    char uuid[37];
    random_uuid(uuid);
    char *meta = sqlite3_mprintf("%s INSERT INTO meta VALUES('layout', %d), ('revision', 1), ('cluster', %Q);", tables,
                                 LAYOUT, uuid);
    int rc = journal_exec(j, meta, "creating the tables of", e);
    sqlite3_free(meta);
    return rc;
}

static int layout_check(struct journal *j, struct err *e)
{
    int64_t tables, meta, layout;
    if (query_int(j, "SELECT count(*) FROM sqlite_master", &tables, e) < 0)
        return -1;
    if (tables == 0)
        return layout_create(j, e);
    if (query_int(j, "SELECT count(*) FROM sqlite_master WHERE name IN ('meta', 'objects')", &meta, e) < 0)
        return -1;
    if (meta != 2)
        return err_set(e, ERR_CORRUPT, "%s is a database, but not one of a cluster's state", j->path);
    if (query_int(j, "SELECT value FROM meta WHERE key = 'layout'", &layout, e) < 0)
        return -1;
    if (layout == LAYOUT)
        return 0;
    return err_set(e, ERR_UNSUPPORTED,
                   "%s has layout %lld and this version knows layout %d: start the newer version that wrote it, or "
                   "choose another data directory",
                   j->path, (long long)layout, LAYOUT);
}

static int cluster_read(struct journal *j, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(j->db, "SELECT value FROM meta WHERE key = 'cluster'", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        sqlite3_snprintf(sizeof j->cluster, j->cluster, "%s", (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? 0 : journal_err(j, rc, "reading", e);
}

int store_mark_read(const char *path, char out[STORE_MARK_LEN], struct err *e)
{
    struct journal *j = NULL;
    sqlite3_stmt *st = NULL;
    if (journal_open(path, &j, e) < 0)
        return -1;
    int rc = sqlite3_prepare_v2(j->db, "SELECT value FROM meta WHERE key = 'mark'", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        snprintf(out, STORE_MARK_LEN, "%s", rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : "");
    else
        journal_err(j, rc, "reading", e);
    sqlite3_finalize(st);
    journal_close(j);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

static int stmts_prepare(struct journal *j, struct err *e)
{
    for (int i = 0; i < STMT_MAX; i++) {
        int rc = sqlite3_prepare_v3(j->db, stmt_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &j->stmts[i], NULL);
        if (rc != SQLITE_OK)
            return journal_err(j, rc, "opening", e);
    }
    return 0;
}

/* The file holds Secrets: made for its owner only, and SQLite gives the log the same mode. */
static int file_create(const char *path, struct err *e)
{
    _auto_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 ? err_sys(e, errno, "opening %s", path) : 0;
}

static int journal_connect(struct journal *j, struct err *e)
{
    int rc = sqlite3_open_v2(j->path, &j->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return journal_err(j, rc, "opening", e);
    sqlite3_extended_result_codes(j->db, 1);
    sqlite3_wal_hook(j->db, wal_grew, j);
    if (journal_exec(j,
                     "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                     "PRAGMA cache_size=-8192; PRAGMA journal_size_limit=" WAL_KEEP_BYTES ";",
                     "opening", e) < 0)
        return -1;
    /* The transaction that takes the lock for good. */
    if (journal_exec(j, "BEGIN IMMEDIATE", "opening", e) < 0 || layout_check(j, e) < 0)
        return -1;
    return journal_exec(j, "COMMIT", "opening", e);
}

int journal_open(const char *path, struct journal **out_journal, struct err *e)
{
    struct journal *j = xcalloc(1, sizeof *j);
    j->path = xstrdup(path);
    j->wal_path = xasprintf("%s-wal", path);
    if (file_create(path, e) < 0 || journal_connect(j, e) < 0 || cluster_read(j, e) < 0 || stmts_prepare(j, e) < 0) {
        journal_close(j);
        return -1;
    }
    *out_journal = j;
    return 0;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    for (int i = 0; i < STMT_MAX; i++)
        sqlite3_finalize(j->stmts[i]);
    sqlite3_close(j->db); /* moves the rest of the log into the file and removes it */
    free(j->path);
    free(j->wal_path);
    free(j);
}

/* -- reading -- */

static int load_row(sqlite3_stmt *st, int (*row)(const struct journal_row *r, void *arg, struct err *e), void *arg,
                    uint64_t *revision, struct err *e)
{
    struct journal_row r = {
        .id = sqlite3_column_int64(st, 0),
        .bucket = (const char *)sqlite3_column_text(st, 1),
        .ns = (const char *)sqlite3_column_text(st, 2),
        .name = (const char *)sqlite3_column_text(st, 3),
        .rv = (uint64_t)sqlite3_column_int64(st, 4),
        .bytes = sqlite3_column_blob(st, 5),
        .len = (size_t)sqlite3_column_bytes(st, 5),
    };
    if (r.rv > *revision)
        *revision = r.rv;
    return row(&r, arg, e);
}

int journal_load(struct journal *j, int (*row)(const struct journal_row *r, void *arg, struct err *e), void *arg,
                 uint64_t *out_revision, struct err *e)
{
    int64_t meta;
    if (query_int(j, "SELECT value FROM meta WHERE key = 'revision'", &meta, e) < 0)
        return -1;
    uint64_t revision = meta > 0 ? (uint64_t)meta : 1;
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(j->db, "SELECT id, bucket, ns, name, rv, bytes FROM objects", -1, &st, NULL);
    int failed = 0;
    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        failed = load_row(st, row, arg, &revision, e);
        rc = failed ? SQLITE_ABORT : SQLITE_OK;
    }
    sqlite3_finalize(st);
    if (failed)
        return err_wrap(e, "reading %s", j->path);
    if (rc != SQLITE_DONE)
        return journal_err(j, rc, "reading", e);
    *out_revision = revision;
    return 0;
}

/* -- writing -- */

static int write_put(struct journal *j, const struct sobj *o, int64_t row)
{
    sqlite3_stmt *st = j->stmts[STMT_PUT];
    sqlite3_bind_int64(st, 1, row);
    sqlite3_bind_text(st, 2, o->bucket, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, o->ns, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 4, o->name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 5, (sqlite3_int64)o->rv);
    sqlite3_bind_blob64(st, 6, o->bytes, o->len, SQLITE_STATIC);
    return stmt_run(j, STMT_PUT);
}

static int write_delete(struct journal *j, const struct sobj *o, int64_t row)
{
    sqlite3_bind_int64(j->stmts[STMT_DELETE], 1, row);
    int rc = stmt_run(j, STMT_DELETE);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(j->stmts[STMT_REVISION], 1, (sqlite3_int64)o->rv);
    return stmt_run(j, STMT_REVISION);
}

static int write_mark(struct journal *j, const char *mark)
{
    sqlite3_bind_text(j->stmts[STMT_MARK], 1, mark, -1, SQLITE_STATIC);
    return stmt_run(j, STMT_MARK);
}

int journal_write(struct journal *j, const struct watch_event *ops, size_t count, const char *mark, struct err *e)
{
    int rc = stmt_run(j, STMT_BEGIN);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        const struct sobj *o = ops[i].obj;
        rc = ops[i].type == WATCH_DELETED ? write_delete(j, o, sobj_row(o)) : write_put(j, o, sobj_row(o));
    }
    if (rc == SQLITE_OK && mark)
        rc = write_mark(j, mark);
    if (rc == SQLITE_OK)
        rc = stmt_run(j, STMT_COMMIT);
    if (rc == SQLITE_OK)
        return 0;
    journal_err(j, rc, "writing", e);
    if (!sqlite3_get_autocommit(j->db))
        stmt_run(j, STMT_ROLLBACK);
    return -1;
}

bool journal_checkpoint_due(const struct journal *j, bool quiet)
{
    return j->frames >= (quiet ? CHECKPOINT_FRAMES : CHECKPOINT_FRAMES_MAX);
}

void journal_checkpoint(struct journal *j)
{
    sqlite3_wal_checkpoint_v2(j->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    j->frames = 0; /* if it could not be done, the next commit says how long the log is */
}

static size_t file_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

size_t journal_bytes(const struct journal *j)
{
    return file_size(j->path) + file_size(j->wal_path);
}

const char *journal_cluster_id(const struct journal *j)
{
    return j->cluster;
}

void journal_limit_pages(struct journal *j, unsigned pages)
{
    char *sql = sqlite3_mprintf("PRAGMA max_page_count=%u", pages ? pages : 1073741823u);
    sqlite3_exec(j->db, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
}
