/* test_flags.c - command lines by pflag's rules, and its refusals. */
#include "kubectl/call_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static const struct kubectl_flag flags[] = {
    {"output", 'o', FLAG_TEXT, "yaml", "", NULL},
    {"watch", 'w', FLAG_BOOL, NULL, "", NULL},
    {"all", 'A', FLAG_BOOL, NULL, "", NULL},
    {"tail", 0, FLAG_INT, "-1", "", NULL},
    {"timeout", 't', FLAG_DURATION, "0s", "", NULL},
    {"file", 'f', FLAG_LIST, NULL, "", NULL},
    {"env", 'e', FLAG_ARRAY, NULL, "", NULL},
    {"dry-run", 0, FLAG_TEXT, "none", "", "unchanged"},
    {0},
};
static const struct kubectl_verb verb = {.name = "try", .flags = flags};

/* Reads a command line of blank-separated words. */
static int read_line(struct call *c, const char *line, struct err *e)
{
    static char text[512];
    char *argv[32], *more = NULL;
    int argc = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *w = strtok_r(text, " ", &more); w; w = strtok_r(NULL, " ", &more))
        argv[argc++] = w;
    *c = (struct call){.verb = &verb, .path = xstrdup("kubectl try")};
    return flags_parse(c, argc, argv, e);
}

static void values_in_every_form(void **state)
{
    (void)state;
    struct call c;
    struct err e = ERR_INIT;
    assert_int_equal(read_line(&c, "a --output json -wA b -fx,y --file=z -e k=v,w -t1m30s --tail=5 -- -o c", &e), 0);
    assert_string_equal(call_text(&c, "output"), "json");
    assert_true(call_bool(&c, "watch") && call_bool(&c, "all"));
    assert_int_equal(call_int(&c, "tail"), 5);
    assert_int_equal(call_duration(&c, "timeout"), 90000);
    assert_int_equal(call_list(&c, "file")->len, 3);
    assert_string_equal(call_list(&c, "file")->items[2], "z");
    assert_int_equal(call_list(&c, "env")->len, 1);
    assert_int_equal(c.words.len, 4);
    assert_string_equal(c.words.items[2], "-o");
    assert_int_equal(c.dash, 2);
    call_end(&c);
}

static void defaults_and_bare_flags(void **state)
{
    (void)state;
    struct call c;
    struct err e = ERR_INIT;
    assert_int_equal(read_line(&c, "--dry-run x --watch=false -n=ns", &e), 0);
    assert_string_equal(call_text(&c, "output"), "yaml");
    assert_false(call_given(&c, "output"));
    assert_string_equal(call_text(&c, "dry-run"), "unchanged");
    assert_string_equal(call_text(&c, "namespace"), "ns");
    assert_true(call_given(&c, "watch"));
    assert_false(call_bool(&c, "watch"));
    assert_string_equal(c.words.items[0], "x");
    assert_int_equal(c.dash, -1);
    call_end(&c);
}

static void refusals_in_pflags_words(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"--foo", "unknown flag: --foo"},
        {"--foo=1", "unknown flag: --foo"},
        {"-wz", "unknown shorthand flag: 'z' in -z"},
        {"--output", "flag needs an argument: --output"},
        {"-wo", "flag needs an argument: 'o' in -o"},
        {"--=x", "bad flag syntax: --=x"},
        {"--tail x", "invalid argument \"x\" for \"--tail\" flag: strconv.ParseInt: parsing \"x\": invalid syntax"},
        {"-w=x", "invalid argument \"x\" for \"-w, --watch\" flag: strconv.ParseBool: parsing \"x\": invalid syntax"},
        {"-t 5", "invalid argument \"5\" for \"-t, --timeout\" flag: time: missing unit in duration \"5\""},
        {"-t 5x", "invalid argument \"5x\" for \"-t, --timeout\" flag: time: invalid duration \"5x\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct call c;
        struct err e = ERR_INIT;
        assert_int_equal(read_line(&c, rows[i][0], &e), -1);
        assert_string_equal(e.msg, rows[i][1]);
        call_end(&c);
    }
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0", 0}, {"1s", 1000}, {"1.5s", 1500}, {"2h45m", 9900000}, {"100ms", 100}, {"-1m", -60000}};
    static const char *const bad[] = {"", "1", "s", "1d", "1s2", "1 s"};
    int64_t ms;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(duration_ms(good[i].text, &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(duration_ms(bad[i], &ms), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_in_every_form),
        cmocka_unit_test(defaults_and_bare_flags),
        cmocka_unit_test(refusals_in_pflags_words),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
