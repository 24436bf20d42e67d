/* validate_int.h - what the rules of all kinds share: paths, reporting, name rules, common pieces of objects.
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
char *go_int_or_string_text(const json_t *value);
/* As Semantic.DeepEqual: empty lists and maps equal absent ones, quantities by value. */
bool go_equal(const char *type, const json_t *a, const json_t *b);
bool go_equal_field(const char *type, const char *field, const json_t *a, const json_t *b); /* of two holders */
/* What go-cmp prints for two different values of a type. Returns new text. */
char *go_diff(const char *type, const json_t *before, const json_t *after);

/* -- pods and what holds their template -- */

struct pod_rules {
    const json_t *meta;           /* of the pod; NULL for a template */
    const json_t *spec;           /* */
    struct field_errors *errs;    /* */
    struct strlist volumes;       /* names of the volumes without fault (pod_volumes.c) */
    struct strlist claim_volumes; /* those of them that may be block devices */
};
void pod_rules_release(struct pod_rules *r);

void pod_spec_check(struct pod_rules *r, const struct vpath *p); /* pod.c */
struct change;
void pod_check(const struct change *c);                             /* metadata and spec of a pod, new or changed */
void pod_volumes_check(struct pod_rules *r, const struct vpath *p); /* pod_volumes.c */
void pod_volume_source_check(struct pod_rules *r, const struct vpath *p, const json_t *volume);
void pod_containers_check(struct pod_rules *r, const struct vpath *p); /* pod_containers.c */
void pod_container_names_only_for_pods(struct pod_rules *r, const struct vpath *p);
void v_env(struct field_errors *errs, const struct vpath *p, const json_t *env); /* pod_env.c */
void v_env_from(struct field_errors *errs, const struct vpath *p, const json_t *env_from);
enum field_ref_use { FIELD_REF_ENV, FIELD_REF_VOLUME };
void v_field_ref(struct field_errors *errs, const struct vpath *p, const json_t *ref, enum field_ref_use use);
void v_resource_field_ref(struct field_errors *errs, const struct vpath *p, const json_t *ref, bool in_volume);
void v_mounts(struct pod_rules *r, const struct vpath *p, const json_t *container); /* pod_mounts.c */
void v_devices(struct pod_rules *r, const struct vpath *p, const json_t *container);
void v_probes(struct field_errors *errs, const struct vpath *p, const json_t *container,
              int64_t grace); /* pod_probes.c */
void v_lifecycle(struct field_errors *errs, const struct vpath *p, const json_t *lifecycle, int64_t grace);
void v_affinity(struct field_errors *errs, const struct vpath *p, const json_t *affinity); /* pod_scheduling.c */
void v_tolerations(struct field_errors *errs, const struct vpath *p, const json_t *tolerations);
void v_taint_effect(struct field_errors *errs, const struct vpath *p, const char *effect, bool allow_empty);
void v_topology_spread(struct field_errors *errs, const struct vpath *p, const json_t *constraints);
void v_pod_security(struct pod_rules *r, const struct vpath *spec_path); /* pod_security.c */
void v_container_security(struct field_errors *errs, const struct vpath *p, const json_t *context);
void v_pod_template(struct field_errors *errs, const struct vpath *p, const json_t *template_); /* pod.c */

/* -- volumes -- */

enum source_use { SOURCE_POD, SOURCE_PV };
/* Checks one source by its JSON name ("hostPath"); false if the name is no source (volume_sources.c). */
bool volume_source_check(enum source_use use, const char *name, const json_t *source, const struct vpath *p,
                         struct field_errors *errs);
void v_projected(struct field_errors *errs, const struct vpath *p, const json_t *projected); /* projected.c */
void v_downward_api(struct field_errors *errs, const struct vpath *p, const json_t *source);
void v_key_to_path(struct field_errors *errs, const struct vpath *p, const json_t *items);
void pv_spec_check(const json_t *spec, bool inline_volume, const struct vpath *p, struct field_errors *errs); /* pv.c */
void pvc_spec_check(const json_t *spec, const struct vpath *p, struct field_errors *errs); /* pvc.c */
void pvc_template_check(const json_t *template_, const struct vpath *p, struct field_errors *errs);

/* -- kinds: what the table of validate.c points at -- */

struct change {
    const struct resource *res;
    const char *sub;   /* "", "status", … */
    const json_t *obj; /* the new state */
    const json_t *old; /* NULL on create */
    name_rule *name;   /* of this kind's names */
    struct field_errors *errs;
};
typedef void change_rules(const struct change *c);
change_rules pod_create, pod_update, namespace_create, namespace_update, node_create, node_update, pv_create, pv_update,
    pvc_create, pvc_update, configmap_create, configmap_update, secret_create, secret_update, service_create,
    service_update, endpoints_create, endpoints_update, slice_create, slice_update, event_create, event_update,
    account_create, account_update, deployment_create, deployment_update, replicaset_create, replicaset_update,
    revision_create, revision_update, lease_create, lease_update, class_create, class_update, attachment_create,
    attachment_update, csidriver_create, csidriver_update, csinode_create, csinode_update;
/* The metadata rules of the kind as its strategy applies them. */
void change_meta_create(const struct change *c);
void change_meta_update(const struct change *c);
void scale_check(const struct change *c);
void binding_check(const json_t *binding, struct field_errors *errs);

typedef void warning_rules(const json_t *obj, const json_t *old, struct strlist *out);
warning_rules pod_warnings, pv_warnings, pvc_warnings, class_warnings, service_warnings, deployment_warnings,
    replicaset_warnings, node_warnings;

#endif
