/* import_kuttl.c - tests of kuttl: files NN-name.yaml whose objects are made, NN-assert.yaml, NN-errors.yaml, and among
 * them TestStep and TestAssert with commands.
 *
 * DESIGN: files of one number are one step: what it deletes and runs, then what it applies, is the step's solution;
 * asserts, errors and the commands of TestAsserts are its checks. All objects without a namespace are in one of the
 * test's own, which is $NAMESPACE for commands. Source: kuttl's documentation (steps, asserts, commands). */
#include "lab/import_int.h"

#include "base/json.h"
#include "base/mem.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WITHIN "30s" /* kuttl's own patience */

static bool is_of_kuttl(const json_t *o)
{
    return str_starts(jstr_or(o, "apiVersion", ""), "kuttl.dev/");
}

/* ---- commands ---- */

/* Fields of a command that change what it does, and that nobody here knows. */
static void look_into_command(struct import *im, const char *file, const char *text, const json_t *command)
{
    static const char *const known[] = {"command",       "script",  "namespaced", "ignoreFailure",
                                        "skipLogOutput", "timeout", "background", NULL};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)command, key, value)
    {
        size_t i = 0;
        while (known[i] && !str_eq(known[i], key))
            i++;
        if (!known[i])
            import_fault(im, file, import_line(text, key), "a command's \"%s\" is not known", key);
    }
}

/* "kubectl …" with the test's namespace behind it when it asks for that; the failure that does not count. */
static char *command_text(const json_t *command)
{
    const char *line = jstr(command, "command") ? jstr(command, "command") : jstr_or(command, "script", "true");
    const bool plain = jstr(command, "command");
    return xasprintf("%s%s%s%s", line,
                     plain && jbool(command, "namespaced", false) ? " --namespace \"$NAMESPACE\"" : "",
                     jbool(command, "background", false) ? " >/dev/null 2>&1 &" : "",
                     jbool(command, "ignoreFailure", false) ? "\ntrue" : "");
}

static void add_commands(struct import *im, json_t *step, const char *file, const char *text, const json_t *list)
{
    size_t i;
    const json_t *command;
    json_array_foreach(list, i, command)
    {
        _auto_free_ char *line = command_text(command);
        look_into_command(im, file, text, command);
        import_add(step, "solution", import_script(line));
    }
}

/* ---- objects that are no steps ---- */

static void add_asserts(struct import *im, json_t *step, const char *file, const char *kind);

static void add_test_step(struct import *im, json_t *step, const char *file, const char *text, const json_t *o);

/* What is made: kept in order, one action a file. */
static void add_objects(struct import *im, json_t *step, const char *file)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_json_ json_t *docs = import_docs(im, file, &text), *objects = json_array();
    size_t i;
    json_t *o;
    json_array_foreach(docs, i, o)
    {
        if (json_is_null(o))
            continue;
        if (!is_of_kuttl(o))
            json_array_append(objects, o);
        else if (str_eq(jstr(o, "kind"), "TestStep"))
            add_test_step(im, step, file, buf_str(&text), o);
        else if (!str_eq(jstr(o, "kind"), "TestFile"))
            import_fault(im, file, import_line(buf_str(&text), jstr_or(o, "kind", "")), "a %s can not stand here",
                         jstr_or(o, "kind", "?"));
    }
    if (json_array_size(objects))
        import_add(step, "solution", json_pack("{s:O}", "objects", objects));
}

/* Paths of a TestStep are the test's own. */
static void add_files(struct import *im, json_t *step, const json_t *files, const char *kind)
{
    size_t i;
    const json_t *file;
    json_array_foreach(files, i, file)
    {
        const char *path = json_string_value(file);
        if (path && !kind)
            add_objects(im, step, path);
        else if (path)
            add_asserts(im, step, path, kind);
    }
}

static void add_test_step(struct import *im, json_t *step, const char *file, const char *text, const json_t *o)
{
    static const char *const known[] = {"apiVersion", "kind",   "metadata", "apply", "assert",
                                        "error",      "delete", "commands", "index", NULL};
    const char *key;
    json_t *value;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)o, key, value)
    {
        for (i = 0; known[i] && !str_eq(known[i], key); i++)
            ;
        if (!known[i])
            import_fault(im, file, import_line(text, key), "a TestStep's \"%s\" is not known", key);
    }
    json_array_foreach(json_object_get(o, "delete"), i, value) import_add(step, "solution", import_delete(value));
    add_commands(im, step, file, text, json_object_get(o, "commands"));
    add_files(im, step, json_object_get(o, "apply"), NULL);
    add_files(im, step, json_object_get(o, "assert"), "assert");
    add_files(im, step, json_object_get(o, "error"), "error");
}

/* ---- asserts ---- */

static void add_test_assert(struct import *im, json_t *step, const char *file, const char *text, const json_t *o,
                            const char *within)
{
    size_t i;
    const json_t *command;
    json_array_foreach(json_object_get(o, "commands"), i, command)
    {
        _auto_free_ char *line = command_text(command);
        look_into_command(im, file, text, command);
        import_script_check(im, step, line, within, line, 0);
    }
    static const char *const unknown[] = {"assertAny", "assertAll", "resourceRefs"};
    for (i = 0; i < ARRAY_LEN(unknown); i++)
        if (json_object_get(o, unknown[i]))
            import_fault(im, file, import_line(text, unknown[i]), "expressions of CEL (%s) are not known", unknown[i]);
}

static void add_asserts(struct import *im, json_t *step, const char *file, const char *kind)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_json_ json_t *docs = import_docs(im, file, &text);
    char within[24] = WITHIN;
    size_t i;
    json_t *o;
    json_array_foreach(docs, i, o) if (is_of_kuttl(o) && jint(o, "timeout", 0) > 0)
        snprintf(within, sizeof within, "%llds", (long long)jint(o, "timeout", 0));
    json_array_foreach(docs, i, o)
    {
        if (json_is_null(o))
            continue;
        if (is_of_kuttl(o))
            add_test_assert(im, step, file, buf_str(&text), o, within);
        else
            import_object_check(im, step, kind, within, json_incref(o));
    }
}

/* ---- the folder ---- */

static void add_file(struct import *im, json_t *step, const char *file)
{
    const char *rest = strchr(file, '-') + 1;
    const size_t n = strcspn(rest, ".");
    const _auto_free_ char *name = xstrndup(rest, n);
    if (str_eq(name, "assert") || str_starts(name, "assert-"))
        add_asserts(im, step, file, "assert");
    else if (str_eq(name, "errors") || str_starts(name, "errors-"))
        add_asserts(im, step, file, "error");
    else
        add_objects(im, step, file);
}

/* The files of one number, from the one at *at on. */
static void add_step(struct import *im, const glob_t *found, size_t *at)
{
    const size_t dir = strlen(im->lab->dir) + 1;
    const long number = strtol(found->gl_pathv[*at] + dir, NULL, 10);
    const char *first = found->gl_pathv[*at] + dir;
    _auto_free_ char *name = xasprintf("step-%02ld", number);
    json_t *step = import_step(im, name, first);
    for (; *at < found->gl_pathc && strtol(found->gl_pathv[*at] + dir, NULL, 10) == number; ++*at)
        add_file(im, step, found->gl_pathv[*at] + dir);
}

static int by_number(const void *a, const void *b)
{
    const char *x = strrchr(*(char *const *)a, '/') + 1, *y = strrchr(*(char *const *)b, '/') + 1;
    const long m = strtol(x, NULL, 10), n = strtol(y, NULL, 10);
    return m < n ? -1 : m > n ? 1 : strcmp(x, y);
}

/* A folder of tests is not one test. */
static void tell_suite(struct import *im)
{
    _auto_free_ char *pattern = xasprintf("%s/*/[0-9]*-*.y*ml", im->lab->dir);
    _auto_strlist_ struct strlist tests = {0};
    glob_t found = {0};
    glob(pattern, 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *inside = found.gl_pathv[i] + strlen(im->lab->dir) + 1;
        _auto_free_ char *test = xstrndup(inside, strcspn(inside, "/"));
        if (!strlist_has(&tests, test))
            strlist_add(&tests, test);
    }
    globfree(&found);
    _auto_free_ char *names = strlist_join(&tests, ", ");
    import_fault(im, "kuttl-test.yaml", 1, "this is a suite: run one of its tests%s%s", *names ? ": " : "", names);
}

int import_kuttl(struct import *im, struct err *e)
{
    _auto_free_ char *pattern = xasprintf("%s/[0-9]*-*.y*ml", im->lab->dir), *ns = xasprintf("kuttl-%s", im->lab->name);
    glob_t found = {0};
    (void)e;
    glob(pattern, GLOB_NOSORT, NULL, &found);
    if (!found.gl_pathc) {
        tell_suite(im);
        return 0;
    }
    qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_number);
    import_namespace(im, ns);
    for (size_t at = 0; at < found.gl_pathc;)
        add_step(im, &found, &at);
    globfree(&found);
    return 0;
}
