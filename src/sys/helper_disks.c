/* helper_disks.c - what the helper is asked about disks: made, attached, copied, served, and how much room there is for
 * all.
 *
 * The disks themselves are disks.c. A request that takes long does not hold up the loop: a copy is made by a child that
 * answers for itself, and who wants a disk whose filesystem is just being made waits in a list until its maker ended.
 * THREADS: none; the helper's loop only. */
#include "sys/helper_int.h"
#include "sys/hidden_int.h"
#include "sys/ops_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_NEVER (24 * 3600 * 1000)

/* A child that was killed has not answered. */
static void on_copy_end(struct helper *h, pid_t pid, int status)
{
    for (struct helper_copy **at = &h->copies; *at; at = &(*at)->next) {
        struct helper_copy *c = *at;
        if (c->pid != pid)
            continue;
        if (!WIFEXITED(status)) {
            struct err e = ERR_INIT;
            disk_copy_undo(&c->copy, helper_node_pid(h, c->copy.node));
            err_set(&e, ERR_INTERNAL, "the copying process ended with status %d", status);
            helper_reply(h, c->id, &e, NULL, -1);
        }
        *at = c->next;
        disk_copy_release(&c->copy);
        free(c);
        return;
    }
}

static void create_ext4(struct helper *h, uint32_t id, const char *disk, int64_t bytes)
{
    struct err e = ERR_INIT;
    if (disks_create_ext4(h->disks, disk, bytes, &e) <= 0) {
        helper_reply(h, id, &e, NULL, -1);
        return;
    }
    struct helper_wait *w = xcalloc(1, sizeof *w);
    *w = (struct helper_wait){h->waits, id, xstrdup(disk), bytes};
    h->waits = w;
}

static void on_mould_end(struct helper *h)
{
    struct helper_wait *waits = h->waits;
    h->waits = NULL;
    while (waits) {
        struct helper_wait *w = waits;
        waits = w->next;
        create_ext4(h, w->id, w->disk, w->bytes); /* waits again if its size is another */
        free(w->disk);
        free(w);
    }
}

static _Noreturn void copy_child(struct helper *h, struct helper_copy *c, const char *from)
{
    const int keep[] = {h->sock, c->copy.from, c->copy.to, c->copy.loop};
    struct err e = ERR_INIT;
    proc_keep_fds(keep, ARRAY_LEN(keep));
    if (disk_copy_run(&c->copy, helper_node_pid(h, c->copy.node), &e) < 0)
        err_wrap(&e, "copy disk %s", from);
    helper_reply(h, c->id, &e, NULL, -1);
    _exit(0);
}

/* Begins a copy whose files are open, and takes it. */
static void copy_start(struct helper *h, uint32_t id, const char *from, const struct disk_copy *take_copy)
{
    struct err e = ERR_INIT;
    struct helper_copy *c = xcalloc(1, sizeof *c);
    *c = (struct helper_copy){.next = h->copies, .id = id, .copy = *take_copy};
    h->copies = c;
    c->pid = fork();
    if (c->pid == 0)
        copy_child(h, c, from);
    if (c->pid < 0) {
        err_sys(&e, errno, "fork");
        helper_reply(h, id, &e, NULL, -1);
        unlink(c->copy.part);
        h->copies = c->next;
        disk_copy_release(&c->copy);
        free(c);
    }
}

void helper_on_disk_copy(struct helper *h, const struct msg *m, struct wire_in *in)
{
    struct err e = ERR_INIT;
    struct disk_copy copy = DISK_COPY_INIT;
    const char *from = wire_need_str(in), *to = wire_need_str(in);
    const int64_t bytes = wire_get_i64(in);
    if (in->bad)
        err_set(&e, ERR_BAD_REQUEST, "malformed request");
    if (in->bad || disks_copy_open(h->disks, from, to, bytes, &copy, &e) < 0) {
        helper_reply(h, m->id, &e, NULL, -1);
        return;
    }
    copy.server = serve_pid(&h->servers, copy.node, copy.device);
    copy_start(h, m->id, from, &copy);
}

void helper_on_node_copy(struct helper *h, const struct msg *m, struct wire_in *in)
{
    struct err e = ERR_INIT;
    struct disk_copy copy = DISK_COPY_INIT;
    const char *node = wire_need_str(in), *to = wire_need_str(in);
    if (in->bad || !helper_node_name_ok(node))
        err_set(&e, ERR_BAD_REQUEST, "malformed request");
    if (e.code == ERR_OK && disks_copy_node(h->disks, h->data_dir, node, helper_node_pid(h, node), to, &copy, &e) == 0)
        copy_start(h, m->id, node, &copy);
    else
        helper_reply(h, m->id, &e, NULL, -1);
}

/* The node has made its file's filesystem ready; now somebody has to serve it. */
void helper_on_fs_serve(struct helper *h, const struct msg *m, struct wire_in *in)
{
    struct err e = ERR_INIT;
    struct serve_spec spec = {.node = wire_need_str(in), .device = wire_need_str(in)};
    spec.target = wire_need_str(in);
    spec.options = wire_need_str(in);
    spec.node_pid = helper_node_pid(h, spec.node);
    spec.image = disks_image(h->disks, spec.node, spec.device);
    if (in->bad || !spec.node_pid || !spec.image)
        err_set(&e, ERR_NOT_FOUND, "there is no disk at %s of node \"%s\"", spec.device, spec.node);
    if (e.code == ERR_OK)
        serve_start(&h->servers, m->id, &spec);
    else
        helper_reply(h, m->id, &e, NULL, -1);
}

void helper_on_create_ext4(struct helper *h, const struct msg *m, struct wire_in *in)
{
    const char *disk = wire_need_str(in);
    const int64_t bytes = wire_get_i64(in);
    struct err e = ERR_INIT;
    if (!in->bad) {
        create_ext4(h, m->id, disk, bytes);
        return;
    }
    err_set(&e, ERR_BAD_REQUEST, "malformed request");
    helper_reply(h, m->id, &e, NULL, -1);
}

static bool is_starved(const struct helper *h, const struct disk_info *info)
{
    int loop;
    return sscanf(info->loop, "/dev/loop%d", &loop) == 1 && grants_starved(h->grants, loop);
}

/* Looks how much room there is, and who may have what of it. Returns when to look again (ms). */
int helper_look_at_room(struct helper *h)
{
    struct grant_node nodes[NODES_MAX + 1];
    if (userns_inside())
        return LOOK_NEVER; /* nothing here is a filesystem of ours that the kernel would hold back */
    _auto_free_ struct grant_disk *disks = NULL;
    struct grant_view v = {.dir = disks_dir(h->disks), .nodes = nodes};
    v.disk_count = disks_attached(h->disks, &disks);
    v.disks = disks;
    for (const struct helper_node *n = h->nodes; n && v.node_count < NODES_MAX; n = n->next)
        if (!n->dead)
            nodes[v.node_count++] = (struct grant_node){n->pid, n->nodefs, "/"};
    if (h->imagefs)
        nodes[v.node_count++] = (struct grant_node){getpid(), h->imagefs, h->imagefs_at};
    return grants_look(h->grants, &v);
}

void helper_on_disk(struct helper *h, const struct msg *m, struct wire_in *in)
{
    struct err e = ERR_INIT;
    _auto_buf_ struct buf out = BUF_INIT;
    struct disk_info info;
    const char *disk = wire_need_str(in);
    switch (m->kind) {
    case OP_DISK_CREATE:
        disks_create(h->disks, disk, wire_get_i64(in), &e);
        break;
    case OP_DISK_GROW:
        disks_grow(h->disks, disk, wire_get_i64(in), &e);
        break;
    case OP_DISK_DELETE:
        disks_remove(h->disks, disk, &e);
        break;
    case OP_DISK_INFO:
        if (disks_info(h->disks, disk, &info, &e) == 0) {
            info.starved = is_starved(h, &info);
            wire_blob(&out, &info, sizeof info);
        }
        break;
    case OP_DISK_ATTACH: {
        const char *node = wire_need_str(in), *device = wire_need_str(in);
        const unsigned how = wire_get_u32(in);
        const struct helper_node *n = helper_node_need(h, node, &e);
        if (n)
            disks_attach(h->disks, disk, node, n->pid, device, how, &e);
        break;
    }
    case OP_FORMAT_BEGIN: /* `disk` is a node here, as in the next */
        wire_u32(&out, disks_format_begin(h->disks, disk, helper_node_pid(h, disk), wire_need_str(in)));
        break;
    case OP_FORMAT_END:
        disks_format_end(h->disks, disk, wire_need_str(in), &e);
        break;
    default: {
        const char *node = wire_need_str(in);
        disks_detach(h->disks, disk, node, helper_node_pid(h, node), &e);
    }
    }
    if (in->bad)
        err_set(&e, ERR_BAD_REQUEST, "malformed request");
    helper_reply(h, m->id, &e, &out, -1);
}

void helper_disk_child_ended(struct helper *h, pid_t pid, int status)
{
    if (disks_child_ended(h->disks, pid, status))
        on_mould_end(h);
    on_copy_end(h, pid, status);
    grants_child_end(h->grants, pid);
    serve_child_end(&h->servers, pid, status);
}
