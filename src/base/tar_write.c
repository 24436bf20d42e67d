/* tar_write.c - writing tar archives: ustar headers, with a pax header before what does not fit in one.
 *
 * Owners have no names, so the same tree gives the same bytes on every machine. THREADS: pure. */
#include "base/tar.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define BLOCK      512
#define OCTAL_SIZE INT64_C(077777777777) /* eleven digits */
#define OCTAL_ID   07777777

/* "LENGTH KEY=VALUE\n", where the length counts its own digits. */
static void put_record(struct buf *out, const char *key, const char *value, size_t n)
{
    const size_t rest = strlen(key) + n + 3; /* blank, '=', newline */
    size_t len = rest + 1;
    for (size_t limit = 10; len >= limit; limit *= 10)
        len++;
    buf_addf(out, "%zu %s=", len, key);
    buf_add(out, value, n);
    buf_addc(out, '\n');
}

static void put_number(struct buf *out, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    put_record(out, key, text, strlen(text));
}

static void octal(char *field, size_t n, uint64_t value)
{
    field[--n] = '\0';
    while (n > 0) {
        field[--n] = (char)('0' + (value & 7));
        value >>= 3;
    }
}

static void put_block(struct buf *out, const struct tar_entry *entry, int type, const char *path, int64_t size)
{
    char h[BLOCK] = {0};
    unsigned sum = 0;
    memcpy(h, path, strnlen(path, 100));
    octal(h + 100, 8, entry->mode & 07777);
    octal(h + 108, 8, entry->uid > OCTAL_ID ? 0 : entry->uid);
    octal(h + 116, 8, entry->gid > OCTAL_ID ? 0 : entry->gid);
    octal(h + 124, 12, size > OCTAL_SIZE ? 0 : (uint64_t)size);
    octal(h + 136, 12, entry->mtime > 0 && entry->mtime < OCTAL_SIZE ? (uint64_t)entry->mtime : 0);
    memset(h + 148, ' ', 8);
    h[156] = (char)type;
    if (entry->link)
        memcpy(h + 157, entry->link, strnlen(entry->link, 100));
    memcpy(h + 257, "ustar\00000", 8);
    octal(h + 329, 8, entry->major);
    octal(h + 337, 8, entry->minor);
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)h[i];
    octal(h + 148, 7, sum);
    h[155] = ' ';
    buf_add(out, h, BLOCK);
}

static void put_extra(struct buf *out, const struct tar_entry *entry)
{
    _auto_buf_ struct buf records = BUF_INIT;
    if (strlen(entry->path) > 100)
        put_record(&records, "path", entry->path, strlen(entry->path));
    if (entry->link && strlen(entry->link) > 100)
        put_record(&records, "linkpath", entry->link, strlen(entry->link));
    if (entry->size > OCTAL_SIZE)
        put_number(&records, "size", entry->size);
    if (entry->uid > OCTAL_ID)
        put_number(&records, "uid", entry->uid);
    if (entry->gid > OCTAL_ID)
        put_number(&records, "gid", entry->gid);
    for (size_t i = 0; i < entry->xattr_count; i++) {
        _auto_free_ char *key = xasprintf("SCHILY.xattr.%s", entry->xattrs[i].name);
        put_record(&records, key, entry->xattrs[i].data, entry->xattrs[i].len);
    }
    if (!records.len)
        return;
    const struct tar_entry extra = {.mode = 0644};
    put_block(out, &extra, 'x', "pax_header", (int64_t)records.len);
    buf_add(out, records.data, records.len);
    tar_put_pad(out, (int64_t)records.len);
}

void tar_put_header(struct buf *out, const struct tar_entry *entry)
{
    put_extra(out, entry);
    put_block(out, entry, entry->type, entry->path, entry->type == TAR_FILE ? entry->size : 0);
}

void tar_put_pad(struct buf *out, int64_t size)
{
    static const char zero[BLOCK];
    buf_add(out, zero, (size_t)((BLOCK - size % BLOCK) % BLOCK));
}

void tar_put_end(struct buf *out)
{
    static const char zero[2 * BLOCK];
    buf_add(out, zero, sizeof zero);
}
