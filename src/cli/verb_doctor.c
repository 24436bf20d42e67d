/* verb_doctor.c - `stowage doctor`: what this machine can do, and what to do about the rest. */
#include "base/mem.h"
#include "cli/verbs_int.h"
#include "sys/machine.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    unsigned cap;
    const char *what, *without;
    bool rootless; /* asked of an ordinary user's machine only */
} rows[] = {
    {CAP_MOUNT, "namespaces and mounts",
     "pods and volumes are simulated; run as root, outside a locked-down container"},
    {CAP_LOOP, "loop devices", "claims have no filesystem of their own; load the loop module or run as root"},
    {CAP_OVERLAY, "overlay filesystems", "images cannot be stacked; load the overlay module"},
    {CAP_NETNS, "network namespaces", "pods have no address of their own"},
    {CAP_MKFS_EXT4, "mkfs.ext4", "install the package e2fsprogs"},
    {CAP_FILTER, "packet filter", "network policies are not enforced, services are relayed; load the module nf_tables"},
    {CAP_CGROUP, "control groups", "limits of memory, cpu and processes are not kept; a fork bomb is not stopped"},
    {CAP_DEVICES, "devices kept apart", "a privileged pod can open this machine's devices: run none you do not trust"},
    {CAP_SERVED, "ext4 by fuse2fs", "claims are directories whose size is not kept", true},
    {CAP_IDS, "a range of user ids", "files that belong to other users are yours", true},
};

enum verdict { REAL, ROOTLESS, ROOTLESS_SIZELESS, SIMULATED };
static const char *const verdicts[] = {
    [REAL] = "Everything a storage lab needs is real on this machine.",
    [ROOTLESS] = "Pods, networks and volumes are real on this machine, also for you who are not root. What differs:",
    [ROOTLESS_SIZELESS] = "Pods and networks are real on this machine, also for you who are not root, but volumes have "
                          "no size of their own. What differs:",
    [SIMULATED] = "The cluster comes up here, but simulated: API, binding and scheduling work, pods and disks are only "
                  "remembered.",
};

static enum verdict verdict_of(const struct machine_info *info)
{
    const unsigned pods = CAP_MOUNT | CAP_NETNS | CAP_OVERLAY, needed = pods | CAP_LOOP | CAP_MKFS_EXT4;
    if (info->rootless && (info->caps & pods) == pods)
        return info->caps & CAP_SERVED ? ROOTLESS : ROOTLESS_SIZELESS;
    return (info->caps & needed) == needed ? REAL : SIMULATED;
}

/* One a line. */
static void print_differences(const char *text)
{
    while (*text) {
        const size_t n = (size_t)(strstr(text, "; ") ? strstr(text, "; ") - text : (ptrdiff_t)strlen(text));
        printf("- %.*s\n", (int)n, text);
        text += n + (text[n] ? 2 : 0);
    }
}

static int doctor_run(const struct cli *cli _unused_, int argc _unused_, char **argv _unused_, struct err *e _unused_)
{
    struct machine_info info = {0};
    machine_probe(&info);
    printf("%s, %s, %s, %d cpus, %lld MiB\n", info.os_image, info.kernel, info.arch, info.cpus,
           (long long)(info.memory_bytes >> 20));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].rootless && !info.rootless)
            continue;
        bool ok = info.caps & rows[i].cap;
        printf("%-4s %-24s %s\n", ok ? "ok" : "no", rows[i].what, ok ? "" : rows[i].without);
    }
    const enum verdict v = verdict_of(&info);
    printf("\n%s\n", verdicts[v]);
    if (v == ROOTLESS || v == ROOTLESS_SIZELESS)
        print_differences(info.differs);
    if (info.why[0])
        printf("%s\n", info.why);
    return v == REAL || v == ROOTLESS ? 0 : 1;
}

const struct cli_verb verb_doctor = {
    .name = "doctor",
    .summary = "say what this machine can do for real, and why not",
    .help = "usage: stowage doctor\n\nTries each kernel feature in a child process. Exit code 0: everything is real; "
            "1: something is not.\n",
    .run = doctor_run,
};
