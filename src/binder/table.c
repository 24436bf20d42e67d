/* table.c - the loops of this folder. How to add one: its file, its line in binder_int.h, its row here.
 *
 * The first row watches volumes before anybody watches claims: when both come together, as from one file of a user's,
 * the volume is made Available before its claim is looked at. */
#include "binder/binder_int.h"

#include "base/mem.h"

const struct loop_def *const *binder_loops(size_t *n)
{
    static const struct loop_def *const loops[] = {
        &pv_protection_loop, &pv_binder_loop,        &pvc_protection_loop, &provisioner_loop, &attach_detach_loop,
        &attacher_loop,      &expand_loop,           &resizer_loop,        &ephemeral_loop,   &driver_install_loop,
        &snapshot_loop,      &snapshot_content_loop, &modifier_loop,       &room_loop,
    };
    *n = ARRAY_LEN(loops);
    return loops;
}
