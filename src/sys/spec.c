/* spec.c - see spec_int.h. Both directions stand side by side: when you add a field, add it to both, in the same place.
 * THREADS: pure. */
#include "sys/spec_int.h"

#include "base/mem.h"

#include <stdlib.h>

#define MOUNTS_MAX 4096
#define GROUPS_MAX 1024

void spec_write(struct buf *b, const struct container_spec *s)
{
    wire_str(b, s->node);
    wire_str(b, s->sandbox);
    wire_str(b, s->id);
    wire_strv(b, s->layers);
    wire_str(b, s->rootfs_dir);
    wire_strv(b, s->argv);
    wire_strv(b, s->env);
    wire_str(b, s->cwd);
    wire_strv(b, s->volumes);
    wire_str(b, s->log_path);
    wire_u32(b, s->uid);
    wire_u32(b, s->gid);
    wire_u32(b, s->tty);
    wire_u32(b, s->stdin_open);
    wire_u32(b, s->stdin_once);
    wire_u32(b, s->read_only_root);
    wire_u32(b, s->privileged);
    wire_u32(b, s->no_new_privs);
    wire_u32(b, s->default_profile);
    wire_u32(b, s->unmasked_proc);
    wire_blob(b, s->filter, s->filter_len);
    wire_u32(b, (uint32_t)s->oom_score_adj);
    wire_str(b, s->pid_of);
    wire_i64(b, (int64_t)s->add_caps);
    wire_i64(b, (int64_t)s->drop_caps);
    wire_i64(b, s->memory_bytes);
    wire_i64(b, s->cpu_milli);
    wire_i64(b, s->cpu_request_milli);
    wire_u32(b, (uint32_t)s->group_count);
    for (size_t i = 0; i < s->group_count; i++)
        wire_u32(b, s->groups[i]);
    wire_u32(b, (uint32_t)s->mount_count);
    for (size_t i = 0; i < s->mount_count; i++) {
        wire_str(b, s->mounts[i].source);
        wire_str(b, s->mounts[i].target);
        wire_u32(b, s->mounts[i].read_only);
        wire_u32(b, s->mounts[i].device);
        wire_u32(b, s->mounts[i].propagation);
    }
}

static void read_lists(struct spec_box *box, struct wire_in *in)
{
    struct container_spec *s = &box->spec;
    s->group_count = wire_get_u32(in);
    if (s->group_count > GROUPS_MAX)
        in->bad = true, s->group_count = 0;
    box->groups = xcalloc(s->group_count, sizeof *box->groups);
    for (size_t i = 0; i < s->group_count; i++)
        box->groups[i] = wire_get_u32(in);
    s->mount_count = wire_get_u32(in);
    if (s->mount_count > MOUNTS_MAX)
        in->bad = true, s->mount_count = 0;
    box->mounts = xcalloc(s->mount_count, sizeof *box->mounts);
    for (size_t i = 0; i < s->mount_count; i++) {
        box->mounts[i].source = wire_need_str(in);
        box->mounts[i].target = wire_need_str(in);
        box->mounts[i].read_only = wire_get_bool(in);
        box->mounts[i].device = wire_get_bool(in);
        box->mounts[i].propagation = (enum mount_propagation)wire_get_u32(in);
    }
    s->groups = box->groups;
    s->mounts = box->mounts;
}

struct spec_box *spec_read(struct buf *take_body)
{
    struct spec_box *box = xcalloc(1, sizeof *box);
    struct container_spec *s = &box->spec;
    box->body = *take_body;
    *take_body = BUF_INIT;
    struct wire_in in = wire_reader(box->body.data, box->body.len);
    s->node = wire_need_str(&in);
    s->sandbox = wire_need_str(&in);
    s->id = wire_need_str(&in);
    s->layers = box->layers = wire_get_strv(&in);
    s->rootfs_dir = wire_need_str(&in);
    s->argv = box->argv = wire_get_strv(&in);
    s->env = box->env = wire_get_strv(&in);
    s->cwd = wire_need_str(&in);
    s->volumes = box->volumes = wire_get_strv(&in);
    s->log_path = wire_need_str(&in);
    s->uid = wire_get_u32(&in);
    s->gid = wire_get_u32(&in);
    s->tty = wire_get_bool(&in);
    s->stdin_open = wire_get_bool(&in);
    s->stdin_once = wire_get_bool(&in);
    s->read_only_root = wire_get_bool(&in);
    s->privileged = wire_get_bool(&in);
    s->no_new_privs = wire_get_bool(&in);
    s->default_profile = wire_get_bool(&in);
    s->unmasked_proc = wire_get_bool(&in);
    s->filter = wire_get_blob(&in, &s->filter_len);
    s->oom_score_adj = (int)wire_get_u32(&in);
    s->pid_of = wire_get_str(&in);
    s->add_caps = (uint64_t)wire_get_i64(&in);
    s->drop_caps = (uint64_t)wire_get_i64(&in);
    s->memory_bytes = wire_get_i64(&in);
    s->cpu_milli = wire_get_i64(&in);
    s->cpu_request_milli = wire_get_i64(&in);
    read_lists(box, &in);
    if (!in.bad && s->layers && s->layers[0] && s->argv && s->env)
        return box;
    spec_free(box);
    return NULL;
}

void spec_free(struct spec_box *s)
{
    if (!s)
        return;
    buf_release(&s->body);
    free(s->layers);
    free(s->argv);
    free(s->env);
    free(s->volumes);
    free(s->mounts);
    free(s->groups);
    free(s);
}
