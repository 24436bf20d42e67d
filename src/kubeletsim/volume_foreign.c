/* volume_foreign.c - volumes that need what this node has not got: refused in the words of a node without the helper.
 *
 * DESIGN: a node of a course has no /sbin/mount.nfs, no iscsiadm, no fibre channel and no git, and that is what its
 * kubelet says: at the step at which the missing thing is missed. Each row of the plug-in table that ends here has its
 * function; what has no plug-in at all is refused when the volume is planned (volume_plugins.c).
 *
 * THREADS: workers. Source: pkg/volume/{nfs,iscsi,fc,git_repo}, k8s.io/mount-utils mount_linux.go, k8s.io/utils/exec.
 */
#include "kubeletsim/volumes_int.h"

#include "base/buf.h"

#define NO_PROGRAM "executable file not found in $PATH"

int nfs_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    (void)p;
    const char *server = jstr_or(v->source, "server", ""), *path = jstr_or(v->source, "path", "");
    _auto_strlist_ struct strlist options = {0};
    size_t i;
    const json_t *option;
    if (v->read_only)
        strlist_add(&options, "ro");
    json_array_foreach(jat(v->pv, "spec.mountOptions"), i, option)
    {
        if (json_string_value(option) && !strlist_has(&options, json_string_value(option)))
            strlist_add(&options, json_string_value(option));
    }
    strlist_sort(&options);
    _auto_free_ char *list = strlist_join(&options, ",");
    return err_set(e, ERR_UNSUPPORTED,
                   "mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t nfs %s%s%s%s:%s "
                   "%s\nOutput: mount: %s: bad option; for several filesystems (e.g. nfs, cifs) you might need a "
                   "/sbin/mount.<type> helper program.\n",
                   *list ? "-o " : "", list, *list ? " " : "", server, path, v->path, v->path);
}

int iscsi_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    (void)p;
    v->failed_at = "MountVolume.WaitForAttach failed";
    return err_set(e, ERR_UNSUPPORTED, NO_PROGRAM);
}

int fc_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    (void)p;
    v->failed_at = "MountVolume.WaitForAttach failed";
    return err_set(e, ERR_UNSUPPORTED, "no fc disk found");
}

int git_mount(struct pod_run *p, struct volume_run *v, struct err *e)
{
    (void)p;
    const char *directory = jstr_or(v->source, "directory", "");
    return err_set(e, ERR_UNSUPPORTED, "failed to exec 'git clone -- %s%s%s': : " NO_PROGRAM,
                   jstr_or(v->source, "repository", ""), *directory ? " " : "", directory);
}
