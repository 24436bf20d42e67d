/* The REPL's lines: commands, pipes, redirections, heredocs; what words mean. */
#include "base/mem.h"
#include "cli/repl/expand_int.h"
#include "cli/repl/words_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A script as one line: "[get,pods|raw  grep x]&&[...]". */
static char *shown(const char *text)
{
    _auto_script_ struct script s = {0};
    struct err e = ERR_INIT;
    struct buf out = BUF_INIT;
    const int rc = script_parse(text, false, &s, &e);
    if (rc != 0)
        return xstrdup(rc == 1 ? "more" : "bad");
    for (size_t i = 0; i < s.len; i++) {
        const struct pipeline *p = &s.items[i];
        buf_adds(&out, p->joint == JOINT_AND ? "&&" : p->joint == JOINT_OR ? "||" : i ? ";" : "");
        for (size_t k = 0; k < p->len; k++) {
            const struct stage *g = &p->stages[k];
            _auto_free_ char *words = strlist_join(&g->words, ",");
            buf_addf(&out, "%s%s%s%s", k ? "|" : "[", p->shell ? "!" : "", p->shell ? g->raw : "", words);
            for (size_t r = 0; r < g->nredirects; r++)
                buf_addf(&out, " %d:%d:%s", g->redirects[r].fd, g->redirects[r].kind, g->redirects[r].word);
            if (g->heredoc)
                buf_addf(&out, " <<%s%s", g->heredoc->literal ? "'" : "", buf_str(&g->heredoc->text));
        }
        buf_addf(&out, "]%s", p->background ? "&" : "");
    }
    return buf_steal(&out, NULL);
}

static void lines_become_commands(void **state)
{
    (void)state;
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"", ""},
        {"  # nothing", ""},
        {"get pods", "[get,pods]"},
        {"get pods # all", "[get,pods]"},
        {"get pods;get pvc", "[get,pods];[get,pvc]"},
        {"get pods && why pvc/a || echo no\n", "[get,pods]&&[why,pvc/a]||[echo,no]"},
        {"get pods\nget pvc\n", "[get,pods];[get,pvc]"},
        {"get \\\n pods", "[get,pods]"},
        {"get po -o name | grep 'a|b' | wc -l", "[get,po,-o,name|grep,'a|b'|wc,-l]"},
        {"get po -A |\n wc", "[get,po,-A|wc]"},
        {"get po > out.txt 2>&1", "[get,po 1:1:out.txt 2:3:1]"},
        {"get po >>out.txt 2>/dev/null", "[get,po 1:2:out.txt 2:1:/dev/null]"},
        {"get po &> all", "[get,po -1:1:all]"},
        {"apply -f - < a.yaml", "[apply,-f,- 0:0:a.yaml]"},
        {"port-forward web 8080:80 &", "[port-forward,web,8080:80]&"},
        {"a & b", "[a]&;[b]"},
        {"!ls | wc; true", "[!ls | wc; true]"},
        {"logs $(get po -o name | head -1) -f", "[logs,$(get po -o name | head -1),-f]"},
        {"run x -- sh -c 'a; b' \"c d\"", "[run,x,--,sh,-c,'a; b',\"c d\"]"},
        {"cat <<EOF | k apply -f -\na: $X\nEOF\nget po", "[cat <<a: $X\n|k,apply,-f,-];[get,po]"},
        {"apply -f - <<-'E'\n\t a\n\tE\n", "[apply,-f,- <<' a\n]"},
        {"for i in 1 2; do echo $i; done | wc; get po", "[!for i in 1 2; do echo $i; done | wc; get po]"},
        {"if true\nthen\n echo done\nfi\nget po", "[!if true\nthen\n echo done\nfi];[get,po]"},
        {"while a; do for b in c; do d; done; done && e", "[!while a; do for b in c; do d; done; done && e]"},
        {"forget it; echo for x", "[forget,it];[echo,for,x]"},
        /* what goes on in another line */
        {"get 'a", "more"},
        {"get \"a", "more"},
        {"get a |", "more"},
        {"get a &&", "more"},
        {"get a \\", "more"},
        {"logs $(get po", "more"},
        {"apply -f - <<EOF\na: b", "more"},
        {"apply -f - <<EOF", "more"},
        {"for i in 1 2; do\n", "more"},
        {"if a; then if b; then c; fi\n", "more"},
        /* and what is nothing */
        {"| wc", "bad"},
        {"; get", "bad"},
        {"get > ", "bad"},
        {"a | | b", "bad"},
        {"a <<E <<F", "bad"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_free_ char *seen = shown(rows[i].line);
        if (strcmp(seen, rows[i].want) != 0)
            fail_msg("%s: expected %s, saw %s", rows[i].line, rows[i].want, seen);
    }
}

static void at_the_end_all_is_said(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    _auto_script_ struct script s = {0}, none = {0};
    assert_int_equal(script_parse("apply -f - <<EOF\na: b", true, &s, &e), 0);
    assert_string_equal(buf_str(&s.items[0].stages[0].heredoc->text), "a: b\n");
    assert_int_equal(script_parse("get 'a", true, &none, &e), -1);
    assert_string_equal(e.msg, "a quote or a bracket is not closed");
}

static int says(void *arg, const char *text, struct buf *out, struct err *e)
{
    (void)arg;
    if (strcmp(text, "fail") == 0)
        return err_set(e, ERR_INTERNAL, "failed");
    buf_addf(out, "<%s> two\n\n", text);
    return 0;
}

static void words_become_what_they_mean(void **state)
{
    (void)state;
    static const struct {
        const char *word, *want;
    } rows[] = {
        {"pods", "pods"},
        {"'a b'\"c d\"", "a bc d"},
        {"''", ""},
        {"$NOTHING", NULL},
        {"\"$NOTHING\"", ""},
        {"${NOTHING:-x}", "x"},
        {"$WORDS_TEST", "one/two"},
        {"\"$WORDS_TEST\"", "one  two"},
        {"'$WORDS_TEST'", "$WORDS_TEST"},
        {"a${WORDS_TEST}z", "aone/twoz"},
        {"\\$WORDS_TEST", "$WORDS_TEST"},
        {"\"\\$a \\\" \\n\"", "$a \" \\n"},
        {"$?", "7"},
        {"jsonpath={$.a[*].b}", "jsonpath={$.a[*].b}"},
        {"{.items[*].metadata.name}", "{.items[*].metadata.name}"},
        {"{range", "{range"},
        {"$(x y)", "<x/y>/two"},
        {"\"$(x y)\"", "<x y> two"},
        {"~/x", "/home/me/x"},
        {"a~", "a~"},
        {"/words-te?t-*", "/words-te?t-*"},
        {"\"*\"", "*"},
    };
    setenv("WORDS_TEST", "one  two", 1);
    setenv("HOME", "/home/me", 1);
    const struct expansion x = {.last = 7, .substitute = says};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_strlist_ struct strlist words = {0};
        struct err e = ERR_INIT;
        assert_int_equal(expand_word(&x, rows[i].word, &words, &e), 0);
        _auto_free_ char *seen = words.len ? strlist_join(&words, "/") : NULL;
        if (!str_eq(seen, rows[i].want))
            fail_msg("%s: expected %s, saw %s", rows[i].word, rows[i].want, seen ? seen : "nothing");
    }
    struct err e = ERR_INIT;
    _auto_strlist_ struct strlist words = {0};
    assert_int_equal(expand_word(&x, "$(fail)", &words, &e), -1);
    assert_string_equal(e.msg, "failed");
}

static void patterns_name_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/words-test.XXXXXX";
    assert_non_null(mkdtemp(dir));
    const struct expansion x = {0};
    const char *const names[] = {"b.yaml", "a.yaml", "c.txt"};
    struct err e = ERR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        _auto_free_ char *path = xasprintf("%s/%s", dir, names[i]);
        _auto_file_ FILE *f = fopen(path, "we");
        assert_non_null(f);
    }
    _auto_free_ char *bare = xasprintf("%s/*.yaml", dir), *quoted = xasprintf("'%s/*.yaml'", dir);
    _auto_strlist_ struct strlist found = {0}, kept = {0};
    assert_int_equal(expand_word(&x, bare, &found, &e), 0);
    assert_int_equal(found.len, 2);
    assert_true(str_ends(found.items[0], "/a.yaml"));
    assert_int_equal(expand_word(&x, quoted, &kept, &e), 0);
    assert_int_equal(kept.len, 1);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        _auto_free_ char *path = xasprintf("%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

static void heredocs_keep_their_quotes(void **state)
{
    (void)state;
    setenv("WORDS_TEST", "one  two", 1);
    const struct expansion x = {.substitute = says};
    _auto_buf_ struct buf out = BUF_INIT;
    struct err e = ERR_INIT;
    assert_int_equal(expand_text(&x, "a: \"$WORDS_TEST\" '$(q)'\n  b: \\$x *\n", &out, &e), 0);
    assert_string_equal(buf_str(&out), "a: \"one  two\" '<q> two'\n  b: $x *\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_commands),       cmocka_unit_test(at_the_end_all_is_said),
        cmocka_unit_test(words_become_what_they_mean), cmocka_unit_test(patterns_name_files),
        cmocka_unit_test(heredocs_keep_their_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
