/* kubectl_record.c - see kubectl_record.h.
 *
 * DESIGN: the kubeconfig that a command uses lies in the data directory of the cluster that it speaks to; whose lab
 * that is, the owner's book tells. A line is written as the prompt reads it: each word quoted where it has to be. */
#include "cli/kubectl_record.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli/lab_place.h"
#include "cli/session_files.h"
#include "cli/session_log.h"
#include "kubectl/files.h"
#include "lab/book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Of the cluster whose kubeconfig this is; false: none of a lab. */
static bool find_lab(struct kubectl_record *r, const char *kubeconfig)
{
    const char *slash = kubeconfig ? strrchr(kubeconfig, '/') : NULL;
    _auto_free_ char *data = slash && *kubeconfig == '/' ? xstrndup(kubeconfig, (size_t)(slash - kubeconfig)) : NULL;
    _auto_free_ char *owner = data ? lab_owner(data) : NULL;
    _auto_free_ char *home = owner ? xasprintf("%s/labs", owner) : NULL;
    _auto_free_ char *path = home ? xasprintf("%s/book.db", home) : NULL;
    _auto_attempt_ struct attempt at = {0};
    struct book *book = NULL;
    struct err none = ERR_INIT;
    if (!path || access(path, R_OK) < 0 || book_open(path, &book, &none) < 0)
        return false;
    const bool found = book_current(book, &at, &none) == 0;
    book_close(book);
    _auto_free_ char *dir = found ? lab_cluster_dir(home, at.exam ? at.id : 0) : NULL;
    _auto_free_ char *its = dir ? xasprintf("%s/data", dir) : NULL;
    if (!found || !str_eq(its, data))
        return false;
    r->log = session_log_path(home);
    r->lab = xstrdup(at.lab);
    r->attempt = at.id;
    r->step = at.step;
    return true;
}

/* ---- the line ---- */

static void add_word(struct buf *line, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=@%+";
    if (line->len)
        buf_addc(line, ' ');
    if (*word && !word[strspn(word, plain)])
        buf_adds(line, word);
    else
        buf_add_shell_word(line, word);
}

static bool reads_stdin(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (str_eq(argv[i], "-f-") || str_eq(argv[i], "--filename=-") ||
            (str_eq(argv[i], "-") && (str_eq(argv[i - 1], "-f") || str_eq(argv[i - 1], "--filename"))))
            return true;
    return false;
}

/* A manifest from the input is a heredoc of the line, and read from memory by the command. */
static void keep_input(struct kubectl_record *r, int *in)
{
    _auto_buf_ struct buf text = BUF_INIT;
    const int fd = fd_text(*in, &text) == 0 ? memfd_create("manifest", MFD_CLOEXEC) : -1;
    if (fd < 0 || write(fd, buf_str(&text), text.len) != (ssize_t)text.len || lseek(fd, 0, SEEK_SET) < 0) {
        fprintf(stderr, "stowage: what came by the standard input could not be kept\n");
        if (fd >= 0)
            close(fd);
        return;
    }
    const bool ended = text.len && buf_str(&text)[text.len - 1] == '\n';
    buf_addf(&r->line, " <<'END-OF-INPUT'\n%s%sEND-OF-INPUT", buf_str(&text), ended ? "" : "\n");
    *in = fd;
}

void kubectl_record_begin(struct kubectl_record *r, const char *kubeconfig, int argc, char **argv, int *in)
{
    *r = (struct kubectl_record){.line = BUF_INIT, .began = time(NULL)};
    if (!find_lab(r, kubeconfig))
        return;
    r->files = json_object();
    for (int i = 1; i < argc; i++)
        add_word(&r->line, argv[i]);
    session_files_add(r->files, argv + 1, (size_t)(argc > 0 ? argc - 1 : 0));
    if (reads_stdin(argc, argv) && !isatty(*in))
        keep_input(r, in);
}

void kubectl_record_end(struct kubectl_record *r, const char *ns, int code)
{
    struct err e = ERR_INIT;
    const struct session_record row = {.attempt = r->attempt,
                                       .step = r->step,
                                       .lab = r->lab,
                                       .ns = str_empty(ns) ? "default" : ns,
                                       .line = buf_str(&r->line),
                                       .files = r->files,
                                       .time = r->began,
                                       .exit = code};
    if (r->log && session_log_add(r->log, &row, &e) < 0)
        fprintf(stderr, "stowage: not recorded: %s\n", e.msg);
    free(r->log);
    free(r->lab);
    buf_release(&r->line);
    json_decref(r->files);
}
