/* pack.c - a tree from a format and its values.
 *
 * One walk over the format makes the tree. What goes wrong (a value that is NULL where one must be, text that is no
 * UTF-8) is noted and the walk goes on, so that every value that was handed over is taken; then the tree is dropped.
 * A format that makes no sense is our own fault. THREADS: any. */
#include "base/jtree/jtree_int.h"

#include "base/mem.h"

#include <string.h>

struct packer {
    const char *fmt, *at;
    va_list ap;
    bool failed;
};

static void format_bug(const struct packer *p)
{
    BUG("json_pack: \"%s\" at \"%s\"", p->fmt, p->at);
}

static char peek(struct packer *p)
{
    p->at += strspn(p->at, " \t\n,:");
    return *p->at;
}

static bool take(struct packer *p, char c)
{
    bool is = peek(p) == c;
    p->at += is;
    return is;
}

enum want { WANT_VALUE, WANT_OR_NULL, WANT_OR_NOTHING };

static enum want want_read(struct packer *p)
{
    if (*p->at != '?' && *p->at != '*')
        return WANT_VALUE;
    return *p->at++ == '?' ? WANT_OR_NULL : WANT_OR_NOTHING;
}

/* NULL where a value may be absent, by `want`. */
static json_t *absent(struct packer *p, enum want want)
{
    p->failed |= want == WANT_VALUE;
    return want == WANT_OR_NULL ? json_null() : NULL;
}

static json_t *pack_string(struct packer *p)
{
    const char *s = va_arg(p->ap, const char *);
    enum want want = want_read(p);
    if (!s)
        return absent(p, want);
    json_t *j = json_string(s);
    p->failed |= !j;
    return j;
}

static json_t *pack_tree(struct packer *p, bool borrow)
{
    json_t *j = va_arg(p->ap, json_t *);
    enum want want = want_read(p);
    if (!j)
        return absent(p, want);
    return borrow ? json_incref(j) : j;
}

static json_t *pack_value(struct packer *p);

static json_t *pack_object(struct packer *p)
{
    json_t *out = json_object();
    while (!take(p, '}')) {
        if (!take(p, 's'))
            format_bug(p);
        const char *key = va_arg(p->ap, const char *);
        json_t *v = pack_value(p);
        if (v && json_object_set_new(out, key, v) < 0)
            p->failed = true;
    }
    return out;
}

static json_t *pack_array(struct packer *p)
{
    json_t *out = json_array();
    while (!take(p, ']')) {
        json_t *v = pack_value(p);
        if (v)
            json_array_append_new(out, v);
    }
    return out;
}

/* NULL for a value that may be absent, and after a failure. */
static json_t *pack_value(struct packer *p)
{
    peek(p);
    switch (*p->at++) {
    case '{':
        return pack_object(p);
    case '[':
        return pack_array(p);
    case 's':
        return pack_string(p);
    case 'n':
        return json_null();
    case 'b':
        return json_boolean(va_arg(p->ap, int));
    case 'i':
        return json_integer(va_arg(p->ap, int));
    case 'I':
        return json_integer(va_arg(p->ap, json_int_t));
    case 'f':
        return json_real(va_arg(p->ap, double));
    case 'o':
        return pack_tree(p, false);
    case 'O':
        return pack_tree(p, true);
    default:
        p->at--;
        format_bug(p);
        return NULL;
    }
}

json_t *json_pack(const char *fmt, ...)
{
    struct packer p = {.fmt = fmt, .at = fmt};
    va_start(p.ap, fmt);
    json_t *j = pack_value(&p);
    va_end(p.ap);
    if (peek(&p))
        format_bug(&p);
    if (!p.failed)
        return j;
    json_decref(j);
    return NULL;
}
