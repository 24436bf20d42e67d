/* The control socket: requests, answers, descriptors, errors; and the command line's refusals. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/local.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[200]; /* longer than an address may be, to prove that it does not matter */

static int handler(void *arg, const json_t *request, json_t **out, int fds[LOCAL_MAX_FDS], struct err *e)
{
    int *calls = arg;
    (*calls)++;
    if (jstr(request, "fail"))
        return err_set(e, ERR_NOT_FOUND, "%s", jstr(request, "fail"));
    if (jbool(request, "fail", false))
        return err_set(e, ERR_CORRUPT, "caf\xe9.yaml is no manifest");
    if (jbool(request, "pipe", false)) {
        int p[2];
        assert_int_equal(pipe(p), 0);
        assert_int_equal(write(p[1], "hi", 2), 2);
        close(p[1]);
        fds[0] = p[0];
    }
    *out = json_pack("{s:i}", "calls", *calls);
    return 0;
}

static int setup(void **state _unused_)
{
    char base[] = "/tmp/stowage-local.XXXXXX";
    assert_non_null(mkdtemp(base));
    snprintf(dir, sizeof dir, "%s/%0120d", base, 0);
    return mkdir(dir, 0700);
}

static int teardown(void **state _unused_)
{
    char run[260], base[64];
    snprintf(run, sizeof run, "%s/run", dir);
    rmdir(run);
    rmdir(dir);
    snprintf(base, sizeof base, "%.*s", (int)strcspn(dir + 5, "/") + 5, dir);
    rmdir(base);
    return 0;
}

static void answers_and_descriptors_come_back(void **state _unused_)
{
    struct err e = ERR_INIT;
    struct local_server *s = NULL;
    int calls = 0, fds[LOCAL_MAX_FDS];
    char text[8] = "";
    assert_int_equal(local_serve(dir, handler, &calls, &s, &e), 0);
    for (int i = 1; i <= 3; i++) {
        _auto_json_ json_t *request = json_pack("{s:b}", "pipe", 1);
        _auto_json_ json_t *answer = NULL;
        assert_int_equal(local_call(dir, request, &answer, fds, &e), 0);
        assert_int_equal(jint(answer, "calls", 0), i);
        assert_int_equal(read(fds[0], text, sizeof text), 2);
        assert_int_equal(fds[1], -1);
        close(fds[0]);
    }
    local_stop(s);
}

static void errors_keep_their_code(void **state _unused_)
{
    struct err e = ERR_INIT;
    struct local_server *s = NULL;
    int calls = 0;
    assert_int_equal(local_serve(dir, handler, &calls, &s, &e), 0);
    _auto_json_ json_t *request = json_pack("{s:s}", "fail", "no such node");
    json_t *answer = NULL;
    assert_int_equal(local_call(dir, request, &answer, NULL, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_string_equal(e.msg, "no such node");
    assert_null(answer);
    json_object_set_new(request, "fail", json_true());
    assert_int_equal(local_call(dir, request, &answer, NULL, &e), -1);
    assert_int_equal(e.code, ERR_CORRUPT);
    assert_string_equal(e.msg, "caf\xef\xbf\xbd.yaml is no manifest");
    local_stop(s);
}

static void nobody_there_says_what_to_do(void **state _unused_)
{
    struct err e = ERR_INIT;
    _auto_json_ json_t *request = json_object();
    json_t *answer = NULL;
    assert_int_equal(local_call(dir, request, &answer, NULL, &e), -1);
    assert_int_equal(e.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(e.msg, "stowage up"));
}

/* Sends text and descriptors as no client of ours would, and waits until they are done with. */
static void send_raw(const char *text, size_t len, size_t fds)
{
    enum { MANY = 40 };
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * MANY)];
    } control = {0};
    int all[MANY];
    struct iovec iov = {(void *)(uintptr_t)text, len};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control};
    _auto_close_ int folder = open(dir, O_PATH | O_CLOEXEC);
    _auto_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/run/control.sock", folder);
    assert_int_equal(connect(sock, (struct sockaddr *)&at, sizeof at), 0);
    for (size_t i = 0; i < fds; i++)
        all[i] = folder;
    m.msg_controllen = CMSG_SPACE(sizeof(int) * fds);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int) * fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), all, sizeof(int) * fds);
    assert_int_equal(sendmsg(sock, &m, 0), len);
    char answer[256];
    while (recv(sock, answer, sizeof answer, 0) > 0)
        ;
}

static size_t open_fds(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void what_is_refused_leaves_no_descriptors(void **state _unused_)
{
    struct err e = ERR_INIT;
    struct local_server *s = NULL;
    int calls = 0;
    enum { LARGE = 100000 };
    _auto_free_ char *large = xcalloc(1, LARGE);
    memset(large, ' ', LARGE);
    large[0] = '{';
    large[LARGE - 1] = '}';
    assert_int_equal(local_serve(dir, handler, &calls, &s, &e), 0);
    const size_t before = open_fds();
    send_raw("[]", 2, LOCAL_MAX_FDS);                 /* no object */
    send_raw(large, LARGE, 1);                        /* cut off */
    send_raw("{}", 2, LOCAL_MAX_FDS * (size_t)2 + 1); /* more than there is room for */
    assert_int_equal(calls, 0);
    send_raw("{}", 2, LOCAL_MAX_FDS);
    assert_int_equal(calls, 1);
    assert_int_equal(open_fds(), before);
    local_stop(s);
}

static struct up_conf seen;
static char seen_host[64], seen_data[256];

static int fake_up(const struct up_conf *conf, struct err *e _unused_)
{
    seen = *conf;
    snprintf(seen_host, sizeof seen_host, "%s", conf->host);
    snprintf(seen_data, sizeof seen_data, "%s", conf->data_dir);
    return 0;
}

static int run(const char *a, const char *b)
{
    static const struct cli_host host = {.up = fake_up};
    char verb[] = "up", name[] = "stowage", first[64], second[64];
    snprintf(first, sizeof first, "%s", a ? a : "");
    snprintf(second, sizeof second, "%s", b ? b : "");
    char *argv[] = {name, verb, a ? first : NULL, b ? second : NULL, NULL};
    return cli_main(&host, 2 + (a != NULL) + (b != NULL), argv);
}

static void flags_become_a_configuration(void **state _unused_)
{
    setenv("STOWAGE_DATA", "/tmp/somewhere", 1);
    assert_int_equal(run(NULL, NULL), 0);
    assert_string_equal(seen_host, "127.0.0.1");
    assert_int_equal(seen.port, 6443);
    assert_int_equal(seen.nodes, 2);
    assert_string_equal(seen.profile, "eks");
    assert_string_equal(seen_data, "/tmp/somewhere");
    assert_int_equal(run("--listen", "0.0.0.0:8443"), 0);
    assert_string_equal(seen_host, "0.0.0.0");
    assert_int_equal(seen.port, 8443);
    assert_int_equal(run("--listen", ":0"), 0);
    assert_string_equal(seen_host, "127.0.0.1");
    assert_int_equal(seen.port, 0);
    assert_int_equal(run("--nodefs", "1Gi"), 0);
    assert_true(seen.nodefs_bytes == INT64_C(1) << 30);
}

static void wrong_flags_are_usage_errors(void **state _unused_)
{
    static const char *const wrong[][2] = {
        {"--nodes", "0"},        {"--nodes", "17"},   {"--nodes", "many"}, {"--listen", "x:99999"},
        {"--profile", "gke-12"}, {"--nodefs", "1Mi"}, {"--nodefs", "big"}, {"--nosuchflag", NULL},
        {"argument", NULL},      {"--profile", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(run(wrong[i][0], wrong[i][1]), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_and_descriptors_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_keep_their_code, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_refused_leaves_no_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_says_what_to_do, setup, teardown),
        cmocka_unit_test(flags_become_a_configuration),
        cmocka_unit_test(wrong_flags_are_usage_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
