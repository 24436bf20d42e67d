/* room.c - says so when the machine has no room left for the disk of a volume in use.
 *
 * Disks are sparse: they may promise more than the machine's filesystem has. When that is full, what a pod writes to a
 * disk that wants more fails with ENOSPC or EIO; the claim's owner learns why from an event.
 *
 * DESIGN: each attached volume is looked at now and then. The machine knows which disks had all that there was for them
 * (disk_info.starved, see sys/grants.c): only their claims are told, not those of disks that want nothing. Told once,
 * and again only after there was room.
 * THREADS: the loop thread; a job owns its references. */
#include "binder/binder_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "csi/cloud.h"

#include <string.h>

#define LOOK_MS 10000

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

/* "vol-0…", "aws://us-east-1a/vol-0…", "projects/p/zones/z/disks/pvc-…": the disk's id is the last part. */
static const char *disk_id(const json_t *pv)
{
    const char *handle = jstr_or(pv, "spec.csi.volumeHandle", jstr_or(pv, "spec.awsElasticBlockStore.volumeID", ""));
    const char *slash = strrchr(handle, '/');
    return slash ? slash + 1 : handle;
}

static void look(void *arg)
{
    struct job *j = arg;
    struct err e = ERR_INIT;
    char backing[CLOUD_ID_LEN + 16];
    _auto_disk_ struct cloud_disk disk = {0};
    struct cloud *cloud = cloud_of(j->machine, &e);
    j->rc = cloud ? cloud_disk_get(cloud, disk_id(j->pv->tree), &disk, &e) : -1;
    if (j->rc < 0)
        return;
    cloud_disk_backing(&disk, backing);
    j->rc = j->machine->ops->disk_info(j->machine, backing, &j->info, &e);
}

static void tell(struct loop *l, struct job *j)
{
    struct state *s = loop_state(l);
    const char *ns = jstr_or(j->pv->tree, "spec.claimRef.namespace", "");
    _auto_sobj_ struct sobj *claim = read_claim(l, ns, jstr(j->pv->tree, "spec.claimRef.name"));
    if (!j->info.starved)
        seen_forget(&s->told, "%s", j->pv->name);
    else if (claim && seen_first(&s->told, "%s", j->pv->name))
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

static void stop(struct loop *l)
{
    struct state *s = loop_state(l);
    flights_release(&s->jobs);
    seen_release(&s->told);
}

static const struct loop_watch watches[] = {{"volumeattachments.storage.k8s.io", NULL}, {NULL, NULL}};

const struct loop_def room_loop = {
    .name = "disk-room",
    .component = "stowage",
    .watches = watches,
    .state_size = sizeof(struct state),
    .stop = stop,
    .reconcile = reconcile,
    .resync_ms = LOOK_MS,
};
