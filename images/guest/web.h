/* web.h - the guest's small web server: configuration, connections, answers. nginx.c, httpd.c
 * and the applications of hello.h are its faces. */
#ifndef STOWAGE_GUEST_WEB_H
#define STOWAGE_GUEST_WEB_H

#include <netinet/in.h>
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LISTS_MAX     16
#define HEADERS_MAX   64
#define REQUEST_MAX   (16 * 1024) /* request line and headers */
#define RESPONSE_HEAD 4096

struct header {
    const char *name, *value;
};

/* What a server or a location may say; a location inherits what it does not say. */
struct scope {
    const char *root, *alias;
    const char *index[LISTS_MAX];
    const char *try_files[LISTS_MAX];
    const char *default_type;
    int return_code; /* 0 = none */
    const char *return_text;
    bool autoindex, autoindex_set, access_log_off, deny_all;
    const char *proxy_pass;
    struct header add[LISTS_MAX];
    size_t add_count;
    struct {
        int code;
        const char *page;
    } errors[LISTS_MAX];
    size_t error_count;
};
enum match { MATCH_PREFIX, MATCH_EXACT, MATCH_PREFIX_FINAL, MATCH_REGEX };
struct location {
    struct location *next;
    enum match match;
    const char *path;
    regex_t regex;
    struct scope scope;
};
struct listen {
    uint16_t port;
    bool ipv6, is_default;
    char host[64]; /* "" = any */
};
struct server {
    struct server *next;
    struct listen listen[LISTS_MAX];
    size_t listen_count;
    const char *names[LISTS_MAX];
    struct scope scope;
    struct location *locations, **last_location;
};
struct mime {
    struct mime *next;
    const char *extension, *type;
};
struct request;
struct response;
struct web {
    struct server *servers, **last_server;
    struct mime *mimes;
    struct scope http; /* what all servers inherit */
    const char *user, *access_log, *error_log, *pid_file;
    const char *product;  /* Server header: "nginx/1.7.9" */
    const char *log_tail; /* after the combined log line: " \"-\"" in nginx's image */
    int access_fd, error_fd;
    bool tokens;  /* version shown in headers and pages */
    bool notices; /* error_log level notice or below */
    /* The body of an error page; returns its length. */
    size_t (*error_page)(const struct web *w, int code, const char *reason, char *out, size_t size);
    /* Answers by itself, or NULL. False: this request is answered from files as any other. */
    bool (*answer)(const struct web *w, const struct request *r, struct response *out);
};

struct request {
    char *head; /* text, cut into pieces */
    size_t head_len;
    const char *method, *target, *version;
    char line[1024]; /* as it came, for the log */
    char path[2048]; /* decoded, normalised, starts with '/' */
    const char *args;
    struct header headers[HEADERS_MAX];
    size_t header_count;
    int64_t body_left; /* still to be read and dropped */
    bool keep_alive, head_only;
    char client[INET6_ADDRSTRLEN];
    char local[INET6_ADDRSTRLEN];
    uint16_t local_port;
    unsigned connection; /* number, for the error log */
};
struct response {
    int code;
    char head[RESPONSE_HEAD];
    size_t head_len;
    char *body; /* owned; NULL when a file is sent */
    int file;   /* owned; -1 = none */
    off_t offset;
    int64_t length, sent;
};

/* web_request.c */
/* Length of the request's head, 0 = not all there yet, -1 = too long. */
ssize_t request_complete(const char *data, size_t len);
/* Takes head (malloc'ed, NUL-terminated); 0 or the HTTP status of its fault. */
int request_parse(struct request *r, char *take_head, size_t len);
void request_release(struct request *r);
const char *request_header(const struct request *r, const char *name);

/* web_respond.c */
void respond(const struct web *w, const struct request *r, struct response *out);
void respond_error(const struct web *w, const struct request *r, const struct scope *s, int code, struct response *out);
/* A text of the type; the body is taken. */
void respond_text(const struct web *w, const struct request *r, const struct scope *s /* or NULL */, int code,
                  const char *type, char *take_body, struct response *out);
void response_release(struct response *p);
const char *reason_of(int code);

/* web_serve.c */
struct sockets {
    struct {
        int fd;
        uint16_t port;
        bool ipv6;
    } items[LISTS_MAX];
    size_t count;
};
/* Opens the sockets of all servers, taking over those of `before` (may be NULL) that are still wanted; -1 after logging
 * why not, then nothing has changed. */
int web_listen(const struct web *w, const struct sockets *before, struct sockets *out);
/* Closes what is in `all` and not in `keep`. */
void web_close_sockets(const struct sockets *all, const struct sockets *keep);
/* Serves until told by SIGTERM (at once) or SIGQUIT (after open requests). */
void web_serve(const struct web *w, const struct sockets *listeners);
void web_log(const struct web *w, const char *level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void web_access(const struct web *w, const struct request *r, const struct response *p);
/* Becomes the named user of /etc/passwd; stays who it is when it is not root or there is no such user. */
void web_drop_user(const char *user);

/* nginx_conf.c */
/* Reads a configuration; on an error prints nginx's words into `out` and returns -1. */
int nginx_conf_read(struct web *w, const char *path, char *out, size_t size);

/* A scope with what is not said taken from `from`. */
void scope_inherit(struct scope *s, const struct scope *from);

#endif
