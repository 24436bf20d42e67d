/* run.c - commands run: pipelines, redirections, who answers a word.
 *
 * DESIGN: a stage is ours (kubectl's verbs, stowage's, the prompt's own) or the user's shell's, and neighbours of the
 * shell's go to it as one text. What is ours runs in this process, on the kept connection. So in
 *
 *     get pvc -o yaml | sed s/gp2/gp3/ | apply -f -
 *
 * the first writes into a pipe that the shell reads, and the last reads what the shell has left in memory: of two of
 * ours never both have to run at once.
 *
 * When you add a kind of stage also change stage_ours(). */
#include "base/mem.h"
#include "cli/repl/expand_int.h"
#include "cli/repl/session_int.h"
#include "cli/session_files.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

bool session_interrupted(const struct session *s)
{
    struct pollfd p = {s->cancel, POLLIN, 0};
    return poll(&p, 1, 0) > 0;
}

void session_calm(struct session *s)
{
    uint64_t times;
    while (session_interrupted(s) && read(s->cancel, &times, sizeof times) > 0)
        ;
}

static int told(const struct io *io, const struct err *e)
{
    fprintf(io->err, "error: %s\n", e->msg);
    return err_exit_code(e->code);
}

/* ---- whose is it ---- */

/* "NAME=": how long the name is; 0: it is no assignment. */
static size_t assigns(const char *word)
{
    size_t n = 0;
    while (word[n] == '_' || isalpha((unsigned char)word[n]) || (n && isdigit((unsigned char)word[n])))
        n++;
    return n && word[n] == '=' ? n : 0;
}

static bool reads_stdin(const struct strlist *words)
{
    for (size_t i = 0; i < words->len; i++) {
        const char *w = words->items[i], *next = i + 1 < words->len ? words->items[i + 1] : "";
        if (str_eq(w, "-f-") || str_eq(w, "--filename=-") ||
            ((str_eq(w, "-f") || str_eq(w, "--filename")) && str_eq(next, "-")))
            return true;
        if (str_eq(w, "--"))
            return false;
    }
    return false;
}

static bool kubectl_word(const char *word)
{
    return str_eq(word, "kubectl") || str_eq(word, "k");
}

static bool shell_word(const char *word)
{
    static const char *const keywords[] = {"(", "[[", "."};
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
        if (str_eq(word, keywords[i]))
            return true;
    return word[0] == '(';
}

/* In a pipe a verb's name alone may as well be a program's (`| diff`, `| wait`): ours is what reads the pipe. */
static bool stage_ours(const struct stage *g, bool first)
{
    size_t i = 0;
    while (i < g->words.len && assigns(g->words.items[i]))
        i++;
    const char *word = i < g->words.len ? g->words.items[i] : "";
    if (kubectl_word(word) || str_eq(word, "stowage"))
        return true;
    if (!first)
        return kubectl_verb(word) && reads_stdin(&g->words);
    if (!*word || kubectl_verb(word) || prompt_word(word) || cluster_word(word))
        return true;
    return !program_there(word) && !shell_word(word);
}

/* ---- words ---- */

static int unknown(const char *word, const struct io *io)
{
    _auto_buf_ struct buf near = BUF_INIT;
    suggest(word, &near);
    fprintf(io->err, "stowage: no command \"%s\"%s\n", word, near.len ? "" : "; `help` lists what there is");
    if (near.len)
        fprintf(io->err, "Did you mean %s?\n", buf_str(&near));
    return EXIT_NO_COMMAND;
}

static int run_kubectl(struct session *s, int argc, char **argv, const struct io *io)
{
    struct kubectl *k = &s->k;
    k->out = io->out;
    k->err = io->err;
    _auto_close_ int null = io->in < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    k->in = io->in < 0 ? null : io->in;
    k->terminal = isatty(fileno(io->out));
    k->colour = k->terminal && s->colour;
    const int code = kubectl_main(k, argc, argv);
    struct err e = ERR_INIT;
    if (argc > 1 && str_eq(argv[1], "config") && session_reconnect(s, &e) < 0)
        return told(io, &e);
    return session_interrupted(s) ? EXIT_INTERRUPTED : code;
}

/* The text behind `-f -` that was not given by a pipe or a file comes in the lines that follow. */
static int run_kubectl_typed(struct session *s, int argc, char **argv, const struct io *io)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (session_read_text(s, &text) != 0)
        return EXIT_INTERRUPTED;
    _auto_close_ int fd = memfd_create("typed", MFD_CLOEXEC);
    const bool there =
        fd >= 0 && write(fd, buf_str(&text), text.len) == (ssize_t)text.len && lseek(fd, 0, SEEK_SET) == 0;
    const struct io typed = {io->out, io->err, there ? fd : io->in, true};
    return run_kubectl(s, argc, argv, &typed);
}

static int run_self(const struct session *s, char **argv, const struct io *io)
{
    struct err e = ERR_INIT;
    argv[0] = (char *)(uintptr_t)s->cli->self_exe;
    if (s->data)
        setenv("STOWAGE_DATA", s->data, 1);
    const struct program p = {(const char *const *)argv, io->in, fileno(io->out), fileno(io->err), false};
    const pid_t pid = program_start(&p, &e);
    return pid < 0 ? told(io, &e) : program_wait(s, pid);
}

static int dispatch(struct session *s, const struct strlist *words, int argc, char **argv, const struct io *io)
{
    if (str_eq(argv[0], "stowage"))
        return run_self(s, argv, io);
    const bool plain = !kubectl_word(argv[0]);
    const struct prompt_word *b = plain ? prompt_word(argv[0]) : NULL;
    const struct cluster_word *w = plain ? cluster_word(argv[0]) : NULL;
    if (b)
        return b->run(s, argc, argv, io);
    if (w)
        return cluster_word_run(s, w, argc, argv, io);
    if (plain && !kubectl_verb(argv[0]))
        return unknown(argv[0], io);
    char kubectl[] = "kubectl", **full = xcalloc((size_t)argc + 2, sizeof *full);
    memcpy(full + plain, argv, (size_t)argc * sizeof *argv);
    full[0] = kubectl;
    const int code = !io->given && reads_stdin(words) ? run_kubectl_typed(s, argc + plain, full, io)
                                                      : run_kubectl(s, argc + plain, full, io);
    free(full);
    return code;
}

int session_run_words(struct session *s, const struct strlist *words, const struct io *io)
{
    if (!words->len)
        return 0;
    /* The list of pointers may be moved about by flag parsers; the words stay ours. */
    char **argv = xcalloc(words->len + 1, sizeof *argv);
    memcpy(argv, words->items, words->len * sizeof *argv);
    if (s->attempt)
        session_files_add(s->files, argv, words->len);
    const int code = dispatch(s, words, (int)words->len, argv, io);
    free(argv);
    fflush(io->out);
    fflush(io->err);
    return code;
}

/* ---- a stage ---- */

struct opened {
    struct io io;
    FILE *files[3]; /* owned; closed behind the command */
    int fds[2], nfds;
    size_t nfiles;
};

static void opened_release(struct opened *o)
{
    for (size_t i = 0; i < o->nfiles; i++)
        fclose(o->files[i]);
    for (int i = 0; i < o->nfds; i++)
        close(o->fds[i]);
}

static int open_input(struct opened *o, int fd, const char *name, struct err *e)
{
    if (fd < 0)
        return err_sys(e, errno, "%s", name);
    if (o->nfds == (int)ARRAY_LEN(o->fds)) {
        close(fd);
        return err_set(e, ERR_BAD_REQUEST, "%s: one input is enough", name);
    }
    o->fds[o->nfds++] = fd;
    o->io.in = fd;
    o->io.given = true;
    return 0;
}

static int open_output(struct opened *o, const struct redirect *r, const char *name, struct err *e)
{
    FILE *f = o->nfiles < ARRAY_LEN(o->files) ? fopen(name, r->kind == REDIRECT_APPEND ? "ae" : "we") : NULL;
    if (!f)
        return err_sys(e, o->nfiles < ARRAY_LEN(o->files) ? errno : EMFILE, "%s", name);
    o->files[o->nfiles++] = f;
    if (r->fd != 2)
        o->io.out = f;
    if (r->fd != 1)
        o->io.err = f;
    return 0;
}

static int open_redirect(struct opened *o, const struct expansion *x, const struct redirect *r, struct err *e)
{
    _auto_free_ char *name = expand_one(x, r->word, e);
    if (!name)
        return -1;
    if (r->kind == REDIRECT_IN)
        return open_input(o, open(name, O_RDONLY | O_CLOEXEC), name, e);
    if (r->kind != REDIRECT_SAME)
        return open_output(o, r, name, e);
    if (r->fd == 2 && str_eq(name, "1"))
        o->io.err = o->io.out;
    else if (r->fd == 1 && str_eq(name, "2"))
        o->io.out = o->io.err;
    else
        return err_set(e, ERR_BAD_REQUEST, ">&%s: only 2>&1 and 1>&2 are known here", name);
    return 0;
}

static int open_heredoc(struct opened *o, const struct expansion *x, const struct heredoc *h, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (h->literal)
        buf_add(&text, buf_str(&h->text), h->text.len);
    else if (expand_text(x, buf_str(&h->text), &text, e) < 0)
        return -1;
    const int fd = memfd_create("heredoc", MFD_CLOEXEC);
    if (fd >= 0 && (write(fd, buf_str(&text), text.len) != (ssize_t)text.len || lseek(fd, 0, SEEK_SET) < 0)) {
        close(fd);
        return err_sys(e, errno, "heredoc");
    }
    return open_input(o, fd, "heredoc", e);
}

static int open_stage(struct opened *o, const struct expansion *x, const struct stage *g, bool ours, struct err *e)
{
    if (g->heredoc && open_heredoc(o, x, g->heredoc, e) < 0)
        return -1;
    for (size_t i = 0; ours && i < g->nredirects; i++)
        if (open_redirect(o, x, &g->redirects[i], e) < 0)
            return -1;
    return 0;
}

/* NAME=value in front of a command, or alone: for this session and what it starts. */
static int assign(const struct expansion *x, const char *word, struct err *e)
{
    const size_t n = assigns(word);
    _auto_free_ char *name = xstrndup(word, n), *value = expand_one(x, word + n + 1, e);
    return value ? setenv(name, value, 1) : -1;
}

/* In a lab what a command is given by `<` belongs to its record, too. */
static void keep_inputs(struct session *s, const struct expansion *x, const struct stage *g)
{
    struct err none = ERR_INIT;
    for (size_t i = 0; s->attempt && i < g->nredirects; i++) {
        _auto_free_ char *name =
            g->redirects[i].kind == REDIRECT_IN ? expand_one(x, g->redirects[i].word, &none) : NULL;
        if (name)
            session_files_add_path(s->files, name);
    }
}

static int run_ours(struct session *s, const struct stage *g, const struct io *io)
{
    const struct expansion x = {s->last, session_substitute, s};
    struct opened o = {.io = *io};
    _auto_strlist_ struct strlist words = {0};
    struct err e = ERR_INIT;
    size_t i = 0;
    int rc = open_stage(&o, &x, g, true, &e);
    keep_inputs(s, &x, g);
    for (; rc == 0 && i < g->words.len && assigns(g->words.items[i]); i++)
        rc = assign(&x, g->words.items[i], &e);
    for (; rc == 0 && i < g->words.len; i++)
        rc = expand_word(&x, g->words.items[i], &words, &e);
    const int code = rc < 0 ? told(io, &e) : session_run_words(s, &words, &o.io);
    opened_release(&o);
    return code;
}

/* ---- the user's shell ---- */

static const char *shell_of_user(void)
{
    static const char *const known[] = {"/bash", "/zsh", "/dash", "/ksh", "/sh"};
    const char *shell = getenv("SHELL");
    for (size_t i = 0; shell && i < ARRAY_LEN(known); i++)
        if (str_ends(shell, known[i]) && access(shell, X_OK) == 0)
            return shell;
    return "/bin/sh"; /* also for those who speak another language */
}

/* Is what stands in $(…) a command of ours? */
static bool text_ours(const char *text)
{
    struct err none = ERR_INIT;
    _auto_script_ struct script script = {0};
    _auto_free_ char *inner = xstrndup(text, strcspn(text, "|)"));
    return script_parse(inner, true, &script, &none) == 0 && script.len && !script.items[0].shell &&
           stage_ours(&script.items[0].stages[0], true);
}

/* The stages [from, to) as one text. */
static int shell_text(const struct expansion *x, const struct pipeline *p, size_t from, size_t to, struct buf *out,
                      struct err *e)
{
    if (strstr(p->stages[from].raw, "$?"))
        buf_addf(out, "(exit %d)\n", x->last);
    if (p->shell) {
        /* What a loop does is asked each time it is done; what it goes over, once. */
        const char *raw = p->stages[0].raw;
        const size_t head = str_starts(raw, "for ") ? strcspn(raw, ";\n") : 0;
        _auto_free_ char *list = xstrndup(raw, head);
        const int rc = expand_for_shell(x, list, text_ours, out, e);
        buf_adds(out, raw + head);
        return rc;
    }
    for (size_t i = from; i < to; i++) {
        buf_adds(out, i > from ? "|" : "");
        if (expand_for_shell(x, p->stages[i].raw, text_ours, out, e) < 0)
            return -1;
    }
    return 0;
}

/* What the shell runs finds the cluster where the prompt is, in its namespace. Nothing else of this process does: it
 * reads $KUBECONFIG itself. */
static pid_t start_there(struct session *s, const struct program *p, struct err *e)
{
    _auto_free_ char *there = session_shell_config(s), *before = NULL;
    if (!there)
        return program_start(p, e);
    before = getenv("KUBECONFIG") ? xstrdup(getenv("KUBECONFIG")) : NULL;
    setenv("KUBECONFIG", there, 1);
    const pid_t pid = program_start(p, e);
    if (before)
        setenv("KUBECONFIG", before, 1);
    else
        unsetenv("KUBECONFIG");
    return pid;
}

/* Starts the stages [from, to) as one text. -1: told. */
static pid_t start_shell(struct session *s, const struct pipeline *p, size_t from, size_t to, const struct io *io)
{
    const struct expansion x = {s->last, session_substitute, s};
    struct opened o = {.io = *io};
    struct err e = ERR_INIT;
    _auto_buf_ struct buf text = BUF_INIT;
    pid_t pid = shell_text(&x, p, from, to, &text, &e);
    const char *const argv[] = {shell_of_user(), "-c", buf_str(&text), NULL};
    if (pid == 0)
        pid = open_stage(&o, &x, &p->stages[from], false, &e);
    if (pid == 0)
        pid = start_there(s, &(struct program){argv, o.io.in, fileno(o.io.out), fileno(o.io.err), p->background}, &e);
    if (pid < 0)
        told(io, &e);
    opened_release(&o);
    return pid;
}

static int run_shell(struct session *s, const struct pipeline *p, size_t from, size_t to, const struct io *io)
{
    const pid_t pid = start_shell(s, p, from, to, io);
    return pid < 0 ? 1 : program_wait(s, pid);
}

/* ---- pipelines ---- */

static size_t shell_until(const struct pipeline *p, size_t from)
{
    while (from < p->len && !stage_ours(&p->stages[from], from == 0))
        from++;
    return from;
}

/* Readable when Ctrl-C came or the reader of our pipe is gone: nobody follows a watch for nothing. */
static int cancel_with(int cancel, int gone)
{
    const int both = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(both, EPOLL_CTL_ADD, cancel, &event);
    if (gone >= 0)
        epoll_ctl(both, EPOLL_CTL_ADD, gone, &event);
    return both;
}

static void set_cancel(struct session *s, int fd)
{
    s->k.cancel = fd;
    if (s->k.client)
        client_set_cancel(s->k.client, fd);
}

/* One of ours into the shell's stages [i + 1, to). */
static int run_into_shell(struct session *s, const struct pipeline *p, size_t i, size_t to, const struct io *io,
                          FILE *out)
{
    int ends[2];
    struct err e = ERR_INIT;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        err_sys(&e, errno, "pipe");
        return told(io, &e);
    }
    const struct io reading = {out, io->err, ends[0], true};
    const pid_t pid = start_shell(s, p, i + 1, to, &reading);
    close(ends[0]);
    FILE *into = fdopen(ends[1], "we");
    if (pid < 0 || !into) {
        if (into)
            fclose(into);
        else
            close(ends[1]);
        return pid < 0 ? 1 : program_wait(s, pid);
    }
    _auto_close_ int gone = (int)syscall(SYS_pidfd_open, pid, 0);
    _auto_close_ int cancel = cancel_with(s->cancel, gone);
    const struct io writing = {into, io->err, io->in, io->given};
    set_cancel(s, cancel);
    run_ours(s, &p->stages[i], &writing);
    set_cancel(s, s->cancel);
    fclose(into);
    return program_wait(s, pid);
}

/* From stage *at on as much as runs at once; *at is moved behind it. */
static int run_part(struct session *s, const struct pipeline *p, size_t *at, const struct io *io, FILE *kept)
{
    const size_t from = *at;
    const bool ours = stage_ours(&p->stages[from], from == 0);
    const size_t to = ours ? shell_until(p, from + 1) : shell_until(p, from);
    FILE *out = to < p->len ? kept : io->out;
    const struct io part = {out, io->err, io->in, io->given};
    *at = to;
    if (!ours)
        return run_shell(s, p, from, to, &part);
    return to > from + 1 ? run_into_shell(s, p, from, to, io, out) : run_ours(s, &p->stages[from], &part);
}

static int run_stages(struct session *s, const struct pipeline *p, const struct io *io)
{
    _auto_close_ int before = -1;
    struct io now = *io;
    int code = 0;
    for (size_t at = 0; at < p->len && !session_interrupted(s);) {
        const int memory = memfd_create("pipe", MFD_CLOEXEC);
        FILE *kept = memory < 0 ? NULL : fdopen(memory, "w+e");
        if (!kept)
            return 1;
        code = run_part(s, p, &at, &now, kept);
        fflush(kept);
        if (before >= 0)
            close(before);
        before = fcntl(memory, F_DUPFD_CLOEXEC, 3);
        fclose(kept);
        lseek(before, 0, SEEK_SET);
        now.in = before;
        now.given = true;
    }
    return code;
}

/* "&": kubectl's verbs as a process of their own, anything else in the shell. */
static int run_background(struct session *s, const struct pipeline *p, const struct io *io)
{
    const struct expansion x = {s->last, session_substitute, s};
    _auto_strlist_ struct strlist words = {0};
    const struct stage *g = &p->stages[0];
    struct err e = ERR_INIT;
    const bool ours = p->len == 1 && stage_ours(g, true);
    strlist_add(&words, s->cli->self_exe);
    strlist_add(&words, "kubectl");
    strlist_addf(&words, "--namespace=%s", s->k.ns);
    if (s->config)
        strlist_addf(&words, "--kubeconfig=%s", s->config);
    if (s->context)
        strlist_addf(&words, "--context=%s", s->context);
    for (size_t i = ours && kubectl_word(g->words.items[0]); i < g->words.len; i++)
        if (expand_word(&x, g->words.items[i], &words, &e) < 0)
            return told(io, &e);
    const char **argv = xcalloc(words.len + 1, sizeof *argv);
    memcpy(argv, words.items, words.len * sizeof *argv);
    const struct program program = {argv, -1, fileno(io->out), fileno(io->err), true};
    const struct io quiet = {io->out, io->err, -1, true};
    const pid_t pid = ours ? program_start(&program, &e) : start_shell(s, p, 0, p->len, &quiet);
    free(argv);
    if (pid < 0)
        return e.code == ERR_OK ? 1 : told(io, &e);
    jobs_add(s, pid, g->raw);
    if (s->interactive)
        fprintf(io->err, "%d\n", (int)pid);
    return 0;
}

static int run_pipeline(struct session *s, const struct pipeline *p, const struct io *io)
{
    if (p->background)
        return run_background(s, p, io);
    return p->shell ? run_shell(s, p, 0, 1, io) : run_stages(s, p, io);
}

int session_run(struct session *s, const struct script *script, const struct io *io)
{
    for (size_t i = 0; i < script->len && !s->done; i++) {
        const enum joint joint = script->items[i].joint;
        if ((joint == JOINT_AND && s->last != 0) || (joint == JOINT_OR && s->last == 0))
            continue;
        s->last = run_pipeline(s, &script->items[i], io);
        if (session_interrupted(s))
            return s->last = EXIT_INTERRUPTED;
    }
    return s->last;
}

int session_substitute(void *session, const char *text, struct buf *out, struct err *e)
{
    struct session *s = session;
    _auto_script_ struct script script = {0};
    const int memory = memfd_create("told", MFD_CLOEXEC);
    _auto_file_ FILE *f = memory < 0 ? NULL : fdopen(memory, "w+e");
    if (!f)
        return err_sys(e, errno, "$(…)");
    if (script_parse(text, true, &script, e) < 0)
        return -1;
    session_run(s, &script, &(struct io){f, stderr, -1, true});
    rewind(f);
    for (size_t n = 1; n > 0;) {
        n = fread(buf_reserve(out, 4096), 1, 4096, f);
        out->len += n;
        out->data[out->len] = '\0';
    }
    return 0;
}
