/* df.c - `df` as GNU coreutils prints it, for images that have coreutils in reality: course notes show its columns.
 *
 *     df [-h|-H|-k|-m|-B1] [-T] [-a] [-i] [PATH...]
 *
 * DESIGN: a mount is a line of /proc/self/mounts with its statfs; a PATH is answered by the last mount whose device it
 * is on. Sizes are rounded up, as coreutils does. Column widths follow the longest text. */
#include "guest.h"

#include <mntent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { MOUNTS_MAX = 512, COLUMNS_MAX = 7, CELL = 256 };

struct options {
    bool human, si, inodes, types, all;
    uint64_t unit; /* bytes */
};
struct mount {
    char source[CELL], target[CELL], type[32];
    dev_t device;
};
struct table {
    char cells[MOUNTS_MAX + 1][COLUMNS_MAX][CELL];
    int rows, columns;
};

static struct mount mounts[MOUNTS_MAX];
static int mount_count;
static struct table table;

static void read_mounts(void)
{
    FILE *f = setmntent("/proc/self/mounts", "r");
    for (struct mntent *m; f && mount_count < MOUNTS_MAX && (m = getmntent(f));) {
        struct mount *out = &mounts[mount_count];
        struct stat st;
        if (stat(m->mnt_dir, &st) < 0)
            continue;
        snprintf(out->source, sizeof out->source, "%s", m->mnt_fsname);
        snprintf(out->target, sizeof out->target, "%s", m->mnt_dir);
        snprintf(out->type, sizeof out->type, "%s", m->mnt_type);
        out->device = st.st_dev;
        mount_count++;
    }
    if (f)
        endmntent(f);
}

/* 24K, 2.9G, 12G: one decimal below ten, always rounded up. */
static void human(uint64_t bytes, unsigned base, char out[CELL])
{
    static const char units[] = "\0KMGTPE";
    double v = (double)bytes;
    int u = 0;
    while (v >= base && u < 6) {
        v /= base;
        u++;
    }
    if (u == 0) {
        snprintf(out, CELL, "%llu", (unsigned long long)bytes);
        return;
    }
    double tenths = v * 10;
    uint64_t up = (uint64_t)tenths + (tenths > (double)(uint64_t)tenths);
    char unit = u == 1 && base == 1000 ? 'k' : units[u];
    if (up < 100)
        snprintf(out, CELL, "%llu.%llu%c", (unsigned long long)up / 10, (unsigned long long)up % 10, unit);
    else
        snprintf(out, CELL, "%llu%c", (unsigned long long)((uint64_t)v + (v > (double)(uint64_t)v)), unit);
}

static void amount(const struct options *o, uint64_t value, uint64_t scale, char out[CELL])
{
    if (o->human)
        human(value * scale, o->si ? 1000 : 1024, out);
    else if (o->inodes)
        snprintf(out, CELL, "%llu", (unsigned long long)value);
    else
        snprintf(out, CELL, "%llu", (unsigned long long)((value * scale + o->unit - 1) / o->unit));
}

static void percent(uint64_t used, uint64_t avail, char out[CELL])
{
    if (used + avail == 0)
        snprintf(out, CELL, "-");
    else
        snprintf(out, CELL, "%llu%%", (unsigned long long)((used * 100 + used + avail - 1) / (used + avail)));
}

static void put(int row, int *column, const char *text)
{
    snprintf(table.cells[row][(*column)++], CELL, "%s", text);
}

static void add_head(const struct options *o)
{
    char size[CELL] = "1K-blocks";
    int c = 0;
    if (o->unit == 1)
        snprintf(size, sizeof size, "1B-blocks");
    else if (o->unit == 1048576)
        snprintf(size, sizeof size, "1M-blocks");
    put(0, &c, "Filesystem");
    if (o->types)
        put(0, &c, "Type");
    put(0, &c, o->inodes ? "Inodes" : o->human ? "Size" : size);
    put(0, &c, o->inodes ? "IUsed" : "Used");
    put(0, &c, o->inodes ? "IFree" : o->human ? "Avail" : "Available");
    put(0, &c, o->inodes ? "IUse%" : "Use%");
    put(0, &c, "Mounted on");
    table.columns = c;
    table.rows = 1;
}

static void add_mount(const struct options *o, const struct mount *m, bool named)
{
    struct statvfs fs;
    char cell[CELL];
    int c = 0, row = table.rows;
    if (statvfs(m->target, &fs) < 0 || (fs.f_blocks == 0 && !named && !o->all))
        return;
    uint64_t scale = o->inodes ? 1 : fs.f_frsize;
    uint64_t total = o->inodes ? fs.f_files : fs.f_blocks, free_ = o->inodes ? fs.f_ffree : fs.f_bfree;
    uint64_t avail = o->inodes ? fs.f_favail : fs.f_bavail, used = total - free_;
    put(row, &c, m->source);
    if (o->types)
        put(row, &c, m->type);
    amount(o, total, scale, cell);
    put(row, &c, cell);
    amount(o, used, scale, cell);
    put(row, &c, cell);
    amount(o, avail, scale, cell);
    put(row, &c, cell);
    percent(used, avail, cell);
    put(row, &c, cell);
    put(row, &c, m->target);
    table.rows++;
}

static bool seen_before(int index)
{
    for (int i = 0; i < index; i++)
        if (mounts[i].device == mounts[index].device)
            return true;
    return false;
}

static int add_path(const struct options *o, const char *path)
{
    struct stat st;
    char real[4096];
    const struct mount *best = NULL;
    if (stat(path, &st) < 0 || !realpath(path, real)) {
        fprintf(stderr, "df: %s: No such file or directory\n", path);
        return 1;
    }
    for (int i = 0; i < mount_count; i++) {
        size_t n = strlen(mounts[i].target);
        bool below = strncmp(real, mounts[i].target, n) == 0 && (real[n] == '/' || real[n] == '\0' || n == 1);
        if (mounts[i].device == st.st_dev && (below || !best))
            best = &mounts[i];
    }
    if (best && table.rows <= MOUNTS_MAX)
        add_mount(o, best, true);
    return 0;
}

static void print_table(bool types)
{
    int width[COLUMNS_MAX];
    for (int c = 0; c < table.columns; c++) {
        width[c] = c == 0 ? 14 : c == table.columns - 2 ? 4 : types && c == 1 ? 4 : 5;
        for (int r = 0; r < table.rows; r++)
            if ((int)strlen(table.cells[r][c]) > width[c])
                width[c] = (int)strlen(table.cells[r][c]);
    }
    for (int r = 0; r < table.rows; r++) {
        for (int c = 0; c < table.columns - 1; c++)
            printf(c == 0 || (types && c == 1) ? "%-*s " : "%*s ", width[c], table.cells[r][c]);
        puts(table.cells[r][table.columns - 1]);
    }
}

static int usage(const char *what)
{
    fprintf(stderr, "df: invalid option -- '%s'\nTry 'df --help' for more information.\n", what);
    return 1;
}

static int parse(int argc, char **argv, struct options *o, int *first)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            puts("Usage: df [-h|-H|-k|-m|-B1] [-a] [-i] [-T] [FILE]...");
            exit(0);
        }
        for (const char *p = argv[i] + 1; *p; p++) {
            switch (*p) {
            case 'H':
                o->si = true;
                o->human = true;
                break;
            case 'h':
                o->human = true;
                break;
            case 'k':
                o->unit = 1024;
                break;
            case 'm':
                o->unit = 1048576;
                break;
            case 'B': /* -B1, -BM */
                o->unit = p[1] == '1' ? 1 : p[1] == 'M' ? 1048576 : 1024;
                p += strlen(p) - 1;
                break;
            case 'T':
                o->types = true;
                break;
            case 'i':
                o->inodes = true;
                break;
            case 'a':
                o->all = true;
                break;
            case 'P':
            case 'l':
                break;
            default:
                return usage(p);
            }
        }
    }
    *first = i;
    return 0;
}

int df_main(int argc, char **argv)
{
    struct options o = {.unit = 1024};
    int first, rc = parse(argc, argv, &o, &first);
    if (rc)
        return rc;
    read_mounts();
    add_head(&o);
    for (int i = first; i < argc; i++)
        rc |= add_path(&o, argv[i]);
    for (int i = 0; first == argc && i < mount_count; i++)
        if (o.all || !seen_before(i))
            add_mount(&o, &mounts[i], false);
    if (table.rows > 1)
        print_table(o.types);
    return rc;
}
