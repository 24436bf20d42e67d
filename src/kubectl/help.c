/* help.c - what --help prints: made from the tables of verbs and flags. */
#include "base/str.h"
#include "kubectl/call_int.h"

#include <stdlib.h>
#include <string.h>

static void print_verbs(FILE *out, const struct kubectl_verb *const *list)
{
    size_t width = 0;
    for (const struct kubectl_verb *const *v = list; *v; v++)
        width = strlen((*v)->name) > width ? strlen((*v)->name) : width;
    for (; *list; list++)
        fprintf(out, "  %-*s   %s\n", (int)width, (*list)->name, (*list)->summary);
}

void help_print_all(FILE *out)
{
    fputs("kubectl controls the Kubernetes cluster manager.\n\nCommands:\n", out);
    print_verbs(out, kubectl_verbs());
    fputs("\nUsage:\n  kubectl [flags] [options]\n\nFlags of every command:\n", out);
    for (const struct kubectl_flag *f = kubectl_global_flags(); f->name; f++)
        fprintf(out, "  --%-26s %s\n", f->name, f->help);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct kubectl_flag *const *)a)->name, (*(const struct kubectl_flag *const *)b)->name);
}

static void print_default(FILE *out, const struct kubectl_flag *f)
{
    static const struct {
        const char *open, *none, *close;
    } looks[] = {
        [FLAG_BOOL] = {"", "false", ""},  [FLAG_TEXT] = {"'", "", "'"}, [FLAG_INT] = {"", "0", ""},
        [FLAG_DURATION] = {"", "0s", ""}, [FLAG_LIST] = {"[", "", "]"}, [FLAG_ARRAY] = {"[", "", "]"},
    };
    fprintf(out, "%s%s%s", looks[f->type].open, f->dflt ? f->dflt : looks[f->type].none, looks[f->type].close);
}

static void print_flags(FILE *out, const struct kubectl_flag *table)
{
    size_t n = 0;
    for (const struct kubectl_flag *f = table; f && f->name; f++)
        n++;
    if (n == 0)
        return;
    _auto_free_ const struct kubectl_flag **sorted = xcalloc(n, sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &table[i];
    qsort(sorted, n, sizeof(struct kubectl_flag *), by_name);
    fputs("\nOptions:\n", out);
    for (size_t i = 0; i < n; i++) {
        const struct kubectl_flag *f = sorted[i];
        if (f->letter)
            fprintf(out, "%s    -%c, --%s=", i ? "\n" : "", f->letter, f->name);
        else
            fprintf(out, "%s    --%s=", i ? "\n" : "", f->name);
        print_default(out, f);
        fprintf(out, ":\n        %s\n", f->help);
    }
}

void help_print(const struct call *c, FILE *out)
{
    const struct kubectl_verb *v = c->verb;
    fprintf(out, "%s\n", v->summary);
    if (v->aliases)
        fprintf(out, "\nAliases:\n%s, %s\n", v->name, v->aliases);
    if (v->help)
        fprintf(out, "\nExamples:\n%s", v->help);
    if (v->subs) {
        fputs("\nAvailable Commands:\n", out);
        print_verbs(out, v->subs);
    }
    print_flags(out, v->flags);
    fprintf(out, "\nUsage:\n  %s %s\n", c->path, v->usage ? v->usage : "[flags] [options]");
}
