/* cloud_attach.c - disks plugged into instances and pulled out again.
 *
 * DESIGN: the place (device name, slot of the instance) is taken under the lock before the machine works, by showing
 * the attachment as attaching. The rules are EC2's: same zone, one instance unless multi-attach, one disk a device
 * name, so many disks an instance. A disk whose filesystem is mounted is not pulled out of a living instance: EC2 would
 * wait for the guest, and so do our callers. THREADS: see cloud.c. */
#include "csi/cloud_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define FAULT(e, d, f, ...) cloud_fault(e, (d)->provider, CLOUD_FAULT_##f, &(struct cloud_args){__VA_ARGS__})

/* -- places; the lock is held -- */

static const struct cloud_attachment *device_user(const struct cloud *c, const char *instance, const char *device)
{
    for (size_t i = 0; i < c->disk_count; i++) {
        const struct cloud_disk *d = &c->disks[i]->disk;
        for (size_t a = 0; a < d->attachment_count; a++)
            if (str_eq(d->attachments[a].instance, instance) && str_eq(d->attachments[a].device, device))
                return &d->attachments[a];
    }
    return NULL;
}

static int count_on(const struct cloud *c, const char *instance)
{
    int n = 0;
    for (size_t i = 0; i < c->disk_count; i++)
        for (size_t a = 0; a < c->disks[i]->disk.attachment_count; a++)
            n += str_eq(c->disks[i]->disk.attachments[a].instance, instance);
    return n;
}

static bool free_device(const struct cloud *c, const char *instance, char out[64])
{
    char name[64];
    for (unsigned n = 0; cloud_device_name(n, name); n++)
        if (!device_user(c, instance, name)) {
            snprintf(out, 64, "%s", name);
            return true;
        }
    return false;
}

/* "/dev/sdf" … and "/dev/xvdf", "/dev/xvdba" … as EC2 takes them. */
static bool device_ok(const char *device)
{
    const char *letters = str_starts(device, "/dev/sd") ? device + 7 : str_starts(device, "/dev/xvd") ? device + 8 : "";
    size_t n = strspn(letters, "abcdefghijklmnopqrstuvwxyz");
    return n >= 1 && n <= 2 && letters[n] == '\0' && !str_eq(letters, "a");
}

/* May the disk be at another instance as well? Multi-attach, or where a provider lets several read. */
static bool may_share(const struct cloud_disk *d, const struct cloud_attachment *there,
                      const struct cloud_attachment *wanted)
{
    return d->multi_attach || (d->provider == CLOUD_GCE && there->read_only && wanted->read_only);
}

static int place(const struct cloud *c, const struct cloud_disk *d, const struct cloud_instance *i, const char *device,
                 struct cloud_attachment *out, struct err *e)
{
    if (d->state != CLOUD_AVAILABLE && d->state != CLOUD_IN_USE)
        return FAULT(e, d, NOT_AVAILABLE, .volume = d->id);
    for (size_t a = 0; a < d->attachment_count; a++)
        if (!may_share(d, &d->attachments[a], out) || str_eq(d->attachments[a].instance, i->id))
            return FAULT(e, d, ALREADY_ATTACHED, .volume = d->id, .instance = d->attachments[a].instance);
    if (!str_eq(d->zone, i->zone))
        return FAULT(e, d, ZONE_MISMATCH, .volume = d->id, .instance = i->id);
    if (d->attachment_count == CLOUD_ATTACH_MAX || count_on(c, i->id) >= i->attach_limit)
        return FAULT(e, d, ATTACH_LIMIT, .instance = i->id);
    if (str_empty(device)) {
        if (!free_device(c, i->id, out->device))
            return FAULT(e, d, ATTACH_LIMIT, .instance = i->id);
    } else if (!device_ok(device)) {
        return FAULT(e, d, DEVICE_BAD, .device = device);
    } else if (device_user(c, i->id, device)) {
        return FAULT(e, d, DEVICE_TAKEN, .device = device);
    } else {
        snprintf(out->device, sizeof out->device, "%s", device);
    }
    snprintf(out->instance, sizeof out->instance, "%s", i->id);
    snprintf(out->node, sizeof out->node, "%s", i->node);
    return 0;
}

/* Shows the new attachment, so that its place is taken. */
static int reserve(struct cloud *c, struct cloud_entry *entry, const char *instance, const char *device, bool read_only,
                   struct err *e)
{
    struct cloud_attachment a = {.state = CLOUD_ATTACHING, .read_only = read_only};
    struct cloud_disk *d = &entry->disk;
    cloud_now(c, a.time);
    pthread_mutex_lock(&c->mu);
    const struct cloud_instance *i = cloud_instance_locked(c, instance);
    int rc = i ? place(c, d, i, device, &a, e) : FAULT(e, d, INSTANCE_NOT_FOUND, .instance = instance);
    if (rc == 0) {
        d->attachments[d->attachment_count++] = a;
        d->state = CLOUD_IN_USE;
    }
    pthread_mutex_unlock(&c->mu);
    return rc;
}

static void remove_at(struct cloud_disk *d, size_t at)
{
    memmove(&d->attachments[at], &d->attachments[at + 1], (--d->attachment_count - at) * sizeof d->attachments[0]);
    if (!d->attachment_count && d->state == CLOUD_IN_USE)
        d->state = CLOUD_AVAILABLE;
}

static int plug(struct cloud *c, const struct cloud_disk *d, const struct cloud_attachment *a, struct err *e)
{
    char backing[CLOUD_ID_LEN + 16];
    const bool shared = may_share(d, a, a);
    const unsigned how = (a->read_only ? DISK_READ_ONLY : 0) | (shared ? DISK_SHARED : 0);
    cloud_disk_backing(d, backing);
    return c->machine->ops->disk_attach(c->machine, backing, a->node, a->device, how, e);
}

static int attach_held(struct cloud *c, struct cloud_entry *entry, const char *instance, const char *device,
                       bool read_only, struct cloud_attachment *out, struct err *e)
{
    if (reserve(c, entry, instance, device, read_only, e) < 0)
        return -1;
    struct cloud_disk next = entry->disk;
    struct cloud_attachment *a = &next.attachments[next.attachment_count - 1];
    if (cloud_put(c, entry, &next, e) == 0 && plug(c, &next, a, e) == 0) {
        a->state = CLOUD_ATTACHED;
        *out = *a;
        if (cloud_put(c, entry, &next, e) == 0)
            return 0;
        struct err undo = ERR_INIT;
        char backing[CLOUD_ID_LEN + 16];
        cloud_disk_backing(&next, backing);
        c->machine->ops->disk_detach(c->machine, backing, a->node, &undo);
    }
    struct err undo = ERR_INIT;
    remove_at(&next, next.attachment_count - 1);
    if (cloud_put(c, entry, &next, &undo) < 0) { /* the record still says attaching: the next start forgets it */
        pthread_mutex_lock(&c->mu);
        entry->disk = next;
        pthread_mutex_unlock(&c->mu);
    }
    return -1;
}

int cloud_disk_attach(struct cloud *c, const char *id, const char *instance, const char *device, bool read_only,
                      struct cloud_attachment *out, struct err *e)
{
    CLOUD_CALL(c);
    struct cloud_attachment a = {0};
    struct cloud_entry *entry = cloud_hold(c, id, e);
    if (!entry)
        return -1;
    int rc = attach_held(c, entry, instance, device, read_only, &a, e);
    cloud_let_go(c, entry);
    if (rc == 0 && out)
        *out = a;
    return rc;
}

/* -- pulling out -- */

/* Which attachment is meant; -1 with the refusal. */
static int pick(const struct cloud_disk *d, const char *instance, const char *device, struct err *e)
{
    if (!d->attachment_count)
        return FAULT(e, d, NOT_ATTACHED, .volume = d->id);
    for (size_t a = 0; a < d->attachment_count; a++) {
        const struct cloud_attachment *at = &d->attachments[a];
        if (!str_empty(instance) && !str_eq(at->instance, instance) && !str_eq(at->node, instance))
            continue;
        if (!str_empty(device) && !str_eq(at->device, device))
            return FAULT(e, d, WRONG_DEVICE, .volume = d->id, .instance = at->instance, .device = device);
        return (int)a;
    }
    return FAULT(e, d, WRONG_INSTANCE, .volume = d->id, .instance = instance);
}

static int detach_held(struct cloud *c, struct cloud_entry *entry, const char *instance, const char *device, bool force,
                       struct err *e)
{
    struct cloud_disk next = entry->disk;
    char backing[CLOUD_ID_LEN + 16];
    int at = pick(&next, instance, device, e);
    if (at < 0)
        return -1;
    struct cloud_attachment *a = &next.attachments[at];
    cloud_disk_backing(&next, backing);
    a->state = CLOUD_DETACHING;
    if (cloud_put(c, entry, &next, e) < 0)
        return -1;
    struct err why = ERR_INIT;
    int rc = c->machine->ops->disk_detach(c->machine, backing, a->node, &why);
    if (rc < 0 && why.code != ERR_NOT_FOUND && !(force && why.code == ERR_BUSY)) {
        a->state = CLOUD_ATTACHED;
        struct err undo = ERR_INIT;
        cloud_put(c, entry, &next, &undo);
        if (why.code == ERR_BUSY)
            return FAULT(e, &next, MOUNTED, .volume = next.id, .instance = a->instance, .device = a->device);
        *e = why;
        return -1;
    }
    remove_at(&next, (size_t)at);
    return cloud_put(c, entry, &next, e);
}

int cloud_disk_detach(struct cloud *c, const char *id, const char *instance, const char *device, bool force,
                      struct err *e)
{
    CLOUD_CALL(c);
    struct cloud_entry *entry = cloud_hold(c, id, e);
    if (!entry)
        return -1;
    int rc = detach_held(c, entry, instance, device, force, e);
    cloud_let_go(c, entry);
    return rc;
}

/* -- after a start, of the cluster or of a node -- */

static bool has_bytes(struct cloud *c, const struct cloud_disk *d)
{
    char backing[CLOUD_ID_LEN + 16];
    struct disk_info info;
    struct err why = ERR_INIT;
    cloud_disk_backing(d, backing);
    return c->machine->ops->disk_info(c->machine, backing, &info, &why) == 0 || why.code != ERR_NOT_FOUND;
}

/* Attachments to nodes that are no more, and of bytes that are no more, go. Any other failure is the machine's (it may
 * be dying under us): what was told stays, or another disk would get the device that this one is said to have. */
static int resume_held(struct cloud *c, struct cloud_entry *entry, struct err *e)
{
    struct cloud_disk next = entry->disk;
    for (size_t a = next.attachment_count; a-- > 0;) {
        struct err why = ERR_INIT;
        struct cloud_instance i;
        bool known = cloud_instance_find(c, next.attachments[a].instance, &i, &why) == 0;
        if (known && plug(c, &next, &next.attachments[a], &why) == 0)
            continue;
        if (known && has_bytes(c, &next)) {
            *e = why;
            return -1;
        }
        remove_at(&next, a);
    }
    return next.attachment_count == entry->disk.attachment_count ? 0 : cloud_put(c, entry, &next, e);
}

int cloud_resume(struct cloud *c, struct err *e)
{
    struct cloud_disk *list;
    size_t n = cloud_disks(c, NULL, NULL, &list);
    int rc = 0;
    for (size_t i = 0; i < n; i++) { /* one node may be dead: the others have theirs */
        struct err why = ERR_INIT;
        struct cloud_entry *entry = list[i].attachment_count ? cloud_hold(c, list[i].id, &why) : NULL;
        if (!entry)
            continue;
        if (resume_held(c, entry, &why) < 0) {
            *e = why;
            rc = -1;
        }
        cloud_let_go(c, entry);
    }
    cloud_disks_free(list, n);
    return rc;
}
