/* cgroup_usage.c - what a container's processes use: CPU, memory, processes, as its control groups tell.
 *
 * DESIGN: the working set is what could not be taken back without harm: all memory but inactive file pages, as
 * cAdvisor counts it. What a machine does not tell is -1, so that nobody takes it for nothing.
 *
 * THREADS: none; runs in the node's loop: a few short reads a container. */
#include "sys/cgroup_int.h"
#include "sys/node_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_file(int dir, const char *id, const char *file, char *out, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", id, file);
    _auto_close_ int fd = dir < 0 ? -1 : openat(dir, path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static int64_t read_number(int dir, const char *id, const char *file)
{
    char text[64];
    return read_file(dir, id, file, text, sizeof text) ? strtoll(text, NULL, 10) : -1;
}

/* Of "key value" lines. */
static int64_t value_of(const char *text, const char *key)
{
    const size_t n = strlen(key);
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, n) == 0 && line[n] == ' ')
            return strtoll(line + n + 1, NULL, 10);
    return -1;
}

static int64_t cpu_of(const struct cgroups *c, const char *id)
{
    char text[1024];
    if (!c->v2)
        return read_number(c->account, id, "cpuacct.usage");
    const int64_t us = read_file(c->cpu, id, "cpu.stat", text, sizeof text) ? value_of(text, "usage_usec") : -1;
    return us < 0 ? -1 : us * 1000;
}

struct container_use cgroups_use(const struct cgroups *c, const char *id)
{
    char text[4096];
    struct container_use use = {
        .cpu_ns = cpu_of(c, id), .working_set = -1, .rss = -1, .at_ns = clock_mono_ns(clock_real())};
    use.memory = read_number(c->memory, id, c->v2 ? "memory.current" : "memory.usage_in_bytes");
    use.pids = read_number(c->pids, id, "pids.current");
    if (use.memory < 0 || !read_file(c->memory, id, "memory.stat", text, sizeof text))
        return use;
    const int64_t idle = value_of(text, c->v2 ? "inactive_file" : "total_inactive_file");
    use.working_set = idle > 0 && idle < use.memory ? use.memory - idle : idle > 0 ? 0 : use.memory;
    use.rss = value_of(text, c->v2 ? "anon" : "total_rss");
    return use;
}

int req_container_usage(struct req *r, struct err *e)
{
    const uint32_t count = wire_get_u32(&r->in);
    if (count > r->msg->body.len)
        return err_set(e, ERR_BAD_REQUEST, "malformed request");
    _auto_free_ struct container_use *uses = xcalloc(count + 1, sizeof *uses);
    for (uint32_t i = 0; i < count; i++) {
        const char *id = wire_need_str(&r->in);
        if (*id && !strchr(id, '/'))
            uses[i] = cgroups_use(&r->node->cgroups, id);
        else
            uses[i] = (struct container_use){-1, -1, -1, -1, -1};
    }
    wire_blob(&r->out, uses, count * sizeof *uses);
    return 0;
}
