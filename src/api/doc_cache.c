/* doc_cache.c - see doc_cache.h.
 *
 * DESIGN: a short list under a lock. Building happens outside of the lock, because an index asks for the documents it
 * lists; two threads may build the same one, the first to finish wins. Nothing is ever dropped: the set of names is the
 * resource table's. THREADS: safe. */
#include "api/doc_cache.h"

#include "base/mem.h"
#include "base/sha256.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    char *name; /* owned */
    char *data; /* owned */
    size_t len;
    char etag[SHA256_TEXT_LEN];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries;

static struct entry *find_locked(const char *name)
{
    for (struct entry *e = entries; e; e = e->next)
        if (strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

static void etag_make(struct entry *e)
{
    struct sha256 h;
    sha256_init(&h);
    sha256_add(&h, e->data, e->len);
    sha256_hex(&h, e->etag);
    for (char *p = e->etag; *p; p++)
        *p = (char)toupper((unsigned char)*p);
}

static struct doc view(const struct entry *e)
{
    return e ? (struct doc){e->data, e->len, e->etag} : (struct doc){0};
}

static struct entry *entry_new(char *take_name, struct buf *take_text)
{
    struct entry *e = xcalloc(1, sizeof *e);
    e->name = take_name;
    e->data = buf_steal(take_text, &e->len);
    etag_make(e);
    return e;
}

static void entry_free(struct entry *e)
{
    free(e->name);
    free(e->data);
    free(e);
}

struct doc doc_get(const char *kind, const char *arg, doc_builder *build)
{
    _auto_free_ char *name = xasprintf("%s|%s", kind, arg);
    pthread_mutex_lock(&lock);
    struct entry *e = find_locked(name);
    pthread_mutex_unlock(&lock);
    if (e)
        return view(e);
    _auto_buf_ struct buf text = BUF_INIT;
    if (!build(arg, &text))
        return view(NULL);
    struct entry *fresh = entry_new(TAKE(name), &text);
    pthread_mutex_lock(&lock);
    e = find_locked(fresh->name);
    if (!e) {
        fresh->next = entries;
        entries = e = fresh;
        fresh = NULL;
    }
    pthread_mutex_unlock(&lock);
    if (fresh)
        entry_free(fresh);
    return view(e);
}
