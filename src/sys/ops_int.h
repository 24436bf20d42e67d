/* ops_int.h - what the API process asks of the node helper and of nodes, and what they tell.
 *
 * A request's kind is its op; its reply has the same id, kind MSG_REPLY, and a body that begins with an error
 * (wire_err). An event has id 0. How to add an op: a row here, a handler row in helper.c or node.c, a call in
 * client*.c. */
#ifndef STOWAGE_SYS_OPS_INT_H
#define STOWAGE_SYS_OPS_INT_H

#include "sys/machine.h"

/* Each row: name, text for traces. */
#define HELPER_OPS(X)                                                                                                  \
    X(NODE_START, "node_start")                                                                                        \
    X(NODE_READY, "node_ready")                                                                                        \
    X(NODE_STOP, "node_stop")                                                                                          \
    X(IMAGES_MOUNT, "images_mount")                                                                                    \
    X(DISK_CREATE, "disk_create")                                                                                      \
    X(DISK_CREATE_EXT4, "disk_create_ext4")                                                                            \
    X(DISK_GROW, "disk_grow")                                                                                          \
    X(DISK_DELETE, "disk_delete")                                                                                      \
    X(DISK_COPY, "disk_copy")                                                                                          \
    X(NODE_COPY, "node_copy")                                                                                          \
    X(DISK_INFO, "disk_info")                                                                                          \
    X(DISK_ATTACH, "disk_attach")                                                                                      \
    X(DISK_DETACH, "disk_detach")                                                                                      \
    X(FORMAT_BEGIN, "format_begin")                                                                                    \
    X(FORMAT_END, "format_end")                                                                                        \
    X(FS_SERVE, "fs_serve")                                                                                            \
    X(LAYER_UNPACK, "layer_unpack")                                                                                    \
    X(LAYER_REMOVE, "layer_remove")                                                                                    \
    X(DIAL_IP, "dial_ip")                                                                                              \
    X(LISTEN, "listen")                                                                                                \
    X(SET_SERVICES, "set_services")
#define NODE_OPS(X)                                                                                                    \
    X(FS_MOUNT, "fs_mount")                                                                                            \
    X(FS_GROW, "fs_grow")                                                                                              \
    X(BIND, "bind")                                                                                                    \
    X(BIND_BENEATH, "bind_beneath")                                                                                    \
    X(TMPFS, "tmpfs")                                                                                                  \
    X(UNMOUNT, "unmount")                                                                                              \
    X(IS_MOUNTED, "is_mounted")                                                                                        \
    X(FS_STAT, "fs_stat")                                                                                              \
    X(MKDIR_P, "mkdir_p")                                                                                              \
    X(REMOVE_ALL, "remove_all")                                                                                        \
    X(STAT, "stat")                                                                                                    \
    X(OPEN, "open")                                                                                                    \
    X(CHOWN_TREE, "chown_tree")                                                                                        \
    X(WRITE_VOLUME, "write_volume")                                                                                    \
    X(DISK_USAGE, "disk_usage")                                                                                        \
    X(SANDBOX_START, "sandbox_start")                                                                                  \
    X(SANDBOX_STOP, "sandbox_stop")                                                                                    \
    X(CONTAINER_START, "container_start")                                                                              \
    X(CONTAINER_SIGNAL, "container_signal")                                                                            \
    X(CONTAINER_REMOVE, "container_remove")                                                                            \
    X(CONTAINER_USAGE, "container_usage")                                                                              \
    X(EXEC, "exec")                                                                                                    \
    X(ATTACH, "attach")                                                                                                \
    X(DIAL, "dial")                                                                                                    \
    X(DIAL_FROM, "dial_from")

enum op {
    OP_NONE,
#define OP_X(name, text) OP_##name,
    HELPER_OPS(OP_X) NODE_OPS(OP_X)
#undef OP_X
        OP_MAX,
    /* what comes back */
    MSG_REPLY = 1000,
    MSG_HELLO, /* helper or node: ready, or the error why not */
    MSG_EXIT,  /* node: a container ended */
    MSG_GUARD, /* a first process, to who started it: the descriptor on which its mounts are asked about */
};

/* The cluster's addresses. Everything is inside the helper's own network namespace. */
#define NET_BRIDGE          "stow0"
#define NET_NODE_BRIDGE     "cni0"
#define NET_GATEWAY         0xac1e0001u                       /* 172.30.0.1 */
#define NET_NODE(index)     (0xac1e000au + (unsigned)(index)) /* 172.30.0.10+ */
#define NET_NODE_PREFIX     24
#define NET_PODS(index)     (0x0af40000u + ((unsigned)(index) << 8)) /* 10.244.<index>.0 */
#define NET_PODS_PREFIX     24
#define NET_ALL_PODS        0x0af40000u /* 10.244.0.0/16 */
#define NET_ALL_PODS_PREFIX 16
#define NET_SERVICES        0x0a600000u /* 10.96.0.0/12 */
#define NET_SERVICES_MASK   0xfff00000u
#define NET_MARK_LED        1u /* packets that a node's own rules lead elsewhere */

/* Paths on a node. */
#define NODE_LAYERS NODE_IMAGEFS

#endif
