/* checkpoint_disks.c - the disks of the cluster as files: which there are, whether one has changed, copies of many.
 *
 * DESIGN: whoever makes a disk (EBS, other clouds, file servers, csi-hostpath) makes it as a file of the machine, so
 * the directory is the list. A file that has kept its inode, size and time of modification has kept its bytes, as long
 * as nothing has it attached; a node's filesystem is never at rest, but its device counts the sectors that are written.
 * Where neither says so, bytes are taken to have changed. THREADS: copies run on threads of their own, since the pool's
 * may all wait for the cloud that a checkpoint has frozen. */
#include "app/checkpoint_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define COPIES_AT_ONCE 4

bool is_simulated(struct machine *m)
{
    struct machine_info info;
    m->ops->info(m, &info);
    return info.simulated;
}

/* ---- which there are ---- */

bool is_cluster_disk(const char *id)
{
    return !str_starts(id, KEPT_DISK) && !str_starts(id, STAGED_DISK) && !str_starts(id, TRASH_DISK);
}

void disks_in(const char *disks_dir, const char *prefix, struct strlist *out)
{
    DIR *d = opendir(disks_dir);
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        const size_t n = strlen(entry->d_name);
        if (str_ends(entry->d_name, ".img") && str_starts(entry->d_name, prefix))
            strlist_take(out, xstrndup(entry->d_name, n - strlen(".img")));
    }
    if (d)
        closedir(d);
}

/* A simulated machine has no directory; then it is what the cloud knows. */
static void disks_of_cloud(struct checkpoints *cs, struct strlist *out)
{
    struct cloud_disk *list;
    char id[CLOUD_ID_LEN + 16];
    const size_t n = cloud_disks(cluster_cloud(cs->cluster), NULL, NULL, &list);
    for (size_t i = 0; i < n; i++) {
        cloud_disk_backing(&list[i], id);
        strlist_add(out, id);
    }
    cloud_disks_free(list, n);
}

void disks_now(struct checkpoints *cs, struct strlist *out)
{
    _auto_strlist_ struct strlist all = {0};
    _auto_free_ char *dir = xasprintf("%s/disks", cluster_data_dir(cs->cluster));
    if (is_simulated(cs->m))
        disks_of_cloud(cs, &all);
    else
        disks_in(dir, "", &all);
    for (size_t i = 0; i < all.len; i++)
        if (is_cluster_disk(all.items[i]))
            strlist_add(out, all.items[i]);
    strlist_sort(out);
}

bool disk_node(struct machine *m, const char *id, char node[64])
{
    struct disk_info info;
    struct err none = ERR_INIT;
    if (m->ops->disk_info(m, id, &info, &none) < 0 || !info.node[0])
        return false;
    snprintf(node, 64, "%s", info.node);
    return true;
}

/* ---- has it changed? ---- */

void disk_seen(struct checkpoints *cs, const char *id, char out[96])
{
    struct stat st;
    char node[64];
    _auto_free_ char *path = xasprintf("%s/disks/%s.img", cluster_data_dir(cs->cluster), id);
    _auto_free_ char *dir = xasprintf("%s/disks/%s.d", cluster_data_dir(cs->cluster), id);
    *out = '\0';
    if (disk_node(cs->m, id, node) || access(dir, F_OK) == 0 || stat(path, &st) < 0)
        return;
    snprintf(out, 96, "%" PRIu64 ":%" PRId64 ":%" PRId64 ".%09ld", (uint64_t)st.st_ino, (int64_t)st.st_size,
             (int64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static bool read_line(const char *path, char *out, size_t size)
{
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return n > 0;
}

void node_seen(struct machine *m, const char *node, char out[96])
{
    struct err none = ERR_INIT;
    struct stat st;
    char path[96], line[512], serial[32];
    unsigned long long written, discarded;
    int fd = -1;
    *out = '\0';
    if (is_simulated(m) || m->ops->open(m, node, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &fd, &none) < 0)
        return;
    _auto_close_ int root = fd;
    if (syncfs(root) < 0 || fstat(root, &st) < 0)
        return;
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/diskseq", major(st.st_dev), minor(st.st_dev));
    if (!read_line(path, serial, sizeof serial))
        return;
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/stat", major(st.st_dev), minor(st.st_dev));
    if (read_line(path, line, sizeof line) &&
        sscanf(line, "%*u %*u %*u %*u %*u %*u %llu %*u %*u %*u %*u %*u %*u %llu", &written, &discarded) == 2)
        snprintf(out, 96, "%s:%llu:%llu", serial, written, discarded);
}

/* ---- copies ---- */

struct crew {
    struct machine *m;
    const struct disk_job *jobs;
    size_t n;
    pthread_mutex_t mu;
    size_t next; /* under mu, as below */
    struct err err;
};

static void *copy_main(void *arg)
{
    struct crew *crew = arg;
    for (;;) {
        struct err e = ERR_INIT;
        pthread_mutex_lock(&crew->mu);
        const size_t i = crew->next++;
        pthread_mutex_unlock(&crew->mu);
        if (i >= crew->n)
            return NULL;
        const struct disk_job *job = &crew->jobs[i];
        const int rc = job->node ? crew->m->ops->node_copy(crew->m, job->from, job->to, &e)
                                 : crew->m->ops->disk_copy(crew->m, job->from, job->to, 0, &e);
        pthread_mutex_lock(&crew->mu);
        if (rc < 0 && crew->err.code == ERR_OK)
            crew->err = e;
        pthread_mutex_unlock(&crew->mu);
    }
}

int disk_jobs_run(struct machine *m, const struct disk_job *jobs, size_t n, struct err *e)
{
    struct crew crew = {.m = m, .jobs = jobs, .n = n, .err = ERR_INIT};
    pthread_t threads[COPIES_AT_ONCE];
    size_t begun = 0;
    pthread_mutex_init(&crew.mu, NULL);
    while (begun < COPIES_AT_ONCE && begun + 1 < n && pthread_create(&threads[begun], NULL, copy_main, &crew) == 0)
        begun++;
    copy_main(&crew);
    for (size_t i = 0; i < begun; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&crew.mu);
    if (crew.err.code == ERR_OK)
        return 0;
    *e = crew.err;
    return -1;
}

void disks_remove_all(struct machine *m, const struct strlist *ids)
{
    for (size_t i = 0; i < ids->len; i++) {
        struct err none = ERR_INIT;
        m->ops->disk_delete(m, ids->items[i], &none);
    }
}
