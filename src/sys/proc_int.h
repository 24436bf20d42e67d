/* proc_int.h - running tools of the machine and small process helpers. Private to sys; used by single-threaded
 * processes only. */
#ifndef STOWAGE_SYS_PROC_INT_H
#define STOWAGE_SYS_PROC_INT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Runs argv (PATH is the system's), gathers standard output and error (bounded). Returns the exit status, 128+signal,
 * or 127 when there is no such program. Only for single-threaded processes. */
int proc_run(const char *const *argv, struct buf *out_text);
/* Starts a tool whose output nobody reads and returns at once; the caller reaps it. -1: it could not be started. */
pid_t proc_start(const char *const *argv);
/* Becomes the tool, with `out` as its output. */
_Noreturn void proc_exec(const char *const *argv, int out);
/* Steps into the mounts of another process. */
int proc_enter_mounts(pid_t pid);
/* Is the program in the system's PATH? */
bool proc_has(const char *program);
/* Default signal handling and mask, as a fresh child should have. */
void proc_reset_signals(void);
/* Closes every descriptor from 3 on except these. A long-lived child must not hold what is not its own: a pipe's end, a
 * loop device. */
void proc_keep_fds(const int *keep, size_t count);
/* fork() with namespaces: clone3-like flags, runs on in the child as fork does. */
pid_t proc_clone(uint64_t flags);
/* In a mount namespace of its own: shows nothing of it outside, and makes the root directory its root, see own_root.c.
 * The working directory becomes that root. */
int own_root(struct err *e);
/* Makes each directory of the path. */
int proc_mkdir_p(const char *path, mode_t mode, struct err *e);
/* Writes a short text to an existing file (sysctl, cgroup). */
int proc_write(const char *path, const char *text);
/* Does the process see a filesystem of this device mounted? */
bool proc_mounts_device(pid_t pid, dev_t rdev);
/* Becomes readable when a child ended; how: SIG_BLOCK, or SIG_SETMASK to block nothing else. */
int proc_child_signal_fd(int how);
/* Overwrites the visible name of this process. */
void proc_title(char **argv, const char *title);

#endif
