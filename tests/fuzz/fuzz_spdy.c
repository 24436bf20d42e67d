/* Any bytes a client may send on an upgraded connection. */
#include "base/spdy.h"

#include <stddef.h>

static bool on_open(void *arg, uint32_t id, const struct spdy_headers *headers)
{
    (void)arg;
    (void)id;
    return spdy_header(headers, "streamtype") != NULL;
}

static void on_data(void *arg, uint32_t id, const void *data, size_t len, bool fin)
{
    (void)arg;
    (void)id;
    (void)data;
    (void)len;
    (void)fin;
}

static void on_reset(void *arg, uint32_t id)
{
    (void)arg;
    (void)id;
}

static void on_goaway(void *arg)
{
    (void)arg;
}

static void on_send(void *arg, const void *data, size_t len)
{
    (void)arg;
    (void)data;
    (void)len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct spdy_events events = {.open = on_open, .data = on_data, .reset = on_reset, .goaway = on_goaway};
    struct spdy s;
    spdy_init(&s, &events, on_send, NULL);
    spdy_input(&s, data, size);
    spdy_release(&s);
    return 0;
}
