/* notes.c - what other threads tell the loop: a container ended, a hook or a probe has its answer.
 *
 * DESIGN: a note is addressed to a pod (namespace, name, uid) and put into one queue; the pod's key is enqueued, and
 * its next reconcile takes its notes out in the order they came. Ends of containers come with the container's id only,
 * so who starts one says beforehand whose it will be (note_expect); an end that nobody expects is dropped.
 *
 * INVARIANTS: a note is taken by exactly one reconcile of its key, or freed with the kubelet. Times of ends are read
 * from the kubelet's own clock, so that back-offs follow it wherever it is moved.
 *
 * THREADS: any; all lists are under k->mu. loop_enqueue() is called under it, so that the loop cannot go away
 * meanwhile. */
#include "kubeletsim/pod_int.h"

#include <stdlib.h>

void note_free(struct note *n)
{
    while (n) {
        struct note *next = n->next;
        free(n->ns);
        free(n->pod);
        free(n->uid);
        action_free(n->action);
        free(n);
        n = next;
    }
}

static void note_post_locked(struct kubelet *k, struct note *take_note)
{
    *k->notes_tail = take_note;
    k->notes_tail = &take_note->next;
    if (k->pods_loop)
        loop_enqueue(k->pods_loop, take_note->ns, take_note->pod);
}

static struct note *note_new(const char *ns, const char *pod, const char *uid)
{
    struct note *n = xcalloc(1, sizeof *n);
    n->ns = xstrdup(ns);
    n->pod = xstrdup(pod);
    n->uid = xstrdup(uid);
    return n;
}

void note_action(struct kubelet *k, struct action *take_action)
{
    struct note *n = note_new(take_action->ns, take_action->pod, take_action->uid);
    n->action = take_action;
    pthread_mutex_lock(&k->mu);
    note_post_locked(k, n);
    pthread_mutex_unlock(&k->mu);
}

struct note *notes_take(struct kubelet *k, const char *ns, const char *pod)
{
    struct note *mine = NULL, **end = &mine;
    pthread_mutex_lock(&k->mu);
    struct note **at = &k->notes;
    while (*at) {
        struct note *n = *at;
        if (!str_eq(n->ns, ns) || !str_eq(n->pod, pod)) {
            at = &n->next;
            continue;
        }
        *at = n->next;
        n->next = NULL;
        *end = n;
        end = &n->next;
    }
    k->notes_tail = at;
    pthread_mutex_unlock(&k->mu);
    return mine;
}

/* -- ends of containers -- */

static void expected_free(struct expected *x)
{
    free(x->ns);
    free(x->pod);
    free(x->uid);
    free(x);
}

/* Removes and returns the entry of that container, or NULL. */
static struct expected *expected_take_locked(struct kubelet *k, const char *id)
{
    for (struct expected **at = &k->expected; *at; at = &(*at)->next) {
        struct expected *x = *at;
        if (!str_eq(x->id, id))
            continue;
        *at = x->next;
        return x;
    }
    return NULL;
}

void note_expect(struct kubelet *k, const struct pod_run *p, const char *id)
{
    struct expected *x = xcalloc(1, sizeof *x);
    snprintf(x->id, sizeof x->id, "%s", id);
    x->ns = xstrdup(p->ns);
    x->pod = xstrdup(p->name);
    x->uid = xstrdup(p->uid);
    pthread_mutex_lock(&k->mu);
    x->next = k->expected;
    k->expected = x;
    pthread_mutex_unlock(&k->mu);
}

void note_forget(struct kubelet *k, const char *id)
{
    pthread_mutex_lock(&k->mu);
    struct expected *x = expected_take_locked(k, id);
    pthread_mutex_unlock(&k->mu);
    if (x)
        expected_free(x);
}

void notes_exit(void *kubelet, const struct exit_info *info)
{
    struct kubelet *k = kubelet;
    pthread_mutex_lock(&k->mu);
    struct expected *x = expected_take_locked(k, info->id);
    if (x) {
        struct note *n = note_new(x->ns, x->pod, x->uid);
        n->is_exit = true;
        n->exit = *info;
        n->exit.finished_ns = kubelet_now(k);
        note_post_locked(k, n);
        expected_free(x);
    }
    pthread_mutex_unlock(&k->mu);
}

void notes_release(struct kubelet *k)
{
    note_free(k->notes);
    k->notes = NULL;
    k->notes_tail = &k->notes;
    while (k->expected) {
        struct expected *next = k->expected->next;
        expected_free(k->expected);
        k->expected = next;
    }
}
