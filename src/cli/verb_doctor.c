/* verb_doctor.c - `stowage doctor`: what this machine can do, and what to do about the rest. */
#include "base/mem.h"
#include "cli/verbs_int.h"
#include "sys/machine.h"

#include <stdio.h>

static const struct {
    unsigned cap;
    const char *what, *without;
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
};

static int doctor_run(const struct cli *cli _unused_, int argc _unused_, char **argv _unused_, struct err *e _unused_)
{
    struct machine_info info = {0};
    machine_probe(&info);
    printf("%s, %s, %s, %d cpus, %lld MiB\n", info.os_image, info.kernel, info.arch, info.cpus,
           (long long)(info.memory_bytes >> 20));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool ok = info.caps & rows[i].cap;
        printf("%-4s %-24s %s\n", ok ? "ok" : "no", rows[i].what, ok ? "" : rows[i].without);
    }
    const unsigned needed = CAP_MOUNT | CAP_NETNS | CAP_LOOP | CAP_OVERLAY | CAP_MKFS_EXT4;
    bool real = (info.caps & needed) == needed;
    printf("\n%s\n", real
                         ? "Everything a storage lab needs is real on this machine."
                         : "The cluster comes up here, but simulated: API, binding and scheduling work, pods and disks "
                           "are only remembered.");
    if (info.why[0])
        printf("%s\n", info.why);
    return real ? 0 : 1;
}

const struct cli_verb verb_doctor = {
    .name = "doctor",
    .summary = "say what this machine can do for real, and why not",
    .help = "usage: stowage doctor\n\nTries each kernel feature in a child process. Exit code 0: everything is real; "
            "1: something is not.\n",
    .run = doctor_run,
};
