/* classroom.h - a class on one machine: a folder, in which each student has a data directory, and so a lab and a
 * cluster of his own; and a small cluster of the teacher's, whose console shows the class.
 *
 *     <class>/class.json          who and what: written once, when the class begins
 *     <class>/book.db             gradebook (lab/gradebook.h)
 *     <class>/teacher/            the teacher's cluster
 *     <class>/students/NAME/      a data directory ($STOWAGE_DATA): labs/book.db, labs/cluster/…
 *                     life.json   what was last done with the cluster: class_life.h
 *                     life.lock   held while something is being done with it
 *
 * THREADS: read only once open. */
#ifndef STOWAGE_CLI_CLASSROOM_H
#define STOWAGE_CLI_CLASSROOM_H

#include "base/str.h"
#include "cli/cli.h"
#include "lab/book.h"

#include <jansson.h>

#define CLASSROOM_STUDENTS_MAX 500

struct classroom {
    char *dir;    /* absolute */
    json_t *file; /* {"tasks": [{"word", "dir", …progress_task()}], "exam": bool, "minutes", "students": [name],
                   * "began"} */
};
void classroom_release(struct classroom *c); /* zeroed is fine */
#define _auto_classroom_ __attribute__((cleanup(classroom_release)))

/* given NULL: <data>/class. Returns new, absolute. */
char *classroom_dir(const char *given);
/* NOT_FOUND: there is no class in that folder. */
int classroom_open(const char *dir, struct classroom *out, struct err *e);
/* A new one; CONFLICT: there is one already. words: labs, or LAB:STEP in an exam. */
struct classroom_plan {
    const struct cli *cli;
    char **words;
    size_t words_len;
    const struct strlist *students;
    bool exam;
    int64_t minutes; /* 0: what the labs say */
};
int classroom_make(const char *dir, const struct classroom_plan *plan, struct classroom *out, struct err *e);

/* FILE: a name a line, blank lines and # left out, of a CSV the first column; or N: student-01… NAMEs that are no
 * folder's, or there twice, are refused. */
int classroom_names(const char *file_or_number, struct strlist *out, struct err *e);

/* A student's data directory. Returns new. */
char *classroom_home(const struct classroom *c, const char *student);
bool classroom_has(const struct classroom *c, const char *student);
/* The student's book; NOT_FOUND: it is not there yet. */
int classroom_book(const struct classroom *c, const char *student, struct book **out, struct err *e);
/* The cluster the student works in now: its folder (own_cluster.h), new in *out; NOT_FOUND: no lab is under way.
 * `out_attempt` may be NULL. */
int classroom_cluster(const struct classroom *c, const char *student, char **out, struct err *e);

/* A link to look into the cluster the student works in without changing anything. Returns new, or NULL. */
char *class_look_link(const struct classroom *c, const char *student, int64_t seconds, struct err *e);

/* -- the teacher's cluster: its console shows the class -- */
char *classroom_teacher(const struct classroom *c); /* its data directory; new */
/* It runs: started if it does not. */
int classroom_teacher_up(const struct classroom *c, const struct cli *cli, struct err *e);
int classroom_teacher_down(const struct classroom *c, const struct cli *cli, struct err *e);

/* JSON in a file that is there as a whole or not at all, mode 0600. */
int classroom_write(const char *path, const json_t *what, struct err *e);

#endif
