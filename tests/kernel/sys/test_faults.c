/* Bad luck, for every N: the N-th effective call to the kernel that the real helper, its nodes and their children make
 * during the life of a disk fails; or the helper is killed at it, or while it is under way. Who asked asks again, as
 * the floors above do. Then no byte that was written and synced is lost, and when the disks are deleted there is no
 * file, mount or loop device of theirs.
 *
 * HOW: this program is the helper too (harness_main), and defines the C library's calls itself: those of the helper's
 * side are counted in memory that all of its processes share (FAULT_MAP), and the one chosen goes wrong. Nothing of it
 * is in the product. A killed helper is killed from outside, by a thread that waits to be told: the first process of a
 * PID namespace cannot kill itself.
 *
 * A life is a list of steps; each may be done again at any time and does what is not done yet. Without FAULTS=all the
 * numbers are a sample, spread over the life and another one each time, as many as there is time for; they are printed.
 */
#include "kernel/sys/harness.h"

#include <linux/fs.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#define FAULT_MAP  "STOWAGE_TEST_FAULT_MAP"
#define MIB        (INT64_C(1) << 20)
#define TRIES      8
#define SAMPLE_S   22 /* of one sweep; at least SAMPLE_MIN numbers */
#define SAMPLE_MIN 6

enum how { FAILS, KILLED_AT, KILLED_DURING, HOW_MAX };
static const char *const how_names[HOW_MAX] = {"fails", "killed at it", "killed during it"};

static struct fault {
    atomic_uint armed, how, at, seen;
    atomic_bool die; /* wish of the helper's side */
    char what[32];   /* the call that was chosen */
} * fault;           /* NULL: not the helper's side */

/* ---- the helper's side ---- */

__attribute__((constructor)) static void fault_map(void)
{
    const char *path = getenv(FAULT_MAP);
    const int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof *fault, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    fault = map == MAP_FAILED ? NULL : map;
}

/* Counts the call. True: it does not happen. */
static bool goes_wrong(const char *what)
{
    if (!fault || !atomic_load(&fault->armed) || atomic_fetch_add(&fault->seen, 1) + 1 != atomic_load(&fault->at))
        return false;
    snprintf(fault->what, sizeof fault->what, "%s", what);
    if (atomic_load(&fault->how) == FAILS)
        return true;
    atomic_store(&fault->die, true);
    while (atomic_load(&fault->how) == KILLED_AT)
        pause();
    return false;
}

#define CALL(result, name, number, params, ...)                                                                        \
    result name params                                                                                                 \
    {                                                                                                                  \
        if (goes_wrong(#name)) {                                                                                       \
            errno = EIO;                                                                                               \
            return -1;                                                                                                 \
        }                                                                                                              \
        return (result)syscall(number, __VA_ARGS__);                                                                   \
    }

CALL(int, mount, SYS_mount,
     (const char *source, const char *target, const char *type, unsigned long flags, const void *data), source, target,
     type, flags, data)
CALL(int, umount2, SYS_umount2, (const char *target, int flags), target, flags)
CALL(int, mknod, SYS_mknodat, (const char *path, mode_t mode, dev_t dev), AT_FDCWD, path, mode, (unsigned)dev)
CALL(int, link, SYS_linkat, (const char *from, const char *to), AT_FDCWD, from, AT_FDCWD, to, 0)
CALL(int, unlink, SYS_unlinkat, (const char *path), AT_FDCWD, path, 0)
CALL(int, rename, SYS_renameat2, (const char *from, const char *to), AT_FDCWD, from, AT_FDCWD, to, 0)
CALL(int, renameat2, SYS_renameat2, (int a, const char *from, int b, const char *to, unsigned flags), a, from, b, to,
     flags)
CALL(int, truncate, SYS_truncate, (const char *path, off_t size), path, size)
CALL(int, ftruncate, SYS_ftruncate, (int fd, off_t size), fd, size)
CALL(int, syncfs, SYS_syncfs, (int fd), fd)
CALL(ssize_t, pwrite, SYS_pwrite64, (int fd, const void *data, size_t len, off_t at), fd, data, len, at)
CALL(ssize_t, copy_file_range, SYS_copy_file_range,
     (int from, off64_t *at, int to, off64_t *to_at, size_t len, unsigned flags), from, at, to, to_at, len, flags)
CALL(int, execve, SYS_execve, (const char *path, char *const argv[], char *const env[]), path, argv, env)

int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if ((flags & O_CREAT || str_starts(path, "/dev/loop")) && goes_wrong("open")) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* Those with effect. A thaw does not fail: the kernel has no reason to. */
int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    const bool counts = request == LOOP_CONFIGURE || request == LOOP_SET_CAPACITY || request == LOOP_SET_DIRECT_IO ||
                        request == FICLONE || request == FIFREEZE ||
                        (request == FITHAW && fault && atomic_load(&fault->how) != FAILS);
    if (counts && goes_wrong("ioctl")) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_ioctl, fd, request, arg);
}

/* ---- the API process's side ---- */

static struct machine *m;
static struct fault *told; /* the same memory; this side is not counted */
static struct err e;
static pid_t helper;
static pthread_t killer;
static int loops_at_rest;
static char bytes[300 * 1024], seen[sizeof bytes];

static pid_t child_of(pid_t parent)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        fail_msg("no child of %d", (int)parent);
    return (pid_t)strtol(text, NULL, 10);
}

static void *kill_when_told(void *arg)
{
    (void)arg;
    for (;; usleep(200))
        if (atomic_load(&told->die) && helper > 0) {
            kill(helper, SIGKILL);
            helper = 0;
        }
    return NULL;
}

static void begin(void)
{
    m = harness_open();
    ok(m->ops->node_start(m, &(struct node_spec){"worker-1", 0, 256 * MIB}, &e));
    helper = child_of(getpid());
    loops_at_rest = loops_of(data_dir);
}

static void end(void)
{
    m->ops->close(m);
    await(loops_of(data_dir) == 0);
    await(mounts_of(data_dir) == 0);
}

static void begin_again(void)
{
    atomic_store(&told->armed, 0);
    atomic_store(&told->die, false);
    end();
    begin();
}

/* ---- the steps of a life ---- */

struct life {
    bool written, synced, grown, copied;
    const char *attached; /* the disk on /dev/xvdba, mounted at /mnt/v; of the steps that succeeded */
};

static int mount_disk(const char *id)
{
    const struct fs_mount spec = {"worker-1", "/dev/xvdba", "/mnt/v", "ext4", "", false, true};
    if (m->ops->disk_attach(m, id, "worker-1", "/dev/xvdba", 0, &e) < 0)
        return -1;
    return m->ops->is_mounted(m, "worker-1", "/mnt/v") ? 0 : m->ops->fs_mount(m, &spec, &e);
}

static int put_away(const char *id)
{
    return m->ops->unmount(m, "worker-1", "/mnt/v", &e) < 0 ? -1 : m->ops->disk_detach(m, id, "worker-1", &e);
}

static int step_create(struct life *l)
{
    (void)l;
    return m->ops->disk_create(m, "vol", 512 * MIB, &e) < 0 && e.code != ERR_ALREADY_EXISTS ? -1 : 0;
}

static int step_mount(struct life *l)
{
    (void)l;
    return mount_disk("vol");
}

static int step_write(struct life *l)
{
    int fd = -1;
    if (mount_disk("vol") < 0 ||
        m->ops->open(m, "worker-1", "/mnt/v/data", O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, &e) < 0)
        return -1;
    l->written = write(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes && fsync(fd) == 0;
    close(fd);
    return l->written ? 0 : err_set(&e, ERR_SYS, "write: %s", strerror(errno));
}

static int step_grow(struct life *l)
{
    (void)l;
    if (mount_disk("vol") < 0 || m->ops->disk_grow(m, "vol", 768 * MIB, &e) < 0)
        return -1;
    if (m->ops->fs_grow(m, "worker-1", "/dev/xvdba", "/mnt/v", &e) == 0)
        return 0;
    return e.code == ERR_UNSUPPORTED ? 0 : -1; /* a machine that withholds what it needs: at the next mount */
}

static int step_snapshot(struct life *l)
{
    (void)l;
    if (mount_disk("vol") < 0)
        return -1;
    return m->ops->disk_copy(m, "vol", "snap", 0, &e) < 0 && e.code != ERR_ALREADY_EXISTS ? -1 : 0;
}

static int step_down(struct life *l)
{
    (void)l;
    return put_away("vol");
}

static int has_bytes(const char *id)
{
    int fd = -1;
    if (mount_disk(id) < 0 || m->ops->open(m, "worker-1", "/mnt/v/data", O_RDONLY, 0, &fd, &e) < 0) {
        if (e.code == ERR_NOT_FOUND && m->ops->is_mounted(m, "worker-1", "/mnt/v"))
            fail_msg("the file on %s is lost", id);
        return -1;
    }
    const ssize_t n = read(fd, seen, sizeof seen);
    close(fd);
    if (n != (ssize_t)sizeof seen || memcmp(seen, bytes, sizeof seen) != 0)
        fail_msg("bytes of %s are lost: %zd", id, n);
    return put_away(id);
}

static int step_volume_is_whole(struct life *l)
{
    struct disk_info info;
    (void)l;
    if (m->ops->disk_info(m, "vol", &info, &e) < 0)
        return -1;
    assert_int_equal(info.bytes, 768 * MIB);
    return has_bytes("vol");
}

static int step_snapshot_is_whole(struct life *l)
{
    (void)l;
    return has_bytes("snap");
}

static int step_delete(struct life *l)
{
    static const char *const ids[] = {"snap", "vol"};
    (void)l;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        if (m->ops->disk_delete(m, ids[i], &e) < 0 && e.code != ERR_NOT_FOUND)
            return -1;
    return 0;
}

static int (*const steps[])(struct life *) = {
    step_create,   step_mount, step_write,           step_grow,
    step_snapshot, step_down,  step_volume_is_whole, step_snapshot_is_whole,
    step_delete,
};

static void live(void)
{
    struct life l = {0};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        for (int tries = 0; err_clear(&e), steps[i](&l) < 0; tries++) {
            if (tries == TRIES)
                fail_msg("step %zu does not succeed: %s", i, e.msg);
            if (atomic_load(&told->die))
                begin_again();
        }
    }
}

/* ---- what is left ---- */

static int files_left(void)
{
    _auto_free_ char *path = xasprintf("%s/disks", data_dir);
    int count = 0;
    DIR *d = opendir(path);
    for (const struct dirent *entry; d && (entry = readdir(d));)
        count += entry->d_name[0] != '.';
    if (d)
        closedir(d);
    return count;
}

/* Asked of a node that may be about to die. */
static bool node_has_none(void)
{
    static const char *const argv[] = {"sh", "-c", "! grep -q xvdba /proc/mounts && ! ls /dev | grep -q xvdba", NULL};
    const struct exec_spec x = {.node = "worker-1", .id = "", .argv = argv};
    struct stream_fds fds;
    struct err gone = ERR_INIT;
    char out[4096];
    return m->ops->exec(m, &x, &fds, &gone) == 0 && finish(&fds, out, sizeof out) == 0;
}

/* What is unlinked last is unlinked when the answer is out already, and the helper may be told to die at that. */
static bool all_is_gone(void)
{
    if (atomic_load(&told->die))
        begin_again();
    return files_left() == 0 && loops_of(data_dir) == loops_at_rest && node_has_none();
}

static void nothing_is_left(void)
{
    if (files_left()) /* a file that could not be unlinked is found at the next start; a name on a node never stays */
        begin_again();
    await(all_is_gone());
}

/* ---- the sweeps ---- */

/* Returns how many calls the life made; 0 = all, none goes wrong. */
static unsigned play(enum how how, unsigned at)
{
    atomic_store(&told->how, how);
    atomic_store(&told->at, at);
    atomic_store(&told->seen, 0);
    told->what[0] = '\0';
    atomic_store(&told->armed, 1);
    live();
    nothing_is_left();
    atomic_store(&told->armed, 0);
    return atomic_load(&told->seen);
}

static void sweep(enum how how)
{
    const bool all = getenv("FAULTS") && str_eq(getenv("FAULTS"), "all");
    const unsigned total = play(how, 0);
    const time_t until = time(NULL) + SAMPLE_S;
    const unsigned first = (unsigned)time(NULL) % total;
    unsigned stride = total * 5 / 13 | 1, done = 0;
    while (total % stride == 0 && stride > 1)
        stride--; /* every number comes once if they share no divisor, and about once if they do */
    printf("%s, of %u calls:", how_names[how], total);
    for (; done < total && (all || done < SAMPLE_MIN || time(NULL) < until); done++) {
        const unsigned at = all ? done + 1 : (first + done * stride) % total + 1;
        printf(" %u", at);
        fflush(stdout);
        play(how, at);
        printf("(%s)", told->what);
    }
    printf("\n");
}

static void calls_fail(void **state)
{
    (void)state;
    sweep(FAILS);
}

static void helper_is_killed_at_calls(void **state)
{
    (void)state;
    sweep(KILLED_AT);
}

static void helper_is_killed_during_calls(void **state)
{
    (void)state;
    sweep(KILLED_DURING);
}

static int start(void **state)
{
    (void)state;
    if (!mkdtemp(data_dir))
        return -1;
    _auto_free_ char *path = xasprintf("%s/faults", data_dir);
    _auto_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *told) < 0)
        return -1;
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    setenv(FAULT_MAP, path, 1);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    begin();
    return pthread_create(&killer, NULL, kill_when_told, NULL);
}

static int stop(void **state)
{
    (void)state;
    end();
    harness_end();
    return 0;
}

int main(int argc, char **argv)
{
    harness_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_fail),
        cmocka_unit_test(helper_is_killed_at_calls),
        cmocka_unit_test(helper_is_killed_during_calls),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
