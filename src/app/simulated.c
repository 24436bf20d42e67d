/* simulated.c - see simulated.h.
 *
 * DESIGN: the first start leaves its mark: a real cluster has a directory "nodes" with the nodes' filesystems (made by
 * the node helper), one of an ordinary user's beside it an empty file "rootless", a simulated one an empty file
 * "simulated". The disks of a simulated cluster are no more than a name
 * and a size, and both are in the PersistentVolume. */
#include "app/simulated.h"

#include "api/quantity.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool exists(const char *dir, const char *name)
{
    _auto_free_ char *path = xasprintf("%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static int leave_mark(const char *data_dir, const char *name, struct err *e)
{
    _auto_free_ char *mark = xasprintf("%s/%s", data_dir, name);
    _auto_close_ int fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 ? err_sys(e, errno, "make %s", mark) : 0;
}

static int check_owner(const char *data_dir, bool rootless, struct err *e)
{
    if (exists(data_dir, "nodes") && exists(data_dir, "rootless") != rootless)
        return err_set(e, ERR_UNSUPPORTED,
                       "the cluster in %s was made %s root, and its nodes and disks are not what they are %s; start it "
                       "as then, or choose another directory with --data",
                       data_dir, rootless ? "by" : "without", rootless ? "without" : "with");
    return rootless ? leave_mark(data_dir, "rootless", e) : 0;
}

int simulated_check(const char *data_dir, const struct machine_info *machine, const char *why, struct err *e)
{
    const bool simulated = machine->simulated;
    if (simulated && exists(data_dir, "nodes"))
        return err_set(
            e, ERR_UNSUPPORTED,
            "the cluster in %s has real disks, which a simulated one cannot use (simulated because: %s); choose "
            "another directory with --data",
            data_dir, why);
    if (!simulated && exists(data_dir, "simulated"))
        return err_set(e, ERR_UNSUPPORTED,
                       "the cluster in %s was simulated, so its volumes have no disks; start it with --simulate, or "
                       "choose another directory with --data",
                       data_dir);
    return simulated ? leave_mark(data_dir, "simulated", e) : check_owner(data_dir, machine->rootless, e);
}

/* The disk behind a volume: its CSI handle, or the end of "aws://<zone>/<id>" in the older form. NULL: none. */
static const char *disk_of(const json_t *pv)
{
    const char *handle = jstr(pv, "spec.csi.volumeHandle"), *ebs = jstr(pv, "spec.awsElasticBlockStore.volumeID");
    if (handle || !ebs)
        return handle;
    const char *slash = strrchr(ebs, '/');
    return slash ? slash + 1 : ebs;
}

void simulated_restore(struct registry *r, struct machine *m)
{
    _auto_objlist_ struct objlist volumes = {0};
    objlist_load(&volumes, r, RES.persistentvolumes->bucket, NULL);
    for (size_t i = 0; i < volumes.len; i++) {
        const json_t *pv = volumes.trees[i];
        const char *disk = disk_of(pv);
        struct err e = ERR_INIT;
        if (disk)
            m->ops->disk_create(m, disk, quantity_bytes(jstr(pv, "spec.capacity.storage"), 0), &e);
    }
}
