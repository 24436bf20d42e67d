/* op.c - one operation on its way through the door: its failures, its answers, and the steps every write shares.
 *
 * A failure has two readers: a loop wants a code and a line (op->e), a client the whole Status (ans->body). Both are
 * filled here and nowhere else, so they cannot disagree. THREADS: an op belongs to one thread. */
#include "registry/meta_int.h"
#include "registry/quota_int.h"
#include "registry/registry_int.h"
#include "registry/strategy_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void reg_answer_release(struct reg_answer *a)
{
    sobj_unref(a->obj);
    json_decref(a->body);
    *a = (struct reg_answer){0};
}

void op_begin(struct op *op, struct registry *r, const struct reg_ctx *ctx, const struct reg_target *t,
              struct reg_answer *ans, struct err *e)
{
    *ans = (struct reg_answer){0};
    *op = (struct op){.r = r, .ctx = ctx, .t = t, .res = t->res, .ans = ans, .e = e};
    op->st = strategy_of(t->res);
    op->now_ns = clock_wall_ns(r->clock);
    time_format(op->now_ns, op->now);
}

void op_end(struct op *op)
{
    quota_settle(op);
    if (op->holds_services)
        pthread_mutex_unlock(&op->r->service_mu);
    op->holds_services = false;
}

int op_fail(struct op *op, json_t *take_status)
{
    reg_answer_release(op->ans);
    op->ans->http = (int)jint(take_status, "code", 500);
    op->ans->body = take_status;
    return status_to_err(take_status, op->e);
}

int op_fail_err(struct op *op)
{
    struct err seen = *op->e;
    op_fail(op, status_from_err(&seen, op->res, op->t->name));
    *op->e = seen; /* a loop wants NO_SPACE, not the 500 it becomes */
    return -1;
}

/* The arguments may point into op->e. */
static int fail_v(struct op *op, enum err_code code, const char *fmt, va_list ap)
{
    struct err made = {.code = code};
    vsnprintf(made.msg, sizeof made.msg, fmt, ap);
    *op->e = made;
    return op_fail_err(op);
}

int op_fail_code(struct op *op, enum err_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = fail_v(op, code, fmt, ap);
    va_end(ap);
    return rc;
}

int op_fail_plain(struct op *op, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = fail_v(op, ERR_INTERNAL, fmt, ap);
    va_end(ap);
    return rc;
}

int op_forbid(struct op *op, const json_t *obj, const char *fmt, ...)
{
    char why[sizeof op->e->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    const char *name = obj ? meta_name(obj) : "";
    if (!*name && obj)
        name = jstr_or(obj, "metadata.generateName", "");
    return op_fail(op, status_forbidden(op->res, *name ? name : op->t->name, why));
}

/* A view of another group's objects is checked, and refused, as what is stored. */
const char *op_kind_group(const struct op *op)
{
    return strcmp(op->res->group, "events.k8s.io") == 0 ? "" : op->res->group;
}

int op_invalid(struct op *op, const char *name, const struct field_errors *errs)
{
    return op_fail(op, status_invalid(op_kind_group(op), op->res->kind, name, errs));
}

int op_not_found(struct op *op)
{
    return op_fail(op, status_not_found(op->res, op->t->name));
}

int op_conflict(struct op *op, const char *fmt, ...)
{
    char why[sizeof op->e->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return op_fail(op, status_conflict(op->res, op->t->name, why));
}

/* The stored object goes out as it is, unless this resource shows it in another form. */
int op_answer_obj(struct op *op, int http, struct sobj *take_obj)
{
    op->ans->http = http;
    if (!reg_view_converts(op->res)) {
        op->ans->obj = take_obj;
        return 0;
    }
    op->ans->body = reg_view(op->res, take_obj);
    sobj_unref(take_obj);
    return 0;
}

int op_answer_tree(struct op *op, int http, json_t *take_tree)
{
    op->ans->http = http;
    op->ans->body = take_tree;
    return 0;
}

int op_decode(struct op *op, struct reg_body *body, json_t **out_obj)
{
    json_t *obj = NULL;
    struct decode_opts opts = {.want = op->res, .media = body->media, .fields = op->ctx->fields};
    if (op->ctx->loop)
        opts.fields = FIELDS_IGNORE;
    int rc = body->tree ? decode_tree(&opts, TAKE(body->tree), &obj, op->ctx->warnings, op->e)
                        : decode_object(&opts, body->bytes, body->len, &obj, op->ctx->warnings, op->e);
    if (rc < 0)
        return op_fail_err(op);
    op_default(op, obj);
    *out_obj = obj;
    return 0;
}

void op_default(struct op *op, json_t *obj)
{
    defaults_apply(op->res, obj);
    if (op->st->convert)
        op->st->convert(obj);
}

void op_manage(struct op *op, const json_t *live, json_t *obj, const char *subresource)
{
    const struct reg_ctx *c = op->ctx;
    struct manage_ctx m = {
        .res = op->res,
        .manager = c->manager ? c->manager : (c->user ? c->user : "unknown"),
        .subresource = subresource,
        .now = op->now,
    };
    managed_update(&m, live, obj);
}
