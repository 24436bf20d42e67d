/* key.c - the names of members.
 *
 * A key is made once and then shared by reference: a copy of an object costs no copy of its keys. Those that a schema
 * names are kept in a table that only grows, filled at start-up and bounded by its size; they have no count at all.
 * What users invent (labels, keys of a ConfigMap) is counted and goes with its last object.
 *
 * The hash is seeded once a process: who chooses keys shall not choose collisions.
 * THREADS: any; the table is written by compare-and-swap and read without a lock. */
#include "base/jtree/jtree_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { KEPT_SLOTS = 32768, KEPT_MAX = KEPT_SLOTS / 2 };

static struct key *kept[KEPT_SLOTS]; /* by hash, open addressing; owned, never freed */
static uint32_t kept_count;
static uint64_t seed;

__attribute__((constructor)) static void seed_once(void)
{
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uintptr_t)&kept; /* where the loader put us is the next best */
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

uint32_t key_hash(const char *text, size_t n)
{
    static const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15); /* the golden ratio */
    uint64_t h = seed ^ n * odd, word = 0;
    for (; n >= sizeof word; n -= sizeof word, text += sizeof word) {
        memcpy(&word, text, sizeof word);
        h = mix(h ^ word, odd);
    }
    word = 0;
    for (size_t i = 0; i < n; i++)
        word = word << 8 | (unsigned char)text[i];
    h = mix(h ^ word, odd);
    return (uint32_t)(h ^ h >> 32);
}

static bool key_is(const struct key *k, uint32_t hash, const char *text, size_t n)
{
    return k->hash == hash && k->len == n && memcmp(k->text, text, n) == 0;
}

/* The slot of the key, or the free one where it belongs. */
static struct key **kept_slot(uint32_t hash, const char *text, size_t n, struct key **out_found)
{
    for (uint32_t at = hash % KEPT_SLOTS;; at = (at + 1) % KEPT_SLOTS) {
        struct key *k = *out_found = __atomic_load_n(&kept[at], __ATOMIC_ACQUIRE);
        if (!k || key_is(k, hash, text, n))
            return &kept[at];
    }
}

static struct key *key_new(uint32_t hash, const char *text, size_t n)
{
    struct key *k = xmalloc(sizeof *k + n + 1);
    *k = (struct key){.refs = 1, .hash = hash, .len = (uint32_t)n};
    memcpy(k->text, text, n);
    k->text[n] = '\0';
    return k;
}

void json_key_keep(const char *text, size_t n)
{
    uint32_t hash = key_hash(text, n);
    struct key *there = NULL, *k = NULL;
    for (;;) {
        struct key **slot = kept_slot(hash, text, n, &there);
        if (there || __atomic_load_n(&kept_count, __ATOMIC_RELAXED) >= KEPT_MAX)
            break;
        if (!k) {
            k = key_new(hash, text, n);
            k->refs = JSON_FOREVER;
        }
        if (__atomic_compare_exchange_n(slot, &there, k, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
            __atomic_add_fetch(&kept_count, 1, __ATOMIC_RELAXED);
            return;
        }
    }
    free(k);
}

struct key *key_of(const char *text, size_t n)
{
    uint32_t hash = key_hash(text, n);
    struct key *found = NULL;
    kept_slot(hash, text, n, &found);
    return found ? found : key_new(hash, text, n);
}

struct key *key_ref(struct key *k)
{
    if (k->refs != JSON_FOREVER)
        __atomic_add_fetch(&k->refs, 1, __ATOMIC_RELAXED);
    return k;
}

void key_unref(struct key *k)
{
    uint32_t refs = __atomic_load_n(&k->refs, __ATOMIC_ACQUIRE);
    if (refs != JSON_FOREVER && (refs == 1 || __atomic_sub_fetch(&k->refs, 1, __ATOMIC_ACQ_REL) == 0))
        free(k);
}

size_t json_key_length(const char *key)
{
    const struct key *k = (const void *)(key - offsetof(struct key, text));
    return k->len;
}
