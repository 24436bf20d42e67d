/* seal.c - a cluster whose users change nothing any more: the end of an exam (apiserver.h).
 *
 * DESIGN: a moment of the machine's clock, asked at each request: so it holds whoever is alive when it comes, and
 * nobody has to be there at that very second. What reads is let through; what could change an object, a volume's bytes
 * or a node is not: every other verb, and streams into pods and nodes whatever their verb (exec may be a GET). Streams
 * that are open at that moment end. Controllers, kubelets and drivers go on: they do not come by here.
 *
 * Who has the pass is the judge and may do everything: it is made anew with each process and told by the control socket
 * only. THREADS: any. */
#include "apiserver/seal_int.h"

#include "apiserver/reply_int.h"
#include "apiserver/server_int.h"
#include "apiserver/upgrade_int.h"
#include "base/str.h"

#include <stddef.h>
#include <stdio.h>
#include <time.h>

static const char *const reading[] = {"get", "list", "watch", NULL};
static const char *const streams[] = {"exec", "attach", "portforward", "proxy", NULL};

static const char *const questions[] = {"authentication.k8s.io", "authorization.k8s.io", NULL}; /* who am I, may I? */

static int64_t closes(struct wake *wk, unsigned why)
{
    (void)why;
    struct seal *seal = (struct seal *)((char *)wk - offsetof(struct seal, wake));
    struct apiserver *s = (struct apiserver *)((char *)seal - offsetof(struct apiserver, seal));
    if (apiserver_sealed(s)) {
        upgrades_end(s->upgrades);
        if (seal->sealed)
            seal->sealed(seal->arg);
    }
    return WAKE_NEVER;
}

void seal_init(struct seal *s)
{
    unsigned char bytes[sizeof s->pass / 2];
    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(s->pass + 2 * i, 3, "%02x", bytes[i]);
    s->wake = (struct wake){.fire = closes, .fd = -1};
}

static bool among(const char *word, const char *const *list)
{
    while (*list && !str_eq(word, *list))
        list++;
    return *list;
}

static bool only_reads(const struct target *t)
{
    if (!t->is_resource)
        return !str_eq(t->path, "/console/shell"); /* the console's questions have answers of their own */
    return among(t->group, questions) || (among(t->verb, reading) && !among(t->sub, streams));
}

bool seal_refuses(struct request *rq)
{
    struct err e = ERR_INIT;
    if (!apiserver_sealed(rq->srv) || rq->user.judge || only_reads(&rq->target))
        return false;
    err_set(&e, ERR_FORBIDDEN, SEALED_TEXT);
    reply_err(rq, &e);
    return true;
}

void apiserver_seal(struct apiserver *s, int64_t at)
{
    const int64_t left = at - time(NULL);
    atomic_store(&s->seal.at, at);
    if (at)
        waker_arm(s->waker, &s->seal.wake, -1, 0, waker_now_ms() + (left > 0 ? left * 1000 : 0));
}

void apiserver_on_seal(struct apiserver *s, void (*sealed)(void *arg), void *arg)
{
    s->seal.sealed = sealed;
    s->seal.arg = arg;
}

int64_t apiserver_seal_at(const struct apiserver *s)
{
    return atomic_load(&s->seal.at);
}

const char *apiserver_seal_pass(const struct apiserver *s)
{
    return s->seal.pass;
}

bool apiserver_sealed(const struct apiserver *s)
{
    const int64_t at = atomic_load(&s->seal.at);
    return at && time(NULL) >= at;
}
