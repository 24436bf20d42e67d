/* grade_order.h - in which order the submissions of a class are begun.
 *
 * A script or a session can take all the time it has, doing nothing; objects are sent and settle. Who may take long is
 * begun first: the last to begin is then not one for whom everybody waits. Otherwise names do not count: submissions of
 * like names are often alike, and many that wait for the same thing at the same time leave the machine idle. What comes
 * of a submission does not depend on it. */
#ifndef STOWAGE_CLI_GRADE_ORDER_H
#define STOWAGE_CLI_GRADE_ORDER_H

#include "base/str.h"

/* Places in `entries` (names of files and folders), each once; the same for the same names. Returns new. */
size_t *grade_order(const struct strlist *entries);

#endif
