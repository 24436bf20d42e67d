/* tar.c - reading tar archives; see tar.h.
 *
 * DESIGN: tar_next() collects what stands before an entry (pax records, GNU long names), then the entry's own header,
 * and lets the former speak last. Every length is bounded before it is believed: an archive comes from anywhere.
 *
 * When you add a pax keyword: a row in pax_keys. */
#include "base/tar.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK      512
#define EXTRA_MAX  (1024 * 1024) /* of pax records or a long name */
#define PATH_BYTES 4096
#define XATTRS_MAX 64

struct ustar { /* a header as it lies there */
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[8], user[32],
        group[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct ustar) == BLOCK, "a header is a block");

struct tar {
    struct stream *s;
    int64_t left, pad; /* of the present entry's data, and after it */
    struct tar_entry entry;
};

void tar_entry_release(struct tar_entry *entry)
{
    free(entry->path);
    free(entry->link);
    for (size_t i = 0; i < entry->xattr_count; i++) {
        free(entry->xattrs[i].name);
        free(entry->xattrs[i].data);
    }
    free(entry->xattrs);
    *entry = (struct tar_entry){0};
}

struct tar *tar_new(struct stream *s)
{
    struct tar *t = xcalloc(1, sizeof *t);
    t->s = s;
    return t;
}

void tar_free(struct tar *t)
{
    if (!t)
        return;
    tar_entry_release(&t->entry);
    free(t);
}

void tar_cleanup(struct tar **t)
{
    tar_free(*t);
}

static int corrupt(struct err *e, const char *what)
{
    return err_set(e, ERR_CORRUPT, "not a sound tar archive: %s", what);
}

/* ---- numbers ---- */

/* Octal text, or base-256 when the first bit is set. */
static bool number(const char *field, size_t n, int64_t *out)
{
    const unsigned char *c = (const unsigned char *)field;
    uint64_t value = 0;
    if (c[0] & 0x80) {
        value = c[0] & 0x3f;
        for (size_t i = 1; i < n; i++) {
            if (value >> 54)
                return false;
            value = value << 8 | c[i];
        }
        *out = c[0] & 0x40 ? -1 : (int64_t)value; /* before 1970: nobody's size */
        return true;
    }
    size_t i = 0;
    while (i < n && c[i] == ' ')
        i++;
    for (; i < n && c[i] >= '0' && c[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(c[i] - '0');
    *out = (int64_t)value;
    return i == n || c[i] == ' ' || c[i] == '\0';
}

static bool checksum_ok(const struct ustar *h)
{
    const unsigned char *c = (const unsigned char *)h;
    const size_t at = offsetof(struct ustar, checksum);
    int64_t said, sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= at && i < at + sizeof h->checksum ? ' ' : c[i];
    return number(h->checksum, sizeof h->checksum, &said) && said == sum;
}

/* ---- data ---- */

ssize_t tar_data(struct tar *t, void *buf, size_t n, struct err *e)
{
    if ((int64_t)n > t->left)
        n = (size_t)t->left;
    if (n == 0)
        return 0;
    const ssize_t got = stream_read(t->s, buf, n, e);
    if (got == 0)
        return corrupt(e, "it ends in the middle of a file");
    if (got > 0)
        t->left -= got;
    return got;
}

static int skip_rest(struct tar *t, struct err *e)
{
    char waste[4096];
    t->left += t->pad;
    t->pad = 0;
    while (t->left > 0)
        if (tar_data(t, waste, sizeof waste, e) < 0)
            return -1;
    return 0;
}

/* The whole data of a small entry. Returns new text, with a NUL behind it. */
static char *take_extra(struct tar *t, size_t *out_len, struct err *e)
{
    const size_t n = (size_t)t->left;
    if (t->left > EXTRA_MAX) {
        corrupt(e, "an extended header is too long");
        return NULL;
    }
    _auto_free_ char *text = xmalloc(n + 1);
    for (size_t done = 0; done < n;) {
        const ssize_t got = tar_data(t, text + done, n - done, e);
        if (got < 0)
            return NULL;
        done += (size_t)got;
    }
    text[n] = '\0';
    *out_len = n;
    return TAKE(text);
}

/* ---- what stands before an entry ---- */

struct extra {
    struct tar_entry said; /* path, link, numbers, xattrs */
    bool has_size, has_uid, has_gid, has_mtime, sparse;
};

static void replace(char **text, const char *value, size_t n)
{
    free(*text);
    *text = xstrndup(value, n);
}

static void add_xattr(struct tar_entry *entry, const char *name, const char *value, size_t n)
{
    if (entry->xattr_count == XATTRS_MAX)
        return;
    entry->xattrs = xrealloc(entry->xattrs, (entry->xattr_count + 1) * sizeof *entry->xattrs);
    char *data = xmalloc(n + 1);
    memcpy(data, value, n);
    data[n] = '\0';
    entry->xattrs[entry->xattr_count++] = (struct tar_xattr){xstrdup(name), data, n};
}

/* "1700000000.123456789" */
static void take_time(struct extra *x, const char *value)
{
    char *end;
    x->said.mtime = strtoll(value, &end, 10);
    x->said.mtime_ns = 0;
    int64_t unit = 100000000;
    for (end += *end == '.'; *end >= '0' && *end <= '9' && unit; end++, unit /= 10)
        x->said.mtime_ns += (*end - '0') * unit;
    x->has_mtime = true;
}

static bool take_record(struct extra *x, const char *key, const char *value, size_t n)
{
    static const char xattr[] = "SCHILY.xattr.";
    uint64_t v;
    if (str_eq(key, "path") || str_eq(key, "linkpath")) {
        replace(key[0] == 'p' ? &x->said.path : &x->said.link, value, n);
        return strlen(value) == n; /* no NUL in a name */
    }
    if (str_eq(key, "mtime"))
        take_time(x, value);
    else if (str_starts(key, "GNU.sparse."))
        x->sparse = true;
    else if (str_starts(key, xattr))
        add_xattr(&x->said, key + sizeof xattr - 1, value, n);
    const bool size = str_eq(key, "size"), uid = str_eq(key, "uid"), gid = str_eq(key, "gid");
    if (!size && !uid && !gid)
        return true;
    if (!str_to_u64(value, &v) || v > (size ? (uint64_t)INT64_MAX / 2 : UINT32_MAX))
        return false;
    if (size)
        x->said.size = (int64_t)v;
    else if (uid)
        x->said.uid = (uint32_t)v;
    else
        x->said.gid = (uint32_t)v;
    x->has_size |= size, x->has_uid |= uid, x->has_gid |= gid;
    return true;
}

/* Records of "LENGTH KEY=VALUE\n". */
static bool take_records(struct extra *x, char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        char *end;
        const unsigned long n = strtoul(text + at, &end, 10);
        if (*end != ' ' || n > len - at)
            return false;
        char *key = end + 1, *stop = text + at + n;
        if (stop <= key || stop[-1] != '\n')
            return false;
        char *eq = memchr(key, '=', (size_t)(stop - key));
        if (!eq)
            return false;
        *eq = stop[-1] = '\0';
        if (!take_record(x, key, eq + 1, (size_t)(stop - eq) - 2))
            return false;
        at += n;
    }
    return true;
}

static bool is_before(char type)
{
    return type == 'x' || type == 'g' || type == 'L' || type == 'K';
}

static int take_before(struct tar *t, char type, struct extra *x, struct err *e)
{
    size_t n = 0;
    _auto_free_ char *text = take_extra(t, &n, e);
    if (!text)
        return -1;
    if (type == 'x' && !take_records(x, text, n))
        return corrupt(e, "an extended header is malformed");
    if (type == 'L' || type == 'K')
        replace(type == 'L' ? &x->said.path : &x->said.link, text, strlen(text));
    return 0; /* global headers tell nothing that matters here */
}

/* ---- entries ---- */

static char *field_text(const char *field, size_t n)
{
    return xstrndup(field, strnlen(field, n));
}

static char *path_of(const struct ustar *h)
{
    _auto_free_ char *name = field_text(h->name, sizeof h->name);
    if (memcmp(h->magic, "ustar\0", 6) != 0 || !h->prefix[0])
        return TAKE(name);
    return xasprintf("%.*s/%s", (int)strnlen(h->prefix, sizeof h->prefix), h->prefix, name);
}

static void move_text(char **to, char **from)
{
    if (!*from)
        return;
    free(*to);
    *to = TAKE(*from);
}

static int fill_entry(struct tar *t, const struct ustar *h, struct extra *x, struct err *e)
{
    struct tar_entry *entry = &t->entry;
    int64_t mode, uid, gid, major, minor, mtime;
    if (!number(h->mode, sizeof h->mode, &mode) || !number(h->uid, sizeof h->uid, &uid) ||
        !number(h->gid, sizeof h->gid, &gid) || !number(h->mtime, sizeof h->mtime, &mtime))
        return corrupt(e, "a header's number is none");
    if (!number(h->major, sizeof h->major, &major) || !number(h->minor, sizeof h->minor, &minor))
        major = minor = 0;
    entry->path = path_of(h);
    entry->link = field_text(h->link, sizeof h->link);
    move_text(&entry->path, &x->said.path);
    move_text(&entry->link, &x->said.link);
    entry->xattrs = TAKE(x->said.xattrs);
    entry->xattr_count = x->said.xattr_count;
    x->said.xattr_count = 0;
    entry->type = h->type == '\0' || h->type == '7' ? TAR_FILE : h->type;
    if (entry->type == TAR_FILE && str_ends(entry->path, "/"))
        entry->type = TAR_DIR; /* as before there were types */
    entry->mode = (mode_t)mode & 07777;
    entry->uid = x->has_uid ? x->said.uid : (uint32_t)uid;
    entry->gid = x->has_gid ? x->said.gid : (uint32_t)gid;
    entry->mtime = x->has_mtime ? x->said.mtime : mtime;
    entry->mtime_ns = x->said.mtime_ns;
    entry->major = (unsigned)major;
    entry->minor = (unsigned)minor;
    entry->size = entry->type == TAR_FILE ? t->left : 0;
    if (strlen(entry->path) >= PATH_BYTES || strlen(entry->link) >= PATH_BYTES)
        return corrupt(e, "a name is too long");
    if (x->sparse || h->type == 'S')
        return err_set(e, ERR_UNSUPPORTED, "%s: sparse files are not understood", entry->path);
    if (entry->type < TAR_FILE || entry->type > TAR_FIFO)
        return err_set(e, ERR_UNSUPPORTED, "%s: an entry of type '%c' is not understood", entry->path, entry->type);
    return 1;
}

static bool all_zero(const void *block)
{
    static const char zero[BLOCK];
    return memcmp(block, zero, BLOCK) == 0;
}

/* One header: 1, 0 at the end. */
static int read_header(struct tar *t, struct ustar *h, struct extra *x, struct err *e)
{
    int64_t size;
    if (skip_rest(t, e) < 0)
        return -1;
    const ssize_t n = stream_read_full(t->s, h, BLOCK, e);
    if (n < 0)
        return -1;
    if (n == 0 || (n == BLOCK && all_zero(h)))
        return 0;
    if (n < BLOCK)
        return corrupt(e, "it ends in the middle of a header");
    if (!checksum_ok(h))
        return corrupt(e, "a header's checksum is wrong");
    if (!number(h->size, sizeof h->size, &size) || size < 0 || size > INT64_MAX / 2)
        return corrupt(e, "a size is none");
    /* A pax size is that of the entry it stands before. */
    if (x->has_size && !is_before(h->type))
        size = x->said.size;
    if (h->type >= TAR_HARD_LINK && h->type <= TAR_FIFO)
        size = 0; /* these have no data, whatever stands there */
    t->left = size;
    t->pad = (BLOCK - size % BLOCK) % BLOCK;
    return 1;
}

int tar_next(struct tar *t, const struct tar_entry **out, struct err *e)
{
    struct extra x = {0};
    struct ustar h;
    int rc;
    tar_entry_release(&t->entry);
    while ((rc = read_header(t, &h, &x, e)) == 1 && is_before(h.type))
        if (take_before(t, h.type, &x, e) < 0) {
            rc = -1;
            break;
        }
    if (rc == 1)
        rc = fill_entry(t, &h, &x, e);
    tar_entry_release(&x.said);
    if (rc == 1)
        *out = &t->entry;
    return rc;
}
