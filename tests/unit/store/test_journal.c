/* What the journal promises: nothing acknowledged is lost, a full disk changes nothing, one user at a time. */
#include "store_kit.h"

#include "store/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct store *open_at(const char *path)
{
    return kit_open(&(struct store_conf){.clock = clock_real(), .path = path});
}

static int open_fails(const char *path, struct err *e)
{
    struct store *s = NULL;
    *e = ERR_INIT;
    return store_open(&(struct store_conf){.clock = clock_real(), .path = path}, &s, e);
}

static void value_is(struct store *s, const char *name, int want)
{
    struct sobj *o = store_get(s, "things", "ns", name);
    assert_int_equal(o ? kit_value(o) : -1, want);
    sobj_unref(o);
}

static void test_reopen(void **state)
{
    (void)state;
    char *path = kit_path();
    struct store *s = open_at(path);
    char *cluster = xstrdup(store_cluster_id(s));
    kit_put(s, "things", "ns", "a", 1);
    kit_put(s, "things", "ns", "b", 2);
    kit_put(s, "things", "ns", "a", 3);
    uint64_t rv = kit_delete(s, "things", "ns", "b"); /* the last revision has no row */
    struct sobj *o = store_get(s, "things", "ns", "a");
    char *bytes = xstrdup(o->bytes);
    sobj_unref(o);
    store_close(s);

    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 077, 0);

    s = open_at(path);
    assert_int_equal(store_rv(s), rv);
    assert_string_equal(store_cluster_id(s), cluster);
    value_is(s, "a", 3);
    value_is(s, "b", -1);
    o = store_get(s, "things", "ns", "a");
    assert_string_equal(o->bytes, bytes);
    sobj_unref(o);
    assert_true(kit_put(s, "things", "ns", "a", 4) == rv + 1);
    struct watch *w = NULL;
    struct err e = ERR_INIT;
    assert_int_equal(store_watch(s, &(struct watch_conf){.after_rv = rv - 1}, &w, &e), -1);
    assert_int_equal(e.code, ERR_EXPIRED);
    store_close(s);
    free(bytes);
    free(cluster);
    kit_remove(path);
}

/* -- kill -9 -- */

enum { KILL_THREADS = 4 };

struct killed_writer {
    struct store *s;
    int fd, id;
};

/* Puts 1, 2, 3… under its own name and tells the parent about each after the acknowledgement. */
static void *write_until_killed(void *arg)
{
    struct killed_writer *w = arg;
    char name[16];
    snprintf(name, sizeof name, "w%d", w->id);
    for (int i = 1;; i++) {
        struct err e = ERR_INIT;
        if (store_put(w->s, "things", "ns", name, RV_ANY, kit_object(name, i), NULL, &e) < 0)
            _exit(1);
        int told[2] = {w->id, i};
        if (write(w->fd, told, sizeof told) != sizeof told)
            _exit(1);
    }
    return NULL;
}

static void child_writes(const char *path, int fd)
{
    struct store *s = NULL;
    struct err e = ERR_INIT;
    if (store_open(&(struct store_conf){.clock = clock_real(), .path = path}, &s, &e) < 0)
        _exit(1);
    pthread_t threads[KILL_THREADS];
    struct killed_writer writers[KILL_THREADS];
    for (int i = 0; i < KILL_THREADS; i++) {
        writers[i] = (struct killed_writer){s, fd, i};
        pthread_create(&threads[i], NULL, write_until_killed, &writers[i]);
    }
    pause();
}

static void test_kill(void **state)
{
    (void)state;
    char *path = kit_path();
    int acked[KILL_THREADS] = {0};
    for (int round = 0; round < 10; round++) {
        int fds[2];
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(fds[0]);
            child_writes(path, fds[1]);
            _exit(0);
        }
        close(fds[1]);
        int told[2], count = 0;
        while (count++ < 40 + 37 * round && read(fds[0], told, sizeof told) == sizeof told)
            acked[told[0]] = told[1];
        kill(pid, SIGKILL);
        while (read(fds[0], told, sizeof told) == sizeof told) /* told before it died */
            acked[told[0]] = told[1];
        close(fds[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));

        struct store *s = open_at(path);
        for (int i = 0; i < KILL_THREADS; i++) {
            char name[16];
            snprintf(name, sizeof name, "w%d", i);
            struct sobj *o = store_get(s, "things", "ns", name);
            int value = o ? kit_value(o) : 0;
            /* everything told is there; one write more may be, which died between the journal and the telling */
            assert_true(value == acked[i] || value == acked[i] + 1);
            acked[i] = 0; /* each child counts from 1 */
            sobj_unref(o);
        }
        for (int i = 0; i < KILL_THREADS; i++) {
            char name[16];
            snprintf(name, sizeof name, "w%d", i);
            struct err e = ERR_INIT;
            store_delete(s, "things", "ns", name, RV_ANY, NULL, &e);
        }
        store_close(s);
    }
    kit_remove(path);
}

/* -- full disk -- */

static json_t *big_object(void)
{
    char *text = xmalloc(100001);
    memset(text, 'x', 100000);
    text[100000] = '\0';
    json_t *tree = json_pack("{s:s}", "text", text);
    free(text);
    return tree;
}

static void test_full(void **state)
{
    (void)state;
    char *path = kit_path();
    struct store *s = open_at(path);
    struct err e = ERR_INIT;
    kit_put(s, "things", "ns", "a", 1);
    uint64_t rv = store_rv(s);
    journal_limit_pages(s->journal, 16);
    struct watch *w = NULL;
    assert_int_equal(store_watch(s, &(struct watch_conf){.after_rv = rv}, &w, &e), 0);
    assert_int_equal(store_put(s, "things", "ns", "big", RV_ABSENT, big_object(), NULL, &e), -1);
    assert_int_equal(e.code, ERR_NO_SPACE);
    assert_false(store_writable(s));
    assert_int_equal(store_rv(s), rv); /* nobody saw anything */
    assert_null(store_get(s, "things", "ns", "big"));
    struct watch_event ev;
    assert_int_equal(watch_next(w, &ev), 0);
    watch_close(w);

    kit_put(s, "things", "ns", "a", 2); /* what fits goes on working */
    assert_true(store_writable(s));
    journal_limit_pages(s->journal, 0);
    assert_int_equal(store_put(s, "things", "ns", "big", RV_ABSENT, big_object(), NULL, &e), 0);
    rv = store_rv(s);
    store_close(s);
    s = open_at(path);
    assert_int_equal(store_rv(s), rv);
    value_is(s, "a", 2);
    store_close(s);
    kit_remove(path);
}

/* -- refusals -- */

static void test_busy(void **state)
{
    (void)state;
    char *path = kit_path();
    struct store *s = open_at(path);
    pid_t pid = fork();
    if (pid == 0) {
        struct err e;
        _exit(open_fails(path, &e) == -1 && e.code == ERR_BUSY && strstr(e.msg, "in use") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    store_close(s);
    kit_remove(path);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_newer_layout(void **state)
{
    (void)state;
    char *path = kit_path();
    store_close(open_at(path));
    run_sql(path, "UPDATE meta SET value = 99 WHERE key = 'layout'");
    struct err e;
    assert_int_equal(open_fails(path, &e), -1);
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    assert_non_null(strstr(e.msg, "layout 99"));
    kit_remove(path);
}

static void test_damaged(void **state)
{
    (void)state;
    struct err e;
    char *path = kit_path();
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(write(fd, "this is no database ", 20), 20);
    close(fd);
    assert_int_equal(open_fails(path, &e), -1);
    assert_int_equal(e.code, ERR_CORRUPT);
    unlink(path);

    run_sql(path, "CREATE TABLE songs(name)");
    assert_int_equal(open_fails(path, &e), -1);
    assert_int_equal(e.code, ERR_CORRUPT);
    unlink(path);

    struct store *s = open_at(path);
    kit_put(s, "things", "ns", "a", 1);
    store_close(s);
    run_sql(path, "UPDATE objects SET bytes = '{\"half\":'");
    assert_int_equal(open_fails(path, &e), -1);
    assert_int_equal(e.code, ERR_CORRUPT);
    kit_remove(path);

    assert_int_equal(open_fails("/nonexistent/dir/state.db", &e), -1);
    assert_int_equal(e.code, ERR_SYS);
    assert_int_equal(e.sys_errno, ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reopen), cmocka_unit_test(test_kill),         cmocka_unit_test(test_full),
        cmocka_unit_test(test_busy),   cmocka_unit_test(test_newer_layout), cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
