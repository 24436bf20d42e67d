/* spec_int.h - a container's specification on the wire and in a node. Private to sys. */
#ifndef STOWAGE_SYS_SPEC_INT_H
#define STOWAGE_SYS_SPEC_INT_H

#include "sys/machine.h"
#include "sys/wire.h"

/* A specification with everything it points to. */
struct spec_box {
    struct container_spec spec;                    /* borrows from below */
    struct buf body;                               /* owned; the message */
    const char **layers, **argv, **env, **volumes; /* owned vectors of borrowed texts */
    struct mount_spec *mounts;                     /* owned */
    uint32_t *groups;                              /* owned */
};
void spec_write(struct buf *b, const struct container_spec *spec);
/* Takes the body. NULL if it is malformed. */
struct spec_box *spec_read(struct buf *take_body);
void spec_free(struct spec_box *s);

#endif
