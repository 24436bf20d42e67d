/* lab_output.c - see lab_output.h. THREADS: none. */
#include "cli/lab_output.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The form that argv[i] names, and how many words that takes; 0: it names none. */
static int form_at(int argc, char **argv, int i, const char **out_form)
{
    static const char *const joined[] = {"-ojson", "-ojsonl", "--output=json", "--output=jsonl"};
    if ((str_eq(argv[i], "-o") || str_eq(argv[i], "--output")) && i + 1 < argc) {
        *out_form = argv[i + 1];
        return 2;
    }
    for (size_t k = 0; k < ARRAY_LEN(joined); k++)
        if (str_eq(argv[i], joined[k])) {
            *out_form = strstr(joined[k], "json");
            return 1;
        }
    return 0;
}

static int take_form(struct lab_output *o, int *argc, char **argv, struct err *e)
{
    const int last = str_eq(argv[0], "answer") && *argc > 1 ? 2 : *argc;
    const char *form = NULL;
    for (int i = 1; i < last; i++) {
        const int words = form_at(*argc, argv, i, &form);
        if (!words)
            continue;
        for (int k = i; k + words <= *argc; k++)
            argv[k] = argv[k + words]; /* the NULL behind them, too */
        *argc -= words;
        break;
    }
    if (form && !str_eq(form, "json") && !str_eq(form, "jsonl"))
        return cli_usage(e, "lab", "-o json or jsonl, not %s", form);
    o->form = !form ? LAB_TEXT : str_eq(form, "json") ? LAB_JSON : LAB_JSONL;
    return 0;
}

int lab_output_open(struct lab_output *o, int *argc, char **argv, struct err *e)
{
    *o = (struct lab_output){.text = stdout};
    if (str_eq(argv[0], "submit")) /* -o is its file */
        return 0;
    if (take_form(o, argc, argv, e) < 0)
        return -1;
    if (o->form == LAB_TEXT)
        return 0;
    o->more = json_object();
    o->text = open_memstream(&o->seen, &o->len);
    return o->text ? 0 : err_sys(e, errno, "memory");
}

void lab_output_close(struct lab_output *o)
{
    if (o->text && o->text != stdout)
        fclose(o->text);
    free(o->seen);
    json_decref(o->more);
    *o = (struct lab_output){0};
}

static void print_line(const char *name, json_t *take_value)
{
    _auto_json_ json_t *line = json_pack("{s:o}", name, take_value);
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
}

void lab_output_progress(const struct lab_output *o, const char *what)
{
    if (o->form == LAB_JSONL)
        print_line("progress", json_string(what));
}

void lab_output_row(const struct lab_output *o, const json_t *row)
{
    if (o->form == LAB_JSONL)
        print_line("check", json_deep_copy(row));
}

void lab_output_add(const struct lab_output *o, const char *name, json_t *value)
{
    if (o->form == LAB_TEXT)
        json_decref(value);
    else
        json_object_set_new(o->more, name, value);
}

void lab_output_end(const struct lab_output *o, json_t *take_view)
{
    json_object_update(take_view, o->more);
    if (o->form == LAB_JSONL) {
        print_line("result", take_view);
        return;
    }
    json_dumpf(take_view, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(take_view);
}
