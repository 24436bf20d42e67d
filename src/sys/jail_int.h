/* jail_int.h - private to the jail: what its first process is told, and the messages between it and its owner. */
#ifndef STOWAGE_SYS_JAIL_INT_H
#define STOWAGE_SYS_JAIL_INT_H

#include "sys/jail.h"

#include <sys/types.h>

/* Kinds of messages. To the jail: a file (path, NUL, bytes); a script (each variable and NUL, NUL, the script; stdout
 * and stderr as descriptors); end of what runs. From it: it is ready (with the listening socket, if there is a port),
 * done (an int: the exit code), or an error (its text). */
enum jail_message { JAIL_PUT = 1, JAIL_RUN, JAIL_STOP, JAIL_READY, JAIL_DONE, JAIL_FAILED };

struct jail_boot {
    const struct jail_conf *conf;
    int sock;
    uid_t user;        /* of scripts */
    bool group_limits; /* a control group bounds memory */
};
/* jail_inside.c: the first process of the jail's namespaces. */
_Noreturn void jail_inside(const struct jail_boot *boot);
/* jail_root.c: builds the root and enters it. */
int jail_root_enter(const struct jail_conf *conf, uid_t user, struct err *e);
/* jail_relay.c: carries what connects to `listener` to the port of this machine. Never returns. */
_Noreturn void jail_relay(int listener, int port);

#endif
