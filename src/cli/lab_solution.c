/* lab_solution.c - see lab_solution.h. One row an action; when lab/play.c learns another, so does this. */
#include "cli/lab_solution.h"

#include "api/decode.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <string.h>

struct telling {
    const struct lab *lab;
    const json_t *vars, *action;
    FILE *out;
};

static bool needs_quotes(const char *word)
{
    while (isalnum((unsigned char)*word) || (*word && strchr("_-./:=,", *word)))
        word++;
    return *word;
}

/* " WORD", as a shell reads it. */
static void add_word(struct buf *line, const char *word)
{
    buf_addc(line, ' ');
    if (needs_quotes(word))
        buf_add_shell_word(line, word);
    else
        buf_adds(line, word);
}

static void add_flag(struct buf *line, const char *flag, const char *value)
{
    if (!value)
        return;
    buf_addf(line, " %s", flag);
    add_word(line, value);
}

/* The one that is named, else the lab's. */
static void add_namespace(const struct telling *t, const json_t *named, struct buf *line)
{
    const char *ns = jstr(named, "namespace");
    add_flag(line, "-n", ns ? ns : jstr(t->lab->tree, "namespace"));
}

static void tell_document(const struct telling *t, const char *text)
{
    _auto_buf_ struct buf line = BUF_INIT, filled = BUF_INIT;
    add_namespace(t, t->action, &line);
    lab_fill(t->vars, text, &filled);
    const char *end = strstr(buf_str(&filled), "${DISK_") ? "EOF" : "'EOF'"; /* the shell fills it in */
    fprintf(t->out, "kubectl apply%s -f - <<%s\n%s%sEOF\n", buf_str(&line), end, buf_str(&filled),
            str_ends(buf_str(&filled), "\n") ? "" : "\n");
}

static int tell_file(const struct telling *t, const char *file, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (lab_file(t->lab, file, &text, e) < 0)
        return -1;
    tell_document(t, buf_str(&text));
    return 0;
}

static int tell_files(const struct telling *t, const json_t *files, struct err *e)
{
    size_t i;
    const json_t *file;
    if (json_is_string(files))
        return tell_file(t, json_string_value(files), e);
    json_array_foreach(files, i, file) if (tell_file(t, json_string_value(file), e) < 0) return -1;
    return 0;
}

static int tell_objects(const struct telling *t, const json_t *objects, struct err *e _unused_)
{
    size_t i;
    const json_t *object;
    json_array_foreach(objects, i, object)
    {
        _auto_free_ char *text = yaml_text(object);
        tell_document(t, text);
    }
    return 0;
}

static int tell_script(const struct telling *t, const json_t *run, struct err *e _unused_)
{
    const char *text = json_string_value(run), *node = jstr(t->action, "node"), *end = str_ends(text, "\n") ? "" : "\n";
    if (node)
        fprintf(t->out, "stowage shell %s <<'EOF'\n%s%sEOF\n", node, text, end);
    else
        fprintf(t->out, "%s%s", text, end);
    return 0;
}

/* Scripts and manifests behind it know it as $DISK_<NAME>. */
static int tell_disk(const struct telling *t, const json_t *disk, struct err *e _unused_)
{
    _auto_buf_ struct buf line = BUF_INIT;
    _auto_free_ char *tag = xasprintf("Name=%s", jstr_or(disk, "name", ""));
    add_flag(&line, "--zone", jstr_or(disk, "zone", "us-east-1a"));
    add_flag(&line, "--size", jstr(disk, "size"));
    add_flag(&line, "--type", jstr(disk, "type"));
    add_flag(&line, "--tag", tag);
    fputs("DISK_", t->out);
    for (const char *p = jstr_or(disk, "name", ""); *p; p++)
        fputc(isalnum((unsigned char)*p) ? toupper((unsigned char)*p) : '_', t->out);
    fprintf(t->out, "=$(stowage disk create%s)\n", buf_str(&line));
    return 0;
}

static int tell_wait(const struct telling *t, const json_t *wait, struct err *e _unused_)
{
    _auto_buf_ struct buf line = BUF_INIT;
    const json_t *is = json_object_get(wait, "is");
    _auto_free_ char *value = json_is_string(is) ? xstrdup(json_string_value(is)) : json_text(is);
    _auto_free_ char *condition = xasprintf("--for=jsonpath=%s=%s", jstr_or(wait, "path", ""), value);
    add_word(&line, jstr_or(wait, "of", ""));
    add_namespace(t, wait, &line);
    add_word(&line, condition);
    fprintf(t->out, "kubectl wait%s --timeout=%s\n", buf_str(&line), jstr_or(wait, "within", "60s"));
    return 0;
}

static int tell_deletion(const struct telling *t, const json_t *what, struct err *e _unused_)
{
    _auto_buf_ struct buf line = BUF_INIT;
    add_word(&line, jstr_or(what, "of", ""));
    add_namespace(t, what, &line);
    fprintf(t->out, "kubectl delete%s%s\n", buf_str(&line), jbool(what, "wait", true) ? "" : " --wait=false");
    return 0;
}

static int tell_answer(const struct telling *t, const json_t *answer, struct err *e _unused_)
{
    _auto_buf_ struct buf line = BUF_INIT;
    const json_t *with = json_object_get(answer, "with");
    _auto_free_ char *text = json_is_string(with) ? xstrdup(json_string_value(with)) : json_text(with);
    add_flag(&line, "--to", jstr_or(answer, "check", ""));
    add_word(&line, text);
    fprintf(t->out, "stowage lab answer%s\n", buf_str(&line));
    return 0;
}

static const struct {
    const char *field;
    int (*tell)(const struct telling *t, const json_t *value, struct err *e);
} actions[] = {
    {"apply", tell_files}, {"objects", tell_objects}, {"run", tell_script},    {"disk", tell_disk},
    {"wait", tell_wait},   {"delete", tell_deletion}, {"answer", tell_answer},
};

int lab_solution_print(const struct lab *lab, const json_t *vars, const json_t *step, FILE *out, struct err *e)
{
    size_t i;
    const json_t *action;
    json_array_foreach(json_object_get(step, "solution"), i, action)
    {
        const struct telling t = {lab, vars, action, out};
        for (size_t k = 0; k < ARRAY_LEN(actions); k++) {
            const json_t *value = json_object_get(action, actions[k].field);
            if (value && actions[k].tell(&t, value, e) < 0)
                return -1;
        }
    }
    return 0;
}
