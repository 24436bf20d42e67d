/* why_print.h - an explanation (volume/explain.h, app/why.h) for people. */
#ifndef STOWAGE_CLI_WHY_PRINT_H
#define STOWAGE_CLI_WHY_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

void why_print(FILE *out, const json_t *told, bool colour);

#endif
