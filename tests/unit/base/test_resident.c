/* A process that rests keeps no code in memory, and everything works afterwards. */
#include "base/resident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* Many pages of what stands in the program's file, and nothing uses. */
static const char ballast[1 << 20] = "first";

static const char *(*volatile relocated)(int) = (const char *(*)(int))strerror;

/* Of the mapping that it is in. */
static size_t resident_pages(const char *at)
{
    char line[512];
    size_t kib = 0;
    uintptr_t low, high;
    int inside = 0;
    FILE *f = fopen("/proc/self/smaps", "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%lx-%lx ", &low, &high) == 2)
            inside = (uintptr_t)at >= low && (uintptr_t)at < high;
        if (inside)
            sscanf(line, "Rss: %zu", &kib);
    }
    fclose(f);
    return kib / 4;
}

static unsigned sum_of(const char *from, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i += 64)
        sum += (unsigned char)from[i];
    return sum;
}

static void test_drop(void **state)
{
    (void)state;
    const char *volatile text = ballast;
    const unsigned sum = sum_of(text, sizeof ballast);
    const size_t before = resident_pages(text);
    assert_true(before >= sizeof ballast / 4096);
    resident_drop_program();
    assert_true(resident_pages(text) < before / 2);
    assert_int_equal(sum_of(text, sizeof ballast), sum);
    assert_string_equal(text, "first");
    assert_non_null(relocated(2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
