/* session.c - see session.h. */
#include "kubectl/session.h"

#include "base/json.h"
#include "base/str.h"
#include "base/term.h"

#include <string.h>
#include <unistd.h>

struct joined {
    struct call *c;
    const struct pod_session *s;
    struct term term;
    bool redraw; /* the wrong size is still to be told */
};

/* ---- what client_run() asks ---- */

static int output(void *arg, int which, const void *data, size_t n, struct err *e)
{
    struct joined *j = arg;
    FILE *to = which == 1 ? j->c->k->out : j->c->k->err;
    if (j->s->output)
        return j->s->output(j->s->arg, which, data, n, e);
    if (fwrite(data, 1, n, to) != n || fflush(to) != 0)
        return err_set(e, ERR_SYS, "write: output is gone");
    return 0;
}

static ssize_t supply(void *arg, void *buf, size_t n, struct err *e)
{
    struct joined *j = arg;
    return j->s->supply(j->s->arg, buf, n, e);
}

static void size(void *arg, int *out_width, int *out_height)
{
    struct joined *j = arg;
    term_take(&j->term);
    if (!term_size(j->term.fd, out_width, out_height))
        return;
    *out_width += j->redraw;
    *out_height += j->redraw;
    if (j->redraw) /* the right one follows */
        raise(SIGWINCH);
    j->redraw = false;
}

/* ---- exec, attach ---- */

static void add_flag(struct buf *path, const char *name, bool on)
{
    if (on)
        call_query(path, name, "true");
}

static void write_path(const struct pod_session *s, bool raw, struct buf *path)
{
    pod_path(s->ns, s->pod, s->sub, path);
    for (const char *const *word = s->command; word && *word; word++)
        call_query(path, "command", *word);
    call_query(path, "container", s->container);
    add_flag(path, "stderr", !raw);
    add_flag(path, "stdin", s->in);
    add_flag(path, "stdout", true);
    add_flag(path, "tty", raw);
}

int pod_session_run(struct call *c, const struct pod_session *s, int *out_code, bool *out_raw, struct err *e)
{
    _auto_buf_ struct buf path = BUF_INIT;
    struct joined j = {.c = c, .s = s, .term = {.signals = -1}};
    struct client *client = call_client(c);
    if (!client)
        return err_set(e, ERR_OK, "%s", "");
    const bool raw = s->in && s->tty && isatty(c->k->in);
    if (s->in && s->tty && !raw && !s->quiet)
        fputs("Unable to use a TTY - input is not a terminal or the right kind of file\n", c->k->err);
    fflush(c->k->out);
    fflush(c->k->err);
    j.redraw = raw && s->redraw;
    write_path(s, raw, &path);
    if (raw)
        term_begin(&j.term, c->k->in, true);
    const struct client_stream stream = {.path = buf_str(&path),
                                         .in = s->in && !s->supply ? c->k->in : -1,
                                         .supply = s->supply ? supply : NULL,
                                         .resize = j.term.signals,
                                         .output = output,
                                         .size = raw ? size : NULL,
                                         .arg = &j,
                                         .timeout_ms = s->timeout_ms};
    const int rc = client_run(client, &stream, out_code, e);
    term_end(&j.term);
    if (out_raw)
        *out_raw = raw;
    if (rc < 0) {
        json_decref(c->failure);
        c->failure = client_take_refusal(client);
    }
    return rc;
}

int pod_session_ended(struct call *c, int code)
{
    if (code != 0)
        fprintf(c->k->err, "command terminated with exit code %d\n", code);
    return c->code = code;
}

/* ---- attach ---- */

static void tell_resume(struct call *c, const json_t *pod, const char *container, const char *command)
{
    const char *where = "", *name = jstr_or(pod, "metadata.name", "");
    pod_container(pod, container, &where);
    if (!str_eq(jstr(pod, "spec.restartPolicy"), "Always"))
        return;
    if (str_eq(where, "spec.ephemeralContainers"))
        fprintf(c->k->out,
                "Session ended, the ephemeral container will not be restarted but may be reattached using "
                "'%s %s -c %s -i -t' if it is still running\n",
                command, name, container);
    else
        fprintf(c->k->out, "Session ended, resume using '%s %s -c %s -i -t' command when the pod is running\n", command,
                name, container);
}

int pod_attach(struct call *c, const json_t *pod, const struct attachment *a, struct err *e)
{
    const json_t *container;
    bool raw;
    int code;
    if (pod_choose_container(pod, a->container, a->quiet ? NULL : c->k->err, &container, e) < 0)
        return e->code == ERR_OK ? -1 : err_wrap(e, "cannot attach to the container");
    const char *name = jstr_or(container, "name", "");
    const bool has_tty = jbool(container, "tty", false);
    if (a->tty && !has_tty && !a->quiet)
        fprintf(c->k->err, "error: Unable to use a TTY - container %s did not allocate one\n", name);
    const struct pod_session s = {.ns = jstr_or(pod, "metadata.namespace", ""),
                                  .pod = jstr_or(pod, "metadata.name", ""),
                                  .container = name,
                                  .sub = "attach",
                                  .in = a->in,
                                  .tty = has_tty,
                                  .quiet = a->quiet,
                                  .redraw = true};
    if (!a->quiet)
        fputs("If you don't see a command prompt, try pressing enter.\n", c->k->err);
    if (pod_session_run(c, &s, &code, &raw, e) < 0)
        return -1;
    if (code != 0)
        return pod_session_ended(c, code), 0;
    if (!a->quiet && a->in && raw)
        tell_resume(c, pod, name, a->command);
    return 0;
}

static int print(void *arg, const void *data, size_t n, struct err *e)
{
    if (fwrite(data, 1, n, arg) != n)
        return err_set(e, ERR_SYS, "write: output is gone");
    return 0;
}

int pod_log(struct call *c, const json_t *pod, const char *container, bool quiet, struct err *e)
{
    const json_t *chosen;
    _auto_buf_ struct buf path = BUF_INIT;
    _auto_client_answer_ struct client_answer a = {0};
    if (pod_choose_container(pod, container, quiet ? NULL : c->k->err, &chosen, e) < 0)
        return -1;
    pod_path(jstr_or(pod, "metadata.namespace", ""), jstr_or(pod, "metadata.name", ""), "log", &path);
    call_query(&path, "container", jstr_or(chosen, "name", ""));
    const struct client_request rq = {
        .path = buf_str(&path), .accept = "application/json, */*", .timeout_ms = -1, .take = print, .arg = c->k->out};
    return call_request(c, &rq, &a, e);
}

int pod_attach_or_log(struct call *c, const json_t *pod, const struct attachment *a, struct err *e)
{
    if (pod_attach(c, pod, a, e) == 0)
        return 0;
    fprintf(c->k->err, "warning: couldn't attach to pod/%s, falling back to streaming logs: %s\n",
            jstr_or(pod, "metadata.name", ""), e->msg);
    json_decref(TAKE(c->failure));
    err_clear(e);
    return pod_log(c, pod, a->container, a->quiet, e);
}
