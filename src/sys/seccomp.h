/* seccomp.h - a profile of system calls, as a node's file has it, as a filter for the kernel. */
#ifndef STOWAGE_SYS_SECCOMP_H
#define STOWAGE_SYS_SECCOMP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/* Appends the filter (array of struct sock_filter) of a profile in the form that runtimes take: defaultAction,
 * defaultErrnoRet, architectures, syscalls with names, action, errnoRet and args. Calls that this machine does not have
 * are left out. ERR_INVALID in runc's words. Source: opencontainers/runtime-spec config-linux.md#seccomp. */
int seccomp_compile(const json_t *profile, struct buf *out, struct err *e);

#endif
