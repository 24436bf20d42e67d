/* cluster_words.c - words that kubectl has not: verbs of stowage itself, against the cluster of the prompt.
 *
 * DESIGN: each is run as a process of its own, as from a shell: a verb's output can be piped and redirected, Ctrl-C
 * ends it, and whatever befalls it the prompt stays. The data directory goes along in the environment.
 *
 * When you add a word: a row here; help and completion follow. */
#include "base/mem.h"
#include "base/str.h"
#include "cli/repl/session_int.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static const struct cluster_word words[] = {
    {"why", "why", NULL, false, "why a claim, a volume or a pod is as it is"},
    {"disk", "disk", NULL, false, "the cloud's disks"},
    {"node", "node", NULL, false, "switch a node's machine off and on"},
    {"image", "image", NULL, false, "the images that are here"},
    {"clock", "clock", NULL, false, "what time it is there; `clock forward 6m`"},
    {"checkpoint", "checkpoint", NULL, false, "keep the whole cluster, and go back to it"},
    {"shell", "shell", NULL, false, "a shell on a node"},
    {"status", "status", NULL, false, "the cluster: where, since when, what is real"},
    {"doctor", "doctor", NULL, false, "what this machine can do"},
    {"lab", "lab", NULL, true, "do a lab: `lab list`, `lab start NAME`"},
    {"check", "lab", "check", true, "judge this step of the lab"},
    {"hint", "lab", "hint", true, "a hint for it"},
    {"answer", "lab", "answer", true, "answer its question"},
    {"solution", "lab", "solution", true, "how it is done"},
    {"next", "lab", "next", true, "go on without its points"},
    {"reset", "lab", "reset", true, "back to the beginning of the step"},
    {"text", "lab", "text", true, "read the step again"},
    {0},
};

static const struct cli_verb *verb_of(const char *name)
{
    for (const struct cli_verb *const *v = cli_verbs(); *v; v++)
        if (str_eq((*v)->name, name))
            return *v;
    return NULL;
}

const char *cluster_word_subs(const struct cluster_word *w)
{
    const struct cli_verb *v = w->second ? NULL : verb_of(w->first);
    return v ? v->words : NULL;
}

const struct cluster_word *cluster_words(void)
{
    return words;
}

const struct cluster_word *cluster_word(const char *name)
{
    for (const struct cluster_word *w = words; w->name; w++)
        if (str_eq(w->name, name) && verb_of(w->first))
            return w;
    return NULL;
}

static bool names_namespace(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (str_starts(argv[i], "-n") || str_starts(argv[i], "--namespace"))
            return true;
    return false;
}

static int start(const struct session *s, const struct strlist *line, const struct io *io)
{
    struct err e = ERR_INIT;
    const char **argv = xcalloc(line->len + 1, sizeof *argv);
    for (size_t i = 0; i < line->len; i++)
        argv[i] = line->items[i];
    const struct program p = {argv, io->in, fileno(io->out), fileno(io->err), false};
    const pid_t pid = program_start(&p, &e);
    free(argv);
    if (pid > 0)
        return program_wait(s, pid);
    fprintf(io->err, "error: %s\n", e.msg);
    return 1;
}

int cluster_word_run(struct session *s, const struct cluster_word *w, int argc, char **argv, const struct io *io)
{
    _auto_strlist_ struct strlist line = {0};
    struct err e = ERR_INIT;
    if (!w->lab && !s->data) {
        fprintf(io->err, "error: `%s` asks a cluster of Stowage's on this machine, and %s is none\n", w->name,
                s->label);
        return 1;
    }
    strlist_add(&line, s->cli->self_exe);
    strlist_add(&line, w->first);
    if (w->second)
        strlist_add(&line, w->second);
    for (int i = 1; i < argc; i++)
        strlist_add(&line, argv[i]);
    const bool names_object =
        str_eq(w->name, "why") || (str_eq(w->name, "disk") && argc > 1 && str_eq(argv[1], "show"));
    if (names_object && !names_namespace(argc, argv)) {
        strlist_add(&line, "--namespace");
        strlist_add(&line, s->k.ns);
    }
    setenv("STOWAGE_DATA", w->lab ? s->home : s->data, 1);
    const int code = start(s, &line, io);
    if (s->data)
        setenv("STOWAGE_DATA", s->data, 1); /* for what the user starts from here */
    if (!w->lab || session_look_again(s, &e) == 0)
        return code;
    fprintf(io->err, "error: %s\n", e.msg);
    return code ? code : 1;
}
