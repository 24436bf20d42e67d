/* room.c - says so when the machine has no room left for the disks of volumes in use.
 *
 * Disks are sparse: they may promise more than the machine's filesystem has. When that is full, what a pod writes fails
 * with ENOSPC or EIO as on a broken disk; the claim's owner learns why from an event.
 *
 * DESIGN: each attached volume is looked at now and then; told once when there is no room, and again only after there
 * was some. Asking also lets the machine give its reserve back (sys/reserve.c), so that the event can be stored.
 * THREADS: the loop thread; a job owns its references. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define FULL_BYTES (INT64_C(40) << 20) /* the reserve and a little */
#define LOOK_MS    10000

struct state {
    struct flights jobs;
    struct seen told;
};

struct job {
    struct machine *machine;
    struct sobj *pv; /* owned */
    char *key;       /* owned: of the attachment */
    struct disk_info info;
    int rc;
};

static void look(void *arg)
{
    struct job *j = arg;
    struct err e = ERR_INIT;
    j->rc = j->machine->ops->disk_info(j->machine, jstr_or(j->pv->tree, "spec.csi.volumeHandle", ""), &j->info, &e);
}

static void tell(struct loop *l, struct job *j)
{
    struct state *s = loop_state(l);
    const char *ns = jstr_or(j->pv->tree, "spec.claimRef.namespace", "");
    _auto_sobj_ struct sobj *claim = read_claim(l, ns, jstr(j->pv->tree, "spec.claimRef.name"));
    if (j->info.room >= 2 * FULL_BYTES)
        seen_forget(&s->told, "%s", j->pv->name);
    if (j->info.room < FULL_BYTES && claim && seen_first(&s->told, "%s", j->pv->name))
        loop_event(l, claim->tree, EVENT_WARNING, "NoRoomForDisk",
                   "the filesystem of this machine that holds the disk of volume \"%s\" is full: writes fail with "
                   "\"No space left on device\" or \"Input/output error\" until there is room",
                   j->pv->name);
}

static void look_done(struct loop *l, void *arg)
{
    struct job *j = arg;
    struct state *s = loop_state(l);
    if (j->rc == 0)
        tell(l, j);
    flight_end(l, &s->jobs, j->key, true, 0, 0);
    sobj_unref(j->pv);
    free(j->key);
    free(j);
}

static int reconcile(struct loop *l, const char *ns, const char *name, struct err *e)
{
    (void)ns;
    (void)e;
    struct state *s = loop_state(l);
    const struct binder_env *env = loop_env(l);
    _auto_sobj_ struct sobj *va = reg_read(loop_registry(l), RES.volumeattachments, "", name);
    _auto_sobj_ struct sobj *pv = va && jbool(va->tree, "status.attached", false)
                                      ? read_pv(l, jstr(va->tree, "spec.source.persistentVolumeName"))
                                      : NULL;
    if (!pv || !flight_begin(l, &s->jobs, name))
        return 0;
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){.machine = env->machine, .pv = TAKE(pv), .key = xstrdup(name)};
    loop_offload(l, look, look_done, j);
    return 0;
}

static int start(struct loop *l, struct err *e)
{
    (void)e;
    loop_set_state(l, xcalloc(1, sizeof(struct state)));
    return 0;
}

static void stop(struct loop *l)
{
    struct state *s = loop_state(l);
    if (s) {
        flights_release(&s->jobs);
        seen_release(&s->told);
    }
    free(s);
    loop_set_state(l, NULL);
}

static const struct loop_watch watches[] = {{"volumeattachments.storage.k8s.io", NULL}, {NULL, NULL}};

const struct loop_def room_loop = {
    .name = "disk-room",
    .component = "stowage",
    .watches = watches,
    .start = start,
    .stop = stop,
    .reconcile = reconcile,
    .resync_ms = LOOK_MS,
};
