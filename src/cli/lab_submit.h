/* lab_submit.h - `stowage lab submit`: what was done in a lab, as one signed file (lab/bundle.h). */
#ifndef STOWAGE_CLI_LAB_SUBMIT_H
#define STOWAGE_CLI_LAB_SUBMIT_H

#include "lab/book.h"
#include "lab/env.h"

struct submit_from {
    struct book *book;
    const struct attempt *attempt;
    struct lab_env *env;
    const char *home; /* lab_place.h: the log and the key are there */
};
/* argv: submit [-o FILE]; without FILE: <lab>-submission.json here. */
int lab_submit(const struct submit_from *from, int argc, char **argv, struct err *e);

#endif
