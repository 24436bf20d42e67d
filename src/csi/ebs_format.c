/* ebs_format.c - the class parameters of ebs.csi.aws.com that say how the filesystem is made.
 *
 *      class blockSize: "2048" --CreateVolume--> volumeAttributes.blocksize --NodeStageVolume--> mkfs.ext4 -b 2048
 *
 * DESIGN: one row a parameter. Both ends check it, as in the real driver: the controller before there is a disk, the
 * node because attributes of a PV made by hand were seen by nobody, and they become words of a command line. Texts are
 * those of aws-ebs-csi-driver v1.40. THREADS: pure. */
#include "csi/ebs_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define INVALID "rpc error: code = InvalidArgument desc = "

/* Filesystems that cannot have it. */
enum { NOT_EXT23 = 1, NOT_XFS = 2, NOT_NTFS = 4 };

static const struct format_key {
    const char *key;       /* in a class, in any letter case */
    const char *attribute; /* in a PV */
    const char *ext, *xfs; /* words of mkfs, %s its value; bigalloc has none */
    unsigned not_for;
} format_keys[] = {
    {"blockSize", "blocksize", "-b %s", "-b size=%s", NOT_NTFS},
    {"inodeSize", "inodesize", "-I %s", "-i size=%s", NOT_NTFS},
    {"bytesPerInode", "bytesperinode", "-i %s", "", NOT_XFS | NOT_NTFS},
    {"numberOfInodes", "numberofinodes", "-N %s", "", NOT_XFS | NOT_NTFS},
    {"ext4BigAlloc", "ext4bigalloc", "-O bigalloc", "", NOT_EXT23 | NOT_XFS | NOT_NTFS},
    {"ext4ClusterSize", "ext4clustersize", "-C %s", "", NOT_EXT23 | NOT_XFS | NOT_NTFS},
};
#define BIGALLOC     (&format_keys[4])
#define CLUSTER_SIZE (&format_keys[5])

bool ebs_is_format_key(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(format_keys); i++)
        if (strcasecmp(format_keys[i].key, key) == 0)
            return true;
    return false;
}

static bool supported(const struct format_key *k, const char *fstype)
{
    static const struct {
        const char *fstype;
        unsigned bit;
    } limits[] = {{"ext2", NOT_EXT23}, {"ext3", NOT_EXT23}, {"xfs", NOT_XFS}, {"ntfs", NOT_NTFS}};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        if (strcasecmp(limits[i].fstype, fstype) == 0)
            return !(k->not_for & limits[i].bit);
    return true;
}

static bool alphanumeric(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text))
            return false;
    return true;
}

/* The wish, or NULL if there is none: bigalloc is one only if it is "true". */
static const char *wish(const struct format_key *k, const char *value)
{
    if (str_empty(value) || (k == BIGALLOC && !str_eq(value, "true")))
        return NULL;
    return value;
}

/* -- the controller's half -- */

static int check_one(const struct format_key *k, const struct csi_create *req, struct err *e)
{
    if (!wish(k, csi_parameter(req->parameters, k->key)))
        return 0;
    if (str_eq(req->volume_mode, "Block"))
        return err_set(e, ERR_INVALID, INVALID "Cannot use %s with block volume", k->attribute);
    if (!supported(k, csi_fstype(req)))
        return err_set(e, ERR_INVALID, INVALID "Cannot use %s with fstype %s", k->attribute, csi_fstype(req));
    return 0;
}

int ebs_format_check(const struct csi_create *req, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(format_keys); i++) {
        const struct format_key *k = &format_keys[i];
        const char *value = csi_parameter(req->parameters, k->key);
        if (value && k != BIGALLOC && !alphanumeric(value))
            return err_set(e, ERR_INVALID, INVALID "Could not parse %s (%s): <nil>", k->key, value);
    }
    for (size_t i = 0; i < ARRAY_LEN(format_keys); i++)
        if (check_one(&format_keys[i], req, e) < 0)
            return -1;
    if (wish(CLUSTER_SIZE, csi_parameter(req->parameters, CLUSTER_SIZE->key)) &&
        !wish(BIGALLOC, csi_parameter(req->parameters, BIGALLOC->key)))
        return err_set(e, ERR_INVALID, INVALID "Cannot set ext4BigAllocClusterSize when ext4BigAlloc is false");
    return 0;
}

void ebs_format_attributes(const json_t *parameters, json_t *csi)
{
    for (size_t i = 0; i < ARRAY_LEN(format_keys); i++) {
        const char *value = wish(&format_keys[i], csi_parameter(parameters, format_keys[i].key));
        if (value)
            jset_map(csi, "volumeAttributes", format_keys[i].attribute, value);
    }
}

/* -- the node's half -- */

int ebs_format_words(const json_t *pv, const char *fstype, char **out, struct err *e)
{
    _auto_buf_ struct buf words = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(format_keys); i++) {
        const struct format_key *k = &format_keys[i];
        const char *value = jmap(pv, "spec.csi.volumeAttributes", k->attribute);
        if (!value)
            continue;
        if (!alphanumeric(value))
            return err_set(e, ERR_INVALID, INVALID "Invalid %s (aborting!): <nil>", k->attribute);
        if (!supported(k, fstype))
            return err_set(e, ERR_INVALID, INVALID "Cannot use %s with fstype %s", k->attribute, fstype);
        const char *form = strcasecmp(fstype, "xfs") == 0 ? k->xfs : k->ext, *hole = strstr(form, "%s");
        if (!wish(k, value))
            continue;
        buf_addf(&words, "%s%.*s%s", words.len ? " " : "", hole ? (int)(hole - form) : (int)strlen(form), form,
                 hole ? value : "");
    }
    *out = buf_steal(&words, NULL);
    return 0;
}
