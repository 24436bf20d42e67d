/* probe.c - what this machine is and what it allows (`stowage doctor`).
 *
 * machine_describe() only reads. machine_probe() tries the real thing in a child in throw-away namespaces: a mount, an
 * overlay, a loop device, a network namespace, a cgroup; the child reports a bit for each, and its end undoes all of
 * it. THREADS: any; the child executes nothing but system calls. */
#include "sys/machine.h"
#include "sys/loopdev.h"
#include "sys/proc_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    out->caps = CAP_MOUNT | CAP_LOOP | CAP_OVERLAY | CAP_NETNS | CAP_MKFS_EXT4;
    if (access("/sys/fs/cgroup", W_OK) == 0)
        out->caps |= CAP_CGROUP;
}

/* ---- trying ---- */

static bool try_overlay(void)
{
    const char *const dirs[] = {"/tmp/l", "/tmp/u", "/tmp/w", "/tmp/m"};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        mkdir(dirs[i], 0755);
    return mount("overlay", "/tmp/m", "overlay", 0, "lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w") == 0;
}

static bool try_loop(void)
{
    struct loopdev loop = {.fd = -1};
    struct err e = ERR_INIT;
    _auto_close_ int fd = open("/tmp/disk", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, 1 << 20) < 0 || mount("tmpfs", "/dev", "tmpfs", 0, NULL) < 0 ||
        mknod("/dev/loop-control", S_IFCHR | 0600, makedev(10, 237)) < 0)
        return false;
    const bool ok = loopdev_attach("/tmp/disk", false, &loop, &e) == 0;
    loopdev_release(&loop);
    return ok;
}

/* In a child with its own mount and network namespace. Returns the bits of what worked. */
static unsigned try_all(void)
{
    unsigned caps = CAP_NETNS; /* else we would not be here */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0)
        return caps;
    caps |= CAP_MOUNT;
    caps |= try_overlay() ? CAP_OVERLAY : 0;
    caps |= proc_has("mkfs.ext4") ? CAP_MKFS_EXT4 : 0;
    caps |= access("/sys/fs/cgroup", W_OK) == 0 ? CAP_CGROUP : 0;
    caps |= try_loop() ? CAP_LOOP : 0; /* last: it replaces /dev */
    return caps;
}

static const struct {
    unsigned cap;
    const char *advice;
} advices[] = {
    {CAP_NETNS, "namespaces are not allowed: run as root (sudo stowage up), outside of an unprivileged container"},
    {CAP_MOUNT, "mounting is not allowed: run as root, or start the container with --privileged"},
    {CAP_LOOP, "loop devices are not available: load the module (modprobe loop); in a container, use --privileged. "
               "Linux 5.8 or newer is needed"},
    {CAP_OVERLAY, "overlay mounts are not available: load the module (modprobe overlay)"},
    {CAP_MKFS_EXT4, "mkfs.ext4 is missing: install the package e2fsprogs"},
    {CAP_CGROUP, "cgroups are not writable: limits of CPU and memory are not enforced"},
};

void machine_probe(struct machine_info *out)
{
    machine_describe(out);
    out->caps = 0;
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
            out->caps = caps;
        waitpid(pid, NULL, 0);
    }
    close(fds[0]);
    for (size_t i = 0; i < ARRAY_LEN(advices); i++)
        if (!(out->caps & advices[i].cap)) {
            snprintf(out->why, sizeof out->why, "%s", advices[i].advice);
            break;
        }
}
