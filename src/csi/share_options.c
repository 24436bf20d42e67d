/* share_options.c - mount options of file systems that come over a network: what their mount helpers understand.
 *
 * DESIGN: what an option of a network would do has nothing to act on here; that a wrong one fails the mount is seen by
 * whoever wrote it, so each type has the words that its helper knows. "ro" is the publisher's. When you add a type: its
 * words, a row, and how its helper complains. Source: nfs(5), mount(8), efs-utils mount_efs, mount.lustre(8). */
#include "csi/share_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static const char every[] =
    "defaults ro rw sync async dirsync atime noatime diratime nodiratime relatime norelatime strictatime nostrictatime "
    "lazytime nolazytime suid nosuid dev nodev exec noexec auto noauto user nouser users owner group nofail _netdev "
    "mand nomand iversion noiversion silent loud context fscontext defcontext rootcontext ";
static const char nfs[] =
    "nfsvers vers minorversion soft softerr hard softreval nosoftreval intr nointr timeo retrans rsize wsize ac noac "
    "acregmin acregmax acdirmin acdirmax actimeo bg fg nconnect max_connect rdirplus nordirplus retry sec sharecache "
    "nosharecache resvport noresvport lookupcache fsc nofsc sloppy proto udp tcp rdma port mountport mountproto "
    "mounthost mountvers namlen lock nolock cto nocto acl noacl local_lock clientaddr migration nomigration "
    "trunkdiscovery notrunkdiscovery xprtsec write ";
static const char efs[] =
    "tls notls iam awsprofile awscredsuri accesspoint az mounttargetip ocsp noocsp stunnel_cafile "
    "tlsport verify netns region crossaccount cafile ";
static const char lustre[] =
    "flock localflock noflock user_xattr nouser_xattr lazystatfs nolazystatfs verbose noverbose 32bitapi no32bitapi "
    "user_fid2path nouser_fid2path checksum nochecksum lruresize nolruresize always_ping encrypt noencrypt retry "
    "acl noacl network skpath exclude max_sectors_kb test_dummy_encryption ";

static const struct {
    const char *type, *words[3], *helper;
} types[] = {
    {"nfs", {every, nfs, NULL}, "mount.nfs: an incorrect mount option was specified for "},
    {"efs", {every, nfs, efs}, "mount.nfs4: an incorrect mount option was specified for "},
    {"lustre", {every, lustre, NULL}, "mount.lustre: mount failed: Invalid argument; are the mount options correct? "},
};

/* "nfsvers=4.1": is the word before the sign in the list? */
static bool is_listed(const char *list, const char *option)
{
    const size_t n = strcspn(option, "=");
    for (const char *at = list; at && *at;) {
        const size_t len = strcspn(at, " ");
        if (len == n && strncmp(at, option, n) == 0)
            return true;
        at += len + strspn(at + len, " ");
    }
    return false;
}

static bool is_known(size_t type, const char *option)
{
    for (size_t i = 0; i < ARRAY_LEN(types[type].words); i++)
        if (is_listed(types[type].words[i], option))
            return true;
    return false;
}

int share_check_options(const json_t *pv, const char *type, const char *source, const char *target, struct err *e)
{
    _auto_free_ char *given = csi_mount_options(pv);
    _auto_strlist_ struct strlist options = {0};
    size_t t = 0;
    while (!str_eq(types[t].type, type))
        t++;
    if (*given)
        strlist_split(&options, given, ',');
    for (size_t i = 0; i < options.len; i++)
        if (!is_known(t, options.items[i]))
            return err_set(e, ERR_INVALID,
                           "rpc error: code = Internal desc = mount failed: exit status 32\nMounting command: mount\n"
                           "Mounting arguments: -t %s -o %s %s %s\nOutput: %s%s\n",
                           type, given, source, target, types[t].helper, target);
    return 0;
}
