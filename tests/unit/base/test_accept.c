/* test_accept.c - a listener whose connections can not be taken, for want of descriptors, does not make a loop spin. */
#include "base/accept.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static int listener, caller;
static struct rlimit before;

static int start(void **state)
{
    (void)state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t len = sizeof at.sun_family; /* the kernel finds a name */
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    caller = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&at, len) < 0 || listen(listener, 4) < 0)
        return -1;
    len = sizeof at;
    getsockname(listener, (struct sockaddr *)&at, &len);
    return connect(caller, (struct sockaddr *)&at, len) < 0 || getrlimit(RLIMIT_NOFILE, &before) < 0;
}

static int stop(void **state)
{
    (void)state;
    close(listener);
    close(caller);
    return 0;
}

/* From now on this process has all the descriptors that it may. */
static void no_more(void)
{
    const int next = fcntl(listener, F_DUPFD_CLOEXEC, 0);
    close(next);
    const struct rlimit all = {(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
}

static void a_full_process_rests(void **state)
{
    (void)state;
    enum { TIMES = 4 };
    no_more();
    const int64_t from = clock_mono_ms(clock_real());
    for (int i = 0; i < TIMES; i++) {
        assert_int_equal(accept_or_rest(listener, SOCK_CLOEXEC, -1), -1);
    }
    assert_true(clock_mono_ms(clock_real()) - from >= TIMES * (ACCEPT_REST_MS - 1));
    setrlimit(RLIMIT_NOFILE, &before);
    const int fd = accept_or_rest(listener, SOCK_CLOEXEC, -1); /* it was not lost */
    assert_true(fd >= 0);
    close(fd);
}

static void nobody_there_is_told_at_once(void **state)
{
    (void)state;
    fcntl(listener, F_SETFL, O_NONBLOCK);
    const int bell = eventfd(1, EFD_CLOEXEC);
    assert_int_equal(accept_or_rest(listener, SOCK_CLOEXEC, bell), -1);
    assert_int_equal(errno, EAGAIN);
    close(bell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_process_rests),
        cmocka_unit_test(nobody_there_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
