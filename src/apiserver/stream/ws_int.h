/* ws_int.h - the server's side of a WebSocket over a wire, on wslay. Source: RFC 6455. */
#ifndef STOWAGE_APISERVER_STREAM_WS_INT_H
#define STOWAGE_APISERVER_STREAM_WS_INT_H

#include "apiserver/stream/wire_int.h"

struct ws;
/* Gets each whole message; text is true for text frames. */
typedef void (*ws_message_fn)(void *arg, bool text, const uint8_t *data, size_t len);

/* Is the request a WebSocket handshake (version 13 with a key)? */
bool ws_requested(struct request *rq);
/* Answers 101 with this subprotocol ("" names none) and goes on in run() as upgrade_accept(). */
void ws_accept(struct request *rq, const char *protocol, void (*run)(struct upgraded *up, void *arg), void *arg,
               void (*done)(void *arg));

struct ws *ws_new(struct wire *w, ws_message_fn on_message, void *arg); /* borrows w */
void ws_free(struct ws *s);
/* Takes what the wire received; answers pings and closes by itself. */
void ws_input(struct ws *s);
/* One binary (or text) message: `prefix` bytes first, then data. */
void ws_send(struct ws *s, bool text, const void *prefix, size_t prefix_len, const void *data, size_t len);
/* Asks for a sign of life. Clients answer while they wait for messages. */
void ws_ping(struct ws *s);
bool ws_was_ponged(const struct ws *s);
void ws_close(struct ws *s, uint16_t code);
/* Both sides have said goodbye. */
bool ws_closed(const struct ws *s);

#endif
