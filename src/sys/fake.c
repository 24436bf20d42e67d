/* fake.c - a machine that only remembers (see fake.h and machine.h).
 *
 * WHAT: used where mounts are not allowed, and by the unit tests of upper floors. Every operation has the same
 * preconditions and error codes as the real machine (unknown node, busy disk, nothing there), so a caller that is right
 * here is right there.
 *
 * DESIGN: one list of rows per kind of thing. Rows are looked up linearly: a lab has tens of them. The files of a node
 * are memory files keyed by path: an open() gives a new description of the same memory, so what one caller writes
 * another reads.
 *
 * INVARIANTS: an attached disk has a node; a mount's device is an attached disk or "" (bind, tmpfs); a container that
 * is running has pid != 0 and gets exactly one exit.
 *
 * THREADS: one mutex around everything; exits are reported from a worker so that a caller may hold its own locks. */
#include "sys/fake.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "sys/fake_int.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

struct fake *fake_of(struct machine *m)
{
    return (struct fake *)m;
}

/* Locks, counts the call, and fails it if it is the one to fail (then unlocked). */
int fake_enter(struct fake *f, struct err *e)
{
    pthread_mutex_lock(&f->mu);
    f->calls++;
    if (f->fail_in && --f->fail_in == 0) {
        enum err_code code = f->fail_code;
        pthread_mutex_unlock(&f->mu);
        return err_set(e, code, "injected failure");
    }
    return 0;
}

int fake_leave(struct fake *f, int result)
{
    pthread_mutex_unlock(&f->mu);
    return result;
}

struct fake_row *fake_find(struct fake *f, enum fake_kind kind, const char *node, const char *name)
{
    for (struct fake_row *r = f->rows; r; r = r->next)
        if (r->kind == kind && (!node || str_eq(r->node, node)) && str_eq(r->name, name))
            return r;
    return NULL;
}

struct fake_row *fake_add(struct fake *f, enum fake_kind kind, const char *node, const char *name)
{
    struct fake_row *r = xcalloc(1, sizeof *r);
    r->kind = kind;
    r->node = xstrdup(node);
    r->name = xstrdup(name);
    r->fd = -1;
    r->next = f->rows;
    f->rows = r;
    return r;
}

void fake_drop(struct fake *f, struct fake_row *row)
{
    for (struct fake_row **at = &f->rows; *at; at = &(*at)->next) {
        if (*at != row)
            continue;
        *at = row->next;
        if (row->fd >= 0)
            close(row->fd);
        free(row->node);
        free(row->name);
        free(row->extra);
        free(row);
        return;
    }
}

int fake_need_node(struct fake *f, const char *node, struct err *e)
{
    if (fake_find(f, FAKE_NODE, NULL, node))
        return 0;
    return err_set(e, ERR_NOT_FOUND, "node \"%s\" is not running", node);
}

static void fake_info(struct machine *m, struct machine_info *out)
{
    struct utsname u;
    uname(&u);
    memset(out, 0, sizeof *out);
    out->simulated = true;
    snprintf(out->why, sizeof out->why, "%s", fake_of(m)->why);
    snprintf(out->kernel, sizeof out->kernel, "%s", u.release);
    snprintf(out->os_image, sizeof out->os_image, "Stowage (simulated)");
    snprintf(out->arch, sizeof out->arch, "%s", str_eq(u.machine, "x86_64") ? "amd64" : "arm64");
    snprintf(out->machine_id, sizeof out->machine_id, "%032x", 1u);
    snprintf(out->boot_id, sizeof out->boot_id, "00000000-0000-4000-8000-000000000001");
    out->cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    out->memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

static int fake_node_start(struct machine *m, const struct node_spec *spec, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    if (fake_find(f, FAKE_NODE, NULL, spec->name))
        return fake_leave(f, err_set(e, ERR_ALREADY_EXISTS, "node \"%s\" is already running", spec->name));
    fake_add(f, FAKE_NODE, "", spec->name)->bytes = spec->nodefs_bytes;
    return fake_leave(f, 0);
}

static int node_end(struct machine *m, const char *node, bool abandon, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    struct fake_row *row = fake_find(f, FAKE_NODE, NULL, node);
    if (row)
        fake_drop(f, row);
    for (struct fake_row *r = f->rows, *next; r; r = next) {
        next = r->next;
        if (!str_eq(r->node, node))
            continue;
        if (r->kind == FAKE_DISK && abandon)
            fake_place(r, "", NULL);
        else if (r->kind != FAKE_DISK && r->kind != FAKE_FILE && r->kind != FAKE_DIR)
            fake_drop(f, r);
    }
    return fake_leave(f, 0);
}

static int fake_node_stop(struct machine *m, const char *node, struct err *e)
{
    return node_end(m, node, false, e);
}

static int fake_node_abandon(struct machine *m, const char *node, struct err *e)
{
    return node_end(m, node, true, e);
}

/* ---- pods ---- */

static int fake_sandbox_start(struct machine *m, const struct sandbox_spec *spec, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    if (fake_need_node(f, spec->node, e) < 0)
        return fake_leave(f, -1);
    if (!fake_find(f, FAKE_SANDBOX, spec->node, spec->id))
        fake_add(f, FAKE_SANDBOX, spec->node, spec->id);
    return fake_leave(f, 0);
}

static void exit_locked(struct fake *f, struct fake_row *row, int code, int sig);

static int fake_sandbox_stop(struct machine *m, const char *node, const char *id, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    struct fake_row *row = fake_find(f, FAKE_SANDBOX, node, id);
    if (row)
        fake_drop(f, row);
    for (struct fake_row *r = f->rows, *next; r; r = next) {
        next = r->next;
        if (r->kind != FAKE_CONTAINER || !str_eq(r->node, node) || !str_eq(r->extra, id))
            continue;
        if (r->pid)
            exit_locked(f, r, 137, SIGKILL);
        fake_drop(f, r);
    }
    return fake_leave(f, 0);
}

static int fake_container_start(struct machine *m, const struct container_spec *spec, pid_t *out_pid, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    if (fake_need_node(f, spec->node, e) < 0)
        return fake_leave(f, -1);
    if (!fake_find(f, FAKE_SANDBOX, spec->node, spec->sandbox))
        return fake_leave(f, err_set(e, ERR_NOT_FOUND, "sandbox \"%s\" not found", spec->sandbox));
    if (fake_find(f, FAKE_CONTAINER, spec->node, spec->id))
        return fake_leave(f, err_set(e, ERR_ALREADY_EXISTS, "container \"%s\" already exists", spec->id));
    struct fake_row *row = fake_add(f, FAKE_CONTAINER, spec->node, spec->id);
    row->pid = (pid_t)++f->last_pid;
    row->extra = xstrdup(spec->sandbox);
    if (!str_empty(spec->log_path) && !fake_find(f, FAKE_FILE, spec->node, spec->log_path))
        fake_add(f, FAKE_FILE, spec->node, spec->log_path)->fd = memfd_create("fake-log", MFD_CLOEXEC);
    if (out_pid)
        *out_pid = row->pid;
    return fake_leave(f, 0);
}

struct fake_exit {
    struct fake *f;
    struct exit_info info;
};

static void report_exit(void *arg)
{
    struct fake_exit *x = arg;
    pthread_mutex_lock(&x->f->mu);
    void (*fn)(void *, const struct exit_info *) = x->f->on_exit;
    void *fn_arg = x->f->on_exit_arg;
    x->f->telling = true;
    pthread_mutex_unlock(&x->f->mu);
    if (fn)
        fn(fn_arg, &x->info);
    pthread_mutex_lock(&x->f->mu);
    x->f->telling = false;
    x->f->untold--;
    x->f->told++;
    pthread_cond_broadcast(&x->f->told_one);
    pthread_mutex_unlock(&x->f->mu);
    free(x);
}

static void exit_locked(struct fake *f, struct fake_row *row, int code, int sig)
{
    struct fake_exit *x = xcalloc(1, sizeof *x);
    x->f = f;
    snprintf(x->info.node, sizeof x->info.node, "%s", row->node);
    snprintf(x->info.id, sizeof x->info.id, "%s", row->name);
    x->info.code = code;
    x->info.signal = sig;
    x->info.finished_ns = clock_wall_ns(clock_real());
    row->pid = 0;
    f->untold++;
    pool_submit(f->exits, report_exit, x);
}

static int fake_container_signal(struct machine *m, const char *node, const char *id, int sig, struct err *e)
{
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    struct fake_row *row = fake_find(f, FAKE_CONTAINER, node, id);
    if (!row || !row->pid)
        return fake_leave(f, err_set(e, ERR_NOT_FOUND, "container \"%s\" is not running", id));
    if (sig == SIGTERM || sig == SIGKILL || sig == SIGQUIT || sig == SIGINT)
        exit_locked(f, row, 128 + sig, sig);
    return fake_leave(f, 0);
}

static int fake_container_remove(struct machine *m, const char *node, const char *id, bool purge, struct err *e)
{
    (void)purge;
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    struct fake_row *row = fake_find(f, FAKE_CONTAINER, node, id);
    if (row && row->pid)
        return fake_leave(f, err_set(e, ERR_BUSY, "container \"%s\" is running", id));
    if (row)
        fake_drop(f, row);
    return fake_leave(f, 0);
}

static int no_processes(struct machine *m, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED, "this cluster is simulated, so nothing runs in its containers: %s",
                   fake_of(m)->why);
}

static int fake_exec(struct machine *m, const struct exec_spec *spec, struct stream_fds *out, struct err *e)
{
    (void)spec, (void)out;
    return no_processes(m, e);
}

static int fake_attach(struct machine *m, const char *node, const char *id, struct stream_fds *out, struct err *e)
{
    (void)node, (void)id, (void)out;
    return no_processes(m, e);
}

static int fake_dial(struct machine *m, const char *node, const char *sandbox, uint16_t port, int *out_fd,
                     struct err *e)
{
    (void)node, (void)sandbox, (void)port, (void)out_fd;
    return no_processes(m, e);
}

static int fake_dial_from(struct machine *m, const char *node, const char *ip, uint16_t port, int64_t timeout_ms,
                          int *out_fd, struct err *e)
{
    (void)node, (void)ip, (void)port, (void)timeout_ms, (void)out_fd;
    return no_processes(m, e);
}

static int fake_listen(struct machine *m, const char *ip, uint16_t port, int *out_fd, struct err *e)
{
    (void)ip, (void)port, (void)out_fd;
    return no_processes(m, e);
}

static void fake_on_exit(struct machine *m, void (*fn)(void *arg, const struct exit_info *info), void *arg)
{
    struct fake *f = fake_of(m);
    pthread_mutex_lock(&f->mu);
    f->on_exit = fn;
    f->on_exit_arg = arg;
    while (!fn && f->telling)
        pthread_cond_wait(&f->told_one, &f->mu);
    pthread_mutex_unlock(&f->mu);
}

static void fake_on_death(struct machine *m, void (*fn)(void *arg, const char *node), void *arg)
{
    (void)m, (void)fn, (void)arg; /* nothing here can die */
}

static int fake_set_services(struct machine *m, const char *rules_json, char **out_json, struct err *e)
{
    (void)rules_json;
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    *out_json = xstrdup("{\"filter\": true}");
    return fake_leave(f, 0);
}

static void fake_close(struct machine *m)
{
    struct fake *f = fake_of(m);
    pool_free(f->exits);
    while (f->rows)
        fake_drop(f, f->rows);
    pthread_mutex_destroy(&f->mu);
    pthread_cond_destroy(&f->told_one);
    free(f);
}

/* ---- test controls ---- */

void machine_fake_fail(struct machine *m, unsigned nth, enum err_code code)
{
    struct fake *f = fake_of(m);
    pthread_mutex_lock(&f->mu);
    f->fail_in = nth;
    f->fail_code = code;
    pthread_mutex_unlock(&f->mu);
}

unsigned machine_fake_calls(struct machine *m)
{
    struct fake *f = fake_of(m);
    pthread_mutex_lock(&f->mu);
    unsigned n = f->calls;
    pthread_mutex_unlock(&f->mu);
    return n;
}

bool machine_fake_exit(struct machine *m, const char *container_id, int code)
{
    struct fake *f = fake_of(m);
    pthread_mutex_lock(&f->mu);
    struct fake_row *row = fake_find(f, FAKE_CONTAINER, NULL, container_id);
    bool running = row && row->pid;
    if (running)
        exit_locked(f, row, code, code > 128 ? code - 128 : 0);
    pthread_mutex_unlock(&f->mu);
    return running;
}

unsigned machine_fake_content(struct machine *m, const char *disk)
{
    struct fake *f = fake_of(m);
    pthread_mutex_lock(&f->mu);
    const struct fake_row *row = fake_find(f, FAKE_DISK, NULL, disk);
    const unsigned content = row ? row->content : 0;
    pthread_mutex_unlock(&f->mu);
    return content;
}

void machine_fake_reboot(struct machine *m)
{
    struct fake *f = fake_of(m);
    pthread_mutex_lock(&f->mu);
    for (struct fake_row *r = f->rows, *next; r; r = next) {
        next = r->next;
        if (r->kind == FAKE_DISK)
            fake_place(r, "", NULL);
        else if (r->kind != FAKE_FILE && r->kind != FAKE_DIR)
            fake_drop(f, r);
    }
    pthread_mutex_unlock(&f->mu);
}

void machine_fake_starve(struct machine *m, const char *disk, bool starved)
{
    struct fake *f = fake_of(m);
    pthread_mutex_lock(&f->mu);
    struct fake_row *row = fake_find(f, FAKE_DISK, NULL, disk);
    if (row)
        row->starved = starved;
    pthread_mutex_unlock(&f->mu);
}

unsigned machine_fake_rest(struct machine *m)
{
    struct fake *f = fake_of(m);
    pthread_mutex_lock(&f->mu);
    while (f->untold)
        pthread_cond_wait(&f->told_one, &f->mu);
    unsigned told = f->told;
    pthread_mutex_unlock(&f->mu);
    return told;
}

void machine_fake_count(struct machine *m, struct fake_counts *out)
{
    struct fake *f = fake_of(m);
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&f->mu);
    for (const struct fake_row *r = f->rows; r; r = r->next) {
        out->nodes += r->kind == FAKE_NODE;
        out->disks += r->kind == FAKE_DISK;
        out->attached += r->kind == FAKE_DISK && r->node[0];
        out->mounts += r->kind == FAKE_MOUNT;
        out->sandboxes += r->kind == FAKE_SANDBOX;
        out->containers += r->kind == FAKE_CONTAINER;
    }
    pthread_mutex_unlock(&f->mu);
}

static int fake_images_mount(struct machine *m, int64_t bytes, int *out_fd, struct err *e)
{
    (void)m, (void)bytes, (void)out_fd;
    return err_set(e, ERR_UNSUPPORTED, "a simulated machine has no filesystem for images");
}

/* Its processes are not there: they use nothing. */
static int fake_container_usage(struct machine *m, const char *node, const char *const *ids, size_t count,
                                struct container_use *out, struct err *e)
{
    (void)ids;
    struct fake *f = fake_of(m);
    if (fake_enter(f, e) < 0)
        return -1;
    memset(out, 0, count * sizeof *out);
    return fake_leave(f, fake_need_node(f, node, e));
}

static int64_t fake_memory_available(struct machine *m)
{
    struct machine_info info;
    m->ops->info(m, &info);
    return info.memory_bytes;
}

static int fake_layer_unpack(struct machine *m _unused_, const struct layer_spec *spec _unused_,
                             struct layer_result *out _unused_, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED, "layers are not unpacked here");
}

static int fake_layer_remove(struct machine *m _unused_, const char *dir _unused_, struct err *e _unused_)
{
    return 0; /* there is none */
}

static const struct machine_ops ops = {
    .info = fake_info,
    .node_start = fake_node_start,
    .node_stop = fake_node_stop,
    .node_abandon = fake_node_abandon,
    .images_mount = fake_images_mount,
    .disk_create = fake_disk_create,
    .disk_create_ext4 = fake_disk_create,
    .layer_unpack = fake_layer_unpack,
    .layer_remove = fake_layer_remove,
    .disk_grow = fake_disk_grow,
    .disk_delete = fake_disk_delete,
    .disk_copy = fake_disk_copy,
    .node_copy = fake_node_copy,
    .disk_info = fake_disk_info,
    .disk_attach = fake_disk_attach,
    .disk_detach = fake_disk_detach,
    .fs_mount = fake_fs_mount,
    .fs_grow = fake_fs_grow,
    .bind = fake_bind,
    .bind_beneath = fake_bind_beneath,
    .tmpfs = fake_tmpfs,
    .unmount = fake_unmount,
    .is_mounted = fake_is_mounted,
    .fs_stat = fake_fs_stat,
    .mkdir_p = fake_mkdir_p,
    .remove_all = fake_remove_all,
    .stat = fake_stat,
    .open = fake_open,
    .chown_tree = fake_chown_tree,
    .write_volume = fake_write_volume,
    .disk_usage = fake_disk_usage,
    .sandbox_start = fake_sandbox_start,
    .sandbox_stop = fake_sandbox_stop,
    .container_start = fake_container_start,
    .container_signal = fake_container_signal,
    .container_remove = fake_container_remove,
    .container_usage = fake_container_usage,
    .memory_available = fake_memory_available,
    .exec = fake_exec,
    .attach = fake_attach,
    .dial = fake_dial,
    .dial_from = fake_dial_from,
    .listen = fake_listen,
    .dial_ip = fake_listen,
    .on_exit = fake_on_exit,
    .on_death = fake_on_death,
    .set_services = fake_set_services,
    .close = fake_close,
};

struct machine *machine_open_fake(const char *why)
{
    struct fake *f = xcalloc(1, sizeof *f);
    f->machine.ops = &ops;
    snprintf(f->why, sizeof f->why, "%s", why ? why : "");
    pthread_mutex_init(&f->mu, NULL);
    pthread_cond_init(&f->told_one, NULL);
    f->exits = pool_new("fake-exit", 1);
    f->last_pid = 1000;
    return &f->machine;
}
