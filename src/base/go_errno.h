/* go_errno.h - errno's texts as Go words them ("no such file or directory"): what kubectl shows of the machine. */
#ifndef STOWAGE_BASE_GO_ERRNO_H
#define STOWAGE_BASE_GO_ERRNO_H

#define GO_ERRNO_LEN 64
/* Returns `out`. */
const char *go_errno_text(int sys_errno, char out[GO_ERRNO_LEN]);

#endif
