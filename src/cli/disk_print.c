/* disk_print.c - disks, snapshots and the glass disk as text. THREADS: none. */
#include "base/json.h"
#include "base/str.h"
#include "cli/disk_int.h"

#include <stdio.h>
#include <string.h>

void disk_size_text(int64_t bytes, char out[32])
{
    static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti"};
    double v = (double)bytes;
    size_t u = 0;
    while (v >= 1024 && u < 4) {
        v /= 1024;
        u++;
    }
    int whole = (int64_t)v * 10 == (int64_t)(v * 10 + 0.0001);
    snprintf(out, 32, u && !whole && v < 100 ? "%.1f%s" : "%.0f%s", v, units[u]);
}

/* -- lists -- */

static const char *or_dash(const char *s)
{
    return str_empty(s) ? "-" : s;
}

/* How wide a column is: its longest text, `least` at least. */
static int width_of(const json_t *rows, const char *member, int least)
{
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row)
    {
        const int n = (int)strlen(jstr_or(row, member, ""));
        least = n > least ? n : least;
    }
    return least;
}

void disk_print_list(const json_t *disks, bool wide)
{
    size_t i;
    const json_t *d;
    const int ids = width_of(disks, "VolumeId", 22), types = width_of(disks, "VolumeType", 8);
    printf("%-*s %-11s %-7s %-*s %-10s %-14s %-11s %s", ids, "ID", "ZONE", "SIZE", types, "TYPE", "STATE", "NODE",
           "DEVICE",
           wide ? "IOPS    MIB/S   USED     SNAPSHOT                CREATED               NAME             USED BY\n"
                : "USED BY\n");
    json_array_foreach(disks, i, d)
    {
        const json_t *at = json_array_get(json_object_get(d, "Attachments"), 0);
        const char *claim = jstr(d, "Kubernetes.PersistentVolumeClaim"), *pv = jstr(d, "Kubernetes.PersistentVolume");
        char size[32], used[32], name[40] = "-";
        size_t t;
        const json_t *tag;
        disk_size_text(jint(d, "Size", 0) << 30, size);
        disk_size_text(jint(d, "UsedBytes", 0), used);
        json_array_foreach(json_object_get(d, "Tags"), t, tag)
        {
            if (str_eq(jstr(tag, "Key"), "Name"))
                snprintf(name, sizeof name, "%s", jstr_or(tag, "Value", ""));
        }
        printf("%-*s %-11s %-7s %-*s %-10s %-14s %-11s ", ids, jstr_or(d, "VolumeId", ""),
               or_dash(jstr(d, "AvailabilityZone")), size, types, jstr_or(d, "VolumeType", ""), jstr_or(d, "State", ""),
               or_dash(jstr(at, "Node")), or_dash(jstr(at, "Device")));
        if (wide)
            printf("%-7lld %-7lld %-8s %-23s %-21s %-16s ", (long long)jint(d, "Iops", 0),
                   (long long)jint(d, "Throughput", 0), used, or_dash(jstr(d, "SnapshotId")),
                   jstr_or(d, "CreateTime", ""), name);
        printf("%s%s\n", claim ? "pvc/" : pv ? "pv/" : "-", claim ? claim : pv ? pv : "");
    }
}

void disk_print_snapshots(const json_t *snapshots)
{
    size_t i;
    const json_t *s;
    const int disks = width_of(snapshots, "VolumeId", 22);
    printf("%-23s %-*s %-7s %-10s %-9s %-21s %s\n", "ID", disks, "DISK", "SIZE", "STATE", "PROGRESS", "STARTED",
           "DESCRIPTION");
    json_array_foreach(snapshots, i, s)
    {
        char size[32];
        disk_size_text(jint(s, "VolumeSize", 0) << 30, size);
        printf("%-23s %-*s %-7s %-10s %-9s %-21s %s\n", jstr_or(s, "SnapshotId", ""), disks, jstr_or(s, "VolumeId", ""),
               size, jstr_or(s, "State", ""), jstr_or(s, "Progress", ""), jstr_or(s, "StartTime", ""),
               jstr_or(s, "Description", ""));
    }
}

/* -- the glass disk: each layer one step further in -- */

static void indent(int depth)
{
    if (depth)
        printf("%*s└ ", 3 * depth - 2, "");
}

static void print_file(const json_t *f, int depth)
{
    char bytes[32], used[32], room[32];
    if (!f)
        return;
    disk_size_text(jint(f, "bytes", 0), bytes);
    disk_size_text(jint(f, "used", 0), used);
    indent(depth);
    printf("file %s: %s long, %s in use on this machine", or_dash(jstr(f, "path")), bytes, used);
    if (jint(f, "inode", 0))
        printf(" (inode %lld)", (long long)jint(f, "inode", 0));
    if (jat(f, "host")) {
        disk_size_text(jint(f, "host.available", 0), room);
        printf(", %s free there", room);
    }
    putchar('\n');
}

static int print_device(const json_t *pod, int depth)
{
    const json_t *d = json_object_get(pod, "device");
    char bytes[32];
    if (!d)
        return depth;
    disk_size_text(jint(d, "bytes", 0), bytes);
    indent(depth);
    printf("device %s on %s is %s (%s): %s%s\n", jstr_or(d, "name", "?"), jstr_or(pod, "node", "?"),
           jstr_or(d, "loop", "?"), jstr_or(d, "numbers", "?"), bytes,
           jbool(d, "readOnly", false) ? ", read-only" : "");
    return depth + 1;
}

static int print_filesystem(const json_t *pod, int depth)
{
    const json_t *fs = json_object_get(pod, "filesystem"), *m = json_object_get(pod, "mount");
    char bytes[32], used[32], room[32];
    if (m) {
        indent(depth++);
        printf("mount %s (%s)\n", jstr_or(m, "path", "?"), jstr_or(m, "options", ""));
    }
    if (!fs)
        return depth;
    disk_size_text(jint(fs, "bytes", 0), bytes);
    disk_size_text(jint(fs, "used", 0), used);
    disk_size_text(jint(fs, "available", 0), room);
    indent(depth);
    printf("filesystem %s: %s, %s used, %s available; inodes: %lld, %lld used\n",
           jstr_or(m, "fstype", jstr_or(fs, "type", "?")), bytes, used, room, (long long)jint(fs, "inodes", 0),
           (long long)jint(fs, "inodesUsed", 0));
    return depth + 1;
}

static void print_pod(const json_t *pod, int depth, const json_t *file)
{
    size_t i;
    const json_t *c;
    indent(depth);
    printf("pod %s/%s on %s (%s)", jstr_or(pod, "namespace", ""), jstr_or(pod, "name", ""), or_dash(jstr(pod, "node")),
           jstr_or(pod, "phase", ""));
    json_array_foreach(json_object_get(pod, "containers"), i, c)
    {
        printf("%s %s of container %s%s", i ? "," : ":", jstr_or(c, "path", ""), jstr_or(c, "name", ""),
               jbool(c, "readOnly", false) ? " (read-only)" : "");
    }
    putchar('\n');
    depth = print_device(pod, print_filesystem(pod, depth + 1));
    if (json_object_get(pod, "device"))
        print_file(file, depth);
}

static int print_objects(const json_t *g)
{
    const json_t *c = json_object_get(g, "claim"), *v = json_object_get(g, "volume"), *d = json_object_get(g, "disk");
    int depth = 0;
    if (c) {
        indent(depth++);
        printf("claim %s/%s: %s, %s asked, %s given\n", jstr_or(c, "namespace", ""), jstr_or(c, "name", ""),
               jstr_or(c, "phase", ""), jstr_or(c, "asked", ""), or_dash(jstr(c, "capacity")));
    }
    if (v) {
        const char *driver = jstr_or(v, "driver", ""), *path = jstr(v, "path");
        indent(depth++);
        printf("volume %s: %s, %s, %s%s%s\n", jstr_or(v, "name", ""), jstr_or(v, "phase", ""),
               jstr_or(v, "capacity", ""),
               path      ? path
               : *driver ? driver
                         : "no driver",
               path ? "" : " ", path ? "" : jstr_or(v, "handle", ""));
    }
    if (d) {
        indent(depth++);
        printf("disk %s: %s, %lldGi %s in %s\n", jstr_or(d, "VolumeId", ""), jstr_or(d, "State", ""),
               (long long)jint(d, "Size", 0), jstr_or(d, "VolumeType", ""), jstr_or(d, "AvailabilityZone", ""));
    }
    return depth;
}

void disk_print_glass(const json_t *g)
{
    const json_t *file = json_object_get(g, "file"), *at = json_object_get(g, "attached"), *pod;
    bool told = false;
    int depth = print_objects(g);
    size_t i;
    json_array_foreach(json_object_get(g, "pods"), i, pod)
    {
        print_pod(pod, depth, file);
        told = told || json_object_get(pod, "device");
    }
    if (told)
        return;
    if (at) {
        indent(depth++);
        printf("device %s on %s is %s; nothing has it mounted\n", jstr_or(at, "device", "?"), jstr_or(at, "node", "?"),
               or_dash(jstr(at, "loop")));
    }
    print_file(file, depth);
}
