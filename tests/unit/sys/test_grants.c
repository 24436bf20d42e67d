/* What is left of the machine's room is shared out so that all that was promised is there. */
#include "sys/grants_fs_int.h"
#include "sys/grants_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

static void plenty_limits_nobody(void **state)
{
    (void)state;
    struct grant_share s[] = {{.free = 100 * GIB, .avail = 100 * GIB, .active = true}, {.free = GIB, .avail = GIB}};
    assert_true(grants_share(s, 2, 20 * GIB) > 0);
    assert_int_equal(s[0].grant, 100 * GIB);
    assert_int_equal(s[1].grant, GIB);
    /* Little room, but more than all together could want. */
    s[0].free = 10 * MIB;
    s[1].free = 20 * MIB;
    grants_share(s, 2, GRANTS_KEPT + 31 * MIB);
    assert_int_equal(s[0].grant, 10 * MIB);
    assert_int_equal(s[1].grant, 20 * MIB);
    assert_true(grants_share(s, 0, 0) < 0);
}

/* Whatever the numbers: what is granted and owed is there, but for the least of each. */
static void never_more_than_there_is(void **state)
{
    (void)state;
    srandom(7);
    for (int i = 0; i < 20000; i++) {
        struct grant_share s[8];
        const size_t n = 1 + (size_t)random() % 8;
        const int64_t room = random() % (2 * GIB);
        int64_t given = 0, least = 0;
        for (size_t k = 0; k < n; k++) {
            const int64_t free = random() % (10 * GIB);
            s[k] = (struct grant_share){.free = free,
                                        .avail = random() % (free + 1),
                                        .owed = random() % (64 * MIB),
                                        .own = random() % 2,
                                        .active = random() % 2};
        }
        const int64_t left = grants_share(s, n, room);
        for (size_t k = 0; k < n; k++) {
            assert_true(s[k].grant >= 0 && s[k].grant <= s[k].free);
            given += s[k].grant;
            least += s[k].own ? 8 * MIB : 4 * MIB;
        }
        assert_true(given <= (left > 0 ? left : 0) + least);
    }
}

static void writers_get_most(void **state)
{
    (void)state;
    struct grant_share s[] = {
        {.free = GIB, .avail = GIB, .active = true}, {.free = GIB, .avail = GIB}, {.free = GIB, .avail = GIB}};
    grants_share(s, 3, GRANTS_KEPT + 200 * MIB);
    assert_int_equal(s[0].grant, 160 * MIB);
    assert_int_equal(s[1].grant, 20 * MIB);
    s[0].active = false;
    grants_share(s, 3, GRANTS_KEPT + 240 * MIB);
    assert_int_equal(s[0].grant, 80 * MIB);
    /* Nothing left: who has something of its least keeps it, and gets nothing new. */
    s[0].avail = 0;
    s[1].avail = 300 * 1024;
    s[2].avail = 10 * MIB;
    assert_true(grants_share(s, 3, GRANTS_KEPT / 2) < 0);
    assert_int_equal(s[0].grant, 0);
    assert_int_equal(s[1].grant, 300 * 1024);
    assert_int_equal(s[2].grant, 4 * MIB);
}

static void journal_of_an_image(void **state)
{
    (void)state;
    char image[] = "/tmp/grants-XXXXXX", command[128];
    const int fd = mkstemp(image);
    assert_true(fd >= 0);
    assert_int_equal(fs_log_unwritten(image), 0);
    assert_int_equal(ftruncate(fd, 256 * MIB), 0);
    snprintf(command, sizeof command, "mkfs.ext4 -q -F -J size=8 -E lazy_journal_init=1,nodiscard %s", image);
    FILE *p = popen(command, "r");
    const bool made = p && pclose(p) == 0;
    if (made) {
        struct stat before, after;
        const int64_t holes = fs_log_unwritten(image);
        assert_true(holes > 7 * MIB && holes <= 8 * MIB);
        assert_false(fs_has_errors(image));
        assert_int_equal(stat(image, &before), 0);
        fs_log_allocate(image);
        assert_int_equal(stat(image, &after), 0);
        assert_int_equal(after.st_size, before.st_size);
        assert_true((after.st_blocks - before.st_blocks) * 512 >= 7 * MIB);
        assert_int_equal(pwrite(fd, "\x03", 1, 1024 + 58), 1);
        assert_true(fs_has_errors(image));
    }
    close(fd);
    unlink(image);
    if (!made)
        skip(); /* no mkfs.ext4 here */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plenty_limits_nobody),
        cmocka_unit_test(never_more_than_there_is),
        cmocka_unit_test(writers_get_most),
        cmocka_unit_test(journal_of_an_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
