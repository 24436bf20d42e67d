/* term.c - see term.h. */
#include "base/term.h"

#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int taken[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT};

bool term_begin(struct term *t, int fd, bool raw)
{
    struct termios settings;
    sigset_t set;
    if (tcgetattr(fd, &settings) < 0)
        return false;
    *t = (struct term){.fd = fd, .raw = raw, .saved = settings};
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        sigaddset(&set, taken[i]);
    pthread_sigmask(SIG_BLOCK, &set, &t->old);
    t->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (raw) {
        cfmakeraw(&settings);
        tcsetattr(fd, TCSANOW, &settings);
    }
    return true;
}

void term_end(struct term *t)
{
    if (t->signals < 0)
        return;
    if (t->raw)
        tcsetattr(t->fd, TCSANOW, &t->saved);
    close(t->signals);
    t->signals = -1;
    pthread_sigmask(SIG_SETMASK, &t->old, NULL);
}

void term_take(struct term *t)
{
    struct signalfd_siginfo info;
    while (t->signals >= 0 && read(t->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGWINCH) {
            term_end(t);
            raise((int)info.ssi_signo);
        }
}

bool term_size(int fd, int *out_width, int *out_height)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        return false;
    *out_width = size.ws_col;
    *out_height = size.ws_row;
    return true;
}
