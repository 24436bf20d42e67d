/* pod_int.h - the parts of pods and of volumes that several kinds have. */
#ifndef STOWAGE_API_VALIDATE_POD_INT_H
#define STOWAGE_API_VALIDATE_POD_INT_H

#include "api/validate/validate_int.h"

/* -- pods and what holds their template -- */

struct pod_rules {
    const json_t *meta; /* of the pod; NULL for a template */
    const json_t *spec;
    struct field_errors *errs;
    struct strlist volumes;       /* names of the volumes without fault (pod_volumes.c) */
    struct strlist claim_volumes; /* those of them that may be block devices */
};
void pod_rules_release(struct pod_rules *r);

void pod_spec_check(struct pod_rules *r, const struct vpath *p);    /* pod.c */
void pod_check(const struct change *c);                             /* metadata and spec of a pod, new or changed */
void pod_volumes_check(struct pod_rules *r, const struct vpath *p); /* pod_volumes.c */
void pod_volume_source_check(struct pod_rules *r, const struct vpath *p, const json_t *volume);
void pod_containers_check(struct pod_rules *r, const struct vpath *p); /* pod_containers.c */
void pod_images_check(struct pod_rules *r, const struct vpath *p);
void v_image_blanks(struct field_errors *errs, const struct vpath *p, const json_t *container);
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
void v_host_network(struct pod_rules *r, const struct vpath *spec_path);
void v_host_users(struct pod_rules *r, const struct vpath *spec_path);
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

#endif
