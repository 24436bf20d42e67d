/* format.h - the shapes of a lab's file. docs/lab.schema.json is made from them (`stowage lab schema`). */
#ifndef STOWAGE_LAB_FORMAT_H
#define STOWAGE_LAB_FORMAT_H

#include "lab/fields.h"

extern const struct shape lab_shape;    /* lab.yaml */
extern const struct shape action_shape; /* one of setup, faults, solution */
extern const struct shape check_shape;

#endif
