/* shell.c - /console/shell?node=NAME: a terminal on a node, for a browser.
 *
 * DESIGN: an exec whose node operations are ours: the process comes from the control socket's "shell", the protocol and
 * the loop are exec's own. THREADS: as exec. */
#include "apiserver/console/console_int.h"
#include "apiserver/server_int.h"
#include "apiserver/stream/exec_int.h"
#include "apiserver/stream/ws_int.h"
#include "apiserver/stream_int.h"
#include "base/json.h"
#include "base/mem.h"

static int start_shell(void *self, const struct exec_req *req, struct exec_session *out, struct err *e)
{
    const struct console *c = self;
    int fds[4] = {-1, -1, -1, -1};
    _auto_json_ json_t *answer = NULL;
    _auto_json_ json_t *request =
        json_pack("{s:s, s:s, s:b, s:s}", "op", "shell", "node", req->pod, "tty", true, "term", "xterm-256color");
    if (c->conf.answer(c->conf.arg, request, &answer, fds, e) < 0)
        return -1;
    *out = (struct exec_session){.in = fds[0], .out = -1, .err = -1, .exit_fd = fds[1]};
    return 0;
}

static const struct node_ops shell_ops = {.exec = start_shell};

void console_shell(struct request *rq)
{
    const char *node = query_get(&rq->query, "node");
    if (!ws_requested(rq)) {
        stream_refuse(rq, ERR_BAD_REQUEST, "Upgrade request required");
        return;
    }
    struct exec_run *x = exec_new(rq, &shell_ops, rq->srv->console);
    x->want_stdin = x->want_stdout = x->tty = true;
    x->ns = xstrdup("");
    x->pod = xstrdup(node ? node : "");
    x->container = xstrdup("");
    exec_ws_open(rq, x);
}
