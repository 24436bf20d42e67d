/* terminal.h - couples the user's terminal to a remote session's descriptors. */
#ifndef STOWAGE_CLI_TERMINAL_H
#define STOWAGE_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

/* Pumps until the session ends and returns its exit code. With tty, `in` is a pty master: the user's terminal goes raw
 * and its size is followed. Else in/out/err are pipes. Closes all four. `out_message` (256 bytes) gets why it could not
 * start, or "". */
int terminal_run(bool tty, int in, int out, int err, int exit_fd, char out_message[256]);

#endif
