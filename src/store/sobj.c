/* sobj.c - frozen object versions.
 *
 * DESIGN. An object is serialised once, by the thread that brings it and outside every lock, although its revision is
 * only known later, inside the commit section. So the text is written around a slot of RV_DIGITS bytes where the value
 * of metadata.resourceVersion goes. sobj_stamp() writes the digits at the end of the slot and moves the text before it
 * (usually short: metadata comes early) up against them; the object's bytes then begin a little inside the block.
 *
 *     block:  [gap][ {"kind":…,"metadata":{…"resourceVersion":" ][ 1234 ][ "},"spec":… }\0 ]
 *                  ^ bytes                                        ^ slot end
 *
 * Header, namespace, name and text are one allocation, so that comparing keys touches one or two cache lines.
 *
 * INVARIANT. From sobj_stamp() on, tree and bytes never change and say the same. Debug builds check exactly that when
 * the last reference goes: a tree that no longer serialises to its bytes was changed by somebody who should have copied
 * it.
 *
 * THREADS. Reference counts are atomic; everything else is read only. */
#include "store/sobj_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { RV_DIGITS = 20 }; /* of UINT64_MAX */

struct sobj_block {
    struct sobj pub; /* first: a struct sobj * is a struct sobj_block * */
    int64_t row;
    size_t before; /* bytes of text before the revision */
    size_t after;  /* bytes of text after it */
    char *text;    /* in `mem`: before + RV_DIGITS + after + NUL */
    atomic_uint refs;
    char mem[];
};

static struct sobj_block *block_of(const struct sobj *o)
{
    return (struct sobj_block *)(uintptr_t)o;
}

struct sobj *sobj_ref(const struct sobj *o)
{
    if (!o)
        return NULL;
    atomic_fetch_add_explicit(&block_of(o)->refs, 1, memory_order_relaxed);
    return (struct sobj *)(uintptr_t)o;
}

#ifndef NDEBUG
static void check_frozen(const struct sobj *o)
{
    if (o->rv == 0)
        return; /* never stamped */
    _auto_buf_ struct buf now = BUF_INIT;
    json_write(&now, o->tree);
    if (now.len != o->len || memcmp(now.data, o->bytes, o->len) != 0)
        BUG("a frozen object was changed: %s/%s revision %" PRIu64 "\nwas: %s\nnow: %s", o->ns, o->name, o->rv,
            o->bytes, buf_str(&now));
}
#else
static void check_frozen(const struct sobj *o)
{
    (void)o;
}
#endif

void sobj_unref(struct sobj *o)
{
    if (!o || atomic_fetch_sub_explicit(&block_of(o)->refs, 1, memory_order_acq_rel) != 1)
        return;
    check_frozen(o);
    json_decref(o->tree);
    free(block_of(o));
}

void sobj_cleanup(struct sobj **o)
{
    sobj_unref(*o);
}

int64_t sobj_row(const struct sobj *o)
{
    return block_of(o)->row;
}

/* Writes the tree as json_write() would and reports where the revision's digits are (there are RV_DIGITS of them). */
static size_t write_with_slot(struct buf *out, const json_t *tree, const json_t *metadata)
{
    static const char zeros[RV_DIGITS + 1] = "00000000000000000000";
    size_t slot = 0;
    const char *key, *mkey;
    json_t *value, *mvalue;
    buf_addc(out, '{');
    json_object_foreach((json_t *)(uintptr_t)tree, key, value)
    {
        if (out->len > 1)
            buf_addc(out, ',');
        buf_add_json_string(out, key, strlen(key));
        buf_addc(out, ':');
        if (value != metadata) {
            json_write(out, value);
            continue;
        }
        char sep = '{';
        json_object_foreach(value, mkey, mvalue)
        {
            buf_addc(out, sep);
            sep = ',';
            buf_add_json_string(out, mkey, strlen(mkey));
            buf_addc(out, ':');
            if (strcmp(mkey, "resourceVersion") != 0) {
                json_write(out, mvalue);
                continue;
            }
            buf_addc(out, '"');
            slot = out->len;
            buf_add(out, zeros, RV_DIGITS);
            buf_addc(out, '"');
        }
        buf_addc(out, '}');
    }
    buf_addc(out, '}');
    return slot;
}

/* A block with its text still to be filled. Takes the tree. */
static struct sobj_block *block_new(const char *ns, const char *name, json_t *take_tree, size_t before, size_t after)
{
    size_t ns_size = strlen(ns) + 1, name_size = strlen(name) + 1;
    struct sobj_block *b = xmalloc(sizeof *b + ns_size + name_size + before + RV_DIGITS + after + 1);
    *b = (struct sobj_block){.before = before, .after = after};
    atomic_init(&b->refs, 1);
    b->pub.ns = memcpy(b->mem, ns, ns_size);
    b->pub.name = memcpy(b->mem + ns_size, name, name_size);
    b->pub.tree = take_tree;
    b->text = b->mem + ns_size + name_size;
    return b;
}

struct sobj *sobj_freeze(const char *ns, const char *name, json_t *take_tree)
{
    json_t *metadata = json_object_get(take_tree, "metadata");
    if (!json_is_object(metadata)) {
        metadata = json_object();
        json_object_set_new(take_tree, "metadata", metadata);
    }
    /* A string of our own: the one that stands there may belong to the version this one was copied from. */
    json_object_set_new(metadata, "resourceVersion", json_string(""));
    _auto_buf_ struct buf text = BUF_INIT;
    buf_reserve(&text, 1000); /* what the allocator hands out without a search */
    size_t slot = write_with_slot(&text, take_tree, metadata);
    struct sobj_block *b = block_new(ns, name, take_tree, slot, text.len - slot - RV_DIGITS);
    memcpy(b->text, text.data, text.len + 1);
    return &b->pub;
}

void sobj_stamp(struct sobj *o, const char *bucket, uint64_t rv, int64_t row)
{
    struct sobj_block *b = block_of(o);
    char digits[RV_DIGITS + 1];
    size_t n = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, rv);
    size_t gap = RV_DIGITS - n;
    memmove(b->text + gap, b->text, b->before);
    memcpy(b->text + gap + b->before, digits, n);
    json_string_setn_nocheck(json_object_get(json_object_get(o->tree, "metadata"), "resourceVersion"), digits, n);
    b->row = row;
    o->bucket = bucket;
    o->rv = rv;
    o->bytes = b->text + gap;
    o->len = b->before + n + b->after;
}

bool sobj_same_state(const struct sobj *a, const struct sobj *b)
{
    const struct sobj_block *x = block_of(a), *y = block_of(b);
    return x->before == y->before && x->after == y->after && memcmp(a->bytes, b->bytes, x->before) == 0 &&
           memcmp(x->text + x->before + RV_DIGITS, y->text + y->before + RV_DIGITS, x->after) == 0;
}

struct sobj *sobj_again(const struct sobj *o, uint64_t rv, int64_t row)
{
    const struct sobj_block *b = block_of(o);
    json_t *tree = json_copy(o->tree); /* shares all but the top, metadata and the revision */
    json_t *metadata = json_copy(json_object_get(tree, "metadata"));
    json_object_set_new(metadata, "resourceVersion", json_string(""));
    json_object_set_new(tree, "metadata", metadata);
    struct sobj_block *again = block_new(o->ns, o->name, tree, b->before, b->after);
    memcpy(again->text, o->bytes, b->before);
    memcpy(again->text + b->before + RV_DIGITS, b->text + b->before + RV_DIGITS, b->after + 1);
    sobj_stamp(&again->pub, o->bucket, rv, row);
    return &again->pub;
}
