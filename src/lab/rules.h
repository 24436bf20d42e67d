/* rules.h - what a lab must keep beyond the shapes of its fields (format.h). THREADS: pure but for reading the lab's
 * files. */
#ifndef STOWAGE_LAB_RULES_H
#define STOWAGE_LAB_RULES_H

#include "lab/fields.h"
#include "lab/lab.h"

/* The lab's tree has passed fields_check() and its variables are filled in. One text a fault, as there. */
void lab_rules(const struct lab *lab, const struct marks *marks, struct strlist *faults);

#endif
