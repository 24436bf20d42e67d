/* report.h - a report (check.h) in the forms that people and machines read. */
#ifndef STOWAGE_LAB_REPORT_H
#define STOWAGE_LAB_REPORT_H

#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>

/* A line or more for one check: a failed one with expected beside observed. */
void report_text_check(const json_t *row, bool colour, struct buf *out);
/* "72.5 of 100 (29 of 40 points)". */
void report_text_score(const json_t *report, struct buf *out);
void report_junit(const json_t *report, struct buf *out); /* one test suite a step */
/* Its parts: a check as a case; a text as XML and HTML have it. */
void report_junit_case(const json_t *row, const char *step, struct buf *out);
void report_xml(struct buf *out, const char *text);
void report_tap(const json_t *report, struct buf *out); /* TAP version 13 */

#endif
