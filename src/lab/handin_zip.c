/* handin_zip.c - zip archives, as students' machines make them.
 *
 * WHAT: the central directory at the end is believed, as everybody does; each of its entries points at a local header,
 * behind which the bytes are, stored or deflated. No encryption, no parts, no 64-bit sizes: a submission has no need of
 * them, and is refused with a word. An entry's size is what the directory says, checked before memory is taken and
 * again by what comes out, so a bomb ends at the bound. Source: PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16.
 *
 * DESIGN: read here, by zlib, and not by a library: two methods of one table are all there is to it, and what is
 * refused must be said in our words (as with base/tar.c). THREADS: pure. */
#include "lab/handin_int.h"

#include "base/mem.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define END_LEN      22
#define COMMENT_MAX  65535
#define ENTRY_LEN    46
#define LOCAL_LEN    30
#define MADE_BY_UNIX 3
#define IS_SECRET    1u
#define STORED       0
#define DEFLATED     8

struct zip {
    const uint8_t *data;
    size_t len;
};

static uint32_t number(const uint8_t *at, int bytes)
{
    uint32_t n = 0;
    for (int i = bytes; i-- > 0;)
        n = n << 8 | at[i];
    return n;
}

static int corrupt(struct err *e)
{
    return err_set(e, ERR_CORRUPT, "this zip archive is damaged");
}

/* The end record, looked for from the end. NULL: there is none. */
static const uint8_t *find_end(const struct zip *z)
{
    for (size_t back = END_LEN; back <= z->len && back <= END_LEN + COMMENT_MAX; back++)
        if (memcmp(z->data + z->len - back, "PK\5\6", 4) == 0)
            return z->data + z->len - back;
    return NULL;
}

struct entry {
    const uint8_t *head;
    uint32_t flags, method, packed, size, crc, attributes, local;
    char name[512];
    size_t head_len; /* with name, extra and comment */
    bool unix_made;
};

static int read_entry(const struct zip *z, size_t at, struct entry *out, struct err *e)
{
    if (at + ENTRY_LEN > z->len || memcmp(z->data + at, "PK\1\2", 4) != 0)
        return corrupt(e);
    const uint8_t *p = z->data + at;
    const size_t name = number(p + 28, 2);
    *out = (struct entry){.head = p,
                          .flags = number(p + 8, 2),
                          .method = number(p + 10, 2),
                          .crc = number(p + 16, 4),
                          .packed = number(p + 20, 4),
                          .size = number(p + 24, 4),
                          .attributes = number(p + 38, 4) >> 16,
                          .local = number(p + 42, 4),
                          .head_len = ENTRY_LEN + name + number(p + 30, 2) + number(p + 32, 2),
                          .unix_made = number(p + 4, 2) >> 8 == MADE_BY_UNIX};
    if (at + out->head_len > z->len || name >= sizeof out->name || memchr(p + ENTRY_LEN, '\0', name))
        return corrupt(e);
    memcpy(out->name, p + ENTRY_LEN, name);
    return 0;
}

static int inflate_into(const uint8_t *from, size_t packed, struct buf *out, size_t size, struct err *e)
{
    z_stream s = {.next_in = (Bytef *)(uintptr_t)from, .avail_in = (uInt)packed};
    if (inflateInit2(&s, -MAX_WBITS) != Z_OK)
        return err_set(e, ERR_INTERNAL, "zlib does not start");
    s.next_out = (Bytef *)buf_reserve(out, size + 1); /* one more, so that too much is seen */
    s.avail_out = (uInt)size + 1;
    const int rc = inflate(&s, Z_FINISH);
    const size_t got = size + 1 - s.avail_out;
    inflateEnd(&s);
    if (rc != Z_STREAM_END || got != size)
        return corrupt(e);
    out->len += got;
    out->data[out->len] = '\0';
    return 0;
}

static int take_data(const struct zip *z, const struct entry *x, struct buf *out, struct err *e)
{
    if ((size_t)x->local + LOCAL_LEN > z->len || memcmp(z->data + x->local, "PK\3\4", 4) != 0)
        return corrupt(e);
    const uint8_t *p = z->data + x->local;
    const size_t from = (size_t)x->local + LOCAL_LEN + number(p + 26, 2) + number(p + 28, 2);
    if (from + x->packed > z->len)
        return corrupt(e);
    if (x->method == STORED && x->packed == x->size)
        buf_add(out, z->data + from, x->size);
    else if (x->method != DEFLATED)
        return err_set(e, ERR_UNSUPPORTED, "%.200s is packed in a way that is not known here", x->name);
    else if (inflate_into(z->data + from, x->packed, out, x->size, e) < 0)
        return -1;
    return crc32(0, (const Bytef *)buf_str(out), (uInt)out->len) == x->crc ? 0 : corrupt(e);
}

static int take_entry(struct handin *h, const struct zip *z, const struct entry *x, struct err *e)
{
    const size_t n = strlen(x->name);
    if (n == 0 || x->name[n - 1] == '/')
        return 0;
    if (x->unix_made && S_IFMT & x->attributes && !S_ISREG(x->attributes)) {
        strlist_addf(&h->left_out, "%.200s: no plain file, so it was left out", x->name);
        return 0;
    }
    struct handin_file *f = handin_add(h, x->name, e);
    if (!f)
        return e->code ? -1 : 0;
    if (x->flags & IS_SECRET)
        return err_set(e, ERR_UNSUPPORTED, "%.200s is encrypted", x->name);
    if (x->size > handin_room(h))
        return err_set(e, ERR_TOO_LARGE, "%.200s: more than %d MiB in a file, or %d in all", x->name,
                       HANDIN_FILE_MAX / 1024 / 1024, HANDIN_BYTES_MAX / 1024 / 1024);
    if (take_data(z, x, &f->data, e) < 0)
        return -1;
    handin_added(h);
    return 0;
}

int handin_unzip(struct handin *h, const void *data, size_t len, struct err *e)
{
    const struct zip z = {data, len};
    const uint8_t *end = find_end(&z);
    if (!end)
        return corrupt(e);
    const uint32_t count = number(end + 10, 2);
    size_t at = number(end + 16, 4);
    if (count == 0xffff || at == 0xffffffff)
        return err_set(e, ERR_UNSUPPORTED, "a zip archive of that size is no submission");
    for (uint32_t i = 0; i < count; i++) {
        struct entry x;
        if (read_entry(&z, at, &x, e) < 0 || take_entry(h, &z, &x, e) < 0)
            return -1;
        at += x.head_len;
    }
    return 0;
}
