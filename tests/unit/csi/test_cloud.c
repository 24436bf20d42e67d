/* The cloud core: what EC2 sells and refuses, and what is left after a kill at any step. */
#include "csi/cloud.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/fake.h"
#include "unit/csi/cloud_kit.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define GIB (INT64_C(1) << 30)

struct world {
    struct machine *machine;
    const struct machine_ops *fake;
    struct machine_ops ops;
    struct cloud *cloud;
    struct clock_fake clock;
    char dir[64];
};

static void open_cloud(struct world *w)
{
    w->cloud = kit_cloud(w->machine, &w->clock.clock, w->dir, "us-east-1a", "us-east-1b");
    assert_non_null(w->cloud);
}

/* A machine that keeps its disks: the cloud must not make up what is lost. */
static void real_info(struct machine *m, struct machine_info *out)
{
    (void)m;
    memset(out, 0, sizeof *out);
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);
    struct node_spec n1 = {.name = "n1", .nodefs_bytes = GIB}, n2 = {.name = "n2", .index = 1, .nodefs_bytes = GIB};
    struct err e = ERR_INIT;
    w->machine = machine_open_fake("test");
    w->fake = w->machine->ops;
    w->ops = *w->fake;
    w->ops.info = real_info;
    w->machine->ops = &w->ops;
    clock_fake_init(&w->clock, INT64_C(1700000000) * 1000000000);
    snprintf(w->dir, sizeof w->dir, "/tmp/cloud-test-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(w->ops.node_start(w->machine, &n1, &e), 0);
    assert_int_equal(w->ops.node_start(w->machine, &n2, &e), 0);
    open_cloud(w);
    *state = w;
    return 0;
}

/* Names in the directory; with `clean` they go. */
static size_t files_in(const char *path, bool clean)
{
    size_t n = 0;
    DIR *dir = opendir(path);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        n++;
        _auto_free_ char *name = xasprintf("%s/%s", path, entry->d_name);
        if (clean)
            unlink(name);
    }
    closedir(dir);
    return n;
}

static int teardown(void **state)
{
    struct world *w = *state;
    cloud_close(w->cloud);
    w->machine->ops = w->fake;
    w->fake->close(w->machine);
    files_in(w->dir, true);
    rmdir(w->dir);
    free(w);
    return 0;
}

static struct cloud_create wish(const char *type, int64_t gib)
{
    return (struct cloud_create){.zone = "us-east-1a", .type = type, .gib = gib};
}

static void make(struct world *w, const char *id, int64_t gib)
{
    struct cloud_create req = wish("gp3", gib);
    struct err e = ERR_INIT;
    req.id = id;
    if (cloud_disk_create(w->cloud, &req, NULL, &e) < 0)
        fail_msg("%s: %s", id, e.msg);
}

#define VOL  "vol-00000000000000001"
#define VOL2 "vol-00000000000000002"
#define VOL3 "vol-00000000000000003"

static void test_bounds(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *type;
        int64_t gib, iops, throughput;
        const char *why; /* NULL: made, with these iops */
        int64_t got;
    } rows[] = {
        {"gp2", 1, 0, 0, NULL, 100},
        {"gp2", 1000, 0, 0, NULL, 3000},
        {"gp2", 16384, 0, 0, NULL, 16000},
        {"gp2", 10, 100, 0, "InvalidParameterCombination: The parameter iops is not supported for gp2 volumes.", 0},
        {"gp3", 1, 0, 0, NULL, 3000},
        {"gp3", 1, 3001, 0,
         "InvalidParameterValue: Iops to volume size ratio of 3001.000000 is too high; maximum is 500", 0},
        {"gp3", 100, 100, 0, "InvalidParameterValue: Volume iops of 100 is too low; minimum is 3000.", 0},
        {"gp3", 100, 4000, 1000, NULL, 4000},
        {"gp3", 100, 3000, 1000,
         "InvalidParameterValue: Throughput (MiBps) to iops ratio of 1000 MiBps is too high; maximum is 750 MiBps for "
         "these iops.",
         0},
        {"gp3", 16385, 0, 0,
         "InvalidParameterValue: Volume of 16385GiB is too large for volume type gp3; maximum is 16384GiB.", 0},
        {"io1", 1, 100, 0, "InvalidParameterValue: Volume of 1GiB is too small for volume type io1; minimum is 4GiB.",
         0},
        {"io1", 10, 0, 0,
         "InvalidParameterDependency: The parameter [VolumeType] requires the parameter Iops to be set.", 0},
        {"io2", 4, 3000, 0,
         "InvalidParameterValue: Iops to volume size ratio of 750.000000 is too high; maximum is 500", 0},
        {"io2", 4, 2000, 0, NULL, 2000},
        {"st1", 100, 0, 0,
         "InvalidParameterValue: Volume of 100GiB is too small for volume type st1; minimum is 125GiB.", 0},
        {"st1", 125, 0, 0, NULL, 0},
        {"sc1", 125, 0, 125, "InvalidParameterCombination: The parameter throughput is not supported for sc1 volumes.",
         0},
        {"gp9", 1, 0, 0, "UnknownVolumeType: Unsupported volume type 'gp9' for volume creation.", 0},
        {"gp3", 0, 0, 0, "MissingParameter: The request must contain the parameter size/snapshot", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cloud_create req = wish(rows[i].type, rows[i].gib);
        _auto_disk_ struct cloud_disk made = {0};
        struct err e = ERR_INIT;
        req.iops = rows[i].iops;
        req.throughput = rows[i].throughput;
        int rc = cloud_disk_create(w->cloud, &req, &made, &e);
        assert_string_equal(e.msg, rows[i].why ? rows[i].why : "");
        assert_int_equal(rc, rows[i].why ? -1 : 0);
        assert_int_equal(made.iops, rows[i].got);
    }
}

static void test_places(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    struct cloud_attachment a;
    struct cloud_create req = wish(NULL, 1);
    req.zone = "us-east-1z";
    assert_int_equal(cloud_disk_create(w->cloud, &req, NULL, &e), -1);
    assert_string_equal(e.msg, "InvalidZone.NotFound: The zone 'us-east-1z' does not exist.");
    make(w, VOL, 1);
    make(w, VOL2, 1);
    assert_int_equal(cloud_disk_attach(w->cloud, VOL, "n1", NULL, false, &a, &e), 0);
    assert_string_equal(a.device, "/dev/xvdba");
    assert_int_equal(cloud_disk_attach(w->cloud, VOL, "n1", NULL, false, &a, &e), -1);
    assert_string_equal(e.msg, "VolumeInUse: " VOL " is already attached to an instance");
    assert_int_equal(cloud_disk_attach(w->cloud, VOL2, "n1", "/dev/xvdba", false, &a, &e), -1);
    assert_non_null(strstr(e.msg, "Attachment point /dev/xvdba is already in use"));
    assert_int_equal(cloud_disk_attach(w->cloud, VOL2, "n1", "/dev/../sda", false, &a, &e), -1);
    assert_int_equal(cloud_disk_attach(w->cloud, VOL2, "n2", NULL, false, &a, &e), -1);
    char id[24], want[160];
    cloud_instance_id("n2", id);
    snprintf(want, sizeof want,
             "InvalidVolume.ZoneMismatch: The volume '" VOL2 "' is not in the same availability zone as instance '%s'",
             id);
    assert_string_equal(e.msg, want);
    assert_int_equal(cloud_disk_attach(w->cloud, VOL2, "i-none", NULL, false, &a, &e), -1);
    assert_string_equal(e.msg, "InvalidInstanceID.NotFound: The instance ID 'i-none' does not exist");
    assert_int_equal(cloud_disk_attach(w->cloud, VOL2, "n1", NULL, false, &a, &e), 0);
    assert_string_equal(a.device, "/dev/xvdbb");
    assert_int_equal(cloud_disk_delete(w->cloud, VOL2, &e), -1);
    assert_non_null(strstr(e.msg, "VolumeInUse: Volume " VOL2 " is currently attached to i-0"));
    assert_int_equal(cloud_disk_detach(w->cloud, VOL2, NULL, "/dev/xvdbz", false, &e), -1);
    assert_non_null(strstr(e.msg, "InvalidAttachment.NotFound: "));
    assert_int_equal(cloud_disk_detach(w->cloud, VOL2, NULL, NULL, false, &e), 0);
    assert_int_equal(cloud_disk_detach(w->cloud, VOL2, NULL, NULL, false, &e), -1);
    assert_string_equal(e.msg, "IncorrectState: Volume '" VOL2 "' is in the 'available' state.");
    assert_int_equal(cloud_disk_delete(w->cloud, VOL2, &e), 0);
    assert_int_equal(cloud_disk_delete(w->cloud, VOL2, &e), -1);
    char code[64];
    assert_string_equal(cloud_error(&e, code), "The volume '" VOL2 "' does not exist.");
    assert_string_equal(code, "InvalidVolume.NotFound");
}

static void test_limit(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    struct cloud_create req = wish("gp3", 1);
    for (int i = 0; i < 27; i++) {
        _auto_disk_ struct cloud_disk d = {0};
        assert_int_equal(cloud_disk_create(w->cloud, &req, &d, &e), 0);
        assert_int_equal(cloud_disk_attach(w->cloud, d.id, "n1", NULL, false, NULL, &e), i < 26 ? 0 : -1);
    }
    assert_non_null(strstr(e.msg, "AttachmentLimitExceeded: "));
}

static void test_token(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    struct cloud_create req = wish("gp3", 2);
    _auto_disk_ struct cloud_disk a = {0}, b = {0}, c = {0};
    req.token = "pvc-1";
    assert_int_equal(cloud_disk_create(w->cloud, &req, &a, &e), 0);
    assert_int_equal(cloud_disk_create(w->cloud, &req, &b, &e), 0);
    assert_string_equal(a.id, b.id);
    req.gib = 3;
    assert_int_equal(cloud_disk_create(w->cloud, &req, NULL, &e), -1);
    assert_non_null(strstr(e.msg, "IdempotentParameterMismatch: "));
    assert_int_equal(cloud_disk_delete(w->cloud, a.id, &e), 0);
    assert_int_equal(cloud_disk_create(w->cloud, &req, &c, &e), 0);
}

static void test_modify(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    struct disk_info info;
    struct cloud_change grow = {.gib = 2}, none = {0}, less = {.gib = 1}, type = {.type = "io2", .iops = 1000};
    _auto_disk_ struct cloud_disk d = {0};
    make(w, VOL, 1);
    assert_int_equal(cloud_disk_modify(w->cloud, VOL, &none, NULL, &e), -1);
    assert_int_equal(cloud_disk_modify(w->cloud, VOL, &grow, NULL, &e), 0);
    assert_int_equal(w->ops.disk_info(w->machine, VOL, &info, &e), 0);
    assert_int_equal(info.bytes, 2 * GIB);
    assert_int_equal(cloud_disk_modify(w->cloud, VOL, &less, NULL, &e), -1);
    assert_string_equal(e.msg, "InvalidParameterValue: New size cannot be smaller than existing size");
    assert_int_equal(cloud_disk_modify(w->cloud, VOL, &type, NULL, &e), -1); /* io2 begins at 4 */
    type.gib = 4;
    assert_int_equal(cloud_disk_modify(w->cloud, VOL, &type, &d, &e), 0);
    assert_string_equal(d.type, "io2");
    assert_int_equal(d.throughput, 0);
    _auto_json_ json_t *shown = cloud_modification_json(&d);
    assert_string_equal(jstr(shown, "OriginalVolumeType"), "gp3");
    for (int64_t gib = 5; gib < 7; gib++) {
        grow.gib = gib;
        assert_int_equal(cloud_disk_modify(w->cloud, VOL, &grow, NULL, &e), 0);
    }
    grow.gib = 9;
    assert_int_equal(cloud_disk_modify(w->cloud, VOL, &grow, NULL, &e), -1);
    assert_non_null(strstr(e.msg, "VolumeModificationRateExceeded: "));
    clock_fake_advance(&w->clock, INT64_C(25) * 3600 * 1000000000);
    assert_int_equal(cloud_disk_modify(w->cloud, VOL, &grow, NULL, &e), 0);
}

static void test_snapshot(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    _auto_snapshot_ struct cloud_snapshot s = {0}, again = {0};
    make(w, VOL, 2);
    _auto_json_ json_t *tags = json_pack("{s:s}", "Name", "nightly");
    assert_int_equal(cloud_snapshot_create(w->cloud, VOL, "snap-a", "text", tags, &s, &e), 0);
    assert_int_equal(cloud_snapshot_create(w->cloud, VOL, "snap-a", "text", NULL, &again, &e), 0);
    assert_string_equal(s.id, again.id);
    assert_int_equal(s.state, CLOUD_COMPLETED);
    struct cloud_create req = wish("gp3", 1);
    req.snapshot = s.id;
    assert_int_equal(cloud_disk_create(w->cloud, &req, NULL, &e), -1); /* smaller than it */
    req.gib = 0;
    _auto_disk_ struct cloud_disk d = {0};
    assert_int_equal(cloud_disk_create(w->cloud, &req, &d, &e), 0);
    assert_int_equal(d.gib, 2);
    assert_string_equal(d.snapshot, s.id);
    assert_int_equal(cloud_tag(w->cloud, s.id, "a", "b", &e), 0);
    assert_int_equal(cloud_disk_delete(w->cloud, VOL, &e), 0); /* a snapshot outlives its disk */
    cloud_close(w->cloud);
    open_cloud(w);
    cloud_snapshot_release(&again);
    assert_int_equal(cloud_snapshot_get(w->cloud, s.id, &again, &e), 0);
    assert_string_equal(jstr(again.tags, "a"), "b");
    assert_string_equal(jstr(again.tags, "Name"), "nightly");
    assert_int_equal(cloud_snapshot_delete(w->cloud, s.id, &e), 0);
    assert_int_equal(cloud_snapshot_get(w->cloud, s.id, NULL, &e), -1);
}

static void test_survives(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    _auto_disk_ struct cloud_disk before = {0}, after = {0};
    make(w, VOL, 1);
    assert_int_equal(cloud_tag(w->cloud, VOL, "Name", "data", &e), 0);
    assert_int_equal(cloud_disk_attach(w->cloud, VOL, "n1", "/dev/sdf", false, NULL, &e), 0);
    assert_int_equal(cloud_disk_get(w->cloud, VOL, &before, &e), 0);
    cloud_close(w->cloud);
    assert_int_equal(w->ops.disk_detach(w->machine, VOL, "n1", &e), 0); /* the kernel took it with the process */
    open_cloud(w);
    assert_int_equal(cloud_resume(w->cloud, &e), 0);
    assert_int_equal(cloud_disk_get(w->cloud, VOL, &after, &e), 0);
    _auto_json_ json_t *was = cloud_disk_json(&before), *is = cloud_disk_json(&after);
    assert_true(json_equal(was, is));
    assert_string_equal(jstr(is, "State"), "in-use");
    struct disk_info info;
    assert_int_equal(w->ops.disk_info(w->machine, VOL, &info, &e), 0);
    assert_string_equal(info.device, "/dev/sdf");
}

/* -- a kill at any step -- */

static struct world *killed; /* the machine from which on nothing works */
static unsigned calls, alive;

static bool dead(struct err *e)
{
    if (++calls <= alive)
        return false;
    err_set(e, ERR_UNAVAILABLE, "killed");
    return true;
}

static int k_create(struct machine *m, const char *id, int64_t bytes, struct err *e)
{
    return dead(e) ? -1 : killed->fake->disk_create(m, id, bytes, e);
}
static int k_grow(struct machine *m, const char *id, int64_t bytes, struct err *e)
{
    return dead(e) ? -1 : killed->fake->disk_grow(m, id, bytes, e);
}
static int k_delete(struct machine *m, const char *id, struct err *e)
{
    return dead(e) ? -1 : killed->fake->disk_delete(m, id, e);
}
static int k_copy(struct machine *m, const char *from, const char *to, int64_t bytes, struct err *e)
{
    return dead(e) ? -1 : killed->fake->disk_copy(m, from, to, bytes, e);
}
static int k_attach(struct machine *m, const char *id, const char *node, const char *device, unsigned how,
                    struct err *e)
{
    return dead(e) ? -1 : killed->fake->disk_attach(m, id, node, device, how, e);
}
static int k_detach(struct machine *m, const char *id, const char *node, struct err *e)
{
    return dead(e) ? -1 : killed->fake->disk_detach(m, id, node, e);
}

/* A student's day; stops at the first thing that fails, as a killed process does. */
static int a_day(struct world *w)
{
    struct err e = ERR_INIT;
    _auto_snapshot_ struct cloud_snapshot s = {0};
    struct cloud_create one = wish("gp3", 1), from = wish("gp3", 3);
    struct cloud_change grow = {.gib = 2};
    one.id = VOL;
    from.id = VOL2;
    if (cloud_disk_create(w->cloud, &one, NULL, &e) < 0 ||
        cloud_disk_attach(w->cloud, VOL, "n1", NULL, false, NULL, &e) < 0 ||
        cloud_disk_modify(w->cloud, VOL, &grow, NULL, &e) < 0 ||
        cloud_snapshot_create(w->cloud, VOL, NULL, "", NULL, &s, &e) < 0)
        return -1;
    from.snapshot = s.id;
    if (cloud_disk_create(w->cloud, &from, NULL, &e) < 0 ||
        cloud_disk_detach(w->cloud, VOL, NULL, NULL, false, &e) < 0 || cloud_disk_delete(w->cloud, VOL, &e) < 0 ||
        cloud_snapshot_delete(w->cloud, s.id, &e) < 0)
        return -1;
    return 0;
}

/* Each record has its bytes, each disk file its record, and nothing is between two states. */
static void assert_consistent(struct world *w)
{
    struct cloud_disk *disks;
    struct cloud_snapshot *snapshots;
    struct fake_counts have;
    size_t n = cloud_disks(w->cloud, NULL, NULL, &disks), sn = cloud_snapshots(w->cloud, &snapshots), plugged = 0;
    for (size_t i = 0; i < n; i++) {
        struct disk_info info;
        struct err e = ERR_INIT;
        assert_true(disks[i].state == CLOUD_AVAILABLE || disks[i].state == CLOUD_IN_USE);
        assert_int_equal(w->fake->disk_info(w->machine, disks[i].id, &info, &e), 0);
        assert_int_equal(info.bytes, disks[i].gib * GIB);
        plugged += disks[i].attachment_count;
        for (size_t a = 0; a < disks[i].attachment_count; a++)
            assert_int_equal(disks[i].attachments[a].state, CLOUD_ATTACHED);
    }
    machine_fake_count(w->machine, &have);
    assert_int_equal(have.disks, n + sn);
    assert_int_equal(have.attached, plugged);
    assert_int_equal(files_in(w->dir, false), n + sn);
    cloud_disks_free(disks, n);
    cloud_snapshots_free(snapshots, sn);
}

/* What a process leaves: its loop devices go with it. */
static void unplug_all(struct world *w)
{
    static const char *const ids[] = {VOL, VOL2, VOL3};
    struct err e = ERR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        w->fake->disk_detach(w->machine, ids[i], "n1", &e);
}

static void test_killed_at_each_call(void **state)
{
    struct world *w = *state;
    killed = w;
    int done = -1;
    for (alive = 0; done < 0; alive++) {
        struct err e = ERR_INIT;
        calls = 0;
        w->ops.disk_create = k_create;
        w->ops.disk_grow = k_grow;
        w->ops.disk_delete = k_delete;
        w->ops.disk_copy = k_copy;
        w->ops.disk_attach = k_attach;
        w->ops.disk_detach = k_detach;
        done = a_day(w);
        w->ops = *w->fake;
        w->ops.info = real_info;
        cloud_close(w->cloud);
        unplug_all(w);
        open_cloud(w);
        assert_int_equal(cloud_resume(w->cloud, &e), 0);
        assert_consistent(w);
        struct cloud_disk *disks;
        struct cloud_snapshot *snapshots;
        size_t n = cloud_disks(w->cloud, NULL, NULL, &disks), sn = cloud_snapshots(w->cloud, &snapshots);
        for (size_t i = 0; i < n; i++) { /* the next round begins with nothing */
            cloud_disk_detach(w->cloud, disks[i].id, NULL, NULL, false, &e);
            assert_int_equal(cloud_disk_delete(w->cloud, disks[i].id, &e), 0);
        }
        for (size_t i = 0; i < sn; i++)
            assert_int_equal(cloud_snapshot_delete(w->cloud, snapshots[i].id, &e), 0);
        cloud_disks_free(disks, n);
        cloud_snapshots_free(snapshots, sn);
    }
    assert_true(alive > 8);
}

static int refuse_attach(struct machine *m, const char *id, const char *node, const char *device, unsigned how,
                         struct err *e)
{
    (void)m, (void)id, (void)device, (void)how;
    return err_set(e, ERR_NOT_FOUND, "node \"%s\" is not running", node);
}

/* The helper dies while disks are plugged in again: what was told stays told. Forgotten, another disk would get the
 * device name that the attachment of this one still tells, and a pod the wrong bytes. */
static void test_dying_machine_forgets_nothing(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    _auto_disk_ struct cloud_disk disk = {0};
    make(w, VOL, 1);
    assert_int_equal(cloud_disk_attach(w->cloud, VOL, "n1", NULL, false, NULL, &e), 0);
    cloud_close(w->cloud);
    assert_int_equal(w->ops.disk_detach(w->machine, VOL, "n1", &e), 0);
    open_cloud(w);
    w->ops.disk_attach = refuse_attach;
    assert_int_equal(cloud_resume(w->cloud, &e), -1);
    w->ops.disk_attach = w->fake->disk_attach;
    err_clear(&e);
    assert_int_equal(cloud_resume(w->cloud, &e), 0);
    assert_int_equal(cloud_disk_get(w->cloud, VOL, &disk, &e), 0);
    assert_int_equal(disk.attachment_count, 1);
    assert_string_equal(disk.attachments[0].device, "/dev/xvdba");
}

/* One node does not run: the disks of the other are plugged in; its own once it runs. */
static void test_dead_node_lacks_its_disks_only(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    struct disk_info first, second;
    const struct node_spec n1 = {.name = "n1", .nodefs_bytes = GIB};
    struct cloud_create req = wish("gp3", 1);
    req.zone = "us-east-1b";
    req.id = VOL2;
    make(w, VOL, 1);
    assert_int_equal(cloud_disk_create(w->cloud, &req, NULL, &e), 0);
    assert_int_equal(cloud_disk_attach(w->cloud, VOL, "n1", NULL, false, NULL, &e), 0);
    assert_int_equal(cloud_disk_attach(w->cloud, VOL2, "n2", NULL, false, NULL, &e), 0);
    assert_int_equal(w->ops.disk_detach(w->machine, VOL, "n1", &e), 0);
    assert_int_equal(w->ops.disk_detach(w->machine, VOL2, "n2", &e), 0);
    assert_int_equal(w->ops.node_stop(w->machine, "n1", &e), 0);
    assert_int_equal(cloud_resume(w->cloud, &e), -1);
    assert_int_equal(w->ops.disk_info(w->machine, VOL, &first, &e), 0);
    assert_int_equal(w->ops.disk_info(w->machine, VOL2, &second, &e), 0);
    assert_string_equal(first.node, "");
    assert_string_equal(second.node, "n2");
    assert_int_equal(w->ops.node_start(w->machine, &n1, &e), 0);
    err_clear(&e);
    assert_int_equal(cloud_resume(w->cloud, &e), 0);
    assert_int_equal(w->ops.disk_info(w->machine, VOL, &first, &e), 0);
    assert_string_equal(first.node, "n1");
}

/* One call fails and the process lives: what was asked is refused as a whole, or done. */
static void test_each_call_fails(void **state)
{
    struct world *w = *state;
    for (unsigned nth = 1; nth < 40; nth++) {
        struct err e = ERR_INIT;
        machine_fake_fail(w->machine, nth, ERR_NO_SPACE);
        a_day(w);
        machine_fake_fail(w->machine, 0, ERR_OK);
        cloud_close(w->cloud);
        unplug_all(w);
        open_cloud(w);
        assert_int_equal(cloud_resume(w->cloud, &e), 0);
        assert_consistent(w);
        struct cloud_disk *disks;
        size_t n = cloud_disks(w->cloud, NULL, NULL, &disks);
        for (size_t i = 0; i < n; i++) {
            cloud_disk_detach(w->cloud, disks[i].id, NULL, NULL, false, &e);
            assert_int_equal(cloud_disk_delete(w->cloud, disks[i].id, &e), 0);
        }
        cloud_disks_free(disks, n);
        struct cloud_snapshot *snapshots;
        n = cloud_snapshots(w->cloud, &snapshots);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(cloud_snapshot_delete(w->cloud, snapshots[i].id, &e), 0);
        cloud_snapshots_free(snapshots, n);
    }
}

/* The record of each moment at which a kill may come, written by hand. */
static void test_half_done_records(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *state, *attachment; /* attachment state or NULL */
        int64_t bytes;                  /* of the disk file; 0: none */
        const char *then;               /* state afterwards, or NULL: gone */
        size_t attachments;
    } rows[] = {
        {"creating", NULL, 0, NULL, 0},
        {"creating", NULL, GIB, NULL, 0},
        {"deleting", NULL, 2 * GIB, NULL, 0},
        {"deleting", NULL, 0, NULL, 0},
        {"in-use", "attaching", 2 * GIB, "available", 0},
        {"in-use", "detaching", 2 * GIB, "available", 0},
        {"in-use", "attached", 2 * GIB, "in-use", 1},
        {"available", NULL, GIB, "available", 0}, /* killed before it grew */
        {"available", NULL, 0, "error", 0},       /* the user removed the file */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        cloud_close(w->cloud);
        json_t *attachments = rows[i].attachment
                                  ? json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "State", rows[i].attachment, "Node", "n1",
                                              "InstanceId", "i-1", "Device", "/dev/xvdba", "AttachTime", "x")
                                  : json_array();
        _auto_json_ json_t *record =
            json_pack("{s:s, s:s, s:s, s:s, s:i, s:o}", "VolumeId", VOL, "State", rows[i].state, "VolumeType", "gp3",
                      "AvailabilityZone", "us-east-1a", "Size", 2, "Attachments", attachments);
        _auto_free_ char *path = xasprintf("%s/" VOL ".json", w->dir);
        assert_int_equal(json_dump_file(record, path, 0), 0);
        if (rows[i].bytes)
            assert_int_equal(w->fake->disk_create(w->machine, VOL, rows[i].bytes, &e), 0);
        open_cloud(w);
        _auto_disk_ struct cloud_disk d = {0};
        assert_int_equal(cloud_disk_get(w->cloud, VOL, &d, &e), rows[i].then ? 0 : -1);
        if (rows[i].then) {
            assert_string_equal(cloud_state_name(d.state), rows[i].then);
            assert_int_equal(d.attachment_count, rows[i].attachments);
        }
        struct fake_counts have;
        machine_fake_count(w->machine, &have);
        assert_int_equal(have.disks, rows[i].then && rows[i].bytes ? 1 : 0);
        cloud_resume(w->cloud, &e); /* "i-1" is no more: its attachment goes */
        if (rows[i].then)
            assert_int_equal(cloud_disk_delete(w->cloud, VOL, &e), 0);
        assert_int_equal(files_in(w->dir, false), 0);
    }
}

/* A power cut: a record that was told to nobody may be empty. It goes with its disk, the others stay. */
static void test_empty_record(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    struct fake_counts have;
    make(w, VOL, 1);
    make(w, VOL2, 1);
    cloud_close(w->cloud);
    _auto_free_ char *path = xasprintf("%s/" VOL ".json", w->dir);
    assert_int_equal(truncate(path, 0), 0);
    open_cloud(w);
    assert_int_equal(cloud_disk_get(w->cloud, VOL, NULL, &e), -1);
    assert_int_equal(cloud_disk_delete(w->cloud, VOL2, &e), 0);
    machine_fake_count(w->machine, &have);
    assert_int_equal(have.disks, 0);
    assert_int_equal(files_in(w->dir, false), 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {T(test_bounds),
                                       T(test_places),
                                       T(test_limit),
                                       T(test_token),
                                       T(test_modify),
                                       T(test_snapshot),
                                       T(test_survives),
                                       T(test_killed_at_each_call),
                                       T(test_dying_machine_forgets_nothing),
                                       T(test_dead_node_lacks_its_disks_only),
                                       T(test_each_call_fails),
                                       T(test_half_done_records),
                                       T(test_empty_record)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
