/* container_int.h - a container on a node: its record, and what its first process does before the program. Private to
 * sys. */
#ifndef STOWAGE_SYS_CONTAINER_INT_H
#define STOWAGE_SYS_CONTAINER_INT_H

#include "sys/clog.h"
#include "sys/node_int.h"
#include "sys/sandbox_int.h"
#include "sys/spec_int.h"

enum container_state { CONTAINER_STARTING, CONTAINER_RUNNING, CONTAINER_ENDED };

struct sink { /* one attached session; -1 where it does not listen */
    struct sink *next;
    int out, err, exit_fd;
};
struct container_stream {
    struct watch watch; /* our end of the pipe, or the pty master (stream 0) */
    struct clog_stream log;
};
struct stop_signal { /* one that it does not hear yet */
    struct watch timer;
    int sig, look_ms;
};
struct container {
    struct container *next;
    struct node *node;
    struct spec_box *box; /* owned */
    int state;
    pid_t pid;
    uint32_t start_id;  /* request to answer when the program runs */
    struct watch guard; /* its mounts are asked about here */
    struct stop_signal stop;
    struct watch sync; /* from the first process: the pty, an error, or EOF = the program runs */
    struct err start_error;
    struct container_stream streams[2]; /* stdout, stderr */
    int input;                          /* our end of its standard input, -1 = none */
    int master;                         /* pty master, -1 = no tty */
    struct clog log;
    struct sink *sinks;
    bool forgotten; /* its sandbox has ended: nobody will ask for it */
};
struct container *container_find(struct node *n, const char *id);
/* stop_signal.c: sends it, now and, where it goes unheard, once the program listens. */
int stop_signal_send(struct container *c, int sig, struct err *e);

/* What the child side needs; all descriptors borrowed. */
struct container_child {
    const struct container_spec *spec;
    const struct sandbox *sandbox;
    const struct cgroups *cgroups;
    int sync;     /* to the node; close-on-exec */
    int stdio[3]; /* -1: take /dev/null; unused with a tty */
};
/* The devices it may open beside the harmless ones: what it was given, and all of its node's if it is privileged. */
size_t rootfs_devices(const struct container_spec *spec, struct cgroup_device *out, size_t max);
/* rootfs.c: builds and enters the container's root. Runs in its own mount namespace. */
int rootfs_enter(const struct container_child *c, struct err *e);
/* Opens (O_PATH) a directory in the root, making what is missing; links lead nowhere out of it. */
int rootfs_open_dir(int root, const char *path, struct err *e);
/* image_volumes.c: where the image wants volumes of their own. */
int image_volumes_mount(int root, const struct container_spec *spec, struct err *e);

/* user.c: the last steps of a container's or exec's process. */
struct user_spec {
    const char *const *argv, *const *env;
    const char *cwd;
    uint32_t uid, gid;
    const uint32_t *groups;
    size_t group_count;
    uint64_t caps;
    bool tty;
    int oom_score_adj;
    bool no_new_privs;
    bool default_profile; /* the runtime's filter of system calls */
    const void *filter;   /* a filter beside it: struct sock_filter[]; borrowed */
    size_t filter_len;    /* bytes */
};
/* The container's own; `limited`: its memory has a limit that is kept. */
void user_fill(struct user_spec *u, const struct container_spec *spec, bool limited);
uint64_t user_caps(const struct container_spec *spec);
/* Opens a pty in the current root; its slave becomes the controlling terminal and 0, 1, 2. Returns the master. */
int user_take_tty(uint32_t uid, struct err *e);
/* Finds the program as the runtime does; `where` is put in front of the error. Returns new. */
char *user_find_program(const struct user_spec *u, const char *where, int *out_code, struct err *e);
/* refused.c: from here on what must not be called fails, for this process and its children. Needs CAP_SYS_ADMIN. */
int user_refuse_calls(const struct user_spec *u, struct err *e);
/* The filter that the user asked for. Without no_new_privs it needs CAP_SYS_ADMIN. */
int user_set_filter(const struct user_spec *u, struct err *e);
/* mount_guard.c: lets mounts of this process and its children wait for an answer, if it could mount at all. Returns the
 * descriptor on which they are asked about, or -1: nothing is to be guarded, or cannot be. */
int mount_guard_set(const struct user_spec *u);
/* Has done what is asked on it, or refused; false when nobody will ask any more. */
bool mount_guard_answer(int fd, const struct node *n);
/* With these capabilities a process may mount. */
bool user_may_mount(uint64_t caps);
/* Identity, capabilities, directory. */
int user_become(const struct user_spec *u, struct err *e);
/* Environment with HOME, TERM, HOSTNAME where they are missing; returns new. */
char **user_environment(const struct user_spec *u);

#endif
