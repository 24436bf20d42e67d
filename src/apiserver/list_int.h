/* list_int.h - the options of lists and watches, resource versions, continue tokens. */
#ifndef STOWAGE_APISERVER_LIST_INT_H
#define STOWAGE_APISERVER_LIST_INT_H

#include "api/selector.h"
#include "api/status.h"
#include "apiserver/request_int.h"

struct list_opts {
    bool watch;
    int64_t limit;             /* 0 = none */
    const char *cont;          /* "" */
    const char *rv;            /* as given, "" */
    const char *match;         /* resourceVersionMatch, "" */
    bool bookmarks;            /* allowWatchBookmarks */
    bool has_initial, initial; /* sendInitialEvents */
    bool has_timeout;
    int64_t timeout_s;
    struct label_selector *labels; /* owned; NULL = all */
    struct field_selector *fields; /* owned; NULL = all */
};
#define _auto_list_opts_ __attribute__((cleanup(list_opts_release)))
void list_opts_release(struct list_opts *o);

/* Reads and checks the query. -1: the refusal (400, 422) has been sent. */
int list_opts_read(struct request *rq, bool watch, struct list_opts *out);
bool list_opts_match(const struct list_opts *o, const json_t *tree);
bool list_opts_selects(const struct list_opts *o); /* is there any selector? */
/* What is wrong with the combination, as the real validation says it. */
void list_opts_check(const struct list_opts *o, struct field_errors *errs);

/* A decimal revision, or the error text of a real server ("resourceVersion: Invalid value: …"). */
int rv_parse(const char *text, uint64_t *out, struct err *e);
/* Calls `then` at once if the store is at least at `rv`; else up to 3 s later, or answers 504. */
void rv_wait(struct request *rq, uint64_t rv, void (*then)(struct request *rq));

/* A place in a list: after this key, in the state of that revision (-1: the present one). */
struct continue_at {
    int64_t rv;
    const char *ns, *name;
};
/* Returns text in the arena. `one_ns`: the list is of one namespace. */
const char *continue_encode(struct arena *a, const struct continue_at *at, bool one_ns);
int continue_decode(struct arena *a, const char *token, bool namespaced, bool one_ns, struct continue_at *out,
                    struct err *e);

#endif
