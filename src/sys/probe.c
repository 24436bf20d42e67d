/* probe.c - what this machine is and what it allows (`stowage doctor`).
 *
 * machine_describe() only reads. machine_probe() tries the real thing in a child in throw-away namespaces: a mount, an
 * overlay, a loop device, a network namespace, a cgroup; the child reports a bit for each, and its end undoes all of
 * it. THREADS: any; the child executes nothing but system calls. */
#include "sys/cgroup_int.h"
#include "sys/machine.h"
#include "sys/probe_int.h"
#include "sys/proc_int.h"
#include "sys/svc_int.h"
#include "sys/userns_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static void read_line(const char *path, char *out, size_t size)
{
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static void os_image(char *out, size_t size)
{
    char line[256];
    FILE *f = fopen("/etc/os-release", "re");
    snprintf(out, size, "Linux");
    while (f && fgets(line, sizeof line, f)) {
        if (!str_starts(line, "PRETTY_NAME="))
            continue;
        char *value = line + 12 + (line[12] == '"');
        value[strcspn(value, "\"\n")] = '\0';
        snprintf(out, size, "%s", value);
    }
    if (f)
        fclose(f);
}

int64_t probe_memory_available(void)
{
    char text[2048];
    _auto_close_ int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *at = strstr(text, "MemAvailable:");
    return at ? strtoll(at + strlen("MemAvailable:"), NULL, 10) * 1024 : -1;
}

static unsigned rootless_caps(void)
{
    /* CAP_DEVICES: nobody but root opens a device through a node that he made. */
    return CAP_DEVICES | (probe_served() ? CAP_SERVED : 0) | (userns_ids() > 1 ? CAP_IDS : 0);
}

void machine_describe(struct machine_info *out)
{
    struct utsname u;
    memset(out, 0, sizeof *out);
    uname(&u);
    snprintf(out->kernel, sizeof out->kernel, "%s", u.release);
    snprintf(out->arch, sizeof out->arch, "%s",
             str_eq(u.machine, "x86_64")    ? "amd64"
             : str_eq(u.machine, "aarch64") ? "arm64"
                                            : u.machine);
    os_image(out->os_image, sizeof out->os_image);
    read_line("/etc/machine-id", out->machine_id, sizeof out->machine_id);
    read_line("/proc/sys/kernel/random/boot_id", out->boot_id, sizeof out->boot_id);
    out->cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    out->memory_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    out->caps = CAP_MOUNT | CAP_LOOP | CAP_OVERLAY | CAP_NETNS | CAP_MKFS_EXT4 | CAP_FILTER;
    if (access("/sys/fs/cgroup", W_OK) == 0)
        out->caps |= CAP_CGROUP;
    out->rootless = userns_inside();
    if (!out->rootless)
        return;
    out->caps &= ~(unsigned)CAP_LOOP;
    out->caps |= rootless_caps();
    probe_differs(out);
}

/* ---- trying ---- */

bool probe_overlay(const char *dir)
{
    static const char *const parts[] = {"lower", "upper", "work", "merged"};
    char path[4][256], options[800];
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", dir, parts[i]);
        mkdir(path[i], 0755);
    }
    snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s%s", path[0], path[1], path[2],
             userns_overlay_options());
    return mount("overlay", path[3], "overlay", 0, options) == 0 && umount2(path[3], MNT_DETACH) == 0;
}

/* Asking for a number makes no device of anybody's: it stays free for whoever configures it first. */
bool probe_loop(void)
{
    _auto_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    return control >= 0 && ioctl(control, LOOP_CTL_GET_FREE) >= 0;
}

static const struct {
    unsigned cap;
    const char *advice;
} advices[] = {
    {CAP_NETNS, "namespaces are not allowed: run as root (sudo stowage up), and not in an unprivileged container"},
    {CAP_MOUNT, "mounting is not allowed: run as root; in a container, start it with --privileged"},
    {CAP_LOOP,
     "loop devices are not available: load the module (modprobe loop); in a container, start it with --privileged. "
     "Linux 5.8 or newer is needed"},
    {CAP_OVERLAY, "overlay mounts are not available: load the module (modprobe overlay)"},
    {CAP_MKFS_EXT4, "mkfs.ext4 is missing: install the package e2fsprogs"},
    {CAP_FILTER, "nf_tables is not available: network policies are not enforced, and services are relayed; load the "
                 "module (modprobe nf_tables)"},
    {CAP_CGROUP, "control groups are not writable: limits of CPU, memory and processes are not kept"},
    {CAP_DEVICES, "control groups of devices are not writable: a privileged pod can open this machine's devices"},
};

const char *probe_advice(unsigned caps, unsigned needed)
{
    for (size_t i = 0; i < ARRAY_LEN(advices); i++)
        if ((needed & advices[i].cap) && !(caps & advices[i].cap))
            return advices[i].advice;
    return "";
}

/* In a child with its own mount and network namespace. Returns the bits of what worked. */
static unsigned try_all(void)
{
    unsigned caps = CAP_NETNS; /* else we would not be here */
    if (own_root(&(struct err){0}) < 0 || mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0)
        return caps;
    caps |= CAP_MOUNT;
    caps |= rules_apply(NULL, 0, &(struct err){0}) == 0 ? CAP_FILTER : 0;
    caps |= probe_overlay("/tmp") ? CAP_OVERLAY : 0;
    if (mount("tmpfs", "/dev", "tmpfs", 0, NULL) == 0 &&
        mknod("/dev/loop-control", S_IFCHR | 0600, makedev(10, 237)) == 0)
        caps |= probe_loop() ? CAP_LOOP : 0;
    return caps;
}

static void probe_here(struct machine_info *out)
{
    machine_describe(out);
    out->caps = out->rootless ? rootless_caps() : 0;
    out->caps |= proc_has("mkfs.ext4") ? CAP_MKFS_EXT4 : 0;
    out->caps |= cgroup_probe();
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return;
    const pid_t pid = proc_clone(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID);
    if (pid == 0) {
        const unsigned caps = try_all();
        _exit(write(fds[1], &caps, sizeof caps) == sizeof caps ? 0 : 1);
    }
    close(fds[1]);
    if (pid > 0) {
        unsigned caps = 0;
        if (read(fds[0], &caps, sizeof caps) == sizeof caps)
            out->caps |= caps;
        waitpid(pid, NULL, 0);
    }
    close(fds[0]);
    if (out->rootless)
        probe_differs(out);
    else
        snprintf(out->why, sizeof out->why, "%s", probe_advice(out->caps, UINT32_MAX & ~(CAP_SERVED | CAP_IDS)));
}

void machine_probe(struct machine_info *out)
{
    int fds[2];
    if (geteuid() == 0 || pipe2(fds, O_CLOEXEC) < 0) {
        probe_here(out);
        return;
    }
    const pid_t pid = fork(); /* who enters a user namespace cannot come back */
    if (pid == 0) {
        struct err e = ERR_INIT;
        struct machine_info info;
        const bool inside = machine_enter_userns(&e) == 0;
        probe_here(&info);
        if (!inside)
            snprintf(info.why, sizeof info.why, "%.255s", e.msg);
        _exit(write(fds[1], &info, sizeof info) == sizeof info ? 0 : 1);
    }
    close(fds[1]);
    if (read(fds[0], out, sizeof *out) != sizeof *out)
        machine_describe(out);
    close(fds[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
}
