/* class_life.h - the life of a student's cluster in a class.
 *
 *     new ──► starting ──► up ◄──► down        a crash, a reboot; `class start` starts it again
 *                │  ▲      │ └──► no lab       its student has ended the lab, or the exam is over
 *                ▼  │      ▼
 *             failed    stopping ──► stopped   `class stop`; `class start` goes on
 *
 * What was last done is written down (life.json) by who does it, who holds a lock meanwhile that goes with him. What is
 * so now is that and what can be seen: does the cluster answer, is the lock held, is a lab under way? So nothing that
 * is killed leaves a state behind that is not true. */
#ifndef STOWAGE_CLI_CLASS_LIFE_H
#define STOWAGE_CLI_CLASS_LIFE_H

#include "base/sm.h"
#include "cli/classroom.h"

enum life { LIFE_NEW, LIFE_STARTING, LIFE_UP, LIFE_DOWN, LIFE_FREE, LIFE_STOPPING, LIFE_STOPPED, LIFE_FAILED };
extern const struct sm_def life_sm;

struct life_seen {
    bool busy;      /* somebody holds the lock */
    bool answers;   /* the cluster does */
    bool under_way; /* a lab is */
};
/* Pure. */
enum life life_now(enum life written, const struct life_seen *seen);

struct life_row {
    int state;     /* enum life */
    int64_t since; /* seconds since 1970 */
    char *why;     /* of a failure; NULL: none */
};
void life_row_release(struct life_row *r); /* zeroed is fine */
#define _auto_life_ __attribute__((cleanup(life_row_release)))
/* As it is now. */
void life_look(const struct classroom *c, const char *student, struct life_row *out);

/* The lock, waited for; -1 with `e`. Closing it gives it back. */
int life_lock(const struct classroom *c, const char *student, struct err *e);
/* Under the lock. why NULL: none. */
int life_move(const struct classroom *c, const char *student, enum life to, const char *why, struct err *e);

#endif
