/* printer_snapshot.c - columns of VolumeSnapshot, VolumeSnapshotContent and VolumeSnapshotClass, as their definitions
 * name them. A value that is not there is null, which clients print as nothing. THREADS: pure functions. */
#include "api/printer_int.h"
#include "base/json.h"
#include "base/mem.h"

static void put(struct buf *out, const json_t *value)
{
    if (json_is_string(value))
        cell_text(out, json_string_value(value));
    else if (json_is_boolean(value))
        cell_bool(out, json_is_true(value));
    else if (json_is_integer(value))
        cell_int(out, json_integer_value(value));
    else
        buf_adds(out, "null");
}

#define CELL(name, path)                                                                                               \
    static void name(struct buf *out, const json_t *obj, int64_t now)                                                  \
    {                                                                                                                  \
        (void)now;                                                                                                     \
        put(out, jat(obj, path));                                                                                      \
    }
CELL(ready, "status.readyToUse")
CELL(restore_size, "status.restoreSize")
CELL(source_claim, "spec.source.persistentVolumeClaimName")
CELL(source_content, "spec.source.volumeSnapshotContentName")
CELL(class_name, "spec.volumeSnapshotClassName")
CELL(bound_content, "status.boundVolumeSnapshotContentName")
CELL(deletion_policy, "spec.deletionPolicy")
CELL(content_driver, "spec.driver")
CELL(snapshot_name, "spec.volumeSnapshotRef.name")
CELL(snapshot_ns, "spec.volumeSnapshotRef.namespace")
CELL(class_driver, "driver")
CELL(class_policy, "deletionPolicy")

static void taken(struct buf *out, const json_t *obj, int64_t now)
{
    const char *time = jstr(obj, "status.creationTime");
    if (time)
        cell_since(out, time, now);
    else
        buf_adds(out, "null");
}

static const struct column snapshot_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"ReadyToUse", "boolean", "", 0, ready, "Whether volumes can be made from the snapshot."},
    {"SourcePVC", "string", "", 0, source_claim, "The claim it is taken of."},
    {"SourceSnapshotContent", "string", "", 0, source_content, "The content of a snapshot that was there before."},
    {"RestoreSize", "string", "", 0, restore_size, "The least size of a volume made from it."},
    {"SnapshotClass", "string", "", 0, class_name, "The class that was asked for."},
    {"SnapshotContent", "string", "", 0, bound_content, "The content it is bound to."},
    {"CreationTime", "date", "", 0, taken, "When the driver took it."},
    {"Age", "date", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_snapshot = {"snapshot.storage.k8s.io", "VolumeSnapshot", snapshot_columns,
                                         ARRAY_LEN(snapshot_columns), NULL};

static const struct column content_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"ReadyToUse", "boolean", "", 0, ready, "Whether volumes can be made from the snapshot."},
    {"RestoreSize", "integer", "", 0, restore_size, "The least size of a volume made from it, in bytes."},
    {"DeletionPolicy", "string", "", 0, deletion_policy, "What becomes of the snapshot itself when this goes."},
    {"Driver", "string", "", 0, content_driver, "The CSI driver."},
    {"VolumeSnapshotClass", "string", "", 0, class_name, "The class it was made with."},
    {"VolumeSnapshot", "string", "", 0, snapshot_name, "The snapshot it is bound to."},
    {"VolumeSnapshotNamespace", "string", "", 0, snapshot_ns, "The namespace of that snapshot."},
    {"Age", "date", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_content = {"snapshot.storage.k8s.io", "VolumeSnapshotContent", content_columns,
                                        ARRAY_LEN(content_columns), NULL};

static const struct column class_columns[] = {
    {"Name", "string", "name", 0, cell_name, COLUMN_NAME_TEXT},
    {"Driver", "string", "", 0, class_driver, "The CSI driver."},
    {"DeletionPolicy", "string", "", 0, class_policy,
     "What becomes of the snapshots themselves when their objects go."},
    {"Age", "date", "", 0, cell_age, COLUMN_CREATED_TEXT},
};
const struct printer printer_snapshot_class = {"snapshot.storage.k8s.io", "VolumeSnapshotClass", class_columns,
                                               ARRAY_LEN(class_columns), NULL};
