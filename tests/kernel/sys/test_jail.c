/* A jail keeps what it promises: files, processes, network, memory, disk, time; scripts that do everything they can. */
#include "sys/cgroup_int.h"
#include "sys/jail.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define PATIENCE_MS 120000 /* for what is expected to end by itself */
#define LATE_MS     10000  /* for what has something to say and never ends */
#define MIB         (1024 * 1024)

static char dir[64];
static struct jail *jail;
static int listener, port;

static int open_jail(void **state _unused_)
{
    struct err e = ERR_INIT;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 4) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &len) < 0)
        return -1;
    port = ntohs(at.sin_port);
    snprintf(dir, sizeof dir, "/tmp/stowage-jail.XXXXXX");
    const struct jail_conf conf = {.dir = mkdtemp(dir),
                                   .cluster = dir,
                                   .port = port,
                                   .memory_bytes = 128 * MIB,
                                   .disk_bytes = 8 * MIB,
                                   .pids = 40};
    if (jail_open(&conf, &jail, &e) == 0)
        return 0;
    fprintf(stderr, "%s\n", e.msg);
    return -1;
}

static int close_jail(void **state _unused_)
{
    jail_close(jail);
    close(listener);
    jail = NULL;
    _auto_free_ char *group = cgroup_cluster_name(dir);
    cgroup_remove_tree(group); /* there is no cluster that would */
    return rmdir(dir);
}

static char *said(const char *script, int64_t timeout_ms, int *out_code)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", "HOME=" JAIL_HOME, NULL};
    struct jail_end end = {0};
    struct err e = ERR_INIT;
    if (jail_run(jail, script, env, timeout_ms, &end, &e) < 0)
        fail_msg("%s", e.msg);
    char *text = xasprintf("%s%s", buf_str(&end.out), buf_str(&end.err));
    *out_code = end.code;
    jail_end_release(&end);
    return text;
}

static void expect(const char *script, const char *text)
{
    int code;
    _auto_free_ char *seen = said(script, PATIENCE_MS, &code);
    if (!str_eq(seen, text))
        fail_msg("%s\nsaid: %s\nwanted: %s", script, seen, text);
}

static void runs(void **state _unused_)
{
    struct err e = ERR_INIT;
    int code;
    assert_int_equal(jail_put(jail, "sub/file", "hello\n", 6, &e), 0);
    expect("cat sub/file; pwd; echo 'it is' >>sub/file", "hello\n" JAIL_HOME "\n");
    expect("tail -n 1 sub/file; id -un", "it is\nstudent\n"); /* files stay */
    _auto_free_ char *seen = said("echo out; echo err >&2; exit 7", PATIENCE_MS, &code);
    assert_int_equal(code, 7);
    assert_string_equal(seen, "out\nerr\n");
}

/* What is put later goes nowhere a script would have it go. */
static void follows_no_link(void **state _unused_)
{
    struct err e = ERR_INIT;
    expect("ln -s /etc dir; ln -s /etc/hosts link; mkfifo pipe; mkdir real; echo made", "made\n");
    assert_int_equal(jail_put(jail, "dir/hosts", "x", 1, &e), -1);
    assert_int_equal(jail_put(jail, "link", "x", 1, &e), -1);
    assert_int_equal(jail_put(jail, "pipe", "x", 1, &e), -1);
    assert_int_equal(jail_put(jail, "real/../../../etc/hosts", "x", 1, &e), -1);
    assert_int_equal(jail_put(jail, "real/file", "put", 3, &e), 0);
    expect("cat real/file; cat /etc/hosts; rm -r dir link pipe real", "put127.0.0.1\tlocalhost\n");
}

/* What it may not see, signal or change. */
static void sees_nothing(void **state _unused_)
{
    expect("ls -d /root /mnt /srv /sys /var/lib /etc/shadow /tmp/* 2>/dev/null; ls -A /home", "student\n");
    expect("touch /usr/x /etc/x /x /run/x 2>/dev/null || echo no", "no\n");
    expect("kill -9 -1 2>/dev/null; echo still", "still\n");
    expect("kill -9 1 2>/dev/null; cat /proc/1/environ /proc/1/mem 2>/dev/null | wc -c", "0\n");
    expect("ls /proc | grep -cE '^[0-9]+$' | awk '{ print ($1 < 8) }'", "1\n");
    expect("unshare -r true 2>/dev/null || echo no; mount -t tmpfs x /tmp 2>/dev/null || echo no", "no\nno\n");
    expect("grep -E '^(CapEff|NoNewPrivs)' /proc/self/status | tr -d '\\t'", "CapEff:0000000000000000\nNoNewPrivs:1\n");
}

static void reaches_one_port(void **state _unused_)
{
    _auto_free_ char *own = xasprintf("exec 3<>/dev/tcp/127.0.0.1/%d && echo in", port);
    expect(own, "in\n");
    const int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    close(fd);
    expect("for i in 1 22 80 443 6443 8080; do (exec 3<>/dev/tcp/127.0.0.1/$i) 2>/dev/null && echo $i; done; echo none",
           "none\n");
    expect("(exec 3<>/dev/tcp/10.0.0.1/80) 2>/dev/null || echo none", "none\n");
}

static void ends_what_stays(void **state _unused_)
{
    int code;
    expect("(setsid sleep 1000 >/dev/null 2>&1 &); (trap '' TERM; nohup sleep 1000 >&2 &) ; echo begun", "begun\n");
    expect("pgrep sleep | wc -l", "0\n");
    _auto_free_ char *late = said("echo begun; sleep 1000", LATE_MS, &code);
    assert_int_equal(code, 124);
    assert_string_equal(late, "begun\n");
    _auto_free_ char *loop = said("yes spam", LATE_MS, &code);
    assert_int_equal(code, 124);
    assert_int_equal(strlen(loop), JAIL_OUTPUT_MAX);
    _auto_free_ char *much = said("head -c 2000000 /dev/zero | tr '\\0' x; exit 3", PATIENCE_MS, &code);
    assert_int_equal(code, 3); /* what is not kept is read all the same */
    assert_int_equal(strlen(much), JAIL_OUTPUT_MAX);
    expect("echo again", "again\n");
}

static void is_bounded(void **state _unused_)
{
    int code;
    _auto_free_ char *bomb = said("f() { f | f & }; f; sleep 1000", 1000, &code);
    assert_non_null(bomb);
    assert_int_equal(code, 124);
    expect("echo after the bomb", "after the bomb\n");
    _auto_free_ char *hog = said("exec tail -n 1 /dev/zero", PATIENCE_MS, &code); /* keeps a line that never ends */
    assert_int_not_equal(code, 0);
    assert_non_null(hog);
    expect("(head -c 100M /dev/zero >big; head -c 100M /dev/zero >more) >out 2>&1; "
           "du -sk . | awk '{ print ($1 <= 9 * 1024) }'; rm -f big more",
           "1\n");
    expect("i=0; while : >f$i && [ $i -lt 100000 ]; do i=$((i + 1)); done 2>/dev/null; [ $i -lt 100000 ] && echo "
           "bounded; rm -f f*",
           "bounded\n");
    expect("echo still here", "still here\n");
}

/* Processor time is bounded, too, however long it may take: by the group, or by the limit of a process. */
static void computes_so_much(void **state _unused_)
{
    char own[] = "/tmp/stowage-jail.XXXXXX";
    static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    struct err e = ERR_INIT;
    struct jail *j = NULL;
    struct jail_end end = {0};
    const struct jail_conf conf = {.dir = mkdtemp(own),
                                   .cluster = own,
                                   .memory_bytes = 128 * MIB,
                                   .disk_bytes = 8 * MIB,
                                   .cpu_ms = 300,
                                   .pids = 40};
    if (jail_open(&conf, &j, &e) < 0 || jail_run(j, "while :; do :; done", env, 10 * PATIENCE_MS, &end, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(end.cut == JAIL_SPENT || end.code == 128 + SIGKILL);
    jail_end_release(&end);
    jail_close(j);
    _auto_free_ char *group = cgroup_cluster_name(own);
    cgroup_remove_tree(group);
    assert_int_equal(rmdir(own), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs),
        cmocka_unit_test(follows_no_link),
        cmocka_unit_test(sees_nothing),
        cmocka_unit_test(reaches_one_port),
        cmocka_unit_test(ends_what_stays),
        cmocka_unit_test(is_bounded),
        cmocka_unit_test(computes_so_much),
    };
    if (geteuid() != 0) {
        printf("skipped: needs root\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, open_jail, close_jail);
}
