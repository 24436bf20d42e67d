/* fake.h - test controls of the fake machine (machine_open_fake).
 *
 * The fake remembers everything and does nothing: disks have sizes, mounts are a list, files are memory files,
 * containers run until they are signalled. These calls let a test end a container, or make the N-th call fail. */
#ifndef STOWAGE_SYS_FAKE_H
#define STOWAGE_SYS_FAKE_H

#include "sys/machine.h"

/* Call number `nth` from now (1 = the next one that can fail) fails with `code`; 0 switches it off. */
void machine_fake_fail(struct machine *m, unsigned nth, enum err_code code);
/* Calls that could have failed so far: the upper bound of a "fail the N-th, for every N" loop. */
unsigned machine_fake_calls(struct machine *m);
/* Ends a running container: on_exit is called from a machine thread. False if it is not running. */
bool machine_fake_exit(struct machine *m, const char *container_id, int code);
/* What is on the disk: 0 if it is blank or not there, else a number that each format makes and each copy keeps. */
unsigned machine_fake_content(struct machine *m, const char *disk);
/* The machine is gone and comes back: nodes, mounts, attachments and processes go; disks and files stay. */
void machine_fake_reboot(struct machine *m);
/* The disk gets no room from its machine from now on, or does again. */
void machine_fake_starve(struct machine *m, const char *disk, bool starved);
/* Waits until every end so far was told; the caller holds no lock that on_exit takes. Returns how many ever were. */
unsigned machine_fake_rest(struct machine *m);
/* How much is left: disks attached, mounts, sandboxes, containers. For "nothing leaked" asserts. */
struct fake_counts {
    unsigned nodes, disks, attached, mounts, sandboxes, containers;
};
void machine_fake_count(struct machine *m, struct fake_counts *out);

#endif
