/* validate_int.h - what the rules of all kinds share: paths, reporting, name rules, common pieces of objects.
 * pod_int.h has the parts of pods and volumes, kinds_int.h the kinds themselves.
 *
 * A rule is a function (values to look at, where they stand, list of errors). Paths are chains of structs on the stack
 * (FIELD, ITEM, KEY); their text is made only when something is wrong. */
#ifndef STOWAGE_API_VALIDATE_INT_H
#define STOWAGE_API_VALIDATE_INT_H

#include "api/quantity.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/validate.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

/* -- where (report.c) -- */

struct vpath {
    const struct vpath *up;
    const char *name; /* a member, or */
    const char *key;  /* a map's key, or */
    size_t index;     /* a list's item */
};
/* They live as long as the block they are written in. */
#define FIELD(parent, n) (&(const struct vpath){.up = (parent), .name = (n)})
#define ITEM(parent, i)  (&(const struct vpath){.up = (parent), .index = (i)})
#define KEY(parent, k)   (&(const struct vpath){.up = (parent), .key = (k)})

/* Returns new text: "spec.containers[0].name". */
char *vpath_text(const struct vpath *p);

/* -- reporting (report.c): one function a kind of mistake; `detail` may be NULL -- */

struct field_errors;
void v_required(struct field_errors *errs, const struct vpath *p, const char *detail);
void v_invalid(struct field_errors *errs, const struct vpath *p, const char *value, const char *detail);
void v_invalid_int(struct field_errors *errs, const struct vpath *p, int64_t value, const char *detail);
void v_invalid_bool(struct field_errors *errs, const struct vpath *p, bool value, const char *detail);
/* `text` is the value as Go's %#v prints it (see govalue.c); NULL prints null. Takes text. */
void v_invalid_go(struct field_errors *errs, const struct vpath *p, char *take_text, const char *detail);
void v_unsupported(struct field_errors *errs, const struct vpath *p, const char *value, const char *const *valid);
void v_forbidden(struct field_errors *errs, const struct vpath *p, const char *detail);
void v_duplicate(struct field_errors *errs, const struct vpath *p, const char *value);
void v_not_found(struct field_errors *errs, const struct vpath *p, const char *value);
void v_too_long(struct field_errors *errs, const struct vpath *p, int max);
void v_too_many(struct field_errors *errs, const struct vpath *p, size_t got, size_t max);

/* -- reading: null counts as absent, absent text as "" -- */

json_t *vget(const json_t *obj, const char *key);
const char *vstr(const json_t *obj, const char *key); /* never NULL */
int64_t vint(const json_t *obj, const char *key);
bool vbool(const json_t *obj, const char *key);
bool vhas(const json_t *obj, const char *key);
const char *vitem(const json_t *list, size_t i); /* a list of texts; never NULL */
bool one_of(const char *s, const char *const *list);
bool has_outer_blanks(const char *s);
/* In a copy: gives `into` the member that `from` has, or has not. Shares the value. */
void vrestore(json_t *into, const json_t *from, const char *member);
/* The keys of a map in sorted order, so that messages do not depend on chance. */
void sorted_keys(const json_t *map, struct strlist *out);

/* -- names (names.c) -- */

struct msgs {
    const char *text[4]; /* static */
    size_t len;
};
typedef void name_rule(const char *s, struct msgs *out);
name_rule rule_label, rule_subdomain, rule_dns1035, rule_qualified, rule_qualified_nocase, rule_subdomain_nocase,
    rule_label_value, rule_config_key, rule_port_name, rule_path_segment, rule_env_name, rule_header_name, rule_percent;
/* Reports each complaint of the rule about `value`. */
void v_name(struct field_errors *errs, const struct vpath *p, const char *value, name_rule *rule);
/* The same for the beginning of a name, which may end in a dash: characters follow. */
void v_name_prefix(struct field_errors *errs, const struct vpath *p, const char *prefix, name_rule *rule);
/* Complaints joined with ';' (tolerations and taints). NULL if none, else new text. */
char *name_complaints(const char *value, name_rule *rule);
bool name_ok(const char *value, name_rule *rule);

/* -- metadata (meta.c) -- */

/* How far the checks go: the generic layer of the API machinery, or the one of core that knows finalizers too. */
enum meta_layer { META_GENERIC, META_CORE };
void meta_create(const json_t *obj, bool namespaced, name_rule *name, enum meta_layer layer, struct field_errors *errs);
void meta_update(const json_t *obj, const json_t *old, enum meta_layer layer, struct field_errors *errs);
void v_labels(struct field_errors *errs, const struct vpath *p, const json_t *labels);
void v_annotations(struct field_errors *errs, const struct vpath *p, const json_t *annotations);
void v_finalizer(struct field_errors *errs, const struct vpath *p, const char *name);

/* -- common pieces (common.c) -- */

void v_nonnegative(struct field_errors *errs, const struct vpath *p, int64_t value);
void v_nonnegative_field(struct field_errors *errs, const struct vpath *parent, const json_t *obj, const char *key);
void v_range(struct field_errors *errs, const struct vpath *p, int64_t value, int64_t low, int64_t high);
void v_port(struct field_errors *errs, const struct vpath *p, int64_t port);
void v_port_or_name(struct field_errors *errs, const struct vpath *p, const json_t *port);
void v_protocol(struct field_errors *errs, const struct vpath *p, const char *protocol);
void v_required_str(struct field_errors *errs, const struct vpath *parent, const json_t *obj, const char *key);
/* Required when empty, unsupported when not of the list. */
void v_choice(struct field_errors *errs, const struct vpath *p, const char *value, const char *const *valid);
/* The same for an optional pointer member. */
void v_choice_opt(struct field_errors *errs, const struct vpath *parent, const json_t *obj, const char *key,
                  const char *const *valid);
bool v_ip(struct field_errors *errs, const struct vpath *p, const char *ip); /* true if it is one */
void v_ip_not_special(struct field_errors *errs, const struct vpath *p, const char *ip);
void v_cidr(struct field_errors *errs, const struct vpath *p, const char *cidr);
void v_label_selector(struct field_errors *errs, const struct vpath *p, const json_t *selector);
void v_node_selector(struct field_errors *errs, const struct vpath *p, const json_t *selector, bool lax_values);
void v_node_selector_term(struct field_errors *errs, const struct vpath *p, const json_t *term, bool lax_values);
void v_no_backsteps(struct field_errors *errs, const struct vpath *p, const char *path);
void v_descending_path(struct field_errors *errs, const struct vpath *p, const char *path);
void v_unreserved_path(struct field_errors *errs, const struct vpath *p, const char *path);
void v_file_mode(struct field_errors *errs, const struct vpath *parent, const json_t *obj, const char *key);
bool path_has_backsteps(const char *path);
extern const char *const access_modes[];
extern const char *const volume_modes[];
/* Access modes of claims and volumes: known ones, ReadWriteOncePod alone. */
void v_access_modes(struct field_errors *errs, const struct vpath *p, const json_t *modes);
void v_csi_driver_name(struct field_errors *errs, const struct vpath *p, const char *name);
void v_immutable_str(struct field_errors *errs, const struct vpath *p, const char *now, const char *before);
/* A count or a percentage; a percentage of no more than all. */
void v_int_or_percent(struct field_errors *errs, const struct vpath *p, const json_t *v);
void v_percent_max(struct field_errors *errs, const struct vpath *p, const json_t *v);
void v_token_lifetime(struct field_errors *errs, const struct vpath *p, int64_t seconds);

/* -- quantities (quantities.c) -- */

/* 0 when absent or malformed; JSON numbers count. */
struct quantity qty(const json_t *value);
void qty_text(const json_t *value, char out[QUANTITY_TEXT_LEN]);
void v_qty_positive(struct field_errors *errs, const struct vpath *p, const json_t *value);
void v_qty_nonnegative(struct field_errors *errs, const struct vpath *p, const json_t *value);
void v_qty_basic(struct field_errors *errs, const struct vpath *p,
                 const json_t *value); /* not below zero, as a number */
void v_qty_resource(struct field_errors *errs, const struct vpath *p, const char *resource, const json_t *value);
/* Names of resources: any, those of quotas, those of containers. */
void v_resource_name(struct field_errors *errs, const struct vpath *p, const char *name);
void v_quota_resource_name(struct field_errors *errs, const struct vpath *p, const char *name);
void v_container_resource_name(struct field_errors *errs, const struct vpath *p, const char *name);
bool is_quota_resource(const char *name); /* a standard one */
bool qty_fractional(const json_t *value); /* has thousandths: makes no sense for bytes */
/* requests and limits of a container. */
void v_container_resources(struct field_errors *errs, const struct vpath *p, const json_t *resources,
                           const json_t *pod_claims);

/* -- Go values and differences (govalue.c, equal.c, godiff.c) -- */

/* All return new text. */
char *go_struct_text(const char *type, const json_t *value); /* core.Taint{Key:"a", …} */
char *go_map_text(const json_t *map);                        /* map[string]string{"a":"b"}, …(nil) */
char *go_list_text(const char *go_type, const json_t *list); /* []string{"a"} */
char *go_resources_text(const json_t *map);                  /* core.ResourceList{…} */
char *go_quantity_text(const json_t *value);
/* A quantity as Go stores it: value * 10^scale. */
void go_quantity_parts(const json_t *value, int64_t *out_value, int *out_scale, const char **out_format);
/* Never NULL: an unknown name is our fault. */
const struct schema_type *go_known_type(const char *name);
char *go_int_or_string_text(const json_t *value);
/* As Semantic.DeepEqual: empty lists and maps equal absent ones, quantities by value. */
bool go_equal(const char *type, const json_t *a, const json_t *b);
bool go_equal_field(const char *type, const char *field, const json_t *a, const json_t *b); /* of two holders */
/* What go-cmp prints for two different values of a type. Returns new text. */
char *go_diff(const char *type, const json_t *before, const json_t *after);

/* -- a write -- */

struct change {
    const struct resource *res;
    const char *sub;   /* "", "status", … */
    const json_t *obj; /* the new state */
    const json_t *old; /* NULL on create */
    name_rule *name;   /* of this kind's names */
    struct field_errors *errs;
};
typedef void change_rules(const struct change *c);
/* The metadata rules of the kind as its strategy applies them. */
void change_meta_create(const struct change *c);
void change_meta_update(const struct change *c);

#endif
