/* write.c - trees as text for files and for people; see json_write() for what clients get.
 *
 * Strings keep their characters: only quotes, backslashes and control characters are escaped. THREADS: any. */
#include "base/jtree/jtree_int.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct writer {
    struct buf out;
    size_t flags;
    int depth;
};

static void write_string(struct buf *out, const char *s, size_t n)
{
    static const char letters[] = "\b\f\n\r\t\"\\", escapes[] = "bfnrt\"\\";
    buf_addc(out, '"');
    for (size_t from = 0, i = 0; i <= n; i++) {
        bool plain = i < n && (unsigned char)s[i] >= 0x20 && s[i] != '"' && s[i] != '\\';
        if (plain)
            continue;
        buf_add(out, s + from, i - from);
        from = i + 1;
        const char *letter = i < n && s[i] ? strchr(letters, s[i]) : NULL;
        if (letter)
            buf_addf(out, "\\%c", escapes[letter - letters]);
        else if (i < n)
            buf_addf(out, "\\u%04X", (unsigned)(unsigned char)s[i]);
    }
    buf_addc(out, '"');
}

static void write_real(struct buf *out, double v)
{
    char text[40];
    snprintf(text, sizeof text, "%.17g", v);
    buf_adds(out, text);
    if (!strpbrk(text, ".e"))
        buf_adds(out, ".0"); /* it stays a real when it is read again */
}

static void new_line(struct writer *w)
{
    size_t indent = JSON_INDENT(w->flags);
    if (indent > 0)
        buf_addf(&w->out, "\n%*s", w->depth * (int)indent, "");
}

static void write_value(struct writer *w, const json_t *j);

static void separate(struct writer *w, bool first)
{
    if (!first)
        buf_adds(&w->out, JSON_INDENT(w->flags) || w->flags & JSON_COMPACT ? "," : ", ");
    new_line(w);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **keys_of(const json_t *j, bool sorted)
{
    const char **keys = xcalloc(json_object_size(j) + 1, sizeof *keys), *key;
    json_t *v;
    size_t n = 0;
    json_object_foreach(j, key, v) keys[n++] = key;
    if (sorted)
        qsort(keys, n, sizeof *keys, by_key);
    return keys;
}

static void write_members(struct writer *w, const json_t *j)
{
    _auto_free_ const char **keys = keys_of(j, w->flags & JSON_SORT_KEYS);
    for (size_t i = 0; keys[i]; i++) {
        separate(w, i == 0);
        write_string(&w->out, keys[i], json_key_length(keys[i]));
        buf_adds(&w->out, w->flags & JSON_COMPACT ? ":" : ": ");
        write_value(w, json_object_getn(j, keys[i], json_key_length(keys[i])));
    }
}

static void write_items(struct writer *w, const json_t *j)
{
    for (size_t i = 0; i < json_array_size(j); i++) {
        separate(w, i == 0);
        write_value(w, json_array_get(j, i));
    }
}

static void write_container(struct writer *w, const json_t *j)
{
    bool object = json_is_object(j), empty = !json_object_size(j) && !json_array_size(j);
    buf_addc(&w->out, object ? '{' : '[');
    w->depth++;
    if (object)
        write_members(w, j);
    else
        write_items(w, j);
    w->depth--;
    if (!empty)
        new_line(w);
    buf_addc(&w->out, object ? '}' : ']');
}

static void write_value(struct writer *w, const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        write_container(w, j);
        break;
    case JSON_STRING:
        write_string(&w->out, json_string_value(j), json_string_length(j));
        break;
    case JSON_INTEGER:
        buf_addf(&w->out, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
        break;
    case JSON_REAL:
        write_real(&w->out, json_real_value(j));
        break;
    default:
        buf_adds(&w->out, json_is_true(j) ? "true" : json_is_false(j) ? "false" : "null");
    }
}

char *json_dumps(const json_t *j, size_t flags)
{
    struct writer w = {.flags = flags};
    if (!j || (!(flags & JSON_ENCODE_ANY) && !json_is_object(j) && !json_is_array(j)))
        return NULL;
    write_value(&w, j);
    return buf_steal(&w.out, NULL);
}

int json_dumpfd(const json_t *j, int fd, size_t flags)
{
    _auto_free_ char *text = json_dumps(j, flags);
    if (!text)
        return -1;
    for (size_t at = 0, n = strlen(text); at < n;) {
        ssize_t wrote = write(fd, text + at, n - at);
        if (wrote < 0 && errno != EINTR)
            return -1;
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

int json_dump_file(const json_t *j, const char *path, size_t flags)
{
    _auto_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd < 0 ? -1 : json_dumpfd(j, fd, flags);
}
