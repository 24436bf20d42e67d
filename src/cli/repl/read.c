/* read.c - from lines to commands: prompts, what goes on in further lines, manifests that are typed or pasted.
 *
 * Three things take more than one line: what the grammar leaves open (words_int.h), the text behind `-f -`, and a
 * manifest that is simply there, as if pasted: a line that can only begin one ("apiVersion: v1"). A manifest ends with
 * the paste it came in, with a line `---end` or `EOF`, or with Ctrl-D.
 *
 * DESIGN: every line read for a command is kept, with the end mark a manifest needs, so the record of a lab holds what
 * can be given to a REPL again. THREADS: one. */
#include "base/mem.h"
#include "cli/repl/session_int.h"
#include "cli/session_log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define END_MARK "---end"
/* A command that goes on for longer is a mistake. */
#define COMMAND_MAX (8 * 1024 * 1024)

static char *prompt_of(const struct session *s)
{
    if (!s->colour)
        return xasprintf("%s:%s> ", s->label, s->k.ns);
    return xasprintf("\1\033[36m\1%s\1\033[0m\1:\1\033[33m\1%s\1\033[0m\1> ", s->label, s->k.ns);
}

/* A line that goes on; it is added to what was typed. */
static enum line_got more(struct session *s, char **out, bool *out_pasted)
{
    const enum line_got got = line_read(s->line, "… ", out, out_pasted);
    if (got == LINE_TEXT)
        buf_addf(&s->typed, "%s\n", *out);
    if (got == LINE_INTERRUPTED && s->interactive)
        session_calm(s); /* nothing runs yet that it could end */
    return s->typed.len > COMMAND_MAX ? LINE_INTERRUPTED : got;
}

static bool ends_text(const char *line)
{
    return str_eq(line, END_MARK) || str_eq(line, "EOF");
}

/* Up to an end mark, the input's end, or with `paste` the end of one. */
static int read_until_end(struct session *s, bool paste, struct buf *out)
{
    for (bool pasted = paste; !paste || pasted;) {
        _auto_free_ char *line = NULL;
        const enum line_got got = more(s, &line, &pasted);
        if (got == LINE_INTERRUPTED)
            return 1;
        if (got == LINE_TEXT && ends_text(line))
            return 0;
        if (got == LINE_END)
            break;
        buf_addf(out, "%s\n", line);
    }
    buf_addf(&s->typed, "%s\n", END_MARK);
    return 0;
}

int session_read_text(struct session *s, struct buf *out)
{
    if (!s->line)
        return 0;
    if (s->interactive)
        fprintf(stderr, "(a manifest; it ends with a line `%s`, or Ctrl-D)\n", END_MARK);
    return read_until_end(s, false, out);
}

/* ---- a manifest that is simply there ---- */

static bool begins_manifest(const char *line)
{
    static const char *const signs[] = {"apiVersion:", "kind:", "{\"apiVersion\"", "{\"kind\""};
    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (str_starts(line, signs[i]))
            return true;
    return str_eq(line, "---");
}

static int apply_text(struct session *s, const char *first, bool pasted)
{
    _auto_script_ struct script script = {0};
    _auto_buf_ struct buf text = BUF_INIT;
    struct err e = ERR_INIT;
    buf_addf(&text, "%s\n", first);
    if (s->interactive && !pasted)
        fprintf(stderr, "(a manifest to apply; it ends with a line `%s`, or Ctrl-D)\n", END_MARK);
    if (read_until_end(s, pasted, &text) != 0)
        return EXIT_INTERRUPTED;
    if (script_parse("apply -f -", true, &script, &e) < 0)
        BUG("%s", e.msg);
    struct stage *g = &script.items[0].stages[0];
    g->heredoc = xcalloc(1, sizeof *g->heredoc);
    *g->heredoc = (struct heredoc){.literal = true, .text = text};
    text = BUF_INIT;
    return session_run(s, &script, &(struct io){stdout, stderr, -1, false});
}

/* ---- a command ---- */

/* Reads on until the grammar is content. 0; 1: interrupted; -1 with `e`. */
static int parse(struct session *s, const char *first, struct script *out, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    buf_addf(&text, "%s\n", first);
    for (bool at_end = false;;) {
        const int rc = script_parse(buf_str(&text), at_end, out, e);
        if (rc <= 0)
            return rc;
        _auto_free_ char *line = NULL;
        bool pasted;
        const enum line_got got = more(s, &line, &pasted);
        if (got == LINE_INTERRUPTED)
            return 1;
        at_end = got == LINE_END;
        if (!at_end)
            buf_addf(&text, "%s\n", line);
    }
}

static int run_line(struct session *s, const char *line, bool pasted)
{
    _auto_script_ struct script script = {0};
    struct err e = ERR_INIT;
    if (begins_manifest(line))
        return apply_text(s, line, pasted);
    const int rc = parse(s, line, &script, &e);
    if (rc > 0)
        return EXIT_INTERRUPTED;
    if (rc < 0) {
        fprintf(stderr, "stowage: %s\n", e.msg);
        return err_exit_code(ERR_USAGE);
    }
    return session_run(s, &script, &(struct io){stdout, stderr, s->interactive ? STDIN_FILENO : -1, false});
}

/* What was typed goes into the record of the lab. */
static void record(struct session *s, int64_t attempt, const char *lab, const char *ns, int64_t began, int64_t step)
{
    struct err e = ERR_INIT;
    while (s->typed.len && s->typed.data[s->typed.len - 1] == '\n')
        s->typed.data[--s->typed.len] = '\0';
    const struct session_record r = {.attempt = attempt,
                                     .step = step,
                                     .lab = lab,
                                     .ns = ns,
                                     .line = buf_str(&s->typed),
                                     .files = s->files,
                                     .time = began,
                                     .exit = s->last};
    if (attempt && s->log && session_log_add(s->log, &r, &e) < 0)
        fprintf(stderr, "stowage: not recorded: %s\n", e.msg);
}

static void handle(struct session *s, const char *line, bool pasted)
{
    const int64_t began = time(NULL), attempt = s->attempt, step = session_lab_step(s);
    _auto_free_ char *lab = xstrdup(s->lab ? s->lab : ""), *ns = xstrdup(s->k.ns);
    buf_clear(&s->typed);
    json_object_clear(s->files);
    buf_addf(&s->typed, "%s\n", line);
    line_remember(s->line, line);
    s->last = run_line(s, line, pasted);
    fflush(stdout);
    record(s, attempt, lab, ns, began, step);
}

static bool is_blank(const char *line)
{
    line += strspn(line, " \t");
    return !*line || *line == '#';
}

int session_loop(struct session *s)
{
    while (!s->done) {
        _auto_free_ char *prompt = prompt_of(s), *line = NULL;
        bool pasted;
        jobs_notice(s, stderr);
        const enum line_got got = line_read(s->line, prompt, &line, &pasted);
        if (got == LINE_END)
            break;
        if (got == LINE_TEXT && !is_blank(line))
            handle(s, line, pasted);
        const bool interrupted = got == LINE_INTERRUPTED || session_interrupted(s);
        if (interrupted && got == LINE_TEXT && s->interactive)
            fputc('\n', stderr); /* behind the terminal's ^C */
        session_calm(s);
        if (*s->ended || (interrupted && !s->interactive))
            return EXIT_INTERRUPTED;
        if (s->stop_at_failure && s->last != 0)
            break;
    }
    return s->last;
}
