/* ext4_read.c - see ext4_read.h.
 *
 *     superblock ──► group descriptors ──► inode ──► extents ──► blocks: a file's bytes, or a directory's entries
 *
 * DESIGN: everything is read with pread() where it is needed; only the place of a directory that is being walked is
 * remembered. A directory with an index (htree) is one with a list, too: the index hides in entries without an inode.
 * Known: extents, which every ext4 of ours has, inline data, and symbolic links in the inode; old block maps are not.
 * Each number from the image is checked against the image's size or a limit before it is used. */
#include "sys/ext4_read.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_INODE      2
#define FLAG_EXTENTS    0x80000
#define FLAG_INLINE     0x10000000
#define FEATURE_META_BG 0x10 /* group descriptors are elsewhere */
#define FEATURE_64BIT   0x80
#define FEATURE_TYPES   0x2 /* directory entries have a type */
#define EXTENT_MAGIC    0xf30a
#define EXTENT_DEPTH    5
#define EXTENT_UNWRIT   32768 /* longer ones hold nothing yet */
#define DEPTH_MOST      64
#define DIRECTORY_MOST  (64u << 20)
#define CHUNK           65536
#define INODE_MOST      1024

struct ext4 {
    int fd;
    uint32_t block, inodes, per_group, inode_size, descriptor_size, first_data;
    uint64_t blocks, free_blocks;
    uint32_t free_inodes;
    bool typed;
};

struct inode {
    unsigned char raw[INODE_MOST];
    uint16_t mode;
    uint32_t uid, gid, flags;
    uint64_t size;
    struct timespec mtime;
};

static uint16_t le16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool read_at(const struct ext4 *x, void *out, size_t n, uint64_t at)
{
    return at < INT64_MAX - n && pread(x->fd, out, n, (off_t)at) == (ssize_t)n;
}

/* ---- superblock ---- */

int ext4_open(int fd, struct ext4 **out, struct err *e)
{
    unsigned char s[1024];
    if (pread(fd, s, sizeof s, 1024) != sizeof s || le16(s + 0x38) != 0xef53 || le32(s + 0x18) > 6)
        return err_set(e, ERR_UNSUPPORTED, "no ext4");
    const uint32_t incompatible = le32(s + 0x60);
    if (incompatible & FEATURE_META_BG)
        return err_set(e, ERR_UNSUPPORTED, "an ext4 with meta block groups");
    const bool wide = incompatible & FEATURE_64BIT, sized = le32(s + 0x4c) >= 1;
    struct ext4 x = {.fd = fd,
                     .block = 1024u << le32(s + 0x18),
                     .inodes = le32(s),
                     .per_group = le32(s + 0x28),
                     .inode_size = sized ? le16(s + 0x58) : 128,
                     .descriptor_size = wide ? le16(s + 0xfe) : 32,
                     .first_data = le32(s + 0x14),
                     .blocks = le32(s + 4) | (uint64_t)(wide ? le32(s + 0x150) : 0) << 32,
                     .free_blocks = le32(s + 0xc) | (uint64_t)(wide ? le32(s + 0x158) : 0) << 32,
                     .free_inodes = le32(s + 0x10),
                     .typed = incompatible & FEATURE_TYPES};
    if (!x.per_group || x.inode_size < 128 || x.inode_size > INODE_MOST || x.descriptor_size < 32 ||
        x.descriptor_size > 1024 || x.blocks > INT64_MAX / x.block)
        return err_set(e, ERR_CORRUPT, "an ext4 with a superblock that makes no sense");
    *out = xmalloc(sizeof x);
    **out = x;
    return 0;
}

void ext4_close(struct ext4 *x)
{
    free(x);
}

void ext4_use(const struct ext4 *x, int64_t *out_files, int64_t *out_bytes)
{
    *out_files = (int64_t)x->inodes - x->free_inodes - 10; /* the first ten are the filesystem's own */
    *out_bytes = (int64_t)((x->blocks - x->free_blocks) * x->block);
}

/* ---- inodes ---- */

static struct timespec time_of(const struct ext4 *x, const unsigned char *raw)
{
    const bool extra = x->inode_size > 128 && le16(raw + 0x80) >= 0x0c;
    const uint32_t more = extra ? le32(raw + 0x88) : 0;
    return (struct timespec){(int32_t)le32(raw + 0x10) + ((int64_t)(more & 3) << 32), more >> 2};
}

static bool read_inode(const struct ext4 *x, uint32_t number, struct inode *out)
{
    unsigned char d[1024];
    if (number == 0 || number > x->inodes)
        return false;
    const uint64_t group = (number - 1) / x->per_group, index = (number - 1) % x->per_group;
    if (!read_at(x, d, x->descriptor_size, (x->first_data + 1ull) * x->block + group * x->descriptor_size))
        return false;
    const uint64_t table = le32(d + 8) | (uint64_t)(x->descriptor_size >= 64 ? le32(d + 0x28) : 0) << 32;
    if (table >= x->blocks || !read_at(x, out->raw, x->inode_size, table * x->block + index * x->inode_size))
        return false;
    const unsigned char *r = out->raw;
    out->mode = le16(r);
    out->uid = le16(r + 2) | (uint32_t)le16(r + 0x78) << 16;
    out->gid = le16(r + 0x18) | (uint32_t)le16(r + 0x7a) << 16;
    out->flags = le32(r + 0x20);
    out->size = le32(r + 4) | (uint64_t)le32(r + 0x6c) << 32;
    out->mtime = time_of(x, r);
    return true;
}

/* ---- bytes ---- */

struct run { /* where a block of a file is, and how many follow it there; start 0: a hole */
    uint64_t start, length;
};

/* In one node of the tree: the row for `block`, or -1. */
static int row_of(const unsigned char *node, int rows, uint64_t block)
{
    int at = -1;
    for (int i = 0; i < rows && le32(node + 12 + 12 * i) <= block; i++)
        at = i;
    return at;
}

static struct run hole_until(const unsigned char *node, int rows, int at, uint64_t block)
{
    const uint64_t next = at + 1 < rows ? le32(node + 12 + 12 * (at + 1)) : block + 1;
    return (struct run){0, next > block ? next - block : 1};
}

static bool leaf_run(const struct ext4 *x, const unsigned char *node, int rows, uint64_t block, struct run *out)
{
    const int at = row_of(node, rows, block);
    *out = hole_until(node, rows, at, block);
    if (at < 0)
        return true;
    const unsigned char *row = node + 12 + 12 * at;
    const uint64_t first = le32(row), length = le16(row + 4);
    const bool unwritten = length > EXTENT_UNWRIT;
    const uint64_t start = le32(row + 8) | (uint64_t)le16(row + 6) << 32;
    if (unwritten || block >= first + length)
        return true;
    if (start + length > x->blocks)
        return false;
    *out = (struct run){start + (block - first), length - (block - first)};
    return true;
}

static bool find_run(const struct ext4 *x, const struct inode *i, uint64_t block, struct run *out)
{
    _auto_free_ unsigned char *loaded = NULL;
    const unsigned char *node = i->raw + 0x28;
    size_t room = 60;
    for (int level = 0; level <= EXTENT_DEPTH; level++) {
        const int rows = le16(node + 2), depth = le16(node + 6);
        if (le16(node) != EXTENT_MAGIC || 12 + 12 * (size_t)rows > room)
            return false;
        if (depth == 0)
            return leaf_run(x, node, rows, block, out);
        const int at = row_of(node, rows, block);
        if (at < 0) {
            *out = hole_until(node, rows, at, block);
            return true;
        }
        const unsigned char *row = node + 12 + 12 * at;
        const uint64_t next = le32(row + 4) | (uint64_t)le16(row + 8) << 32;
        unsigned char *fresh = xmalloc(x->block);
        if (next >= x->blocks || !read_at(x, fresh, x->block, next * x->block)) {
            free(fresh);
            return false;
        }
        free(loaded);
        node = loaded = fresh;
        room = x->block;
    }
    return false;
}

/* What is in the inode itself: inline data, or where a short symbolic link leads. */
static bool in_inode(const struct inode *i)
{
    return i->flags & FLAG_INLINE || ((i->mode & S_IFMT) == S_IFLNK && i->size < 60);
}

/* `n` bytes within the file's size. */
static bool read_bytes(const struct ext4 *x, const struct inode *i, uint64_t at, unsigned char *out, size_t n)
{
    if (in_inode(i)) {
        if (at + n > 60)
            return false; /* the rest would be an attribute's */
        memcpy(out, i->raw + 0x28 + at, n);
        return true;
    }
    if (!(i->flags & FLAG_EXTENTS))
        return false;
    while (n > 0) {
        struct run run;
        const uint64_t in_block = at % x->block;
        if (!find_run(x, i, at / x->block, &run))
            return false;
        const uint64_t there = run.length > CHUNK ? CHUNK : run.length * x->block - in_block;
        const size_t part = there < n ? (size_t)there : n;
        if (!run.start)
            memset(out, 0, part);
        else if (!read_at(x, out, part, run.start * x->block + in_block))
            return false;
        out += part;
        at += part;
        n -= part;
    }
    return true;
}

bool ext4_same_bytes(struct ext4 *a, uint32_t inode_a, struct ext4 *b, uint32_t inode_b)
{
    struct inode i, k;
    if (!read_inode(a, inode_a, &i) || !read_inode(b, inode_b, &k) || i.size != k.size)
        return false;
    _auto_free_ unsigned char *x = xmalloc(CHUNK), *y = xmalloc(CHUNK);
    for (uint64_t at = 0; at < i.size; at += CHUNK) {
        const size_t n = i.size - at < CHUNK ? (size_t)(i.size - at) : CHUNK;
        if (!read_bytes(a, &i, at, x, n) || !read_bytes(b, &k, at, y, n) || memcmp(x, y, n) != 0)
            return false;
    }
    return true;
}

/* ---- directories ---- */

struct walk {
    const struct ext4 *x;
    size_t most, room;
    struct ext4_files files;
};

static void walk_directory(struct walk *w, const struct inode *dir, const char *path, int depth);

static void add_file(struct walk *w, uint32_t number, const char *path, const char *name, size_t n, int depth)
{
    struct inode i;
    if (w->files.len == w->most) {
        w->files.cut = true;
        return;
    }
    if (!read_inode(w->x, number, &i))
        return;
    if (w->files.len == w->room) {
        w->room = w->room ? 2 * w->room : 64;
        w->files.rows = xrealloc(w->files.rows, w->room * sizeof *w->files.rows);
    }
    char *full = xasprintf("%s%s%.*s", path, *path ? "/" : "", (int)n, name);
    w->files.rows[w->files.len++] = (struct ext4_file){full, number, i.uid, i.gid, i.mode, i.size, i.mtime};
    if ((i.mode & S_IFMT) == S_IFDIR)
        walk_directory(w, &i, full, depth + 1);
}

static bool is_own(const char *path, const char *name, size_t n)
{
    return (n == 1 && name[0] == '.') || (n == 2 && memcmp(name, "..", 2) == 0) ||
           (!*path && n == 10 && memcmp(name, "lost+found", 10) == 0);
}

static void walk_block(struct walk *w, const unsigned char *data, size_t len, const char *path, int depth)
{
    for (size_t at = 0; at + 8 <= len && !w->files.cut;) {
        const unsigned char *row = data + at;
        const uint32_t number = le32(row);
        const size_t length = le16(row + 4), name = w->x->typed ? row[6] : le16(row + 6);
        if (length < 8 || at + length > len || 8 + name > length)
            return;
        if (number && name && !is_own(path, (const char *)row + 8, name))
            add_file(w, number, path, (const char *)row + 8, name, depth);
        at += length;
    }
}

static void walk_directory(struct walk *w, const struct inode *dir, const char *path, int depth)
{
    if (depth > DEPTH_MOST || dir->size > DIRECTORY_MOST) {
        w->files.cut = true;
        return;
    }
    if (dir->flags & FLAG_INLINE) { /* behind the parent's number */
        walk_block(w, dir->raw + 0x28 + 4, 56, path, depth);
        return;
    }
    _auto_free_ unsigned char *block = xmalloc(w->x->block);
    for (uint64_t at = 0; at < dir->size && !w->files.cut; at += w->x->block)
        if (read_bytes(w->x, dir, at, block, w->x->block))
            walk_block(w, block, w->x->block, path, depth);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct ext4_file *)a)->path, ((const struct ext4_file *)b)->path);
}

int ext4_list(struct ext4 *x, size_t most, struct ext4_files *out, struct err *e)
{
    struct inode root;
    struct walk w = {.x = x, .most = most};
    if (!read_inode(x, ROOT_INODE, &root) || (root.mode & S_IFMT) != S_IFDIR)
        return err_set(e, ERR_CORRUPT, "an ext4 without a root");
    walk_directory(&w, &root, "", 0);
    if (w.files.len)
        qsort(w.files.rows, w.files.len, sizeof *w.files.rows, by_path);
    *out = w.files;
    return 0;
}

void ext4_files_release(struct ext4_files *f)
{
    for (size_t i = 0; i < f->len; i++)
        free(f->rows[i].path);
    free(f->rows);
    *f = (struct ext4_files){0};
}
