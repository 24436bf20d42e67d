/* prompt_words.c - words of the prompt itself: namespace, help, watch, history, variables, leaving.
 *
 * When you add one: a function and a row in rows[]; help and completion follow. */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/repl/session_int.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int fail(const struct io *io, const struct err *e)
{
    fprintf(io->err, "error: %s\n", e->msg);
    return 1;
}

/* ---- use ---- */

static int list_namespaces(struct session *s, const struct io *io)
{
    _auto_json_ json_t *list = NULL;
    struct err e = ERR_INIT;
    size_t i;
    const json_t *row;
    struct client *c = session_client(s, &e);
    if (!c || client_json(c, "GET", "/api/v1/namespaces", NULL, NULL, &list, &e) < 0)
        return fail(io, &e);
    json_array_foreach(json_object_get(list, "items"), i, row)
    {
        const char *name = jstr_or(row, "metadata.name", "");
        fprintf(io->out, "%s %s\n", str_eq(name, s->k.ns) ? "*" : " ", name);
    }
    return 0;
}

static int run_use(struct session *s, int argc, char **argv, const struct io *io)
{
    struct err e = ERR_INIT;
    _auto_buf_ struct buf path = BUF_INIT;
    if (argc == 1)
        return list_namespaces(s, io);
    struct client *c = session_client(s, &e);
    buf_adds(&path, "/api/v1/namespaces/");
    client_escape(&path, argv[1]);
    if (!c || (client_json(c, "GET", buf_str(&path), NULL, NULL, NULL, &e) < 0 && e.code != ERR_FORBIDDEN))
        return fail(io, &e);
    session_use(s, argv[1]);
    return 0;
}

/* ---- watch ---- */

#define WATCH_SECONDS 2.0

static bool wait_for(const struct session *s, double seconds)
{
    struct pollfd p = {s->cancel, POLLIN, 0};
    return poll(&p, 1, (int)(seconds * 1000)) == 0;
}

/* Gathered first, so that the screen does not flicker. */
static int watch_once(struct session *s, const struct strlist *words, double seconds, const struct io *io)
{
    const bool terminal = isatty(fileno(io->out));
    const int memory = memfd_create("watch", MFD_CLOEXEC);
    _auto_file_ FILE *f = memory < 0 ? NULL : fdopen(memory, "w+e");
    _auto_free_ char *line = strlist_join(words, " ");
    char chunk[4096];
    if (!f)
        return 1;
    const int code = session_run_words(s, words, &(struct io){f, f, -1, true});
    const time_t now = time(NULL);
    struct tm when;
    strftime(chunk, sizeof chunk, "%H:%M:%S", localtime_r(&now, &when));
    if (terminal)
        fprintf(io->out, "\033[H\033[2JEvery %.1fs: %s    %s  (Ctrl-C ends it)\n\n", seconds, line, chunk);
    rewind(f);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        fwrite(chunk, 1, n, io->out);
    if (!terminal)
        fputc('\n', io->out);
    return fflush(io->out) == 0 ? code : -1;
}

static int run_watch(struct session *s, int argc, char **argv, const struct io *io)
{
    _auto_strlist_ struct strlist words = {0};
    double seconds = WATCH_SECONDS;
    int at = 1;
    if (argc > 2 && (str_eq(argv[1], "-n") || str_eq(argv[1], "--interval"))) {
        char *end;
        seconds = strtod(argv[2], &end);
        if (*end || !(seconds >= 0.1 && seconds <= 86400)) {
            fprintf(io->err, "error: %s seconds: 0.1 to 86400\n", argv[2]);
            return 2;
        }
        at = 3;
    }
    for (; at < argc; at++)
        strlist_add(&words, argv[at]);
    if (!words.len) {
        fputs("error: watch what?\n", io->err);
        return 2;
    }
    int code;
    do
        code = watch_once(s, &words, seconds, io);
    while (code >= 0 && wait_for(s, seconds));
    return code < 0 ? 1 : EXIT_INTERRUPTED;
}

/* ---- variables, folders ---- */

static int run_export(struct session *s _unused_, int argc, char **argv, const struct io *io)
{
    for (int i = 1; i < argc; i++) {
        _auto_free_ char *name = xstrndup(argv[i], strcspn(argv[i], "="));
        const char *value = strchr(argv[i], '=');
        if (!value)
            continue; /* all variables are exported */
        if (!*name || setenv(name, value + 1, 1) < 0) {
            fprintf(io->err, "error: %s: no name of a variable\n", argv[i]);
            return 1;
        }
    }
    return 0;
}

static int run_unset(struct session *s _unused_, int argc, char **argv, const struct io *io _unused_)
{
    for (int i = 1; i < argc; i++)
        unsetenv(argv[i]);
    return 0;
}

static int run_cd(struct session *s _unused_, int argc, char **argv, const struct io *io)
{
    const char *to = argc > 1 ? argv[1] : getenv("HOME");
    if (!to || chdir(to) < 0) {
        fprintf(io->err, "error: %s: %s\n", to ? to : "no HOME", strerror(to ? errno : ENOENT));
        return 1;
    }
    return 0;
}

/* ---- history, jobs, leaving ---- */

static int run_history(struct session *s, int argc _unused_, char **argv _unused_, const struct io *io)
{
    line_history(s->line, io->out);
    return 0;
}

static int run_jobs(struct session *s, int argc _unused_, char **argv _unused_, const struct io *io)
{
    jobs_list(s, io->out);
    return 0;
}

static int run_exit(struct session *s, int argc, char **argv, const struct io *io)
{
    uint64_t code = (uint64_t)s->last;
    if (argc > 1 && (!str_to_u64(argv[1], &code) || code > 255)) {
        fprintf(io->err, "error: exit %s: 0 to 255\n", argv[1]);
        return 2;
    }
    s->done = true;
    return (int)code;
}

/* ---- help ---- */

static int help_of(struct session *s, const char *name, const struct io *io)
{
    const struct prompt_word *b = prompt_word(name);
    const struct cluster_word *w = cluster_word(name);
    _auto_strlist_ struct strlist words = {0};
    if (b) {
        fprintf(io->out, "%s %s\n\n%s\n", b->name, b->usage, b->summary);
        return 0;
    }
    strlist_add(&words, w ? "stowage" : "kubectl");
    strlist_add(&words, w ? w->first : name);
    strlist_add(&words, "--help");
    return session_run_words(s, &words, io);
}

static void help_rows(const struct io *io, const char *name, const char *summary)
{
    fprintf(io->out, "  %-14s %s\n", name, summary);
}

static int run_help(struct session *s, int argc, char **argv, const struct io *io)
{
    if (argc > 1)
        return help_of(s, argv[1], io);
    fputs("kubectl's verbs, with or without the word kubectl:\n", io->out);
    for (const struct kubectl_verb *const *v = kubectl_verbs(); *v; v++)
        help_rows(io, (*v)->name, (*v)->summary);
    fputs("\nthe cluster and the lab:\n", io->out);
    for (const struct cluster_word *w = cluster_words(); w->name; w++)
        if (cluster_word(w->name))
            help_rows(io, w->name, w->summary);
    fputs("\nthe prompt:\n", io->out);
    for (const struct prompt_word *b = prompt_words(); b->name; b++)
        help_rows(io, b->name, b->summary);
    fputs("  !COMMAND       to your shell; so is what follows `|`, and any other program by its name\n"
          "\nA pasted manifest is applied; `apply -f -` takes one that is typed, up to a line ---end. Tab completes.\n"
          "`help VERB` says more. Ctrl-C stops a command, Ctrl-D ends the prompt.\n",
          io->out);
    return 0;
}

static const struct prompt_word rows[] = {
    {"use", "[NAMESPACE]", "work in this namespace; without one: which there are", run_use},
    {"ns", "[NAMESPACE]", "the same", run_use},
    {"watch", "[-n SECONDS] COMMAND", "run a command again and again", run_watch},
    {"history", "", "what was typed", run_history},
    {"export", "NAME=VALUE...", "set a variable; NAME=VALUE does, too", run_export},
    {"unset", "NAME...", "forget a variable", run_unset},
    {"cd", "[FOLDER]", "go to a folder; files of -f are looked for there", run_cd},
    {"jobs", "", "what runs in the background (begun with &)", run_jobs},
    {"help", "[VERB]", "this, or a verb's own", run_help},
    {"exit", "[CODE]", "end the prompt, as Ctrl-D does", run_exit},
    {"quit", "[CODE]", "the same", run_exit},
    {0},
};

const struct prompt_word *prompt_words(void)
{
    return rows;
}

const struct prompt_word *prompt_word(const char *name)
{
    for (const struct prompt_word *b = rows; b->name; b++)
        if (str_eq(b->name, name))
            return b;
    return NULL;
}

/* ---- nearest words ---- */

#define SLIPS_MAX 2

struct nearest {
    const char *word;
    size_t slips;
    struct buf *out;
};

static void consider(struct nearest *n, const char *name)
{
    const size_t slips = str_slips(n->word, name);
    if (slips > n->slips || slips >= strlen(name))
        return;
    if (slips < n->slips)
        buf_clear(n->out);
    n->slips = slips;
    buf_addf(n->out, "%s`%s`", n->out->len ? " or " : "", name);
}

void suggest(const char *word, struct buf *out)
{
    struct nearest n = {word, SLIPS_MAX, out};
    for (const struct kubectl_verb *const *v = kubectl_verbs(); *v; v++)
        consider(&n, (*v)->name);
    for (const struct cluster_word *w = cluster_words(); w->name; w++)
        consider(&n, w->name);
    for (const struct prompt_word *b = rows; b->name; b++)
        consider(&n, b->name);
}
