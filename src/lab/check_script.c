/* check_script.c - scripts here and on a node, and questions. */
#include "lab/check_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "lab/script.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_MS 30000

static int judge(struct lab_env *env, const struct script *s, const json_t *what, struct check_result *out,
                 struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT, errors = BUF_INIT;
    const int want = (int)jint(what, "code", 0);
    bool matches = true;
    int code;
    if (script_run(env, s, &code, &text, &errors, e) < 0)
        return -1;
    if (!json_object_get(what, "output") || want)
        buf_addf(&out->expected, "exit code %d%s", want, json_object_get(what, "output") ? " and " : "");
    if (match_text(json_object_get(what, "output"), buf_str(&text), &matches, &out->expected, e) < 0)
        return -1;
    out->passed = matches && code == want;
    show_text(&out->observed, buf_str(&text));
    if (code != want) {
        buf_addf(&out->observed, "%sexit code %d ", out->observed.len ? "\n" : "", code);
        show_text(&out->observed, buf_str(&errors));
    }
    return 0;
}

int check_script(struct lab_env *env, const json_t *what, struct check_result *out, struct err *e)
{
    const struct script s = {.text = jstr(what, "run"), .timeout_ms = env_patience(env, SCRIPT_MS)};
    return judge(env, &s, what, out, e);
}

int check_node(struct lab_env *env, const json_t *what, struct check_result *out, struct err *e)
{
    const struct script s = {.text = jstr(what, "run"),
                             .node = jstr(what, "node"),
                             .on_node = true,
                             .timeout_ms = env_patience(env, SCRIPT_MS)};
    return judge(env, &s, what, out, e);
}

/* ---- questions ---- */

/* Lower case, one space between words, no full stop at the end: what nobody should fail for. Returns new. */
static char *plain(const char *s)
{
    _auto_buf_ struct buf out = BUF_INIT;
    for (; *s; s++)
        if (!isspace((unsigned char)*s))
            buf_addc(&out, (char)tolower((unsigned char)*s));
        else if (out.len && out.data[out.len - 1] != ' ')
            buf_addc(&out, ' ');
    while (out.len && strchr(" .", out.data[out.len - 1]))
        out.data[--out.len] = '\0';
    return buf_steal(&out, NULL);
}

bool quiz_number(const char *text, double *out)
{
    char *end;
    const double n = strtod(text, &end);
    end += strspn(end, " ");
    if (end == text || *end)
        return false;
    *out = n;
    return true;
}

bool quiz_same(const json_t *answer, const char *given)
{
    _auto_free_ char *text = json_is_string(answer) ? xstrdup(json_string_value(answer)) : json_text(answer);
    _auto_free_ char *a = plain(text), *b = plain(given);
    return strcmp(a, b) == 0;
}

static bool accepts(const json_t *quiz, const json_t *answer, const char *given)
{
    _auto_free_ char *text = json_is_string(answer) ? xstrdup(json_string_value(answer)) : json_text(answer);
    double a, b;
    return quiz_same(answer, given) ||
           (str_eq(jstr(quiz, "kind"), "number") && quiz_number(text, &a) && quiz_number(given, &b) && a == b);
}

/* The right answer is never shown. */
int check_quiz(struct lab_env *env, const json_t *check, struct check_result *out, struct err *e)
{
    const json_t *quiz = json_object_get(check, "quiz"), *answer = json_object_get(quiz, "answer"), *x;
    const char *given = json_string_value(json_object_get(env->answers, jstr(check, "name")));
    size_t i;
    (void)e;
    buf_adds(&out->expected, "the right answer");
    show_text(&out->observed, given ? given : "no answer yet");
    if (!given)
        return 0;
    out->passed = !json_is_array(answer) && accepts(quiz, answer, given);
    json_array_foreach(answer, i, x) out->passed = out->passed || accepts(quiz, x, given);
    return 0;
}
