/* write_int.h - bodies and options of writes. */
#ifndef STOWAGE_APISERVER_WRITE_INT_H
#define STOWAGE_APISERVER_WRITE_INT_H

#include "apiserver/request_int.h"

/* Is the Content-Type one that a PATCH may have? */
bool patch_type_known(const struct request *rq);
json_t *patch_type_refusal(void); /* the router's 415 */

/* false: the refusal has been sent. */
bool can_answer(struct request *rq);
bool take_body(struct request *rq, struct reg_body *out);

/* Checks fieldManager, dryRun, fieldValidation (and force, for patches) as CreateOptions, UpdateOptions, PatchOptions;
 * false: 422 has been sent. */
enum write_kind { WRITE_CREATE, WRITE_UPDATE, WRITE_PATCH, WRITE_APPLY };
bool write_options_ok(struct request *rq, enum write_kind kind);

#endif
