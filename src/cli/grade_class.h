/* grade_class.h - a class: each submission judged by a process of its own, several at a time.
 *
 * THREADS: one. */
#ifndef STOWAGE_CLI_GRADE_CLASS_H
#define STOWAGE_CLI_GRADE_CLASS_H

#include "cli/cli.h"

#include <jansson.h>

struct class_conf {
    const char *lab;         /* folder */
    const char *submissions; /* a folder of them, or one when `one` */
    bool one;
    bool seed_from_name;
    const char *seed; /* of everybody; NULL: none */
    int jobs;
    int64_t timeout_ms, cpu_ms, memory_bytes, disk_bytes, cluster_bytes, cluster_disk_bytes;
    int pids;
    /* Told of each that is done, with how many are; may be NULL. */
    void (*told)(void *arg, const json_t *student, size_t done, size_t all);
    void *arg;
};
/* Rows of students as results.h has them, in the order of names. NOT_FOUND: there is nothing to judge. Returns new, or
 * NULL. */
json_t *grade_class(const struct cli *cli, const struct class_conf *conf, struct err *e);

#endif
