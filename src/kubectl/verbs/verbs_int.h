/* verbs_int.h - the verbs, each defined in verb_<name>.c. */
#ifndef STOWAGE_KUBECTL_VERBS_VERBS_INT_H
#define STOWAGE_KUBECTL_VERBS_VERBS_INT_H

#include "kubectl/kubectl.h"

extern const struct kubectl_verb kubectl_annotate;
extern const struct kubectl_verb kubectl_api_resources;
extern const struct kubectl_verb kubectl_api_versions;
extern const struct kubectl_verb kubectl_apply;
extern const struct kubectl_verb kubectl_attach;
extern const struct kubectl_verb kubectl_auth;
extern const struct kubectl_verb kubectl_autoscale;
extern const struct kubectl_verb kubectl_cluster_info;
extern const struct kubectl_verb kubectl_completion;
extern const struct kubectl_verb kubectl_config;
extern const struct kubectl_verb kubectl_cordon;
extern const struct kubectl_verb kubectl_cp;
extern const struct kubectl_verb kubectl_create;
extern const struct kubectl_verb kubectl_debug;
extern const struct kubectl_verb kubectl_delete;
extern const struct kubectl_verb kubectl_describe;
extern const struct kubectl_verb kubectl_diff;
extern const struct kubectl_verb kubectl_drain;
extern const struct kubectl_verb kubectl_edit;
extern const struct kubectl_verb kubectl_events;
extern const struct kubectl_verb kubectl_exec;
extern const struct kubectl_verb kubectl_explain;
extern const struct kubectl_verb kubectl_expose;
extern const struct kubectl_verb kubectl_get;
extern const struct kubectl_verb kubectl_kustomize;
extern const struct kubectl_verb kubectl_label;
extern const struct kubectl_verb kubectl_logs;
extern const struct kubectl_verb kubectl_patch;
extern const struct kubectl_verb kubectl_port_forward;
extern const struct kubectl_verb kubectl_proxy;
extern const struct kubectl_verb kubectl_replace;
extern const struct kubectl_verb kubectl_rollout;
extern const struct kubectl_verb kubectl_run;
extern const struct kubectl_verb kubectl_scale;
extern const struct kubectl_verb kubectl_set;
extern const struct kubectl_verb kubectl_taint;
extern const struct kubectl_verb kubectl_top;
extern const struct kubectl_verb kubectl_uncordon;
extern const struct kubectl_verb kubectl_version;
extern const struct kubectl_verb kubectl_wait;

#endif
