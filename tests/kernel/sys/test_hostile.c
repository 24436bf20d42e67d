/* What an image or a volume may hold to trouble whoever starts the container: links in the place of the runtime's own
 * directories, pipes where files are read. Nothing of it reaches the node, and a start is answered. */
#include "kernel/sys/harness.h"

#include <signal.h>

static struct machine *m;
static struct err e;

static void pod_start(const char *uid, const char *ip)
{
    const struct sandbox_spec pod = {.node = "worker-1", .id = uid, .hostname = uid, .ip = ip};
    ok(m->ops->sandbox_start(m, &pod, &e));
}

static void pod_stop(const char *uid, const char *container)
{
    ok(m->ops->container_signal(m, "worker-1", container, SIGKILL, &e));
    wait_exit(container);
    ok(m->ops->container_remove(m, "worker-1", container, true, &e));
    ok(m->ops->sandbox_stop(m, "worker-1", uid, &e));
}

/* The image has /dev -> /opt/trap: its devices are there, in the container; not in the node's directory of that name.
 */
static void devices_of_an_image_with_a_link_stay_in_it(void **state)
{
    (void)state;
    char out[1024];
    _auto_free_ char *layer = xasprintf("%s/images/layers/linked", data_dir);
    _auto_free_ char *script = xasprintf("mkdir -p %s/opt/trap && ln -s /opt/trap %s/dev", layer, layer);
    assert_int_equal(shell(script), 0);
    const char *const layers[] = {layer_dir, layer, NULL};
    pod_start("pod-link", "10.244.0.5");
    ok(m->ops->mkdir_p(m, "worker-1", "/opt/trap", 0755, &e));
    struct container_spec c = container("pod-link", "link", "sleep 1000");
    c.layers = layers;
    ok(m->ops->container_start(m, &c, NULL, &e));
    assert_int_equal(node_run("worker-1", "ls -A /opt/trap; grep -c /opt/trap /proc/mounts", out, sizeof out), 1);
    assert_string_equal(out, "0\n");
    assert_int_equal(
        container_run("link", "echo x > /dev/null && test -c /opt/trap/null && df /dev/shm", out, sizeof out), 0);
    pod_stop("pod-link", "link");
}

struct start {
    struct container_spec spec;
    volatile int done;
    struct err e;
};

static void *start_it(void *arg)
{
    struct start *s = arg;
    s->done = m->ops->container_start(m, &s->spec, NULL, &s->e) == 0 ? 1 : -1;
    return NULL;
}

/* A volume at /etc has a pipe where the home directories stand. */
static void a_pipe_in_the_place_of_passwd_holds_up_nobody(void **state)
{
    (void)state;
    char out[256];
    pthread_t thread;
    static const struct mount_spec mounts[] = {{"/data/etc", "/etc", false, false}};
    ok(m->ops->mkdir_p(m, "worker-1", "/data/etc", 0755, &e));
    assert_int_equal(node_run("worker-1", "mkfifo /data/etc/passwd", out, sizeof out), 0);
    pod_start("pod-pipe", "10.244.0.6");
    static struct start s;
    s.spec = container("pod-pipe", "pipe", "sleep 1000");
    s.spec.mounts = mounts;
    s.spec.mount_count = 1;
    assert_int_equal(pthread_create(&thread, NULL, start_it, &s), 0);
    await(s.done);
    pthread_join(thread, NULL);
    if (s.done < 0)
        fail_msg("%s", s.e.msg);
    assert_int_equal(container_run("pipe", "echo $HOME", out, sizeof out), 0);
    assert_string_equal(out, "/root\n");
    pod_stop("pod-pipe", "pipe");
}

static int start(void **state)
{
    (void)state;
    m = harness_start();
    return m ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    m->ops->close(m);
    await(loops_of(data_dir) == 0);
    await(mounts_of(data_dir) == 0);
    harness_end();
    return 0;
}

int main(int argc, char **argv)
{
    harness_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_of_an_image_with_a_link_stay_in_it),
        cmocka_unit_test(a_pipe_in_the_place_of_passwd_holds_up_nobody),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
