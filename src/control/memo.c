/* memo.c - a bounded map with least-recently-used eviction: a chained hash table threaded by a list in order of use. */
#include "control/memo_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_SIZE 256

struct item {
    struct item *hash_next;
    struct item *older, *newer;
    uint64_t hash;
    char *key; /* owned */
    max_align_t value[];
};

struct memo {
    size_t max, len, value_size;
    void (*release)(void *value);
    struct item *oldest, *newest;
    struct item *table[TABLE_SIZE];
};

struct memo *memo_new(size_t max, size_t value_size, void (*release)(void *value))
{
    struct memo *m = xcalloc(1, sizeof *m);
    m->max = max;
    m->value_size = value_size;
    m->release = release;
    return m;
}

static struct item **find_link(struct memo *m, const char *key)
{
    uint64_t hash = str_hash64(key, strlen(key));
    struct item **link = &m->table[hash % TABLE_SIZE];
    while (*link && ((*link)->hash != hash || strcmp((*link)->key, key) != 0))
        link = &(*link)->hash_next;
    return link;
}

static void use_unlink(struct memo *m, struct item *it)
{
    *(it->older ? &it->older->newer : &m->oldest) = it->newer;
    *(it->newer ? &it->newer->older : &m->newest) = it->older;
}

static void use_append(struct memo *m, struct item *it)
{
    it->older = m->newest;
    it->newer = NULL;
    *(m->newest ? &m->newest->newer : &m->oldest) = it;
    m->newest = it;
}

static void item_drop(struct memo *m, struct item **link)
{
    struct item *it = *link;
    *link = it->hash_next;
    use_unlink(m, it);
    m->len--;
    if (m->release)
        m->release(it->value);
    free(it->key);
    free(it);
}

void memo_free(struct memo *m)
{
    while (m && m->oldest)
        item_drop(m, find_link(m, m->oldest->key));
    free(m);
}

void *memo_find(struct memo *m, const char *key)
{
    struct item *it = *find_link(m, key);
    if (!it)
        return NULL;
    use_unlink(m, it);
    use_append(m, it);
    return it->value;
}

void *memo_get(struct memo *m, const char *key)
{
    void *value = memo_find(m, key);
    if (value)
        return value;
    if (m->len == m->max)
        item_drop(m, find_link(m, m->oldest->key));
    struct item *it = xcalloc(1, sizeof *it + m->value_size);
    it->key = xstrdup(key);
    it->hash = str_hash64(key, strlen(key));
    *find_link(m, key) = it;
    use_append(m, it);
    m->len++;
    return it->value;
}

void memo_drop(struct memo *m, const char *key)
{
    struct item **link = find_link(m, key);
    if (*link)
        item_drop(m, link);
}

void memo_each(struct memo *m, int (*visit)(const char *key, void *value, void *arg), void *arg)
{
    for (struct item *it = m->oldest, *next; it; it = next) {
        next = it->newer;
        if (visit(it->key, it->value, arg))
            item_drop(m, find_link(m, it->key));
    }
}
