/* mould.c - see mould_int.h.
 *
 * DESIGN: all that mkfs.ext4 writes into a blank disk follows from its size, but for an identity (the UUID, the seed of
 * directory hashes) and times, which stand in the superblock and its copies. So mkfs makes a mould, a sparse file in
 * memory (on a disk it would wait for that, as it syncs what it made), and casting is a dozen writes of its extents and
 * of superblocks with a new identity. Checksums of everything else depend on a seed that is the UUID unless the
 * filesystem keeps it aside: the mould does (metadata_csum_seed, any kernel since 4.4).
 *
 * INVARIANTS: a mould is used only if it is understood: an ext4 whose superblocks are where they should be. What is
 * not, and whatever fails, leaves disks blank; their first mount formats them. Only sizes whose filesystem is a few MiB
 * are cast. THREADS: none. */
#include "sys/mould_int.h"
#include "sys/proc_int.h"

#include "base/mem.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOULDS      8                    /* sizes; the oldest makes way */
#define BYTES_LEAST (INT64_C(512) << 20) /* smaller ones have another block size, and are rare */
#define BYTES_MOST  (INT64_C(64) << 30)  /* more would cost each disk more than it saves */
#define SUPER_LEN   1024
#define LABEL_LEN   16

/* Fields of the superblock: Documentation/filesystems/ext4/super.rst. */
enum {
    SB_BLOCKS = 0x04,
    SB_FIRST_BLOCK = 0x14,
    SB_LOG_BLOCK = 0x18,
    SB_GROUP_BLOCKS = 0x20,
    SB_WTIME = 0x30,
    SB_MAGIC = 0x38,
    SB_LASTCHECK = 0x40,
    SB_GROUP = 0x5a,
    SB_INCOMPAT = 0x60,
    SB_RO_COMPAT = 0x64,
    SB_UUID = 0x68,
    SB_LABEL = 0x78,
    SB_HASH_SEED = 0xec,
    SB_MKFS_TIME = 0x108,
    SB_CHECKSUM = 0x3fc,
};
#define INCOMPAT_CSUM_SEED     0x2000u
#define RO_COMPAT_SPARSE_SUPER 0x1u
#define RO_COMPAT_CSUM         0x400u

struct extent {
    off_t at;
    size_t len;
};
struct mould {
    int64_t bytes;
    pid_t maker;     /* mkfs; 0 = it has ended */
    int fd;          /* the file; -1 = there is no such mould */
    const char *map; /* of all of it; only extents are touched */
    struct extent *extents;
    size_t count;
    off_t supers[24]; /* the superblock and its copies: 1 and the powers of 3, 5, 7 are few */
    size_t super_count;
};
struct moulds {
    struct mould all[MOULDS];
    size_t made; /* counts on; the next one's place */
};

struct moulds *moulds_new(void)
{
    struct moulds *ms = xcalloc(1, sizeof *ms);
    for (size_t i = 0; i < MOULDS; i++)
        ms->all[i].fd = -1;
    return ms;
}

/* ---- superblocks ---- */

static uint32_t get32(const char *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return le32toh(v);
}

static void put32(char *at, uint32_t v)
{
    v = htole32(v);
    memcpy(at, &v, sizeof v);
}

/* As ext4 computes it: reflected, from all ones, not inverted at the end. */
static uint32_t crc32c(const char *data, size_t len)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return crc;
}

static bool checksummed(const char *super)
{
    return get32(super + SB_RO_COMPAT) & RO_COMPAT_CSUM;
}

static bool understood(const char *super)
{
    return super[SB_MAGIC] == '\x53' && super[SB_MAGIC + 1] == '\xef' &&
           get32(super + SB_RO_COMPAT) & RO_COMPAT_SPARSE_SUPER &&
           (!checksummed(super) || (get32(super + SB_INCOMPAT) & INCOMPAT_CSUM_SEED &&
                                    get32(super + SB_CHECKSUM) == crc32c(super, SB_CHECKSUM)));
}

static bool power_of(unsigned base, unsigned n)
{
    while (n > 1 && n % base == 0)
        n /= base;
    return n == 1;
}

/* Finds all superblocks; false if one is not where it should be. */
static bool find_supers(struct mould *m)
{
    const char *first = m->map + SUPER_LEN;
    if (!understood(first))
        return false;
    const int64_t block = INT64_C(1024) << (get32(first + SB_LOG_BLOCK) & 7);
    const uint32_t each = get32(first + SB_GROUP_BLOCKS), blocks = get32(first + SB_BLOCKS);
    if (!each || (int64_t)blocks * block > m->bytes)
        return false;
    m->supers[m->super_count++] = SUPER_LEN;
    for (unsigned g = 1; g < (blocks + each - 1) / each; g++) {
        if (!power_of(3, g) && !power_of(5, g) && !power_of(7, g))
            continue;
        const off_t at = (off_t)(get32(first + SB_FIRST_BLOCK) + (int64_t)g * each) * block;
        if (m->super_count == ARRAY_LEN(m->supers) || at + SUPER_LEN > m->bytes || !understood(m->map + at) ||
            (get32(m->map + at + SB_GROUP) & 0xffff) != g)
            return false;
        m->supers[m->super_count++] = at;
    }
    return true;
}

/* ---- making one ---- */

static bool find_extents(struct mould *m)
{
    for (off_t at = 0;;) {
        const off_t data = lseek(m->fd, at, SEEK_DATA);
        if (data < 0)
            return errno == ENXIO && m->count > 0;
        at = lseek(m->fd, data, SEEK_HOLE);
        if (at < 0)
            return false;
        m->extents = xrealloc(m->extents, (m->count + 1) * sizeof *m->extents);
        m->extents[m->count++] = (struct extent){data, (size_t)(at - data)};
    }
}

static void mould_clear(struct mould *m)
{
    if (m->map)
        munmap((void *)m->map, (size_t)m->bytes);
    if (m->fd >= 0)
        close(m->fd);
    free(m->extents);
    *m = (struct mould){.fd = -1};
}

/* There will be none for this size. */
static void mould_spoilt(struct mould *m)
{
    const int64_t bytes = m->bytes;
    mould_clear(m);
    m->bytes = bytes;
}

/* Starts mkfs.ext4 with these options (at most 16) on a file in memory. False: there will be no such mould. */
static bool mould_begin(struct mould *m, int64_t bytes, const char *const *options)
{
    char path[40];
    const char *argv[24] = {"mkfs.ext4", "-q", "-F"};
    size_t n = 3;
    mould_clear(m);
    m->bytes = bytes;
    m->fd = memfd_create("mould", 0); /* mkfs opens its own descriptor of it */
    snprintf(path, sizeof path, "/proc/self/fd/%d", m->fd);
    while (*options && n < ARRAY_LEN(argv) - 2)
        argv[n++] = *options++;
    argv[n] = path;
    if (m->fd >= 0 && ftruncate(m->fd, bytes) == 0)
        m->maker = proc_start(argv);
    if (m->fd >= 0)
        fcntl(m->fd, F_SETFD, FD_CLOEXEC);
    if (m->maker > 0)
        return true;
    mould_spoilt(m);
    return false;
}

static void mould_finish(struct mould *m, int status)
{
    m->maker = 0;
    void *map = status == 0 ? mmap(NULL, (size_t)m->bytes, PROT_READ, MAP_SHARED, m->fd, 0) : MAP_FAILED;
    m->map = map == MAP_FAILED ? NULL : map;
    if (!m->map || !find_extents(m) || !find_supers(m))
        mould_spoilt(m);
}

struct mould *mould_new(int64_t bytes, const char *const *options)
{
    struct mould *m = xcalloc(1, sizeof *m);
    int status = 0;
    m->fd = -1;
    if (mould_begin(m, bytes, options)) {
        while (waitpid(m->maker, &status, 0) < 0 && errno == EINTR)
            ;
        mould_finish(m, status);
    }
    if (m->fd >= 0)
        return m;
    mould_free(m);
    return NULL;
}

void mould_free(struct mould *m)
{
    if (m)
        mould_clear(m);
    free(m);
}

int64_t mould_bytes(const struct mould *m)
{
    return m->bytes;
}

bool moulds_child_ended(struct moulds *ms, pid_t pid, int status)
{
    for (size_t i = 0; i < MOULDS; i++) {
        struct mould *m = &ms->all[i];
        if (!m->maker || m->maker != pid)
            continue;
        mould_finish(m, status);
        return true;
    }
    return false;
}

static enum mould_state state_of(const struct mould *m)
{
    return m->maker ? MOULD_MAKING : m->fd >= 0 ? MOULD_MADE : MOULD_NONE;
}

enum mould_state moulds_find(struct moulds *ms, int64_t bytes, const struct mould **out)
{
    static const char *const options[] = {"-m0", "-O", MKFS_SEED, "-E", MKFS_ZEROS, NULL};
    if (bytes < BYTES_LEAST || bytes > BYTES_MOST)
        return MOULD_NONE;
    for (size_t i = 0; i < MOULDS; i++)
        if (ms->all[i].bytes == bytes) {
            *out = &ms->all[i];
            return state_of(*out);
        }
    struct mould *m = &ms->all[ms->made % MOULDS];
    if (m->maker)
        return MOULD_NONE; /* many sizes at once */
    ms->made++;
    mould_begin(m, bytes, options);
    return state_of(m);
}

/* ---- casting ---- */

static int put(int fd, const char *data, size_t len, off_t at, struct err *e)
{
    while (len) {
        const ssize_t n = pwrite(fd, data, len, at);
        if (n < 0)
            return err_sys(e, errno, "write");
        data += n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

struct identity {
    char uuid[16], hash_seed[16];
};

static int identity_make(struct identity *out, struct err *e)
{
    if (getrandom(out, sizeof *out, 0) != sizeof *out)
        return err_sys(e, errno, "getrandom");
    char *const both[] = {out->uuid, out->hash_seed};
    for (size_t i = 0; i < ARRAY_LEN(both); i++) { /* version 4, as mkfs makes them */
        both[i][6] = (char)((both[i][6] & 0x0f) | 0x40);
        both[i][8] = (char)((both[i][8] & 0x3f) | 0x80);
    }
    return 0;
}

int mould_cast(const struct mould *m, int fd, const char *label, struct err *e)
{
    struct identity who;
    const uint32_t now = (uint32_t)time(NULL);
    if (identity_make(&who, e) < 0)
        return -1;
    for (size_t i = 0; i < m->count; i++)
        if (put(fd, m->map + m->extents[i].at, m->extents[i].len, m->extents[i].at, e) < 0)
            return -1;
    for (size_t i = 0; i < m->super_count; i++) {
        char super[SUPER_LEN];
        memcpy(super, m->map + m->supers[i], sizeof super);
        memcpy(super + SB_UUID, who.uuid, sizeof who.uuid);
        memcpy(super + SB_HASH_SEED, who.hash_seed, sizeof who.hash_seed);
        memset(super + SB_LABEL, 0, LABEL_LEN);
        memcpy(super + SB_LABEL, label, strnlen(label, LABEL_LEN));
        put32(super + SB_WTIME, now);
        put32(super + SB_LASTCHECK, now);
        put32(super + SB_MKFS_TIME, now);
        if (checksummed(super))
            put32(super + SB_CHECKSUM, crc32c(super, SB_CHECKSUM));
        if (put(fd, super, sizeof super, m->supers[i], e) < 0)
            return -1;
    }
    return 0;
}
