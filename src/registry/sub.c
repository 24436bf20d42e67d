/* sub.c - which subresources and unstored kinds are answered by code of their own.
 *
 * "status" and "finalize" are not here: they are writes of the object itself, told apart in update.c by op->t->sub.
 * Streams (log, exec, attach, portforward) never come here: the API server takes them to node_ops. */
#include "registry/sub_int.h"

#include "api/validate.h"

#include <string.h>

static const struct sub {
    const char *name;
    int (*create)(struct op *op, struct reg_body *body);
    int (*get)(struct op *op);
    int (*update)(struct op *op, struct reg_body *body);
    int (*patch)(struct op *op, enum patch_type type, bool force, struct reg_body *body);
} subs[] = {
    {.name = "binding", .create = binding_create},
    {.name = "eviction", .create = eviction_create},
    {.name = "token", .create = token_create},
    {.name = "scale", .get = scale_get, .update = scale_update, .patch = scale_patch},
};

static const struct sub *sub_of(const struct op *op)
{
    for (size_t i = 0; *op->t->sub && i < ARRAY_LEN(subs); i++)
        if (strcmp(subs[i].name, op->t->sub) == 0)
            return &subs[i];
    return NULL;
}

static int not_allowed(struct op *op)
{
    return op_fail_code(op, ERR_METHOD_NOT_ALLOWED, "the server does not allow this method on the requested resource");
}

bool sub_create(struct op *op, struct reg_body *body, int *out_rc)
{
    const struct sub *s = sub_of(op);
    if (!*op->t->sub && op->res->list_kind)
        return false;
    if (!*op->t->sub)
        *out_rc = strcmp(op->res->plural, "bindings") == 0 ? binding_create(op, body) : review_create(op, body);
    else
        *out_rc = s && s->create ? s->create(op, body) : not_allowed(op);
    return true;
}

bool sub_get(struct op *op, int *out_rc)
{
    const struct sub *s = sub_of(op);
    if (s)
        *out_rc = s->get ? s->get(op) : not_allowed(op);
    return s != NULL;
}

bool sub_update(struct op *op, struct reg_body *body, int *out_rc)
{
    const struct sub *s = sub_of(op);
    if (s)
        *out_rc = s->update ? s->update(op, body) : not_allowed(op);
    return s != NULL;
}

bool sub_patch(struct op *op, enum patch_type type, bool force, struct reg_body *body, int *out_rc)
{
    const struct sub *s = sub_of(op);
    if (s)
        *out_rc = s->patch ? s->patch(op, type, force, body) : not_allowed(op);
    return s != NULL;
}

int sub_decode(struct op *op, const char *type, struct reg_body *body, json_t **out_tree)
{
    struct decode_opts opts = {.type = schema_type(type), .media = body->media, .fields = op->ctx->fields};
    if (!opts.type)
        BUG("no schema type %s", type);
    int rc = body->tree ? decode_tree(&opts, TAKE(body->tree), out_tree, op->ctx->warnings, op->e)
                        : decode_object(&opts, body->bytes, body->len, out_tree, op->ctx->warnings, op->e);
    return rc < 0 ? op_fail_err(op) : 0;
}

int sub_answer_created(struct op *op)
{
    return op_answer_tree(op, 201,
                          json_pack("{ss ss s{} ss si}", "kind", "Status", "apiVersion", "v1", "metadata", "status",
                                    "Success", "code", 201));
}
