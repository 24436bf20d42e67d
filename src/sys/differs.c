/* differs.c - what is not as with root, for who is root of a user namespace only: told on start, by the nodes and by
 * `stowage doctor`. When you add a difference: a row here. THREADS: none. */
#include "sys/probe_int.h"
#include "sys/proc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool probe_served(void)
{
    _auto_close_ int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    return fd >= 0 && proc_has("fuse2fs");
}

static const char *missing_server(void)
{
    return proc_has("fuse2fs") ? "claims are directories whose size is not kept: you may not open /dev/fuse"
                               : "claims are directories whose size is not kept: install the package fuse2fs";
}

void probe_differs(struct machine_info *info)
{
    const bool served = info->caps & CAP_SERVED;
    const struct {
        bool applies;
        const char *text;
    } rows[] = {
        {!served, missing_server()},
        {served, "a claim's ext4 is served by fuse2fs, and grows when it is mounted again"},
        {!(info->caps & CAP_IDS), "there is one user id, so files that belong to other users are yours: install the "
                                  "package uidmap and have a range in /etc/subuid and /etc/subgid"},
        {!(info->caps & CAP_CGROUP), "limits of cpu, memory and processes are not kept"},
        {true, "raw block volumes are files"},
        {true, "privileged containers mount no /proc of their own"},
        {true, "nodes keep their files in directories of yours, and have your /usr read-only"},
    };
    size_t at = 0;
    info->differs[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(rows) && at < sizeof info->differs; i++)
        if (rows[i].applies)
            at += (size_t)snprintf(info->differs + at, sizeof info->differs - at, "%s%s", at ? "; " : "", rows[i].text);
}
