/* The fake machine keeps the same promises as the real one: what is attached cannot be deleted, what is mounted cannot
 * be detached, a container gets exactly one exit, and the N-th call can be made to fail. */
#include "base/buf.h"
#include "sys/fake.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct machine *machine_with_node(void)
{
    struct machine *m = machine_open_fake("no root");
    struct err e = ERR_INIT;
    assert_int_equal(m->ops->node_start(m, &(struct node_spec){"worker-1", 0, 1 << 30}, &e), 0);
    return m;
}

static void disk_has_one_owner(void **state)
{
    (void)state;
    struct machine *m = machine_with_node();
    struct err e = ERR_INIT;
    assert_int_equal(m->ops->disk_create(m, "vol-1", 3 << 20, &e), 0);
    assert_int_equal(m->ops->disk_create(m, "vol-1", 3 << 20, &e), -1);
    assert_int_equal(e.code, ERR_ALREADY_EXISTS);
    assert_int_equal(m->ops->disk_attach(m, "vol-1", "worker-1", "/dev/xvdba", false, &e), 0);
    assert_int_equal(m->ops->disk_attach(m, "vol-1", "worker-1", "/dev/xvdba", false, &e), 0);
    assert_int_equal(m->ops->disk_delete(m, "vol-1", &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
    const struct fs_mount mount = {"worker-1", "/dev/xvdba", "/mnt/a", "ext4", "", false, true};
    assert_int_equal(m->ops->fs_mount(m, &mount, &e), 0);
    assert_true(m->ops->is_mounted(m, "worker-1", "/mnt/a"));
    assert_int_equal(m->ops->disk_detach(m, "vol-1", "worker-1", &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
    assert_int_equal(m->ops->unmount(m, "worker-1", "/mnt/a", &e), 0);
    assert_int_equal(m->ops->disk_detach(m, "vol-1", "worker-1", &e), 0);
    assert_int_equal(m->ops->disk_delete(m, "vol-1", &e), 0);
    struct fake_counts left;
    machine_fake_count(m, &left);
    assert_int_equal(left.disks + left.mounts + left.attached, 0);
    m->ops->close(m);
}

static void shared_disk_has_several_nodes(void **state)
{
    (void)state;
    struct machine *m = machine_with_node();
    struct err e = ERR_INIT;
    const struct fs_mount mount = {"worker-2", "/dev/fs-1", "/mnt/a", "ext4", "", false, true};
    assert_int_equal(m->ops->node_start(m, &(struct node_spec){"worker-2", 1, 1 << 30}, &e), 0);
    assert_int_equal(m->ops->disk_create(m, "fs-1", 3 << 20, &e), 0);
    assert_int_equal(m->ops->disk_attach(m, "fs-1", "worker-1", "/dev/fs-1", DISK_SHARED, &e), 0);
    assert_int_equal(m->ops->disk_attach(m, "fs-1", "worker-2", "/dev/fs-1", 0, &e), -1);
    assert_int_equal(m->ops->disk_attach(m, "fs-1", "worker-2", "/dev/fs-1", DISK_SHARED, &e), 0);
    assert_int_equal(m->ops->fs_mount(m, &mount, &e), 0);
    assert_int_equal(m->ops->disk_detach(m, "fs-1", "worker-1", &e), 0);
    assert_int_equal(m->ops->disk_detach(m, "fs-1", "worker-2", &e), -1);
    assert_int_equal(m->ops->unmount(m, "worker-2", "/mnt/a", &e), 0);
    assert_int_equal(m->ops->disk_delete(m, "fs-1", &e), -1);
    assert_int_equal(m->ops->disk_detach(m, "fs-1", "worker-2", &e), 0);
    assert_int_equal(m->ops->disk_delete(m, "fs-1", &e), 0);
    m->ops->close(m);
}

static void files_keep_their_content(void **state)
{
    (void)state;
    struct machine *m = machine_with_node();
    struct err e = ERR_INIT;
    int fd = -1;
    assert_int_equal(m->ops->open(m, "worker-1", "/etc/a", O_RDONLY, 0, &fd, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_int_equal(m->ops->open(m, "worker-1", "/etc/a", O_WRONLY | O_CREAT, 0644, &fd, &e), 0);
    assert_int_equal(write(fd, "hello", 5), 5);
    close(fd);
    assert_int_equal(m->ops->open(m, "worker-1", "/etc/a", O_RDONLY, 0, &fd, &e), 0);
    char text[8] = "";
    assert_int_equal(read(fd, text, sizeof text), 5);
    assert_string_equal(text, "hello");
    close(fd);
    bool changed = false;
    const struct file_spec files[] = {{"key", "value", 5, 0644}};
    assert_int_equal(m->ops->write_volume(m, "worker-1", "/v", files, 1, -1, &changed, &e), 0);
    assert_true(changed);
    assert_int_equal(m->ops->write_volume(m, "worker-1", "/v", files, 1, -1, &changed, &e), 0);
    assert_false(changed);
    assert_int_equal(m->ops->remove_all(m, "worker-1", "/v", &e), 0);
    assert_int_equal(m->ops->open(m, "worker-1", "/v/key", O_RDONLY, 0, &fd, &e), -1);
    m->ops->close(m);
}

struct seen {
    pthread_mutex_t mu;
    pthread_cond_t cond;
    int exits, code;
};

static void on_exit_seen(void *arg, const struct exit_info *info)
{
    struct seen *s = arg;
    pthread_mutex_lock(&s->mu);
    s->exits++;
    s->code = info->code;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->mu);
}

static void container_ends_once(void **state)
{
    (void)state;
    struct machine *m = machine_with_node();
    struct err e = ERR_INIT;
    struct seen seen = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    m->ops->on_exit(m, on_exit_seen, &seen);
    const struct sandbox_spec pod = {.node = "worker-1", .id = "uid", .hostname = "p", .ip = "10.244.0.2"};
    const struct container_spec c = {.node = "worker-1", .sandbox = "uid", .id = "c1"};
    pid_t pid = 0;
    assert_int_equal(m->ops->container_start(m, &c, &pid, &e), -1); /* no sandbox yet */
    assert_int_equal(m->ops->sandbox_start(m, &pod, &e), 0);
    assert_int_equal(m->ops->container_start(m, &c, &pid, &e), 0);
    assert_int_not_equal(pid, 0);
    assert_int_equal(m->ops->container_remove(m, "worker-1", "c1", true, &e), -1);
    assert_int_equal(m->ops->container_signal(m, "worker-1", "c1", SIGTERM, &e), 0);
    assert_false(machine_fake_exit(m, "c1", 0)); /* it ended already */
    pthread_mutex_lock(&seen.mu);
    while (!seen.exits)
        pthread_cond_wait(&seen.cond, &seen.mu);
    pthread_mutex_unlock(&seen.mu);
    assert_int_equal(seen.code, 143);
    assert_int_equal(m->ops->container_remove(m, "worker-1", "c1", true, &e), 0);
    m->ops->close(m);
    assert_int_equal(seen.exits, 1);
}

static void nth_call_fails(void **state)
{
    (void)state;
    struct machine *m = machine_with_node();
    struct err e = ERR_INIT;
    machine_fake_fail(m, 2, ERR_NO_SPACE);
    assert_int_equal(m->ops->disk_create(m, "a", 1, &e), 0);
    assert_int_equal(m->ops->disk_create(m, "b", 1, &e), -1);
    assert_int_equal(e.code, ERR_NO_SPACE);
    assert_int_equal(m->ops->disk_create(m, "b", 1, &e), 0);
    m->ops->close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disk_has_one_owner),       cmocka_unit_test(shared_disk_has_several_nodes),
        cmocka_unit_test(files_keep_their_content), cmocka_unit_test(container_ends_once),
        cmocka_unit_test(nth_call_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
