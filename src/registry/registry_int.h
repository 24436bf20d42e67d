/* registry_int.h - what the files of the door share: the registry, one operation on its way through, and small tools.
 *
 * A `struct op` is one call of reg_*(): who asks, for what, when, and where the answer goes. It lives on the stack of
 * the entry point; op_end() is its cleanup. Steps return 0, or -1 after op_fail*() has filled the answer and the error.
 */
#ifndef STOWAGE_REGISTRY_REGISTRY_INT_H
#define STOWAGE_REGISTRY_REGISTRY_INT_H

#include "api/status.h"
#include "base/json.h"
#include "base/mem.h"
#include "registry/node_ops.h"
#include "registry/registry.h"

#include <pthread.h>

struct strategy;

#define SIBLING_SLOTS 128
/* Of each kind the version that was committed last, see siblings.c. */
struct siblings {
    pthread_mutex_t mu;               /* taken last */
    struct sobj *last[SIBLING_SLOTS]; /* under mu; owned, or NULL */
};

struct registry {
    struct store *store;       /* borrowed */
    const struct clock *clock; /* borrowed */
    char *service_cidr;        /* owned */
    char *pod_cidr;            /* owned */
    const struct node_ops *node_ops;
    void *node_self;
    const struct token_ops *token_ops;
    void *token_self;
    /* Held from the choice of a cluster IP or node port to the commit of its Service. Taken before any lock of the
     * store. */
    pthread_mutex_t service_mu;
    /* Held from the check of a namespace's quotas to the commit of what they granted. Taken after service_mu, before
     * any lock of the store. */
    pthread_mutex_t quota_mu;
    struct siblings siblings;
};

struct op {
    struct registry *r;
    const struct reg_ctx *ctx;
    const struct reg_target *t;
    const struct resource *res;
    const struct strategy *st;
    struct reg_answer *ans;
    struct err *e;
    int64_t now_ns;
    char now[TIME_TEXT_LEN];
    bool holds_services;     /* service_mu is ours */
    bool holds_quotas;       /* quota_mu is ours */
    bool charged;            /* quotas count what this op has not committed yet */
    struct reg_later *later; /* borrowed: the commit need not be waited for; or NULL */
};
#define _auto_op_ __attribute__((cleanup(op_end)))

/* Clears the answer. */
void op_begin(struct op *op, struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t,
              struct reg_answer *ans, struct err *e);
void op_end(struct op *op);

/* All return -1: answer = Status, err = its code and message. */
int op_fail(struct op *op, json_t *take_status);
int op_fail_code(struct op *op, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int op_fail_err(struct op *op);                        /* from what a lower floor put in op->e */
int op_fail_plain(struct op *op, const char *fmt, ...) /* a 500 without reason: a bare Go error */
    __attribute__((format(printf, 2, 3)));
int op_forbid(struct op *op, const json_t *obj, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* definitions.c: the CustomResourceDefinitions of what is built in. */
int definitions_make(struct registry *r, struct err *e);
/* The group that refusals of the object itself name. */
const char *op_kind_group(const struct op *op);
int op_invalid(struct op *op, const char *name, const struct field_errors *errs);
int op_not_found(struct op *op);
int op_conflict(struct op *op, const char *why_fmt, ...) __attribute__((format(printf, 2, 3)));

/* Answers. */
int op_answer_obj(struct op *op, int http, struct sobj *take_obj);
int op_answer_tree(struct op *op, int http, json_t *take_tree);

/* -- the steps -- */
/* Decodes and defaults the body of the main resource. */
int op_decode(struct op *op, struct reg_body *body, json_t **out_obj);
/* What decoding does beyond the schema: conditional defaults and the kind's conversions. */
void op_default(struct op *op, json_t *obj);
/* An error of decode_*() about a request body. */
void op_manage(struct op *op, const json_t *live, json_t *obj, const char *subresource);
/* Everything from admission to commit. `take_obj` is decoded, defaulted and managed. */
int op_create(struct op *op, json_t *take_obj);

/* A change of an existing object: make() builds the wanted state from the live one (NULL only with may_create) and is
 * called again when somebody else was faster. */
struct change {
    int (*make)(struct op *op, const json_t *live, void *arg, json_t **out_obj);
    void *arg;
    const char *uid; /* precondition, or NULL */
    bool may_create; /* apply, and kinds that PUT may create */
    bool ours;       /* make() edits spec and status as the server itself: neither split nor validated */
};
int op_update(struct op *op, const struct change *c);

/* One of our own loops, as who asks. */
struct reg_ctx loop_ctx(const char *who);

/* The forms of shared buckets. */
json_t *view_to_store(const struct resource *res, json_t *take_tree);

int op_delete(struct op *op, const struct reg_delete_opts *o);
/* Tells a client that names no policy what becomes of a job's pods. */
void op_warn_orphans(const struct op *op, const struct reg_delete_opts *o);

/* -- siblings.c: one memory for what versions have in common -- */
/* Takes over what is equal in the other one; `obj` is about to be committed. */
void versions_share(json_t *obj, const json_t *other);
void siblings_share(struct registry *r, const struct resource *res, json_t *obj);
void siblings_note(struct registry *r, const struct sobj *made);
void siblings_forget(struct registry *r);

/* Two texts of one moment; metav1.Time. */
void seconds_after(int64_t now_ns, int64_t seconds, char out[TIME_TEXT_LEN]);

#endif
