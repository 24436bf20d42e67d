/* requests_image.c - the control socket's answers about images: what `stowage image` asks.
 *
 * DESIGN: bringing and taking images takes as long as disks do, so a worker does it (requests_job.c); what it has to
 * say are "lines". What is only told comes in a file, since a long list is more than a packet holds.
 *
 * THREADS: the control socket's; jobs on the cluster's pool, which ends before the images do. */
#include "app/requests_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "control/objects.h"
#include "images/manage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- what is told ---- */

static int answer_in_file(json_t *take_told, json_t **out, int fds[4], struct err *e)
{
    _auto_json_ json_t *told = take_told;
    _auto_close_ int fd = memfd_create("images", MFD_CLOEXEC);
    if (fd < 0 || json_dumpfd(told, fd, JSON_COMPACT) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(e, errno, "the answer");
    fds[0] = TAKE_FD(fd);
    *out = json_object();
    return 0;
}

static int op_list(struct cluster *c, const json_t *r, json_t **out, int fds[4], struct err *e)
{
    return answer_in_file(jbool(r, "built-in", false) ? images_catalogue() : images_list(cluster_images(c)), out, fds,
                          e);
}

static int op_inspect(struct cluster *c, const json_t *r, json_t **out, int fds[4], struct err *e)
{
    size_t i;
    const json_t *ref;
    json_t *list = json_array();
    json_array_foreach(json_object_get(r, "refs"), i, ref)
    {
        json_t *told = NULL;
        const char *name = json_string_value(ref);
        if (images_inspect(cluster_images(c), name ? name : "", &told, e) < 0) {
            json_decref(list);
            return -1;
        }
        json_array_append_new(list, told);
    }
    return answer_in_file(list, out, fds, e);
}

static int op_history(struct cluster *c, const json_t *r, json_t **out, int fds[4], struct err *e)
{
    json_t *told = NULL;
    const char *ref = json_string_value(json_array_get(json_object_get(r, "refs"), 0));
    if (images_history(cluster_images(c), ref ? ref : "", &told, e) < 0)
        return -1;
    return answer_in_file(told, out, fds, e);
}

/* ---- what takes long ---- */

static const char *first_ref(const struct request_job *j)
{
    const char *ref = json_string_value(json_array_get(json_object_get(j->request, "refs"), 0));
    return ref ? ref : "";
}

static int run_import(struct request_job *j, struct strlist *lines, struct err *e)
{
    return images_import(cluster_images(j->cluster), first_ref(j), jstr(j->request, "name"), lines, e);
}

static int run_pull(struct request_job *j, struct strlist *lines, struct err *e)
{
    return images_pull(cluster_images(j->cluster), first_ref(j), lines, e);
}

static int run_export(struct request_job *j, struct strlist *lines _unused_, struct err *e)
{
    _auto_strlist_ struct strlist refs = {0};
    size_t i;
    const json_t *ref;
    json_array_foreach(json_object_get(j->request, "refs"), i, ref)
    {
        strlist_add(&refs, json_string_value(ref) ? json_string_value(ref) : "");
    }
    strlist_take(&refs, NULL);
    return images_export(cluster_images(j->cluster), (const char *const *)refs.items, j->file, e);
}

static int run_tag(struct request_job *j, struct strlist *lines _unused_, struct err *e)
{
    return images_tag(cluster_images(j->cluster), first_ref(j), jstr_or(j->request, "name", ""), e);
}

/* -- removing: not what a pod uses -- */

static void add_uses(struct strlist *used, const json_t *pod)
{
    static const char *const lists[] = {"status.initContainerStatuses", "status.containerStatuses",
                                        "status.ephemeralContainerStatuses"};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i;
        const json_t *c;
        json_array_foreach(jat(pod, lists[l]), i, c)
        {
            strlist_add(used, jstr_or(c, "imageID", ""));
            strlist_add(used, jstr_or(c, "image", ""));
        }
    }
}

static bool is_used(const struct image_info *info, void *arg)
{
    const struct strlist *used = arg;
    const char *const *const lists[] = {info->names, info->ids};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        for (const char *const *name = lists[l]; *name; name++)
            if (strlist_has(used, *name))
                return true;
    return strlist_has(used, info->id);
}

static int run_remove(struct request_job *j, struct strlist *lines, struct err *e)
{
    _auto_strlist_ struct strlist used = {0};
    _auto_objlist_ struct objlist pods = {0};
    size_t i;
    const json_t *ref;
    objlist_load(&pods, cluster_registry(j->cluster), RES.pods->bucket, NULL);
    for (size_t p = 0; p < pods.len; p++) {
        const char *phase = jstr_or(pods.trees[p], "status.phase", "");
        if (!str_eq(phase, "Succeeded") && !str_eq(phase, "Failed"))
            add_uses(&used, pods.trees[p]);
    }
    json_array_foreach(json_object_get(j->request, "refs"), i, ref)
    {
        const char *name = json_string_value(ref) ? json_string_value(ref) : "";
        if (images_remove(cluster_images(j->cluster), name, jbool(j->request, "force", false), is_used, &used, lines,
                          e) < 0)
            return -1;
    }
    return 0;
}

static int op_import(struct cluster *c, const json_t *r, json_t **out, int fds[4], struct err *e)
{
    return request_job_start(c, r, run_import, -1, out, fds, e);
}

static int op_pull(struct cluster *c, const json_t *r, json_t **out, int fds[4], struct err *e)
{
    return request_job_start(c, r, run_pull, -1, out, fds, e);
}

static int op_tag(struct cluster *c, const json_t *r, json_t **out, int fds[4], struct err *e)
{
    return request_job_start(c, r, run_tag, -1, out, fds, e);
}

static int op_remove(struct cluster *c, const json_t *r, json_t **out, int fds[4], struct err *e)
{
    return request_job_start(c, r, run_remove, -1, out, fds, e);
}

/* The archive is a file without a name in the data directory; whoever asked reads it when it is told to be whole. */
static int op_export(struct cluster *c, const json_t *r, json_t **out, int fds[4], struct err *e)
{
    _auto_close_ int file = open(cluster_data_dir(c), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    const int theirs = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, 0);
    if (theirs < 0)
        return err_sys(e, errno, "a file for the archive");
    if (request_job_start(c, r, run_export, file, out, fds, e) < 0) {
        close(theirs);
        return -1;
    }
    (void)TAKE_FD(file); /* the job's */
    fds[1] = theirs;
    return 0;
}

const struct request_op image_request_ops[] = {
    {"image-ls", op_list},       {"image-inspect", op_inspect}, {"image-history", op_history},
    {"image-import", op_import}, {"image-pull", op_pull},       {"image-tag", op_tag},
    {"image-rm", op_remove},     {"image-export", op_export},   {NULL, NULL},
};
