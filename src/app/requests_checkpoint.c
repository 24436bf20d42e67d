/* requests_checkpoint.c - the control socket's answers to `stowage checkpoint` and to labs that are reset. */
#include "app/checkpoint.h"
#include "app/requests_int.h"

#include "base/json.h"
#include "base/mem.h"

static int answer(struct request_job *j, json_t *take_told)
{
    json_object_set_new(j->result, "told", take_told);
    return 0;
}

static struct checkpoints *of(const struct request_job *j)
{
    return cluster_checkpoints(j->cluster);
}

static const char *name_of(const struct request_job *j)
{
    return jstr_or(j->request, "name", "");
}

static int run_save(struct request_job *j, struct strlist *lines _unused_, struct err *e)
{
    json_t *told = NULL;
    const int rc = checkpoint_save(of(j), name_of(j), jbool(j->request, "replace", false), &told, e);
    return rc < 0 ? -1 : answer(j, told);
}

static int run_restore(struct request_job *j, struct strlist *lines _unused_, struct err *e)
{
    json_t *told = NULL;
    return checkpoint_restore(of(j), name_of(j), &told, e) < 0 ? -1 : answer(j, told);
}

static int run_diff(struct request_job *j, struct strlist *lines _unused_, struct err *e)
{
    json_t *told = NULL;
    return checkpoint_diff(of(j), name_of(j), &told, e) < 0 ? -1 : answer(j, told);
}

static int run_list(struct request_job *j, struct strlist *lines _unused_, struct err *e _unused_)
{
    return answer(j, checkpoint_list(of(j)));
}

static int run_remove(struct request_job *j, struct strlist *lines _unused_, struct err *e)
{
    return checkpoint_remove(of(j), name_of(j), e);
}

#define OP(word)                                                                                                       \
    static int op_##word(struct cluster *c, const json_t *r, json_t **out, int fds[4], struct err *e)                  \
    {                                                                                                                  \
        return request_job_start(c, r, run_##word, -1, out, fds, e);                                                   \
    }
OP(save)
OP(restore)
OP(diff)
OP(list)
OP(remove)
#undef OP

const struct request_op checkpoint_request_ops[] = {
    {"checkpoint-save", op_save}, {"checkpoint-restore", op_restore}, {"checkpoint-diff", op_diff},
    {"checkpoint-ls", op_list},   {"checkpoint-rm", op_remove},       {NULL, NULL},
};
