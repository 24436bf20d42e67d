/* mount_proxy_int.h - a mount(2) done in another process's stead. Private to sys. */
#ifndef STOWAGE_SYS_MOUNT_PROXY_INT_H
#define STOWAGE_SYS_MOUNT_PROXY_INT_H

#include "sys/node_int.h"

#include <linux/seccomp.h>

/* Does what `call`, heard on `listener`, asks for, if it may be done. Returns 0 or errno. In a process that ends then:
 * it is where the other one was. */
int mount_proxy(int listener, const struct seccomp_notif *call, const struct node *n);

#endif
