/* fetch.h - the HTTP client that curl and wget share: names, connections, answers. One request at a time. */
#ifndef STOWAGE_GUEST_FETCH_H
#define STOWAGE_GUEST_FETCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FETCH_BUFFER 32768

enum fetch_result {
    FETCH_OK,
    FETCH_BAD_SCHEME,
    FETCH_BAD_PORT,
    FETCH_NO_HOST,
    FETCH_NO_ADDRESS, /* nobody knows the name */
    FETCH_REFUSED,    /* errno says how */
    FETCH_CONNECT_TIMEOUT,
    FETCH_TIMEOUT,
    FETCH_EMPTY, /* the connection ended before an answer began */
    FETCH_CANNOT_WRITE
};
struct fetch_url {
    char host[256], path[2048];
    uint16_t port;
};
struct fetch_answer {
    int code;
    bool chunked;
    int64_t length, size; /* announced (-1 = to the end), received */
    char location[2048];
    char *head;                  /* owned; with the empty line at its end */
    char data[FETCH_BUFFER + 1]; /* what came with the head */
    size_t data_len;
};

int64_t fetch_now_ms(void);
/* Everything after this must be done within that time. */
void fetch_within(int ms);

/* "http://host:80/path", "host/path" */
enum fetch_result fetch_parse(const char *text, struct fetch_url *u);
/* "http://host:81" of a redirect's target, which may be a path of the same server. */
void fetch_redirect(const struct fetch_url *u, const struct fetch_answer *a, char *out, size_t size);
enum fetch_result fetch_resolve(const struct fetch_url *u, struct in_addr *out);
/* limit_ms 0: none but the whole's. */
enum fetch_result fetch_connect(const struct fetch_url *u, struct in_addr address, int limit_ms, int *out_fd);
/* Fills *a, which is empty. */
enum fetch_result fetch_head(int fd, struct fetch_answer *a);
enum fetch_result fetch_body(int fd, struct fetch_answer *a, FILE *to);
void fetch_answer_release(struct fetch_answer *a);

#endif
